"""A rate store in memory: what a report reads, without a disk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

import numpy as np

from bwmgr.measure.calendars import instant_ms
from bwmgr.measure.columns import RATE, RateBatch
from bwmgr.stores import SeriesSpan


class MemoryStore:
    """Fulfils `bwmgr.stores.RateStore` for rows that are written once."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], list[np.ndarray]] = {}

    def write(self, measurement: str, batch: RateBatch) -> None:
        for position, name in enumerate(batch.series):
            rows = batch.rows[batch.rows["series"] == position]
            self._rows.setdefault((measurement, name), []).append(rows)

    def read(
        self,
        measurement: str,
        *,
        start: datetime,
        end: datetime,
        series: Sequence[str] | None = None,
        columns: Sequence[str] | None = None,
        within: np.ndarray | None = None,
    ) -> RateBatch:
        names = tuple(series if series is not None else sorted(name for kind, name in self._rows if kind == measurement))
        found = [self._series(measurement, name, position, start, end) for position, name in enumerate(names)]
        return RateBatch(series=names, rows=np.concatenate(found) if found else np.empty(0, RATE))

    def chunks(self, measurement: str, **what: object) -> Iterator[RateBatch]:
        yield self.read(measurement, **what)

    def latest(self, measurement: str, *, series: Sequence[str] | None = None) -> RateBatch:
        everything = self.read(measurement, start=datetime(1971, 1, 1, tzinfo=UTC), end=datetime(2100, 1, 1, tzinfo=UTC), series=series)
        last = np.flatnonzero(np.diff(everything.rows["series"], append=np.uint32(2**32 - 1)))
        return RateBatch(series=everything.series, rows=everything.rows[last])

    def spans(self, measurement: str) -> Mapping[str, SeriesSpan]:
        return {}

    def close(self) -> None:
        pass

    def _series(self, measurement: str, name: str, position: int, start: datetime, end: datetime) -> np.ndarray:
        pieces = self._rows.get((measurement, name))
        if not pieces:
            return np.empty(0, RATE)
        rows = np.sort(np.concatenate(pieces), order="end_ms")
        rows["series"] = position
        return rows[(rows["end_ms"] >= instant_ms(start)) & (rows["end_ms"] < instant_ms(end))]
