"""What a replay is worth: volume, satisfaction, guarantees, fairness, calm and money.

Satisfaction of a link in a step is delivered / offered (1 where nothing was offered), retries included, as a user sees it. Sums
over links and steps are made with integer-weighted counts, so the order of links does not matter beyond rounding.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bwmgr.allocate.arrays import Flags, Floats
from bwmgr.backtest.fluid import Outcome

_DAY_SECONDS = 86400
_ROUNDING = 1e-9


@dataclass(frozen=True, kw_only=True, slots=True)
class Scores:
    """Ratios are 0 to 1."""

    unmet_ratio: float
    """Share of the demanded volume that was never delivered."""
    satisfaction_ratio: float
    satisfaction_p5_ratio: float
    """The 5th percentile over links and steps."""
    small_satisfaction_ratio: float
    """Mean of the quarter of links with the least demand."""
    cir_minutes: float
    """Link-minutes in which a link got less than it offered and less than its CIR."""
    limit_below_cir_minutes: float
    """Link-minutes under a limit lower than the CIR: the rule's own fault, whatever the bottleneck."""
    jain_index: float
    """Jain, Chiu and Hawe 1984, on the links' satisfaction, mean over steps."""
    changes_per_link_day: float | None
    reversals_per_link_day: float | None
    """Changes against the direction of the link's last one, within a day of it."""
    utilisation_ratio: float | None
    """Of the roots' capacity; None where none is stated."""
    delivered_octets: float
    regret_ratio: float | None = None
    """Share of the demanded volume by which the oracle delivered more."""
    satisfaction_regret_ratio: float | None = None
    """By how much the oracle's mean satisfaction is higher."""
    price_per_gigabyte: float | None = None


def score(outcome: Outcome, *, oracle: Outcome | None = None, price: float | None = None) -> Scores:
    """`price`: what the replayed time costs, in currency units."""
    scenario, satisfied = outcome.scenario, satisfaction(outcome)
    demanded, delivered = float(scenario.demand_bps.sum()), float(outcome.delivered_bps.sum())
    octets = delivered * scenario.step_seconds / 8
    changes, reversals = (None, None) if outcome.knows_all else _calm(outcome)
    best = None if oracle is None else float(oracle.delivered_bps.sum())
    return Scores(
        unmet_ratio=max(0.0, 1 - delivered / demanded) if demanded else 0.0,
        satisfaction_ratio=float(satisfied.mean()),
        satisfaction_p5_ratio=_lowest(satisfied, 0.05),
        small_satisfaction_ratio=float(satisfied[small_links(scenario.demand_bps)].mean()),
        cir_minutes=_minutes(outcome, _below_cir(outcome)),
        limit_below_cir_minutes=_minutes(outcome, outcome.limits_bps < scenario.shape.cir_bps[:, None]),
        jain_index=_jain(satisfied),
        changes_per_link_day=changes,
        reversals_per_link_day=reversals,
        utilisation_ratio=_utilisation(outcome),
        delivered_octets=octets,
        regret_ratio=None if best is None or not demanded else (best - delivered) / demanded,
        satisfaction_regret_ratio=None if oracle is None else float(satisfaction(oracle).mean() - satisfied.mean()),
        price_per_gigabyte=None if price is None or not octets else price / (octets / 1e9),
    )


def satisfaction(outcome: Outcome) -> Floats:
    """Delivered / offered, shape (links, steps)."""
    offered = outcome.offered_bps
    ratio = np.divide(outcome.delivered_bps, offered, out=np.ones_like(offered), where=offered > 0)
    return np.minimum(ratio, 1.0)


def small_links(demand_bps: Floats) -> Flags:
    """The quarter of links (at least one) that demand the least; ties together, so that order does not matter."""
    volume = demand_bps.sum(axis=1)
    last = np.partition(volume, rank := (len(volume) + 3) // 4 - 1)[rank]
    return np.asarray(volume <= last * (1 + _ROUNDING))


def _lowest(values: Floats, ratio: float) -> float:
    """Nearest rank."""
    rank = int(np.ceil(ratio * values.size)) - 1
    return float(np.partition(values, rank, axis=None)[rank])


def _below_cir(outcome: Outcome) -> Flags:
    owed = np.minimum(outcome.offered_bps, outcome.scenario.shape.cir_bps[:, None])
    return np.asarray(outcome.delivered_bps < owed * (1 - _ROUNDING))


def _minutes(outcome: Outcome, where: Flags) -> float:
    return float(where.sum()) * outcome.scenario.step_seconds / 60


def _jain(satisfied: Floats) -> float:
    squares = len(satisfied) * (satisfied**2).sum(axis=0)
    index = np.divide(satisfied.sum(axis=0) ** 2, squares, out=np.ones_like(squares), where=squares > 0)
    return float(index.mean())


def _calm(outcome: Outcome) -> tuple[float, float]:
    """Changes, and reversals, of a limit in force per link and day."""
    limits, scenario = outcome.limits_bps, outcome.scenario
    link, step = np.nonzero(limits[:, 1:] != limits[:, :-1])
    upward = limits[link, step + 1] > limits[link, step]
    same = link[1:] == link[:-1]
    soon = (step[1:] - step[:-1]) * scenario.step_seconds <= _DAY_SECONDS
    reversals = int((same & soon & (upward[1:] != upward[:-1])).sum())
    link_days = len(limits) * scenario.days
    return len(link) / link_days, reversals / link_days


def _utilisation(outcome: Outcome) -> float | None:
    shape = outcome.scenario.shape
    roots = np.flatnonzero((shape.node_parent < 0) & np.isfinite(shape.capacity_bps))
    capacity = float(shape.capacity_bps[roots].sum())
    if not capacity or not shape.depth:
        return None
    passing = np.isin(shape.paths[0], roots)
    return float(outcome.delivered_bps[passing].sum(axis=0).mean()) / capacity
