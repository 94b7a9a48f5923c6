"""A pool's fair share, dead and starved points."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bwmgr.measure.pools import PointState, PoolCells, fair_level, pool_figures

M = 1_000_000


def pool(
    *rates: list[float], discards: list[list[float]] | None = None, limit: float = 5, up: list[bool] | None = None
) -> PoolCells:
    """Points in Mbit/s by cell."""
    made = np.array(rates, np.float64) * M
    told = np.zeros(made.shape) if discards is None else np.array(discards, np.float64)
    ports = np.ones(len(made), np.bool_) if up is None else np.array(up)
    return PoolCells(rates=made, discards=told, up=ports, limits=np.full(len(made), limit * M), seconds=300)


def test_oversubscription_and_diversity() -> None:
    """Three limits of 5 on a pool of 6: 2.5 times. Their peaks do not come together: 1.5 times the sum's."""
    found, _ = pool_figures(pool([4, 0, 0], [0, 4, 0], [0, 0, 4]), 6.0 * M)
    assert (found.oversubscription, found.p95_bps, found.diversity_factor) == (2.5, 4 * M, 3.0)
    assert (found.full_seconds, found.fair_share_bps) == (0, None)


def test_the_fair_share_is_the_max_min_level() -> None:
    """Of 10, who wants 2 and 2.6 gets it, the other two 2.7 each (Demers, Keshav, Shenker; table T1 of the allocator)."""
    assert fair_level(np.array([2, 2.6, 4, 5]), 10) == pytest.approx(2.7)
    assert fair_level(np.array([1.0, 2.0]), 10) == 2.0
    assert fair_level(np.array([]), 10) == 0.0


def test_a_starved_point_discards_below_half_the_fair_share() -> None:
    """A pool of 9, full: one takes 5, two get 3 and 1 and discard. Fair would be 3 each: the last is starved for five minutes."""
    cells = pool([5, 0.1], [3, 0.1], [1, 0.1], discards=[[4, 0], [4, 0], [4, 0]])
    found, points = pool_figures(cells, 9.0 * M)
    assert (found.full_seconds, found.fair_share_bps) == (300, 3 * M)
    assert [point.starved_seconds for point in points] == [0, 0, 300]


def test_who_wants_little_is_not_starved() -> None:
    """In the same full pool a quiet point without discards has all that it wants."""
    _, points = pool_figures(pool([5, 0], [3.9, 0], [0.1, 0], discards=[[4, 0], [4, 0], [0, 0]]), 9.0 * M)
    assert points[2].starved_seconds == 0


def test_without_discards_nobody_knows() -> None:
    """A router that tells none: unknown, not 0."""
    _, points = pool_figures(pool([5], [4], discards=[[np.nan], [np.nan]]), 9.0 * M)
    assert [point.starved_seconds for point in points] == [None, None]


def test_dead_down_and_silent_are_three_things() -> None:
    """Read and up and carrying nobody; its port down; never read. A pool that nobody uses has no dead points."""
    cells = pool([3, 2], [2, 2], [0, 0], [0, 0], [np.nan, np.nan], up=[True, True, True, False, False])
    found, points = pool_figures(cells, 350.0 * M)
    states = [point.state for point in points]
    assert states == [PointState.ACTIVE, PointState.ACTIVE, PointState.DEAD, PointState.DOWN, PointState.SILENT]
    assert found.completeness_ratio == pytest.approx(0.8)
    assert points[4].mean_bps is None
    idle, quiet = pool_figures(pool([0, 0], [0, 0]), 350.0 * M)
    assert [point.state for point in quiet] == [PointState.ACTIVE] * 2
    assert (idle.diversity_factor, idle.jain_ratio) == (None, None)


def test_cells_with_too_few_points_do_not_count() -> None:
    """Half of the points missing would make the pool look half as full."""
    found, _ = pool_figures(pool([3, 3], [3, np.nan]), 6.0 * M)
    assert (found.cells, found.max_bps) == (1, 6 * M)
    nothing, points = pool_figures(pool([np.nan], [np.nan]), 6.0 * M)
    assert (nothing.cells, nothing.p95_bps, points[0].octets) == (0, None, 0)


@given(st.lists(st.floats(0, 100), min_size=1, max_size=30), st.floats(0.1, 500))
def test_the_level_fills_the_capacity(wants: list[float], capacity: float) -> None:
    """Either all fits, or what everybody gets adds up to the capacity."""
    level = fair_level(np.array(wants), capacity)
    given_out = np.minimum(wants, level).sum()
    assert given_out == pytest.approx(min(sum(wants), capacity), rel=1e-9, abs=1e-9)
