"""How links grow with the level of sharing, in columns: by their weights, or along a bandwidth function (BwE, section 3).

Owns the form: a function is a few ramps, each rising from its own level on. Which level a group comes to is `levels`' part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from bwmgr.allocate.arrays import Flags, Floats, Indexes
from bwmgr.model.bandwidth_function import BandwidthFunction


def _no_indexes() -> Indexes:
    return np.zeros(0, np.intp)


def _no_floats() -> Floats:
    return np.zeros(0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Growth:
    """Items that take weight x level, but those that have ramps take the sum of these, whatever their weight.

    `item`: of each ramp, a position in `weight`; ramps of one item are in the order of their levels. A ramp rises by `slope` a
    level from `start` on until it has added `width`, bit/s, to the `base` before it.
    """

    weight: Floats
    item: Indexes = field(default_factory=_no_indexes)
    start: Floats = field(default_factory=_no_floats)
    slope: Floats = field(default_factory=_no_floats)
    base: Floats = field(default_factory=_no_floats)
    width: Floats = field(default_factory=_no_floats)

    def bent(self) -> Flags:
        """Which items have ramps."""
        found = np.zeros(len(self.weight), np.bool_)
        found[self.item] = True
        return found

    def most(self) -> Floats:
        """What each item takes at most; `inf` for those that grow by weight."""
        most = np.full(len(self.weight), np.inf)
        most[self.item] = 0.0
        np.maximum.at(most, self.item, self.base + self.width)
        return most

    def at(self, level: Floats) -> Floats:
        """What each item takes at its own level."""
        taken = self.weight * level
        if len(self.item):
            taken[self.item] = 0.0
            risen = np.minimum(np.maximum(level[self.item] - self.start, 0.0) * self.slope, self.width)
            taken += np.bincount(self.item, risen, minlength=len(taken))
        return taken

    def level_of(self, taken: Floats) -> Floats:
        """The highest level at which each item takes no more than this (at least 0); weights are above 0."""
        levels = taken / self.weight
        if len(self.item):
            levels[self.item] = 0.0
            above = taken[self.item] - self.base
            reached = np.where(above >= 0, self.start + np.minimum(above, self.width) / self.slope, 0.0)
            np.maximum.at(levels, self.item, reached)
            levels[taken >= self.most()] = np.inf
        return levels

    def of(self, items: Indexes) -> Growth:
        """The same of some items, in their order."""
        if not len(self.item):
            return Growth(weight=self.weight[items])
        position = np.full(len(self.weight), -1, np.intp)
        position[items] = np.arange(len(items))
        kept = position[self.item] >= 0
        return Growth(
            weight=self.weight[items],
            item=position[self.item[kept]],
            start=self.start[kept],
            slope=self.slope[kept],
            base=self.base[kept],
            width=self.width[kept],
        )

    def after(self, weight: Floats) -> Growth:
        """The same behind items that grow by `weight`."""
        return Growth(
            weight=np.concatenate((weight, self.weight)),
            item=self.item + len(weight),
            start=self.start,
            slope=self.slope,
            base=self.base,
            width=self.width,
        )


def growth_of(weights: Sequence[float], functions: Sequence[BandwidthFunction | None]) -> Growth:
    """By the weights, but along the function of each item that has one; such an item has weight 1."""
    weight = np.array([1.0 if function else each for each, function in zip(weights, functions, strict=True)], np.float64)
    ramps = [(item, *ramp) for item, function in enumerate(functions) if function is not None for ramp in function.ramps()]
    if not ramps:
        return Growth(weight=weight)
    item, start, slope, base, width = zip(*ramps, strict=True)
    return Growth(
        weight=weight,
        item=np.array(item, np.intp),
        start=np.array(start, np.float64),
        slope=np.array(slope, np.float64),
        base=np.array(base, np.float64),
        width=np.array(width, np.float64),
    )
