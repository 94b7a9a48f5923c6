"""`backtest`: stored history replayed under the policies and under what they are compared with.

Owns which rows become demand, and which rules run. The replay and the scores are `bwmgr.backtest`. Demand of a link is its usage,
with the expected demand put in where its limit held it back (`bwmgr.measure.behind`); where nothing is known, what it mostly
demanded at that time of day; before its history begins, nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bwmgr.backtest import Bottleneck, Outcome, Scenario, replay
from bwmgr.backtest.common_level import CommonLevel
from bwmgr.backtest.configured import Configured
from bwmgr.backtest.fluid import Rule, replay_oracle
from bwmgr.backtest.rules import Contract, NoLimits, RecentMaximum, WaterLevel
from bwmgr.backtest.scores import Scores, score
from bwmgr.daemon.policy_registry import policy_modules
from bwmgr.engine.guards import planned
from bwmgr.errors import UsageError
from bwmgr.measure.behind import COLUMNS as DEMAND_COLUMNS
from bwmgr.measure.behind import expected_demand
from bwmgr.measure.columns import RateBatch
from bwmgr.measure.dimension import yearly_price
from bwmgr.measure.sums import COLUMNS as SUM_COLUMNS
from bwmgr.measure.sums import sum_batches
from bwmgr.model.inventory import Direction
from bwmgr.model.said import Said
from bwmgr.model.samples import GapReason
from bwmgr.stores import LINK_RATE

if TYPE_CHECKING:
    from bwmgr.daemon.application import Application
    from bwmgr.engine.run import Choice

GRID_SECONDS = 300
_HOUR_SECONDS = 3600.0
_DAY_SECONDS = 86400
_YEAR_SECONDS = 365.25 * _DAY_SECONDS
_COLUMNS = tuple(dict.fromkeys((*DEMAND_COLUMNS, *SUM_COLUMNS)))

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Replayed:
    """One rule in one direction; `applied`: recommendations applied, by policy (the configured policies alone)."""

    direction: Direction
    outcome: Outcome
    scores: Scores
    applied: Mapping[str, int]

    @property
    def name(self) -> str:
        return self.outcome.name


@dataclass(frozen=True, kw_only=True)
class Backtest:
    """What `backtest` found. `silent`: links that exist but have no history, and demand nothing in it."""

    start: datetime
    end: datetime
    step_seconds: int
    bottleneck: Bottleneck
    policies: tuple[str, ...]
    coverage_ratio: float
    silent: tuple[str, ...]
    replays: tuple[Replayed, ...]


def backtest(
    application: Application, start: datetime, end: datetime, *, policy: str | None = None, bottleneck: Bottleneck = "shared"
) -> Backtest:
    """Every rule over [start, end), both directions.

    Raises: UsageError for an unknown policy, a window shorter than a step, and where no link has history.
    """
    choices, step = _choices(application, policy), max(GRID_SECONDS, round(application.settings.snmp.interval_seconds))
    start = datetime.fromtimestamp(-(-start.timestamp() // step) * step, start.tzinfo)
    if (end - start).total_seconds() < step:
        raise UsageError(
            Said(
                "from {start_at} to {end_at} there is no whole step of {step} seconds",
                start_at=start.isoformat(),
                end_at=end.isoformat(),
                step=step,
            )
        )
    demand, known, silent = _demand(application, start, end, step)
    replays: list[Replayed] = []
    for direction in Direction:
        scenario = Scenario(
            inventory=application.inventory,
            direction=direction,
            start=start,
            step_seconds=step,
            demand_bps=demand[direction],
            bottleneck=bottleneck,
        )
        replays += _replays(scenario, choices, application)
    return Backtest(
        start=start,
        end=end,
        step_seconds=step,
        bottleneck=bottleneck,
        policies=tuple(name for name, _, _ in choices),
        coverage_ratio=known,
        silent=silent,
        replays=tuple(replays),
    )


def _choices(application: Application, policy: str | None) -> list[Choice]:
    """The configured policies, or the one asked for: with its configured parameters where it has some."""
    modules = policy_modules()
    configured = {choice.name: choice.parameters for choice in application.settings.policies}
    if policy is None:
        return [(name, modules[name].propose, parameters) for name, parameters in configured.items()]
    if policy not in modules:
        raise UsageError(Said("no policy {name!r}; there are {known}", name=policy, known=", ".join(modules)))
    return [(policy, modules[policy].propose, configured.get(policy) or modules[policy].Parameters())]


def _every(choices: Sequence[Choice], application: Application) -> float:
    """As often as the daemon where a policy follows what is full now; those that look at weeks say the same for an hour."""
    modules, every = policy_modules(), application.settings.daemon.recommend_every_seconds
    follows = (getattr(modules[name], "follows_now", None) for name, _, _ in choices)
    asked = (follow is not None and follow(parameters) for follow, (_, _, parameters) in zip(follows, choices, strict=True))
    return every if any(asked) else max(every, _HOUR_SECONDS)


def _replays(scenario: Scenario, choices: Sequence[Choice], application: Application) -> Iterator[Replayed]:
    settings = application.settings
    policies = Configured(policies=choices, guards=settings.guards, every_seconds=_every(choices, application))
    rules: list[Rule] = [NoLimits(), Contract(), RecentMaximum(), WaterLevel(), CommonLevel(), policies]
    oracle, price = replay_oracle(scenario), _price(application, scenario)
    for outcome in [*(replay(scenario, rule) for rule in rules), oracle]:
        yield Replayed(
            direction=scenario.direction,
            outcome=outcome,
            scores=score(outcome, oracle=oracle, price=price),
            applied=policies.counts if outcome.name == policies.name else {},
        )


def _price(application: Application, scenario: Scenario) -> float | None:
    """What the contracts of the roots cost in the replayed time; None where one has no price."""
    contracts = {uplink.contract for _, _, uplink in application.inventory.uplinks() if uplink.contract}
    prices = [yearly_price(application.inventory.contracts[name]) for name in sorted(contracts)]
    known = [price for price in prices if price is not None]
    if not known or len(known) < len(prices):
        return None
    return sum(known) * scenario.steps * scenario.step_seconds / _YEAR_SECONDS


def _demand(
    application: Application, start: datetime, end: datetime, step: int
) -> tuple[Mapping[Direction, Floats], float, tuple[str, ...]]:
    """Demand of all links, shape (links, steps); the share of it that is known where a link has some; the links without any."""
    names = list(application.inventory.links)
    steps = int((end - start).total_seconds() // step)
    found = {way: np.full((len(names), steps), np.nan) for way in Direction}
    groups = {name: [name] for name in names}
    first_ms = round(start.timestamp() * 1000)
    totals = sum_batches(_batches(application, start, end), groups, start=start, end=end, grid_seconds=step)
    for position, name in enumerate(names):
        if (total := totals.get(name)) is None:
            continue
        rows = total.batch.rows
        at = (rows["end_ms"] - first_ms) // (step * 1000) - 1
        for way in Direction:
            found[way][position, at] = rows[f"{way}_bps"] / np.maximum(total.coverage_ratio, 1e-9)
    known = np.isfinite(found[Direction.DOWN])
    if not known.any():
        raise UsageError(
            Said("no link has history from {start_at} to {end_at}", start_at=start.isoformat(), end_at=end.isoformat())
        )
    absent = [link for link, row in zip(application.inventory.links.values(), known, strict=True) if not row.any()]
    silent = tuple(link.id for link in absent if not planned(link))
    return (
        {way: _filled(rates, _DAY_SECONDS // step) for way, rates in found.items()},
        float(known[known.any(axis=1)].mean()),
        silent,
    )


def _batches(application: Application, start: datetime, end: datetime) -> Iterator[RateBatch]:
    """Stored rows with the expected demand in place of usage."""
    inventory, zone = application.inventory, application.inventory.organisation.timezone
    names = list(inventory.links)
    for batch in application.store.chunks(LINK_RATE, start=start, end=end, series=names, columns=_COLUMNS):
        bounds = np.searchsorted(batch.rows["series"], np.arange(len(batch.series) + 1))
        rows = batch.rows.copy()
        for position, name in enumerate(batch.series):
            of_link = rows[bounds[position] : bounds[position + 1]]
            if not (of_link["reason"] == GapReason.NONE).any():
                continue
            calendar = inventory.calendars[inventory.links[name].calendar]
            demanded = {way: expected_demand(of_link, way, timezone=zone, calendar=calendar) for way in Direction}
            for way, rates in demanded.items():
                of_link[f"{way}_bps"] = rates
        yield RateBatch(series=batch.series, rows=rows)


def _filled(rates: Floats, steps_a_day: int) -> Floats:
    """Gaps filled with the median of the same time of other days, else of the link; 0 before a link's first sample."""
    filled = rates.copy()
    for row in filled:
        there = np.isfinite(row)
        missing = np.flatnonzero(~there)
        if not there.any() or not len(missing):
            row[missing] = 0.0
            continue
        began, usual = int(np.argmax(there)), float(np.median(row[there]))
        for at in missing[missing >= began].tolist():
            same = row[at % steps_a_day :: steps_a_day][there[at % steps_a_day :: steps_a_day]]
            row[at] = float(np.median(same)) if len(same) else usual
        row[:began] = 0.0
    return filled
