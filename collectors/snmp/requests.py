"""All requests of a collector side by side: encoded once, found by number, their answers beside them.

Owns the memory: one buffer that holds every request's octets (sendmmsg reads them there, only request-ids are patched), one
row per request (a slot) and one per variable. Knows neither sockets nor time.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from collectors.snmp.batch import PADDING, words_at, words_of
from collectors.snmp.ber import RequestMessage
from collectors.snmp.plan import Item

Slots = NDArray[np.int64]


class State(IntEnum):
    """Of a slot, within a cycle."""

    FREE = 0
    """Asked for nothing in this cycle, or belongs to nobody."""
    QUEUED = 1
    WAITING = 2
    DONE = 3
    FAILED = 4


SLOT = np.dtype(
    [
        ("offset", "i8"),  # of the request's octets in the buffer
        ("length", "i8"),
        ("capacity", "i8"),
        ("id_offset", "i8"),  # of the request-id in the buffer
        ("first", "i8"),  # of its variables
        ("count", "i8"),
        ("room", "i8"),
        ("device", "i8"),  # position; -1: nobody's
        ("version", "i8"),
        ("walk", "?"),  # its variables' names are not known beforehand
        ("state", "i1"),
        ("held", "?"),  # takes a place in the window
        ("tries", "i8"),
        ("deadline", "f8"),  # monotonic seconds
        ("since", "i8"),  # the first of the cycle's sends that is for what the slot asks for now
        ("send", "i8"),  # of the answer: which of the cycle's sends it answers
        ("familiar", "i8"),  # length of its last reply, should that be known by heart; 0: it is not
        ("at_ms", "i8"),  # of the answer: wall clock when its request was sent
        ("rtt_us", "i8"),
    ],
    align=True,
)
VARIABLE = np.dtype(
    [
        ("name_length", "i8"),
        ("name_head", "u8"),  # the first and the last eight octets, which of at most 16 are all
        ("name_tail", "u8"),
        ("column", "u1"),
        ("row", "i8"),
        ("slot", "i8"),
        ("text", "i8"),  # of the name that must be answered, in `texts`; -1: any value will do
        ("text_length", "i8"),
        ("tag", "u1"),  # of the answer
        ("number", "u8"),  # of the answer; for a name: 1 if it is the right one
    ],
    align=True,
)


class RequestTable:
    """Slots and their variables. `changed` counts changes, so that what is derived from it can be kept until the next one."""

    def __init__(self) -> None:
        self.buffer = np.zeros(1 << 16, np.uint8)
        self.slots = np.zeros(256, SLOT)
        self.variables = np.zeros(4096, VARIABLE)
        self.texts = np.zeros(1 << 14, np.uint8)
        self.changed = 0
        self.count = 0
        self.variable_count = 0
        self._buffer_used = 0
        self._texts_used = PADDING
        self._text_at: dict[bytes, int] = {}
        self._free: list[int] = []

    def add(self, device: int, message: RequestMessage, version: int, items: Sequence[Item] = ()) -> int:
        """A slot for a request of `items`; without any it is a walk's, whose answers' names are not known beforehand."""
        slot = self._free.pop() if self._free else self._fresh_slot()
        self.slots[slot]["device"] = device
        self.slots[slot]["version"] = version
        self.replace(slot, message)
        self._put_variables(slot, items)
        self.changed += 1
        return slot

    def replace(self, slot: int, message: RequestMessage) -> None:
        """Other octets for a slot; they stay where the old ones were if there is room."""
        row = self.slots[slot]
        size = len(message.octets)
        if size > row["capacity"]:
            self.buffer = _with_room(self.buffer, self._buffer_used + size)
            row["offset"], row["capacity"] = self._buffer_used, size
            self._buffer_used += size
        offset = int(row["offset"])
        self.buffer[offset : offset + size] = np.frombuffer(message.octets, np.uint8)
        row["length"], row["id_offset"] = size, offset + message.id_offset
        row["state"], row["familiar"] = State.FREE, 0

    def remove(self, slot: int) -> None:
        """The slot's memory is used again by the next one."""
        row = self.slots[slot]
        row["device"], row["state"], row["count"], row["familiar"] = -1, State.FREE, 0, 0
        self.variables["slot"][row["first"] : row["first"] + row["room"]] = -1
        self._free.append(slot)
        self.changed += 1

    def patch_ids(self, slots: Slots, ids: NDArray[np.int64]) -> None:
        """Write request-ids into the encoded requests."""
        octets = ids.astype(">u4").view(np.uint8).reshape(-1, 4)
        self.buffer[self.slots["id_offset"][slots][:, None] + _FOUR] = octets

    def vectors(self, slots: Slots) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        """(addresses in memory, lengths) of the requests."""
        chosen = self.slots[slots]
        return chosen["offset"].view(np.uint64) + np.uint64(self.buffer.ctypes.data), chosen["length"].view(np.uint64)

    def _fresh_slot(self) -> int:
        self.slots = _with_room(self.slots, self.count + 1)
        self.count += 1
        return self.count - 1

    def _put_variables(self, slot: int, items: Sequence[Item]) -> None:
        row = self.slots[slot]
        row["walk"], row["familiar"] = not items, 0
        row["count"] = len(items)
        if len(items) > row["room"]:
            self.variables = _with_room(self.variables, self.variable_count + len(items))
            row["first"], row["room"] = self.variable_count, len(items)
            self.variable_count += len(items)
        first = int(row["first"])
        self.variables[first : first + len(items)] = [self._variable(slot, item) for item in items]

    def _variable(self, slot: int, item: Item) -> tuple[int, ...]:
        text, length = (-1, 0) if item.text is None else (self._text(item.text), len(item.text))
        head, tail = int.from_bytes(item.name[:8], "big"), int.from_bytes(item.name[-8:], "big")
        return len(item.name), head, tail, item.column, item.row, slot, text, length, 0, 0

    def _text(self, text: bytes) -> int:
        if text not in self._text_at:
            start = self._texts_used
            self.texts = _with_room(self.texts, start + len(text) + PADDING)
            self.texts[start : start + len(text)] = np.frombuffer(text, np.uint8)
            self._text_at[text] = start
            self._texts_used += len(text)
        return self._text_at[text]

    def same_texts(
        self, buffer: NDArray[np.uint8], start: NDArray[np.int64], length: NDArray[np.int64], variables: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """Whether the contents at `start` in `buffer` are, octet by octet, the texts that these variables must be."""
        expected, wanted = self.variables["text"][variables], self.variables["text_length"][variables]
        same: NDArray[np.bool_] = length == wanted
        found_words, wanted_words = words_of(buffer), words_of(self.texts)
        for position in range(0, int(np.max(wanted, initial=0)), 8):
            left = np.clip(wanted - position, 0, 8)
            shift = (64 - 8 * left).view(np.uint64)
            at = np.where(same & (left > 0), position, 0)
            difference = words_at(found_words, start + at) ^ words_at(wanted_words, expected + at)
            same &= (left == 0) | (np.where(left == 0, 0, difference >> np.minimum(shift, 63)) == 0)
        return same


def _with_room(array: NDArray[Any], size: int) -> NDArray[Any]:
    """The same array, or a copy of twice the size once `size` does not fit."""
    if size <= len(array):
        return array
    larger = np.zeros(max(size, 2 * len(array)), array.dtype)
    larger[: len(array)] = array
    return larger


_FOUR = np.arange(4)
