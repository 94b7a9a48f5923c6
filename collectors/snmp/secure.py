"""The v3 devices of a cycle, asked beside the others by a thread: names first where needed, then counters.

Owns the thread and the order; v3 itself is `v3.V3Poller`'s and `session`'s. The thread touches only its own devices' states;
what was answered is written into the request table by `finish`, in the collector's thread.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bwmgr.errors import DeviceAuthenticationError, DeviceError, DeviceTimeout
from bwmgr.model.clock import Clock
from bwmgr.model.said import Said
from bwmgr.model.samples import GapReason
from collectors.snmp.ber import RequestMessage, Tag
from collectors.snmp.device import MOST_LOOKUPS, DeviceState
from collectors.snmp.matching import ALLOWED
from collectors.snmp.objects import Column
from collectors.snmp.plan import Item
from collectors.snmp.reference import Variable
from collectors.snmp.requests import RequestTable, State
from collectors.snmp.session import NameLookupError, open_session
from collectors.snmp.settings import SnmpSettings
from collectors.snmp.v3 import V3Answer, V3Poller, V3Request

_LOOKUPS_AT_ONCE = 8
_LEAST_SECONDS = 0.05


@dataclass(frozen=True)
class _Got:
    """One PDU's answer: tag and number of each item."""

    items: tuple[Item, ...]
    answer: V3Answer
    tags: tuple[int, ...]
    numbers: tuple[int, ...]


class SecureDevices:
    """Polls the v3 devices among a collector's; without any it costs nothing."""

    def __init__(self, settings: SnmpSettings, clock: Clock, devices: Sequence[DeviceState], table: RequestTable) -> None:
        self.requests = self.replies = 0
        self._settings, self._clock, self._devices, self._table = settings, clock, devices, table
        credentials = {each.target.credential.id: each.target.credential for each in devices}
        self._poller = V3Poller(settings, credentials, now=lambda: clock.now().timestamp()) if devices else None
        self._pool = ThreadPoolExecutor(_LOOKUPS_AT_ONCE + 1, thread_name_prefix="snmp-v3") if devices else None
        self._running: Future[dict[int, list[_Got]]] | None = None
        self._under_way: set[int] = set()
        """Devices whose tables were too long for this cycle; they answered, and the walk goes on in the next one."""

    def start(self, asked: NDArray[np.bool_]) -> None:
        """Begin to ask those of the devices that are among `asked`, by position."""
        self.requests = self.replies = 0
        self._under_way.clear()
        chosen = [device for device in self._devices if asked[device.position]]
        if self._pool is not None and chosen:
            self._running = self._pool.submit(self._poll, chosen, self._clock.monotonic())

    def finish(self, answered: NDArray[np.bool_]) -> None:
        """Wait for the answers, write them into the table, and mark who gave any."""
        if self._running is None:
            return
        got = self._running.result()
        self._running = None
        answered[list(self._under_way)] = True
        for device in self._devices:
            for one in got.get(device.position, ()):
                answered[device.position] |= one.answer.variables is not None
            self._write(device, got.get(device.position, ()))

    def close(self) -> None:
        if self._poller is not None:
            self._poller.close()
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def _poll(self, devices: Sequence[DeviceState], now: float) -> dict[int, list[_Got]]:
        """Names where they are needed, counters, and once more the devices whose answers were odd."""
        end = time.monotonic() + self._settings.cycle_seconds
        for device in devices:
            device.begin_cycle()
        self._look_up(
            [device for device in devices if device.resolve_due or not device.resolved or now >= device.resolve_at], now, end
        )
        got: dict[int, list[_Got]] = {}
        left = [device for device in devices if not device.failure]
        for _ in range(MOST_LOOKUPS):
            seconds = end - time.monotonic()
            if not left or seconds <= 0:
                break
            got |= self._get(left, seconds)
            left = [device for device in left if self._learn(device, got[device.position])]
            self._look_up([device for device in left if GapReason.RENUMBERED in device.reasons], now, end)
        return got

    def _look_up(self, devices: Iterable[DeviceState], now: float, end: float) -> None:
        """Walks, some at once; none asks anything any more after `end`."""
        assert self._pool is not None
        for running in [self._pool.submit(self._walk, device, now, end) for device in devices]:
            running.result()

    def _walk(self, device: DeviceState, now: float, end: float) -> None:
        left = end - time.monotonic()
        if left < _LEAST_SECONDS:
            device.fail(GapReason.LATE, Said("the cycle was over before its names could be looked up"))
            return
        # a walk that begins late may not outlast the cycle by all its tries
        patience = min(self._settings.timeout_seconds, left / (self._settings.retries + 1))
        device.start_walk(background=False)
        try:
            self._feed(device, replace(self._settings, timeout_seconds=patience), end)
        except DeviceError as error:
            if device.walk is not None and device.walk.describing:
                device.end_walk(now)
                return
            device.walk = None
            if not device.resolved or not isinstance(error, DeviceTimeout):
                device.fail(_reason(error), error.problem)
            return
        if device.walk is not None and device.walk.done:
            device.end_walk(now)
        elif device.walk is not None:
            device.fail(GapReason.LATE, Said("its names are being looked up: {rows} interfaces so far", rows=device.walk.rows))
            self._under_way.add(device.position)

    def _feed(self, device: DeviceState, settings: SnmpSettings, end: float) -> None:
        """The walk until it is done or time is over. Raises: DeviceError."""
        with open_session(device.target.device, device.target.credential, settings) as session:
            while device.walk is not None and not device.walk.done and time.monotonic() < end:
                device.walk.feed(session.ask(Tag.GET_BULK, device.walk.names, 0, device.walk.rows_at_once))

    def _get(self, devices: Sequence[DeviceState], seconds: float) -> dict[int, list[_Got]]:
        assert self._poller is not None
        asked = [(device, items) for device in devices for items in device.pdus()]
        requests = [_request(device, items) for device, items in asked]
        answers = self._poller.get(requests, seconds) if requests else []
        self.requests += len(requests)
        self.replies += sum(answer.variables is not None for answer in answers)
        got: dict[int, list[_Got]] = {device.position: [] for device in devices}
        for (device, items), answer in zip(asked, answers, strict=True):
            got[device.position].append(_judged(items, answer))
        return got

    def _learn(self, device: DeviceState, got: Sequence[_Got]) -> bool:
        """Whether the device is to be asked again: an answer showed that something is not where or what it was."""
        before = device.pdus()
        lost = False
        for one in got:
            if one.answer.variables is not None:
                lost |= device.learn(one.items, one.tags, one.numbers)
            else:
                device.fail(one.answer.reason, one.answer.detail)
        return lost or (not device.failure and device.pdus() != before)

    def _write(self, device: DeviceState, got: Sequence[_Got]) -> None:
        """Slots for what was asked, so that the readings are made of them as of everybody's."""
        if list(device.items.values()) != [one.items for one in got]:
            for slot in device.slots:
                self._table.remove(slot)
            nothing = RequestMessage(b"", 0)
            device.slots = [self._table.add(device.position, nothing, device.version, one.items) for one in got]
            device.items = {slot: one.items for slot, one in zip(device.slots, got, strict=True)}
        for slot, one in zip(device.slots, got, strict=True):
            row = self._table.slots[slot]
            row["state"] = State.FAILED if one.answer.variables is None else State.DONE
            row["at_ms"], row["rtt_us"] = one.answer.sent_ms, one.answer.rtt_us
            if one.answer.variables is not None:
                variables = self._table.variables[int(row["first"]) : int(row["first"]) + len(one.items)]
                variables["tag"], variables["number"] = one.tags, one.numbers


def _request(device: DeviceState, items: Sequence[Item]) -> V3Request:
    return V3Request(device.target.device, device.target.credential, tuple(item.name for item in items))


def _judged(items: tuple[Item, ...], answer: V3Answer) -> _Got:
    if answer.variables is None:
        return _Got(items, answer, (), ())
    pairs = list(zip(items, answer.variables, strict=True))
    return _Got(items, answer, tuple(each.tag for each in answer.variables), tuple(_number(item, each) for item, each in pairs))


def _number(item: Item, variable: Variable) -> int:
    """As the table holds it: for a name, whether it is the right one."""
    if item.text is not None:
        return int(bool(ALLOWED[Column(item.column), variable.tag]) and variable.content == item.text)
    return variable.number % 2**64


def _reason(error: DeviceError) -> GapReason:
    if isinstance(error, DeviceAuthenticationError):
        return GapReason.AUTHENTICATION
    if isinstance(error, NameLookupError):
        return GapReason.NAME_LOOKUP
    return GapReason.TIMEOUT if isinstance(error, DeviceTimeout) else GapReason.PROTOCOL
