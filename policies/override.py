"""override: a limit that a person fixed, above all policies.

`bwmgr override LINK --down RATE` makes one. While it lasts no policy changes the link's limit in that direction; only repairs are
still reported. It is recommended and approved like any other change, its author being the person who asked.

No parameters.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bwmgr.model.decision import Action, Reason
from bwmgr.model.policy import Order, PolicyInput, Proposal

NAME = "override"


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """None."""


def propose(given: PolicyInput, parameters: Parameters) -> Iterator[Proposal]:
    """The limit of every override that has not ended."""
    for order in given.orders:
        if order.kind == "override" and order.link in given.inventory.links:
            yield ordered(given, order, _reason(given, order))


def ordered(given: PolicyInput, order: Order, reason: Reason) -> Proposal:
    """An order as a proposal."""
    usual = given.current[order.link][order.direction].mir_bps
    return Proposal(
        link=order.link,
        direction=order.direction,
        action=Action.RAISE if usual is not None and order.mir_bps > usual else Action.LOWER,
        reason=reason,
        mir_bps=order.mir_bps,
        exact=True,
        start=order.start,
        end=order.end,
        more={"note": order.note, "ordered_by": order.by},
    )


def order_values(given: PolicyInput, order: Order) -> dict[str, str | int | float]:
    """What a sentence about an order says of it."""
    values: dict[str, str | int | float] = {
        "by": order.by,
        "link_name": given.inventory.links[order.link].name,
        "direction": str(order.direction),
    }
    return values if order.end is None else {**values, "end_at": order.end.isoformat()}


def _reason(given: PolicyInput, order: Order) -> Reason:
    values = order_values(given, order)
    if order.end is None:
        return Reason(
            code="override",
            message="{by} fixed the {direction} limit of {link_name} at {proposed_bps}: no policy changes it.",
            values=values,
        )
    return Reason(
        code="override",
        message="{by} fixed the {direction} limit of {link_name} at {proposed_bps} until {end_at}: no policy changes it.",
        values=values,
    )
