"""Rates -> usage windows: what was used over a window and a calendar, and how well that is known.

Owns the definitions below; does not own which time a calendar holds (`calendars`) or where rates come from (`bwmgr.stores`).

- A sample is a row with a rate. It belongs wholly to the instant of its later reading, however long its interval: it counts where
  that instant lies in [start, end) and in one of the calendar's spans.
- Octets are the sum of rate x interval / 8, rounded once; the mean is octets x 8 / covered seconds, so it is weighted by time.
- The percentile p of n samples is by nearest rank: the value at position ceil(p n / 100) of the samples in rising order. It is
  one of the samples, never an interpolation, and each sample counts once.
- Coverage is the samples' seconds / the calendar's open seconds in the window, at most 1.
- Saturated is the share of the covered seconds in which the mean rate was at least 0.95 of the limit that was in force then.
"""

from __future__ import annotations

import math
from datetime import datetime
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bwmgr.measure.calendars import Spans, inside, instant_ms, open_seconds
from bwmgr.measure.columns import RateBatch, Rows
from bwmgr.measure.counters import TICKS_PER_SECOND
from bwmgr.model.inventory import Direction
from bwmgr.model.samples import GapReason
from bwmgr.model.usage import UsageWindow

COLUMNS: tuple[str, ...] = (
    "series",
    "end_ms",
    "reason",
    "interval_ticks",
    "down_bps",
    "up_bps",
    "down_limit_bps",
    "up_limit_bps",
)
"""What `usage_windows` reads of a batch's rows."""

SATURATED_RATIO = 0.95
"""A link is full from this share of its limit on: shapers and counters are not exact to the last percent."""

Floats = NDArray[np.float64]


class _Groups(NamedTuple):
    """Rows sorted by series, cut into one slice a series: `bounds[i]:bounds[i + 1]`. `filled`: series that have rows."""

    bounds: NDArray[np.int64]
    filled: NDArray[np.int64]

    def sums(self, column: Floats) -> Floats:
        """One sum a series; 0 where it has no rows."""
        return self._reduced(np.add, column)

    def maxima(self, column: Floats) -> Floats:
        """One maximum a series; 0 where it has no rows."""
        return self._reduced(np.maximum, column)

    def _reduced(self, function: np.ufunc, column: Floats) -> Floats:
        reduced = np.zeros(len(self.bounds) - 1)
        if len(self.filled):  # an empty slice would give reduceat its neighbour's first row, so only filled ones begin one
            reduced[self.filled] = function.reduceat(column, self.bounds[self.filled])
        return reduced


def usage_windows(
    batch: RateBatch, *, start: datetime, end: datetime, calendar: str, spans: Spans, percentile: float = 95.0
) -> list[UsageWindow]:
    """Two windows a series, down then up, in the order of `batch.series`; a series without samples has windows of nothing.

    `batch.rows` holds at least COLUMNS, sorted by (series, end_ms); gaps and rows outside the window or the spans are ignored.
    `spans` is the open time of the calendar called `calendar` (`calendars.spans`). Time: linear in rows (`np.partition` a series).

    Raises: ValueError where `percentile` is not in (0, 100].
    """
    if not 0 < percentile <= 100:
        raise ValueError(f"percentile must be above 0 and at most 100: {percentile}")
    rows = batch.rows[_counted(batch.rows, start, end, spans)]
    groups = _grouped(rows["series"], len(batch.series))
    seconds = rows["interval_ticks"] / TICKS_PER_SECOND
    covered = groups.sums(seconds)
    open_time = open_seconds(spans)
    sides = {direction: _side(rows, direction, seconds, groups, percentile) for direction in Direction}
    return [
        UsageWindow(
            link=link,
            direction=direction,
            start=start,
            end=end,
            calendar=calendar,
            coverage_ratio=min(float(covered[position]) / open_time, 1.0) if open_time else 0.0,
            percentile=percentile,
            **_figures(side, position, groups, float(covered[position]))._asdict(),
        )
        for position, link in enumerate(batch.series)
        for direction, side in sides.items()
    ]


def nearest_rank(samples: Floats, percentile: float) -> float:
    """The sample at position ceil(percentile n / 100) of n in rising order; `samples` is not empty.

    Source: the nearest-rank method, as DuckDB's `quantile_disc` has it.
    """
    rank = rank_of(len(samples), percentile)
    return float(np.partition(samples, rank - 1)[rank - 1])


def rank_of(count: int, percentile: float) -> int:
    """Position, from 1 on, of the percentile among `count` samples: 19 -> 19, 20 -> 19, 21 -> 20 for the 95th."""
    # 99.9 * 1000 / 100 is 999.0000000000001 in binary, whose ceiling would be one rank too high
    return max(math.ceil(round(percentile * count / 100, 9)), 1)


class _Side(NamedTuple):
    """One direction's figures by series, meaningless where a series has no samples."""

    octets: Floats
    percentile_bps: Floats
    max_bps: Floats
    saturated_seconds: Floats
    limited_rows: Floats


def _side(rows: Rows, direction: Direction, seconds: Floats, groups: _Groups, percentile: float) -> _Side:
    rates, limits = np.ascontiguousarray(rows[f"{direction}_bps"]), rows[f"{direction}_limit_bps"]
    percentiles = np.zeros(len(groups.bounds) - 1)
    for position in groups.filled:
        percentiles[position] = nearest_rank(rates[groups.bounds[position] : groups.bounds[position + 1]], percentile)
    return _Side(
        octets=groups.sums(rates * seconds / 8),
        percentile_bps=percentiles,
        max_bps=groups.maxima(rates),
        saturated_seconds=groups.sums(np.where(rates >= SATURATED_RATIO * limits, seconds, 0.0)),
        limited_rows=groups.sums(np.isfinite(limits).astype(np.float64)),
    )


class _Figures(NamedTuple):
    samples: int
    octets: int
    mean_bps: float | None
    p95_bps: float | None
    max_bps: float | None
    saturated_ratio: float | None


def _figures(side: _Side, position: int, groups: _Groups, covered_seconds: float) -> _Figures:
    samples = int(groups.bounds[position + 1] - groups.bounds[position])
    if not samples:
        return _Figures(0, 0, None, None, None, None)
    limited = side.limited_rows[position] > 0
    return _Figures(
        samples=samples,
        octets=round(side.octets[position]),
        mean_bps=float(side.octets[position]) * 8 / covered_seconds,
        p95_bps=float(side.percentile_bps[position]),
        max_bps=float(side.max_bps[position]),
        saturated_ratio=float(side.saturated_seconds[position]) / covered_seconds if limited else None,
    )


def _counted(rows: Rows, start: datetime, end: datetime, spans: Spans) -> NDArray[np.bool_]:
    """Rows that are samples of the window."""
    at_ms = rows["end_ms"]
    in_window = (at_ms >= instant_ms(start)) & (at_ms < instant_ms(end))
    counted: NDArray[np.bool_] = (rows["reason"] == GapReason.NONE) & in_window & inside(spans, at_ms)
    return counted


def _grouped(series: NDArray[np.uint32], count: int) -> _Groups:
    bounds = np.searchsorted(series, np.arange(count + 1))
    return _Groups(bounds, np.flatnonzero(bounds[1:] > bounds[:-1]))
