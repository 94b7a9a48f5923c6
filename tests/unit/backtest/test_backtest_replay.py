"""The fluid model on cases small enough to do by hand, and the rules on it."""

from __future__ import annotations

import numpy as np
import pytest

from bwmgr.allocate.arrays import Floats
from bwmgr.backtest import Scenario, replay
from bwmgr.backtest.common_level import CommonLevel
from bwmgr.backtest.configured import Configured
from bwmgr.backtest.fluid import replay_oracle
from bwmgr.backtest.rules import Contract, NoLimits, RecentMaximum
from bwmgr.backtest.scores import score
from bwmgr.backtest.seen import Seen
from bwmgr.errors import UsageError
from policies import fair_share, saturated
from tests.unit.backtest.scenarios import scenario


class Recorded:
    """Limits that fall to 10 after the first step; keeps what it saw."""

    name = "recorded"

    def __init__(self) -> None:
        self.seen: list[float] = []

    def first(self, scenario: Scenario) -> Floats:
        return np.full(len(scenario.links), np.inf)

    def next(self, seen: Seen) -> Floats:
        self.seen.append(float(seen.usage_bps[0, -1]))
        return np.full(len(seen.usage_bps), 10.0)


class TestFluid:
    def test_a_fifo_hits_all_in_proportion_and_a_sharing_node_the_largest_alone(self) -> None:
        """10 and 90 through 50: 5 and 45, or 10 and 40."""
        fifo = replay(scenario([[10], [90]], capacity_bps=50, bottleneck="fifo"), NoLimits())
        shared = replay(scenario([[10], [90]], capacity_bps=50), NoLimits())
        assert fifo.delivered_bps[:, 0].tolist() == pytest.approx([5, 45])
        assert shared.delivered_bps[:, 0].tolist() == pytest.approx([10, 40])

    def test_what_is_not_carried_comes_back_in_part(self) -> None:
        """80 through 50 leave 30 undone, of which half is asked for again beside the next 20."""
        outcome = replay(scenario([[80, 20, 0]], capacity_bps=50, retry_ratio=0.5), NoLimits())
        assert outcome.offered_bps[0].tolist() == pytest.approx([80, 35, 0])
        assert outcome.delivered_bps[0].tolist() == pytest.approx([50, 35, 0])

    def test_a_decision_takes_effect_one_step_late_and_sees_usage_not_demand(self) -> None:
        """Decided after step 0, in force from step 2 on; the rule never sees the 80 that were wanted."""
        rule = Recorded()
        outcome = replay(scenario([[80, 80, 80, 80]], capacity_bps=50), rule)
        assert outcome.limits_bps[0].tolist() == [np.inf, np.inf, 10, 10]
        assert rule.seen == [50, 50, 10, 10]

    def test_the_oracle_delivers_to_the_small_first_whatever_the_bottleneck(self) -> None:
        """It knows the step that comes."""
        outcome = replay_oracle(scenario([[10], [90]], capacity_bps=50, bottleneck="fifo"))
        assert outcome.delivered_bps[:, 0].tolist() == pytest.approx([10, 40])

    def test_demand_of_another_shape_and_endless_retries_are_refused(self) -> None:
        """Each with what would be right."""
        with pytest.raises(UsageError, match="at least 0"):
            scenario([[-1]], capacity_bps=50)
        with pytest.raises(UsageError, match="less than 1"):
            scenario([[1]], capacity_bps=50, retry_ratio=1.0)


class TestScores:
    def test_by_hand(self) -> None:
        """10 and 90 through a FIFO of 50, CIR 8 each: both have half; the small one lacks 3 of its CIR for five minutes."""
        one = scenario([[10], [90]], capacity_bps=50, bottleneck="fifo", cir_bps=[8, 8])
        found = score(replay(one, NoLimits()), oracle=replay_oracle(one), price=100.0)
        assert found.unmet_ratio == pytest.approx(0.5)
        assert found.small_satisfaction_ratio == pytest.approx(0.5)
        assert found.cir_minutes == 5
        assert found.limit_below_cir_minutes == 0
        assert found.jain_index == pytest.approx(1)
        assert found.utilisation_ratio == pytest.approx(1)
        assert found.regret_ratio == pytest.approx(0)
        assert found.satisfaction_regret_ratio == pytest.approx((1 + 40 / 90) / 2 - 0.5)
        assert found.price_per_gigabyte == pytest.approx(100 / (50 * 300 / 8 / 1e9))

    def test_changes_and_reversals_count_limits_in_force(self) -> None:
        """One change of one link in four steps; back within a day it would be a reversal too."""
        outcome = replay(scenario([[80, 80, 80, 80]], capacity_bps=50), Recorded())
        found = score(outcome)
        assert found.changes_per_link_day == pytest.approx(86400 / 300 / 4)
        assert found.reversals_per_link_day == 0


class TestRules:
    def test_the_contract_holds_and_the_recent_maximum_follows(self) -> None:
        """The first never changes; the second is 1.1 times the last quarter of an hour, at least 100 kbit/s."""
        one = scenario([[1e6] * 6], capacity_bps=10**7, limits_bps=[2_000_000])
        assert set(replay(one, Contract()).limits_bps[0].tolist()) == {2e6}
        assert replay(one, RecentMaximum()).limits_bps[0].tolist() == pytest.approx([2e6, 2e6, 1.1e6, 1.1e6, 1.1e6, 1.1e6])

    def test_one_level_for_the_large_leaves_the_small_alone(self) -> None:
        """A link that asks for all of a FIFO is held, and the others get what they want, after some steps."""
        demand = [[1e6] * 48, [1e6] * 48, [2e7] * 48]
        one = scenario(demand, capacity_bps=10**7, bottleneck="fifo")
        led, free = replay(one, CommonLevel()), replay(one, NoLimits())
        assert np.isinf(led.limits_bps[:2]).all()
        assert led.delivered_bps[0, 6:].min() == pytest.approx(1e6)
        assert free.delivered_bps[0].max() < 5e5

    def test_the_configured_policies_raise_a_saturated_link_and_do_nothing_where_the_node_can_share(self) -> None:
        """The engine runs as in the daemon: a raise after a day that is applied; `fair_share` without nodes is still."""
        demand = np.tile(np.linspace(2e6, 8e6, 288), (1, 2))
        one = scenario(demand, capacity_bps=10**8, limits_bps=[5_000_000])
        raising = Configured(policies=[("saturated", saturated.propose, saturated.Parameters())])
        limits = replay(one, raising).limits_bps[0]
        assert limits[0] == 5e6
        assert limits[-1] > 5e6
        assert raising.counts["saturated"] >= 1
        still = Configured(policies=[("fair_share", fair_share.propose, fair_share.Parameters())])
        held, contract = replay(one, still), replay(one, Contract())
        assert np.array_equal(held.delivered_bps, contract.delivered_bps)
        assert still.counts == {}
