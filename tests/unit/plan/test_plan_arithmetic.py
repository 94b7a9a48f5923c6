"""The optimum figure and the provider mix: cases with exact answers, and where an answer is refused."""

from __future__ import annotations

import math
from datetime import date

import numpy as np
import pytest

from bwmgr.errors import UsageError
from bwmgr.measure.dimension import Load, Offer, cheapest_mix, histogram, shared_out, yearly_price
from bwmgr.measure.optimum import burst_capacity, curve, knee, optimum, smallest_capacity, unmet_ratio
from bwmgr.model.inventory import Contract, Direction, PerDirection

WEEK = 2016
DOWN = Direction.DOWN
TIERS = {"A": {100: 10, 200: 18, 500: 40, 1000: 70}, "B": {100: 9, 300: 25, 600: 46, 1000: 72}, "C": {200: 14, 400: 27, 800: 52}}


@pytest.mark.parametrize(("target", "expected"), [(0, 10), (0.05, 8.5), (0.1, 7.5), (0.2, 6), (0.3, 5)])
def test_the_smallest_capacity_of_five_figures(target: float, expected: float) -> None:
    """Demand of 10, 8, 6, 4 and 2: the exact smallest capacities, in any order of the figures."""
    assert smallest_capacity(np.array([4.0, 10, 2, 8, 6]), target) == pytest.approx(expected, rel=1e-12)


def test_a_sample_of_weight_two_is_two_samples() -> None:
    """Weights count as repetitions; weight 0 leaves a sample out."""
    figures = np.array([10.0, 8, 6, 4, 2, 99])
    weighted = smallest_capacity(figures, 0.1, np.array([2.0, 1, 1, 3, 1, 0]))
    assert weighted == pytest.approx(smallest_capacity(np.array([10.0, 10, 8, 6, 4, 4, 4, 2]), 0.1))


def test_what_the_figure_leaves_unmet_is_the_target() -> None:
    """On any series the smallest capacity leaves exactly the target unmet."""
    demand = np.random.default_rng(4).lognormal(17, 1, 5000)
    assert unmet_ratio(demand, smallest_capacity(demand, 0.013)) == pytest.approx(0.013, rel=1e-9)


def offers() -> list[Offer]:
    return [
        Offer(id=f"{name}{size}", provider=name, capacity_bps={DOWN: size * 1e6}, price=price)
        for name, tiers in TIERS.items()
        for size, price in tiers.items()
    ]


@pytest.mark.parametrize(
    ("target", "essential", "price", "chosen"),
    [
        (0, 0, 61, {"B100", "C800"}),
        (0.01, 0, 52, {"C800"}),
        (0.01, 300, 62, {"A100", "B300", "C400"}),
        (0.05, 300, 49, {"A100", "B300", "C200"}),
    ],
)
def test_the_cheapest_mix_of_three_providers(target: float, essential: float, price: int, chosen: set[str]) -> None:
    """Demand of 900, 700, 500, 300 and 100 with shares .02 .08 .25 .35 .30: exact prices, with and without N-1 for 300."""
    demand, shares = np.array([900.0, 700, 500, 300, 100]) * 1e6, np.array([0.02, 0.08, 0.25, 0.35, 0.30])
    mix = cheapest_mix(offers(), {DOWN: Load(demand_bps=demand, shares=shares, essential_bps=essential * 1e6)}, target)
    assert mix is not None
    assert mix.price == price
    assert {offer.id for offer in mix.offers} == chosen


def test_no_mix_is_no_answer() -> None:
    """Demand that all offers together cannot carry, an essential load on one provider, and no offer at all give none."""
    load = histogram(np.full(10, 5e9))
    assert cheapest_mix(offers(), {DOWN: load}, 0.01) is None
    alone = [offer for offer in offers() if offer.provider == "A"]
    assert cheapest_mix(alone, {DOWN: histogram(np.full(10, 1e8), essential_bps=1e8)}, 0.01) is None
    assert cheapest_mix([], {DOWN: load}, 0.01) is None


def test_of_equal_prices_the_most_internet_wins() -> None:
    """Rp1 billion for 300 or for 400 Mbps, 100 needed: the 400."""
    same = [Offer(id=f"{size}", provider=f"{size}", capacity_bps={DOWN: size * 1e6}, price=10**9) for size in (300, 400, 350)]
    mix = cheapest_mix(same, {DOWN: histogram(np.full(10, 1e8))}, 0.01)
    assert mix is not None
    assert [offer.id for offer in mix.offers] == ["400"]


def test_both_directions_must_be_carried() -> None:
    """An asymmetric offer that is cheap but too narrow upwards is not chosen."""
    up = Direction.UP
    pair = [
        Offer(id="narrow", provider="A", capacity_bps={DOWN: 1e9, up: 1e7}, price=1),
        Offer(id="even", provider="B", capacity_bps={DOWN: 1e9, up: 1e9}, price=5),
    ]
    loads = {DOWN: histogram(np.full(3, 1e8)), up: histogram(np.full(3, 1e8))}
    mix = cheapest_mix(pair, loads, 0.01)
    assert mix is not None
    assert [offer.id for offer in mix.offers] == ["even"]


def test_a_histogram_is_never_lower_than_what_it_stands_for() -> None:
    """Bins count at their upper edge: no more than 400 levels, mean a little above, the highest kept."""
    demand = np.random.default_rng(1).gamma(2, 1e7, 20_000)
    load = histogram(demand)
    assert len(load.shares) <= 400
    assert load.shares.sum() == pytest.approx(1)
    assert demand.mean() <= load.shares @ load.demand_bps <= demand.mean() + demand.max() / 400
    assert load.demand_bps[-1] == demand.max()


def weeks(count: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(9)
    levels = np.repeat(rng.normal(1, 0.1, count), WEEK)
    hump = 1 + np.sin(np.arange(count * WEEK) / 288 * 2 * np.pi)
    return 1e8 * levels * hump, 300_000 * np.arange(1, count * WEEK + 1)


def test_the_interval_holds_the_figure_and_narrows_with_weeks() -> None:
    """More weeks say more; the same series says the same each time."""
    few, many = optimum(*weeks(6), 0.01), optimum(*weeks(52), 0.01)
    assert few == optimum(*weeks(6), 0.01)
    assert few.low_bps is not None
    assert few.high_bps is not None
    assert many.low_bps is not None
    assert many.high_bps is not None
    assert few.low_bps < few.capacity_bps < few.high_bps
    assert (many.high_bps - many.low_bps) / many.capacity_bps < (few.high_bps - few.low_bps) / few.capacity_bps
    assert (few.weeks, few.short_history, many.short_history) == (6, True, False)


def test_three_weeks_have_no_interval() -> None:
    """How weeks differ is not known from three: the figure stands without an interval."""
    found = optimum(*weeks(3), 0.01)
    assert (found.low_bps, found.high_bps) == (None, None)


def test_a_strict_target_needs_a_quarter_of_history() -> None:
    """0.1 % is refused below 13 weeks, and answered with them; no use at all is refused as well."""
    with pytest.raises(UsageError, match="13 weeks"):
        optimum(*weeks(12), 0.001)
    assert optimum(*weeks(13), 0.001).capacity_bps > 0
    with pytest.raises(UsageError, match="nothing was used"):
        optimum(np.zeros(10), np.arange(10), 0.01)
    with pytest.raises(UsageError, match="nothing was used"):
        optimum(np.zeros(0), np.zeros(0, np.int64), 0.01)


def test_the_curve_falls_to_nothing_and_has_its_knee_between() -> None:
    """From the mean to the maximum; the maximum leaves nothing unmet. A constant has no knee."""
    demand = np.random.default_rng(2).gamma(2, 1e7, 5000)
    points = curve(demand)
    unmet = [point.unmet_ratio for point in points]
    assert unmet == sorted(unmet, reverse=True)
    assert unmet[-1] == 0
    turn = knee(points)
    assert turn is not None
    assert demand.mean() < turn < demand.max()
    assert knee(curve(np.full(5, 1e6))) is None
    assert curve(np.zeros(3)) == []


def test_bursts_below_five_minutes() -> None:
    """M + sqrt(-2 ln eps) sigma: mean 100, deviation 10, 1 % gives 130.35."""
    fine = np.array([90.0, 110.0] * 50)
    assert burst_capacity(fine, 0.01) == pytest.approx(100 + math.sqrt(-2 * math.log(0.01)) * 10)
    with pytest.raises(ValueError, match="share"):
        burst_capacity(fine, 0)


def test_money_adds_up_to_the_rupiah() -> None:
    """Rp1.920.000.000 over three unequal parts; equal remainders go to the first; nobody's money is shared equally."""
    assert shared_out(1_920_000_000, [1, 1, 1]) == [640_000_000] * 3
    assert shared_out(100, [1, 1, 1]) == [34, 33, 33]
    assert shared_out(10, [0, 0]) == [5, 5]
    assert sum(shared_out(1_000_000_001, [0.1, 0.2, 0.7])) == 1_000_000_001
    with pytest.raises(ValueError, match="0 or more"):
        shared_out(1, [-1.0, 2])


@pytest.mark.parametrize(
    ("per", "end", "expected"),
    [("month", None, 1200), ("year", None, 100), ("contract", date(2026, 12, 31), 100), ("contract", None, None)],
)
def test_a_contracts_price_in_a_year(per: str, end: date | None, expected: int | None) -> None:
    """Months times twelve; a contract's own time by its days; unknown where it has no end."""
    contract = Contract(
        id="c", provider="p", capacity=PerDirection(down=1, up=1), price=100, per=per, start=date(2026, 1, 1), end=end
    )
    assert yearly_price(contract) == expected
