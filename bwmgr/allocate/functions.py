"""Bandwidth functions: how much a link is worth at which fair share (BwE: Kumar et al., SIGCOMM 2015, section 3).

Owns piecewise linear functions from fair share to bit/s, the fair share of several at one bottleneck, and the re-basing of
children whose aggregate has a function of its own. The capacity tree of `solver` shares by weights: straight lines.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BandwidthFunction:
    """Points (fair share, bit/s), the first at fair share 0, both coordinates rising or level; flat after the last point."""

    points: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        """Raises: ValueError where the points are not a bandwidth function."""
        pairs = zip(self.points, self.points[1:], strict=False)
        if (
            not self.points
            or self.points[0][0] != 0
            or any(after[0] <= before[0] or after[1] < before[1] for before, after in pairs)
        ):
            raise ValueError(f"a bandwidth function starts at fair share 0 and rises or stays level: {self.points}")

    def at(self, fair_share: float) -> float:
        """Bit/s at this fair share (at least 0)."""
        index = bisect_right(self.points, fair_share, key=lambda point: point[0])
        if index == len(self.points):
            return self.points[-1][1]
        (low, low_bps), (high, high_bps) = self.points[index - 1], self.points[index]
        return low_bps + (high_bps - low_bps) * (fair_share - low) / (high - low)


def fair_share(functions: Sequence[BandwidthFunction], capacity_bps: float) -> float:
    """The largest fair share at which all together take no more than the capacity; that of the last point where they never do.

    Raises: ValueError where already fair share 0 takes more.
    """
    breaks = sorted({share for function in functions for share, _ in function.points})
    low, low_bps = 0.0, _together(functions, 0.0)
    if low_bps > capacity_bps:
        raise ValueError(f"fair share 0 takes {low_bps:g} bit/s of {capacity_bps:g}")
    for high in breaks:
        high_bps = _together(functions, high)
        if high_bps > capacity_bps:
            return low + (high - low) * (capacity_bps - low_bps) / (high_bps - low_bps)
        low, low_bps = high, high_bps
    return low


def share_by_functions(functions: Sequence[BandwidthFunction], capacity_bps: float) -> list[float]:
    """What each takes of the capacity at their common fair share, bit/s."""
    level = fair_share(functions, capacity_bps)
    return [function.at(level) for function in functions]


def share_below(children: Sequence[BandwidthFunction], aggregate: BandwidthFunction, fair_share_above: float) -> list[float]:
    """What each child takes where their aggregate has its own function: their fair share is T(f) = (sum B_j)^-1 (B_u(f))."""
    return share_by_functions(children, aggregate.at(fair_share_above))


def _together(functions: Sequence[BandwidthFunction], level: float) -> float:
    return sum(function.at(level) for function in functions)
