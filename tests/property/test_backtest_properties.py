"""What holds for every replay, whatever the demand: sums, caps, more capacity is no worse, scale and order do not matter."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bwmgr.backtest import Scenario, replay
from bwmgr.backtest.common_level import CommonLevel
from bwmgr.backtest.fluid import Rule, carry, replay_oracle
from bwmgr.backtest.rules import Contract, NoLimits, RecentMaximum, WaterLevel
from bwmgr.backtest.scores import Scores, score
from tests.unit.backtest.scenarios import scenario

CAPACITY = 50_000_000
RULES = (NoLimits, Contract, RecentMaximum, WaterLevel, CommonLevel)
Bottleneck = Literal["shared", "fifo"]
few = settings(max_examples=40, deadline=None)


@st.composite
def demands(draw: st.DrawFn) -> np.ndarray[Any, np.dtype[np.float64]]:
    """2 to 6 links over 3 to 30 steps: from nothing to several times the capacity."""
    shape = draw(st.tuples(st.integers(2, 6), st.integers(3, 30)))
    seed = draw(st.integers(0, 2**32 - 1))
    return np.random.default_rng(seed).lognormal(16, draw(st.floats(0.1, 2)), shape).round()


cases = given(demands(), st.sampled_from(RULES), st.sampled_from(["shared", "fifo"]), st.floats(0, 0.9))


def _scored(one: Scenario, rule: Rule) -> Scores:
    return score(replay(one, rule), oracle=replay_oracle(one))


@few
@cases
def test_nobody_gets_more_than_offered_or_allowed_and_no_node_carries_more_than_it_can(
    demand: Any, rule: type, bottleneck: Bottleneck, retry: float
) -> None:
    """In every step; what is delivered in all is no more than what was demanded in all."""
    one = scenario(demand, capacity_bps=CAPACITY, bottleneck=bottleneck, retry_ratio=retry, limits_bps=[20_000_000] * len(demand))
    outcome = replay(one, rule())
    slack = 1 + 1e-9
    assert (outcome.delivered_bps <= np.minimum(outcome.offered_bps, outcome.limits_bps) * slack).all()
    assert (outcome.delivered_bps.sum(axis=0) <= CAPACITY * slack).all()
    assert outcome.delivered_bps.sum() <= demand.sum() * slack
    found = score(outcome)
    assert 0 <= found.unmet_ratio <= 1
    assert 0 <= found.satisfaction_ratio <= 1
    assert 0 < found.jain_index <= slack


@few
@given(demands(), st.sampled_from(["shared", "fifo"]), st.floats(1, 4))
def test_more_capacity_never_carries_less_of_the_same_offer(demand: Any, bottleneck: Bottleneck, factor: float) -> None:
    """For each link, in a step with the same offer; for the whole volume without limits."""
    small = scenario(demand, capacity_bps=CAPACITY, bottleneck=bottleneck)
    large = scenario(demand, capacity_bps=int(CAPACITY * factor), bottleneck=bottleneck)
    for offer in demand.T:
        less, more = carry(small.shape, bottleneck, offer), carry(large.shape, bottleneck, offer)
        assert (more >= less * (1 - 1e-9)).all()
    assert replay(large, NoLimits()).delivered_bps.sum() >= replay(small, NoLimits()).delivered_bps.sum() * (1 - 1e-9)


@few
@cases
def test_scores_do_not_depend_on_the_unit(demand: Any, rule: type, bottleneck: Bottleneck, retry: float) -> None:
    """Everything times 1,024, which is exact in binary: the same ratios and counts."""
    more: dict[str, Any] = {"bottleneck": bottleneck, "retry_ratio": retry}
    demand = demand + 4e6  # far above the 100 kbit/s that a recent maximum never goes below
    one = _scored(scenario(demand, capacity_bps=CAPACITY, limits_bps=[2**24] * len(demand), **more), rule())
    other = scenario(demand * 1024, capacity_bps=CAPACITY * 1024, limits_bps=[2**34] * len(demand), **more)
    assert _figures(_scored(other, rule())) == pytest.approx(_figures(one), rel=1e-6, abs=1e-9)


@few
@given(demands(), st.sampled_from(["shared", "fifo"]), st.randoms(use_true_random=False))
def test_the_order_of_links_does_not_matter(demand: Any, bottleneck: Bottleneck, random: Any) -> None:
    """Scores of a permutation are the same."""
    order = random.sample(range(len(demand)), len(demand))
    one = scenario(demand, capacity_bps=CAPACITY, bottleneck=bottleneck)
    other = replace(one, demand_bps=demand[order])
    assert _figures(_scored(other, NoLimits())) == pytest.approx(_figures(_scored(one, NoLimits())), rel=1e-6, abs=1e-9)


@few
@given(demands())
def test_without_limits_a_node_that_shares_is_as_good_as_the_oracle(demand: Any) -> None:
    """No regret in volume or satisfaction: there is nothing that a limit could add."""
    found = _scored(scenario(demand, capacity_bps=CAPACITY, retry_ratio=0.6), NoLimits())
    assert found.regret_ratio == pytest.approx(0, abs=1e-9)
    assert found.satisfaction_regret_ratio == pytest.approx(0, abs=1e-9)


def _figures(found: Scores) -> list[float]:
    """Those that have no unit of volume or money."""
    figures = (
        found.unmet_ratio, found.satisfaction_ratio, found.satisfaction_p5_ratio, found.small_satisfaction_ratio,
        found.jain_index, found.changes_per_link_day, found.reversals_per_link_day, found.utilisation_ratio, found.regret_ratio,
    )  # fmt: skip
    return [figure or 0.0 for figure in figures]
