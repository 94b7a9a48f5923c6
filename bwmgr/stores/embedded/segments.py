"""Batches to hot segments, and hot segments to tables: what stands between callers' rows and the catalog's bodies.

Owns the checks of a batch and its cutting into (day, slice). Touches no disk.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bwmgr.errors import StoreError, StoreRejected
from bwmgr.measure.columns import RateBatch
from bwmgr.model.said import Said, said_by
from bwmgr.stores.embedded.catalog import Body
from bwmgr.stores.embedded.codec import Column, CorruptBody, decode, encode
from bwmgr.stores.embedded.layouts import DAY_MS, SLICE_SERIES, Layout, Table, missing_column
from bwmgr.stores.embedded.merge import merged, taken

_LAST_MS = 253_402_300_800_000
"""Year 10000, where datetime ends."""


def used_names(layout: Layout, batch: RateBatch) -> tuple[list[str], NDArray[np.intp]]:
    """The names that have rows, and for each row its place among them.

    Raises: StoreRejected for a batch that no store could keep, saying which row and why.
    """
    rows = batch.rows
    if rows.dtype != layout.dtype:
        raise StoreRejected(f"rows of {layout.measurement} must have all columns of its layout; these have {rows.dtype.names}")
    if rows.ndim != 1:
        raise StoreRejected(f"rows must be one array of one dimension, not of {rows.ndim}")
    outside = np.flatnonzero((rows["end_ms"] < 0) | (rows["end_ms"] >= _LAST_MS))
    if len(outside):
        wrong = rows["end_ms"][outside[0]]
        raise StoreRejected(f"row {outside[0]}: end_ms {wrong} is not between 1970 and the year 9999")
    positions, places = np.unique(rows["series"], return_inverse=True)
    if len(positions) and positions[-1] >= len(batch.series):
        raise StoreRejected(f"series {positions[-1]} of {len(batch.series)}: there is no such position")
    names = [batch.series[position] for position in positions]
    for name in names:
        if not name or "\0" in name:
            raise StoreRejected(f"{name!r} is no name for a series: it is empty or holds a NUL")
    if len(set(names)) < len(names):
        raise StoreRejected("a series is named twice in one batch")
    return names, places


def bodies(layout: Layout, rows: NDArray[Any], ids: NDArray[np.uint32]) -> Iterator[Body]:
    """The segments of one write; `ids` are the rows' series by the store's numbers. Duplicates within the write are settled."""
    columns = tuple((name, layout.dtype[name].str) for name in layout.columns)
    table: Table = {name: rows[name] for name in layout.columns} | {"series": ids}
    days = rows["end_ms"] // DAY_MS
    slices = ids // SLICE_SERIES
    order = np.lexsort((ids, slices, days))  # stable: writes of one row keep their order
    day, part = days[order], slices[order]
    edges = np.flatnonzero((day[1:] != day[:-1]) | (part[1:] != part[:-1])) + 1
    for chosen in np.split(order, edges) if len(order) else ():
        settled = merged(taken(table, chosen), layout)
        yield Body(
            day=int(days[chosen[0]]),
            slice=int(slices[chosen[0]]),
            rows=len(settled["end_ms"]),
            first_ms=int(settled["end_ms"].min()),
            last_ms=int(settled["end_ms"].max()),
            columns=columns,
            body=encode(settled, columns),
        )


def table_of(body: Body, layout: Layout, wanted: Collection[str], source: str) -> Table:
    """The `wanted` columns of a segment; one that did not exist when it was written reads as missing.

    Raises: StoreError that names the segment.
    """
    try:
        table = decode(body.body, body.columns, wanted)
    except CorruptBody as error:
        raise StoreError(
            Said(
                "{file}: segment {segment} (UTC day {day}, slice {slice}) is damaged: {why}",
                file=source,
                segment=str(body.id),
                day=str(body.day),
                slice=str(body.slice),
                why=said_by(error),
            )
        ) from error
    return _retyped(table, layout, wanted, body.rows, body.columns)


def _retyped(table: Table, layout: Layout, wanted: Collection[str], rows: int, stored: Sequence[Column]) -> Table:
    there = {name for name, _ in stored}
    for name in wanted:
        if name not in there:
            table[name] = missing_column(layout.dtype[name], rows)
    return table
