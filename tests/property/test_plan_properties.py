"""What holds of the optimum figure, of money and of held-back demand whatever the figures are."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bwmgr.measure.dimension import histogram, shared_out
from bwmgr.measure.optimum import curve, smallest_capacity, unmet_ratio

figures = st.lists(st.floats(0, 1e10), min_size=1, max_size=60).map(np.array)
targets = st.floats(0, 0.5)


@given(figures, targets)
def test_the_smallest_capacity_meets_the_target_and_no_smaller_one_does(demand: np.ndarray, target: float) -> None:
    """Unmet is at most the target there, and more than it a little below."""
    capacity = smallest_capacity(demand, target)
    assert unmet_ratio(demand, capacity) <= target + 1e-6
    if capacity > 1:
        assert unmet_ratio(demand, 0.99 * capacity) > target - 1e-9


@given(figures, targets, st.floats(1e-3, 1e3))
def test_scale_and_order_do_not_matter(demand: np.ndarray, target: float, factor: float) -> None:
    """Ten times the demand needs ten times the capacity, in whatever order it came."""
    shuffled = demand[np.random.default_rng(0).permutation(len(demand))]
    assert np.isclose(
        smallest_capacity(factor * shuffled, target), factor * smallest_capacity(demand, target), rtol=1e-6, atol=1e-3
    )


@given(figures, targets, targets)
def test_a_laxer_target_never_needs_more(demand: np.ndarray, one: float, other: float) -> None:
    """Capacity falls as the target grows."""
    strict, lax = sorted((one, other))
    assert smallest_capacity(demand, lax) <= smallest_capacity(demand, strict) * (1 + 1e-9) + 1e-6


@given(figures)
def test_the_curve_ends_with_nothing_unmet(demand: np.ndarray) -> None:
    """The highest capacity of the curve carries everything."""
    points = curve(demand)
    assert not points or points[-1].unmet_ratio == 0


@given(st.integers(0, 10**13), st.lists(st.floats(0, 1e15), min_size=1, max_size=50))
def test_money_is_neither_lost_nor_made(amount: int, weights: list[float]) -> None:
    """Parts are whole, not negative, add up exactly, and none is more than one unit from its due."""
    parts = shared_out(amount, weights)
    assert sum(parts) == amount
    assert min(parts) >= 0
    total = sum(weights)
    if total > 0:
        assert all(
            abs(part - amount * (weight / total)) <= 1 + amount * 1e-9 for part, weight in zip(parts, weights, strict=True)
        )


@given(st.lists(st.floats(0, 1e9), min_size=1, max_size=2000).map(np.array))
def test_a_histogram_stands_above_its_series(demand: np.ndarray) -> None:
    """Shares add up to 1, no level is above the maximum by more than rounding, the mean is not lowered."""
    load = histogram(demand)
    assert np.isclose(load.shares.sum(), 1)
    assert load.demand_bps.max() <= demand.max() * (1 + 1e-12)
    assert load.shares @ load.demand_bps >= demand.mean() * (1 - 1e-9)
