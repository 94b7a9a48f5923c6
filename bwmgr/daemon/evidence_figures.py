"""The figures of an evidence pack, series by series, from the stored rows: use, service, need.

Owns which figures a series has and under which calendar. All arithmetic is `bwmgr.measure`; the pack's own verifier does it again
by other code.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bwmgr.daemon.request_verdicts import ENOUGH_RATIO, verdict_of
from bwmgr.errors import UsageError
from bwmgr.measure.behind import demand_behind
from bwmgr.measure.calendars import Spans, inside, instant_ms, spans
from bwmgr.measure.columns import RATE, RateBatch, Rows
from bwmgr.measure.outages import Known, answered, instant, names_apart, outages, timelines
from bwmgr.measure.windows import usage_windows
from bwmgr.model.demand import DemandInterval
from bwmgr.model.inventory import Direction
from bwmgr.model.said import Said
from bwmgr.stores import LINK_RATE, UPLINK_RATE

if TYPE_CHECKING:
    from bwmgr.daemon.application import Application
    from bwmgr.daemon.planning import Requests

PERCENTILE = 95.0
OUTAGE_SECONDS = 300.0
ALWAYS = "always"
_ROWS_AT_ONCE = 2_000_000
_WITNESS_COLUMNS = ("series", "end_ms", "reason")

Cells = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Series:
    """One link or uplink of the pack: the calendars it is looked at under, and the limits' name for people."""

    measurement: str
    name: str
    calendars: tuple[str, ...]
    is_link: bool
    """It is a link of the configuration, so that its need can be told."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """All that the pack says of one series."""

    series: Series
    rows: Rows
    usage: tuple[Cells, ...]
    availability: Cells
    outages: tuple[Cells, ...]
    needs: tuple[Cells, ...]
    requests: tuple[Cells, ...]


class Figures:
    """Reads the store of `application` over [start, end)."""

    def __init__(self, application: Application, start: datetime, end: datetime, requests: Requests | None = None) -> None:
        """`requests`: what agencies asked for, judged beside their needs. Raises: UsageError for unknown links."""
        self._requests = requests or {}
        if unknown := sorted(set(self._requests) - set(application.inventory.links)):
            raise UsageError(Said("requests for links that are not in the configuration: {links}", links=", ".join(unknown)))
        self._store, self._inventory = application.store, application.inventory
        self._zone = application.inventory.organisation.timezone
        self._interval_seconds = application.settings.snmp.interval_seconds
        self._start, self._end = start, end
        self.series = self._all_series()
        used = dict.fromkeys(name for one in self.series for name in one.calendars)
        self.spans: dict[str, Spans] = {
            name: spans(self._inventory.calendars[name], self._zone, start, end) for name in sorted(used)
        }
        self.has_witnesses = names_apart([self._device(one) for one in self.series])

    def __iter__(self) -> Iterator[Found]:
        """Series after series in the order of `series`."""
        witnesses = self._witnesses() if self.has_witnesses else None
        for batch, members in self._batches(RATE.names or ()):
            bounds = np.searchsorted(batch.rows["series"], np.arange(len(batch.series) + 1))
            for place, one in enumerate(members):
                yield self._found(one, batch.rows[bounds[place] : bounds[place + 1]], witnesses)

    def _all_series(self) -> list[Series]:
        """Polled links and those with history, also of links that are gone from the configuration; then uplinks. By name."""
        from bwmgr.daemon.polling import is_polled

        links = self._inventory.links
        there = {
            name for name, span in self._store.spans(LINK_RATE).items() if span.first < self._end and span.last >= self._start
        }
        names = sorted(there | {name for name, link in links.items() if is_polled(link)})
        found = [
            Series(
                measurement=LINK_RATE,
                name=name,
                calendars=tuple(dict.fromkeys((ALWAYS, links[name].calendar if name in links else ALWAYS))),
                is_link=name in links,
            )
            for name in names
        ]
        uplinks = sorted(name for name, _, _ in self._inventory.uplinks())
        return found + [Series(measurement=UPLINK_RATE, name=name, calendars=(ALWAYS,), is_link=False) for name in uplinks]

    def _device(self, one: Series) -> str | None:
        if one.measurement == UPLINK_RATE:
            return next((up.interface.device for name, _, up in self._inventory.uplinks() if name == one.name), None)
        link = self._inventory.links.get(one.name)
        return link.interface.device if link is not None and link.interface is not None else None

    def _batches(self, columns: Sequence[str]) -> Iterator[tuple[RateBatch, Sequence[Series]]]:
        """Some series at a time, so that memory stays bounded however many there are."""
        expected = (self._end - self._start).total_seconds() / max(self._interval_seconds, 1.0)
        size = max(int(_ROWS_AT_ONCE / max(expected, 1.0)), 1)
        for measurement in (LINK_RATE, UPLINK_RATE):
            members = [one for one in self.series if one.measurement == measurement]
            for first in range(0, len(members), size):
                some = members[first : first + size]
                names = [one.name for one in some]
                yield self._store.read(measurement, start=self._start, end=self._end, series=names, columns=columns), some

    def _witnesses(self) -> NDArray[np.int64]:
        parts = [answered(batch) for batch, _ in self._batches(_WITNESS_COLUMNS)]
        return np.unique(np.concatenate(parts)) if parts else np.empty(0, np.int64)

    def _found(self, one: Series, rows: Rows, witnesses: NDArray[np.int64] | None) -> Found:
        alone = rows.copy()
        alone["series"] = 0
        batch = RateBatch(series=(one.name,), rows=alone)
        key = {"measurement": one.measurement, "series": one.name}
        line = next(timelines(batch, witnesses=witnesses, usual=one.measurement == UPLINK_RATE))
        used = tuple({**key, **cells} for name in one.calendars for cells in self._usage(batch, name))
        demands = list(self._demands(one, rows)) if one.is_link else []
        return Found(
            series=one,
            rows=rows,
            usage=used,
            availability={**key, **self._availability(line.start_ms, line.end_ms, line.known)},
            outages=tuple(
                {**key, "start_ms": instant_ms(out.start), "end_ms": instant_ms(out.end), "sign": str(out.sign)}
                for out in outages(line, least_seconds=OUTAGE_SECONDS)
            ),
            needs=tuple({**key, **self._need(one, way, demand)} for way, demand in demands),
            requests=tuple({**key, **cells} for cells in self._judged(one, demands, used)),
        )

    def _usage(self, batch: RateBatch, calendar: str) -> Iterator[Cells]:
        windows = usage_windows(
            batch, start=self._start, end=self._end, calendar=calendar, spans=self.spans[calendar], percentile=PERCENTILE
        )
        for window in windows:
            yield {
                "direction": str(window.direction), "calendar": calendar, "samples": window.samples, "octets": window.octets,
                "mean_bps": window.mean_bps, "p95_bps": window.p95_bps, "max_bps": window.max_bps,
                "coverage_ratio": window.coverage_ratio, "saturated_ratio": window.saturated_ratio,
                "enough": int(window.samples > 0 and window.coverage_ratio >= ENOUGH_RATIO),
            }  # fmt: skip

    def _availability(self, start_ms: NDArray[np.int64], end_ms: NDArray[np.int64], known: NDArray[np.uint8]) -> Cells:
        first, last = instant_ms(self._start), instant_ms(self._end)
        lengths = np.maximum(np.minimum(end_ms, last) - np.maximum(start_ms, first), 0)
        up = int(lengths[known == Known.UP].sum())
        down = int(lengths[known >= Known.DOWN].sum())
        return {
            "up_seconds": up / 1000, "down_seconds": down / 1000, "unknown_seconds": (last - first - up - down) / 1000,
            "availability_ratio": up / (up + down) if up + down else None,
        }  # fmt: skip

    def _demands(self, one: Series, rows: Rows) -> Iterator[tuple[Direction, DemandInterval | None]]:
        link = self._inventory.links[one.name]
        calendar = self._inventory.calendars[link.calendar]
        of_calendar = rows[inside(self.spans[link.calendar], rows["end_ms"])]
        for way in Direction:
            yield way, demand_behind(of_calendar, way, timezone=self._zone, calendar=calendar, percentile=PERCENTILE)

    def _need(self, one: Series, way: Direction, demand: DemandInterval | None) -> Cells:
        link = self._inventory.links[one.name]
        return {"direction": str(way), "calendar": link.calendar, **_need_cells(demand), "limit_bps": link.limit[way]}

    def _judged(
        self, one: Series, demands: Sequence[tuple[Direction, DemandInterval | None]], used: Sequence[Cells]
    ) -> Iterator[Cells]:
        asked = self._requests.get(one.name)
        for way, demand in demands if asked is not None else ():
            calendar = self._inventory.links[one.name].calendar
            coverage = next(
                cells["coverage_ratio"] for cells in used if (cells["calendar"], cells["direction"]) == (calendar, way)
            )
            requested = asked[way] if asked is not None else None
            yield {"direction": str(way), "requested_bps": requested, "verdict": verdict_of(requested, demand, coverage)}


def sized_bps(needs: Cells) -> float | None:
    """What to size by: the middle of the interval, or a quarter above the limit where usage does not tell; None: no samples."""
    low, high = needs["low_bps"], needs["high_bps"]
    if low is None:
        return None
    if high is not None:
        return float((low + high) / 2)
    return float(max(low, 1.25 * (needs["highest_limit_bps"] or 0.0)))


def written_at(at_ms: int) -> str:
    """RFC 3339 UTC."""
    return instant(at_ms).isoformat().replace("+00:00", "Z")


def _need_cells(demand: DemandInterval | None) -> Cells:
    names = ("kind", "samples", "low_bps", "high_bps", "sqrt_bps", "log_bps")
    cells: Cells = {name: getattr(demand, name) if demand else None for name in names}
    return {
        **cells,
        "samples": demand.samples if demand else 0,
        "held_ratio": demand.saturated_ratio if demand else None,
        "highest_limit_bps": demand.limit_bps if demand else None,
    }
