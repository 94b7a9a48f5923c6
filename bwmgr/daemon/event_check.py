"""`events`: is a reservation admitted, is the place ready for it, how does it run, what came of it.

Owns what is looked at in each of the three times (before, during, after) and the findings of readiness. What is feasible is the
policy `event`'s word, as of now or, once it has begun, as of its start; what was delivered is `bwmgr.measure.reservation`'s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from bwmgr.daemon.advice import gather
from bwmgr.daemon.event_findings import EventFinding, findings
from bwmgr.daemon.outage_history import gather as gather_outages
from bwmgr.daemon.policy_registry import policy_modules
from bwmgr.errors import UsageError
from bwmgr.measure.columns import Rows
from bwmgr.measure.reservation import COLUMNS, Delivered, delivered, starved_seconds
from bwmgr.model.decision import Recommendation
from bwmgr.model.inventory import Direction, Event
from bwmgr.model.policy import Proposal
from bwmgr.model.said import Said
from bwmgr.stores import LINK_RATE

if TYPE_CHECKING:
    from bwmgr.daemon.application import Application
    from bwmgr.daemon.status import LinkStatus
    from bwmgr.model.service import Outage
    from bwmgr.model.usage import UsageWindow

BEFORE = timedelta(days=28)
"""What a link has been measured to carry is looked up over so long before the event."""
COMPLETE = 0.99
"""From this share of an event's time measured on, it can be said that a promise was kept."""
Proposals = dict[datetime, list[Proposal]]
"""By instant, what the policy said of all events then."""
_MOMENT = timedelta(milliseconds=1)
_STAGES = ((30, "T-30"), (7, "T-7"), (1, "T-1"))


class Phase(StrEnum):
    BEFORE = "before"
    ON = "on"
    OVER = "over"


class Verdict(StrEnum):
    """Of a promise, so far or in the end."""

    KEPT = "met"
    BROKEN = "not met"
    UNKNOWN = "not enough data"


@dataclass(frozen=True, kw_only=True)
class Reserved:
    """One link and direction of an event; rates in bit/s."""

    link: str
    name: str
    direction: Direction
    asked_bps: int
    feasible_bps: int
    """The most that can be kept in every minute, beside all guarantees and earlier events."""
    squeezed: tuple[str, ...]
    """Links whose measured demand is not met beside it."""
    recommendation: Recommendation | None
    usage: UsageWindow | None
    """Of the four weeks before, around the clock."""
    now: LinkStatus | None
    limit_bps: float | None
    """In force: as the newest reading says, else as configured; None: unlimited."""
    outages: tuple[Outage, ...]
    """Of the week before and of the event itself."""
    delivered: Delivered | None = None
    elapsed_seconds: float = 0.0

    @property
    def admitted(self) -> bool:
        return self.feasible_bps >= self.asked_bps - 1

    @property
    def measured_bps(self) -> float | None:
        return self.usage.max_bps if self.usage else None

    @property
    def missing_bps(self) -> int:
        """Of what was asked for, what was never measured there."""
        return max(self.asked_bps - round(self.measured_bps or 0), 0)

    @property
    def coverage_ratio(self) -> float:
        """Share of the event so far of which something is known."""
        if self.delivered is None or not self.elapsed_seconds:
            return 0.0
        return min(self.delivered.known_seconds / self.elapsed_seconds, 1.0)

    @property
    def verdict(self) -> Verdict | None:
        if self.delivered is None:
            return None
        if self.delivered.shortfall_seconds > 0:
            return Verdict.BROKEN
        return Verdict.KEPT if self.coverage_ratio >= COMPLETE else Verdict.UNKNOWN


@dataclass(frozen=True, kw_only=True)
class EventCheck:
    event: Event
    at: datetime
    phase: Phase
    stage: str
    """`planned`, `T-30`, `T-7`, `T-1`; empty once it has begun."""
    reserved: tuple[Reserved, ...]
    findings: tuple[EventFinding, ...]
    starved: Mapping[str, float]
    """Neighbours under the same roots that were refused their guarantee in it, and for how many seconds."""

    @property
    def ready(self) -> bool:
        """Nothing is left but what has to be done in time."""
        return all(one.severity == "info" for one in self.findings)


def phase_of(event: Event, now: datetime) -> Phase:
    return Phase.BEFORE if now < event.start else Phase.ON if now < event.end else Phase.OVER


def stage_of(event: Event, now: datetime) -> str:
    """Which of the looks before an event is due."""
    days = (event.start - now).total_seconds() / 86400
    if days <= 0:
        return ""
    return next((name for most, name in reversed(_STAGES) if days <= most), "planned")


def choose_events(application: Application, names: Sequence[str]) -> list[Event]:
    """These, or all. Raises: UsageError."""
    known = application.inventory.events
    for name in names:
        if name not in known:
            raise UsageError(
                Said(
                    "no event {name!r} in the configuration; there are {known}", name=name, known=", ".join(known) or Said("none")
                )
            )
    return [known[name] for name in names] if names else list(known.values())


def check_events(
    application: Application, events: Sequence[Event], now: datetime, proposals: Proposals | None = None
) -> tuple[EventCheck, ...]:
    """As of `now`, in the order given. `proposals`: what earlier looks found, and this one adds to."""
    checking = _Checking(application, now, {} if proposals is None else proposals)
    return tuple(checking.check(event) for event in events)


class _Checking:
    def __init__(self, application: Application, now: datetime, proposals: Proposals) -> None:
        self.application, self.inventory, self.now, self.proposals = application, application.inventory, now, proposals
        newest = application.status().links if now >= application.clock.now() else ()
        self.status = {link.id: link for link in newest if link.at is None or link.at <= now}
        self.known = application.state.recommendations()
        self.outages: dict[tuple[str, str], tuple[Outage, ...]] = {}

    def check(self, event: Event) -> EventCheck:
        phase = phase_of(event, self.now)
        reserved = tuple(self._reserved(event, way, link) for way, _ in _asked(event) for link in event.links)
        if phase is not Phase.BEFORE:
            reserved = self._with_delivery(event, reserved)
        stage = stage_of(event, self.now)
        found = findings(self.inventory, event, stage, reserved) if phase is Phase.BEFORE else ()
        starved = self._starved(event) if phase is not Phase.BEFORE else {}
        return EventCheck(event=event, at=self.now, phase=phase, stage=stage, reserved=reserved, findings=found, starved=starved)

    def _reserved(self, event: Event, way: Direction, link: str) -> Reserved:
        asked = dict(_asked(event))[way]
        proposal = next(
            one for one in self._proposed(min(self.now, event.start)) if one.more["event"] == event.id
            if one.link == link and one.direction is way
        )  # fmt: skip
        squeezed = str(proposal.more["squeezed"])
        start = min(self.now, event.start)
        windows = self.application.history.usage([link], start=start - BEFORE, end=start)
        return Reserved(
            link=link,
            name=self.inventory.links[link].name,
            direction=way,
            asked_bps=asked,
            feasible_bps=int(float(proposal.more["feasible_bps"] or 0)),
            squeezed=tuple(squeezed.split(", ")) if squeezed else (),
            recommendation=self._recommendation(event, way, link),
            usage=next((window for window in windows if window.direction is way and window.samples), None),
            now=self.status.get(link),
            limit_bps=self.status[link].limits[way] if link in self.status else self.inventory.links[link].limit[way],
            outages=self._outages(event, link),
        )

    def _proposed(self, at: datetime) -> list[Proposal]:
        """What the policy says of all events, as of an instant; asked once."""
        if at not in self.proposals:
            module = policy_modules()["event"]
            past = [entry for entry in self.known if entry.created_at <= at]
            given = gather(self.application, at, past)
            self.proposals[at] = list(module.propose(given, module.Parameters(ahead_seconds=float("inf"))))
        return self.proposals[at]

    def _recommendation(self, event: Event, way: Direction, link: str) -> Recommendation | None:
        """The newest of this event's; `known` is newest first."""
        mine = (entry for entry in self.known if entry.link == link and entry.direction is way and entry.policy == "event")
        return next((entry for entry in mine if entry.evidence.more.get("event") == event.id), None)

    def _outages(self, event: Event, link: str) -> tuple[Outage, ...]:
        if (event.id, link) not in self.outages:
            self.outages[event.id, link] = self._found_outages(event, link)
        return self.outages[event.id, link]

    def _found_outages(self, event: Event, link: str) -> tuple[Outage, ...]:
        start = min(self.now, event.start) - timedelta(days=7)
        end = min(self.now, event.end)
        if self.inventory.links[link].interface is None:
            return ()
        found = gather_outages(self.application, start, end, links=[link]).of(link)
        return tuple(outage for outage in found if outage.end > start and outage.start < end)

    def _with_delivery(self, event: Event, reserved: Sequence[Reserved]) -> tuple[Reserved, ...]:
        end = min(self.now, event.end)
        rows = self._rows(event, list(dict.fromkeys(one.link for one in reserved)))
        elapsed = (end - event.start).total_seconds()
        return tuple(
            replace(one, delivered=self._delivery(event, one, rows[one.link]), elapsed_seconds=elapsed) for one in reserved
        )

    def _delivery(self, event: Event, one: Reserved, rows: Rows) -> Delivered:
        """With silence while others answered counted as down too: nobody had anything then."""
        made = delivered(rows, one.direction, one.asked_bps)
        end = min(self.now, event.end)
        silent = sum(
            (min(outage.end, end) - max(outage.start, event.start)).total_seconds()
            for outage in one.outages
            if outage.sign == "silent" and outage.end > event.start and outage.start < end
        )
        return replace(made, down_seconds=made.down_seconds + silent, known_seconds=made.known_seconds + silent)

    def _starved(self, event: Event) -> dict[str, float]:
        roots = {self._root(link) for link in event.links}
        beside = [one.id for one in self.inventory.links.values() if one.id not in event.links and self._root(one.id) in roots]
        rows = self._rows(event, beside)
        found = {
            name: max(starved_seconds(rows[name], way, self.inventory.links[name].cir[way]) for way in Direction)
            for name in beside
        }
        return {name: seconds for name, seconds in found.items() if seconds > 0}

    def _root(self, link: str) -> str | None:
        above = [node.id for node in self.inventory.ancestors(self.inventory.links[link].parent)]
        return above[-1] if above else None

    def _rows(self, event: Event, links: list[str]) -> dict[str, Rows]:
        """Samples of the event so far: those that end within (start, end], since a sample tells of the time before it."""
        found: dict[str, Rows] = {}
        if not links:
            return found
        start, end = event.start + _MOMENT, min(self.now, event.end) + _MOMENT
        batches = self.application.store.chunks(LINK_RATE, start=start, end=end, series=links, columns=COLUMNS)
        for batch in batches:
            bounds = np.searchsorted(batch.rows["series"], np.arange(len(batch.series) + 1))
            for position, name in enumerate(batch.series):
                found[name] = batch.rows[bounds[position] : bounds[position + 1]]
        return found


def _asked(event: Event) -> tuple[tuple[Direction, int], ...]:
    rates = {Direction.DOWN: event.down_bps, Direction.UP: event.up_bps}
    return tuple((way, rate) for way, rate in rates.items() if rate)
