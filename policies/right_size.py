"""right_size: a limit that fits what the link uses.

The target is the demand at the 95th percentile over the link's own calendar, plus headroom. Demand is the measured percentile
while less than 5 % of the time was at the limit, an estimate otherwise (`bwmgr.measure.demand`). A limit more than
`raise_above_ratio` below the target is raised, one more than `lower_above_ratio` above it is lowered; between the two it
stays, so nothing flaps. A link without a limit is given one. Nothing is said on less than `least_days` of history:
a limit set after some hours cuts the week's peaks off. For an office the calendar is its working hours: over 24 hours
the 95th percentile would behave like about the 78th of office time.

Parameters: `least_days` (7), `headroom_ratio` (0.25), `raise_above_ratio` (0.2), `lower_above_ratio` (0.2).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bwmgr.measure.demand import Demand, demand_of
from bwmgr.model.bandwidth import Bandwidth
from bwmgr.model.decision import Action, Reason
from bwmgr.model.inventory import Direction, Link
from bwmgr.model.policy import PolicyInput, Proposal
from policies.selection import observed_days

NAME = "right_size"


@dataclass(frozen=True, kw_only=True)
class Parameters:
    least_days: float = 7.0
    """Shorter history says nothing: a week has days of all kinds."""
    headroom_ratio: float = 0.25
    """Kept free above the demand."""
    raise_above_ratio: float = 0.2
    """Raise when the target exceeds the limit by more than this share of it."""
    lower_above_ratio: float = 0.2
    """Lower when the target is below the limit by more than this share of it."""


def propose(given: PolicyInput, parameters: Parameters) -> Iterator[Proposal]:
    """A limit for every link and direction whose present one does not fit."""
    for link, direction, window, current in given.links():
        demand = demand_of(given, link.id, direction)
        if demand is None or observed_days(window) < parameters.least_days:
            continue
        target = demand.rate_bps * (1 + parameters.headroom_ratio)
        action = _action(target, current, parameters)
        if action is not None:
            yield Proposal(
                link=link.id,
                direction=direction,
                action=action,
                reason=_reason(link, direction, current, demand, action),
                mir_bps=target,
                demand_bps=demand.rate_bps,
                more={**demand.evidence(), "headroom_ratio": parameters.headroom_ratio, "target_bps": target},
            )


def _action(target_bps: float, current: Bandwidth, parameters: Parameters) -> Action | None:
    if current.mir_bps is None:
        return Action.LOWER
    if target_bps > current.mir_bps * (1 + parameters.raise_above_ratio):
        return Action.RAISE
    return Action.LOWER if target_bps < current.mir_bps * (1 - parameters.lower_above_ratio) else None


def _reason(link: Link, direction: Direction, current: Bandwidth, demand: Demand, action: Action) -> Reason:
    values: dict[str, str | int | float] = {
        "link_name": link.name,
        "direction": str(direction),
        "limit_bps": current.mir_bps or 0,
        "demand_bps": demand.rate_bps,
        "low_bps": demand.low_bps,
        "high_bps": demand.high_bps or demand.rate_bps,
    }
    if current.mir_bps is None:
        return Reason(
            code="right_size",
            message="{link_name} has no {direction} limit and needs about {demand_bps}: limit it to {proposed_bps}.",
            values=values,
        )
    if action is Action.RAISE:
        return _raise(demand, values)
    return Reason(
        code="right_size",
        message="{link_name} needs only about {demand_bps} of {direction}, its limit is {limit_bps}: lower to {proposed_bps}.",
        values=values,
    )


def _raise(demand: Demand, values: dict[str, str | int | float]) -> Reason:
    """A sentence that says how the demand is known."""
    if demand.kind == "at least":
        return Reason(
            code="right_size",
            message="{link_name} needs at least {low_bps} of {direction}, how much more nobody can tell; its limit is "
            "{limit_bps}: try {proposed_bps}.",
            values=values,
        )
    if demand.kind == "estimated":
        return Reason(
            code="right_size",
            message="{link_name} needs between {low_bps} and {high_bps} of {direction} (estimated), its limit is {limit_bps}: "
            "raise to {proposed_bps}.",
            values=values,
        )
    return Reason(
        code="right_size",
        message="{link_name} needs {demand_bps} of {direction} (measured), its limit is {limit_bps}: raise to {proposed_bps}.",
        values=values,
    )
