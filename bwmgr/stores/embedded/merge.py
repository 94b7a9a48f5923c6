"""The identity rule: which of the rows written for one (series, end_ms) is the row; and rows of several days as one array.

Owns sorting and picking, and nothing else; pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bwmgr.stores.embedded.layouts import DAY_MS, Layout, Table


def concatenated(tables: Sequence[Table]) -> Table:
    """One table of several with the same columns; `tables` is not empty."""
    if len(tables) == 1:
        return tables[0]
    return {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}


def taken(table: Table, rows: NDArray[Any]) -> Table:
    """The rows of an index or a mask."""
    return {name: column[rows] for name, column in table.items()}


def merged(table: Table, layout: Layout) -> Table:
    """One row for each (series, end_ms), sorted by both. Rows are of one UTC day and stand in the order of their writing.

    A rate beats a gap, then the later write wins.
    """
    order = merge_order(table, layout)
    return table if order is None else taken(table, order)


def merge_order(table: Table, layout: Layout) -> NDArray[np.intp] | None:
    """The rows that stay, in their order; None where all of them do, as they are.

    Needs the layout's identity columns only, so that the others can follow one by one.
    """
    rank = _rank(table, layout)
    row = rank >> 1
    if np.all(row[1:] > row[:-1]):
        return None
    order = np.argsort(rank, kind="stable")
    row = row[order]
    last = np.append(row[1:] != row[:-1], True)
    kept: NDArray[np.intp] = order[last]
    return kept


def _rank(table: Table, layout: Layout) -> NDArray[np.int64]:
    """series, time of day, gap or rate, packed into 32 + 27 + 1 bits: one stable sort orders by all three."""
    time_of_day = table["end_ms"] % DAY_MS
    rank: NDArray[np.int64] = (table["series"].astype(np.int64) << 28) | (time_of_day << 1)
    if layout.gap_column is not None:
        rank |= table[layout.gap_column] == 0
    return rank


def assembled(pieces: Sequence[Table], positions: NDArray[np.int64], series: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """The rows of consecutive days as one structured array, sorted by (position, end_ms).

    Each piece is one day's, sorted by (series, end_ms); `positions[id]` is a series' place in the result, below `series`.
    Runs of a series are placed whole: nothing is sorted again.
    """
    runs = [_runs(piece["series"]) for piece in pieces]
    counts = np.zeros((series, len(pieces)), np.int64)
    for day, (ids, _, lengths) in enumerate(runs):
        counts[positions[ids], day] = lengths
    places = counts.ravel().cumsum() - counts.ravel()
    rows = np.empty(int(counts.sum()), dtype)
    rows["series"] = np.repeat(np.arange(series, dtype=np.uint32), counts.sum(axis=1))
    offsets = places.reshape(counts.shape)
    for day, (piece, (ids, starts, lengths)) in enumerate(zip(pieces, runs, strict=True)):
        shift = offsets[positions[ids], day] - starts
        _place(rows, piece, shift, lengths)
    return rows


def _place(rows: NDArray[Any], piece: Mapping[str, NDArray[Any]], shift: NDArray[np.int64], lengths: NDArray[np.int64]) -> None:
    names = [name for name in rows.dtype.names or () if name != "series"]
    total = int(lengths.sum())
    if np.all(shift == shift[:1]):  # one block: a plain copy is several times faster than a scatter
        at = slice(int(shift[0]), int(shift[0]) + total) if total else slice(0, 0)
        for name in names:
            rows[name][at] = piece[name]
        return
    places = np.repeat(shift, lengths) + np.arange(total)
    for name in names:
        rows[name][places] = piece[name]


def _runs(ids: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64], NDArray[np.int64]]:
    """The distinct ids of a sorted column, where each begins, and how many rows it has."""
    if not len(ids):
        return ids, np.empty(0, np.int64), np.empty(0, np.int64)
    starts = np.concatenate(([0], np.flatnonzero(ids[1:] != ids[:-1]) + 1))
    return ids[starts], starts, np.diff(np.append(starts, len(ids)))
