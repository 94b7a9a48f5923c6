"""schedule: another limit while a calendar is open, and the old one exactly afterwards.

Capacity moves from offices to public WiFi at weekends (two entries, `factor_ratio` 0.5 and 2), public WiFi is off from 20:00
but for health services (`off: true` with `except_links`). One entry of the configuration is one rule; the first rule for a link
and time stands. Each open time of the calendar is one change, from its first second to its last, proposed `ahead_seconds`
before it begins. What a rule raises is cut to what the tree carries. Applied, it is given back at the end by policy `restore`.

Parameters: `calendar` (needed), `off` (false), `limit_bps` or `factor_ratio` (1), `links`, `kinds`, `classes`,
`except_links`, `ahead_seconds` (1d).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from bwmgr.measure.calendars import spans
from bwmgr.model.decision import Action, Reason
from bwmgr.model.inventory import Direction, Link
from bwmgr.model.policy import PolicyInput, Proposal
from policies.selection import chosen

NAME = "schedule"
_LONGEST = timedelta(days=8)
"""Open times are looked for so far around now: no weekly calendar has a longer one that ends."""


@dataclass(frozen=True, kw_only=True)
class Parameters:
    NEEDED: ClassVar = frozenset({"calendar"})
    """Parameters without which an entry would do nothing: the configuration refuses it then."""
    calendar: str = ""
    """The calendar during whose open time the rule holds; needed."""
    off: bool = False
    """No traffic at all: limit and guarantee are 0."""
    limit_bps: int = 0
    """The limit in that time; 0: by `factor_ratio`."""
    factor_ratio: float = 1.0
    """The limit in that time as a multiple of the usual one."""
    links: tuple[str, ...] = ()
    """Only these links; none: all."""
    kinds: tuple[str, ...] = ()
    """Only links of these kinds; none: all."""
    classes: tuple[str, ...] = ()
    """Only links of these classes; none: all."""
    except_links: tuple[str, ...] = ()
    """Not these."""
    ahead_seconds: float = 86400.0
    """So long before it begins a change is proposed."""


def propose(given: PolicyInput, parameters: Parameters) -> Iterator[Proposal]:
    """One change a link and direction for each open time that has begun or is about to."""
    calendar = given.inventory.calendars.get(parameters.calendar)
    if calendar is None:
        return
    until = given.now + timedelta(seconds=parameters.ahead_seconds)
    times = spans(calendar, given.inventory.organisation.timezone, given.now - _LONGEST, until + _LONGEST).tolist()
    due = [(_instant(start), _instant(end)) for start, end in times if _instant(end) > given.now and _instant(start) <= until]
    links = chosen(
        given.inventory,
        links=parameters.links,
        kinds=parameters.kinds,
        classes=parameters.classes,
        except_links=parameters.except_links,
    )
    for link in links:
        for direction in Direction:
            for start, end in due:
                if (proposal := _change(given, parameters, link, direction, start, end)) is not None:
                    yield proposal


def _change(
    given: PolicyInput, parameters: Parameters, link: Link, direction: Direction, start: datetime, end: datetime
) -> Proposal | None:
    usual = given.usual_mir((link.id, direction))
    wanted = _limit(parameters, usual)
    if wanted is None or wanted == usual:
        return None
    return Proposal(
        link=link.id,
        direction=direction,
        action=Action.RAISE if usual is not None and wanted > usual else Action.LOWER,
        reason=_reason(parameters, link, direction, start, end),
        mir_bps=wanted,
        cir_bps=min(link.cir[direction], wanted),
        exact=True,
        start=start,
        end=end,
        more={"calendar": parameters.calendar, "factor_ratio": parameters.factor_ratio},
    )


def _reason(parameters: Parameters, link: Link, direction: Direction, start: datetime, end: datetime) -> Reason:
    values: dict[str, str | int | float] = {
        "link_name": link.name,
        "direction": str(direction),
        "start_at": start.isoformat(),
        "end_at": end.isoformat(),
        "calendar_name": parameters.calendar,
    }
    if parameters.off:
        return Reason(
            code="off", message="{link_name} is off ({direction}) from {start_at} to {end_at} ({calendar_name}).", values=values
        )
    return Reason(
        code="schedule",
        message="{link_name} has {proposed_bps} of {direction} from {start_at} to {end_at} ({calendar_name}).",
        values=values,
    )


def _limit(parameters: Parameters, usual_bps: int | None) -> int | None:
    if parameters.off:
        return 0
    if parameters.limit_bps:
        return parameters.limit_bps
    return None if usual_bps is None else round(usual_bps * parameters.factor_ratio)


def _instant(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)
