"""event: a dated reservation, promised only if it can be kept in every minute.

Each link of an event is to have the event's rate, guaranteed, from its start to its end. What it can have is the largest
figure that fits at every node above it beside the CIRs of all other links and the events listed before it that overlap; it
changes only where an event begins or ends, so these instants are all that need looking at. Where it is less than asked, the
sentence says so. Those links whose measured demand would then not be met are named (`squeezed`).

From `ahead_seconds` on there is a recommendation, said anew at 30, 7 and 1 days before the start (`event_t30`, `event_t7`,
`event_t1`), with what the link has been measured to carry beside what is promised: the difference is still to be built.

Parameters: `ahead_seconds` (30d).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from bwmgr.allocate import allocate
from bwmgr.allocate.tree import capacity_leaf, capacity_nodes, link_of
from bwmgr.measure.demand import demand_of
from bwmgr.model.bandwidth import CapacityLeaf
from bwmgr.model.decision import Action, Reason
from bwmgr.model.inventory import Direction, Event, ServiceClass
from bwmgr.model.policy import PolicyInput, Proposal

NAME = "event"
_STAGES = ((1, "event_t1"), (7, "event_t7"), (30, "event_t30"))

Granted = Mapping[str, Mapping[str, float]]
"""Event -> link -> bit/s."""


@dataclass(frozen=True, kw_only=True)
class Parameters:
    ahead_seconds: float = 30 * 86400.0
    """So long before it begins an event is planned."""


def propose(given: PolicyInput, parameters: Parameters) -> Iterator[Proposal]:
    """A reservation for each link and direction of the events that are on or to come."""
    events = [event for event in given.inventory.events.values() if event.end > given.now]
    for direction in Direction:
        granted: dict[str, Mapping[str, float]] = {}
        for event in events:
            rate = event.down_bps if direction is Direction.DOWN else event.up_bps
            if not rate:
                continue
            granted[event.id] = largest(
                given, event, rate, direction, [known for known in events if known.id in granted], granted
            )
            if (event.start - given.now).total_seconds() <= parameters.ahead_seconds:
                yield from _reservations(given, event, rate, direction, granted)


def largest(
    given: PolicyInput, event: Event, rate_bps: float, direction: Direction, before: list[Event], granted: Granted
) -> Mapping[str, float]:
    """Link -> what is feasible in every minute of the event beside all CIRs and the events before it."""
    moments = {event.start} | {other.start for other in before if event.start < other.start < event.end}
    found = [_at(given, event, rate_bps, direction, before, granted, moment) for moment in sorted(moments)]
    return {link: float(int(min(rates[link] for rates in found))) for link in event.links}


def _at(
    given: PolicyInput,
    event: Event,
    rate_bps: float,
    direction: Direction,
    before: list[Event],
    granted: Granted,
    moment: datetime,
) -> Mapping[str, float]:
    promised = _promised(before, granted, moment)
    leaves = []
    for link in given.inventory.links.values():
        has = max(float(link.cir[direction]), promised.get(link.id, 0.0))
        wants, ceiling = has, link.mir[direction]
        if link.id in event.links:
            wants = max(rate_bps if ceiling is None else min(rate_bps, ceiling), has)
        leaves.append(capacity_leaf(link, wants_bps=wants, has_bps=min(has, wants)))
    return _shared(given, direction, leaves)


def _promised(events: list[Event], granted: Granted, moment: datetime) -> dict[str, float]:
    """What other events have at that instant, by link."""
    found: dict[str, float] = {}
    for event in events:
        if event.start <= moment < event.end:
            for link, rate in granted.get(event.id, {}).items():
                found[link] = max(found.get(link, 0.0), rate)
    return found


def _squeezed(given: PolicyInput, event: Event, direction: Direction, rates: Mapping[str, float]) -> list[str]:
    """Links whose demand would not be met beside the reservation."""
    leaves, demands = list[CapacityLeaf](), dict[str, float]()
    for link in given.inventory.links.values():
        if link.id in event.links:
            leaves.append(capacity_leaf(link, wants_bps=rates[link.id], has_bps=rates[link.id], first=ServiceClass.CRITICAL))
            continue
        current, demand = given.current[link.id][direction], demand_of(given, link.id, direction)
        demands[link.id] = float(current.cir_bps) if demand is None else demand.rate_bps
        wants = min(demands[link.id], current.mir_bps or demands[link.id])
        demands[link.id] = wants
        leaves.append(capacity_leaf(link, wants_bps=wants, has_bps=min(float(link.cir[direction]), wants)))
    found = _shared(given, direction, leaves)
    return [link for link, demand in demands.items() if found[link] < 0.99 * demand]


def _shared(given: PolicyInput, direction: Direction, leaves: list[CapacityLeaf]) -> Mapping[str, float]:
    nodes = [replace(node, cir_bps=0.0) for node in capacity_nodes(given.inventory, direction)]
    return {link_of(entry.id): entry.allocation_bps for entry in allocate(nodes, leaves).allocations}


def _reservations(
    given: PolicyInput, event: Event, rate_bps: float, direction: Direction, granted: Granted
) -> Iterator[Proposal]:
    rates = granted[event.id]
    squeezed = _squeezed(given, event, direction, rates)
    days = (event.start - given.now).total_seconds() / 86400
    stage = next((code for most, code in _STAGES if days <= most), "event")
    for link in event.links:
        window = given.usage.get(link, {}).get(direction)
        measured = None if window is None else window.max_bps
        yield Proposal(
            link=link,
            direction=direction,
            action=Action.RESERVE,
            reason=_reason(given, event, link, direction, stage, rate_bps, rates[link], measured),
            mir_bps=max(rates[link], given.usual_mir((link, direction)) or 0),
            cir_bps=int(rates[link]),
            exact=True,
            start=event.start,
            end=event.end,
            more={
                "event": event.id,
                "asked_bps": rate_bps,
                "feasible_bps": rates[link],
                "measured_max_bps": measured,
                "missing_bps": max(rate_bps - (measured or 0.0), 0.0),
                "squeezed": ", ".join(squeezed),
            },
        )


def _reason(
    given: PolicyInput,
    event: Event,
    link: str,
    direction: Direction,
    stage: str,
    asked_bps: float,
    feasible_bps: float,
    measured_bps: float | None,
) -> Reason:
    values: dict[str, str | int | float] = {
        "event_name": event.id,
        "link_name": given.inventory.links[link].name,
        "direction": str(direction),
        "asked_bps": asked_bps,
        "reserved_bps": feasible_bps,
        "start_at": event.start.isoformat(),
        "end_at": event.end.isoformat(),
        "measured_bps": measured_bps or 0.0,
        "missing_bps": max(asked_bps - (measured_bps or 0.0), 0.0),
    }
    if feasible_bps < asked_bps - 1:
        return Reason(
            code=stage,
            message="{event_name}: of the {asked_bps} of {direction} asked for {link_name} from {start_at} to {end_at} only "
            "{reserved_bps} can be kept in every minute.",
            values=values,
        )
    return Reason(
        code=stage,
        message="{event_name}: reserve {reserved_bps} of {direction} for {link_name} from {start_at} to {end_at}; measured there "
        "so far: at most {measured_bps}, {missing_bps} to go.",
        values=values,
    )
