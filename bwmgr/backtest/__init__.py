"""Replays traffic under the policies and under simpler rules beside them, and scores what came of it: pure, one direction.

Owns the fluid model (`fluid`), what a policy is allowed to see of it (`seen`, `inputs`), the rules to compare with (`rules`), the
engine's own policies as such a rule (`configured`) and the scores (`scores`). Does not own where the traffic comes from, and
reads no store, clock or configuration: that is `bwmgr.daemon.backtesting`.
"""

from bwmgr.backtest.fluid import Outcome, replay
from bwmgr.backtest.scenario import Bottleneck, Scenario

__all__ = ["Bottleneck", "Outcome", "Scenario", "replay"]
