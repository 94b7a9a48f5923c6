"""quota: fair use of a month.

A link whose download and upload since the first of the local month exceed `quota_gigabytes` (10^9 octets) is limited to
`fair_use_ratio` of its usual limit, never below its guarantee, until the month ends; then its old limit comes back (policy
`restore`). The figure is what the counters saw; gaps are not made up for, so the quota is rather reached late.

Parameters: `quota_gigabytes` (0: none), `fair_use_ratio` (0.5), `links`, `kinds`, `classes`, `except_links`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from bwmgr.measure.calendars import month
from bwmgr.model.decision import Action, Reason
from bwmgr.model.inventory import Direction, Link
from bwmgr.model.policy import PolicyInput, Proposal
from policies.selection import chosen

NAME = "quota"
_GIGABYTE = 10**9


@dataclass(frozen=True, kw_only=True)
class Parameters:
    quota_gigabytes: float = 0.0
    """Download and upload together in a month, 10^9 octets; 0: no quota."""
    fair_use_ratio: float = 0.5
    """What is left of the limit for the rest of the month."""
    links: tuple[str, ...] = ()
    """Only these links; none: all."""
    kinds: tuple[str, ...] = ()
    """Only links of these kinds; none: all."""
    classes: tuple[str, ...] = ()
    """Only links of these classes; none: all."""
    except_links: tuple[str, ...] = ()
    """Not these."""


def uses_month(parameters: Parameters) -> bool:
    """Whether `PolicyInput.month` is needed: it costs a reading of the month."""
    return parameters.quota_gigabytes > 0


def propose(given: PolicyInput, parameters: Parameters) -> Iterator[Proposal]:
    """A lower limit until the end of the month for every link over its quota."""
    if not uses_month(parameters):
        return
    local = given.now.astimezone(ZoneInfo(given.inventory.organisation.timezone))
    _, end = month(given.inventory.organisation.timezone, local.year, local.month)
    links = chosen(
        given.inventory,
        links=parameters.links,
        kinds=parameters.kinds,
        classes=parameters.classes,
        except_links=parameters.except_links,
    )
    for link in links:
        used = sum(window.octets for window in given.month.get(link.id, {}).values())
        if used > parameters.quota_gigabytes * _GIGABYTE:
            for direction in Direction:
                usual = given.usual_mir((link.id, direction))
                if usual is not None:
                    yield _slower(link, direction, usual, used, end, parameters)


def _slower(link: Link, direction: Direction, usual_bps: int, used: int, end: datetime, parameters: Parameters) -> Proposal:
    return Proposal(
        link=link.id,
        direction=direction,
        action=Action.LOWER,
        reason=Reason(
            code="quota",
            message="{link_name} used {used_octets} of the {quota_octets} that are fair in a month: {proposed_bps} of "
            "{direction} until {end_at}.",
            values={
                "link_name": link.name,
                "direction": str(direction),
                "used_octets": used,
                "quota_octets": parameters.quota_gigabytes * _GIGABYTE,
                "end_at": end.isoformat(),
            },
        ),
        mir_bps=max(usual_bps * parameters.fair_use_ratio, link.cir[direction]),
        exact=True,
        end=end,
        more={"used_octets": used, "quota_octets": parameters.quota_gigabytes * _GIGABYTE},
    )
