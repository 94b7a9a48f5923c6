"""The rules to compare with: no limits, the contract as it stands, 1.1 times the recent maximum, and a guarded water level."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace

import numpy as np

from bwmgr.allocate.arrays import Floats
from bwmgr.allocate.solver import bottlenecks, solve
from bwmgr.backtest.scenario import Scenario
from bwmgr.backtest.seen import Seen


@dataclass(kw_only=True)
class NoLimits:
    """Every link may take what it can get."""

    name: str = "no_limits"

    def first(self, scenario: Scenario) -> Floats:
        return np.full(len(scenario.links), np.inf)

    def next(self, seen: Seen) -> Floats:
        return np.full(len(seen.usage_bps), np.inf)


@dataclass(kw_only=True)
class Contract:
    """The configuration's limits, never changed."""

    name: str = "contract"
    _limits: Floats = field(init=False, repr=False)

    def first(self, scenario: Scenario) -> Floats:
        self._limits = scenario.contract_bps
        return self._limits

    def next(self, seen: Seen) -> Floats:  # it does not look
        return self._limits


@dataclass(kw_only=True)
class RecentMaximum:
    """A limit a little above what was used lately, set anew in every step: what is often done by hand or by a script."""

    name: str = "recent_maximum"
    factor: float = 1.1
    recent_seconds: int = 900
    _cir: Floats = field(init=False, repr=False)
    _recent: int = field(init=False, repr=False)

    def first(self, scenario: Scenario) -> Floats:
        self._cir, self._recent = scenario.shape.cir_bps, max(1, self.recent_seconds // scenario.step_seconds)
        return scenario.contract_bps

    def next(self, seen: Seen) -> Floats:
        # a link that used nothing must be able to begin again
        recent: Floats = seen.usage_bps[:, -self._recent :].max(axis=1)
        return np.maximum(np.maximum(self.factor * recent, self._cir), 1e5)


@dataclass(kw_only=True)
class WaterLevel:
    """The fair share times a factor, behind guards: entered at 95 %, left at 85 %, dead band, holds, confirmations.

    The published comparison (docs/method-backtest.md), decided in every step. Its links have no limit outside congestion.
    """

    name: str = "water_level"
    factor: float = 1.25
    dead_band_ratio: float = 0.3
    raise_hold_seconds: int = 1800
    lower_hold_seconds: int = 3600
    confirmations: int = 3
    enter_ratio: float = 0.95
    leave_ratio: float = 0.85
    _scenario: Scenario = field(init=False, repr=False)
    _limits: Floats = field(init=False, repr=False)
    _changed: Floats = field(init=False, repr=False)
    _full: deque[bool] = field(init=False, repr=False)
    _congested: bool = field(init=False, default=False)

    def first(self, scenario: Scenario) -> Floats:
        self._scenario, self._limits = scenario, np.full(len(scenario.links), np.inf)
        self._changed, self._full = np.full(len(scenario.links), -np.inf), deque(maxlen=self.confirmations)
        return self._limits

    def next(self, seen: Seen) -> Floats:
        shape, used = self._scenario.shape, seen.usage_bps[:, -1]
        load = float((shape.node_sums(used) / shape.capacity_bps).max(initial=0.0))
        self._full.append(load >= self.enter_ratio)
        if len(self._full) == self.confirmations and all(self._full):
            self._congested = True
        elif load < self.leave_ratio:
            self._congested = False
        wanted = self._shares(used) if self._congested else np.full(len(used), np.inf)
        return self._guarded(wanted, used, seen.step * self._scenario.step_seconds)

    def _shares(self, used: Floats) -> Floats:
        at_limit = used >= 0.95 * self._limits
        shape = replace(self._scenario.shape, ceiling_bps=np.where(at_limit, np.inf, used * self.factor))
        shares = solve(shape).allocation_bps
        return np.where(bottlenecks(shape, shares) >= 0, np.maximum(shares * self.factor, shape.cir_bps), np.inf)

    def _guarded(self, wanted: Floats, used: Floats, now_seconds: float) -> Floats:
        limits, waited = self._limits, now_seconds - self._changed
        freed = np.isinf(wanted) & np.isfinite(limits)
        with np.errstate(invalid="ignore"):
            rises = (wanted > limits * (1 + self.dead_band_ratio)) & (
                (waited >= self.raise_hold_seconds) | (used >= 0.95 * limits)
            )
            falls = (wanted < limits * (1 - self.dead_band_ratio)) & (waited >= self.lower_hold_seconds)
        moves = (freed & (waited >= self.raise_hold_seconds)) | rises | falls
        self._limits = np.where(moves, wanted, limits)
        self._changed = np.where(moves, now_seconds, self._changed)
        return self._limits
