"""The columnar decoder means what the plain one says, datagram by datagram, whatever the octets are."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bwmgr.errors import DecodeError
from collectors.netflow.batch import Datagrams
from collectors.netflow.captures import split_payloads
from collectors.netflow.decoder import ColumnDecoder
from collectors.netflow.plain import PlainDecoder
from collectors.netflow.records import Kind, Record

SHARED = Path(os.environ.get("BWMGR_SHARED", Path(__file__).resolve().parents[2].parent / "shared"))
FLOWS = SHARED / "data" / "flows"
NOW_MS = 1_700_000_000_000
Counted = Counter[tuple[int, int, int, int, int]]
"""(protocol, source port, destination port, octets, packets)."""


def columnar(payloads: Sequence[bytes], per_batch: int = 1000) -> tuple[Counted, Counter[str]]:
    """What the columnar decoder counts, `per_batch` datagrams at a time."""
    decoder = ColumnDecoder(["a"])
    counted: Counted = Counter()
    problems: Counter[str] = Counter()
    for first in range(0, len(payloads), per_batch):
        batch = decoder.decode(datagrams(payloads[first : first + per_batch]), NOW_MS)
        problems.update(batch.problems)
        for flows in batch.flows:
            columns = (flows.protocol, flows.source_port, flows.destination_port, flows.octets, flows.packets)
            counted.update(zip(*(column.tolist() for column in columns), strict=True))
    return counted, problems


def datagrams(payloads: Sequence[bytes]) -> Datagrams:
    """Payloads as a receive buffer: slots of one size, with other octets around them."""
    slot = max(map(len, payloads), default=0) + 16
    buffer = np.full(slot * len(payloads) + 16, 0xA5, np.uint8)
    for number, payload in enumerate(payloads):
        buffer[slot * number : slot * number + len(payload)] = np.frombuffer(payload, np.uint8)
    start = slot * np.arange(len(payloads), dtype=np.int64)
    length = np.array([len(payload) for payload in payloads], np.int64)
    return Datagrams(buffer=buffer, start=start, length=length, exporter=np.zeros(len(payloads), np.int64))


def plain(payloads: Sequence[bytes]) -> tuple[Counted, Counter[str]]:
    """The same by the plain decoder."""
    decoder = PlainDecoder()
    counted: Counted = Counter()
    problems: Counter[str] = Counter()
    for payload in payloads:
        try:
            decoded = decoder.decode(payload, "a", NOW_MS)
        except DecodeError as error:
            problems[error.reason] += 1
            continue
        problems.update(decoded.problems)
        for record in decoded.records:
            if record.kind is Kind.FLOW:
                counted.update(_counted(record))
    return counted, problems


def _counted(record: Record) -> list[tuple[int, int, int, int, int]]:
    """As `_rows`, with amounts bounded as in a column."""
    return [(*who, _bounded(octets), _bounded(packets)) for *who, octets, packets in _rows(record)]


def _bounded(amount: int) -> int:
    """A column has the last eight octets of a longer field, and bounds them."""
    return min(amount % 2**64, 2**62)


def _rows(record: Record) -> list[tuple[int, int, int, int, int]]:
    """One row, or two for a record of both directions, or none where the record has no octets or nobody to give them to."""
    elements = {each.id for each, octets in record.fields() if each.pen == 0 and octets}
    addressed = {8, 12} <= elements or {27, 28} <= elements or elements & {10, 14}
    if not addressed:
        return []
    ports = (record.number(7) or 0) & 0xFFFF, (record.number(11) or 0) & 0xFFFF
    protocol = (record.number(4) or 0) & 0xFF
    octets = next((record.number(number) for number in (1, 23, 85) if number in elements), None)
    if octets is None and 231 in elements:
        forward = (protocol, *ports, record.number(231) or 0, record.number(298) or 0)
        back = record.number(232) or 0
        return [forward, (protocol, ports[1], ports[0], back, record.number(299) or 0)] if back else [forward]
    packets = next((record.number(number) for number in (2, 24, 86) if number in elements), 0)
    return [] if octets is None else [(protocol, *ports, octets, packets or 0)]


def real_payloads() -> list[bytes]:
    return [payload for path in sorted(FLOWS.glob("*.dat")) for payload in split_payloads(path.read_bytes())]


@pytest.mark.skipif(not FLOWS.exists(), reason="the captures of ../shared/data/flows are not here")
@pytest.mark.parametrize("per_batch", [1, 3, 1000])
def test_real_captures_count_the_same_in_columns(per_batch: int) -> None:
    """Every capture, in the files' order and in five others, one at a time and all at once."""
    payloads = real_payloads()
    for seed in range(6):
        if seed:
            random.Random(seed).shuffle(payloads)
        assert columnar(payloads, per_batch) == plain(payloads)


@pytest.mark.skipif(not FLOWS.exists(), reason="the captures of ../shared/data/flows are not here")
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_damaged_captures_count_the_same_in_columns(data: st.DataObject) -> None:
    """Octets overwritten, datagrams cut short and repeated: the same flows, the same reasons."""
    payloads = data.draw(st.lists(st.sampled_from(real_payloads()), min_size=1, max_size=12))
    damaged = [_damage(payload, data.draw(st.randoms(use_true_random=False))) for payload in payloads]
    assert columnar(damaged) == plain(damaged)


def _damage(payload: bytes, chance: random.Random) -> bytes:
    octets = bytearray(payload)
    for _ in range(chance.choice((0, 0, 1, 2, 5))):
        octets[chance.randrange(len(octets))] = chance.choice((0, 1, 4, 255, chance.randrange(256)))
    return bytes(octets[: chance.randrange(len(octets) + 1)]) if chance.random() < 0.2 else bytes(octets)


@settings(max_examples=500, deadline=None)
@given(st.lists(st.binary(max_size=120), max_size=8))
def test_any_octets_count_the_same_in_columns(payloads: list[bytes]) -> None:
    """Nothing raises, and both count the same reasons."""
    assert columnar(payloads) == plain(payloads)
