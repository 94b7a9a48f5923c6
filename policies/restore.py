"""restore: what was only lent is given back, to the bit/s.

A limit that an event, a lift, a schedule or a quota set for some time goes back to what it was when that time is over: the figure
stands in the evidence of the change that set it (`restore_mir_bps`). A change without an end is never turned back.

No parameters.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bwmgr.model.decision import Action, Reason
from bwmgr.model.inventory import Direction
from bwmgr.model.policy import RESTORE_BPS, PolicyInput, Proposal

NAME = "restore"


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """None."""


def propose(given: PolicyInput, parameters: Parameters) -> Iterator[Proposal]:
    """The limit of before for every link and direction whose borrowed one is over its time."""
    for link in given.inventory.links.values():
        for direction in Direction:
            setter, lent = given.set_by.get((link.id, direction)), given.lent((link.id, direction))
            if setter is None or lent is None or setter.valid_until > given.now:
                continue
            yield Proposal(
                link=link.id,
                direction=direction,
                action=Action.RESTORE,
                reason=Reason(
                    code="restore",
                    message="What {policy_name} set for {link_name} ended {end_at}: its {direction} limit goes back to "
                    "{proposed_bps}.",
                    values={
                        "policy_name": setter.policy,
                        "link_name": link.name,
                        "direction": str(direction),
                        "end_at": setter.valid_until.isoformat(),
                    },
                ),
                mir_bps=lent,
                cir_bps=link.cir[direction],
                exact=True,
                more={"set_by": setter.id, RESTORE_BPS: lent},
            )
