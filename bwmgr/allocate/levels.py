"""Water levels of many groups at once: the one step of which all sharing is made.

A group's items take min(weight x level, bound) each. That sum is concave and piecewise linear in the level, so Newton's method
from the left never overshoots, passes at least one break a step and ends on the exact level. An item that is full stays full as
the level rises, so each step looks only at what is left.
"""

from __future__ import annotations

import numpy as np

from bwmgr.allocate.shape import Floats, Indexes


def water_levels(group: Indexes, weight: Floats, bound: Floats, target: Floats) -> Floats:
    """The level of each group at which its items take `target` of it together; `inf` where all of them take no more than that.

    `group`: of each item, an index into `target`; `weight` above 0; `bound` and `target` at least 0, `inf` allowed.
    """
    count = len(target)
    levels = np.full(count, np.inf)
    short = np.bincount(group, bound, minlength=count) > target
    left = target.astype(np.float64)
    items = np.flatnonzero(short[group])
    group, weight, bound = group[items], weight[items], bound[items]
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
    return levels


def takes(group: Indexes, weight: Floats, bound: Floats, target: Floats) -> Floats:
    """What each item takes at its group's level."""
    level = water_levels(group, weight, bound, target)[group]
    return np.where(np.isinf(level), bound, np.minimum(weight * level, bound))
