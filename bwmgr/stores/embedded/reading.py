"""Reading: hot segments over day files, in pieces of whole series.

Owns the plan of a read (which series together, so that memory stays bounded) and the view of one moment that each piece is read
in. Writes nothing.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bwmgr.errors import StoreUnavailable
from bwmgr.measure.columns import RateBatch
from bwmgr.model.said import Said
from bwmgr.stores.embedded.catalog import Catalog, Day, Segment
from bwmgr.stores.embedded.dayfiles import DayFile, Index, unpack_index
from bwmgr.stores.embedded.layouts import DAY_MS, SLICE_SERIES, Layout, Table
from bwmgr.stores.embedded.merge import assembled, concatenated, merged, taken
from bwmgr.stores.embedded.segments import table_of

PIECE_OCTETS, LARGEST_OCTETS = 16 << 20, 64 << 20
"""Rows of one piece of `chunks`, and of one slice that is not divided: every part of a slice decodes its row groups again.
Reading a piece takes about three times as much for a moment."""
_ATTEMPTS = 5
_AHEAD = 2
"""Threads that read: decoding leaves the interpreter's lock, and small machines have two cores. Each holds a piece."""


@dataclass(frozen=True, kw_only=True)
class Window:
    """What is asked: columns `dtype` of rows with end_ms in [first_ms, end_ms), and in one of `within` unless that is None."""

    layout: Layout
    dtype: np.dtype[Any]
    first_ms: int
    end_ms: int
    within: NDArray[np.int64] | None = None

    @cached_property
    def names(self) -> frozenset[str]:
        return frozenset(self.dtype.names or ())

    def spans(self, day: int) -> NDArray[np.int64]:
        """The asked time of a UTC day: disjoint [start, end), shape (n, 2)."""
        first, end = max(self.first_ms, day * DAY_MS), min(self.end_ms, (day + 1) * DAY_MS)
        if self.within is None:
            whole = np.array([[first, end]])
        else:
            touching = (self.within[:, 1] > first) & (self.within[:, 0] < end)
            whole = np.clip(self.within[touching], first, end)
        return whole[whole[:, 0] < whole[:, 1]]

    def seconds_share(self, days: Sequence[int]) -> float:
        """Which part of these days is asked for: what a plan multiplies row counts by."""
        asked = sum(float((spans[:, 1] - spans[:, 0]).sum()) for spans in map(self.spans, days))
        return min(1.0, asked / (len(days) * DAY_MS)) if days else 0.0


class Reader:
    """Reads one measurement in views of one moment each."""

    def __init__(self, folder: Path, catalog: Catalog, layout: Layout) -> None:
        self._folder = folder
        self._catalog = catalog
        self._layout = layout
        self._indexes: dict[str, Index] = {}
        self._files: dict[str, DayFile] = {}

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files.values():
            file.close()
        self._files.clear()

    def names(self) -> Mapping[str, int]:
        """All series by name, with their ids."""
        with self._catalog.reading() as connection:
            number = self._catalog.measurement(connection, self._layout.measurement)
            return {} if number is None else self._catalog.series(connection, number)

    def batch(self, window: Window, series: Sequence[str], ids: Mapping[str, int]) -> RateBatch:
        """The rows of these series; their positions in the result are those in `series`."""
        known = [(position, ids[name]) for position, name in enumerate(series) if name in ids]
        positions = np.zeros(max((number for _, number in known), default=0) + 1, np.int64)
        selected = np.zeros(len(positions), bool)
        for position, number in known:
            positions[number] = position
            selected[number] = True
        tables = self.tables(window, selected) if known else []
        return RateBatch(series=tuple(series), rows=assembled(tables, positions, window.dtype))

    def tables(self, window: Window, selected: NDArray[np.bool_]) -> list[Table]:
        """Rows of series whose id is `selected`, a day after the other; sorted, one row for each (series, end_ms).

        A day may come in several tables, each with series above those of the one before.
        """
        slices = np.unique(np.flatnonzero(selected) // SLICE_SERIES).tolist()
        if not slices:
            return []
        with self._catalog.reading() as connection:
            hot, cold = self._plan(connection, window, (slices[0], slices[-1]))
            tables: list[Table] = []
            for day in sorted(hot.keys() | cold.keys()):
                segments = [segment for segment in hot.get(day, ()) if segment.slice in slices]
                tables += self._day(connection, window, selected, segments, cold.get(day))
            return tables

    def pieces(self, window: Window, ids: Sequence[int]) -> list[list[int]]:
        """These ids in the parts that `chunks` reads at once; parts end with a slice where they can."""
        if not ids:
            return []
        wanted = np.sort(np.array(ids, np.int64))
        rows = self._rows_of(window, int(wanted[-1]) + 1)[wanted]
        budget, most = (octets // window.dtype.itemsize for octets in (PIECE_OCTETS, LARGEST_OCTETS))
        slices = np.split(np.arange(len(wanted)), np.flatnonzero(np.diff(wanted // SLICE_SERIES)) + 1)
        parts: list[list[int]] = [[]]
        filled = 0.0
        for part in slices:
            for some in np.array_split(part, min(len(part), int(rows[part].sum() // most) + 1)):
                size = float(rows[some].sum())
                if parts[-1] and filled + size > budget:
                    parts.append([])
                    filled = 0.0
                parts[-1].extend(wanted[some].tolist())
                filled += size
        return parts

    def days(self, window: Window) -> tuple[Mapping[int, list[Segment]], Mapping[int, Day]]:
        """What there is by UTC day, of one moment: hot segments, and lines of the manifest."""
        with self._catalog.reading() as connection:
            return self._plan(connection, window)

    def extent(self) -> tuple[list[int], list[int], int | None]:
        """The UTC days with hot segments, those with files, and the time of the newest hot row."""
        with self._catalog.reading() as connection:
            number = self._catalog.measurement(connection, self._layout.measurement)
            if number is None:
                return [], [], None
            return *self._catalog.day_numbers(connection, number), self._catalog.newest_hot_ms(connection, number)

    def content(self, day: Day) -> Table:
        """Where each series is in a day file: a table of CONTENT."""
        return self._index(day).content

    def _index(self, day: Day) -> Index:
        index = self._indexes.get(day.file)
        if index is None:
            index = self._indexes[day.file] = unpack_index(day.content, day.file)
        return index

    def _plan(
        self, connection: sqlite3.Connection, window: Window, slices: tuple[int, int] = (0, 1 << 32)
    ) -> tuple[dict[int, list[Segment]], dict[int, Day]]:
        number = self._catalog.measurement(connection, self._layout.measurement)
        if number is None or window.end_ms <= window.first_ms:
            return {}, {}
        hot: dict[int, list[Segment]] = {}
        for segment in self._catalog.segments(connection, number, window.first_ms, window.end_ms, slices):
            hot.setdefault(segment.day, []).append(segment)
        days = self._catalog.days(connection, number, window.first_ms // DAY_MS, (window.end_ms - 1) // DAY_MS)
        return hot, {day.day: day for day in days if len(window.spans(day.day))}

    def _rows_of(self, window: Window, count: int) -> NDArray[np.float64]:
        """About how many rows each id below `count` has in the window: plans need no more."""
        hot, cold = self.days(window)
        rows = np.zeros(count)
        for day in cold.values():
            content = self.content(day)
            inside = content["series"] < count
            rows[content["series"][inside]] += content["rows"][inside]
        slices = np.zeros(count // SLICE_SERIES + 1)
        for segment in (segment for segments in hot.values() for segment in segments):
            if segment.slice < len(slices):
                slices[segment.slice] += segment.rows / SLICE_SERIES
        rows += np.repeat(slices, SLICE_SERIES)[:count]
        return rows * window.seconds_share(sorted(hot.keys() | cold.keys()))

    def _day(
        self,
        connection: sqlite3.Connection,
        window: Window,
        selected: NDArray[np.bool_],
        segments: Sequence[Segment],
        cold: Day | None,
    ) -> list[Table]:
        """One day's rows, hot ones merged over those of its file."""
        wanted = window.names.union(self._layout.identity()) if segments else window.names
        tables = [] if cold is None else self._cold(cold, window, selected, wanted)
        source = str(self._catalog.path)
        for segment in segments:
            table = table_of(self._catalog.body(connection, segment), self._layout, wanted, source)
            tables.append(_cut(table, window.spans(segment.day), segment.first_ms, segment.last_ms, selected))
        tables = [table for table in tables if len(table["series"])]
        return [merged(concatenated(tables), self._layout)] if tables and segments else tables

    def _cold(self, day: Day, window: Window, selected: NDArray[np.bool_], wanted: frozenset[str]) -> list[Table]:
        file = self._open(day)
        content = file.content
        reach = np.zeros(max(len(selected), int(content["series"].max(initial=0)) + 1), bool)
        reach[: len(selected)] = selected
        spans = window.spans(day.day)
        first, last = int(content["first_ms"].min()), int(content["last_ms"].max())
        return [_cut(file.read(group, wanted), spans, first, last, reach) for group in file.groups(reach)]

    def _open(self, day: Day) -> DayFile:
        file = self._files.get(day.file)
        if file is None:
            file = self._files[day.file] = DayFile(self._folder / day.file, self._layout, self._index(day))
        return file


def retried(attempt: Any) -> Any:
    """Call until no day file vanished between the manifest and its opening: a compaction may have replaced it.

    Raises: StoreUnavailable where that happens again and again, which only a file removed by hand does.
    """
    for number in range(_ATTEMPTS):
        try:
            return attempt()
        except FileNotFoundError as error:
            if number == _ATTEMPTS - 1:
                raise StoreUnavailable(Said("{file} is in the manifest and not on the disk", file=error.filename)) from error
    raise AssertionError


def chunks(folder: Path, catalog: Catalog, window: Window, series: Sequence[str] | None) -> Iterator[RateBatch]:
    """See `RateStore.chunks`. While the caller works on one piece the next ones are read, `_AHEAD` at a time."""
    readers = [Reader(folder, catalog, window.layout) for _ in range(_AHEAD)]
    with ExitStack() as stack:
        for reader in readers:
            stack.enter_context(reader)
        ids = readers[0].names()
        asked = sorted(ids) if series is None else list(series)
        parts = _parts(readers[0], window, asked, ids)
        if len(parts) > 1:
            yield from _read_ahead(readers, window, parts, ids)
        elif parts:
            yield retried(lambda: readers[0].batch(window, parts[0], ids))
        unknown = [name for name in asked if name not in ids]
        if unknown:
            yield readers[0].batch(window, unknown, ids)


def _parts(reader: Reader, window: Window, asked: Sequence[str], ids: Mapping[str, int]) -> list[list[str]]:
    """The known ones of the asked names by piece, in the asked order within each."""
    place = {name: position for position, name in enumerate(asked)}
    names = {ids[name]: name for name in asked if name in ids}
    pieces = reader.pieces(window, list(names))
    return [sorted((names[number] for number in piece), key=place.__getitem__) for piece in pieces]


def _read_ahead(
    readers: Sequence[Reader], window: Window, parts: Sequence[Sequence[str]], ids: Mapping[str, int]
) -> Iterator[RateBatch]:
    idle = list(readers)

    def read(part: Sequence[str]) -> RateBatch:
        reader = idle.pop()  # an open file has one position: a reader serves one thread at a time
        try:
            batch: RateBatch = retried(lambda: reader.batch(window, part, ids))
        finally:
            idle.append(reader)
        return batch

    with ThreadPoolExecutor(len(readers), "bwmgr-store") as pool:
        pending: deque[Future[RateBatch]] = deque()
        try:
            for part in parts:
                pending.append(pool.submit(read, part))
                if len(pending) > len(readers):
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


def _cut(table: Table, spans: NDArray[np.int64], first: int, last: int, selected: NDArray[np.bool_]) -> Table:
    """The rows of selected series within the spans; [first, last] bounds the table's times, so that most need no look."""
    ids = table["series"]
    chosen = selected[ids] if len(selected) > int(ids.max(initial=0)) else _within_reach(ids, selected)
    keep = None if chosen.all() else chosen
    if not (len(spans) == 1 and spans[0, 0] <= first and last < spans[0, 1]):
        inside = _inside(table["end_ms"], spans)
        keep = inside if keep is None else keep & inside
    return table if keep is None else taken(table, np.flatnonzero(keep))


def _within_reach(ids: NDArray[Any], selected: NDArray[np.bool_]) -> NDArray[np.bool_]:
    near = ids < len(selected)
    return near & selected[np.where(near, ids, 0)]


def _inside(times: NDArray[np.int64], spans: NDArray[np.int64]) -> NDArray[np.bool_]:
    if len(spans) > 4:  # more comparisons than that cost more than a search
        inside: NDArray[np.bool_] = np.searchsorted(spans.ravel(), times, "right") % 2 == 1
        return inside
    inside = np.zeros(len(times), bool)
    for start, end in spans:
        inside |= (times >= start) & (times < end)
    return inside
