"""Changes with a date: orders of people, events, schedules, and what is given back after them.

Owns which of them stands where several want one link at one time, and that what they raise fits the tree. Precedence is the order
of the policies: a manual override, an event, a lift, a schedule, and last what only gives back. Guards of size and calm do not
apply: these are promises to the minute and to the bit/s; ceiling, guarantee of others and capacity do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from bwmgr.engine.arbitration import Settled
from bwmgr.engine.guards import Guards, link_values, rounded_down
from bwmgr.engine.records import recommendation
from bwmgr.engine.tree import carried, loads
from bwmgr.model.bandwidth import Allocation, Bandwidth
from bwmgr.model.decision import Action, Reason, Recommendation
from bwmgr.model.inventory import Direction
from bwmgr.model.policy import ENDS_AT, RESTORE_BPS, Key, PolicyInput, Proposal

_PROMISED = {Action.RESERVE, Action.RESTORE}
"""What is kept to the bit/s: an event's policy has looked at the tree itself, and what was lent is given back."""
_FOR_EVER = datetime.max.replace(tzinfo=UTC)

Standing = Mapping[Key, Sequence[Settled]]


def without_overlaps(now: datetime, proposals: Sequence[tuple[str, Proposal]]) -> dict[Key, list[Settled]]:
    """Of proposals that want the same link and direction at the same time the first in the policies' order stands."""
    standing: dict[Key, list[Settled]] = {}
    for policy, proposal in proposals:
        entries = standing.setdefault((proposal.link, proposal.direction), [])
        rival = next((at for at, entry in enumerate(entries) if _overlap(now, entry.proposal, proposal)), None)
        if rival is None:
            entries.append(Settled(policy=policy, proposal=proposal))
        else:
            lost = (*entries[rival].overruled, f"{policy}: {proposal.action}")
            entries[rival] = replace(entries[rival], overruled=lost)
    return standing


def in_effect(proposal: Proposal, now: datetime) -> bool:
    """Whether its time has come."""
    return proposal.start is None or proposal.start <= now


def taken(given: PolicyInput, entry: Settled) -> Reason:
    """Why other policies leave the link alone while this one has it."""
    link = given.inventory.links[entry.proposal.link]
    values = {**link_values(link, entry.proposal.direction), "policy_name": entry.policy}
    if entry.proposal.end is None:
        return Reason(
            code="temporary", message="The {direction} limit of {link_name} is set by {policy_name}: left alone.", values=values
        )
    return Reason(
        code="temporary",
        message="The {direction} limit of {link_name} is set by {policy_name} until {end_at}: left alone until then.",
        values={**values, "end_at": entry.proposal.end.isoformat()},
    )


def fitting(given: PolicyInput, guards: Guards, standing: Standing) -> Iterator[Settled]:
    """What is not in force already, raises cut to what the tree carries beside all others of the same time."""
    groups: dict[tuple[Direction, datetime], dict[str, Settled]] = {}
    for (link, direction), entries in standing.items():
        for entry in entries:
            groups.setdefault((direction, entry.proposal.start or given.now), {})[link] = entry
    for (direction, _), entries_by_link in sorted(groups.items(), key=lambda group: (group[0][1], group[0][0])):
        yield from _fitting_at_once(given, guards, direction, entries_by_link)


def dated_recommendation(given: PolicyInput, entry: Settled, valid_seconds: float, author: str) -> Recommendation:
    """With the limit that it gives back afterwards, and with what gave way to it."""
    proposal = entry.proposal
    mir_bps = None if proposal.mir_bps is None else round(proposal.mir_bps)
    values = {**proposal.reason.values, "proposed_bps": mir_bps or 0}
    more = dict(proposal.more)
    if proposal.end is not None:
        more[RESTORE_BPS] = given.usual_mir((proposal.link, proposal.direction))
        more[ENDS_AT] = proposal.end.isoformat()
    if entry.overruled:
        more["overruled"] = ", ".join(entry.overruled)
    said = replace(proposal, reason=replace(proposal.reason, values=values), more=more)
    asker = proposal.more.get("ordered_by")
    return recommendation(given, entry.policy, said, mir_bps, valid_seconds, author if asker is None else str(asker))


def _fitting_at_once(
    given: PolicyInput, guards: Guards, direction: Direction, entries: Mapping[str, Settled]
) -> Iterator[Settled]:
    wanted = {link: _within(given, entry.proposal) for link, entry in entries.items() if entry.proposal.action not in _PROMISED}
    load = loads(given, direction, wanted, guards.load_margin_ratio)
    carries = carried(given, direction, wanted, load)
    for link, entry in entries.items():
        proposal, current = entry.proposal, given.current[link][direction]
        fitted = replace(proposal, mir_bps=wanted.get(link, _within(given, proposal)))
        if entry.policy != "override" and link in carries and carries[link].allocation_bps < wanted[link]:
            fitted = _cut(proposal, carries[link], current)
        if fitted.mir_bps != current.mir_bps or (proposal.cir_bps not in (None, current.cir_bps)):
            yield replace(entry, proposal=fitted)


def _cut(proposal: Proposal, carried_part: Allocation, current: Bandwidth) -> Proposal:
    """What the tree carries of it, never less than there is, with the node that binds."""
    more = {**proposal.more, "asked_bps": proposal.mir_bps, "tree_node": carried_part.bottleneck}
    return replace(proposal, mir_bps=max(rounded_down(carried_part.allocation_bps), current.mir_bps or 0), more=more)


def _within(given: PolicyInput, proposal: Proposal) -> int:
    """At most what the medium carries; at least the guarantee, unless the proposal sets that too."""
    link = given.inventory.links[proposal.link]
    ceiling, floor = link.mir[proposal.direction], proposal.cir_bps
    wanted = round(proposal.mir_bps or 0)
    least = given.current[link.id][proposal.direction].cir_bps if floor is None else floor
    return max(wanted if ceiling is None else min(wanted, ceiling), least)


def _overlap(now: datetime, one: Proposal, other: Proposal) -> bool:
    return (one.start or now) < (other.end or _FOR_EVER) and (other.start or now) < (one.end or _FOR_EVER)
