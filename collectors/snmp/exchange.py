"""Requests out, replies in: the window, the retries, and which reply answers which request.

Owns a cycle's conversation on the wire. A reply counts only if its source, its request-id and every one of its names are those
of a request that still waits; whatever else comes in is dropped under a reason in `drops`. Every try has a request-id of its
own, so an answer is dated by the very datagram that it answers. Does not know what the answers mean.

Two clocks, on purpose: patience is real monotonic time, since the network does not run faster for a test's fast clock; stamps and
pacing follow the clock that is passed in.
"""

from __future__ import annotations

import secrets
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bwmgr.model.clock import Clock
from collectors.snmp.addresses import AddressTable
from collectors.snmp.batch import PADDING, Batch, decode_batch, words_at, words_of
from collectors.snmp.ber import REQUEST_ID_BASE, REQUEST_ID_SPAN
from collectors.snmp.matching import Answers, examine
from collectors.snmp.reference import Malformed, Reply
from collectors.snmp.requests import RequestTable, Slots, State
from collectors.snmp.settings import SnmpSettings
from collectors.snmp.transport import Transport
from collectors.snmp.window import Window
from collectors.udp import Received

_FEW_REPLIES = 32
_TICK_SECONDS = 0.01
_BATCHING_SECONDS = 0.001
_HOLD_RATIO = 8
"""A request takes a place in the window for an eighth of its first try's patience."""
_RECENT_IDS = 1 << 24


@dataclass
class Heard:
    """What one look at the sockets brought."""

    answered: Slots
    """Slots that are done; their variables hold the answers."""
    odd: Slots
    """Those of `answered` in which a name or a type is not what was asked for."""
    errors: list[tuple[int, int, int]]
    """(slot, error-status, error-index) of those that are done with an error."""
    walked: list[tuple[int, Reply]]
    """Replies to slots whose names were not known beforehand."""


class Exchange:
    """The conversation of one collector; `begin` starts a cycle, `submit` queues requests, `step` moves it on."""

    def __init__(
        self, settings: SnmpSettings, clock: Clock, table: RequestTable, addresses: AddressTable, transport: Transport
    ) -> None:
        self.table, self.addresses, self.transport = table, addresses, transport
        self.drops: Counter[str] = Counter()
        self.requests = 0
        self.replies = 0
        self.waited_seconds = 0.0
        """Of this cycle, what was spent waiting for devices; the rest is work, or want of a processor."""
        self._clock = clock
        self._patience = np.array(settings.patience())
        self._window = Window(table, transport.window, float(self._patience[0]) / _HOLD_RATIO)
        self._queue: deque[int] = deque()
        self._first_id = secrets.randbelow(REQUEST_ID_SPAN)
        self._sent_slot = np.zeros(1024, np.int64)
        self._sent_ns = np.zeros(1024, np.int64)
        self._sent_ms = np.zeros(1024, np.int64)
        self._waiting = 0
        self._next_expiry = np.inf
        self._last_batch = 0

    @property
    def idle(self) -> bool:
        return not self._queue and not self._waiting

    def begin(self) -> None:
        """Forget the last cycle: what it still waited for is late from now on."""
        self._first_id = (self._first_id + self.requests) & REQUEST_ID_SPAN
        self.requests = self.replies = self._waiting = 0
        self.waited_seconds = 0.0
        self._next_expiry = np.inf
        self._queue.clear()
        self.drops.clear()
        self.table.slots["state"], self.table.slots["tries"] = State.FREE, 0
        self._window.reset()

    def submit(self, slots: Sequence[int]) -> None:
        """Ask these as soon as the window lets; they have all their tries before them."""
        fresh = np.array(slots, np.int64)
        self.table.slots["tries"][fresh] = 0
        self.table.slots["since"][fresh] = self.requests
        self.table.slots["state"][fresh] = State.QUEUED
        self._queue.extend(slots)

    def withdraw(self, slot: int) -> None:
        """The slot is about to be asked for something else: an answer on its way is of no use any more."""
        state = self.table.slots["state"]
        if state[slot] == State.WAITING:
            self._waiting -= 1
            self._window.free(np.array([slot]))
        state[slot] = State.FREE

    def step(self, *, patient: bool = False) -> Heard:
        """Send what the window lets, hear what there is, give up what has waited too long.

        `patient` (while pacing) sleeps first, so that the few replies of that time are heard together.
        """
        if patient:
            self._send(0)
            self._wait(time.sleep, 2 * _TICK_SECONDS)
        elif self._waiting:
            if self._last_batch < _FEW_REPLIES < self._waiting:
                self._wait(time.sleep, _BATCHING_SECONDS)
            self._wait(self.transport.wait, _TICK_SECONDS)
        looked_at = time.monotonic()
        received = self.transport.receive()
        self._send(len(received.start))  # before these are read: the devices work meanwhile
        heard = self._hear(received)
        if len(received.start) < self.transport.slots:
            self._expire(looked_at)
        return heard

    def _wait(self, how: Callable[[float], None], seconds: float) -> None:
        began = time.monotonic()
        how(seconds)
        self.waited_seconds += min(time.monotonic() - began, seconds)

    def _send(self, arrived: int) -> None:
        room = self._window.room(len(self._queue), time.monotonic(), arrived=arrived)
        slots = np.array([self._queue.popleft() for _ in range(room)], np.int64)
        slots = slots[self.table.slots["state"][slots] == State.QUEUED]
        if len(slots):
            self._send_slots(slots)

    def _send_slots(self, slots: Slots) -> None:
        rows, count = self.table.slots, len(slots)
        sends = np.arange(self.requests, self.requests + count)
        self._remember_sends(sends, slots)
        self.table.patch_ids(slots, REQUEST_ID_BASE | self._first_id + sends & REQUEST_ID_SPAN)
        tries = rows["tries"][slots]
        now = time.monotonic()
        rows["deadline"][slots] = now + self._patience[tries]
        self._next_expiry = min(self._next_expiry, now + float(self._patience[0]))
        rows["tries"][slots] = tries + 1
        rows["state"][slots] = State.WAITING
        self._waiting += count
        self._window.take(slots, now)
        devices = rows["device"][slots]
        for family in self.transport.sockets:
            of_family = slots[self.addresses.family[devices] == family]
            if len(of_family):
                names = self.addresses.pointers(rows["device"][of_family])
                self.transport.send(family, self.table.vectors(of_family), names, self.addresses.octets(family))

    def _remember_sends(self, sends: NDArray[np.int64], slots: Slots) -> None:
        end = self.requests + len(slots)
        if end > len(self._sent_slot):
            for name in ("_sent_slot", "_sent_ns", "_sent_ms"):
                setattr(self, name, np.concatenate((getattr(self, name), np.zeros(end, np.int64))))
        self._sent_slot[sends] = slots
        self._sent_ns[sends] = time.time_ns()
        self._sent_ms[sends] = round(self._clock.now().timestamp() * 1000)
        self.requests = end

    def _hear(self, received: Received) -> Heard:
        self._last_batch = len(received.start)
        if not self._last_batch:
            return Heard(_NONE, _NONE, [], [])
        self.replies += self._last_batch
        batch = decode_batch(received.buffer, received.start, received.length)
        sends, reason = self._match(received, batch)
        self._count(reason, batch)
        return self._accept(received, batch, sends, np.flatnonzero(reason == 0))

    def _match(self, received: Received, batch: Batch) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Which of the cycle's sends each reply answers, and 0 or the `_DROPS` for which it is refused."""
        rows = self.table.slots
        behind = batch.request_id - REQUEST_ID_BASE - self._first_id & REQUEST_ID_SPAN
        ours = (batch.request_id >= REQUEST_ID_BASE) & (behind < self.requests)
        sends = np.where(ours, behind, 0)
        slots = self._sent_slot[sends]
        state, count = rows["state"][slots], rows["count"][slots]
        named = self._names_match(received.buffer, batch, rows["first"][slots], count)
        empty_error = (batch.error_status != 0) & (batch.count == 0)
        expected = rows["walk"][slots] | empty_error | ((batch.count == count) & named)
        checks = (
            (received.cut, "oversize"),
            (batch.reason != 0, "malformed"),
            (~ours & (behind > REQUEST_ID_SPAN - _RECENT_IDS), "late"),
            (~ours, "unknown_id"),
            (~self.addresses.is_source(rows["device"][slots], received.source), "foreign"),
            (batch.version != rows["version"][slots], "wrong_version"),
            (~expected, "wrong_names"),
            ((state == State.DONE) & (rows["send"][slots] == sends), "duplicate"),
            ((state != State.WAITING) & (state != State.QUEUED) | (sends < rows["since"][slots]), "late"),
            (_repeated(slots), "duplicate"),
        )
        reason = np.zeros(len(slots), np.int64)
        for wrong, name in reversed(checks):
            reason[wrong] = _DROPS.index(name)
        return sends, reason

    def _names_match(
        self, buffer: NDArray[np.uint8], batch: Batch, first: NDArray[np.int64], count: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """Whether each reply's names are, in order, those of its request."""
        order = np.arange(len(batch.tag))[:, None]
        there = order < np.minimum(count, batch.count)
        variables, at = self.table.variables, first + order
        words = words_of(buffer)
        start, length = batch.name_start, batch.name_length
        if not there.all():
            at, start, length = np.where(there, at, 0), np.where(there, start, PADDING), np.where(there, length, 0)
        same = (
            (length == variables["name_length"][at])
            & (words_at(words, start) == variables["name_head"][at])
            & (words_at(words, start + length - 8) == variables["name_tail"][at])
        )
        matching: NDArray[np.bool_] = (same | ~there).all(axis=0)
        return matching

    def _count(self, reason: NDArray[np.int64], batch: Batch) -> None:
        for number, found in enumerate(np.bincount(reason, minlength=len(_DROPS)).tolist()):
            if number and found and _DROPS[number] != "malformed":
                self.drops[_DROPS[number]] += found
        for malformed in batch.reason[reason == _DROPS.index("malformed")].tolist():
            self.drops[f"malformed_{Malformed(malformed).name.lower()}"] += 1

    def _accept(self, received: Received, batch: Batch, sends: NDArray[np.int64], kept: NDArray[np.int64]) -> Heard:
        rows = self.table.slots
        slots = self._sent_slot[sends[kept]]
        self._waiting -= int(np.count_nonzero(rows["state"][slots] == State.WAITING))
        self._window.free(slots)
        rows["state"][slots] = State.DONE
        rows["send"][slots] = sends[kept]
        rows["at_ms"][slots] = self._sent_ms[sends[kept]]
        rows["rtt_us"][slots] = np.clip((received.at_ns[kept] - self._sent_ns[sends[kept]]) // 1000, 1, 2**31)
        failed = batch.error_status[kept] != 0
        walks = rows["walk"][slots]
        answers = Answers(received.buffer, batch, kept[~failed & ~walks], slots[~failed & ~walks])
        return Heard(
            answered=slots,
            odd=examine(self.table, answers),
            errors=[
                (int(slot), int(batch.error_status[row]), int(batch.error_index[row]))
                for slot, row in zip(slots[failed & ~walks], kept[failed & ~walks], strict=True)
            ],
            walked=[
                (int(slot), batch.reply(received.buffer, int(row))) for slot, row in zip(slots[walks], kept[walks], strict=True)
            ],
        )

    def _expire(self, now: float) -> None:
        """Queue again what had waited too long by `now`; what has had all its tries has failed.

        `now` is when the sockets were last read empty: a reply that came while this process had no processor is not late.
        """
        if now < self._next_expiry:
            return
        rows = self.table.slots
        waiting = np.flatnonzero(rows["state"] == State.WAITING)
        deadline = rows["deadline"][waiting]
        over = waiting[deadline <= now]
        self._next_expiry = max(float(np.min(deadline[deadline > now], initial=np.inf)), now + _TICK_SECONDS)
        self._waiting -= len(over)
        self._window.free(over)
        again = rows["tries"][over] < len(self._patience)
        rows["state"][over] = np.where(again, State.QUEUED, State.FAILED)
        self._queue.extend(over[again].tolist())


def _repeated(slots: Slots) -> NDArray[np.bool_]:
    """Whether an earlier reply of the same batch is for the same slot."""
    repeated = np.ones(len(slots), np.bool_)
    repeated[np.unique(slots, return_index=True)[1]] = False
    return repeated


_NONE = np.zeros(0, np.int64)
_DROPS = ("", "oversize", "malformed", "late", "unknown_id", "foreign", "wrong_version", "wrong_names", "duplicate")
