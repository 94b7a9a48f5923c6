"""One cycle over all devices: names to ifIndexes where needed, counters of all interfaces, and what became of each device.

Owns the order of things: who is asked now, what follows from an odd answer, when a cycle is over. The wire is `exchange`'s,
what is asked `device`'s and `plan`'s, what becomes of the answers `readings`'s. v3 devices are asked beside, in a thread
(`secure`). Computes no rates.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from bwmgr.errors import DeviceProtocolError
from bwmgr.model.clock import Clock
from bwmgr.model.inventory import Interface
from bwmgr.model.samples import GapReason
from collectors.snmp.account import Account
from collectors.snmp.addresses import AddressTable
from collectors.snmp.breaker import Breaker
from collectors.snmp.device import MOST_LOOKUPS, MOST_ROUNDS, DeviceState, Next, is_v3
from collectors.snmp.exchange import Exchange, Heard
from collectors.snmp.memory import restore_state, state_of, whereabouts
from collectors.snmp.outcome import Cycle, DeviceOutcome
from collectors.snmp.pacing import Pace, Patience
from collectors.snmp.plan import Target
from collectors.snmp.readings import Assembler
from collectors.snmp.reference import Reply
from collectors.snmp.requests import RequestTable, State
from collectors.snmp.secure import SecureDevices
from collectors.snmp.settings import SnmpSettings
from collectors.snmp.transport import Transport

__all__ = ["Cycle", "DeviceOutcome", "SnmpCollector"]

Mask = NDArray[np.bool_]


class SnmpCollector:
    """Polls the interfaces of `targets`. Not for two threads at once.

    A cycle that is not paced waits for devices `SnmpSettings.cycle_seconds` in all, whatever they do; a paced one that long
    after its last request. `clock` stamps and paces; timeouts are real time.
    """

    def __init__(self, settings: SnmpSettings, targets: Sequence[Target], clock: Clock) -> None:
        self.interfaces: tuple[Interface, ...] = tuple(each for target in targets for each in target.interfaces)
        self._settings, self._clock = settings, clock
        self._addresses = AddressTable([target.device for target in targets])
        self._devices = _device_states(targets, settings)
        self._table = RequestTable()
        self._transport = Transport(self._addresses.families, window=settings.window)
        self._exchange = Exchange(settings, clock, self._table, self._addresses, self._transport)
        self._assembler = Assembler(self._table)
        self._breaker = Breaker(settings, len(targets))
        self._account = Account(self._devices, self._table, self._addresses, self._breaker, self._assembler)
        self._secure = SecureDevices(settings, clock, [each for each in self._devices if is_v3(each)], self._table)
        self._pace: Pace | None = None
        self._quiet_slot = np.full(len(targets), -1)
        self._quiet_until = np.zeros(len(targets))
        self._last_uptime = np.zeros(len(targets), np.int64)
        self._is_v3 = np.array([is_v3(device) for device in self._devices], np.bool_)
        self._answered = np.ones(len(targets), np.bool_)
        self._now = 0.0
        self._whereabouts = whereabouts(self._devices)

    def collect(self, *, paced: bool = False) -> Cycle:
        """One cycle; `paced` spreads its requests over a share of the interval instead of sending as fast as the window lets."""
        started_at, began = self._clock.now(), time.monotonic()
        self._exchange.begin()
        self._now = self._clock.monotonic()
        self._addresses.refresh(self._settings.timeout_seconds, np.flatnonzero(~self._answered).tolist())
        asked = (self._addresses.family != 0) & self._breaker.closed(self._now)
        self._answered[:] = False
        self._secure.start(asked)
        self._pace = Pace(self._settings, self._clock) if paced else None
        self._converse(asked, self._pace)
        waited_from = time.monotonic()
        self._secure.finish(self._answered)
        self._exchange.waited_seconds += time.monotonic() - waited_from
        return self._conclude(asked, started_at, began)

    def hurry(self) -> None:
        """Send the rest of a paced cycle that is under way at once. The one method for another thread to call."""
        if (pace := self._pace) is not None:
            pace.hurry()

    def state(self) -> bytes:
        """What the next run may know of this one: where each interface was found. For `restore`."""
        return state_of(self._devices)

    def restore(self, state: bytes) -> None:
        """Take over what `state` gave in an earlier run; each name is still checked in every reply.

        Bytes that are not whole or of another version are ignored: then all names are looked up again.
        """
        now = self._clock.monotonic()
        for device in restore_state(state, self._devices):
            device.look_up_later(now)
            if not is_v3(device):
                self._replan(device)
        self._whereabouts = whereabouts(self._devices)

    def close(self) -> None:
        """Safe to call twice."""
        self._transport.close()
        self._addresses.close()
        self._secure.close()

    def _converse(self, asked: Mask, pace: Pace | None) -> None:
        waiting = self._in_order(np.flatnonzero(asked & ~self._is_v3))
        patience, left = self._longest(waiting), Patience(self._settings, self._exchange)
        left.begin(patience)
        sent = 0
        while sent < len(waiting) or (not self._exchange.idle and left.some):
            due = len(waiting) if pace is None else pace.due(len(waiting))
            if due > sent:
                self._exchange.submit(self._first_slots(waiting[sent:due]))
                sent = due
                left.begin(patience if pace is None else self._settings.cycle_seconds)
            self._hear(self._exchange.step(patient=pace is not None and sent < len(waiting)))

    def _in_order(self, waiting: NDArray[np.int64]) -> NDArray[np.int64]:
        """Half a window of those that were silent the last time, whose tries take longest; the living; the other silent ones."""
        failed = self._breaker.failures[waiting] > 0
        silent, some = waiting[failed], self._transport.window // 2
        return np.concatenate((silent[:some], waiting[~failed], silent[some:]))

    def _longest(self, waiting: NDArray[np.int64]) -> float:
        """Seconds after which a cycle is over, whatever is still open.

        Where names have to be looked up first, as at start, what is left of the interval may be used: some tables are long.
        """
        known = (self._quiet_slot[waiting] >= 0) | (self._breaker.failures[waiting] > 0)
        looked_up = all(self._devices[position].resolved for position in waiting[~known].tolist())
        return (
            self._settings.cycle_seconds if looked_up else max(self._settings.cycle_seconds, self._settings.interval_seconds / 2)
        )

    def _first_slots(self, positions: NDArray[np.int64]) -> list[int]:
        """What devices are asked at the beginning of a cycle; most have one request, as ever."""
        quiet = (self._quiet_slot[positions] >= 0) & (self._quiet_until[positions] > self._now)
        slots: list[int] = self._quiet_slot[positions[quiet]].tolist()
        for position in positions[~quiet].tolist():
            slots += self._slots_of(self._devices[position])
        return slots

    def _slots_of(self, device: DeviceState) -> list[int]:
        """A device's first requests of a cycle: its counters, its names, or both."""
        if device.dirty and device.begin_cycle():
            self._replan(device)
        due = device.resolve_due or device.walk is not None or self._now >= device.resolve_at
        if not due and device.slots:
            self._quiet_slot[device.position] = device.slots[0] if len(device.slots) == 1 else -1
            self._quiet_until[device.position] = device.resolve_at
            return device.slots
        return [*device.slots, self._walk_slot(device, background=bool(device.slots))]

    def _walk_slot(self, device: DeviceState, *, background: bool) -> int:
        device.start_walk(background=background)
        message = device.walk_message()
        if device.walk_slot < 0:
            device.walk_slot = self._table.add(device.position, message, device.version)
        else:
            self._exchange.withdraw(device.walk_slot)
            self._table.replace(device.walk_slot, message)
        return device.walk_slot

    def _hear(self, heard: Heard) -> None:
        self._answered[self._table.slots["device"][heard.answered]] = True
        for slot in heard.odd.tolist():
            self._take_odd(slot)
        for slot, status, index in heard.errors:
            self._take_error(slot, status, index)
        for slot, reply in heard.walked:
            self._take_walk(self._device_of(slot), reply)

    def _device_of(self, slot: int) -> DeviceState:
        return self._devices[int(self._table.slots["device"][slot])]

    def _take_odd(self, slot: int) -> None:
        """A name that is not the one expected is looked up afresh; a column that the agent lacks is replaced or left out.

        A slot that is not in its device's plan any more was superseded by another odd answer of the same moment.
        """
        device = self._device_of(slot)
        if (items := device.items.get(slot)) is None:
            return
        first = int(self._table.slots["first"][slot])
        answers = self._table.variables[first : first + len(items)]
        if device.learn(items, answers["tag"].tolist(), answers["number"].tolist()):
            self._ask_names(device)
        elif device.pdus() != list(device.items.values()):
            self._ask_again(device)

    def _ask_names(self, device: DeviceState) -> None:
        """Look the names up now; the counters are asked for again once they are found."""
        device.lookups += 1
        if device.walk is not None:
            device.background = False
        elif device.lookups <= MOST_LOOKUPS:
            self._exchange.submit([self._walk_slot(device, background=False)])

    def _ask_again(self, device: DeviceState) -> None:
        device.rounds += 1
        self._replan(device)
        if device.rounds <= MOST_ROUNDS:
            self._exchange.submit(device.slots)

    def _take_error(self, slot: int, status: int, index: int) -> None:
        device = self._device_of(slot)
        if (items := device.items.get(slot)) is None:
            return
        self._table.slots["state"][slot] = State.FAILED
        match device.take_error(items, status, index):
            case Next.ASK_AGAIN:
                self._ask_again(device)
            case Next.ASK_NAMES:
                self._ask_names(device)

    def _take_walk(self, device: DeviceState, reply: Reply) -> None:
        if device.walk is None:
            return
        try:
            device.walk.feed(reply)
        except DeviceProtocolError as error:
            device.walk = None
            device.fail(GapReason.PROTOCOL, error.problem)
            return
        if not device.walk.done:
            self._exchange.submit([self._walk_slot(device, background=device.background)])
        elif device.end_walk(self._now):
            self._ask_again(device)

    def _replan(self, device: DeviceState) -> None:
        """Put what follows from the device's state into the table, in the place of what was there."""
        device.dirty = True
        for slot in device.slots:
            self._exchange.withdraw(slot)
            self._table.remove(slot)
        planned = device.pdus()
        device.slots = [self._table.add(device.position, device.message(items), device.version, items) for items in planned]
        device.items = dict(zip(device.slots, planned, strict=True))

    def _conclude(self, asked: Mask, started_at: datetime, began: float) -> Cycle:
        restless = [device for device in self._devices if device.dirty or device.walk is not None]
        for device in restless:
            self._quiet_slot[device.position] = -1
            device.end_cycle(self._now, answered=bool(self._answered[device.position]), failed=self._walk_failed(device))
        reasons = self._account.reasons(asked, self._answered, restless)
        if restless and not (found := whereabouts(self._devices)).says_as(self._whereabouts):
            self._whereabouts = found
        readings = self._account.readings(reasons, self._answered, restless, milliseconds(started_at))
        really_asked, refused = asked & (reasons != GapReason.LATE), reasons == GapReason.AUTHENTICATION
        now = self._clock.monotonic()
        self._breaker.record(really_asked, self._answered, refused, now)
        self._notice_reboots()
        if dropped := self._transport.kernel_drops():
            self._exchange.drops["receive_buffer"] += dropped
        return Cycle(
            started_at=started_at,
            duration_seconds=(took := time.monotonic() - began),
            worked_seconds=max(took - self._exchange.waited_seconds, 0.0),
            readings=readings,
            devices=self._account.outcomes(reasons, self._answered, restless, now),
            drops=dict(self._exchange.drops),
            requests=self._exchange.requests + self._secure.requests,
            replies=self._exchange.replies + self._secure.replies,
            whereabouts=self._whereabouts,
        )

    def _walk_failed(self, device: DeviceState) -> bool:
        return device.walk_slot >= 0 and int(self._table.slots["state"][device.walk_slot]) == State.FAILED

    def _notice_reboots(self) -> None:
        """sysUpTime that fell: the names are looked up in the next cycle, and what the agent lacked may be there now."""
        devices, uptime = self._assembler.uptimes()
        before = self._last_uptime.copy()
        self._last_uptime[devices] = uptime
        for position in np.flatnonzero(self._last_uptime < before).tolist():
            self._devices[position].rebooted()
            self._quiet_slot[position] = -1


def milliseconds(instant: datetime) -> int:
    """Since 1970 UTC."""
    return round(instant.timestamp() * 1000)


def _device_states(targets: Sequence[Target], settings: SnmpSettings) -> list[DeviceState]:
    first_rows = np.cumsum([0, *(len(target.interfaces) for target in targets)]).tolist()
    return [DeviceState.of(position, target, first_rows[position], settings) for position, target in enumerate(targets)]
