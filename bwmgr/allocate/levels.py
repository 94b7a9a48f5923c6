"""Water levels of many groups at once: the one step of which all sharing is made.

A group's items take min(what they grow to at the level, bound) each. Where all grow by weight that sum is concave and piecewise
linear, so Newton's method from the left never overshoots, passes at least one break a step and ends on the exact level; an item
that is full stays full as the level rises, so each step looks only at what is left. A bandwidth function makes the sum bend both
ways: such groups are halved among their breaks.
"""

from __future__ import annotations

import numpy as np

from bwmgr.allocate.arrays import Flags, Floats, Indexes
from bwmgr.allocate.functions import Growth


def water_levels(group: Indexes, growth: Growth, bound: Floats, target: Floats) -> Floats:
    """The level of each group at which its items take `target` of it together; `inf` where all of them take no more than that.

    `group`: of each item, an index into `target`; weights above 0; `bound` and `target` at least 0, `inf` allowed; `bound` no
    more than an item ever grows to.
    """
    count = len(target)
    levels = np.full(count, np.inf)
    short = np.bincount(group, bound, minlength=count) > target
    bent = np.zeros(count, np.bool_)
    bent[group[growth.item]] = True
    straight = np.flatnonzero((short & ~bent)[group])
    _by_weight(levels, short & ~bent, group[straight], growth.weight[straight], bound[straight], target)
    if (short & bent).any():
        items = np.flatnonzero((short & bent)[group])
        levels[short & bent] = _Breaks(group[items], growth.of(items), bound[items], short & bent).levels(target[short & bent])
    return levels


def takes(group: Indexes, growth: Growth, bound: Floats, target: Floats) -> Floats:
    """What each item takes at its group's level."""
    level = water_levels(group, growth, bound, target)[group]
    return np.where(np.isinf(level), bound, np.minimum(growth.at(level), bound))


def _by_weight(levels: Floats, short: Flags, group: Indexes, weight: Floats, bound: Floats, target: Floats) -> None:
    """Newton's method from level 0, for groups none of which has a function."""
    count, left = len(target), target.astype(np.float64)
    full_at = bound / weight
    levels[short] = 0.0
    while len(group):
        weights = np.bincount(group, weight, minlength=count)
        rising = np.flatnonzero(weights)
        # rounding may leave a hair less than nothing: the level never falls
        levels[rising] = np.maximum(levels[rising], left[rising] / weights[rising])
        full = full_at <= levels[group]
        left -= np.bincount(group[full], bound[full], minlength=count)
        moved = np.zeros(count, np.bool_)
        moved[group[full]] = True
        stay = moved[group] & ~full
        group, weight, bound, full_at = group[stay], weight[stay], bound[stay], full_at[stay]


class _Breaks:
    """Groups with a function at least, all as ramps that end at their item's bound; a weight is a ramp from 0."""

    def __init__(self, group: Indexes, growth: Growth, bound: Floats, chosen: Flags) -> None:
        by_weight = np.flatnonzero(~growth.bent())
        width = np.minimum(growth.width, bound[growth.item] - growth.base)
        number = np.cumsum(chosen) - 1
        self.group = number[group[np.concatenate((growth.item, by_weight))]]
        self.start = np.concatenate((growth.start, np.zeros(len(by_weight))))
        self.slope = np.concatenate((growth.slope, growth.weight[by_weight]))
        self.width = np.concatenate((np.maximum(width, 0.0), bound[by_weight]))
        self.end = self.start + self.width / self.slope
        self.count = int(chosen.sum())

    def levels(self, target: Floats) -> Floats:
        """The last break at which no more than the target is taken, and from there on straight."""
        at = np.concatenate((self.start, self.end))
        group = np.concatenate((self.group, self.group))
        order = np.lexsort((at, group))
        at, group = at[order], group[order]
        low = np.searchsorted(group, np.arange(self.count), side="left")
        beyond = np.searchsorted(group, np.arange(self.count), side="right")
        while (beyond - low > 1).any():
            middle = (low + beyond) // 2
            fits = self._taken(at[middle]) <= target
            low, beyond = np.where(fits, middle, low), np.where(fits, beyond, middle)
        level = at[low]
        rising = (self.start <= level[self.group]) & (self.end > level[self.group])
        slope = np.bincount(self.group[rising], self.slope[rising], minlength=self.count)
        left = np.maximum(target - self._taken(level), 0.0)
        return level + np.divide(left, slope, out=np.zeros(self.count), where=slope > 0)

    def _taken(self, level: Floats) -> Floats:
        risen = np.minimum(np.maximum(level[self.group] - self.start, 0.0) * self.slope, self.width)
        taken: Floats = np.bincount(self.group, risen, minlength=self.count).astype(np.float64, copy=False)
        return taken
