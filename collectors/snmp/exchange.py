"""Requests out, replies in: the window, the retries, and which reply answers which request.

Owns a cycle's conversation on the wire. A reply counts only if its source, its request-id and every one of its names are those
of a request that still waits; whatever else comes in is dropped under a reason in `drops`. Every try has a request-id of its
own, so an answer is dated by the very datagram that it answers. Does not know what the answers mean.

Two clocks, on purpose: patience is real monotonic time, since the network does not run faster for a test's fast clock; stamps and
pacing follow the clock that is passed in.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bwmgr.model.clock import Clock
from collectors.snmp.addresses import AddressTable
from collectors.snmp.batch import PADDING, Batch, decode_batch
from collectors.snmp.familiar import Familiar, read_ids
from collectors.snmp.matching import Answers, examine, names_match
from collectors.snmp.reference import Malformed, Reply
from collectors.snmp.requests import RequestTable, Slots, State
from collectors.snmp.sends import Sends
from collectors.snmp.settings import SnmpSettings
from collectors.snmp.transport import Transport
from collectors.snmp.window import Window
from collectors.udp import Received

_FEW_REPLIES = 32
_TICK_SECONDS = 0.01
_BATCHING_SECONDS = 0.001
_HOLD_RATIO = 8
"""A request takes a place in the window for an eighth of its first try's patience."""


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
        self.replies = 0
        self.waited_seconds = 0.0
        """Of this cycle, what was spent waiting for devices; the rest is work, or want of a processor."""
        self._clock = clock
        self._patience = np.array(settings.patience())
        self._window = Window(table, transport.window, float(self._patience[0]) / _HOLD_RATIO)
        self._familiar = Familiar(table)
        self._queue: deque[int] = deque()
        self._sends = Sends()
        self._waiting = 0
        self._next_expiry = np.inf
        self._last_batch = 0

    @property
    def requests(self) -> int:
        """Of this cycle, every try counted."""
        return self._sends.count

    @property
    def idle(self) -> bool:
        return not self._queue and not self._waiting

    def begin(self) -> None:
        """Forget the last cycle: what it still waited for is late from now on."""
        self._sends.begin()
        self.replies = self._waiting = 0
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
        ids = self._sends.add(slots, at_ns=time.time_ns(), at_ms=round(self._clock.now().timestamp() * 1000))
        self.table.patch_ids(slots, ids)
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

    def _hear(self, received: Received) -> Heard:
        self._last_batch = len(received.start)
        if not self._last_batch:
            return Heard(_NONE, _NONE, [], [])
        self.replies += self._last_batch
        ids = read_ids(received.buffer, received.start)
        sends, ours = self._sends.named(ids)
        known = self._familiar.recognise(received, np.where(ours, self._sends.slot[sends], -1))
        rest = _all_but(known.rows, len(ids))
        batch = decode_batch(received.buffer, received.start[rest], received.length[rest]) if len(rest) else _NO_REPLIES
        ids[rest] = batch.request_id
        sends, reason = self._match(received, ids, rest, batch)
        self._count(reason, batch.reason[reason[rest] == _MALFORMED])
        kept = reason == 0
        slots = self._take(received, sends, kept)
        self._familiar.write(known.kept(kept[known.rows]))
        return self._accept(received, batch, rest, slots, kept)

    def _match(
        self, received: Received, ids: NDArray[np.int64], rest: NDArray[np.int64], batch: Batch
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Which of the cycle's sends each reply answers, and 0 or the `_DROPS` for which it is refused.

        `rest` are the rows that `batch` decoded; the others are familiar: well-formed, of the right version and names.
        """
        rows = self.table.slots
        sends, ours = self._sends.named(ids)
        slots = self._sends.slot[sends]
        state = rows["state"][slots]
        reason = np.zeros(len(slots), np.int64)
        if len(rest):
            reason[rest] = self._complaints(received, batch, slots[rest])
        checks = (
            (received.cut, "oversize"),
            (reason == _MALFORMED, "malformed"),
            (~ours & self._sends.earlier(ids), "late"),
            (~ours, "unknown_id"),
            (~self.addresses.is_source(rows["device"][slots], received.source), "foreign"),
            (reason == _DROPS.index("wrong_version"), "wrong_version"),
            (reason == _DROPS.index("wrong_names"), "wrong_names"),
            ((state == State.DONE) & (rows["send"][slots] == sends), "duplicate"),
            ((state != State.WAITING) & (state != State.QUEUED) | (sends < rows["since"][slots]), "late"),
            (_repeated(slots), "duplicate"),
        )
        for wrong, name in reversed(checks):
            reason[wrong] = _DROPS.index(name)
        return sends, reason

    def _complaints(self, received: Received, batch: Batch, slots: Slots) -> NDArray[np.int64]:
        """What is wrong with decoded replies themselves, as answers of `slots`: one of the `_DROPS` each, or 0."""
        empty_error = (batch.error_status != 0) & (batch.count == 0)
        expected = empty_error | names_match(self.table, received.buffer, batch, slots)
        right_version = batch.version == self.table.slots["version"][slots]
        wrong = np.where(right_version, np.where(expected, 0, _DROPS.index("wrong_names")), _DROPS.index("wrong_version"))
        return np.where(batch.reason != 0, _MALFORMED, wrong)

    def _count(self, reason: NDArray[np.int64], malformed: NDArray[np.uint8]) -> None:
        for number, found in enumerate(np.bincount(reason, minlength=len(_DROPS)).tolist()):
            if number and found and number != _MALFORMED:
                self.drops[_DROPS[number]] += found
        for kind in malformed.tolist():
            self.drops[f"malformed_{Malformed(kind).name.lower()}"] += 1

    def _take(self, received: Received, sends: NDArray[np.int64], kept: NDArray[np.bool_]) -> Slots:
        """The slots of the replies that are believed: they are done."""
        rows, sends = self.table.slots, sends[kept]
        slots = self._sends.slot[sends]
        self._waiting -= int(np.count_nonzero(rows["state"][slots] == State.WAITING))
        self._window.free(slots)
        rows["state"][slots] = State.DONE
        rows["send"][slots] = sends
        rows["at_ms"][slots] = self._sends.at_ms[sends]
        rows["rtt_us"][slots] = np.clip((received.at_ns[kept] - self._sends.at_ns[sends]) // 1000, 1, 2**31)
        return slots

    def _accept(
        self, received: Received, batch: Batch, rest: NDArray[np.int64], answered: Slots, kept: NDArray[np.bool_]
    ) -> Heard:
        """What those of `kept` say that are not familiar; `answered` are the slots of all that are kept."""
        rows = np.flatnonzero(kept[rest])
        if not len(rows):
            return Heard(answered, _NONE, [], [])
        slots = answered[np.cumsum(kept)[rest[rows]] - 1]
        failed, walks = batch.error_status[rows] != 0, self.table.slots["walk"][slots]
        plain, error = ~failed & ~walks, failed & ~walks
        answers = Answers(received.buffer, batch, rows[plain], slots[plain])
        odd = examine(self.table, answers)
        self._familiar.forget(slots)
        right = answers.kept(~np.isin(answers.slots, odd))
        self._familiar.learn(right, received.start[rest[right.rows]], received.length[rest[right.rows]])
        return Heard(
            answered=answered,
            odd=odd,
            errors=[
                (int(slot), int(batch.error_status[row]), int(batch.error_index[row]))
                for slot, row in zip(slots[error], rows[error], strict=True)
            ],
            walked=[
                (int(slot), batch.reply(received.buffer, int(row))) for slot, row in zip(slots[walks], rows[walks], strict=True)
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


def _all_but(rows: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """The row numbers below `count` that are not in `rows`."""
    others = np.ones(count, np.bool_)
    others[rows] = False
    return np.flatnonzero(others)


_NONE = np.zeros(0, np.int64)
_NO_REPLIES = decode_batch(np.zeros(2 * PADDING, np.uint8), _NONE, _NONE)
_DROPS = ("", "oversize", "malformed", "late", "unknown_id", "foreign", "wrong_version", "wrong_names", "duplicate")
_MALFORMED = _DROPS.index("malformed")
