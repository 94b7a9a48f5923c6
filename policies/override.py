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
            yield ordered(
                given,
                order,
                "{by} fixed the {direction} limit of {link_name} at {proposed_bps}: no policy changes it.",
                "{by} fixed the {direction} limit of {link_name} at {proposed_bps} until {end_at}: no policy changes it.",
            )


def ordered(given: PolicyInput, order: Order, message: str, dated_message: str) -> Proposal:
    """An order as a proposal, said in one of two sentences."""
    usual = given.current[order.link][order.direction].mir_bps
    values: dict[str, str | int | float] = {
        "by": order.by,
        "link_name": given.inventory.links[order.link].name,
        "direction": str(order.direction),
    }
    if order.end is not None:
        values["end_at"] = order.end.isoformat()
    return Proposal(
        link=order.link,
        direction=order.direction,
        action=Action.RAISE if usual is not None and order.mir_bps > usual else Action.LOWER,
        reason=Reason(code=order.kind, message=message if order.end is None else dated_message, values=values),
        mir_bps=order.mir_bps,
        exact=True,
        start=order.start,
        end=order.end,
        more={"note": order.note, "ordered_by": order.by},
    )
