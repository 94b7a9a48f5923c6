"""What is worth telling now: silent routers, links and uplinks at their limit, broken promises, events, changes undone.

Owns which facts are looked at and the sentence of each. A condition that stands is given at every look, under its key; that it is
told once, and when, is `bwmgr.stores.notices`' and `bwmgr.daemon.notify`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from bwmgr.daemon.apply_records import stuck
from bwmgr.daemon.apply_watch import WATCHER
from bwmgr.daemon.journal_trail import trouble
from bwmgr.daemon.status import LinkState, LinkStatus
from bwmgr.engine.importance import by_importance
from bwmgr.errors import UsageError
from bwmgr.language import mark
from bwmgr.model.decision import Action, Recommendation, Status
from bwmgr.model.inventory import Contract, Event, PerDirection
from bwmgr.model.notice import Kind, Notice, Severity
from bwmgr.model.usage import UsageWindow
from bwmgr.stores import UPLINK_RATE

if TYPE_CHECKING:
    from bwmgr.daemon.application import Application
    from bwmgr.daemon.service_levels import Month

Standing = Mapping[str, Notice]
"""By key; a notice's id is made when it is told."""

SATURATED = 0.8
"""Of the time looked at, so much at the limit."""
_LEAST_COVERAGE = 0.5
_UPLINK_FULL = 0.95
_NOT_NEEDED = "its time has ended"
_WORTH = {Action.RAISE, Action.FIX, Action.RESERVE, Action.RESTORE}
_WHOLE_DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """One look at everything, at one instant."""

    application: Application
    now: datetime

    def recommendations(self) -> Standing:
        """Each that waits for a decision."""
        waiting = self.application.state.recommendations(status=Status.PROPOSED)
        return {
            entry.id: self._recommended(entry)
            for entry in by_importance(waiting)
            if entry.action is not Action.HOLD and entry.valid_until > self.now
        }

    def silence(self) -> Standing:
        """Routers none of whose links has a rate, and single links beside others that have one."""
        status = self.application.status()
        links = [one for one in status.links if one.link is not None and one.link.interface is not None]
        by_device: dict[str, list[LinkStatus]] = {}
        for one in links:
            if one.link is not None and one.link.interface is not None:
                by_device.setdefault(one.link.interface.device, []).append(one)
        uplinks = {uplink.interface.device for _, _, uplink in self.application.inventory.uplinks()}
        found: dict[str, Notice] = {}
        for device, members in by_device.items():
            silent = [one for one in members if one.state is LinkState.SILENT]
            if silent and len(silent) == len(members):
                found[f"device {device}"] = self._silent_device(device, len(members), critical=device in uplinks)
            else:
                found |= {f"link {one.id}": self._silent_link(one) for one in silent}
        return found

    def saturation(self, seconds: float) -> Standing:
        """Links at their limit, and uplinks full, for most of the last `seconds`."""
        start = self.now - timedelta(seconds=seconds)
        limited = [
            link.id for link in self.application.inventory.links.values() if link.limit != PerDirection(down=None, up=None)
        ]
        windows = self.application.history.usage(limited, start=start, end=self.now)
        found = {f"{one.link} {one.direction}": self._full_link(one) for one in windows if _is_full(one)}
        uplinks = {name: node.id for name, node, _ in self.application.inventory.uplinks()}
        for one in self.application.history.usage(list(uplinks), start=start, end=self.now, measurement=UPLINK_RATE):
            capacity = self._capacity(one)
            if capacity and one.mean_bps is not None and one.mean_bps >= _UPLINK_FULL * capacity:
                found[f"uplink {one.link} {one.direction}"] = self._full_uplink(one, capacity)
        return found

    def providers(self) -> Standing:
        """Contracts whose availability, in the month under way, is below what was promised whatever follows of it."""
        from bwmgr.daemon.service_levels import service_levels

        today = self.now.date()
        contracts = [one for one in self.application.inventory.contracts.values() if one.sla.availability_percent is not None]
        if not contracts:
            return {}
        try:
            served = service_levels(self.application, contracts, today, today)
        except UsageError:  # no contract is in force this month
            return {}
        return {
            f"{one.contract.id} {month.first}": self._below_promise(one.contract, month)
            for one in served
            for month in one.months
            if month.time.down_ms / 1000 > _allowed_seconds(one.contract, month)
        }

    def events(self, seconds: float) -> Standing:
        """Those that begin within `seconds`, run, or have ended within a day."""
        found: dict[str, Notice] = {}
        for event in self.application.inventory.events.values():
            if event.start - timedelta(seconds=seconds) <= self.now < event.start:
                found[f"{event.id} soon {event.start.isoformat()}"] = self._soon(event)
            elif event.start <= self.now < event.end:
                found[f"{event.id} on {event.start.isoformat()}"] = self._begun(event)
            elif event.end <= self.now < event.end + _WHOLE_DAY:
                found[f"{event.id} over {event.end.isoformat()}"] = self._over(event)
        return found

    def enforcement(self) -> Standing:
        """Changes that verification took back within a day, and those that cannot be settled or taken back."""
        found: dict[str, Notice] = {}
        state = self.application.state
        for change in state.changes_by(WATCHER, self.now - _WHOLE_DAY):
            entry = state.recommendation(change.recommendation)
            if change.status is Status.ROLLED_BACK and change.note != _NOT_NEEDED and entry is not None:
                found[f"back {change.recommendation}"] = self._taken_back(entry, change.note)
        for record in stuck(state):
            found[f"stuck {record.recommendation}"] = Notice(
                id="", kind=Kind.ENFORCEMENT, severity=Severity.CRITICAL, at=self.now,
                message=mark("A change of {link_name} on {device} can neither be settled nor taken back: {problem}"),
                values={"link_name": self._name(record.link), "device": record.device, "problem": record.trouble},
                page=f"/recommendations/{record.recommendation}",
            )  # fmt: skip
        return found

    def trail(self) -> Standing:
        """Whether the journal is the one that was written."""
        problem = trouble(self.application.state, self.application.trail.journal)
        if not problem:
            return {}
        message = mark("The journal was shortened or exchanged: {problem}. `bwmgr audit verify` says more.")
        return {
            "altered": Notice(
                id="", kind=Kind.TRAIL, severity=Severity.CRITICAL, at=self.now, message=message, values={"problem": problem}
            )
        }

    def _recommended(self, entry: Recommendation) -> Notice:
        if entry.link in self.application.inventory.links and entry.action is not Action.FIX:
            message = mark("Proposed for {link_name}, {direction}: from {now_bps} to {then_bps}.")
        else:
            message = mark("Proposed for {link_name}.")
        values: dict[str, str | int | float | None] = {
            "link_name": self._name(entry.link), "direction": str(entry.direction),
            "now_bps": entry.current.mir_bps, "then_bps": entry.proposed.mir_bps,
        }  # fmt: skip
        return Notice(
            id="", kind=Kind.RECOMMENDATION, severity=Severity.WARNING if entry.action in _WORTH else Severity.INFO,
            at=self.now, message=message, values=values, reason=entry.reason, page=f"/recommendations/{entry.id}",
        )  # fmt: skip

    def _silent_device(self, device: str, count: int, *, critical: bool) -> Notice:
        return Notice(
            id="", kind=Kind.SILENCE, severity=Severity.CRITICAL if critical else Severity.WARNING, at=self.now,
            message=mark("{device} has not answered for {stood_seconds}: no measurements of {count} links."),
            values={"device": device, "count": count}, page="/links",
        )  # fmt: skip

    def _silent_link(self, one: LinkStatus) -> Notice:
        return Notice(
            id="", kind=Kind.SILENCE, severity=Severity.WARNING, at=self.now,
            message=mark("{link_name} has had no measurements for {stood_seconds}, though its router answers."),
            values={"link_name": one.name}, page=f"/links/{one.id}",
        )  # fmt: skip

    def _full_link(self, window: UsageWindow) -> Notice:
        return Notice(
            id="", kind=Kind.SATURATION, severity=Severity.WARNING, at=self.now,
            message=mark("{link_name} ({direction}) was at its limit for {share_ratio} of {looked_seconds}, using {mean_bps}."),
            values={
                "link_name": self._name(window.link), "direction": str(window.direction), "mean_bps": window.mean_bps,
                "share_ratio": window.saturated_ratio, "looked_seconds": (window.end - window.start).total_seconds(),
            },
            page=f"/links/{window.link}",
        )  # fmt: skip

    def _full_uplink(self, window: UsageWindow, capacity_bps: float) -> Notice:
        return Notice(
            id="", kind=Kind.SATURATION, severity=Severity.CRITICAL, at=self.now,
            message=mark("The uplink {uplink} ({direction}) is full: {mean_bps} of {capacity_bps} over {looked_seconds}."),
            values={
                "uplink": window.link, "direction": str(window.direction), "mean_bps": window.mean_bps,
                "capacity_bps": capacity_bps, "looked_seconds": (window.end - window.start).total_seconds(),
            },
        )  # fmt: skip

    def _below_promise(self, contract: Contract, month: Month) -> Notice:
        provider = self.application.inventory.providers.get(contract.provider)
        return Notice(
            id="", kind=Kind.PROVIDER, severity=Severity.WARNING, at=self.now,
            message=mark("{provider} breaks its promise: {contract} was away for {down_seconds}, of {allowed_seconds} a month."),
            values={
                "provider": provider.name if provider else contract.provider, "contract": contract.id,
                "down_seconds": month.time.down_ms / 1000, "allowed_seconds": _allowed_seconds(contract, month),
            },
        )  # fmt: skip

    def _soon(self, event: Event) -> Notice:
        ready, asked = self._reserved(event, {Status.APPROVED, Status.APPLIED, Status.VERIFIED})
        return self._event(
            event, Severity.INFO if ready >= asked else Severity.WARNING,
            mark("The event {event} begins {start_at}: {ready} of {asked} reservations are approved."), ready, asked,
        )  # fmt: skip

    def _begun(self, event: Event) -> Notice:
        ready, asked = self._reserved(event, {Status.APPLIED, Status.VERIFIED})
        return self._event(
            event, Severity.INFO if ready >= asked else Severity.CRITICAL,
            mark("The event {event} has begun: {ready} of {asked} reservations are in force."), ready, asked,
        )  # fmt: skip

    def _over(self, event: Event) -> Notice:
        still, asked = self._reserved(event, {Status.APPLIED, Status.VERIFIED})
        return self._event(
            event, Severity.WARNING if still else Severity.INFO,
            mark("The event {event} is over: {ready} of {asked} reservations are still in force."), still, asked,
        )  # fmt: skip

    def _event(self, event: Event, severity: Severity, message: str, ready: int, asked: int) -> Notice:
        values: dict[str, str | int | float | None] = {
            "event": event.id,
            "start_at": event.start.isoformat(),
            "ready": ready,
            "asked": asked,
        }
        return Notice(
            id="", kind=Kind.EVENT, severity=severity, at=self.now, message=message, values=values, page="/recommendations"
        )  # fmt: skip

    def _reserved(self, event: Event, statuses: set[Status]) -> tuple[int, int]:
        """(reservations of the event in one of these states, those that it asks for)."""
        asked = sum(rate is not None for rate in (event.down_bps, event.up_bps)) * len(event.links)
        found = {
            (entry.link, entry.direction)
            for link in event.links
            for entry in self.application.state.recommendations(link=link)
            if entry.valid_from == event.start and entry.status in statuses
        }
        return len(found), asked

    def _taken_back(self, entry: Recommendation, note: str) -> Notice:
        return Notice(
            id="", kind=Kind.ENFORCEMENT, severity=Severity.CRITICAL, at=self.now,
            message=mark("The change of {link_name}, {direction}, to {then_bps} was taken back by itself: {problem}"),
            values={
                "link_name": self._name(entry.link), "direction": str(entry.direction), "then_bps": entry.proposed.mir_bps,
                "problem": note,
            },
            page=f"/recommendations/{entry.id}",
        )  # fmt: skip

    def _capacity(self, window: UsageWindow) -> float | None:
        contract = self.application.inventory.uplink_contracts.get(window.link)
        return contract.capacity[window.direction] if contract is not None else None

    def _name(self, name: str) -> str:
        inventory = self.application.inventory
        place = inventory.links.get(name) or inventory.nodes.get(name)
        return place.name if place is not None else name


def _allowed_seconds(contract: Contract, month: Month) -> float:
    """So long it may be away in the whole month: beyond that no good rest of the month helps."""
    return (1 - (contract.sla.availability_percent or 0.0) / 100) * (month.end - month.start).total_seconds()


def _is_full(window: UsageWindow) -> bool:
    measured = window.samples >= 2 and window.coverage_ratio >= _LEAST_COVERAGE
    return measured and window.saturated_ratio is not None and window.saturated_ratio >= SATURATED
