"""Octets that bwmgr counts through a real snmpd, compared with what the kernel counted: v2c and v3 side by side."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from bwmgr.daemon.clock import SteadyClock
from bwmgr.model.inventory import Credential, Device, Faces, Interface, UsmKey
from bwmgr.model.samples import GapReason
from bwmgr.model.secret import Secret
from bwmgr.testing import snmpd
from bwmgr.testing.usm import User
from collectors.snmp.collector import SnmpCollector
from collectors.snmp.plan import Target
from collectors.snmp.settings import SnmpSettings

pytestmark = [
    pytest.mark.system,
    pytest.mark.clock,
    pytest.mark.slow,
    pytest.mark.skipif(snmpd.program() is None, reason="snmpd is not installed"),
]

SETTINGS = SnmpSettings(timeout_seconds=1.0, retries=2)
USER = User(name="sha-aes", auth=("SHA", snmpd.AUTH_PHRASE), priv=("AES", snmpd.PRIV_PHRASE))
DATAGRAMS, PAYLOAD_OCTETS, HEADER_OCTETS = 4000, 1400, 28
SENT_OCTETS = DATAGRAMS * (PAYLOAD_OCTETS + HEADER_OCTETS)
REFRESH_SECONDS = 30.0
"""net-snmp caches its interface table for some seconds; longer than this means that it does not refresh at all."""


@dataclass(frozen=True)
class _Kernel:
    """lo in /proc/net/dev."""

    in_octets: int
    out_octets: int


def kernel() -> _Kernel:
    line = next(line for line in Path("/proc/net/dev").read_text().splitlines() if line.strip().startswith("lo:"))
    columns = line.partition(":")[2].split()
    return _Kernel(int(columns[0]), int(columns[8]))


def send_traffic() -> None:
    """A known amount over lo, at a pace that no buffer loses."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(5)
        for _ in range(DATAGRAMS):
            sender.sendto(bytes(PAYLOAD_OCTETS), receiver.getsockname())
            receiver.recv(PAYLOAD_OCTETS)


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SnmpCollector]:
    """lo of one snmpd, asked as two devices: by community and by user."""
    with snmpd.running(tmp_path_factory.mktemp("snmpd"), known=[USER]) as agent:
        by_community = Credential(id="v2c", version="2c", community=Secret(snmpd.COMMUNITY))
        auth, priv = UsmKey(protocol="SHA", key=Secret(snmpd.AUTH_PHRASE)), UsmKey(protocol="AES", key=Secret(snmpd.PRIV_PHRASE))
        by_user = Credential(id="v3", version="3", user=USER.name, auth=auth, priv=priv)
        targets = [
            Target(
                device=Device(id=credential.id, address=agent.address, port=agent.port, credentials=credential.id),
                credential=credential,
                interfaces=(Interface(device=credential.id, if_name="lo", faces=Faces.SUBSCRIBER),),
            )
            for credential in (by_community, by_user)
        ]
        made = SnmpCollector(SETTINGS, targets, SteadyClock())
        yield made
        made.close()


def test_octets_are_those_of_the_kernel(collector: SnmpCollector) -> None:
    """What v2c and v3 authPriv saw pass over lo lies between what the kernel counted right around the readings."""
    lowest = kernel()
    first = _settled(collector, lowest.in_octets)
    send_traffic()
    after = kernel()
    second = _settled(collector, after.in_octets)
    highest = kernel()
    for row in range(2):
        moved = int(second["in_octets"][row]) - int(first["in_octets"][row])
        assert SENT_OCTETS <= moved <= highest.in_octets - lowest.in_octets
        assert int(second["out_octets"][row]) <= highest.out_octets
    assert (second["counter_bits"] == 64).all()
    assert (second["rtt_us"] > 0).all()


def _settled(collector: SnmpCollector, octets: int) -> np.ndarray:
    """Readings once the agent's cache has caught up with `octets`: it is asked again until both say so."""
    until = time.monotonic() + REFRESH_SECONDS
    while time.monotonic() < until:
        cycle = collector.collect()
        assert [outcome.reason for outcome in cycle.devices] == [GapReason.NONE] * 2, cycle.devices
        readings = cycle.readings
        if (readings["reason"] == GapReason.NONE).all() and (readings["in_octets"] >= octets).all():
            return readings
        time.sleep(0.1)  # the condition above is what is waited for; this only spares the agent
    raise AssertionError(f"lo did not reach {octets} octets: {readings}")
