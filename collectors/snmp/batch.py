"""The fast decoder: a whole batch of replies at once, in agreement with `reference.decode_reply` for any bytes.

Nearly all replies have one layout: short lengths in the variables, a four-octet request-id, small integers before it. Where
the variables begin follows from one length after the other; everything else is read and checked for all variables of all
replies by single NumPy operations. A reply with anything unusual about it, right or wrong, is handed to the reference.
Owns no request: which reply was asked for is the business of `matching`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bwmgr.errors import DecodeError
from collectors.snmp.ber import Tag
from collectors.snmp.reference import INTEGERS_32, MAX_VARIABLES, Located, Malformed, Reply, Variable, locate_reply

Octets = NDArray[np.uint8]
Words = NDArray[np.uint64]
Positions = NDArray[np.int64]
Mask = NDArray[np.bool_]

_Header = tuple[Positions, Positions, Positions, Positions]
_Variables = tuple[Positions, Positions, Octets, Positions, Positions, Words]

PADDING = 32
"""Octets that a buffer needs before the first and after the last datagram: words are read across both ends."""


@dataclass(frozen=True)
class Batch:
    """Decoded replies, one per row; `reason` is 0 or a `Malformed`, and then the other columns of the row mean nothing.

    The arrays of variables have shape (variables, replies); what lies beyond a reply's `count` means nothing. `number` is the
    value of an unsigned type, an INTEGER's two's complement, 0 for what is no number. Positions point into the buffer.
    """

    reason: Octets
    version: Positions
    request_id: Positions
    error_status: Positions
    error_index: Positions
    count: Positions
    name_start: Positions
    name_length: Positions
    tag: Octets
    start: Positions
    length: Positions
    number: Words

    def reply(self, buffer: Octets, row: int) -> Reply:
        """One row as the reference decoder gives it. Raises: DecodeError where it was refused."""
        if self.reason[row]:
            raise DecodeError(Malformed(int(self.reason[row])).name.lower())
        count = int(self.count[row])
        columns = (self.name_start, self.name_length, self.tag, self.start, self.length)
        places = zip(*(column[:count, row].tolist() for column in columns), strict=True)
        octets = buffer.data
        variables = tuple(
            Variable(bytes(octets[name : name + name_length]), tag, bytes(octets[start : start + length]))
            for name, name_length, tag, start, length in places
        )
        return Reply(
            int(self.version[row]),
            int(self.request_id[row]),
            int(self.error_status[row]),
            int(self.error_index[row]),
            variables,
        )

    def with_room(self, variables: int) -> Batch:
        """The same replies in arrays that hold so many more variables."""
        names = ("name_start", "name_length", "tag", "start", "length", "number")
        columns = {name: np.pad(getattr(self, name), ((0, variables), (0, 0))) for name in names}
        return replace(self, **columns)

    def put(self, row: int, reply: Located, start: int) -> None:
        """Write a reply that the reference decoded from the datagram at `start`."""
        for column, number in zip(
            (self.version, self.request_id, self.error_status, self.error_index), reply.header, strict=True
        ):
            column[row] = number
        self.count[row] = len(reply.variables)
        for number, (name, name_stop, tag, content, stop, figure) in enumerate(reply.variables):
            self.name_start[number, row], self.name_length[number, row] = start + name, name_stop - name
            self.start[number, row], self.length[number, row] = start + content, stop - content
            self.tag[number, row], self.number[number, row] = tag, figure % 2**64


def words_of(buffer: Octets) -> Words:
    """A view of every eight consecutive octets as one big-endian number: `words_of(b)[p]` begins at octet p."""
    return np.ndarray((len(buffer) - 7,), ">u8", buffer, strides=(1,))


def words_at(words: Words, positions: Positions) -> Words:
    """The words at `positions`, in the machine's own order."""
    return words[positions].astype(np.uint64)


def decode_batch(buffer: Octets, starts: Positions, lengths: Positions, max_variables: int = MAX_VARIABLES) -> Batch:
    """Decode datagrams that lie in one buffer at `starts`, each of `lengths` octets, `PADDING` octets inside its ends.

    Any bytes whatever give either values or a reason; nothing is raised.
    """
    words = words_of(buffer)
    (version, request_id, status, index), at, end, usual = _headers(words, starts, starts + lengths)
    places, count, whole = _variable_places(buffer, at, end, max_variables)
    columns, sound = _variables(words, places, count)
    batch = Batch(np.zeros(len(starts), np.uint8), version, request_id, status, index, count, *columns)
    unusual = np.flatnonzero(~(usual & whole & sound))
    return _with_reference(batch, buffer, starts, lengths, unusual, max_variables) if len(unusual) else batch


def _with_reference(
    batch: Batch, buffer: Octets, starts: Positions, lengths: Positions, rows: Positions, max_variables: int
) -> Batch:
    """`batch` with these rows as the reference decodes them."""
    located: dict[int, Located] = {}
    for row in rows.tolist():
        start = int(starts[row])
        try:
            located[row] = locate_reply(buffer[start : start + int(lengths[row])].tobytes(), max_variables)
        except DecodeError as error:
            batch.reason[row] = Malformed[error.reason.upper()]
    missing = max((len(reply.variables) for reply in located.values()), default=0) - len(batch.tag)
    batch = batch.with_room(missing) if missing > 0 else batch
    for row, reply in located.items():
        batch.put(row, reply, int(starts[row]))
    return batch


def _headers(words: Words, start: Positions, limit: Positions) -> tuple[_Header, Positions, Positions, Mask]:
    """(version, request-id, error-status, error-index), where the variables begin and end, and which rows are usual so far.

    Usual is `30 L 02 01 version 04 L community A2 L 02 04 request-id 02 01 status 02 01 index 30 L` with one-octet lengths
    of the community, every enclosing length the right one.
    """
    at, end, usual = _enclosing(words_at(words, start), start, Tag.SEQUENCE)
    word = words_at(words, at)
    version, community = word >> 40 & 0xFF, word >> 24 & 0xFF
    usual &= (word >> 48 == 0x0201) & (word >> 32 & 0xFF == Tag.OCTET_STRING) & (version < 0x80) & (community < 0x80)
    at = at + 5 + community.view(np.int64)
    usual &= (end <= limit) & (at + 22 <= end)
    at = np.where(usual, at, start)
    at, pdu_end, response = _enclosing(words_at(words, at), at, Tag.RESPONSE)
    id_word, error_word = words_at(words, at), words_at(words, at + 8)
    usual &= response & (pdu_end == end) & (id_word >> 48 == 0x0204) & (id_word & 0xFFFF == 0x0201)
    request_id = (id_word >> 16).astype(np.int32).astype(np.int64)
    status, index = error_word >> 56, error_word >> 32 & 0xFF
    usual &= (error_word >> 40 & 0xFFFF == 0x0201) & (status < 0x80) & (index < 0x80)
    at, list_end, sequence = _enclosing(error_word << 32 | words_at(words, at + 12) >> 32, at + 12, Tag.SEQUENCE)
    usual &= sequence & (list_end == end) & (at <= end)
    header = version.view(np.int64), request_id, status.view(np.int64), index.view(np.int64)
    return header, np.where(usual, at, start), np.where(usual, end, start), usual


def _enclosing(word: NDArray[Any], at: Positions, tag: int) -> tuple[Positions, Positions, Mask]:
    """(content start, content end, is it of this tag and its length at most two octets) of an element beginning with `word`."""
    first = word >> 48 & 0xFF
    more = np.where(first >= 0x80, first & 0x7F, 0)
    usual = (word >> 56 == tag) & (more <= 2) & (first != 0x80)
    more = np.minimum(more, 2)
    length = np.where(more == 0, first, word >> 48 - 8 * more & _MASKS[more])
    start = at + 2 + more.view(np.int64)
    return start, start + length.view(np.int64), usual


def _variable_places(buffer: Octets, at: Positions, end: Positions, max_variables: int) -> tuple[Positions, Positions, Mask]:
    """Where each variable begins, shape (variables + 1, replies), the end last; how many there are; which rows come out even."""
    places = [at]
    count = np.zeros(len(at), np.int64)
    whole = np.ones(len(at), np.bool_)
    left = at < end
    while left.any() and len(places) <= max_variables:
        after = at + 2 + buffer[at + 1]
        count += left
        if not left.all():
            after = np.where(left, after, at)
        whole &= after <= end
        at = np.minimum(after, end)
        places.append(at)
        left = at < end
    return np.array(places), count, whole & ~left


def _variables(words: Words, places: Positions, count: Positions) -> tuple[_Variables, Mask]:
    """The columns of variables of a `Batch`, and in which rows all of them are as usual: `30 L 06 L name tag L value`."""
    at, after = places[:-1], places[1:]
    there = np.arange(len(at))[:, None] < count
    head = words_at(words, at)
    name_length = (head >> 32 & 0xFF).view(np.int64)
    name_start = at + 4
    value_at = np.minimum(name_start + name_length, after)
    value_head = words_at(words, value_at)
    tag = value_head >> 56
    length = (value_head >> 48 & 0xFF).view(np.int64)
    start = value_at + 2
    sound = (head & 0xFF80FF80_00000000 == 0x30000600_00000000) & (length < 0x80) & (start + length == after)
    number, valid = _numbers(words, tag, start, np.where(sound, length, 0))
    sound = (sound & valid) | ~there
    return (name_start, name_length, tag.astype(np.uint8), start, length, number), sound.all(axis=0)


def _numbers(words: Words, tag: NDArray[Any], start: Positions, length: Positions) -> tuple[Words, Mask]:
    """The value of an INTEGER or unsigned type, else 0; and whether it keeps the rules that `reference` has for its type."""
    word = words_at(words, start + length - 8)
    masked = word & _MASKS[np.minimum(length, 9)]
    number = np.where(_UNSIGNED[tag], masked, np.uint64(0))
    valid = (length >= _LEAST[tag]) & (length <= _MOST[tag]) & (number <= _LARGEST[tag])
    long = length == 9
    if long.any():
        valid &= ~long | (_MOST[tag] != 9) | (words_at(words, start) >> 56 == 0)
    signed = tag == Tag.INTEGER
    if signed.any():
        shift = (64 - 8 * np.clip(length, 1, 8)).view(np.uint64)
        extended = ((word << shift).view(np.int64) >> shift.view(np.int64)).view(np.uint64)
        number = np.where(signed, extended, number)
    return number, valid


_MASKS = np.array([*((1 << 8 * octets) - 1 for octets in range(9)), 2**64 - 1], np.uint64)
"""Keeps the last 0 to 8 octets of a word; 9: all of it (a Counter64 with a leading zero)."""


def _by_tag(other: int, numbers: Mapping[Tag, int], kind: type[np.generic]) -> NDArray[Any]:
    """A table over all identifier octets."""
    table = np.full(256, other, kind)
    for tag, number in numbers.items():
        table[tag] = number
    return table


_UNSIGNED_TAGS: tuple[Tag, ...] = (Tag.COUNTER32, Tag.GAUGE32, Tag.TIME_TICKS, Tag.COUNTER64)
_UNSIGNED = np.isin(np.arange(256), _UNSIGNED_TAGS)
_LEAST = _by_tag(0, {Tag.INTEGER: 1} | dict.fromkeys(_UNSIGNED_TAGS, 1), np.int64)
_MOST = _by_tag(0x7F, {Tag.INTEGER: 8} | dict.fromkeys(_UNSIGNED_TAGS, 9), np.int64)
_LARGEST = _by_tag(2**64 - 1, {Tag(tag): 2**32 - 1 for tag in INTEGERS_32}, np.uint64)
