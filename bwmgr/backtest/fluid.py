"""The fluid model: demand and retries meet limits and a bottleneck, step by step.

In each step a link offers what it demands and `retry_ratio` of what the step before left undone. Its limit cuts that. What the
tree then lacks is shared by class, CIR and weight (a bottleneck that can share: `bwmgr.allocate`), or hits all links of the full
node in proportion (FIFO). A decision made at the end of step k is in force from step k + 1 + `delay_steps` on.

What it leaves out: TCP's own fairness and ramps inside a step, queues and delay, packets.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from bwmgr.allocate.arrays import Floats
from bwmgr.allocate.shape import Shape
from bwmgr.allocate.solver import solve
from bwmgr.backtest.scenario import Bottleneck, Scenario
from bwmgr.backtest.seen import Seen


class Rule(Protocol):
    """Sets limits: the configured policies, and what they are compared with."""

    name: str

    def first(self, scenario: Scenario) -> Floats:
        """The limits at the start, bit/s, `inf` for none."""
        ...

    def next(self, seen: Seen) -> Floats:
        """The limits wanted after the last step seen."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Outcome:
    """What a replay came to; arrays of shape (links, steps), bit/s."""

    name: str
    scenario: Scenario
    offered_bps: Floats
    delivered_bps: Floats
    limits_bps: Floats
    knows_all: bool = False
    """The oracle's, whose limits are not to be counted as changes."""


def replay(scenario: Scenario, rule: Rule) -> Outcome:
    """One rule over the whole scenario."""
    seen, back = Seen(scenario), np.zeros(len(scenario.links))
    offered_bps = np.empty(scenario.demand_bps.shape)
    first = rule.first(scenario)
    waiting = deque([first] * (1 + scenario.delay_steps))
    for step in range(scenario.steps):
        limits = waiting.popleft()
        offered = scenario.demand_bps[:, step] + back
        admitted = np.minimum(offered, limits)
        delivered = carry(scenario.shape, scenario.bottleneck, admitted)
        back = scenario.retry_ratio * (offered - delivered)
        offered_bps[:, step] = offered
        seen.add(delivered, limits, offered - admitted)
        waiting.append(rule.next(seen))
    return Outcome(
        name=rule.name,
        scenario=scenario,
        offered_bps=offered_bps,
        delivered_bps=seen.usage_bps,
        limits_bps=seen.limits_bps,
    )


def replay_oracle(scenario: Scenario) -> Outcome:
    """Who knows every step's offer before it comes: max-min by class, CIR and weight, whatever the bottleneck can do."""
    back = np.zeros(len(scenario.links))
    offered_bps, delivered_bps = np.empty(scenario.demand_bps.shape), np.empty(scenario.demand_bps.shape)
    for step in range(scenario.steps):
        offered_bps[:, step] = offered = scenario.demand_bps[:, step] + back
        delivered_bps[:, step] = delivered = carry(scenario.shape, "shared", offered)
        back = scenario.retry_ratio * (offered - delivered)
    return Outcome(
        name="oracle",
        scenario=scenario,
        offered_bps=offered_bps,
        delivered_bps=delivered_bps,
        limits_bps=np.full_like(offered_bps, np.inf),
        knows_all=True,
    )


def carry(shape: Shape, bottleneck: Bottleneck, admitted_bps: Floats) -> Floats:
    """What of the admitted rates the tree carries, bit/s."""
    if (shape.node_sums(admitted_bps) <= shape.capacity_bps).all():
        return admitted_bps
    if bottleneck == "shared":
        return np.minimum(solve(replace(shape, ceiling_bps=admitted_bps)).allocation_bps, admitted_bps)
    return _in_proportion(shape, admitted_bps)


def _in_proportion(shape: Shape, rates: Floats) -> Floats:
    """From the deepest nodes up: a full node lets the same share of everything pass."""
    for nodes in shape.paths[::-1]:
        there = nodes >= 0
        sums = np.bincount(nodes[there], rates[there], minlength=len(shape.capacity_bps))
        passing = np.minimum(1.0, np.divide(shape.capacity_bps, sums, out=np.ones_like(sums), where=sums > 0))
        rates = np.where(there, rates * passing[np.maximum(nodes, 0)], rates)
    return rates
