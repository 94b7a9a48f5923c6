"""Demand behind a limit: what a link would use if its limits had not held it back, from its samples and the limits of their time.

Owns which samples were held back, and the interval that a fit gives for the percentile of the true demand; the fit itself is
`tobit`. A sample was held back where the device discarded, or where it reached the level at which samples pile up under the
limit: the shaper's own ceiling lies somewhere in 0.95 to 1 of the limit, so it is found for each limit as the median of the
samples above 0.95 of it. Of such a sample only "at least this" is known. Every sample is judged by the limit in force then, so
that days under a higher limit tell what a lower one hid.

Four answers, never one number where usage does not give one:

- measured: whatever the held-back samples wanted, the percentile is the same; the interval has no width;
- estimated: a two-sided Tobit model on square roots gives one end, on logarithms the other. Figures below the median are only
  "at most the median", so that the shape of the nights does not bend the peaks. Both ends are widened in proportion to the share
  held back (`WIDER_BELOW`, `WIDER_ABOVE`, calibrated on real traffic in docs/method-demand.md), and end at 2.5 times the limit;
- at least: more than 30 % was held back, or too little is known for a fit. The lower end is what was seen; a probe of 1.25 times
  the limit for three comparable busy hours tells more.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bwmgr.measure import tobit
from bwmgr.measure.columns import Rows
from bwmgr.measure.demand import AT_LEAST_RATIO, MOST_TIMES_LIMIT
from bwmgr.measure.seasons import Season, season
from bwmgr.model.demand import DemandInterval
from bwmgr.model.inventory import ALWAYS, Calendar, Direction
from bwmgr.model.samples import GapReason

COLUMNS: tuple[str, ...] = (
    "series", "end_ms", "reason", "down_bps", "up_bps", "down_limit_bps", "up_limit_bps", "down_discards_ps", "up_discards_ps",
)  # fmt: skip
"""What `demand_behind` reads of a link's rows."""

CLAIM_RATIO = 0.8
"""Share of links whose true percentile an estimated interval holds, with at most CLAIM_UP_TO held back; beyond, three in four."""
CLAIM_UP_TO = 0.2
WIDER_BELOW, WIDER_ABOVE = 0.5, 1.8
"""Times the share held back: by how much, relatively, the interval goes beyond the two fits."""

_NEAR_LIMIT = 0.95
_NEAR_CEILING = 0.99
_HARMONICS = 3
_BISECTIONS = 40
_SLOTS_PER_HOUR = 12

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def demand_behind(
    rows: Rows, direction: Direction, *, timezone: str, calendar: Calendar = ALWAYS, percentile: float = 95.0
) -> DemandInterval | None:
    """Demand of one link at the nearest-rank percentile over the rows given (COLUMNS, sorted by `end_ms`; gaps are ignored).

    `calendar` says which days are alike (its days off have a pattern of their own); rows outside its hours are for the caller
    to leave out. None where there is no sample.
    """
    rows = rows[rows["reason"] == GapReason.NONE]
    if not len(rows):
        return None
    usage, limit = rows[f"{direction}_bps"], rows[f"{direction}_limit_bps"]
    held = held_back(usage, limit, rows[f"{direction}_discards_ps"])
    seen, certain = _percentile(usage, percentile), _percentile(np.where(held, np.inf, usage), percentile)
    share = float(held.mean())
    limits = limit[np.isfinite(limit)]
    highest = float(limits.max()) if len(limits) else None
    answer = DemandInterval(
        low_bps=seen,
        high_bps=None,
        kind="at least",
        percentile=percentile,
        samples=len(rows),
        saturated_ratio=share,
        limit_bps=highest,
    )
    if certain == seen:
        return replace(answer, kind="measured", high_bps=seen)
    if share > AT_LEAST_RATIO:
        return answer
    return _fitted(answer, usage, held, season(rows["end_ms"], timezone, calendar))


def held_back(usage_bps: Floats, limit_bps: Floats, discards_ps: NDArray[np.float32]) -> Flags:
    """Which samples say "at least this" rather than "this"; an infinite limit holds nothing back, NaN discards are unknown."""
    held = np.asarray(discards_ps > 0, bool)
    near = usage_bps >= _NEAR_LIMIT * limit_bps
    for limit in np.unique(limit_bps[near]):
        of_limit = near & (limit_bps == limit)
        held |= of_limit & (usage_bps >= _NEAR_CEILING * np.median(usage_bps[of_limit]))
    return held


def expected_demand(rows: Rows, direction: Direction, *, timezone: str, calendar: Calendar = ALWAYS) -> Floats:
    """Demand in bit/s of each row (COLUMNS, sorted by `end_ms`): usage, and the fit's mean above it where it was held back.

    On square roots, at most 2.5 times the limit. Where more was held back than a fit can tell, and for gaps (NaN), usage as it
    is. For sums of links: the single instant is a guess, the sum of many is not.
    """
    usage = rows[f"{direction}_bps"].astype(np.float64)
    there = rows["reason"] == GapReason.NONE
    limit = rows[f"{direction}_limit_bps"]
    held = there & held_back(usage, limit, rows[f"{direction}_discards_ps"])
    if not held.any() or held[there].mean() > AT_LEAST_RATIO:
        return usage
    samples = _Samples(usage[there], held[there], season(rows["end_ms"][there], timezone, calendar))
    try:
        fit = samples.fit(np.sqrt)
    except (ValueError, np.linalg.LinAlgError):
        return usage
    expected = fit.mean_square_above(samples.design[samples.held], np.sqrt(usage[held]))
    usage[held] = np.clip(expected, usage[held], MOST_TIMES_LIMIT * np.maximum(limit[held], usage[held]))
    return usage


class _Samples:
    """A link's samples ready for a fit, with those of the same minute of the same kind of day merged."""

    def __init__(self, usage: Floats, held: Flags, when: Season) -> None:
        self.usage, self.held = usage, held
        slot = np.rint(when.hour * _SLOTS_PER_HOUR).astype(np.int64)
        self.design = _design(slot / _SLOTS_PER_HOUR, when.off)
        self._middle = float(np.median(usage))
        self._left = ~held & (usage < self._middle)
        kind = np.where(held, 2, np.where(self._left, 1, 0))
        key = (slot * 2 + when.off) * 3 + kind
        # held-back samples of one slot join only where their floors are alike
        floors = np.where(held, usage / max(self._middle, 1.0), 0.0)
        key = key * 2**32 + np.minimum(np.rint(floors * 100), 2**31).astype(np.int64)
        _, self._first, self._group = np.unique(key, return_index=True, return_inverse=True)

    def fit(self, transform: Callable[[Floats], Floats]) -> tobit.Fit:
        """Raises: ValueError where there is nothing to fit."""
        y = transform(np.where(self._left, self._middle, self.usage))
        counts = np.bincount(self._group).astype(np.float64)
        means = np.bincount(self._group, y) / counts
        known = ~(self._left | self.held)
        within = float(((y - means[self._group])[known] ** 2).sum())
        first = self._first
        return tobit.fit(self.design[first], means, self.held[first], self._left[first], weights=counts, within_squares=within)


def _fitted(answer: DemandInterval, usage: Floats, held: Flags, when: Season) -> DemandInterval:
    samples = _Samples(usage, held, when)
    ends = []
    for transform in (np.sqrt, _log):
        try:
            ends.append(_percentile_of(samples.fit(transform), transform, samples, answer))
        except (ValueError, np.linalg.LinAlgError):
            return answer
    most = MOST_TIMES_LIMIT * (answer.limit_bps or math.inf)
    low = min(*ends) * (1 - WIDER_BELOW * answer.saturated_ratio)
    high = max(*ends) * (1 + WIDER_ABOVE * answer.saturated_ratio)
    return replace(
        answer,
        kind="estimated",
        low_bps=min(max(low, answer.low_bps), most),
        high_bps=min(max(high, answer.low_bps), most),
        sqrt_bps=ends[0],
        log_bps=ends[1],
    )


def _percentile_of(fit: tobit.Fit, transform: Callable[[Floats], Floats], samples: _Samples, answer: DemandInterval) -> float:
    """The percentile of samples of which the held-back ones are spread as the fit says, given that they are at least as seen."""
    usage, held = samples.usage, samples.held
    design, floor, known = samples.design[held], transform(usage[held]), np.sort(usage[~held])
    above = (1 - answer.percentile / 100) * len(usage)
    low, high = answer.low_bps, MOST_TIMES_LIMIT * (answer.limit_bps or float(usage.max()))
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        at = transform(np.full(len(floor), middle))
        beyond = len(known) - np.searchsorted(known, middle, side="right") + fit.upper_tail(design, floor, at).sum()
        low, high = (low, middle) if beyond <= above else (middle, high)
    return float(high)


def _design(hour: Floats, off: Flags) -> Floats:
    """A level and harmonics of the day, one set for working days and one for days off."""
    angles = 2 * np.pi / 24 * np.arange(1, _HARMONICS + 1) * hour[:, None]
    waves = np.hstack((np.ones((len(angles), 1)), np.sin(angles), np.cos(angles)))
    return np.hstack((waves * ~off[:, None], waves * off[:, None]))


def _log(usage_bps: Floats) -> Floats:
    return np.asarray(np.log(np.maximum(usage_bps, 1.0)), np.float64)


def _percentile(figures: Floats, percentile: float) -> float:
    """Nearest rank: the ceil(p n)-th smallest."""
    rank = max(math.ceil(percentile / 100 * len(figures) - 1e-9), 1)
    return float(np.partition(figures, rank - 1)[rank - 1])
