"""Replies that look like the last one: what is recognised is exactly what the full decoder would have read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from bwmgr.model.inventory import Faces, Interface
from collectors.snmp.batch import PADDING, Octets, decode_batch
from collectors.snmp.ber import REQUEST_ID_BASE, Tag, encode, encode_integer, encode_request
from collectors.snmp.familiar import MOST_OCTETS, Familiar, Recognised
from collectors.snmp.matching import Answers, examine, names_match
from collectors.snmp.objects import OBJECTS, Column
from collectors.snmp.plan import UPTIME, Item, Place, pdus
from collectors.snmp.requests import RequestTable
from collectors.snmp.settings import SnmpSettings
from collectors.udp import Received

PLACE = Place(row=0, interface=Interface(device="router", if_name="ether1", faces=Faces.SUBSCRIBER), if_index=7)
(ITEMS,) = pdus([PLACE], SnmpSettings(), counter64=True, community_octets=6)
VALUES = {
    UPTIME: (Tag.TIME_TICKS, b"\x00\x9f\x11\x22\x33"),
    Column.NAME: (Tag.OCTET_STRING, b"ether1"),
    Column.IN_OCTETS: (Tag.COUNTER64, b"\x00\xff\xee\xdd\xcc\xbb\xaa\x99\x88"),
    Column.OUT_OCTETS: (Tag.COUNTER64, b"\x12\x34\x56"),
    Column.HIGH_SPEED: (Tag.GAUGE32, b"\x64"),
    Column.OPER_STATUS: (Tag.INTEGER, b"\x01"),
    Column.ADMIN_STATUS: (Tag.INTEGER, b"\xff\x01"),
}
ANY_ID = REQUEST_ID_BASE + 5


def reply(
    items: Sequence[Item], other: Mapping[int, bytes] = {}, *, request_id: int = ANY_ID, community: bytes = b"public"
) -> bytes:
    """What an agent answers; `other` gives columns other contents."""
    variables = b""
    for item in items:
        tag, content = VALUES.get(item.column) or (min(OBJECTS[Column(item.column)].tags), b"\x05")
        value = encode(tag, other.get(item.column, content))
        variables += encode(Tag.SEQUENCE, encode(Tag.OBJECT_IDENTIFIER, item.name) + value)
    body = encode_integer(request_id) + encode_integer(0) + encode_integer(0) + encode(Tag.SEQUENCE, variables)
    head = encode_integer(1) + encode(Tag.OCTET_STRING, community)
    return encode(Tag.SEQUENCE, head + encode(Tag.RESPONSE, body))


def received(datagrams: Sequence[bytes] | Octets) -> Received:
    """These, as they lie after recvmmsg; what was in the buffer before them shines through behind their ends."""
    count, slot = len(datagrams), max(MOST_OCTETS, *map(len, datagrams), 0) + 64
    buffer = np.full(count * slot + 2 * PADDING + MOST_OCTETS, 0xA5, np.uint8)
    starts = PADDING + slot * np.arange(count, dtype=np.int64)
    for start, datagram in zip(starts.tolist(), datagrams, strict=True):
        buffer[start : start + len(datagram)] = np.frombuffer(bytes(datagram), np.uint8)
    none = np.zeros(count, np.int64)
    lengths = np.array([len(datagram) for datagram in datagrams], np.int64)
    return Received(buffer, starts, lengths, np.zeros((count, 4), np.uint64), none, none.astype(np.bool_))


class Known:
    """A request whose answer was heard once."""

    def __init__(self, *first: bytes, items: Sequence[Item] = ITEMS) -> None:
        self.table = RequestTable()
        message = encode_request(version=1, community=b"public", pdu=Tag.GET, names=[item.name for item in items])
        self.slots = np.array([self.table.add(position, message, 1, items) for position in range(len(first))])
        self.familiar = Familiar(self.table)
        heard = received(first)
        batch = decode_batch(heard.buffer, heard.start, heard.length)
        answers = Answers(heard.buffer, batch, np.arange(len(first)), self.slots)
        assert not len(examine(self.table, answers))
        self.familiar.learn(answers, heard.start, heard.length)

    def hear(self, *datagrams: bytes, slot: int = 0) -> Recognised:
        return self.familiar.recognise(received(datagrams), np.full(len(datagrams), self.slots[slot]))

    def numbers(self, slot: int = 0) -> list[int]:
        first = int(self.table.slots["first"][slot])
        numbers: list[int] = self.table.variables["number"][first : first + len(ITEMS)].tolist()
        return numbers


def test_other_numbers_of_the_same_size_are_recognised_and_written() -> None:
    """The table is as if the reply had been decoded in full."""
    fresh: dict[int, bytes] = {
        Column.IN_OCTETS: b"\x00\xff\xff\xff\xff\x00\x00\x00\x01",
        Column.OUT_OCTETS: b"\x80\x00\x01",
        Column.OPER_STATUS: b"\x02",
    }
    known, by_decoder = Known(reply(ITEMS)), Known(reply(ITEMS, fresh))
    found = known.hear(reply(ITEMS, fresh, request_id=ANY_ID + 72))
    assert found.rows.tolist() == [0]
    assert known.numbers() != by_decoder.numbers()
    known.familiar.write(found)
    assert known.numbers() == by_decoder.numbers()


def test_whatever_octet_changes_what_is_recognised_is_what_the_decoder_reads() -> None:
    """Each octet of a reply, each of its 256 values: recognised are only right answers, with the decoder's numbers (fault 24)."""
    datagram = np.frombuffer(reply(ITEMS), np.uint8)
    known = Known(datagram.tobytes())
    changed = np.repeat(datagram[None], 256 * len(datagram), axis=0)
    changed[np.arange(len(changed)), np.repeat(np.arange(len(datagram)), 256)] = np.tile(np.arange(256), len(datagram))
    heard = received(changed)
    found = known.familiar.recognise(heard, np.full(len(changed), known.slots[0]))
    batch = decode_batch(heard.buffer, heard.start[found.rows], heard.length[found.rows])
    columns = known.table.variables["column"][: len(ITEMS)]
    assert 20 * 256 < len(found.rows) < 40 * 256  # the request-id and the numbers, hardly anything else
    assert not batch.reason.any()
    assert not batch.error_status.any()
    assert (batch.version == 1).all()
    assert names_match(known.table, heard.buffer, batch, found.slots).all()
    assert (batch.tag == batch.tag[:, :1]).all()
    numeric = columns != Column.NAME
    assert (found.numbers[:, : len(ITEMS)][:, numeric] == batch.number.T[:, numeric]).all()
    assert batch.number[columns == Column.HIGH_SPEED].all()


@pytest.mark.parametrize(
    "other",
    [
        reply(ITEMS, {Column.NAME: b"ether2"}),
        reply(ITEMS, {Column.HIGH_SPEED: b"\x00"}),
        reply(ITEMS, {Column.OUT_OCTETS: b"\x01\x12\x34\x56"}),
        reply(ITEMS, {UPTIME: b"\x01\x9f\x11\x22\x33"}),
        reply(ITEMS, community=b"Public"),
        reply(ITEMS[:-1]),
        reply(ITEMS)[:-1],
        b"",
    ],
    ids=["another port", "no speed", "longer counter", "32-bit overflow", "another community", "too few", "cut", "nothing"],
)
def test_anything_else_is_left_to_the_decoder(other: bytes) -> None:
    """Not recognised, so read in full, so dropped or asked about as ever."""
    assert not len(Known(reply(ITEMS)).hear(other).rows)


def test_each_request_has_its_own_last_reply() -> None:
    """Another device's octets do not pass for this one's."""
    known = Known(reply(ITEMS), reply(ITEMS, {Column.OUT_OCTETS: b"\x01\x12\x34\x56"}))
    assert not len(known.hear(reply(ITEMS), slot=1).rows)
    assert len(known.hear(reply(ITEMS), slot=0).rows)


def test_a_request_that_changed_has_no_last_reply() -> None:
    """After a new plan the next answer is read in full."""
    known = Known(reply(ITEMS))
    known.table.remove(int(known.slots[0]))
    assert not len(known.hear(reply(ITEMS)).rows)


def test_long_replies_and_odd_request_ids_are_not_remembered() -> None:
    """More octets than are kept, or an id that does not lie where it usually does."""
    places = [Place(row=row, interface=PLACE.interface, if_index=row + 1) for row in range(4)]
    many = pdus(places, SnmpSettings(), counter64=True, community_octets=6)[0]
    assert len(reply(many)) > MOST_OCTETS
    assert not len(Known(reply(many), items=many).hear(reply(many)).rows)
    assert not len(Known(reply(ITEMS, request_id=5)).hear(reply(ITEMS, request_id=5)).rows)
