"""The batch decoder and the reference agree on any bytes: the same values, or the same reason to refuse them."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bwmgr.errors import DecodeError
from collectors.snmp.batch import PADDING, decode_batch
from collectors.snmp.ber import Tag, encode, encode_integer, encode_oid
from collectors.snmp.reference import Reply, decode_reply

names = st.lists(st.integers(0, 2**32 - 1), max_size=8).map(lambda arcs: encode_oid((1, 3, 6, *arcs)))
tags = st.sampled_from([*map(int, Tag), 0, 0x47, 0xFF])
contents = st.one_of(
    st.binary(max_size=12),
    st.integers(0, 2**64 - 1).map(lambda number: number.to_bytes(9, "big").lstrip(b"\0")),
    st.binary(min_size=100, max_size=300),
)


def length_of(size: int, form: int) -> bytes:
    """A length in the shortest form, or in a longer one than need be."""
    if form == 0 and size < 0x80:
        return bytes((size,))
    octets = max(form, (size.bit_length() + 7) // 8, 1)
    return bytes((0x80 | octets,)) + size.to_bytes(octets, "big")


def element(tag: int, content: bytes, form: int = 0) -> bytes:
    return bytes((tag,)) + length_of(len(content), form) + content


@st.composite
def replies(draw: st.DrawFn) -> bytes:
    """A reply as an agent may send it, in any of BER's forms of length."""
    form = st.sampled_from([0, 0, 0, 0, 1, 2, 3, 4])
    variables = b"".join(
        element(
            Tag.SEQUENCE, element(Tag.OBJECT_IDENTIFIER, draw(names), draw(form)) + encode(draw(tags), draw(contents)), draw(form)
        )
        for _ in range(draw(st.integers(0, 6)))
    )
    numbers = b"".join(encode_integer(draw(st.integers(-(2**31), 2**31 - 1))) for _ in range(1))
    numbers += b"".join(encode_integer(draw(st.integers(0, 20))) for _ in range(2))
    pdu = element(Tag.RESPONSE, numbers + element(Tag.SEQUENCE, variables, draw(form)), draw(form))
    head = encode_integer(draw(st.integers(0, 3))) + element(Tag.OCTET_STRING, draw(st.binary(max_size=20)), draw(form))
    return element(Tag.SEQUENCE, head + pdu, draw(form))


@st.composite
def spoilt(draw: st.DrawFn) -> bytes:
    """A reply with some octets changed, cut off or added."""
    datagram = bytearray(draw(replies()))
    for position, octet in draw(st.lists(st.tuples(st.integers(0, len(datagram) - 1), st.integers(0, 255)), max_size=4)):
        datagram[position] = octet
    cut = draw(st.integers(0, len(datagram)))
    return bytes(datagram[: cut if draw(st.booleans()) else None]) + draw(st.binary(max_size=3))


def by_reference(datagram: bytes, most: int) -> Reply | str:
    try:
        return decode_reply(datagram, most)
    except DecodeError as error:
        return error.reason


@given(
    st.lists(st.one_of(replies(), spoilt(), st.binary(max_size=60)), max_size=8), st.sampled_from([3, 4096]), st.integers(0, 255)
)
@settings(max_examples=300, deadline=None)
def test_both_decoders_say_the_same(datagrams: list[bytes], most: int, stale: int) -> None:
    """Whatever is in the batch, whatever lies in the buffer around it: values or reason are the reference's (fault 24)."""
    width = max([*map(len, datagrams), 1])
    buffer = np.full(len(datagrams) * width + 2 * PADDING, stale, np.uint8)
    starts = PADDING + width * np.arange(len(datagrams), dtype=np.int64)
    for start, datagram in zip(starts, datagrams, strict=True):
        buffer[start : start + len(datagram)] = np.frombuffer(datagram, np.uint8)
    batch = decode_batch(buffer, starts, np.array([len(each) for each in datagrams], np.int64), most)
    for row, datagram in enumerate(datagrams):
        expected = by_reference(datagram, most)
        if isinstance(expected, str):
            assert batch.reason[row]
        try:
            found: Reply | str = batch.reply(buffer, row)
        except DecodeError as error:
            found = error.reason
        assert found == expected
        if isinstance(expected, Reply):
            numbers = [int(number) for number in batch.number[: len(expected.variables), row]]
            assert numbers == [variable.number % 2**64 for variable in expected.variables]
