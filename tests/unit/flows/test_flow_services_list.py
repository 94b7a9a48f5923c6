"""The list of well-known services that is shipped: it loads, and names what an office uses."""

from __future__ import annotations

import socket
import time
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from bwmgr.daemon.flow_plan import FlowPlan
from bwmgr.daemon.flow_work import FlowWork
from bwmgr.model.inventory import Inventory, Link, LinkKind, Organisation
from collectors.netflow.settings import FlowSettings
from tests.unit.netflow import packets

SERVICES = Path(__file__).parents[3] / "configs" / "services.txt"


@pytest.mark.parametrize(
    ("server", "port", "system", "name"),
    [
        ("170.114.10.9", 8801, 0, "zoom"),
        ("52.113.1.1", 443, 0, "teams"),
        ("203.0.113.9", 443, 32934, "meta"),
        ("149.154.167.50", 443, 62041, "telegram"),
        ("203.0.113.9", 443, 64500, "https"),
        ("203.0.113.9", 993, 0, "mail-imap"),
    ],
)
def test_a_service_by_network_by_as_or_by_port(server: str, port: int, system: int, name: str) -> None:
    """A network of the list, the AS that the router tells, and else the port's usual name."""
    link = Link(id="dinkes", name="Dinkes", kind=LinkKind.OPD, networks=(ip_network("10.20.1.0/24"),))
    inventory = Inventory(organisation=Organisation(name="Uji"), links={link.id: link})
    work = FlowWork(FlowPlan(settings=FlowSettings(listen=(("127.0.0.1", 0),)), inventory=inventory, services=SERVICES))
    record = packets.v5_record(
        source=ip_address(server).packed,
        destination=b"\x0a\x14\x01\x05",
        source_port=port,
        destination_port=52_000,
        source_as=system & 0xFFFF,
    )
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.sendto(packets.v5([record], seconds=int(time.time())), work.addresses[0])
    work.step(1.0)
    found = work.minutes(time.time() + 60).rows
    work.close()
    assert {series.split("|")[2] for series in found.series} == {name}
