"""The optimum figure: the smallest capacity that leaves at most a target share of the demanded volume unmet, and how sure it is.

Owns the arithmetic on one series of demand (bit/s, equally long samples); what is bought for how much is `dimension`, the series
of a sum is `sums`. Demand above a capacity counts as lost, not as put off: that errs towards more capacity.

With d sorted descending, U_k = d_1 + ... + d_k - k d_k is what a capacity of d_k leaves unmet; it grows with k. With j the last
k whose U_k is at most eps times the total, the smallest capacity is (d_1 + ... + d_j - eps total) / j. Samples may carry weights.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bwmgr.errors import UsageError
from bwmgr.model.said import Said

WEEKS_ASKED = 13
WEEKS_FOR_INTERVAL = 4
"""Fewer whole weeks than this say nothing about how weeks differ."""
INTERVAL_LEVEL = 0.9
WIDENED = 1.4
"""A bootstrap of 8 to 13 weeks with nominal 90 % holds the truth in 74-85 % of cases on real traffic; so wide it holds it."""
STRICT_TARGET = 0.001
"""A share so small rests on a few samples: refused below WEEKS_ASKED."""

_RESAMPLES = 400
_SEED = 20220201
_CURVE_POINTS = 60
_SLACK_MS = 3 * 3_600_000
"""A week that lacks its first hours is whole."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Optimum:
    """Bit/s. `low_bps` and `high_bps` bound the figure at INTERVAL_LEVEL; None with fewer than four whole weeks."""

    capacity_bps: float
    low_bps: float | None
    high_bps: float | None
    weeks: int
    """Whole weeks that the interval rests on."""

    @property
    def short_history(self) -> bool:
        return self.weeks < WEEKS_ASKED


@dataclass(frozen=True, kw_only=True, slots=True)
class CurvePoint:
    capacity_bps: float
    unmet_ratio: float


def smallest_capacity(demand_bps: Floats, target_ratio: float, weights: Floats | None = None) -> float:
    """The closed form above. 0 for no demand at all.

    Raises: ValueError for a target outside [0, 1).
    """
    if not 0 <= target_ratio < 1:
        raise ValueError(f"a share of unmet demand lies in [0, 1), not {target_ratio}")
    order = np.argsort(demand_bps)[::-1]
    counts = np.ones(len(order)) if weights is None else weights[order]
    return _smallest(demand_bps[order], counts, target_ratio)


def unmet_ratio(demand_bps: Floats, capacity_bps: float) -> float:
    """The share of the demanded volume above the capacity; 0 where nothing is demanded."""
    total = float(demand_bps.sum())
    return float(np.maximum(demand_bps - capacity_bps, 0).sum()) / total if total else 0.0


def optimum(demand_bps: Floats, end_ms: NDArray[np.int64], target_ratio: float) -> Optimum:
    """The figure and its interval, from whole weeks drawn with replacement; the same series gives the same interval.

    `end_ms` rises. A week counts from the series' end back; a first piece of less than a week joins no draw.
    Raises: UsageError for a target of STRICT_TARGET or less with less than WEEKS_ASKED weeks of history, or for no demand at all.
    """
    week_ms = 7 * 86_400_000
    weeks_back = (end_ms[-1] - end_ms) // week_ms if len(end_ms) else end_ms
    weeks = int((end_ms[-1] - end_ms[0] + _SLACK_MS) // week_ms) if len(end_ms) else 0
    if not demand_bps.any():
        raise UsageError(Said("nothing was used in that time, so nothing can be planned from it"))
    if target_ratio <= STRICT_TARGET and weeks < WEEKS_ASKED:
        raise UsageError(
            Said(
                "a target of {target} % rests on a few samples and needs {needed} weeks of history; there are "
                "{weeks}: ask for 1 %, or for a longer window",
                target=f"{100 * target_ratio:g}",
                needed=WEEKS_ASKED,
                weeks=weeks,
            )
        )
    figure = smallest_capacity(demand_bps, target_ratio)
    low, high = _interval(demand_bps, weeks_back, weeks, target_ratio, figure)
    return Optimum(capacity_bps=figure, low_bps=low, high_bps=high, weeks=weeks)


def curve(demand_bps: Floats) -> list[CurvePoint]:
    """What each capacity from the mean to the maximum leaves unmet, in equal steps."""
    if not demand_bps.any():
        return []
    steps = np.linspace(demand_bps.mean(), demand_bps.max(), _CURVE_POINTS)
    return [CurvePoint(capacity_bps=float(at), unmet_ratio=unmet_ratio(demand_bps, float(at))) for at in steps]


def knee(points: Sequence[CurvePoint]) -> float | None:
    """The capacity where the curve turns: the point farthest below the straight line between its ends; None without a bend."""
    if len(points) < 3 or points[0].unmet_ratio <= points[-1].unmet_ratio:
        return None
    across = np.linspace(0, 1, len(points))
    unmet = np.array([point.unmet_ratio for point in points])
    down = (unmet - unmet[-1]) / (unmet[0] - unmet[-1])
    return points[int(np.argmax(1 - across - down))].capacity_bps


def burst_capacity(fine_bps: Floats, target_ratio: float) -> float:
    """Capacity for a busy time from its samples of 1-10 s: M + sqrt(-2 ln eps) sigma.

    Source: van de Meent, Mandjes and Pras, IEEE/ACM Transactions on Networking, 2009.
    Raises: ValueError for a target outside (0, 1).
    """
    if not 0 < target_ratio < 1:
        raise ValueError(f"the formula needs a share in (0, 1), not {target_ratio}")
    return float(fine_bps.mean() + math.sqrt(-2 * math.log(target_ratio)) * fine_bps.std())


def _smallest(falling: Floats, counts: Floats, target: float) -> float:
    total, volume = np.cumsum(counts), np.cumsum(counts * falling)
    if not len(falling) or volume[-1] <= 0:
        return 0.0
    allowed = target * volume[-1]
    unmet = volume - total * falling
    # rounding may leave the growing U a hair short of growing, and a hair above 0 at its start
    last = int(np.searchsorted(np.maximum.accumulate(unmet), allowed + 1e-12 * volume[-1], side="right")) - 1
    while total[last] == 0:
        last += 1
    return float((volume[last] - allowed) / total[last])


def _interval(
    demand: Floats, weeks_back: NDArray[np.int64], weeks: int, target: float, figure: float
) -> tuple[float | None, float | None]:
    if weeks < WEEKS_FOR_INTERVAL:
        return None, None
    whole = weeks_back < weeks
    order = np.argsort(demand[whole])[::-1]
    falling, week_of = demand[whole][order], weeks_back[whole][order]
    draws = np.random.default_rng(_SEED).multinomial(weeks, np.full(weeks, 1 / weeks), _RESAMPLES)
    drawn = [_smallest(falling, times[week_of].astype(np.float64), target) for times in draws]
    tail = (1 - INTERVAL_LEVEL) / 2
    low, high = np.quantile(drawn, (tail, 1 - tail))
    return max(figure - WIDENED * (figure - min(float(low), figure)), 0.0), figure + WIDENED * (max(float(high), figure) - figure)
