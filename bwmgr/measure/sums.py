"""The use of several links together: a node's, as the series of the sum of the links below it.

A percentile of a sum is not the sum of percentiles, so the sum must be made instant by instant. Owns that sum and its coverage;
does not own which links are below which node (`bwmgr.model.inventory`), or what is then said of the sum (`windows`).

Definition. Time is cut into cells of `grid_seconds`, aligned to 1970 UTC. A row of a link says that its octets went by evenly
during its interval, which ends at `end_ms` and begins no earlier than the link's row before ends (the device's clock is not ours,
so by ours intervals may overlap a little). A cell gets as many octets of each row, and as much covered time, as lie in the cell.
Its rate is octets x 8 / grid_seconds over all members together, its coverage the members' covered time / (members x
grid_seconds). A member without data is thus missing from the sum, which is then too low: nothing is made up for it, and the
coverage says so. A cell in which no member has data has no row. No octet is lost or counted twice, except at the window's ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from bwmgr.measure.calendars import Spans, clipped, inside, instant_ms, open_seconds
from bwmgr.measure.columns import RATE, RateBatch, Rows
from bwmgr.measure.counters import TICKS_PER_SECOND
from bwmgr.measure.windows import usage_windows
from bwmgr.model.inventory import Direction, PerDirection
from bwmgr.model.samples import GapReason, Quality
from bwmgr.model.usage import UsageWindow

COLUMNS: tuple[str, ...] = ("series", "end_ms", "reason", "interval_ticks", "down_bps", "up_bps")
"""What `sum_batches` reads of a batch's rows."""

Floats = NDArray[np.float64]
_ROWS_AT_ONCE = 200_000


@dataclass(frozen=True, kw_only=True)
class Sum:
    """One sum. `batch`: one series, a row per cell with data, `end_ms` the cell's end; discards and errors unknown.

    `coverage_ratio`, aligned with its rows: share of the members' time in the cell that is known. Rows below 1 bear PARTIAL.
    """

    batch: RateBatch
    coverage_ratio: Floats
    grid_seconds: int


def sum_batches(
    batches: Iterable[RateBatch],
    groups: Mapping[str, Sequence[str]],
    *,
    start: datetime,
    end: datetime,
    grid_seconds: int,
    capacities: Mapping[str, PerDirection[int | None]] | None = None,
) -> dict[str, Sum]:
    """The sum of each group's members, by group, in one pass over `batches`.

    `groups` maps a name to the series that belong to it; a series may belong to several, such as a node and its ancestors.
    `batches` are pieces of whole series (`RateStore.chunks`) of [start, end), sorted by (series, end_ms), with COLUMNS; gaps are
    ignored. A sum has the cells that end within [start, end). `grid_seconds` should be no shorter than the polling interval.
    `capacities`, bit/s by group and direction, become the limits of the sums; None: unlimited.
    """
    grid_ms = grid_seconds * 1000
    first_end_ms = -(-instant_ms(start) // grid_ms) * grid_ms
    edges = np.arange(first_end_ms - grid_ms, max(instant_ms(end), first_end_ms), grid_ms)
    totals = {name: np.zeros((3, len(edges) - 1)) for name in groups}
    groups_of: dict[str, list[str]] = {}
    for name, members in groups.items():
        for member in members:
            groups_of.setdefault(member, []).append(name)
    for batch in batches:
        _add(batch, groups_of, edges, totals)
    limits = capacities or {}
    unlimited: PerDirection[int | None] = PerDirection(down=None, up=None)
    return {
        name: _sum(name, total, len(groups[name]), edges, limits.get(name, unlimited), grid_seconds)
        for name, total in totals.items()
    }


def summed_usage(
    total: Sum, *, start: datetime, end: datetime, calendar: str, spans: Spans, percentile: float = 95.0
) -> list[UsageWindow]:
    """As `windows.usage_windows` of the sum, one sample a cell, down then up; coverage is of all members' time."""
    rows = total.batch.rows
    within = clipped(spans, start, end)
    counted = inside(within, rows["end_ms"])
    known_seconds = float(total.coverage_ratio[counted].sum()) * total.grid_seconds
    open_time = open_seconds(within)
    coverage = min(known_seconds / open_time, 1.0) if open_time else 0.0
    found = usage_windows(total.batch, start=start, end=end, calendar=calendar, spans=spans, percentile=percentile)
    return [replace(window, coverage_ratio=coverage) for window in found]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Pieces:
    """Rows cut at the edges of cells, aligned: the series' position, the cell, and what of the row lies in it."""

    series: NDArray[np.int64]
    cell: NDArray[np.int64]
    amounts: tuple[Floats, Floats, Floats]
    """Covered seconds, octets down, octets up."""


def _add(
    batch: RateBatch, groups_of: Mapping[str, Sequence[str]], edges: NDArray[np.int64], totals: Mapping[str, Floats]
) -> None:
    """Adds a batch to the totals, shape (3, cells), of the groups of its series."""
    cells = len(edges) - 1
    if not cells or not len(batch.rows):
        return
    memberships = [groups_of.get(name, ()) for name in batch.series]
    for rows in _slices(batch.rows):
        _add_pieces(_pieces(rows[rows["reason"] == GapReason.NONE], edges), memberships, cells, totals)


def _slices(rows: Rows) -> Iterator[Rows]:
    """Whole series, about so many rows at a time that what is made of them stays small."""
    first = 0
    while first < len(rows):
        last = min(first + _ROWS_AT_ONCE, len(rows)) - 1
        after = int(np.searchsorted(rows["series"], rows["series"][last], side="right"))
        yield rows[first:after]
        first = after


def _add_pieces(pieces: _Pieces, memberships: Sequence[Sequence[str]], cells: int, totals: Mapping[str, Floats]) -> None:
    for rank in range(max(map(len, memberships), default=0)):
        names = [groups[rank] if rank < len(groups) else None for groups in memberships]
        numbers = {name: number for number, name in enumerate(dict.fromkeys(name for name in names if name is not None))}
        group = np.array([-1 if name is None else numbers[name] for name in names], np.int64)[pieces.series]
        counted = group >= 0
        place = group[counted] * cells + pieces.cell[counted]
        sums = [np.bincount(place, amount[counted], minlength=len(numbers) * cells) for amount in pieces.amounts]
        for name, number in numbers.items():
            totals[name] += np.stack([total[number * cells : (number + 1) * cells] for total in sums])


def _pieces(rows: Rows, edges: NDArray[np.int64]) -> _Pieces:
    """Rows with a rate, sorted by (series, end_ms), cut at the edges; what lies outside them is left out."""
    ends, seconds = rows["end_ms"].astype(np.float64), rows["interval_ticks"] / TICKS_PER_SECOND
    begins = ends - seconds * 1000
    follows = rows["series"][1:] == rows["series"][:-1]
    begins[1:][follows] = np.maximum(begins[1:][follows], ends[:-1][follows])
    octets = (rows["down_bps"] * seconds / 8, rows["up_bps"] * seconds / 8)
    grid_ms = float(edges[1] - edges[0])
    first = np.floor((begins - edges[0]) / grid_ms).astype(np.int64)
    last = np.maximum(np.ceil((ends - edges[0]) / grid_ms).astype(np.int64) - 1, first)
    row = np.repeat(np.arange(len(rows)), last - first + 1)
    cell = np.arange(len(row)) - np.repeat(np.cumsum(last - first + 1) - (last - first + 1), last - first + 1) + first[row]
    inside_edges = (cell >= 0) & (cell < len(edges) - 1)
    row, cell = row[inside_edges], cell[inside_edges]
    lower = edges[0] + cell * grid_ms
    milliseconds = np.minimum(ends[row], lower + grid_ms) - np.maximum(begins[row], lower)
    whole = (ends - begins)[row]
    share = np.divide(milliseconds, whole, out=np.ones(len(row)), where=whole > 0)
    return _Pieces(
        series=rows["series"][row].astype(np.int64),
        cell=cell,
        amounts=(milliseconds / 1000, octets[0][row] * share, octets[1][row] * share),
    )


def _sum(
    name: str, total: Floats, members: int, edges: NDArray[np.int64], limits: PerDirection[int | None], grid_seconds: int
) -> Sum:
    covered, down, up = total
    known = covered > 0
    coverage = np.minimum(covered[known] / max(members * grid_seconds, 1), 1.0)
    rows = np.zeros(int(known.sum()), RATE)
    rows["end_ms"] = edges[1:][known]
    rows["interval_ticks"] = grid_seconds * TICKS_PER_SECOND
    rows["down_bps"], rows["up_bps"] = down[known] * 8 / grid_seconds, up[known] * 8 / grid_seconds
    for direction in Direction:
        limit = limits[direction]
        rows[f"{direction}_limit_bps"] = np.inf if limit is None else limit
        rows[f"{direction}_discards_ps"] = rows[f"{direction}_errors_ps"] = np.nan
    rows["quality"] = np.where(coverage < 1, np.uint8(Quality.PARTIAL), np.uint8(Quality.OK))
    return Sum(batch=RateBatch(series=(name,), rows=rows), coverage_ratio=coverage, grid_seconds=grid_seconds)
