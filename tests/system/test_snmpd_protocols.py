"""A real snmpd, asked by every version and level that net-snmp has."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from bwmgr.errors import DeviceTimeout
from bwmgr.model.inventory import Credential, Device, UsmKey
from bwmgr.model.samples import GapReason
from bwmgr.model.secret import Secret
from bwmgr.testing import snmpd
from bwmgr.testing.usm import User
from collectors.snmp.discovery import discover
from collectors.snmp.objects import SYS_NAME, SYS_UPTIME
from collectors.snmp.settings import SnmpSettings
from collectors.snmp.v3 import V3Poller, V3Request

pytestmark = [pytest.mark.system, pytest.mark.clock, pytest.mark.skipif(snmpd.program() is None, reason="snmpd is not installed")]
SETTINGS = SnmpSettings(timeout_seconds=1.0, retries=1)


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[snmpd.Snmpd]:
    with snmpd.running(tmp_path_factory.mktemp("snmpd")) as running:
        yield running


def community(version: str, text: str = snmpd.COMMUNITY) -> Credential:
    return Credential(id=f"v{version}", version=version, community=Secret(text))  # type: ignore[arg-type]


def credential(user: User) -> Credential:
    auth = UsmKey(protocol=user.auth[0], key=Secret(user.auth[1])) if user.auth else None
    priv = UsmKey(protocol=user.priv[0], key=Secret(user.priv[1])) if user.priv else None
    return Credential(id=user.name, version="3", user=user.name, auth=auth, priv=priv)


def device(agent: snmpd.Snmpd, name: str = "uji") -> Device:
    return Device(id=name, address=agent.address, port=agent.port)


@pytest.mark.parametrize("version", ["1", "2c"])
def test_discover_by_community(agent: snmpd.Snmpd, version: str) -> None:
    """v1 (GETNEXT) and v2c (GETBULK) find the loopback interface of the machine with its counters."""
    found = discover(device(agent), community(version), SETTINGS)
    loopback = next(interface for interface in found.interfaces if interface.name == "lo")
    assert found.sys_name == "snmpd-uji"
    assert found.sys_uptime_ticks is not None
    assert loopback.oper_up is True
    assert loopback.if_type == 24
    assert loopback.counter_bits == (64 if version == "2c" else 32)


@pytest.mark.parametrize("user", snmpd.users(), ids=lambda user: user.name)
def test_discover_by_user(agent: snmpd.Snmpd, user: User) -> None:
    """Every level and every pair of protocols finds the same interfaces as v2c does."""
    by_user = discover(device(agent), credential(user), SETTINGS)
    by_community = discover(device(agent), community("2c"), SETTINGS)
    assert [i.name for i in by_user.interfaces] == [i.name for i in by_community.interfaces]
    assert by_user.engine_id is not None
    assert by_user.engine_id.startswith("80001f88")  # net-snmp's enterprise number


def test_wrong_community_is_silence(agent: snmpd.Snmpd) -> None:
    """fault 27: a wrong community cannot be told from a dead device, and the message says both; tries are bounded."""
    with pytest.raises(DeviceTimeout, match="community is wrong"):
        discover(device(agent), community("2c", "salah"), SnmpSettings(timeout_seconds=0.2, retries=1))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"user": "tiada"}, "unknown user name"),
        ({"auth": UsmKey(protocol="SHA-256", key=Secret("sandi keliru"))}, "wrong digest"),
        ({"auth": UsmKey(protocol="SHA", key=Secret(snmpd.AUTH_PHRASE))}, "wrong digest"),
        ({"priv": None}, "authorizationError"),
    ],
    ids=["user", "key", "protocol", "level"],
)
def test_refusals_are_told_apart(agent: snmpd.Snmpd, change: dict[str, object], said: str) -> None:
    """What snmpd has against a user is a reason of its own, with one try per poll: no hammering."""
    right = credential(next(user for user in snmpd.users() if user.name == "sha-256-aes"))
    wrong = dataclasses.replace(right, **change)  # type: ignore[arg-type]
    poller = V3Poller(SETTINGS, {})
    try:
        answer = poller.get([V3Request(device(agent), wrong, (SYS_NAME,))], 5.0)[0]
    finally:
        poller.close()
    assert answer.variables is None
    assert answer.reason is GapReason.AUTHENTICATION
    assert said in answer.detail


def test_poll_many_users_side_by_side(agent: snmpd.Snmpd) -> None:
    """One poller asks with all users at once; answers come in the order of the requests."""
    requests = [V3Request(device(agent, user.name), credential(user), (SYS_NAME, SYS_UPTIME)) for user in snmpd.users()]
    poller = V3Poller(SETTINGS, {})
    try:
        answers = poller.get(requests, 5.0)
    finally:
        poller.close()
    assert [answer.reason for answer in answers] == [GapReason.NONE] * len(requests)
    assert all(answer.variables and answer.variables[0].content == b"snmpd-uji" for answer in answers)
    assert all(answer.rtt_us > 0 for answer in answers)


def test_engine_reboot_is_resynchronised(tmp_path: Path) -> None:
    """fault 28: after a restart (boots + 1) the next poll gets notInTimeWindow, takes the new clock over and succeeds."""
    user = User(name="ulang", auth=("SHA", snmpd.AUTH_PHRASE), priv=("AES", snmpd.PRIV_PHRASE))
    poller = V3Poller(SETTINGS, {})
    try:
        with snmpd.running(tmp_path, known=[user]) as first:
            request = V3Request(device(first), credential(user), (SYS_UPTIME,))
            assert poller.get([request], 5.0)[0].reason is GapReason.NONE
        with snmpd.running(tmp_path, known=[user], port=first.port):
            answers = [poller.get([request], 5.0)[0] for _ in range(2)]
    finally:
        poller.close()
    assert [answer.reason for answer in answers] == [GapReason.NONE] * 2, answers


def test_ipv6(tmp_path: Path) -> None:
    """A device on ::1 is walked and polled like any other."""
    user = User(name="enam", auth=("SHA", snmpd.AUTH_PHRASE))
    with snmpd.running(tmp_path, address="::1", known=[user]) as running:
        assert discover(device(running), community("2c"), SETTINGS).interfaces
        poller = V3Poller(SETTINGS, {})
        answer = poller.get([V3Request(device(running), credential(user), (SYS_NAME,))], 5.0)[0]
        poller.close()
    assert answer.reason is GapReason.NONE
