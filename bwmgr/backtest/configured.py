"""The configured policies as a rule: the engine is run as the daemon runs it, and all that it recommends is applied.

Owns the part of the people: every recommendation is approved at once and applied when it becomes valid. It shows what the
policies do by themselves; what an approver refuses is not foreseen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import numpy as np

from bwmgr.allocate.arrays import Floats
from bwmgr.backtest.demands import Demands
from bwmgr.backtest.inputs import Measuring
from bwmgr.backtest.scenario import Scenario
from bwmgr.backtest.seen import Seen
from bwmgr.engine.guards import Guards
from bwmgr.engine.run import Choice, run
from bwmgr.model.bandwidth import Bandwidth
from bwmgr.model.decision import Action, Recommendation, Status
from bwmgr.model.inventory import Direction
from bwmgr.model.policy import Key, Order, PolicyInput

_NO_LIMIT_CHANGE = {Action.FIX, Action.BUY, Action.SELL, Action.HOLD}


@dataclass(kw_only=True)
class Configured:
    """`policies` as the engine takes them, run every `every_seconds`."""

    policies: Sequence[Choice]
    name: str = "policies"
    guards: Guards = field(default_factory=Guards)
    every_seconds: float = 900.0
    orders: tuple[Order, ...] = ()
    counts: dict[str, int] = field(default_factory=dict)
    """How many of its recommendations were applied, by policy."""
    _scenario: Scenario = field(init=False, repr=False)
    _measuring: Measuring = field(init=False, repr=False)
    _demands: Demands = field(init=False, repr=False)
    _current: dict[str, dict[Direction, Bandwidth]] = field(init=False, repr=False)
    _changed_at: dict[Key, datetime] = field(init=False, repr=False)
    _set_by: dict[Key, Recommendation] = field(init=False, repr=False)
    _dated: list[Recommendation] = field(init=False, repr=False)
    _limits: Floats = field(init=False, repr=False)

    def first(self, scenario: Scenario) -> Floats:
        self._scenario, self._measuring, self._demands = scenario, Measuring(scenario), Demands(scenario)
        self._current = {
            link.id: {way: Bandwidth(cir_bps=link.cir[way], mir_bps=link.limit[way]) for way in Direction}
            for link in scenario.inventory.links.values()
        }
        self._changed_at, self._set_by, self._dated = {}, {}, []
        self._limits = scenario.contract_bps
        self.counts = {}
        return self._limits

    def next(self, seen: Seen) -> Floats:
        steps = max(1, round(self.every_seconds / self._scenario.step_seconds))
        due = [entry for entry in self._dated if entry.valid_from <= seen.now]
        if seen.step % steps == 0:
            advice = run(self.policies, self._given(seen), self.guards, with_holds=False)
            due += [entry for entry in advice.recommendations if self._concerns(entry) and entry.valid_from <= seen.now]
            self._dated = [entry for entry in advice.recommendations if self._concerns(entry) and entry.valid_from > seen.now]
        elif due:
            self._dated = [entry for entry in self._dated if entry.valid_from > seen.now]
        for entry in due:
            self._apply(entry, seen.now)
        if due:
            self._limits = self._in_force()
        return self._limits

    def _given(self, seen: Seen) -> PolicyInput:
        measured = self._measuring.at(seen)
        return PolicyInput(
            now=seen.now,
            inventory=self._scenario.inventory,
            current=self._current,
            usage=measured.usage,
            recent=measured.recent,
            demand=self._demands.at(seen, measured.usage, measured.health),
            health=measured.health,
            node_load=measured.node_load,
            node_recent=measured.node_recent,
            latest=measured.latest,
            changed_at=self._changed_at,
            set_by=self._set_by,
            orders=tuple(order for order in self.orders if order.end is None or order.end > seen.now),
        )

    def _concerns(self, entry: Recommendation) -> bool:
        """Whether it changes a link's limit in the direction that is replayed."""
        known = entry.link in self._current and entry.direction is self._scenario.direction
        return known and entry.action not in _NO_LIMIT_CHANGE

    def _apply(self, entry: Recommendation, now: datetime) -> None:
        key = (entry.link, entry.direction)
        if entry.proposed == self._current[entry.link][entry.direction]:
            return
        self._current[entry.link] = {**self._current[entry.link], entry.direction: entry.proposed}
        self._changed_at[key], self._set_by[key] = now, replace(entry, status=Status.APPLIED)
        self.counts[entry.policy] = self.counts.get(entry.policy, 0) + 1

    def _in_force(self) -> Floats:
        way = self._scenario.direction
        limits = (self._current[link][way].mir_bps for link in self._scenario.links)
        return np.array([np.inf if limit is None else limit for limit in limits], np.float64)
