"""One limit for all large links: what a bottleneck that cannot share needs, found by trying (docs/method-backtest.md).

Max-min fairness on one full node means: whoever wants more than the level L gets L, all others what they want. So the large links
bear one common limit, and small ones none. Its height is not computed from demand, which nobody sees, but led: when the node is
nearly full L falls to the water level of `target_ratio` of the capacity, by `step_ratio` at least; when it has room, L rises by
`step_ratio`. A link belongs to the large ones from `join_ratio` of L on, and no longer below `quit_ratio`: rarely, so
limits change seldom although L follows the hour.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from bwmgr.allocate.arrays import Flags, Floats
from bwmgr.allocate.solver import bottlenecks, solve
from bwmgr.backtest.scenario import Scenario
from bwmgr.backtest.seen import Seen


@dataclass(kw_only=True)
class CommonLevel:
    """Decides in every step; a raise waits `hold_seconds` after the last move."""

    name: str = "common_level"
    enter_ratio: float = 0.97
    leave_ratio: float = 0.91
    target_ratio: float = 0.93
    step_ratio: float = 0.25
    hold_seconds: int = 1800
    memory_seconds: int = 86400
    join_ratio: float = 0.8
    quit_ratio: float = 0.4
    _scenario: Scenario = field(init=False, repr=False)
    _limits: Floats = field(init=False, repr=False)
    _large: Flags = field(init=False, repr=False)
    _level_bps: float = field(init=False, default=np.inf)
    _moved_step: int = field(init=False, default=0)

    def first(self, scenario: Scenario) -> Floats:
        self._scenario, self._level_bps, self._moved_step = scenario, np.inf, 0
        self._limits, self._large = np.full(len(scenario.links), np.inf), np.zeros(len(scenario.links), np.bool_)
        return self._limits

    def next(self, seen: Seen) -> Floats:
        step_seconds = self._scenario.step_seconds
        level = self._led(seen.usage_bps[:, -1], (seen.step - self._moved_step) * step_seconds >= self.hold_seconds)
        if level != self._level_bps:
            self._level_bps, self._moved_step = level, seen.step
        if np.isfinite(level):
            self._choose(seen.usage_bps[:, -max(1, self.memory_seconds // step_seconds) :].max(axis=1))
        limits = np.where(self._large, self._level_bps, np.inf)
        self._limits = np.maximum(limits, self._scenario.shape.cir_bps)
        return self._limits

    def _led(self, used: Floats, rested: bool) -> float:
        """The level for the next step."""
        shape = self._scenario.shape
        load = float((shape.node_sums(used) / shape.capacity_bps).max(initial=0.0))
        if load >= self.enter_ratio:
            water = self._water_level(used)
            return min(self._level_bps * (1 - self.step_ratio), water) if water < self._level_bps else self._level_bps
        if load < self.leave_ratio and rested:
            return self._level_bps * (1 + self.step_ratio)
        return self._level_bps

    def _water_level(self, used: Floats) -> float:
        """The level at which the links would fit, if those at their limit wanted any amount; infinite where all fit."""
        shape = self._scenario.shape
        wanted = np.where(used >= 0.95 * self._limits, np.inf, used)
        narrower = replace(shape, ceiling_bps=wanted, capacity_bps=shape.capacity_bps * self.target_ratio)
        shares = solve(narrower).allocation_bps
        return float(shares.max(initial=0.0, where=bottlenecks(narrower, shares) >= 0)) or np.inf

    def _choose(self, most: Floats) -> None:
        """Who bears the limit; a level that nobody came near for a day is lifted."""
        if self._level_bps > 2 * most.max(initial=0.0):
            self._level_bps, self._large = np.inf, np.zeros(len(most), np.bool_)
        else:
            self._large = most >= np.where(self._large, self.quit_ratio, self.join_ratio) * self._level_bps
