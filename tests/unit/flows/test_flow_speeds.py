"""Flows that no interface of their router can have carried: its speeds come from what the poller has found."""

from __future__ import annotations

import socket
import time
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import numpy as np
import pytest

from bwmgr.daemon.flow_plan import FlowPlan, believable_bps, fastest_mbps
from bwmgr.daemon.flow_work import FlowWork
from bwmgr.measure.columns import RATE, RateBatch
from bwmgr.model.inventory import Faces, Interface, Inventory, Link, LinkKind, Organisation
from bwmgr.stores import LINK_RATE
from bwmgr.stores.embedded import EmbeddedStore
from collectors.netflow.settings import FlowSettings
from tests.unit.netflow import packets

GIGABYTE = 10**9


def inventory() -> Inventory:
    interfaces = {"a": ("core", "ether1"), "b": ("core", "sfp1"), "c": ("edge", "ether1"), "d": ("tunnel", "gre1")}
    links = {
        name: Link(
            id=name,
            name=name,
            kind=LinkKind.OPD,
            networks=(ip_network("10.20.1.0/24"),) if name == "c" else (),
            interface=Interface(device=device, if_name=port, faces=Faces.SUBSCRIBER),
        )
        for name, (device, port) in interfaces.items()
    }
    return Inventory(organisation=Organisation(name="Uji"), links=links)


def test_each_routers_fastest_interface_is_found_in_its_newest_rows(tmp_path: Path) -> None:
    """Of a port that was slower before, what it is now; 0 is unknown, so its router has no speed of its own."""
    rows = np.zeros(5, RATE)
    rows["series"], rows["if_high_speed_mbps"] = [0, 1, 1, 2, 3], [100, 100, 10_000, 1000, 0]
    rows["end_ms"] = 60_000 * np.array([1, 1, 2, 1, 1]) + 1_772_409_600_000
    store = EmbeddedStore(tmp_path / "var")
    store.write(LINK_RATE, RateBatch(series=("a", "b", "c", "d"), rows=rows))
    assert fastest_mbps(inventory(), store) == {"core": 10_000, "edge": 1000}
    store.close()


def test_twice_the_fastest_is_believed() -> None:
    """And 100 Mbit/s in any case: a tunnel's `bandwidth` may be an invention."""
    assert (believable_bps(1000), believable_bps(9)) == (2e9, 100e6)


@pytest.mark.parametrize(("mbps", "octets"), [(None, 2 * GIGABYTE), (1000, 2 * GIGABYTE), (100, 0)])
def test_two_gigabytes_in_a_minute(mbps: int | None, octets: int) -> None:
    """RouterOS 7.12 exports such flows: 267 Mbit/s, believed of a router with a gigabit port, dropped and counted of one whose
    ports have 100 Mbit/s. The bound may change without the collector beginning anew."""
    plan = FlowPlan(settings=FlowSettings(listen=(("127.0.0.1", 0),)), inventory=inventory())
    work = FlowWork(plan)
    work.follow(replace(plan, speeds={} if mbps is None else {"127.0.0.1": believable_bps(mbps)}))
    record = packets.v5_record(destination=b"\x0a\x14\x01\x05", octets=2 * GIGABYTE, first=39_000, last=99_000)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.sendto(packets.v5([record], seconds=int(time.time())), work.addresses[0])
    work.step(1.0)
    found = work.minutes(time.time() + 60)
    work.close()
    assert int(found.rows.rows["octets"].sum()) == octets
    assert found.totals.problems.get("impossible_octets", 0) == (octets == 0)
