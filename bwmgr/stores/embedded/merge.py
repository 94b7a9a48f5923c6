"""The identity rule: which of the rows written for one (series, end_ms) is the row; and rows of several days as one array.

Owns sorting and picking, and nothing else; pure.
"""

from __future__ import annotations

from collections.abc import Sequence
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


def assembled(pieces: Sequence[Table], positions: NDArray[np.int64], dtype: np.dtype[Any]) -> NDArray[Any]:
    """The rows of consecutive days as one structured array, sorted by (position, end_ms).

    Each piece is of one day, sorted by (series, end_ms); of one day, none has a series of another. `positions[id]` is a series'
    place in the result. Runs of a series are copied whole: nothing is sorted again, and one copy of some kilobytes is many times
    faster than scattering their columns.
    """
    records: list[NDArray[Any]] = []
    numbers, firsts, lengths, places = [], [], [], []
    for place, piece in enumerate(pieces):
        ids, starts, counts = _runs(piece["series"])
        records.append(_records(piece, positions, dtype))
        numbers.append(np.full(len(ids), place))
        firsts.append(starts)
        lengths.append(counts)
        places.append(positions[ids])
    if not records:
        return np.empty(0, dtype)
    order = np.argsort(np.concatenate(places), kind="stable")
    piece_of, first, length = (np.concatenate(parts)[order] for parts in (numbers, firsts, lengths))
    runs = zip(piece_of.tolist(), first.tolist(), (first + length).tolist(), strict=True)
    rows: NDArray[Any] = np.concatenate([records[number][start:end] for number, start, end in runs] or records)
    return rows.view(dtype)


def _records(piece: Table, positions: NDArray[np.int64], dtype: np.dtype[Any]) -> NDArray[Any]:
    """A table's rows, each one run of bytes."""
    rows = np.empty(len(piece["series"]), dtype)
    for name in dtype.names or ():
        rows[name] = positions[piece["series"]] if name == "series" else piece[name]
    return rows.view(f"V{dtype.itemsize}")


def _runs(ids: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64], NDArray[np.int64]]:
    """The distinct ids of a sorted column, where each begins, and how many rows it has."""
    if not len(ids):
        return ids, np.empty(0, np.int64), np.empty(0, np.int64)
    starts = np.concatenate(([0], np.flatnonzero(ids[1:] != ids[:-1]) + 1))
    return ids[starts], starts, np.diff(np.append(starts, len(ids)))
