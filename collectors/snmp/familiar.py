"""Replies that look as the last one of their request did: recognised whole, by a few comparisons of eight octets each.

A device answers the same request with the same octets, but for the request-id and the values of its numbers, as long as no
number needs an octet more or less than before. Owns, per request, the octets of the last reply that the full decoder and all
checks found right, which of them may differ, and where the numbers lie. A reply that differs anywhere else is nobody's
business here and goes to `batch`. Believes nothing of itself: source, request-id and state are still `exchange`'s to check.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from collectors.snmp.batch import Octets, Positions, words_at, words_of
from collectors.snmp.ber import Tag
from collectors.snmp.matching import Answers
from collectors.snmp.objects import Column
from collectors.snmp.reference import INTEGERS_32
from collectors.snmp.requests import RequestTable, Slots
from collectors.udp import Received

MOST_OCTETS, MOST_VARIABLES = 512, 32
"""A longer reply is never remembered: it answers for several interfaces, and such devices are few."""

_STEP = 8
"""By how many words and variables the memory widens when a longer reply comes."""
_FIXED, _UNSIGNED, _SIGNED, _POSITIVE = range(4)
"""What a variable may be in a familiar reply: what it was; another unsigned number; another number; another one but 0."""


@dataclass(frozen=True)
class Recognised:
    """Rows of what was received, the slots whose last reply they look like, and their numbers, shape (rows, variables)."""

    rows: Positions
    slots: Slots
    numbers: NDArray[np.uint64]
    kinds: NDArray[np.uint8]

    def kept(self, chosen: NDArray[np.bool_]) -> Recognised:
        return Recognised(self.rows[chosen], self.slots[chosen], self.numbers[chosen], self.kinds[chosen])


class Familiar:
    """The last replies of a request table's slots; `table.slots["familiar"]` is the length of a slot's, 0 where none is known."""

    def __init__(self, table: RequestTable) -> None:
        self._table = table
        self._octets = np.zeros((0, _STEP), np.uint64)
        self._fixed = np.zeros((0, _STEP), np.uint64)
        self._last_word = np.zeros((0, _STEP), np.int16)
        self._shift = np.zeros((0, _STEP), np.uint8)
        self._kind = np.zeros((0, _STEP), np.uint8)

    def recognise(self, received: Received, slots: Slots) -> Recognised:
        """Those replies that look like the last one of the slots (-1: of none) that their request-ids name."""
        known = self._table.slots["familiar"][slots] == received.length
        rows = np.flatnonzero(known & (slots >= 0) & (received.length > 0))
        chosen, start = slots[rows], received.start[rows]
        differences = _leading_words(received.buffer, start, self._octets.shape[1]) ^ self._octets[chosen]
        differences &= self._fixed[chosen]
        same = ~differences.any(axis=1)
        if not same.all():
            rows, chosen, start = rows[same], chosen[same], start[same]
        numbers, right = self._numbers(received.buffer, start, chosen)
        found = Recognised(rows, chosen, numbers, self._kind[chosen])
        return found if right.all() else found.kept(right)

    def write(self, found: Recognised) -> None:
        """The numbers of these into the table."""
        there = found.kinds != _FIXED
        first = self._table.slots["first"][found.slots]
        places = first[:, None] + np.arange(there.shape[1])
        self._table.variables["number"][places[there]] = found.numbers[there]

    def forget(self, slots: Slots) -> None:
        """Their next reply is read in full."""
        self._table.slots["familiar"][slots] = 0

    def learn(self, answers: Answers, starts: Positions, lengths: Positions) -> None:
        """Remember replies that are right in every respect, and lie at `starts`, of `lengths` octets."""
        batch, count = answers.batch, answers.batch.count[answers.rows]
        fit = (lengths <= MOST_OCTETS) & (count <= MOST_VARIABLES)
        fit &= read_ids(answers.buffer, starts) == batch.request_id[answers.rows]
        if not fit.any():
            return
        rows, slots, start = answers.rows[fit], answers.slots[fit], starts[fit]
        self._make_room(int(lengths[fit].max()), int(count[fit].max()))
        self._table.slots["familiar"][slots] = lengths[fit]
        order = np.arange(int(count[fit].max()))
        there = order[:, None] < count[fit]
        tag = np.where(there, batch.tag[order][:, rows], 0).astype(np.uint8)
        length = np.where(there, batch.length[order][:, rows], 0)
        at = np.where(there, batch.start[order][:, rows] - start, 8)
        self._remember_numbers(slots, tag, at, length)
        self._remember_octets(answers.buffer, start, slots, lengths[fit], at + length, _free_octets(tag, length))

    def _numbers(self, buffer: Octets, start: Positions, slots: Slots) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
        """All variables as numbers, and in which rows they may be what they are."""
        kind, shift = self._kind[slots], self._shift[slots].astype(np.uint64)
        word = words_at(words_of(buffer), start[:, None] + self._last_word[slots])
        word <<= shift
        signed = kind == _SIGNED
        number = word >> shift
        if signed.any():
            number = np.where(signed, (word.view(np.int64) >> shift.view(np.int64)).view(np.uint64), number)
        return number, ~((kind == _POSITIVE) & (number == 0)).any(axis=1)

    def _make_room(self, octets: int, variables: int) -> None:
        rows = len(self._table.slots)
        for name in ("_octets", "_fixed"):
            setattr(self, name, _with_room(getattr(self, name), rows, -(-octets // 8)))
        for name in ("_last_word", "_shift", "_kind"):
            setattr(self, name, _with_room(getattr(self, name), rows, variables))

    def _remember_numbers(self, slots: Slots, tag: NDArray[np.uint8], at: Positions, length: Positions) -> None:
        variables = self._table.slots["first"][slots] + np.arange(len(tag))[:, None]
        column = self._table.variables["column"][np.minimum(variables, len(self._table.variables) - 1)]
        kind = _KIND[tag]
        kind[(kind == _UNSIGNED) & (column == Column.HIGH_SPEED)] = _POSITIVE
        width = len(tag)
        self._kind[slots] = _FIXED
        self._kind[slots, :width] = kind.T
        self._shift[slots, :width] = np.where(kind == _FIXED, 0, 64 - 8 * np.minimum(length, 8)).T
        self._last_word[slots] = 0
        self._last_word[slots, :width] = (at + length - 8).T

    def _remember_octets(
        self, buffer: Octets, start: Positions, slots: Slots, lengths: Positions, ends: Positions, free: Positions
    ) -> None:
        """`free`: how many octets before `ends` (of every variable) may differ."""
        place = np.arange(8 * self._octets.shape[1])
        fixed = np.where(place < lengths[:, None], np.uint8(0xFF), np.uint8(0))
        rows = np.arange(len(slots))
        for end, some in zip(ends, free, strict=True):
            for back in range(1, int(some.max(initial=0)) + 1):
                reached = some >= back
                fixed[rows[reached], (end - back)[reached]] = 0
        fixed[rows[:, None], (id_places(buffer, start) - start)[:, None] + _FOUR] = 0
        self._fixed[slots] = fixed.view(np.uint64)
        self._octets[slots] = _leading_words(buffer, start, self._octets.shape[1]) & self._fixed[slots]


def read_ids(buffer: Octets, start: Positions) -> Positions:
    """The request-ids of datagrams at `start` that are replies as replies are; any number of those that are not."""
    word = words_at(words_of(buffer), id_places(buffer, start))
    return (word >> 32).astype(np.uint32).view(np.int32).astype(np.int64)


def id_places(buffer: Octets, start: Positions) -> Positions:
    """Where the request-id's content lies if the datagram at `start` is a reply as replies are; anywhere in it if it is not.

    `30 L 02 01 version 04 L community A2 L 02 04`, both L of one, two or three octets.
    """
    community = start + 6 + _LONG_FORM[buffer[start + 1]]
    pdu = community + 1 + buffer[community]
    places: Positions = pdu + 4 + _LONG_FORM[buffer[pdu + 1]]
    return places


def _leading_words(buffer: Octets, start: Positions, words: int) -> NDArray[np.uint64]:
    """The first so many times eight octets from each start, shape (starts, words)."""
    whole = np.ndarray((len(buffer) - 8 * words + 1,), f"V{8 * words}", buffer, strides=(1,))
    leading: NDArray[np.uint64] = whole[start].view(np.uint64).reshape(len(start), words)
    return leading


def _with_room(array: NDArray[Any], rows: int, width: int) -> NDArray[Any]:
    """The same array, or a larger one with zeros (nothing fixed, no numbers) where there was nothing."""
    missing = max(rows - len(array), 0), -(-max(width - array.shape[1], 0) // _STEP) * _STEP
    return np.pad(array, ((0, missing[0]), (0, missing[1]))) if any(missing) else array


def _free_octets(tag: NDArray[np.uint8], length: Positions) -> Positions:
    """How many of the last octets of each value may be any; what is before them, leading zeros, must stay lest it overflow."""
    return np.minimum(length, _FREE[tag])


def _tables() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    kind, free = np.full(256, _FIXED, np.uint8), np.zeros(256, np.int64)
    for tag in (Tag.COUNTER32, Tag.GAUGE32, Tag.TIME_TICKS, Tag.COUNTER64):
        kind[tag], free[tag] = _UNSIGNED, 4 if tag in INTEGERS_32 else 8
    kind[Tag.INTEGER], free[Tag.INTEGER] = _SIGNED, 8
    return kind, free


_KIND, _FREE = _tables()
_LONG_FORM = np.array([min(octet & 0x7F, 2) if octet > 0x80 else 0 for octet in range(256)], np.int64)
_FOUR = np.arange(4)
