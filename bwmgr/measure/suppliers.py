"""A provider's line by its own distribution: what it gave when everything was asked of it, by day and by night.

Pure. Owns these definitions, on cells of five minutes:

- A cell is full where 0.95 of the promise was carried; where packets were discarded in it and in both its neighbours; or where it
  lies in a run of half an hour or more that stays within 2 % and that no cell of the same hours of its local day (busy, night,
  other) exceeds by more than 2 %: traffic that is cut off from above is flat. Low use alone says nothing of a line.
- Reached is the median of full cells over the promise, their spread the 10th percentile and the coefficient of variation.
- A dedicated line reaches the same at any hour: the 10th percentile of full cells is 0.95 of the promise or more, over an hour of
  them at least, in busy hours. A shared one reaches less when others are busy. Less than an hour of full cells: not enough data.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d, minimum_filter1d

from bwmgr.measure.alignment import Floats

FULL_RATIO = 0.95
ENOUGH_CELLS = 12
"""An hour."""
_FLAT_CELLS = 6
_FLAT_RATIO = 0.02
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
    dedicated: Dedicated


def line_distribution(
    rates: Floats, discards: Floats, promised_bps: float, hours: NDArray[np.str_], days: NDArray[np.int64]
) -> LineDistribution:
    """`rates` bit/s and `discards` a second by cell (NaN: not measured), each cell's `hours` (Hours) and local day."""
    _, kind = np.unique(hours, return_inverse=True)
    full = full_cells(rates, discards, promised_bps, days * len(Hours) + kind)
    whole, busy = _reached(rates[full], promised_bps), _reached(rates[full & (hours == Hours.BUSY)], promised_bps)
    return LineDistribution(
        measured_cells=int(np.isfinite(rates).sum()),
        all=whole,
        by_hours={part: _reached(rates[full & (hours == part)], promised_bps) for part in Hours},
        variation_ratio=float(rates[full].std() / rates[full].mean()) if whole.cells >= ENOUGH_CELLS else None,
        dedicated=_dedicated(whole, busy),
    )


def full_cells(rates: Floats, discards: Floats, promised_bps: float, blocks: NDArray[np.int64]) -> Flags:
    """Cells in which everything was asked of the line; `blocks`: a number for the same hours of one day."""
    known = np.isfinite(rates)
    backlog = known & (np.nan_to_num(discards) >= 1.0)
    lasting = backlog & np.concatenate(([True], backlog[:-1])) & np.concatenate((backlog[1:], [True]))
    full: Flags = (known & (np.nan_to_num(rates) >= FULL_RATIO * promised_bps)) | lasting | _flat(rates, promised_bps, blocks)
    return full


def _flat(rates: Floats, promised_bps: float, blocks: NDArray[np.int64]) -> Flags:
    """Cells of runs that stay within 2 % for half an hour, at the top of their block."""
    known = np.isfinite(rates)
    if not known.any():
        return known
    filled = np.where(known, rates, -1.0)
    half = _FLAT_CELLS // 2
    # a window of six cells from each cell on; one with a hole has its minimum at -1 and is not flat
    least = minimum_filter1d(filled, _FLAT_CELLS, origin=-half, mode="constant", cval=-1.0)
    most = maximum_filter1d(filled, _FLAT_CELLS, origin=-half, mode="constant", cval=-1.0)
    begins = (least > _LEAST_RATIO * promised_bps) & (most - least <= _FLAT_RATIO * most)
    _, which = np.unique(blocks, return_inverse=True)
    tops = np.full(int(which.max()) + 1, -1.0)
    np.maximum.at(tops, which, filled)
    begins &= most >= (1 - _FLAT_RATIO) * tops[which]
    within = np.zeros(len(rates) + _FLAT_CELLS, np.int64)
    for shift in range(_FLAT_CELLS):
        within[shift : shift + len(rates)] += begins
    return within[: len(rates)] > 0


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


def _dedicated(whole: Reached, busy: Reached) -> Dedicated:
    if whole.cells >= ENOUGH_CELLS and whole.low_ratio is not None and whole.low_ratio < FULL_RATIO:
        return Dedicated.NO
    return Dedicated.YES if busy.cells >= ENOUGH_CELLS else Dedicated.UNKNOWN
