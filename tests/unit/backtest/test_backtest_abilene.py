"""Acceptance on real traffic, the short version: one week of Abilene. The whole is `bench/backtest.py`."""

from __future__ import annotations

import numpy as np
import pytest

from bwmgr.backtest import replay
from bwmgr.backtest.common_level import CommonLevel
from bwmgr.backtest.configured import Configured
from bwmgr.backtest.fluid import replay_oracle
from bwmgr.backtest.rules import Contract, NoLimits, WaterLevel
from bwmgr.backtest.scores import score
from policies import fair_share
from tests.unit.backtest.abilene import TRACE, abilene

pytestmark = pytest.mark.skipif(not TRACE.exists(), reason=f"the shared trace is not there: {TRACE}")

PUBLISHED_SMALL, PUBLISHED_CHANGES = 0.986, 3.0


def test_on_a_fifo_one_level_for_the_large_protects_the_small_with_few_changes() -> None:
    """At most 3 changes a link and day; p5 and small links better than the guarded water level; no limit below a CIR."""
    one = abilene("fifo", days=7)
    oracle = replay_oracle(one)
    free, guarded, led = (score(replay(one, rule), oracle=oracle) for rule in (NoLimits(), WaterLevel(), CommonLevel()))
    assert led.changes_per_link_day is not None
    assert led.changes_per_link_day <= PUBLISHED_CHANGES
    assert led.small_satisfaction_ratio >= max(PUBLISHED_SMALL, guarded.small_satisfaction_ratio, free.small_satisfaction_ratio)
    assert led.satisfaction_p5_ratio >= max(guarded.satisfaction_p5_ratio, free.satisfaction_p5_ratio)
    assert led.limit_below_cir_minutes == 0
    assert led.cir_minutes < guarded.cir_minutes < free.cir_minutes


@pytest.mark.slow
def test_the_policy_that_is_shipped_meets_the_published_row_behind_a_fifo() -> None:
    """`fair_share` with its defaults, run as the daemon runs it (every 15 minutes), over a whole week with its weekend.

    At most 3 changes a link and day, small links no worse than the published 0.986, p5 no worse than that row replayed here (it
    was not published), and no minute with a limit below a CIR. docs/method-backtest.md has the fourteen days.
    """
    one = abilene("fifo", days=7, limited=False)
    policy = Configured(policies=[("fair_share", fair_share.propose, fair_share.Parameters(nodes=("uplink",)))])
    ours, published = (score(replay(one, rule)) for rule in (policy, WaterLevel()))
    assert ours.changes_per_link_day is not None
    assert ours.changes_per_link_day <= PUBLISHED_CHANGES
    assert ours.small_satisfaction_ratio >= max(PUBLISHED_SMALL, published.small_satisfaction_ratio)
    assert ours.satisfaction_p5_ratio >= published.satisfaction_p5_ratio
    assert ours.limit_below_cir_minutes == 0


def test_where_the_bottleneck_can_share_no_dynamic_limit_is_recommended_and_nothing_is_lost() -> None:
    """`fair_share` as configured for such a node (it names none) leaves the contract exactly as it is."""
    one = abilene("shared", days=2)
    policy = Configured(policies=[("fair_share", fair_share.propose, fair_share.Parameters())])
    ours, contract = replay(one, policy), replay(one, Contract())
    assert policy.counts == {}
    assert np.array_equal(ours.delivered_bps, contract.delivered_bps)
