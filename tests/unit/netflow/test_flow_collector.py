"""The collector as a whole, on loopback: links, applications, classes, the largest, raw flows, and what operators see."""

from __future__ import annotations

import importlib.util
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from bwmgr.errors import ConfigurationError
from bwmgr.model.inventory import Inventory, Link, LinkKind, Organisation
from collectors.netflow.applications import Names, Prefix, built_in_ports, read_prefixes
from collectors.netflow.assignment import attribution_of
from collectors.netflow.attribution import DOMESTIC, INTERNATIONAL
from collectors.netflow.collector import FlowCollector
from collectors.netflow.exporters import Exporters
from collectors.netflow.lists import Lists
from collectors.netflow.raw import files, retain
from collectors.netflow.settings import FlowSettings, RawSettings
from collectors.netflow.top import By, Top, _Largest


def _packets() -> ModuleType:
    spec = importlib.util.spec_from_file_location("collector_packets", Path(__file__).with_name("packets.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


packets = _packets()
LINKS = {
    name: Link(id=name, name=name, kind=LinkKind.OPD, networks=(ip_network(network),))
    for name, network in (("dinkes", "10.20.1.0/24"), ("disdik", "10.20.2.0/24"))
}
INVENTORY = Inventory(organisation=Organisation(name="test"), links=LINKS)
PREFIXES = [
    Prefix(network=ip_network("103.0.0.0/8"), service=None, domestic=True),
    Prefix(network=ip_network("8.8.8.0/24"), service="google", domestic=False),
]
DINKES, GOOGLE, DOMESTIC_HOST = b"\x0a\x14\x01\x05", b"\x08\x08\x08\x08", b"\x67\x01\x02\x03"


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[FlowCollector]:
    exporters = Exporters()
    raw = RawSettings(folder=tmp_path / "raw")
    settings = FlowSettings(listen=(("127.0.0.1", 0),), raw=raw)
    made = FlowCollector(settings, attribution_of(INVENTORY, exporters, PREFIXES), exporters)
    yield made
    made.close()


def _send(collector: FlowCollector, *payloads: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        for payload in payloads:
            one.sendto(payload, collector.receiver.addresses[0])


def _now() -> dict[str, int]:
    return {"seconds": int(time.time()), "uptime": 100_000}


def test_usage_by_link_application_and_class(collector: FlowCollector) -> None:
    """A download from a known service, an upload to a domestic host; octets as they came."""
    records = [
        packets.v5_record(source=GOOGLE, destination=DINKES, octets=5000, source_port=443, destination_port=40_000),
        packets.v5_record(source=DINKES, destination=DOMESTIC_HOST, octets=700, destination_port=443),
    ]
    _send(collector, packets.v5(records, **_now()))
    assert collector.step(2.0) == 2
    rows = collector.close_minutes(int(time.time() * 1000) + 120_000)
    names = collector.assignment.applications
    found = {
        (collector.assignment.links[link], direction, names.name(application), traffic_class, octets)
        for link, direction, application, traffic_class, octets in zip(
            rows.link.tolist(),
            rows.direction.tolist(),
            rows.application.tolist(),
            rows.traffic_class.tolist(),
            rows.octets.tolist(),
            strict=True,
        )
    }
    assert found == {("dinkes", 0, "google", INTERNATIONAL, 5000), ("dinkes", 1, "https", DOMESTIC, 700)}


def test_impossible_octets_are_dropped_and_counted(collector: FlowCollector) -> None:
    """Two gigabytes in nine seconds pass no interface of 1 Gbit/s; at 10 Gbit/s three seconds' worth in none do not either."""
    good, bad = packets.v5_record(octets=9000), packets.v5_record(octets=4_000_000_000, first=99_000, last=99_000)
    _send(collector, packets.v5([good, bad], **_now()))
    assert collector.step(2.0) == 1
    figures = collector.figures()
    assert figures.problems == {"impossible_octets": 1}
    assert figures.exporters[0].problems == {"impossible_octets": 1}


def test_figures_by_exporter(collector: FlowCollector) -> None:
    """Datagrams, losses, what was malformed, a clock that is off, an active timeout that is too long, sampling not told."""
    late = packets.v5([packets.v5_record(first=10_000, last=99_000)], seconds=int(time.time()) - 300, sequence=0)
    gap = packets.v5([packets.v5_record()], seconds=int(time.time()) - 300, sequence=11)
    _send(collector, late, gap, packets.v9([b"\0\x05\0\x04"], source=3))
    collector.step(2.0)
    one = collector.figures().exporters[0]
    assert (one.address, one.datagrams, one.flows, one.lost, one.unknown_sampling_flows) == ("127.0.0.1", 3, 2, 10, 2)
    assert one.longest_seconds == 89.0
    assert one.problems == {"reserved_set": 1}


def test_strangers_are_refused() -> None:
    """Only who is allowed may send; the others are counted."""
    exporters = Exporters([ip_network("192.0.2.0/24")])
    collector = FlowCollector(FlowSettings(listen=(("127.0.0.1", 0),)), attribution_of(INVENTORY, exporters), exporters)
    _send(collector, packets.v5([packets.v5_record()]))
    assert collector.step(2.0) == 0
    assert collector.figures().refused == 1
    collector.close()


def test_collectors_that_share_a_port_add_up() -> None:
    """The kernel gives each exporter to one of them for good, whatever port it sends from, so that templates and sequences stay
    together."""
    settings = FlowSettings(listen=(("127.0.0.1", 0),), sharers=2, disjoint=True)
    first = FlowCollector(settings, attribution_of(INVENTORY, Exporters()), Exporters())
    shared = replace(settings, listen=(first.receiver.addresses[0],))
    second = FlowCollector(shared, attribution_of(INVENTORY, Exporters()), Exporters())
    routers = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(32)]
    for number, router in enumerate(routers):
        router.bind((f"127.72.0.{number // 2 + 1}", 0))
    inside = b"\x0a\x14\x01\x01"
    for sequence in range(3):
        record = packets.v5_record(source=GOOGLE, destination=inside, octets=1000)
        for number, router in enumerate(routers):
            router.sendto(packets.v5([record], sequence=sequence, engine=number % 2, **_now()), first.receiver.addresses[0])
    heard = [collector.step(2.0) for collector in (first, second)]
    rows = [collector.close_minutes(int(time.time() * 1000) + 120_000) for collector in (first, second)]
    lost = sum(one.lost for collector in (first, second) for one in collector.figures().exporters)
    for one in (*routers, first, second):
        one.close()
    assert sum(heard) == 96
    assert min(heard) > 0
    assert sum(int(found.octets.sum()) for found in rows) == 96_000
    assert all(count % 6 == 0 for count in heard)
    assert lost == 0


def test_what_arrives_by_ipv6_is_dealt_out_too() -> None:
    settings = FlowSettings(listen=(("::1", 0),), sharers=2)
    first = FlowCollector(settings, attribution_of(INVENTORY, Exporters()), Exporters())
    shared = replace(settings, listen=(first.receiver.addresses[0],))
    second = FlowCollector(shared, attribution_of(INVENTORY, Exporters()), Exporters())
    for _ in range(8):
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as router:
            router.sendto(packets.v5([packets.v5_record()], **_now()), first.receiver.addresses[0])
    heard = [collector.step(0.5) for collector in (first, second)]
    for one in (first, second):
        one.close()
    assert sorted(heard) == [0, 8]


def test_the_largest_of_a_link(collector: FlowCollector) -> None:
    """Hosts, conversations and applications with their shares, exact and said to be."""
    records = [
        packets.v5_record(source=GOOGLE, destination=b"\x0a\x14\x01" + bytes((host,)), octets=1000 * host, source_port=443)
        for host in (1, 2, 7)
    ]
    _send(collector, packets.v5(records, **_now()))
    collector.step(2.0)
    snapshot = collector.top.snapshot(int(time.time() * 1000))
    hosts = snapshot.top(0, By.HOST, 0)
    assert [(row.host, row.octets) for row in hosts] == [("10.20.1.7", 7000), ("10.20.1.2", 2000), ("10.20.1.1", 1000)]
    assert hosts[0].share_ratio == 0.7
    assert snapshot.top(0, By.CONVERSATION, 0)[0].remote == "8.8.8.8"
    assert len(snapshot.top(0, By.APPLICATION, 0)) == 1
    assert not snapshot.approximate


def test_a_service_is_known_by_its_autonomous_system() -> None:
    """Where no prefix says more: AS 32934 is `meta` whatever the port; a prefix and an exporter's own word go before it."""
    exporters = Exporters()
    prefixes = [Prefix(network=ip_network("8.8.8.0/24"), service="google", domestic=False)]
    assignment = attribution_of(INVENTORY, exporters, prefixes, systems={32934: "meta", 15169: "other-google"})
    collector = FlowCollector(FlowSettings(listen=(("127.0.0.1", 0),)), assignment, exporters)
    inside = b"\x0a\x14\x01\x01"
    records = [
        packets.v5_record(source=b"\x9d\xf0\x01\x01", destination=inside, octets=600, source_port=443, source_as=32934),
        packets.v5_record(source=GOOGLE, destination=inside, octets=500, source_port=443, source_as=15169),
        packets.v5_record(source=b"\x01\x01\x01\x01", destination=inside, octets=400, source_port=443, source_as=13335),
    ]
    _send(collector, packets.v5(records, **_now()))
    collector.step(2.0)
    snapshot = collector.top.snapshot(int(time.time() * 1000))
    names = [assignment.applications.name(row.number) for row in snapshot.top(0, By.APPLICATION, 0)]
    collector.close()
    assert names == ["meta", "google", "https"]


def test_the_networks_at_the_other_end(collector: FlowCollector) -> None:
    """AS numbers by what came from them (or went to them), of flows that tell one; shares are of all that the link carried."""
    inside = b"\x0a\x14\x01\x01"
    records = [
        packets.v5_record(source=GOOGLE, destination=inside, octets=6000, source_as=15169, destination_as=64512),
        packets.v5_record(source=b"\x08\x08\x04\x04", destination=inside, octets=3000, source_as=15169),
        packets.v5_record(source=b"\x01\x01\x01\x01", destination=inside, octets=1000),
        packets.v5_record(source=inside, destination=GOOGLE, octets=500, source_as=64512, destination_as=15169),
    ]
    _send(collector, packets.v5(records, **_now()))
    collector.step(2.0)
    snapshot = collector.top.snapshot(int(time.time() * 1000))
    assert [(row.number, row.octets, row.share_ratio) for row in snapshot.top(0, By.ASN, 0)] == [(15169, 9000, 0.9)]
    assert [(row.number, row.octets) for row in snapshot.top(0, By.ASN, 1)] == [(15169, 500)]


def test_beyond_its_bound_the_largest_are_kept_and_the_error_is_said() -> None:
    """A hundred thousand small ones, ten large: these stay, none too high, none too low by more than is said."""
    chance = np.random.default_rng(1)
    largest = _Largest(1, 2000)
    true = np.concatenate([chance.integers(1, 100, 100_000), np.full(10, 50_000)])
    for part in np.array_split(chance.permutation(len(true)), 50):
        largest.add(((part + 1).astype(np.uint64),), true[part])
    (labels,), octets = largest.rows()
    found = dict(zip(labels.tolist(), octets.tolist(), strict=True))
    assert all(found[number + 1] == 50_000 for number in range(100_000, 100_010))
    assert 0 < largest.error_octets < 50_000
    assert len(found) <= 2000


def test_an_interval_ends_and_is_handed_over_once() -> None:
    """The daemon gets each interval when it has ended."""
    top = Top(interval_seconds=300)
    assert top.close(0) == []


def test_raw_flows_are_read_by_duckdb(collector: FlowCollector, tmp_path: Path) -> None:
    """An hour's file appears whole once it is closed, with addresses as text."""
    import duckdb

    _send(collector, packets.v5([packets.v5_record(octets=1234)], **_now()))
    collector.step(2.0)
    collector.close()
    now = datetime.now(UTC)
    (path,) = files(tmp_path / "raw", now - timedelta(hours=1), now + timedelta(hours=1))
    rows = duckdb.sql(f"select source::text, destination::text, octets, exporter::text from '{path}'").fetchall()
    assert rows == [("10.0.0.1", "8.8.8.8", 1234, "127.0.0.1")]
    assert retain(RawSettings(folder=tmp_path / "raw", octets=0), time.time()) == [path]


def test_lists_of_prefixes(tmp_path: Path) -> None:
    """Class and service of a line; a default; comments; services by AS number."""
    path = tmp_path / "iix.txt"
    path.write_text(
        "default domestic  # all of it\n36.64.0.0/11\n2001:448a::/32\n8.8.8.0/24 international google\nAS32934 meta\n"
    )
    found = read_prefixes(path)
    assert found.systems == {32934: "meta"}
    assert [(str(each.network), each.service, each.domestic) for each in found.prefixes] == [
        ("36.64.0.0/11", None, True),
        ("2001:448a::/32", None, True),
        ("8.8.8.0/24", "google", False),
    ]


def test_every_mistake_of_a_list_is_named_by_its_line(tmp_path: Path) -> None:
    """And what was read before stays in force."""
    path = tmp_path / "iix.txt"
    path.write_text("36.64.0.0/11 domestic\n")
    lists = Lists(services=path)
    assert lists.refresh()
    assert not lists.refresh()
    path.write_text("36.64.0.1/11\n103.0.0.0/8 domestic two words\ndefault maybe\nAS0 meta\nAS32934\n")
    with pytest.raises(ConfigurationError) as caught:
        lists.refresh()
    assert [(Path(each.file).name, each.line) for each in caught.value.mistakes] == [("iix.txt", line) for line in range(1, 6)]
    assert len(lists.prefixes) == 1


def test_ports_have_readable_names_and_numbers_stay() -> None:
    """The built-in table; names to numbers and back."""
    ports = {(each.protocol, each.port): each.name for each in built_in_ports()}
    assert (ports[6, 443], ports[17, 443], ports[17, 53], ports[6, 8291]) == ("https", "https", "dns", "winbox")
    names = Names(["https", "dns"])
    assert [names.number("dns"), names.name(1), names.name(0), names.name(5000)] == [2, "https", "unknown", "other"]


def test_names_that_exporters_tell_are_learnt(collector: FlowCollector) -> None:
    """Application and interface tables in options records."""
    applications = packets.a_set(1, packets.v9_options(260, [(1, 4)], [(95, 4), (96, 8)]))
    interfaces = packets.a_set(1, packets.v9_options(261, [(2, 4)], [(82, 8)]))
    table = packets.a_set(260, bytes(4) + struct.pack(">I8s", 0x0D00_0001, b"netflix"))
    names = packets.a_set(261, struct.pack(">I8s", 7, b"ether7"))
    _send(collector, packets.v9([applications, interfaces, table, names]))
    collector.step(2.0)
    assert collector.learnt.applications == {"127.0.0.1": {0x0D00_0001: "netflix"}}
    assert collector.learnt.interfaces == {"127.0.0.1": {7: "ether7"}}
