"""A provider's line by its own distribution: what it gave when everything was asked of it, by day and by night.

Pure. Owns these definitions, on cells of five minutes:

- A cell is full where 0.95 of the promise was carried; where packets were discarded in it and in both its neighbours; or where it
  is known otherwise that all was asked for (a test of ours, a declared time). Low use alone says nothing of a line.
- Reached is the median of full cells over the promise, their spread the 10th percentile and the coefficient of variation.
- A dedicated line reaches the same at any hour: the 10th percentile of full cells is 0.95 of the promise or more, over two hours
  of them at least, in busy hours. A shared one reaches less when others are busy. Less than that: not enough data.
- A ceiling is suspected where rates stay within 1 % for an hour in the busy hours of three days or more, at levels within 5 % of
  each other and below 0.95 of the promise: traffic that is cut off from above is flat. It proves nothing, since a steady transfer
  is flat too (none of 11,520 cells of the virtual regency's two uplinks is): it says when to test. What only follows the other
  direction (acknowledgements of downloads that are cut off) is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d, minimum_filter1d

from bwmgr.measure.alignment import Floats

FULL_RATIO = 0.95
ENOUGH_CELLS = 24
"""Two hours."""
_FLAT_CELLS = 12
_FLAT_RATIO = 0.01
_ALIKE_RATIO = 0.05
_SUSPECT_DAYS = 3
_LEAST_RATIO = 0.1
"""Below this share of the promise flat traffic is idling, not cut off."""
_DECILES = tuple(range(10, 100, 10))

Flags = NDArray[np.bool_]


class Hours(StrEnum):
    """Of the day, by the office's calendar and the clock."""

    BUSY = "busy"
    NIGHT = "night"
    OTHER = "other"


class Dedicated(StrEnum):
    YES = "dedicated"
    NO = "not dedicated"
    SUSPECTED = "ceiling suspected"
    UNKNOWN = "not enough data"


@dataclass(frozen=True, kw_only=True, slots=True)
class Reached:
    """Full cells of some hours, over the promise; figures None where there are none."""

    cells: int
    median_ratio: float | None
    low_ratio: float | None
    """Their 10th percentile."""
    deciles: tuple[float, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class LineDistribution:
    """One direction of one line."""

    measured_cells: int
    all: Reached
    by_hours: dict[Hours, Reached]
    variation_ratio: float | None
    ceiling_ratio: float | None
    """Over the promise, where one is suspected."""
    dedicated: Dedicated


@dataclass(frozen=True, kw_only=True)
class Cells:
    """What is known of each cell of five minutes; NaN: not measured."""

    rates: Floats
    discards: Floats
    """A second."""
    hours: NDArray[np.str_]
    """`Hours`."""
    days: NDArray[np.int64]
    """A number for each local day."""
    asked: Flags
    """It is known otherwise that everything was asked for."""
    follows: Flags
    """The other direction was full or flat then, at a larger share of its promise."""


def line_distribution(cells: Cells, promised_bps: float) -> LineDistribution:
    """Of one direction; all arrays are aligned by cell."""
    full, busy = full_cells(cells, promised_bps), cells.hours == Hours.BUSY
    whole, in_busy = _reached(cells.rates[full], promised_bps), _reached(cells.rates[full & busy], promised_bps)
    ceiling = _ceiling(cells, promised_bps)
    return LineDistribution(
        measured_cells=int(np.isfinite(cells.rates).sum()),
        all=whole,
        by_hours={part: _reached(cells.rates[full & (cells.hours == part)], promised_bps) for part in Hours},
        variation_ratio=float(cells.rates[full].std() / cells.rates[full].mean()) if whole.cells >= ENOUGH_CELLS else None,
        ceiling_ratio=ceiling,
        dedicated=_dedicated(whole, in_busy, ceiling),
    )


def full_cells(cells: Cells, promised_bps: float) -> Flags:
    """Cells in which everything was asked of the line."""
    known = np.isfinite(cells.rates)
    backlog = known & (np.nan_to_num(cells.discards) >= 1.0)
    lasting = backlog & np.concatenate(([True], backlog[:-1])) & np.concatenate((backlog[1:], [True]))
    full: Flags = known & ((np.nan_to_num(cells.rates) >= FULL_RATIO * promised_bps) | lasting | cells.asked)
    return full


def _ceiling(cells: Cells, promised_bps: float) -> float | None:
    """The level of flat rates below the promise in the busy hours of several days, over the promise."""
    flat = flat_cells(cells.rates, promised_bps) & (cells.hours == Hours.BUSY) & ~cells.follows
    levels = np.array([float(np.median(cells.rates[flat & (cells.days == day)])) for day in np.unique(cells.days[flat]).tolist()])
    if len(levels) < _SUSPECT_DAYS:
        return None
    middle = float(np.median(levels))
    alike = int((np.abs(levels - middle) <= _ALIKE_RATIO * middle).sum())
    return middle / promised_bps if alike >= _SUSPECT_DAYS and middle < FULL_RATIO * promised_bps else None


def flat_cells(rates: Floats, promised_bps: float) -> Flags:
    """Cells of runs that stay within 1 % for an hour, above a tenth of the promise."""
    filled = np.where(np.isfinite(rates), rates, -1.0)
    half = _FLAT_CELLS // 2
    # a window of twelve cells from each cell on; one with a hole has its minimum at -1 and is not flat
    least = minimum_filter1d(filled, _FLAT_CELLS, origin=-half, mode="constant", cval=-1.0)
    most = maximum_filter1d(filled, _FLAT_CELLS, origin=-half, mode="constant", cval=-1.0)
    begins = (least > _LEAST_RATIO * promised_bps) & (most - least <= _FLAT_RATIO * most)
    within = np.zeros(len(rates) + _FLAT_CELLS, np.int64)
    for shift in range(_FLAT_CELLS):
        within[shift : shift + len(rates)] += begins
    flat: Flags = within[: len(rates)] > 0
    return flat


def _reached(rates: Floats, promised_bps: float) -> Reached:
    if not len(rates):
        return Reached(cells=0, median_ratio=None, low_ratio=None)
    shares = rates / promised_bps
    deciles = np.percentile(shares, _DECILES, method="inverted_cdf")
    return Reached(
        cells=len(rates),
        median_ratio=float(np.percentile(shares, 50, method="inverted_cdf")),
        low_ratio=float(deciles[0]),
        deciles=tuple(float(one) for one in deciles),
    )


def _dedicated(whole: Reached, busy: Reached, ceiling: float | None) -> Dedicated:
    if whole.cells >= ENOUGH_CELLS and whole.low_ratio is not None and whole.low_ratio < FULL_RATIO:
        return Dedicated.NO
    if ceiling is not None:
        return Dedicated.SUSPECTED
    return Dedicated.YES if busy.cells >= ENOUGH_CELLS else Dedicated.UNKNOWN
