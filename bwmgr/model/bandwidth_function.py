"""How much a link is worth at which level of sharing, where a weight (a straight line) does not say it.

Owns the points and their reading; who shares at which level is `bwmgr.allocate`'s. From BwE (Kumar et al., SIGCOMM 2015, section
3), with one difference: a function says what a link gets on top of its CIR, as its weight would.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf

from bwmgr.model.said import Said

Point = tuple[float, float]


def mistake(points: Sequence[Sequence[float]]) -> Said | None:
    """What keeps points from being a bandwidth function, and what would be right; None: nothing."""
    if any(len(point) != 2 for point in points):
        return Said("each point is a pair [level, rate]")
    if len(points) < 2 or tuple(points[0]) != (0, 0):
        return Said("starts at [0, 0] and has one point more at least; what a link gets at level 0 is its CIR")
    for (level, rate), (next_level, next_rate) in pairwise(points):
        if next_level <= level or next_rate < rate:
            after, before = f"[{next_level:.15g}, {next_rate:.15g}]", f"[{level:.15g}, {rate:.15g}]"
            return Said("levels rise and rates do not fall: {after} cannot follow {before}", after=after, before=before)
    if points[-1][1] > 0:
        return None
    return Said("gives nothing at any level; for a link that gets no more than its CIR set its MIR")


@dataclass(frozen=True, slots=True)
class BandwidthFunction:
    """Points (level, bit/s) from (0, 0) on, straight between them, flat after the last.

    A level is what a link of weight 1 gets there, bit/s.
    """

    points: tuple[Point, ...]

    def __post_init__(self) -> None:
        """Raises: ValueError where the points are not a bandwidth function."""
        if (wrong := mistake(self.points)) is not None:
            raise ValueError(f"a bandwidth function: {wrong}")

    @property
    def most_bps(self) -> float:
        """What it gives at most."""
        return self.points[-1][1]

    def at(self, level: float) -> float:
        """Bit/s at this level (at least 0)."""
        index = bisect_right(self.points, level, key=lambda point: point[0])
        if index == len(self.points):
            return self.most_bps
        (low, low_bps), (high, high_bps) = self.points[index - 1], self.points[index]
        return low_bps + (high_bps - low_bps) * (level - low) / (high - low)

    def level_of(self, rate_bps: float) -> float:
        """The highest level at which it gives no more than this; infinite from `most_bps` on."""
        if rate_bps >= self.most_bps:
            return inf
        level, slope, base_bps, _ = next(ramp for ramp in reversed(list(self.ramps())) if ramp[2] <= rate_bps)
        return level + (rate_bps - base_bps) / slope

    def ramps(self) -> Iterator[tuple[float, float, float, float]]:
        """Its rising pieces: level at which one begins, bit/s a level, bit/s before it, bit/s that it adds."""
        for (low, low_bps), (high, high_bps) in pairwise(self.points):
            if high_bps > low_bps:
                yield low, (high_bps - low_bps) / (high - low), low_bps, high_bps - low_bps

    def beyond(self, rate_bps: float) -> BandwidthFunction | None:
        """What it gives above `rate_bps`, of which a link has so much already; None where that is nothing."""
        if rate_bps >= self.most_bps:
            return None
        begins = self.level_of(rate_bps)
        rest = ((level, rate - rate_bps) for level, rate in self.points if level > begins)
        return BandwidthFunction(((0.0, 0.0), *(((begins, 0.0),) if begins else ()), *rest))
