"""What a series will be next: an hour-of-week profile times a recent level, and how fast it grows.

Owns the forecasts of one series of rates and their choice; the season of an instant is `seasons`.

Candidates: the profile of the week times the level, that of working days and days off, the same hour a week ago, and the mean of
the recent days. Each series has its champion:
whichever had the least pinball loss on its own last two weeks. The profile is the median, over past weeks, of each hour's rate
relative to its week's mean; holidays count as Sundays, and hours of Ramadan have their own profile where enough were seen. A
level that has shifted by more than 40 % for two days makes a new beginning: what was before it is forgotten. Growth is a robust
slope (Theil and Sen) over the weeks' percentiles.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bwmgr.measure.seasons import HOUR_MS, HOURS_OF_WEEK, Season, season
from bwmgr.model.inventory import ALWAYS, Calendar

SHIFT_RATIO = 0.4
SHIFT_DAYS = 2
LEVEL_DAYS = 7
WEEKS_FOR_GROWTH = 4
QUANTILE = 0.5

_DAY_MS = 24 * HOUR_MS
_WEEK_MS = 7 * _DAY_MS
_TRIAL_DAYS = 14
_UNTRIED = "day profile"
_PROFILE_WEEKS = 8
_RAMADAN_HOURS = 72
"""Hours of Ramadan that must have been seen before they have a profile of their own."""

Floats = NDArray[np.float64]
Instants = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Growth:
    """Of the weekly percentile. `days_until_full` None: not within the ten years that such a line is drawn at most."""

    bps_per_week: float
    level_bps: float
    """The line at the end of the series."""
    weeks: int
    days_until_full: float | None


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """`rate_bps` of each instant asked for; `champion` names the candidate, `losses` what each lost on trial, in bit/s."""

    rate_bps: Floats
    champion: str
    losses: Mapping[str, float]
    since_ms: int
    """The series counts from here: its beginning, or its last level shift."""


def forecast(
    rate_bps: Floats,
    end_ms: Instants,
    ahead_ms: Instants,
    *,
    timezone: str,
    calendar: Calendar = ALWAYS,
    quantile: float = QUANTILE,
) -> Forecast | None:
    """The rates at `ahead_ms`, all later than the series; None for a series of less than a day.

    `end_ms` rises; rows without a rate are left out beforehand. `quantile` weighs the pinball loss of the choice.
    """
    if not len(end_ms) or end_ms[-1] - end_ms[0] < _DAY_MS:
        return None
    since = last_shift(rate_bps, end_ms)
    counted = end_ms >= since
    past = _Past(rate_bps[counted], end_ms[counted], season(end_ms[counted], timezone, calendar))
    losses = _trial(past, quantile)
    champion = min(losses, key=lambda name: losses[name]) if losses else _UNTRIED
    ahead = season(ahead_ms, timezone, calendar)
    return Forecast(rate_bps=_CANDIDATES[champion](past, ahead_ms, ahead), champion=champion, losses=losses, since_ms=since)


def last_shift(rate_bps: Floats, end_ms: Instants) -> int:
    """The instant of the last level shift: from there on SHIFT_DAYS and more lie beyond 40 % of the week before; else the first.

    Days are compared with the same weekdays of the week before, so that a weekend is no shift.
    """
    days = (end_ms - end_ms[0]) // _DAY_MS
    counts = np.bincount(days)
    totals = np.bincount(days, rate_bps)
    means = np.where(counts > 0, totals / np.maximum(counts, 1), np.nan)
    shift, day = 0, 7
    while day <= len(means) - SHIFT_DAYS:
        now, before = means[day : day + SHIFT_DAYS], means[day - 7 : day - 7 + SHIFT_DAYS]
        ratio = now / np.maximum(before, 1.0)
        shifted = (ratio > 1 + SHIFT_RATIO).all() or (ratio < 1 - SHIFT_RATIO).all()
        if shifted:
            shift = day
        day += 7 if shifted else 1  # for a week the days before are of the old level
    return int(end_ms[0]) + shift * _DAY_MS


def growth(rate_bps: Floats, end_ms: Instants, capacity_bps: float | None, *, percentile: float = 95.0) -> Growth | None:
    """The line through the weeks' percentiles; None with less than four whole weeks. Full: where it reaches the capacity."""
    if not len(end_ms):
        return None
    weeks_back = (end_ms[-1] - end_ms) // _WEEK_MS
    weeks = int((end_ms[-1] - end_ms[0]) // _WEEK_MS) + 1
    if weeks - 1 < WEEKS_FOR_GROWTH - 1 or len(end_ms) < 2:
        return None
    peaks = [
        _rank(rate_bps[weeks_back == back], percentile) for back in range(weeks - 1, -1, -1) if (weeks_back == back).sum() > 100
    ]
    if len(peaks) < WEEKS_FOR_GROWTH:
        return None
    slope, level = theil_sen(np.array(peaks))
    days = None
    if capacity_bps is not None and level >= capacity_bps:
        days = 0.0
    elif capacity_bps is not None and slope > 0 and (capacity_bps - level) / slope < 520:
        days = 7 * (capacity_bps - level) / slope
    return Growth(bps_per_week=slope, level_bps=level, weeks=len(peaks), days_until_full=days)


def theil_sen(figures: Floats) -> tuple[float, float]:
    """Slope per step, and the line's height at the last figure: medians, so that a third of the figures may be wild.

    Source: Sen, Journal of the American Statistical Association 63, 1968.
    """
    at = np.arange(len(figures))
    first, second = np.triu_indices(len(figures), 1)
    slope = float(np.median((figures[second] - figures[first]) / (second - first))) if len(first) else 0.0
    return slope, float(np.median(figures - slope * at) + slope * at[-1])


def pinball(actual: Floats, said: Floats, quantile: float = QUANTILE) -> float:
    """Mean loss: too low costs `quantile`, too high 1 - `quantile` of the difference."""
    miss = actual - said
    return float(np.maximum(quantile * miss, (quantile - 1) * miss).mean())


class _Past:
    """A series with its seasons."""

    def __init__(self, rate: Floats, end_ms: Instants, when: Season) -> None:
        self.rate, self.end_ms, self.when = rate, end_ms, when

    def until(self, instant: int) -> _Past:
        kept = self.end_ms <= instant
        when = Season(
            hour=self.when.hour[kept],
            hour_of_week=self.when.hour_of_week[kept],
            off=self.when.off[kept],
            ramadan=self.when.ramadan[kept],
        )
        return _Past(self.rate[kept], self.end_ms[kept], when)

    def level(self) -> float:
        """Mean of the last seven days."""
        return float(self.rate[self.end_ms > self.end_ms[-1] - LEVEL_DAYS * _DAY_MS].mean())

    def profile(self, slot: NDArray[np.int64], of: NDArray[np.bool_]) -> Floats:
        """Shape (168,): of the rows `of`, the median over weeks of each slot's rate relative to its week's mean.

        Slots never seen bear 1: the level itself.
        """
        back = (self.end_ms[-1] - self.end_ms) // _WEEK_MS
        of = of & (back < _PROFILE_WEEKS)
        means = np.bincount(back, self.rate) / np.maximum(np.bincount(back), 1)
        relative = self.rate / np.maximum(means[back], 1e-9)
        cell, cell_of = np.unique(back[of] * HOURS_OF_WEEK + slot[of], return_inverse=True)
        table = np.full((_PROFILE_WEEKS, HOURS_OF_WEEK), np.nan)
        counts = np.maximum(np.bincount(cell_of), 1)
        table[cell // HOURS_OF_WEEK, cell % HOURS_OF_WEEK] = np.bincount(cell_of, relative[of]) / counts
        seen = ~np.isnan(table).all(axis=0)
        shape = np.ones(HOURS_OF_WEEK)
        shape[seen] = np.nanmedian(table[:, seen], axis=0)
        return shape


def _of_week(when: Season) -> NDArray[np.int64]:
    return when.hour_of_week


def _of_day(when: Season) -> NDArray[np.int64]:
    """The hour, of a working day or of a day off: 48 slots, for series too young to know each weekday."""
    return np.asarray(when.hour, np.int64) + 24 * when.off


def _profiled(past: _Past, ahead: Season, slot_of: Callable[[Season], NDArray[np.int64]]) -> Floats:
    slot, asked = slot_of(past.when), slot_of(ahead)
    usual = fasting = past.profile(slot, ~past.when.ramadan)
    if len(np.unique(past.end_ms[past.when.ramadan] // HOUR_MS)) >= _RAMADAN_HOURS:
        fasting = past.profile(slot, past.when.ramadan)
    return np.asarray(past.level() * np.where(ahead.ramadan, fasting[asked], usual[asked]), np.float64)


def _by_week(past: _Past, _: Instants, ahead: Season) -> Floats:
    return _profiled(past, ahead, _of_week)


def _by_day(past: _Past, _: Instants, ahead: Season) -> Floats:
    return _profiled(past, ahead, _of_day)


def _a_week_ago(past: _Past, ahead_ms: Instants, _: Season) -> Floats:
    """The last known rate at the same time of the week."""
    weeks = -(-(ahead_ms - past.end_ms[-1]) // _WEEK_MS)
    at = np.searchsorted(past.end_ms, ahead_ms - weeks * _WEEK_MS)
    return np.asarray(past.rate[np.clip(at, 0, len(past.rate) - 1)], np.float64)


def _mean(past: _Past, ahead_ms: Instants, _: Season) -> Floats:
    return np.full(len(ahead_ms), past.level())


_CANDIDATES: Mapping[str, Callable[[_Past, Instants, Season], Floats]] = {
    "profile": _by_week,
    "day profile": _by_day,
    "week ago": _a_week_ago,
    "mean": _mean,
}


def _trial(past: _Past, quantile: float) -> dict[str, float]:
    """Pinball loss of each candidate on the last days, each day foretold from all before it; empty with too little before."""
    span = past.end_ms[-1] - past.end_ms[0]
    days = min(_TRIAL_DAYS, int(span // _DAY_MS) - 7)
    if days < 1:
        return {}
    losses: dict[str, list[float]] = {name: [] for name in _CANDIDATES}
    for back in range(days, 0, -1):
        cut = int(past.end_ms[-1] - back * _DAY_MS)
        before = past.until(cut)
        asked = (past.end_ms > cut) & (past.end_ms <= cut + _DAY_MS)
        if not asked.any() or not len(before.rate):
            continue
        ahead = Season(
            hour=past.when.hour[asked],
            hour_of_week=past.when.hour_of_week[asked],
            off=past.when.off[asked],
            ramadan=past.when.ramadan[asked],
        )
        for name, candidate in _CANDIDATES.items():
            losses[name].append(pinball(past.rate[asked], candidate(before, past.end_ms[asked], ahead), quantile))
    return {name: float(np.mean(found)) for name, found in losses.items() if found}


def _rank(figures: Floats, percentile: float) -> float:
    rank = max(math.ceil(percentile / 100 * len(figures) - 1e-9), 1)
    return float(np.partition(figures, rank - 1)[rank - 1])
