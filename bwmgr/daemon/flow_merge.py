"""Minutes and views of several flow processes made one. Pure.

Owns whose word counts where two processes heard different routers tell of the same traffic: inside a process the collector
chooses among exporters, and the kernel keeps an exporter with one process, so only this is left.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bwmgr.daemon.flow_messages import Minutes
from bwmgr.measure.columns import RateBatch

_REMEMBERED = 90
"""Minutes; longer than one stays open."""
_FREE = -1


class Claims:
    """Which process counts for a link, direction and minute: the first one that brings the word of the link's own router, else
    the one that brought most octets when the minute was first told."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}
        self._minutes: dict[int, NDArray[np.int16]] = {}

    def shared_out(self, told: Sequence[tuple[int, Minutes]]) -> list[tuple[int, RateBatch]]:
        """(process, its rows that count) of one round, in which a process may be missing."""
        if not told:
            return []
        places = [self._places_of(minutes.rows.series) for _, minutes in told]
        best: dict[tuple[int, int], tuple[bool, int, int]] = {}
        for (process, minutes), place in zip(told, places, strict=True):
            for key, own, octets in _sums(minutes, place):
                if self._claim(key) == _FREE:
                    best[key] = max(best.get(key, (False, -1, _FREE)), (own, octets, process))
        for (end_ms, at), (_, _, process) in best.items():
            self._minutes[end_ms][at] = process
        for end_ms in sorted(self._minutes)[:-_REMEMBERED]:
            del self._minutes[end_ms]
        return [
            (process, self._kept(process, minutes.rows, place)) for (process, minutes), place in zip(told, places, strict=True)
        ]

    def _places_of(self, series: Sequence[str]) -> NDArray[np.int64]:
        """A number for the link and direction of each series `link|direction|application|class`."""
        return np.array(
            [self._places.setdefault("|".join(name.split("|", 2)[:2]), len(self._places)) for name in series], np.int64
        )

    def _claim(self, key: tuple[int, int]) -> int:
        end_ms, place = key
        claims = self._minutes.get(end_ms)
        if claims is None or len(claims) <= place:
            grown = np.full(len(self._places), _FREE, np.int16)
            if claims is not None:
                grown[: len(claims)] = claims
            self._minutes[end_ms] = claims = grown
        return int(claims[place])

    def _kept(self, process: int, batch: RateBatch, place: NDArray[np.int64]) -> RateBatch:
        """Rows of minutes that are remembered no longer are late beyond measure, and left out."""
        keep = np.zeros(len(batch.rows), np.bool_)
        for end_ms in np.unique(batch.rows["end_ms"]).tolist():
            if end_ms in self._minutes:
                at = batch.rows["end_ms"] == end_ms
                keep[at] = self._minutes[end_ms][place[batch.rows["series"][at]]] == process
        return RateBatch(series=batch.series, rows=batch.rows[keep])


def _sums(minutes: Minutes, place: NDArray[np.int64]) -> Iterable[tuple[tuple[int, int], bool, int]]:
    """((end_ms, place), whether it is the own router's word, octets) of one process's rows."""
    rows = minutes.rows.rows
    if not len(rows):
        return ()
    keys = np.stack([rows["end_ms"].astype(np.int64), place[rows["series"]]])
    found, of = np.unique(keys, axis=1, return_inverse=True)
    octets = np.bincount(of, rows["octets"], found.shape[1])
    own = np.bincount(of, minutes.own, found.shape[1]) > 0
    ends, places = found.tolist()
    return zip(zip(ends, places, strict=True), own.tolist(), octets.astype(np.int64).tolist(), strict=True)


def joined_snapshot(views: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The views of the moment of several processes as one, in the same shape; of one process it is that view."""
    views = [view for view in views if view]
    if len(views) < 2:
        return views[0] if views else {}
    return {
        "at": max(view["at"] for view in views),
        "listening": list(dict.fromkeys(place for view in views for place in view["listening"])),
        "problem": next((view["problem"] for view in views if view["problem"]), ""),
        **{name: _added(view[name] for view in views) for name in ("figures", "problems", "unattributed")},
        "exporters": _joined_exporters(one for view in views for one in view["exporters"]),
        "top": _joined_top([view["top"] for view in views]),
    }


def _added(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    return dict(total)


def _joined_exporters(every: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """One entry an address: after a restart an exporter may send from another port, and so to another process."""
    found: dict[str, Mapping[str, Any]] = {}
    for one in every:
        before = found.get(one["address"])
        found[one["address"]] = one if before is None else _both(*sorted((before, one), key=lambda each: int(each["last_ms"])))
    return list(found.values())


def _both(earlier: Mapping[str, Any], later: Mapping[str, Any]) -> Mapping[str, Any]:
    counts = ("datagrams", "octets", "flows", "unknown_sampling_flows", "lost", "early", "templates", "restarts")
    return {
        **later,
        **{name: earlier[name] + later[name] for name in counts},
        "longest_seconds": max(earlier["longest_seconds"], later["longest_seconds"]),
        "problems": _added((earlier["problems"], later["problems"])),
    }


def _joined_top(tops: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Of each link, kind and direction the list of the process that saw most: the others saw the same traffic elsewhere."""
    links: dict[str, dict[str, dict[str, list[dict[str, Any]]]]] = {}
    for top in tops:
        for link, kinds in top["links"].items():
            for by, sides in kinds.items():
                for side, rows in sides.items():
                    mine = links.setdefault(link, {}).setdefault(by, {})
                    mine[side] = max(mine.get(side, []), rows, key=_octets)
    newest = max(tops, key=lambda top: top["end"])
    return {
        **newest,
        "approximate": any(top["approximate"] for top in tops),
        "error_octets": max(top["error_octets"] for top in tops),
        "links": links,
    }


def _octets(rows: Sequence[Mapping[str, Any]]) -> int:
    return sum(row["octets"] for row in rows)
