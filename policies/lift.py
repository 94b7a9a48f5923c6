"""lift: more for a while, "until 17:00".

`bwmgr lift LINK --down 50M --until 17:00` makes one. Within the link's MIR, and no more than the tree carries beside what others
use and are guaranteed. At its end the limit of before comes back (policy `restore`).

No parameters.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bwmgr.model.decision import Reason
from bwmgr.model.policy import PolicyInput, Proposal
from policies.override import order_values, ordered

NAME = "lift"


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """None."""


def propose(given: PolicyInput, parameters: Parameters) -> Iterator[Proposal]:
    """The limit of every lift that has not ended."""
    for order in given.orders:
        if order.kind == "lift" and order.link in given.inventory.links:
            reason = Reason(
                code="lift",
                message="{by} asked for {proposed_bps} of {direction} for {link_name} until {end_at}.",
                values=order_values(given, order),
            )
            yield ordered(given, order, reason)
