"""In which order people look at recommendations: what is broken first, what only tidies up last.

Owns the order, and nothing of what is recommended.
"""

from __future__ import annotations

from collections.abc import Iterable

from bwmgr.model.decision import Action, Recommendation

_ORDER = (
    Action.FIX,
    Action.RAISE,
    Action.RESERVE,
    Action.RESTORE,
    Action.BUY,
    Action.SELL,
    Action.LOWER,
    Action.HOLD,
)
"""A broken line first, then who is held back, then what is due by the clock, then money, then what is too much."""


def by_importance(recommendations: Iterable[Recommendation]) -> list[Recommendation]:
    """The most urgent action first, inside an action the most at stake first; what is equal keeps its order."""
    return sorted(recommendations, key=lambda entry: (_ORDER.index(entry.action), -stake_bps(entry)))


def stake_bps(entry: Recommendation) -> float:
    """How much it is about, bit/s: what the link lacks where that is known, else how far its limit moves, else what it uses."""
    limit, proposed = entry.current.mir_bps, entry.proposed.mir_bps
    if entry.action in {Action.FIX, Action.HOLD}:
        return entry.evidence.p95_bps or 0.0
    if entry.action is Action.RAISE and limit is not None and entry.evidence.demand_bps is not None:
        return max(entry.evidence.demand_bps - limit, 0.0)
    return float(abs((proposed or 0) - (limit or 0)))
