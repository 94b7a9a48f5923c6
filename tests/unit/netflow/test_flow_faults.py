"""Templates, sequence numbers and sampling that go wrong (faults 31 to 38), and bounds against hostile senders."""

from __future__ import annotations

import importlib.util
import struct
import tracemalloc
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from collectors.netflow.batch import Datagrams
from collectors.netflow.decoder import ColumnDecoder
from collectors.netflow.sequence import Sequence
from collectors.netflow.templates import Field, Template, TemplateLimits, TemplateStore
from collectors.netflow.work import Batch


def _packets() -> ModuleType:
    spec = importlib.util.spec_from_file_location("flow_packets", Path(__file__).with_name("packets.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


packets = _packets()
NOW_MS = 1_700_000_000_000
FIELDS = ((8, 4), (12, 4), (7, 2), (11, 2), (4, 1), (1, 4), (2, 4))
SWAPPED = ((8, 4), (12, 4), (7, 2), (11, 2), (4, 1), (2, 4), (1, 4))
MINUTE_MS = 60_000


def record(octets: int = 1000, count: int = 2) -> bytes:
    return b"\x0a\x14\x01\x05\x08\x08\x08\x08" + struct.pack(">HHBII", 40_000, 443, 6, octets, count)


def template(identity: int = 258, fields: tuple[tuple[int, int], ...] = FIELDS) -> bytes:
    made: bytes = packets.a_set(0, packets.template(identity, fields))
    return made


def data(*records: bytes, identity: int = 258) -> bytes:
    made: bytes = packets.a_set(identity, b"".join(records))
    return made


def decode(decoder: ColumnDecoder, payloads: list[bytes], now_ms: int = NOW_MS, exporters: list[int] | None = None) -> Batch:
    lengths = np.array([len(payload) for payload in payloads], np.int64)
    buffer = np.frombuffer(b"".join(payloads) + bytes(64), np.uint8)
    numbers = np.array(exporters or [0] * len(payloads), np.int64)
    return decoder.decode(Datagrams(buffer=buffer, start=np.cumsum(lengths) - lengths, length=lengths, exporter=numbers), now_ms)


def octets(batch: Batch) -> list[int]:
    return [amount for flows in batch.flows for amount in flows.octets.tolist()]


def test_data_before_its_template_waits_and_is_decoded_then() -> None:
    """fault 31: nothing is misdecoded, nothing lost; the wait is counted."""
    decoder = ColumnDecoder(["a"])
    early = decode(decoder, [packets.v9([data(record(700))])])
    assert (octets(early), early.early) == ([], {0: 1})
    assert octets(decode(decoder, [packets.v9([template()], sequence=1)])) == [700]


def test_data_whose_template_never_comes_are_dropped_and_counted() -> None:
    """fault 31: the room for them is bounded."""
    decoder = ColumnDecoder(["a"], limits=TemplateLimits(early_octets_per_scope=1000))
    batch = decode(decoder, [packets.v9([data(*[record()] * 20)], sequence=number) for number in range(10)])
    assert batch.problems["no_template"] > 5
    assert decoder.templates.early_octets <= 1000


@pytest.mark.parametrize("octets_each", [0, 1])
def test_sets_of_nothing_wait_in_bounded_memory(octets_each: int) -> None:
    """Found by the fuzzer: sets of no octets at all cost memory too, and leave their scope as they came."""
    decoder = ColumnDecoder(["a"], limits=TemplateLimits(early_octets_per_scope=10_000))
    nothing = packets.a_set(258, bytes(octets_each))
    batch = decode(decoder, [packets.v9([nothing] * 100)])
    assert batch.early == {0: 100}
    assert batch.problems["no_template"] > 50
    assert 0 < decoder.templates.early_octets <= 10_000
    decode(decoder, [packets.v9([packets.a_set(999, b""), template()], sequence=1)])
    decode(decoder, [packets.v9([template(999)], sequence=2)])
    assert decoder.templates.early_octets == 0


def test_another_definition_holds_from_where_it_stands() -> None:
    """fault 32: also within one batch, before and behind it."""
    decoder = ColumnDecoder(["a"])
    batch = decode(
        decoder,
        [
            packets.v9([template(), data(record(700, 3))]),
            packets.v9([template(fields=SWAPPED), data(record(700, 3))], sequence=1),
            packets.v9([template(), data(record(700, 3))], sequence=2),
        ],
    )
    assert sorted(octets(batch)) == [3, 700, 700]


def test_templates_are_of_one_source_and_domain() -> None:
    """fault 32: the same number means different things to different exporters and domains."""
    decoder = ColumnDecoder(["a", "b"])
    decode(decoder, [packets.v9([template()]), packets.v9([template(fields=SWAPPED)])], exporters=[0, 1])
    batch = decode(decoder, [packets.v9([data(record(700, 3))], sequence=1)] * 2, exporters=[0, 1])
    assert octets(batch) == [700, 3]
    other = decode(decoder, [packets.v9([data(record())], source=7)])
    assert (octets(other), other.early) == ([], {0: 1})


def test_a_restarted_exporter_must_say_its_templates_again() -> None:
    """fault 32: its sysUpTime fell; data behind that wait for the new definition, data before it keep the old."""
    decoder = ColumnDecoder(["a"])
    decode(decoder, [packets.v9([template()], uptime=9_000_000)])
    batch = decode(
        decoder,
        [packets.v9([data(record(700, 3))], uptime=9_001_000, sequence=1), packets.v9([data(record(800, 4))], uptime=5_000)],
    )
    assert (octets(batch), batch.early, batch.restarts) == ([700], {0: 1}, {0: 1})
    assert octets(decode(decoder, [packets.v9([template(fields=SWAPPED)], uptime=6_000, sequence=1)])) == [4]


def test_two_exporters_behind_one_address_do_not_lose_their_templates_for_ever() -> None:
    """fault 32: sysUpTimes that fall again and again are no restarts."""
    decoder = ColumnDecoder(["a"])
    decode(decoder, [packets.v9([template()], uptime=9_000_000), packets.v9([template()], uptime=5_000)])
    batches = [decode(decoder, [packets.v9([data(record())], uptime=uptime)]) for uptime in (9_000_000, 5_000) * 5]
    assert [len(octets(batch)) for batch in batches[2:]] == [1] * 8


def test_a_withdrawal_is_ignored() -> None:
    """fault 33: over UDP it says nothing (RFC 7011 section 8.4)."""
    decoder = ColumnDecoder(["a"])
    decode(decoder, [packets.ipfix([packets.a_set(2, packets.template(258, FIELDS))])])
    decode(decoder, [packets.ipfix([packets.a_set(2, struct.pack(">HH", 258, 0))])])
    assert octets(decode(decoder, [packets.ipfix([data(record())])])) == [1000]


def test_a_template_that_is_not_refreshed_expires() -> None:
    """fault 34: and one that is refreshed with the same octets does not."""
    decoder, refreshed = ColumnDecoder(["a"]), ColumnDecoder(["a"])
    for minute in range(0, 120, 20):
        decode(refreshed, [packets.v9([template()])], NOW_MS + minute * MINUTE_MS)
    decode(decoder, [packets.v9([template()])])
    later = NOW_MS + 110 * MINUTE_MS
    assert octets(decode(decoder, [packets.v9([data(record())], sequence=1)], later)) == []
    assert octets(decode(refreshed, [packets.v9([data(record())], sequence=6)], later)) == [1000]


def test_a_gap_in_the_numbers_is_counted_in_each_protocols_unit() -> None:
    """fault 35: v9 counts datagrams, IPFIX data records, v5 flows; nothing else changes."""
    decoder = ColumnDecoder(["a", "b", "c"])
    first = [
        packets.v9([template()]),
        packets.ipfix([packets.a_set(2, packets.template(258, FIELDS))]),
        packets.v5([packets.v5_record()]),
    ]
    decode(decoder, first, exporters=[0, 1, 2])
    second = [
        packets.v9([data(record())], sequence=4),
        packets.ipfix([data(record())], sequence=28),
        packets.v5([packets.v5_record()], sequence=31),
    ]
    batch = decode(decoder, second, exporters=[0, 1, 2])
    assert batch.lost == {0: 3, 1: 28, 2: 30}
    assert octets(batch) == [1000, 1000, 1000]


def test_the_number_wraps_without_a_loss() -> None:
    """fault 35: modulo 2^32."""
    sequence = Sequence()
    assert [sequence.step(number, 10) for number in (2**32 - 10, 0, 10)] == [0, 0, 0]


def test_a_late_datagram_gives_back_what_was_lost() -> None:
    """fault 36: reordering is no restart."""
    sequence = Sequence()
    assert [sequence.step(number, 1) for number in (10, 12, 11, 13)] == [0, 1, -1, 0]
    assert (sequence.lost, sequence.reordered, sequence.restarts) == (0, 1, 0)


def test_a_restart_is_not_four_billion_lost() -> None:
    """fault 36: the number begins anew with sysUpTime, or far away without one."""
    sequence, without = Sequence(), Sequence()
    assert [sequence.step(500, 1, 9_000_000), sequence.step(0, 1, 1_000), sequence.step(1, 1, 2_000)] == [0, 0, 0]
    assert [without.step(3_000_000, 1), without.step(0, 1), without.step(1, 1)] == [0, 0, 0]
    assert (sequence.restarts, without.restarts) == (1, 1)


def test_sampling_comes_from_configuration_header_or_options_and_is_else_unknown() -> None:
    """fault 37: unknown is 0, a flag, never silently 1."""
    configured = ColumnDecoder(["a"], overrides={"a": 50})
    assert decode(configured, [packets.v5([packets.v5_record()], sampling=100)]).flows[0].rate.tolist() == [50]
    plain = ColumnDecoder(["a"])
    assert decode(plain, [packets.v5([packets.v5_record()], sampling=100)]).flows[0].rate.tolist() == [100]
    assert decode(plain, [packets.v9([template(), data(record())])]).flows[0].rate.tolist() == [0]
    options = packets.a_set(1, packets.v9_options(257, [(1, 4)], [(34, 4)]))
    told = packets.v9([options, packets.a_set(257, bytes(4) + struct.pack(">I", 512))], sequence=1)
    assert decode(plain, [told, packets.v9([data(record())], sequence=2)]).flows[0].rate.tolist() == [512]


def test_a_nonsensical_interval_is_bounded() -> None:
    """fault 37: found by the fuzzer, an interval of nine octets that no column holds."""
    decoder = ColumnDecoder(["a"])
    options = packets.a_set(1, packets.v9_options(257, [(1, 4)], [(34, 9)]))
    told = packets.v9([options, packets.a_set(257, bytes(4) + b"\xff" * 9)])
    batch = decode(decoder, [told, packets.v9([template(), data(record())], sequence=1)])
    assert batch.flows[0].rate.tolist() == [1 << 24]


def test_templates_without_octets_or_with_too_many_fields_are_rejected() -> None:
    """fault 38: and data of theirs is never decoded."""
    decoder = ColumnDecoder(["a"])
    empty, endless = template(fields=((8, 0), (12, 0))), packets.a_set(0, struct.pack(">HH", 259, 65_535) + bytes(40))
    batch = decode(decoder, [packets.v9([empty]), packets.v9([endless], sequence=1), packets.v9([data(record())], sequence=2)])
    assert batch.problems == {"template": 1, "template_truncated": 1}
    assert octets(batch) == []


def test_a_sender_of_ever_new_templates_meets_a_bound() -> None:
    """fault 38: a million fields in all, whatever the number of templates; memory stays flat beyond."""
    limits = TemplateLimits(templates=500, all_fields=20_000)
    decoder = ColumnDecoder(["a"], limits=limits)
    _flood(decoder, range(400))
    tracemalloc.start()
    _flood(decoder, range(400, 1200))
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(decoder.templates) <= 20_000 // 100
    assert grown < 4 << 20


def _flood(decoder: ColumnDecoder, numbers: range) -> None:
    for number in numbers:
        fields = tuple((1 + (number * 7 + place) % 400, 1 + place % 4) for place in range(100))
        payload = packets.v9([template(256 + number, fields)], source=number % 7, sequence=number)
        decode(decoder, [payload])


def test_a_sender_of_ever_new_domains_meets_a_bound() -> None:
    """Scopes beyond the bound are counted, and known ones still decoded."""
    decoder = ColumnDecoder(["a"])
    decode(decoder, [packets.v9([template()])])
    for first in range(1, 20_001, 1000):
        batch = decode(decoder, [packets.v9([data(record())], source=source) for source in range(first, first + 1000)])
    assert batch.problems["too_many_scopes"] == 1000
    assert octets(decode(decoder, [packets.v9([data(record())], sequence=1)])) == [1000]


def test_empty_data_sets_wait_within_bounds_too() -> None:
    """A set without octets takes memory all the same; what waits for two templates can be given back one after the other."""
    store: TemplateStore[bytes] = TemplateStore(TemplateLimits(early_octets_per_scope=1024))
    scope = ("a", 9, 1)
    dropped = sum(store.hold(scope, 256 + number % 2, b"", 0, 1000) for number in range(100))
    assert store.early_octets <= 1024
    assert store.waiting_octets == 0
    given_back = [store.put(scope, Template(number, (Field(0, 1, 4),)), 1000) for number in (256, 257)]
    assert dropped + sum(map(len, given_back)) == 100
    assert store.early_octets == 0
