"""A person's `apply` and `rollback`: read the device, stop at drift, send, read back, write down; and what a crash left undone.

Owns the order of the steps, so that at every moment either the device is untouched or the state store says what was meant.
Knows no dialect (drivers) and judges no effect (`bwmgr.daemon.apply_watch`).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from bwmgr.daemon import limits
from bwmgr.daemon.advice import find
from bwmgr.daemon.apply_records import (
    ApplyRecord,
    Phase,
    last_applied,
    mark_stuck,
    move,
    read_record,
    remember_applied,
    write_record,
)
from bwmgr.daemon.apply_refusals import (
    changes_no_limit,
    device_is_gone,
    drifted,
    never_applied,
    not_restored,
    not_verified,
    overtaken,
    require_approved,
    unknown_now,
)
from bwmgr.daemon.freezing import require_thawed
from bwmgr.daemon.journal_driver import Recorded
from bwmgr.drivers import Driver, Known, driver_for
from bwmgr.engine.verify import patience_seconds
from bwmgr.errors import DeviceError, DeviceProtocolError, StoreLocked, UsageError
from bwmgr.model.bandwidth import Bandwidth
from bwmgr.model.decision import Action, Recommendation, Status, StatusChange
from bwmgr.model.enforcement import Queue, Settings, lines_of
from bwmgr.model.inventory import Device, Direction, Inventory, PerDirection
from bwmgr.model.said import Said

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bwmgr.daemon.application import Application
    from bwmgr.stores.state import StateStore

_GUARD_INTERVALS, _GUARD_SECONDS = 3, 60.0
_SIZES = {Action.RAISE, Action.LOWER, Action.RESERVE, Action.RESTORE}


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What an apply or rollback would send, and from which settings to which."""

    recommendation: Recommendation
    device: str
    before: Settings
    after: Settings
    steps: Sequence[Any]
    guard_seconds: float | None = None
    """After so long the device takes it back by itself; None: it cannot."""

    @property
    def lines(self) -> tuple[str, ...]:
        return lines_of(self.steps)


def queue_of(inventory: Inventory, recommendation: Recommendation) -> Queue:
    """The queue that enforces a recommendation. Raises: UsageError for one that is not about a link's limits."""
    link = inventory.links.get(recommendation.link)
    if link is None or recommendation.action not in _SIZES:
        raise changes_no_limit(recommendation)
    other = Direction.UP if recommendation.direction is Direction.DOWN else Direction.DOWN
    return Queue(
        recommendation=recommendation.id,
        link=link.id,
        direction=recommendation.direction,
        cir_bps=recommendation.proposed.cir_bps,
        mir_bps=recommendation.proposed.mir_bps,
        weight=link.weight,
        service_class=link.service_class,
        parent=link.parent,
        networks=link.networks,
        port=link.shaper[recommendation.direction] if link.shaper else None,
        user=link.shaper.user if link.shaper else None,
        other=Bandwidth(cir_bps=link.cir[other], mir_bps=link.limit[other]),
    )


def plan_apply(application: Application, name: str) -> Plan:
    """What `apply` would send now; sends nothing.

    Raises: UsageError for a recommendation that may not be applied now, DeviceError for a device that does not answer, or whose
    settings are not those that bwmgr left there.
    """
    found = find(application.state, name)
    require_approved(found, application.clock.now())
    require_thawed(application.settings, application.clock.now())
    return _plan(application, found, _driver(application, found, _device(application.inventory, found), ""))


def preview(application: Application, name: str) -> Plan:
    """What would be sent if it were approved now, whatever its status; reads the device. Raises: as `plan_apply`."""
    found = find(application.state, name)
    return _plan(application, found, _driver(application, found, _device(application.inventory, found), ""))


def look_at(application: Application, found: Recommendation) -> Settings:
    """Its queue as the device has it now. Raises: DeviceError, UsageError."""
    return _driver(application, found, _device(application.inventory, found), "").read(_queue(application, found))


def apply(application: Application, name: str, *, by: str) -> ApplyRecord:
    """Sends an approved recommendation to its device and reads it back. Applied already: nothing is sent.

    Raises: as `plan_apply`; DeviceError with the state that the device is in where sending fails in the middle; StoreLocked while
    another process changes the same device.
    """
    found = find(application.state, name)
    done = read_record(application.state, found.id)
    if done is not None and done.phase is Phase.SENT and found.status in (Status.APPLIED, Status.VERIFIED):
        return done
    now = application.clock.now()
    require_approved(found, now)
    require_thawed(application.settings, now)
    device = _device(application.inventory, found)
    driver = _driver(application, found, device, by)
    with _alone(application, device.id):
        if done is not None and done.phase is Phase.SENDING:
            _settle(application, driver, found, done)
            if find(application.state, found.id).status is Status.APPLIED:
                return read_record(application.state, found.id) or done
        plan = _plan(application, found, driver)
        patience = timedelta(seconds=patience_seconds(application.settings.snmp.interval_seconds))
        record = ApplyRecord(
            recommendation=found.id, link=found.link, direction=found.direction, device=device.id, phase=Phase.SENDING, by=by,
            before=dict(plan.before), after=dict(plan.after), lines=plan.lines, started_at=now, deadline=now + patience,
            limit_before_bps=limits.in_force(application.state, application.inventory)[found.link][found.direction],
            guarded_until=None if plan.guard_seconds is None else now + timedelta(seconds=plan.guard_seconds),
        )  # fmt: skip
        write_record(application.state, record)
        _send(application, driver, _queue(application, found), plan)
        return _sent(application, found, record)


def rollback(application: Application, name: str, *, by: str, note: str = "") -> ApplyRecord:
    """Brings back the exact settings from before this recommendation. Rolled back already: nothing is sent.

    Raises: UsageError for one that was never applied, DeviceError where the device is away or its settings are not this one's.
    """
    found = find(application.state, name)
    record = read_record(application.state, found.id)
    if record is None or (record.phase is Phase.SENDING and found.status is Status.APPROVED):
        raise never_applied(found)
    if found.status is Status.ROLLED_BACK:
        return record
    device = application.inventory.devices.get(record.device)
    if device is None:
        raise device_is_gone(found, record.device)
    driver = _driver(application, found, device, by)
    queue = _queue(application, found)
    with _alone(application, device.id):
        if record.phase is Phase.SENT and last_applied(application.state, found.link, found.direction) != record.after:
            raise overtaken(found)
        present = driver.read(queue)
        if dict(present) not in (record.after, record.before) and record.phase is not Phase.UNDOING:
            raise drifted(device.id, found.link, record.after, present)
        record = move(application.state, record, Phase.UNDOING, note)
        _reach(driver, queue, present, record.before)
        driver.confirm(queue, _waiting(application.state, found))
        return _undone(application, found, record, by=by)


def confirm(application: Application, name: str) -> bool:
    """What was applied is proven: the device is not to take it back by itself any more. False: it has done so already.

    Raises: DeviceError where the device is away or its settings are neither this one's nor those before; StoreLocked.
    """
    found = find(application.state, name)
    record = read_record(application.state, found.id)
    device = _device(application.inventory, found)
    if record is None or record.phase is not Phase.SENT:
        raise UsageError(Said("{id} is not on {device}: there is nothing to confirm", id=found.id, device=device.id))
    driver, queue = _driver(application, found, device, record.by), _queue(application, found)
    with _alone(application, device.id):
        present = dict(driver.read(queue))
        if present == record.before != record.after:
            _undone(application, found, replace(record, note=f"{device.id} took it back by itself"), by=device.id)
            return False
        if present != record.after:
            raise drifted(device.id, found.link, record.after, present)
        driver.confirm(queue, _waiting(application.state, found))
        write_record(application.state, replace(record, guarded_until=None))
        return True


def recover(application: Application) -> list[str]:
    """Settles what a crash left in the middle, one device after the other; gives a sentence for each that is settled.

    Raises: StoreUnavailable. What cannot be settled now is marked as stuck and left for the next call; what another process is
    working on is left to it.
    """
    said = []
    for status in (Status.APPROVED, Status.APPLIED, Status.VERIFIED):
        for found in application.state.recommendations(status=status):
            record = read_record(application.state, found.id)
            if record is None or record.phase not in (Phase.SENDING, Phase.UNDOING):
                continue
            try:
                said.append(_recover(application, found, record))
            except (DeviceError, UsageError) as error:
                mark_stuck(application.state, found.id, f"left in the middle, and {error}", application.clock.now())
            except StoreLocked:
                continue
    return said


def _recover(application: Application, found: Recommendation, record: ApplyRecord) -> str:
    if record.phase is Phase.UNDOING:
        rollback(application, found.id, by=record.by, note=record.note)
        return f"{found.id}: rollback finished"
    device = _device(application.inventory, found)
    with _alone(application, device.id):
        return _settle(application, _driver(application, found, device, record.by), found, record)


def _settle(application: Application, driver: Driver[Any], found: Recommendation, record: ApplyRecord) -> str:
    """An apply whose end nobody saw: all of it arrived, so it counts; or not, so what arrived is taken back."""
    queue = _queue(application, found)
    present = driver.read(queue)
    if dict(present) == record.after:
        _sent(application, found, replace(record, note="stopped in the middle; it was found whole on the device"))
        return f"{found.id}: had arrived on {record.device}; it is applied"
    _reach(driver, queue, present, record.before)
    driver.confirm(queue, _waiting(application.state, found))
    move(application.state, record, Phase.UNDONE, "stopped in the middle; the settings from before were restored")
    return f"{found.id}: had not arrived whole on {record.device}; the settings from before are in force, it is approved still"


def _plan(application: Application, found: Recommendation, driver: Driver[Any]) -> Plan:
    queue = _queue(application, found)
    for other in application.state.recommendations(status=Status.APPLIED, link=found.link):
        if other.direction is found.direction:
            raise not_verified(other)
    device = _device(application.inventory, found)
    present = driver.read(queue)
    left = last_applied(application.state, found.link, found.direction)
    if left is not None and dict(left) != dict(present):
        raise drifted(device.id, found.link, left, present)
    after = driver.wanted(queue, present)
    steps, seconds = driver.steps(queue, present, after), _guard_seconds(application.settings.snmp.interval_seconds)
    undo = {**_waiting(application.state, found), found.direction: present}
    guarded = driver.guarded(queue, steps, undo, seconds)
    return Plan(
        recommendation=found, device=device.id, before=present, after=after, steps=guarded,
        guard_seconds=None if guarded == steps else seconds,
    )  # fmt: skip


def _guard_seconds(interval_seconds: float) -> float:
    """Later than bwmgr itself would have taken it back, by some rounds of the daemon: the device is the last to do it."""
    return patience_seconds(interval_seconds) + _GUARD_INTERVALS * interval_seconds + _GUARD_SECONDS


def _waiting(state: StateStore, found: Recommendation) -> dict[Direction, Settings]:
    """What the link's other direction goes back to where its change is not proven: a device may hold both in one place."""
    others = state.recommendations(status=Status.APPLIED, link=found.link)
    records = [read_record(state, other.id) for other in others if other.direction is not found.direction]
    return {record.direction: record.before for record in records if record is not None and record.guarded_until is not None}


def _send(application: Application, driver: Driver[Any], queue: Queue, plan: Plan) -> None:
    """Sends and reads back. Whatever goes wrong, the error says which settings the device has now."""
    try:
        driver.send(plan.steps)
        trouble = "" if dict(driver.read(queue)) == dict(plan.after) else Said("it reads back otherwise than sent")
    except DeviceError as error:
        trouble = error.problem
    if not trouble:
        return
    try:
        present = driver.read(queue)
        _reach(driver, queue, present, plan.before)
        driver.confirm(queue, _waiting(application.state, plan.recommendation))
    except DeviceError as error:
        raise unknown_now(plan.device, trouble, error.problem) from error
    record = read_record(application.state, queue.recommendation)
    if record is not None:
        move(application.state, record, Phase.UNDONE, trouble)
    raise DeviceProtocolError(plan.device, Said("{trouble}; the old settings are in force", trouble=trouble))


def _reach(driver: Driver[Any], queue: Queue, present: Settings, to: Settings) -> None:
    """Brings the queue to settings that it had before. Raises: DeviceError where it does not read back so."""
    driver.send(driver.steps(queue, present, to))
    found = driver.read(queue)
    if dict(found) != dict(to):
        raise not_restored(queue.link, found, to)


def _sent(application: Application, found: Recommendation, record: ApplyRecord) -> ApplyRecord:
    now = application.clock.now()
    remember_applied(application.state, found.link, found.direction, record.after)
    if found.status is Status.APPROVED:
        note = f"on {record.device}: " + ("; ".join(record.lines) or "it was so already")
        application.state.change_status(
            StatusChange(recommendation=found.id, at=now, status=Status.APPLIED, by=record.by, note=note)
        )
    _record_limit(application, found, found.proposed.mir_bps, now)
    return move(application.state, record, Phase.SENT, record.note, sent_at=now)


def _undone(application: Application, found: Recommendation, record: ApplyRecord, *, by: str) -> ApplyRecord:
    now = application.clock.now()
    remember_applied(application.state, found.link, found.direction, record.before)
    _record_limit(application, found, record.limit_before_bps, now)
    application.state.change_status(
        StatusChange(recommendation=found.id, at=now, status=Status.ROLLED_BACK, by=by, note=record.note)
    )
    return move(application.state, record, Phase.UNDONE, record.note)


def _record_limit(application: Application, found: Recommendation, mir_bps: int | None, now: datetime) -> None:
    """The limit in force from now on, which later readings are judged by."""
    limit = limits.in_force(application.state, application.inventory)[found.link]
    down = mir_bps if found.direction is Direction.DOWN else limit.down
    up = mir_bps if found.direction is Direction.UP else limit.up
    application.state.record_limits(now, {found.link: PerDirection(down=down, up=up)})


def _driver(application: Application, found: Recommendation, device: Device, by: str) -> Driver[Any]:
    known = last_applied(application.state, found.link, found.direction)
    driver = driver_for(device, Known(settings=known, bandwidth=found.current))
    return Recorded(
        driver=driver, trail=application.trail, device=device.id, found=found, by=by,
        guarded_now=lambda: (one := read_record(application.state, found.id)) is not None and one.guarded_until is not None,
    )  # fmt: skip


def _queue(application: Application, found: Recommendation) -> Queue:
    """As `queue_of`, the other direction as it is limited now."""
    queue = queue_of(application.inventory, found)
    other = Direction.UP if found.direction is Direction.DOWN else Direction.DOWN
    limit = limits.in_force(application.state, application.inventory)[found.link][other]
    return replace(queue, other=replace(queue.other, mir_bps=limit))


def _device(inventory: Inventory, found: Recommendation) -> Device:
    """The device that shapes the link. Raises: UsageError where none does."""
    link = inventory.links.get(found.link)
    if link is None or link.shaper is None:
        raise UsageError(
            Said("{link} has no `shaper:` in the configuration, so bwmgr does not know where its limit is held", link=found.link)
        )
    return inventory.devices[link.shaper.device]


@contextmanager
def _alone(application: Application, device: str) -> Iterator[None]:
    """One process at a time changes a device. Raises: StoreLocked with the other's pid."""
    from bwmgr.stores.lock import Lock

    with Lock(application.folder / "devices" / device):
        yield
