"""The backtest on the Abilene trace: what each rule scores on both kinds of bottleneck, and how long 28 days of 132 links take.

Needs the shared trace beside the checkout (or BWMGR_SHARED); says so and stops where it is not there.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bwmgr.backtest import Bottleneck, Scenario, replay
from bwmgr.backtest.common_level import CommonLevel
from bwmgr.backtest.configured import Configured
from bwmgr.backtest.fluid import Outcome, Rule, replay_oracle
from bwmgr.backtest.rules import Contract, NoLimits, RecentMaximum, WaterLevel
from bwmgr.backtest.scores import score
from bwmgr.daemon.policy_registry import policy_modules
from bwmgr.model.inventory import Inventory, PerDirection
from tests.unit.backtest.abilene import TRACE, abilene

_BAR_SECONDS = 120


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two days, not fourteen")
    arguments = parser.parse_args()
    if not TRACE.exists():
        print(f"skipped: the shared trace is not there: {TRACE}")
        return 0
    days = 2 if arguments.quick else 14
    for bottleneck in ("fifo", "shared"):
        _scores(abilene(bottleneck, days=days), bottleneck)
    started = time.perf_counter()
    long = abilene("shared", days=days, repeat=2)
    for rule in (*_plain(), replace(_policies("shared"), every_seconds=3600.0)):
        replay(long, rule)
    replay_oracle(long)
    took = time.perf_counter() - started
    print(
        f"\n{long.days:g} days x {len(long.links)} links, all rules, all policies as `backtest` runs them, and the oracle: "
        f"{took:.0f} s (bar {_BAR_SECONDS} s)"
    )
    return 0 if took <= _BAR_SECONDS else 1


def _plain() -> list[Rule]:
    return [NoLimits(), Contract(), RecentMaximum(), WaterLevel(), CommonLevel()]


def _policies(bottleneck: Bottleneck, *names: str) -> Configured:
    """Built-in policies with their defaults; `fair_share` knows the uplink where it cannot share."""
    modules = policy_modules()
    told = {"fair_share": {"nodes": ("uplink",)}} if bottleneck == "fifo" else {}
    chosen = [(name, modules[name].propose, modules[name].Parameters(**told.get(name, {}))) for name in names or modules]
    return Configured(policies=chosen, name="policies: " + (", ".join(names) or "all"))


def _scores(scenario: Scenario, bottleneck: Bottleneck) -> None:
    print(f"\n{bottleneck}, {scenario.days:g} days")
    print("rule                  | unmet % | mean  | p5    | small | CIR min | Jain  | changes | reversals | regret %")
    oracle = replay_oracle(scenario)
    rules = [*_plain(), _policies(bottleneck, "fair_share"), _policies(bottleneck)]
    for outcome in (*(replay(scenario, rule) for rule in rules), oracle):
        _row(outcome, oracle)
    if bottleneck == "fifo":
        free = replace(scenario, inventory=_unlimited(scenario.inventory))
        _row(replay(free, replace(_policies(bottleneck, "fair_share"), name="fair_share, unlimited")), oracle)


def _unlimited(inventory: Inventory) -> Inventory:
    """Without limits outside congestion, as the rules are that it is compared with."""
    nothing: PerDirection[int | None] = PerDirection(down=None, up=None)
    return replace(inventory, links={name: replace(link, limit=nothing) for name, link in inventory.links.items()})


def _row(outcome: Outcome, oracle: Outcome) -> None:
    found = score(outcome, oracle=oracle)
    changes, reversals = (f"{figure or 0:.2f}" for figure in (found.changes_per_link_day, found.reversals_per_link_day))
    print(
        f"{outcome.name:21} | {100 * found.unmet_ratio:7.2f} | {found.satisfaction_ratio:.3f} "
        f"| {found.satisfaction_p5_ratio:.3f} "
        f"| {found.small_satisfaction_ratio:.3f} | {found.cir_minutes:7.0f} | {found.jain_index:.3f} | {changes:>7} "
        f"| {reversals:>9} | {100 * (found.regret_ratio or 0):.2f}",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
