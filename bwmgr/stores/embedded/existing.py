"""What exists: the newest row of each series, and from when to when there are rows.

Owns how that is answered without reading everything: from the manifest's indexes, and from today's identity columns alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bwmgr.measure.columns import RateBatch
from bwmgr.stores import SeriesSpan
from bwmgr.stores.embedded.catalog import Catalog, Day, Segment
from bwmgr.stores.embedded.dayfiles import content_of
from bwmgr.stores.embedded.layouts import DAY_MS, SLICE_SERIES, Layout, Table
from bwmgr.stores.embedded.merge import concatenated, taken
from bwmgr.stores.embedded.reading import Reader, Window, retried

_LATEST_MS = 253_402_300_800_000
_LOOKS_BACK_MS = (6 * 60_000, 60 * 60_000)
"""Where nearly all newest rows are; those of series that are silent are looked up in one day after another."""


class Existing:
    """Answers for one store. Remembers the days that it counted until something is written to them; safe to share by threads."""

    def __init__(self, folder: Path, catalog: Catalog) -> None:
        self._folder = folder
        self._catalog = catalog
        self._counted: dict[tuple[str, int], tuple[tuple[int, str], Table]] = {}

    def latest(self, layout: Layout, series: Sequence[str] | None) -> RateBatch:
        """See `RateStore.latest`."""
        with Reader(self._folder, self._catalog, layout) as reader:
            ids = reader.names()
            asked = sorted(ids) if series is None else list(series)
            positions = np.zeros(max(ids.values(), default=0) + 1, np.int64)
            missing = np.zeros(len(positions), np.bool_)
            for position, name in enumerate(asked):
                if name in ids:
                    positions[ids[name]], missing[ids[name]] = position, True
            found = [np.empty(0, layout.dtype)]
            for window in self._windows(reader, layout):
                table = _last_of_each(retried(lambda window=window: reader.tables(window, missing)), layout)
                found.append(_rows(table, layout, positions))
                missing[table["series"]] = False
                if not missing.any():
                    break
        rows = np.concatenate(found)
        return RateBatch(series=tuple(asked), rows=rows[np.argsort(rows["series"], kind="stable")])

    def spans(self, layout: Layout) -> Mapping[str, SeriesSpan]:
        """See `RateStore.spans`."""
        with Reader(self._folder, self._catalog, layout) as reader:
            names = reader.names()
            window = Window(layout=layout, dtype=layout.chosen(()), first_ms=0, end_ms=_LATEST_MS)
            hot, cold = reader.days(window)
            days = sorted(hot.keys() | cold.keys())
            counts = [self._count(reader, layout, day, hot.get(day, ()), cold.get(day)) for day in days]
        first = np.full(len(names), _LATEST_MS, np.int64)
        last, rows = np.zeros(len(names), np.int64), np.zeros(len(names), np.int64)
        for count in counts:
            at = count["series"]
            known = slice(0, int(np.searchsorted(at, len(names))))  # a series may have come since
            at = at[known]
            first[at] = np.minimum(first[at], count["first_ms"][known])
            last[at] = np.maximum(last[at], count["last_ms"][known])
            rows[at] += count["rows"][known]
        return {
            name: SeriesSpan(first=_instant(first[number]), last=_instant(last[number]), rows=int(rows[number]))
            for name, number in names.items()
            if rows[number]
        }

    def _windows(self, reader: Reader, layout: Layout) -> Sequence[Window]:
        """Where to look for newest rows, the likeliest first: a few hot minutes, then whole days backwards."""
        hot, cold, newest = reader.extent()
        spans = [(day * DAY_MS, (day + 1) * DAY_MS) for day in sorted({*hot, *cold}, reverse=True)]
        if newest is not None and newest // DAY_MS > max(cold, default=-1):  # else a file may hold later rows of the same day
            spans = [*((newest - back, newest + 1) for back in _LOOKS_BACK_MS), *spans]
        return [Window(layout=layout, dtype=layout.dtype, first_ms=first, end_ms=end) for first, end in spans]

    def _count(self, reader: Reader, layout: Layout, day: int, hot: Sequence[Segment], cold: Day | None) -> Table:
        """First, last and number of rows of each series in one day, by rising series."""
        if cold is not None and not hot:
            return reader.content(cold)
        version = (max(segment.id for segment in hot), "" if cold is None else cold.file)
        known = self._counted.get((layout.measurement, day))
        if known is not None and known[0] == version:
            return known[1]
        counted = _joined([content_of(table, 0) for table in _identities(reader, layout, day)])
        self._counted[layout.measurement, day] = (version, counted)
        return counted


def _identities(reader: Reader, layout: Layout, day: int) -> Sequence[Table]:
    """The identity columns of a day's rows, a slice of series at a time."""
    window = Window(layout=layout, dtype=layout.chosen(()), first_ms=day * DAY_MS, end_ms=(day + 1) * DAY_MS)
    count = len(reader.names())
    parts: list[Table] = []
    for first in range(0, count, SLICE_SERIES):
        selected = np.zeros(min(first + SLICE_SERIES, count), np.bool_)
        selected[first:] = True
        parts.extend(retried(lambda selected=selected: reader.tables(window, selected)))
    return parts


def _joined(parts: Sequence[Table]) -> Table:
    """One index of several, of which each has series of its own, or none."""
    if not parts:
        return content_of({"series": np.empty(0, np.uint32), "end_ms": np.empty(0, np.int64)}, 0)
    return concatenated(parts)


def _last_of_each(tables: Sequence[Table], layout: Layout) -> Table:
    """The last row of each series in tables of consecutive days."""
    ids: NDArray[Any] = np.empty(0, np.uint32)
    last: list[Table] = []
    for table in reversed(tables):
        series = table["series"]
        ends = np.flatnonzero(np.append(series[1:] != series[:-1], True))
        ends = ends[~np.isin(series[ends], ids)]
        last.append(taken(table, ends))
        ids = np.concatenate([ids, series[ends]])
    return concatenated(last) if last else {name: np.empty(0, layout.dtype[name]) for name in layout.columns}


def _rows(table: Table, layout: Layout, positions: NDArray[np.int64]) -> NDArray[Any]:
    rows = np.empty(len(table["series"]), layout.dtype)
    for name in layout.columns:
        rows[name] = positions[table["series"]] if name == "series" else table[name]
    return rows


def _instant(milliseconds: Any) -> datetime:
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC)
