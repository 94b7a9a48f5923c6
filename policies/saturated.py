"""saturated: a link that its own limit holds back gets more.

A link that spent at least `saturated_ratio` of the covered time of its calendar at its limit (95 % of it or more) is raised to
its demand, the middle of the interval that its samples give (docs/method-demand.md). Above 30 % of the time usage no longer tells
how much more would be used: the sentence then says "at least", and the figure is a probe of 1.25 times the limit, to be measured
again. No step is larger than `most_raised_ratio` of the limit.

Parameters: `saturated_ratio` (0.05), `most_raised_ratio` (1.0: at most doubled).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bwmgr.measure.demand import Demand, demand_of
from bwmgr.model.decision import Action, Reason
from bwmgr.model.inventory import Direction, Link
from bwmgr.model.policy import PolicyInput, Proposal

NAME = "saturated"


@dataclass(frozen=True, kw_only=True)
class Parameters:
    saturated_ratio: float = 0.05
    """Share of the covered time at the limit from which on a link counts as saturated."""
    most_raised_ratio: float = 1.0
    """The largest step, as a share of the limit."""


def propose(given: PolicyInput, parameters: Parameters) -> Iterator[Proposal]:
    """A raise for every link and direction that its limit holds back."""
    for link, direction, window, current in given.links():
        share, demand = window.saturated_ratio, demand_of(given, link.id, direction)
        if current.mir_bps is None or share is None or demand is None or share < parameters.saturated_ratio:
            continue
        yield Proposal(
            link=link.id,
            direction=direction,
            action=Action.RAISE,
            reason=_reason(link, direction, current.mir_bps, share, demand),
            mir_bps=min(demand.rate_bps, current.mir_bps * (1 + parameters.most_raised_ratio)),
            demand_bps=demand.rate_bps,
            more={**demand.evidence(), "mean_bps": window.mean_bps},
        )


def _reason(link: Link, direction: Direction, limit_bps: int, share: float, demand: Demand) -> Reason:
    values: dict[str, str | int | float] = {
        "link_name": link.name,
        "direction": str(direction),
        "limit_bps": limit_bps,
        "saturated_ratio": share,
        "demand_bps": demand.rate_bps,
        "low_bps": demand.low_bps,
        "high_bps": demand.high_bps or demand.rate_bps,
        "calendar_name": link.calendar,
    }
    if demand.kind == "at least":
        return Reason(
            code="saturated",
            message="{link_name} reached its {limit_bps} {direction} limit {saturated_ratio} of the time ({calendar_name}); "
            "it would use at least {low_bps}, how much more nobody can tell: try {proposed_bps} for three comparable busy hours.",
            values=values,
        )
    if demand.kind == "estimated":
        return Reason(
            code="saturated",
            message="{link_name} reached its {limit_bps} {direction} limit {saturated_ratio} of the time ({calendar_name}); "
            "it would use between {low_bps} and {high_bps} (estimated): raise to {proposed_bps}.",
            values=values,
        )
    return Reason(
        code="saturated",
        message="{link_name} reached its {limit_bps} {direction} limit {saturated_ratio} of the time ({calendar_name}); "
        "it would use {demand_bps} (measured): raise to {proposed_bps}.",
        values=values,
    )
