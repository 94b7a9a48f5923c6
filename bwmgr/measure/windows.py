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
from bwmgr.measure.grouping import Floats, Groups, Mask, blocks
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
    return [figures for names, rows, groups in blocks(batch) for figures in _block_windows(names, rows, groups, window)]


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


def _block_windows(series: Sequence[str], rows: Rows, groups: Groups, window: _Window) -> Iterator[UsageWindow]:
    counted = (rows["reason"] == GapReason.NONE) & inside(window.spans, rows["end_ms"])
    # a store cuts by the spans itself: then all rows but gaps count, and a plain copy costs a third of taking by place
    whole = bool(counted.all())
    samples = groups if whole else groups.of(counted)
    chosen: slice | NDArray[np.intp] = slice(None) if whole else np.flatnonzero(counted)
    seconds = rows["interval_ticks"][chosen] / TICKS_PER_SECOND
    figures = {direction: _figures(rows, chosen, direction, seconds, samples, window) for direction in Direction}
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
    rows: Rows, chosen: slice | NDArray[np.intp], direction: Direction, seconds: Floats, groups: Groups, window: _Window
) -> list[dict[str, Any]]:
    """The measured fields of one direction's windows, one a series; `chosen` are the rows that count."""
    rates, limits = (np.ascontiguousarray(rows[f"{direction}_{kind}"][chosen]) for kind in ("bps", "limit_bps"))
    covered = groups.sums(seconds)
    octets = groups.sums(rates * seconds) / 8
    known, divisor = groups.counts > 0, np.where(covered > 0, covered, 1.0)
    limited = groups.sums(np.isfinite(limits)) > 0
    saturated = groups.sums(np.where(rates >= SATURATED_RATIO * limits, seconds, 0.0)) / divisor
    columns = {
        "samples": groups.counts.tolist(),
        "octets": np.rint(octets).astype(np.int64).tolist(),
        "mean_bps": _or_none(octets * 8 / divisor, known),
        "p95_bps": _or_none(_percentiles(rates, groups, window.percentile), known),
        "max_bps": _or_none(groups.maxima(rates), known),
        "saturated_ratio": _or_none(saturated, limited),
        "coverage_ratio": _coverage(covered, open_seconds(window.spans)).tolist(),
    }
    return [dict(zip(columns, figures, strict=True)) for figures in zip(*columns.values(), strict=True)]


def _percentiles(rates: Floats, groups: Groups, percentile: float) -> Floats:
    found = np.zeros(len(groups.counts))
    for position, rows in groups.slices():
        found[position] = nearest_rank(rates[rows], percentile)
    return found


def _coverage(covered_seconds: Floats, open_time_seconds: float) -> Floats:
    """Never above 1: a first sample may reach back before the opening, and devices' clocks differ from ours."""
    if not open_time_seconds:
        return np.zeros(len(covered_seconds))
    return np.minimum(covered_seconds / open_time_seconds, 1.0)


def _or_none(figures: Floats, known: Mask) -> list[float | None]:
    return [figure if there else None for figure, there in zip(figures.tolist(), known.tolist(), strict=True)]
