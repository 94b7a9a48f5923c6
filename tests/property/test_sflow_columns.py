"""sFlow in columns means what the plain decoder says of each datagram, in every column, and takes what switches send all day."""

from __future__ import annotations

import random
import struct
from collections import Counter
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.netflow import decoder
from collectors.netflow.batch import Datagrams
from collectors.netflow.columns import Flows
from collectors.netflow.decoder import ColumnDecoder
from collectors.netflow.sflow_columns import read_samples

NOW_MS = 1_700_000_000_000


def structure(kind: int, body: bytes) -> bytes:
    return struct.pack(">II", kind, len(body)) + body + bytes(-len(body) % 4)


def ipv4(chance: random.Random, payload: bytes) -> bytes:
    options = bytes(4 * chance.choice((0, 0, 0, 2)))
    fragment = chance.choice((0, 0, 0, 0x2000, 0x0010, 0x4000))
    protocol = chance.choice((6, 17, 1, 47, 132))
    first = 0x40 | (5 + len(options) // 4) if chance.random() < 0.97 else 0x43
    return struct.pack(">BBHHHBBH", first, 0, 1500, 7, fragment, 64, protocol, 0) + chance.randbytes(8) + options + payload


def ipv6(chance: random.Random, payload: bytes) -> bytes:
    following = chance.choice((6, 17, 58, 6, 17, 0, 44))
    return struct.pack(">IHBB", 0x60000000, 1400, following, 64) + chance.randbytes(32) + payload


def frame(chance: random.Random) -> tuple[int, bytes]:
    """(header protocol, octets)."""
    payload = struct.pack(">HH", chance.choice((443, 53)), 40_000) + chance.randbytes(20)
    sixth = chance.random() < 0.4
    packet = (ipv6 if sixth else ipv4)(chance, payload)
    if chance.random() < 0.2:
        return (12 if sixth else 11), packet[: chance.choice((128, 128, 44, 20, 3))]
    kind = 0x86DD if sixth else 0x0800
    if chance.random() < 0.08:
        kind = chance.choice((0x0806, 0x8847, 0x86DD, 0x0800))
    tags = b"".join(struct.pack(">HH", chance.choice((0x8100, 0x88A8)), 12) for _ in range(chance.choice((0, 0, 1, 2, 5))))
    whole = chance.randbytes(12) + tags + struct.pack(">H", kind) + packet
    return chance.choice((1, 1, 1, 1, 1, 2)), whole[: chance.choice((128, 128, 128, 64, 40, 13))]


def gateway(chance: random.Random) -> bytes:
    hop = chance.choice((struct.pack(">I4s", 1, b"hop4"), struct.pack(">I16s", 2, b"hop6"), struct.pack(">I", 0)))
    segments = chance.choice(((), ((64500, 64501, 13335),), ((7,),), ((),), ((1,), (2,))))
    path = b"".join(struct.pack(f">II{len(each)}I", 2, len(each), *each) for each in segments)
    body = hop + struct.pack(">IIII", 64499, 64500, 3, len(segments)) + path + struct.pack(">II", 0, 100)
    return body if chance.random() < 0.95 else body[:20]


def records(chance: random.Random) -> list[bytes]:
    protocol, octets = frame(chance)
    found = [structure(1, struct.pack(">IIII", protocol, chance.choice((64, 1518)), 4, len(octets)) + octets)]
    if chance.random() < 0.5:
        found.append(structure(1001, struct.pack(">IIII", 10, 0, 20, 0)))
    if chance.random() < 0.4:
        found.append(structure(1002, struct.pack(">I4sII", 1, b"next", 24, 16) + bytes(12)))
    if chance.random() < 0.4:
        found.append(structure(1003, gateway(chance)))
    if chance.random() < 0.1:
        found.append(structure((4413 << 12) | 1, chance.randbytes(8)))
    if chance.random() < 0.04:
        found.append(structure(3, struct.pack(">II4s4sIIII", 900, 6, b"abcd", b"efgh", 1, 2, 0, 0)))
    if chance.random() < 0.04:
        found.append(found[0])
    chance.shuffle(found)
    return found


def sample(chance: random.Random) -> bytes:
    inside = records(chance)
    kind = chance.choice((1, 1, 1, 3, 3, 2, 9)) if chance.random() < 0.3 else chance.choice((1, 3))
    if kind == 2:
        return structure(2, struct.pack(">III", 1, 3, 1) + structure(1, bytes(88)))
    ends = (chance.choice((1, 0x3FFFFFFF, 0x80000002, 0x40000101)), chance.choice((2, 0, 0x3FFFFFFF)))
    if kind == 3:
        head = struct.pack(">IIIIIIIIIII", 1, 0, 5, 1000, 9, 0, chance.choice((0, 1)), ends[0], 0, ends[1], len(inside))
    else:
        head = struct.pack(">IIIIIIII", 1, 5, chance.choice((0, 1, 1024)), 9, 0, *ends, len(inside))
    return structure(kind, head + b"".join(inside))


def datagram(chance: random.Random) -> bytes:
    samples = [sample(chance) for _ in range(chance.choice((0, 1, 3, 7)))]
    agent = chance.choice((struct.pack(">I4s", 1, b"agnt"), struct.pack(">I16s", 2, b"agent-v6"), struct.pack(">I", 3)))
    count = len(samples) + chance.choice((0, 0, 0, 0, 1, -1)) if samples else 0
    octets = bytearray(
        struct.pack(">I", 5) + agent + struct.pack(">IIII", 0, chance.randrange(9), 1000, count) + b"".join(samples)
    )
    for _ in range(chance.choice((0, 0, 0, 0, 1, 3))):
        octets[chance.randrange(len(octets))] = chance.choice((0, 1, 4, 255))
    return bytes(octets[: chance.randrange(4, len(octets) + 1)]) if chance.random() < 0.06 else bytes(octets)


def received(payloads: list[bytes]) -> Datagrams:
    slot = max(map(len, payloads)) + 16
    buffer = np.full(slot * len(payloads) + 64, 0xA5, np.uint8)
    for number, payload in enumerate(payloads):
        buffer[slot * number : slot * number + len(payload)] = np.frombuffer(payload, np.uint8)
    start = slot * np.arange(len(payloads), dtype=np.int64)
    length = np.array([len(payload) for payload in payloads], np.int64)
    return Datagrams(buffer=buffer, start=start, length=length, exporter=np.arange(len(payloads), dtype=np.int64) % 2)


def decoded(datagrams: Datagrams) -> tuple[Counter[Any], Any]:
    """Every flow with all its columns, and all that is counted beside."""
    batch = ColumnDecoder(["a", "b"], overrides={"b": 7}).decode(datagrams, NOW_MS)
    flows: Counter[Any] = Counter()
    for one in batch.flows:
        flows.update(zip(*_columns(one), strict=True))
    return flows, (batch.problems, batch.lost, len(batch.counters))


def _columns(flows: Flows) -> list[list[Any]]:
    columns = [getattr(flows, each.name) for each in fields(flows)]
    return [one.tolist() if isinstance(one, np.ndarray) else [one] * len(flows) for one in columns]


def both_ways(datagrams: Datagrams) -> tuple[Any, Any]:
    """By columns, and with every datagram left to the plain decoder."""
    fast = decoded(datagrams)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(decoder, "read_samples", lambda _, positions: ([], positions))
        return fast, decoded(datagrams)


@settings(max_examples=400, deadline=None)
@given(seed=st.integers(0, 2**32), number=st.integers(1, 12))
def test_columns_mean_what_the_plain_decoder_says(seed: int, number: int) -> None:
    """Samples of every form, damaged and cut ones among them."""
    chance = random.Random(seed)
    fast, plain = both_ways(received([datagram(chance) for _ in range(number)]))
    assert fast == plain


def test_what_switches_send_all_day_is_left_to_nobody() -> None:
    """Tagged IPv4 and IPv6 with switch, router and gateway data: all in columns."""
    packets = [
        bytes(12) + b"\x81\x00\x00\x0a" + kind + head + b"\x01\xbb\x9c\x40" + bytes(60)
        for kind, head in (
            (b"\x08\x00", b"\x45" + bytes(8) + b"\x06" + bytes(2) + b"\x0a\x00\x00\x01\x08\x08\x08\x08"),
            (b"\x86\xdd", b"\x60" + bytes(5) + b"\x11\x40" + bytes(32)),
        )
    ]
    beside = structure(1001, bytes(16)) + structure(1002, struct.pack(">I4sII", 1, b"next", 24, 16) + bytes(12))
    beside += structure(1003, struct.pack(">I4sIIIIIII", 1, b"next", 1, 64500, 2, 1, 2, 1, 15169) + bytes(8))
    samples = [
        structure(1, struct.pack(">IIIIIIII", 1, 5, 1000, 9, 0, 1, 2, 4) + raw + beside)
        for raw in (structure(1, struct.pack(">IIII", 1, 1518, 4, len(packet)) + packet) for packet in packets)
    ]
    whole = struct.pack(">II4sIIII", 5, 1, b"agnt", 0, 1, 1000, 6) + b"".join(samples * 3)
    datagrams = received([whole] * 5)
    rows, left = read_samples(datagrams, np.arange(5))
    assert (sum(len(one.rows) for one in rows), left.tolist()) == (30, [])
    (flows, _), plain = both_ways(datagrams)
    assert (flows, _) == plain
    assert len(flows) == 4  # two families of two exporters
