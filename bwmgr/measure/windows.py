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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bwmgr.measure.calendars import Spans, clipped, inside, open_seconds
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


_BLOCK_ROWS = 2**16
"""Rows worked on at a time: their columns stay in the processor's cache, which makes it three times as fast."""


def usage_windows(
    batch: RateBatch, *, start: datetime, end: datetime, calendar: str, spans: Spans, percentile: float = 95.0
) -> list[UsageWindow]:
    """Two windows a series, down then up, in the order of `batch.series`; a series without samples has windows of nothing.

    `batch.rows` holds at least COLUMNS, sorted by (series, end_ms); gaps and rows outside the window or the spans are ignored.
    `spans` is the open time of the calendar called `calendar` (`calendars.spans`). Linear in rows: one `np.partition` a series.

    Raises: ValueError where `percentile` is not in (0, 100].
    """
    if not 0 < percentile <= 100:
        raise ValueError(f"percentile must be above 0 and at most 100: {percentile}")
    window = _Window(start=start, end=end, calendar=calendar, spans=clipped(spans, start, end), percentile=percentile)
    bounds = np.searchsorted(batch.rows["series"], np.arange(len(batch.series) + 1))
    found: list[UsageWindow] = []
    for first, last in _blocks(bounds):
        rows = batch.rows[bounds[first] : bounds[last]]
        found += _block_windows(batch.series[first:last], rows, bounds[first : last + 1] - bounds[first], window)
    return found


def nearest_rank(samples: Floats, percentile: float) -> float:
    """The sample at position ceil(percentile n / 100) of n in rising order; `samples` is not empty."""
    rank = rank_of(len(samples), percentile)
    return float(np.partition(samples, rank - 1)[rank - 1])


def rank_of(count: int, percentile: float) -> int:
    """Position, from 1 on, of the percentile among `count` samples: 19 -> 19, 20 -> 19, 21 -> 20 for the 95th."""
    # 99.9 * 1000 / 100 is 999.0000000000001 in binary, whose ceiling would be one rank too high
    return max(math.ceil(round(percentile * count / 100, 9)), 1)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Window:
    """What was asked for; `spans` lies within [start, end)."""

    start: datetime
    end: datetime
    calendar: str
    spans: Spans
    percentile: float


class _Groups:
    """Columns cut into one slice a series, `bounds[i]:bounds[i + 1]`; any of them may be empty."""

    def __init__(self, bounds: NDArray[np.int64]) -> None:
        self.bounds = bounds
        self.counts = np.diff(bounds)
        self.filled = np.flatnonzero(self.counts)

    def sums(self, column: Floats) -> Floats:
        """One sum a series; 0 where it has no rows."""
        return self._reduced(np.add, column)

    def maxima(self, column: Floats) -> Floats:
        """One maximum a series; 0 where it has no rows."""
        return self._reduced(np.maximum, column)

    def percentiles(self, column: Floats, percentile: float) -> Floats:
        """One nearest-rank percentile a series; 0 where it has no rows."""
        found = np.zeros(len(self.counts))
        for position in self.filled:
            found[position] = nearest_rank(column[self.bounds[position] : self.bounds[position + 1]], percentile)
        return found

    def _reduced(self, function: np.ufunc, column: Floats) -> Floats:
        reduced = np.zeros(len(self.counts))
        if len(self.filled):  # an empty slice would give reduceat its neighbour's first row, so only filled ones begin one
            reduced[self.filled] = function.reduceat(column, self.bounds[self.filled])
        return reduced


def _blocks(bounds: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Runs [first, last) of whole series, of _BLOCK_ROWS rows or one series."""
    first, count = 0, len(bounds) - 1
    while first < count:
        last = int(np.searchsorted(bounds, bounds[first] + _BLOCK_ROWS, side="right")) - 1
        last = max(last, first + 1)
        yield first, last
        first = last


def _block_windows(series: Sequence[str], rows: Rows, bounds: NDArray[np.int64], window: _Window) -> Iterator[UsageWindow]:
    counted = (rows["reason"] == GapReason.NONE) & inside(window.spans, rows["end_ms"])
    groups = _Groups(np.concatenate(([0], np.cumsum(counted)))[bounds])
    seconds = rows["interval_ticks"][counted] / TICKS_PER_SECOND
    figures = {direction: _figures(rows, counted, direction, seconds, groups, window) for direction in Direction}
    for position, link in enumerate(series):
        for direction in Direction:
            yield UsageWindow(
                link=link,
                direction=direction,
                start=window.start,
                end=window.end,
                calendar=window.calendar,
                percentile=window.percentile,
                **figures[direction][position],
            )


def _figures(
    rows: Rows, counted: NDArray[np.bool_], direction: Direction, seconds: Floats, groups: _Groups, window: _Window
) -> list[dict[str, Any]]:
    """The measured fields of one direction's windows, one a series."""
    rates = rows[f"{direction}_bps"][counted]
    limits = rows[f"{direction}_limit_bps"][counted]
    covered = groups.sums(seconds)
    octets = groups.sums(rates * seconds) / 8
    known, divisor = groups.counts > 0, np.where(covered > 0, covered, 1.0)
    limited = groups.sums(np.isfinite(limits).astype(np.float64)) > 0
    saturated = groups.sums(np.where(rates >= SATURATED_RATIO * limits, seconds, 0.0)) / divisor
    columns = {
        "samples": groups.counts.tolist(),
        "octets": np.rint(octets).astype(np.int64).tolist(),
        "mean_bps": _or_none(octets * 8 / divisor, known),
        "p95_bps": _or_none(groups.percentiles(rates, window.percentile), known),
        "max_bps": _or_none(groups.maxima(rates), known),
        "saturated_ratio": _or_none(saturated, limited),
        "coverage_ratio": _coverage(covered, open_seconds(window.spans)).tolist(),
    }
    return [dict(zip(columns, figures, strict=True)) for figures in zip(*columns.values(), strict=True)]


def _coverage(covered_seconds: Floats, open_time_seconds: float) -> Floats:
    """Never above 1: a first sample may reach back before the opening, and devices' clocks differ from ours."""
    if not open_time_seconds:
        return np.zeros(len(covered_seconds))
    return np.minimum(covered_seconds / open_time_seconds, 1.0)


def _or_none(figures: Floats, known: NDArray[np.bool_]) -> list[float | None]:
    return [figure if there else None for figure, there in zip(figures.tolist(), known.tolist(), strict=True)]
