"""`InfluxStore`: rates in an InfluxDB, through a spool that never makes the poller wait for it.

Owns how spool, sender and server make one `RateStore`. What is written is on this disk when `write` returns, and is read back
from there until the server has it, so that readers see their writes whatever the server does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bwmgr.errors import StoreUnavailable
from bwmgr.measure.columns import RateBatch, Rows
from bwmgr.stores import SeriesSpan
from bwmgr.stores.embedded.layouts import Layout, layout_of
from bwmgr.stores.embedded.segments import used_names
from bwmgr.stores.influx import reading
from bwmgr.stores.influx.access import Access, Server
from bwmgr.stores.influx.client import Client
from bwmgr.stores.influx.lines import Renderer
from bwmgr.stores.influx.reading import Window, settled
from bwmgr.stores.influx.rollups import keep_rollups
from bwmgr.stores.influx.schema import SeriesTags
from bwmgr.stores.influx.sending import Sender
from bwmgr.stores.influx.spool import MOST_OCTETS, Spool

_SECOND_MS = 1000
_LAST_SECOND = 9_223_372_036
"""In 2262: InfluxDB counts nanoseconds in 64 bits."""
_EVER = (datetime(1970, 1, 1, tzinfo=UTC), datetime(2262, 1, 1, tzinfo=UTC))
_PARTING_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True, slots=True)
class SpoolState:
    """What waits for the server, and why. Counts are since this process started."""

    segments: int
    octets: int
    oldest_seconds: float
    dropped_segments: int
    refused_lines: int
    sent_rows: int
    trouble: str
    alarm: bool


class InfluxStore:
    """Fulfils `bwmgr.stores.RateStore`; instants are kept to whole seconds, rounded down.

    `folder` holds the spool. `tags`: `schema.series_tags(inventory)`. `most_octets` bounds the spool.

    Raises: StoreUnavailable where the folder cannot be made. The server need not be there.
    """

    def __init__(self, access: Access, folder: Path, *, tags: SeriesTags | None = None, most_octets: int = MOST_OCTETS) -> None:
        self._client = Client(access)
        self._renderer = Renderer(tags)
        self._spool = Spool(folder, most_octets=most_octets)
        self._sender = Sender(self._client, self._spool, self._renderer)

    def write(self, measurement: str, batch: RateBatch) -> None:
        """See `RateStore.write`: in the spool, fsynced, when it returns; never waits for the server."""
        layout = layout_of(measurement)
        names, places = used_names(layout, batch)
        self._renderer.check(measurement, names)
        if not len(batch.rows):
            return
        rows = batch.rows.copy()
        rows["series"] = places
        self._spool.add(measurement, RateBatch(series=tuple(names), rows=rows))
        self._sender.wake()

    def write_lines(self, lines: bytes) -> None:
        """Points of measurements that have no layout (`points.point`), each line with its line feed; durable as `write` is.

        Raises: StoreUnavailable.
        """
        if lines:
            self._spool.add_lines(lines)
            self._sender.wake()

    def read(
        self,
        measurement: str,
        *,
        start: datetime,
        end: datetime,
        series: Sequence[str] | None = None,
        columns: Sequence[str] | None = None,
        within: NDArray[np.int64] | None = None,
    ) -> RateBatch:
        """See `RateStore.read`. Raises: StoreUnavailable without a server, StoreError where it does not answer InfluxQL."""
        layout = layout_of(measurement)
        window = Window(layout=layout, dtype=layout.chosen(columns), start=_seconds_up(start), end=_seconds_up(end))
        waiting = list(self._spool.batches(measurement))
        asked = tuple(series) if series is not None else self._names(measurement, waiting)
        return self._batch(window, waiting, asked, within)

    def chunks(
        self,
        measurement: str,
        *,
        start: datetime,
        end: datetime,
        series: Sequence[str] | None = None,
        columns: Sequence[str] | None = None,
        within: NDArray[np.int64] | None = None,
    ) -> Iterator[RateBatch]:
        """See `RateStore.chunks`: as many series as one query asks for."""
        layout = layout_of(measurement)
        window = Window(layout=layout, dtype=layout.chosen(columns), start=_seconds_up(start), end=_seconds_up(end))
        waiting = list(self._spool.batches(measurement))
        asked = tuple(series) if series is not None else self._names(measurement, waiting)
        return (
            self._batch(window, waiting, asked[first : first + reading.SERIES_AT_ONCE], within)
            for first in range(0, len(asked), reading.SERIES_AT_ONCE)
        )

    def latest(self, measurement: str, *, series: Sequence[str] | None = None) -> RateBatch:
        """See `RateStore.latest`. Without a server: what this machine wrote last, which is right for all that it polls. On 3: of
        the last two days (`reading.LATELY`)."""
        layout = layout_of(measurement)
        try:
            window = Window(layout=layout, dtype=layout.dtype, newest=True, lately=reading.lately(self._client))
            waiting = list(self._spool.batches(measurement))
            asked = tuple(series) if series is not None else self._names(measurement, waiting)
            batch = self._batch(window, waiting, asked, None)
        except StoreUnavailable:
            waiting = list(self._spool.batches(measurement, also_sent=True))
            if not waiting:
                raise
            asked = tuple(series) if series is not None else _all_names(waiting)
            batch = _joined(layout, asked, [], waiting)
        rows = batch.rows
        newest = np.append(rows["series"][1:] != rows["series"][:-1], True) if len(rows) else np.zeros(0, bool)
        return RateBatch(series=batch.series, rows=rows[newest])

    def spans(self, measurement: str) -> Mapping[str, SeriesSpan]:
        """See `RateStore.spans`. Reads one column of everything, some series at a time: no query of InfluxQL counts the rows of
        two measurements once each."""
        start, end = _EVER
        found: dict[str, SeriesSpan] = {}
        for batch in self.chunks(measurement, start=start, end=end, columns=()):
            edges = np.flatnonzero(np.diff(batch.rows["series"])) + 1
            for rows in np.split(batch.rows, edges) if len(batch.rows) else ():
                first, last = (datetime.fromtimestamp(rows["end_ms"][edge] // _SECOND_MS, UTC) for edge in (0, -1))
                found[batch.series[rows["series"][0]]] = SeriesSpan(first=first, last=last, rows=len(rows))
        return dict(sorted(found.items()))

    def flush(self, timeout_seconds: float) -> bool:
        """Waits until the server has everything; False: it has not."""
        return self._sender.flush(timeout_seconds)

    def deliver(self, patience_seconds: float) -> bool:
        """Waits until the server has everything, while it takes something every so many seconds. False: it has not."""
        left = self._spool.depth().segments
        while not self._sender.flush(patience_seconds):
            before, left = left, self._spool.depth().segments
            if left >= before:
                return False
        return True

    def server(self) -> Server:
        """What the server is. Raises: StoreUnavailable."""
        return self._client.server

    def spool_state(self) -> SpoolState:
        """For metrics and `doctor`."""
        depth, counts = self._spool.depth(), self._sender.counts
        return SpoolState(
            segments=depth.segments,
            octets=depth.octets,
            oldest_seconds=depth.oldest_seconds,
            dropped_segments=self._spool.dropped,
            refused_lines=counts.refused_lines,
            sent_rows=counts.sent_rows,
            trouble=self._sender.trouble,
            alarm=self._sender.alarm,
        )

    def roll_up(self, now: datetime) -> None:
        """Hours for dashboards (`rollups`); once an hour is enough. Raises: StoreUnavailable, StoreError where we may not."""
        self.write_lines(b"".join(keep_rollups(self._client, now)))

    def retag(self, tags: SeriesTags) -> None:
        """The inventory has changed; what waits is sent with the new tags too."""
        self._renderer.retag(tags)

    def start(self) -> None:
        """Begins to send what an earlier process left; `write` does so too."""
        self._sender.start()

    def close(self) -> None:
        """Gives the server some seconds to take what waits, unless it is known to be away; the rest is the next process's."""
        if not self._sender.trouble and self._spool.waiting():
            self._sender.flush(_PARTING_SECONDS)
        self._sender.close(_PARTING_SECONDS)
        self._client.close()

    def _names(self, measurement: str, waiting: Sequence[RateBatch]) -> tuple[str, ...]:
        return tuple(sorted(reading.names(self._client, measurement).union(_all_names(waiting))))

    def _batch(
        self, window: Window, waiting: Sequence[RateBatch], asked: Sequence[str], within: NDArray[np.int64] | None
    ) -> RateBatch:
        stored = reading.rows(self._client, window, asked)
        batch = _joined(window.layout, tuple(asked), [stored.rows], waiting)
        rows = batch.rows
        if window.start is not None and window.end is not None:
            rows = rows[(rows["end_ms"] >= window.start * _SECOND_MS) & (rows["end_ms"] < window.end * _SECOND_MS)]
        if within is not None:
            rows = rows[_inside(rows["end_ms"], within)]
        return RateBatch(series=batch.series, rows=_chosen(rows, window.dtype))


def _joined(layout: Layout, asked: tuple[str, ...], stored: list[Rows], waiting: Sequence[RateBatch]) -> RateBatch:
    """Stored rows and, later and so winning, what waits."""
    place = {name: position for position, name in enumerate(asked)}
    pieces = [np.empty(0, layout.dtype), *stored]
    for batch in waiting:
        positions = np.array([place.get(name, -1) for name in batch.series], np.int64)[batch.rows["series"]]
        rows = batch.rows[positions >= 0].copy()
        rows["series"] = positions[positions >= 0]
        rows["end_ms"] -= rows["end_ms"] % _SECOND_MS
        pieces.append(rows)
    return RateBatch(series=asked, rows=settled(np.concatenate(pieces), layout))


def _all_names(waiting: Sequence[RateBatch]) -> tuple[str, ...]:
    return tuple(sorted({name for batch in waiting for name in batch.series}))


def _inside(end_ms: NDArray[np.int64], spans: NDArray[np.int64]) -> NDArray[np.bool_]:
    if not len(spans):
        return np.zeros(len(end_ms), bool)
    at = np.searchsorted(spans[:, 0], end_ms, side="right") - 1
    inside: NDArray[np.bool_] = (at >= 0) & (end_ms < spans[np.maximum(at, 0), 1])
    return inside


def _chosen(rows: Rows, dtype: np.dtype[Any]) -> Rows:
    if rows.dtype == dtype:
        return rows
    cut = np.empty(len(rows), dtype)
    for name in dtype.names or ():
        cut[name] = rows[name]
    return cut


def _seconds_up(instant: datetime) -> int:
    """The first whole second at or after an instant, since kept instants are whole; within what InfluxDB can count."""
    whole = int(instant.timestamp() // 1) + (instant.microsecond != 0)
    return min(max(whole, 0), _LAST_SECOND)
