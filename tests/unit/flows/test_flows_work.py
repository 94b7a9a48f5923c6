"""The flow process's work, in this process: real datagrams over loopback, plans that change, faults that routers have."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import numpy as np
import pytest

from bwmgr.daemon.flow_messages import Minutes
from bwmgr.daemon.flow_minutes import Written
from bwmgr.daemon.flow_plan import FlowPlan
from bwmgr.daemon.flow_work import FlowWork
from bwmgr.errors import ConfigurationError
from bwmgr.measure.columns import FLOW_SUM, RateBatch
from bwmgr.model.inventory import Inventory, Link, LinkKind, Organisation
from bwmgr.stores import FLOW_USAGE
from bwmgr.stores.embedded import EmbeddedStore
from collectors.netflow.settings import FlowSettings

SERVER, HOST = bytes([142, 250, 4, 9]), bytes([10, 1, 0, 5])
FIELDS = ((8, 4), (12, 4), (7, 2), (11, 2), (4, 1), (1, 4), (2, 4))


def plan(*links: str, **settings: object) -> FlowPlan:
    """Link n has 10.(n + 1).0.0/24."""
    found = {
        name: Link(id=name, name=name, kind=LinkKind.OPD, networks=(ip_network(f"10.{number}.0.0/24"),))
        for number, name in enumerate(links, 1)
    }
    chosen = FlowSettings(listen=(("127.0.0.1", 0),))
    return FlowPlan(
        settings=replace(chosen, **settings),  # type: ignore[arg-type]
        inventory=Inventory(organisation=Organisation(name="Uji"), links=found),
    )


@pytest.fixture
def work() -> Iterator[FlowWork]:
    made = FlowWork(plan("dinkes", "disdik"))
    yield made
    made.close()


def send(work: FlowWork, *datagrams: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        for datagram in datagrams:
            one.sendto(datagram, work.addresses[0])
    work.step(1.0)


def minutes(work: FlowWork) -> Minutes:
    return work.minutes(time.time() + 60)


def octets(found: Minutes) -> dict[str, int]:
    sums: dict[str, int] = {}
    for row in found.rows.rows:
        name = found.rows.series[row["series"]]
        sums[name] = sums.get(name, 0) + int(row["octets"])
    return sums


def v9(*sets: bytes, sequence: int = 0, source: int = 0, uptime: int = 100_000) -> bytes:
    return struct.pack(">HHIIII", 9, len(sets), uptime, int(time.time()), sequence, source) + b"".join(sets)


def ipfix(*sets: bytes, sequence: int = 0) -> bytes:
    body = b"".join(sets)
    return struct.pack(">HHIII", 10, 16 + len(body), int(time.time()), sequence, 0) + body


def a_set(number: int, body: bytes) -> bytes:
    padding = -len(body) % 4
    return struct.pack(">HH", number, 4 + len(body) + padding) + body + bytes(padding)


def template(fields: tuple[tuple[int, int], ...] = FIELDS, number: int = 260) -> bytes:
    return struct.pack(">HH", number, len(fields)) + b"".join(struct.pack(">HH", *field) for field in fields)


def record(count: int = 1000) -> bytes:
    return SERVER + HOST + struct.pack(">HHBII", 443, 40_000, 6, count, 2)


DOWN = "dinkes|down|https|international"


def test_data_before_its_template_counts_once_it_comes(work: FlowWork) -> None:
    """fault 31: kept, then decoded, never misdecoded."""
    send(work, v9(a_set(260, record()), sequence=1))
    assert octets(minutes(work)) == {}
    send(work, v9(a_set(0, template()), sequence=2))
    assert octets(minutes(work)) == {DOWN: 1000}


def test_a_template_that_changes_holds_at_once(work: FlowWork) -> None:
    """fault 32: the new definition is used for what follows it, per source and domain."""
    wider = ((8, 4), (12, 4), (7, 2), (11, 2), (4, 1), (1, 8), (2, 4))
    send(work, v9(a_set(0, template()), sequence=1), v9(a_set(260, record()), sequence=2))
    later = SERVER + HOST + struct.pack(">HHBQI", 443, 40_000, 6, 5000, 2)
    send(work, v9(a_set(0, template(wider)), sequence=3), v9(a_set(260, later), sequence=4))
    assert octets(minutes(work)) == {DOWN: 6000}


def test_a_withdrawal_over_udp_is_ignored(work: FlowWork) -> None:
    """fault 33: RFC 7011 section 8.4."""
    send(work, ipfix(a_set(2, template())), ipfix(a_set(2, struct.pack(">HH", 260, 0))), ipfix(a_set(260, record())))
    assert octets(minutes(work)) == {DOWN: 1000}


def test_gaps_are_lost_and_a_restart_is_not(work: FlowWork) -> None:
    """faults 35 and 36: three v9 datagrams that never came; a restart at 0 with a young sysUpTime is no loss of four billion."""
    send(work, v9(a_set(0, template()), sequence=10), v9(a_set(260, record()), sequence=14))
    assert minutes(work).totals.lost == 3
    send(work, v9(a_set(0, template()), sequence=0, uptime=500), v9(a_set(260, record()), sequence=1, uptime=900))
    assert minutes(work).totals.lost == 3


def test_sampling_by_configuration_is_marked() -> None:
    """fault 37: octets x N, and the rows say that they are an estimate; an exporter that says nothing is counted as such."""
    work = FlowWork(plan("dinkes", sampling={"127.0.0.1": 100}))
    send(work, v9(a_set(0, template())), v9(a_set(260, record()), sequence=1))
    found = minutes(work)
    work.close()
    assert octets(found) == {DOWN: 100_000}
    assert found.rows.rows["sampled"].tolist() == [1]


def test_unknown_sampling_is_told(work: FlowWork) -> None:
    """fault 37: unknown is not silently 1."""
    send(work, v9(a_set(0, template())), v9(a_set(260, record()), sequence=1))
    assert minutes(work).snapshot["exporters"][0]["unknown_sampling_flows"] == 1


@pytest.mark.parametrize("body", [struct.pack(">HH", 260, 65535), struct.pack(">HH", 260, 1) + struct.pack(">HH", 8, 0)])
def test_absurd_templates_are_refused(work: FlowWork, body: bytes) -> None:
    """fault 38: 65,535 fields, or records of no octets: counted, and what is good beside them goes on."""
    send(work, v9(a_set(0, body)), v9(a_set(0, template(number=300)), sequence=1), v9(a_set(300, record()), sequence=2))
    assert octets(minutes(work)) == {DOWN: 1000}


def test_links_keep_their_numbers_over_a_reload(work: FlowWork) -> None:
    """What an open minute holds of a link stays its own when links come, go and change places."""
    send(work, v9(a_set(0, template())), v9(a_set(260, record()), sequence=1))
    changed = plan("baru", "dinkes")
    moved = {"dinkes": replace(changed.inventory.links["dinkes"], networks=(ip_network("10.1.0.0/24"),))}
    new = {"baru": replace(changed.inventory.links["baru"], networks=(ip_network("10.9.0.0/24"),))}
    assert work.follow(replace(changed, inventory=replace(changed.inventory, links={**new, **moved}))) is False
    send(work, v9(a_set(260, record(500)), sequence=2))
    assert octets(minutes(work)) == {DOWN: 1500}


def test_a_plan_that_cannot_be_followed_changes_nothing(work: FlowWork, tmp_path: Path) -> None:
    """A list with a wrong line: refused with its place, and the old plan stays in force."""
    wrong = tmp_path / "domestic.txt"
    wrong.write_text("10.0.0.0/33\n")
    with pytest.raises(ConfigurationError, match=r"domestic\.txt:1"):
        work.follow(replace(plan("dinkes"), domestic=wrong))
    send(work, v9(a_set(0, template())), v9(a_set(260, record()), sequence=1))
    assert octets(minutes(work)) == {DOWN: 1000}


def test_lists_say_service_and_class(tmp_path: Path) -> None:
    """A domestic network inside a service's keeps the service's name; the file is read again when it changes."""
    domestic, services = tmp_path / "domestic.txt", tmp_path / "services.txt"
    domestic.write_text("142.250.4.0/24\n")
    services.write_text("142.250.0.0/15 youtube\n")
    work = FlowWork(replace(plan("dinkes"), domestic=domestic, services=services))
    send(work, v9(a_set(0, template())), v9(a_set(260, record()), sequence=1))
    assert octets(minutes(work)) == {"dinkes|down|youtube|domestic": 1000}
    domestic.write_text("# nothing is domestic\n")
    minutes(work)
    send(work, v9(a_set(260, record()), sequence=2))
    found = octets(minutes(work))
    work.close()
    assert found["dinkes|down|youtube|international"] == 1000


def test_a_new_process_adds_to_what_an_earlier_one_wrote(tmp_path: Path) -> None:
    """The same minute by two processes is the sum of both, however often the second writes it; other rows stay as they are."""
    store = EmbeddedStore(tmp_path)
    end_ms = 1_772_409_660_000

    def batch(**amounts: int) -> RateBatch:
        rows = np.zeros(len(amounts), FLOW_SUM)
        rows["series"], rows["end_ms"] = np.arange(len(amounts)), end_ms
        rows["octets"] = rows["packets"] = rows["flows"] = list(amounts.values())
        return RateBatch(series=tuple(amounts), rows=rows)

    store.write(FLOW_USAGE, batch(a=100, b=7))
    second = Written(store, began_ms=end_ms)
    for seen in (1, 5):
        store.write(FLOW_USAGE, second.whole(batch(c=9, a=seen)))
    spans = store.latest(FLOW_USAGE)
    found = {spans.series[row["series"]]: int(row["octets"]) for row in spans.rows}
    store.close()
    assert found == {"a": 105, "b": 7, "c": 9}
