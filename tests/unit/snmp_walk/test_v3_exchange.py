"""SNMPv3 against virtual routers: levels, refusals, engines and their clocks."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import os
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bwmgr.errors import DecodeError, DeviceAuthenticationError
from bwmgr.model.inventory import Credential, Device
from bwmgr.model.samples import GapReason
from bwmgr.testing.router import VirtualRouter
from bwmgr.testing.usm import User
from collectors.snmp.ber import Tag
from collectors.snmp.discovery import discover
from collectors.snmp.objects import SYS_NAME, SYS_UPTIME, Column, instance
from collectors.snmp.session import request_pdu
from collectors.snmp.settings import SnmpSettings
from collectors.snmp.usm import Engine, Exchange, Verdict
from collectors.snmp.v3 import V3Answer, V3Poller, V3Request
from tests.unit.snmp_walk.conftest import credential, router, user

Serve = Callable[..., list[Device]]
QUICK = SnmpSettings(timeout_seconds=0.3, retries=1)
NAMES = (SYS_UPTIME, SYS_NAME, instance(Column.IN_OCTETS, 1))


def ask(requests: list[V3Request], settings: SnmpSettings = QUICK) -> list[V3Answer]:
    poller = V3Poller(settings, {})
    try:
        return poller.get(requests, 5.0)
    finally:
        poller.close()


@pytest.mark.parametrize("auth", ["MD5", "SHA", "SHA-1", "SHA-224", "SHA-256", "SHA-384", "SHA-512"])
@pytest.mark.parametrize("priv", [None, "DES", "AES", "AES-192", "AES-256", "AES-192-C", "AES-256-C"])
def test_every_pair_of_protocols(serve: Serve, auth: str, priv: str | None) -> None:
    """Each authentication works with each privacy; the double's own USM is the peer."""
    known = user(auth=auth, priv=priv)
    device = serve(router(users=[known]))[0]
    answer = ask([V3Request(device, credential(known), NAMES)])[0]
    assert answer.reason is GapReason.NONE, answer.detail
    assert answer.variables is not None
    assert answer.variables[1].content == b"r1"


def test_no_authentication(serve: Serve) -> None:
    """noAuthNoPriv works, and a walk finds all interfaces."""
    known = User(name="terbuka")
    device = serve(router(20, users=[known]))[0]
    assert len(discover(device, credential(known), QUICK).interfaces) == 20


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (credential(user("tiada")), "unknown user name"),
        (credential(user(), auth="sandi yang keliru"), "wrong digest"),
        (credential(user(), priv="sandi yang keliru"), "decryption error"),
        (credential(user(priv=None)), "unsupported security level"),
    ],
    ids=["user", "auth", "priv", "level"],
)
def test_refusals_say_why_and_are_not_repeated(serve: Serve, asked: Credential, said: str) -> None:
    """What the device has against us is AUTHENTICATION with its own reason, after one request beyond the discovery."""
    agent = router(users=[user()])
    device = serve(agent)[0]
    answer = ask([V3Request(device, asked, NAMES)])[0]
    assert answer.variables is None
    assert answer.reason is GapReason.AUTHENTICATION
    assert said in answer.detail
    assert sum(agent.engine.stats.values()) == 2  # the discovery and the refusal


def test_reboot_is_resynchronised_once(serve: Serve) -> None:
    """fault 28: a reboot costs one notInTimeWindow report, and the same poll succeeds."""
    booted = [0]
    agent = router(users=[user()], booted_ms=lambda _: booted[0])
    request = V3Request(serve(agent)[0], credential(user()), NAMES)
    poller = V3Poller(QUICK, {})
    assert poller.get([request], 5.0)[0].reason is GapReason.NONE
    booted[0] = int(time.time() * 1000) - 1000
    answers = [poller.get([request], 5.0)[0] for _ in range(3)]
    poller.close()
    assert [answer.reason for answer in answers] == [GapReason.NONE] * 3
    assert agent.engine.stats["not_in_time_window"] == 1


def test_latched_boots_are_an_authentication_failure(serve: Serve) -> None:
    """fault 29: an engine whose boots are latched at 2^31 - 1 is reported, and asked no more than once per poll."""
    agent = router(users=[user()])
    agent.engine.boots = 2**31 - 1
    answer = ask([V3Request(serve(agent)[0], credential(user()), NAMES)])[0]
    assert answer.reason is GapReason.AUTHENTICATION
    assert "2147483647" in answer.detail


def test_boots_that_go_back_are_an_authentication_failure(serve: Serve) -> None:
    """fault 29: boots lower than an authentic message has shown are refused poll after poll, each with one try."""
    agent = router(users=[user()])
    agent.engine.boots = 7
    request = V3Request(serve(agent)[0], credential(user()), NAMES)
    poller = V3Poller(QUICK, {})
    assert poller.get([request], 5.0)[0].reason is GapReason.NONE
    agent.engine.boots = 3
    answers = [poller.get([request], 5.0)[0] for _ in range(3)]
    poller.close()
    assert [answer.reason for answer in answers] == [GapReason.AUTHENTICATION] * 3
    assert "went back from 7/" in answers[0].detail
    assert agent.engine.stats["not_in_time_window"] == 3


def test_two_devices_with_one_engine_id(serve: Serve) -> None:
    """fault 30: both are polled, each by its own clock, and the poller names them."""
    agents = [router(name=name, users=[user()]) for name in ("r1", "r2", "r3")]
    agents[1].engine.engine_id = agents[0].engine.engine_id
    agents[1].engine.boots = 40
    requests = [V3Request(device, credential(user()), NAMES) for device in serve(*agents)]
    poller = V3Poller(QUICK, {})
    answers = poller.get(requests, 5.0) + poller.get(requests, 5.0)
    shared = poller.shared_engines()
    poller.close()
    assert [answer.reason for answer in answers] == [GapReason.NONE] * 6
    assert shared == {agents[0].engine.engine_id: ("r1", "r2")}


def test_a_dead_device_delays_nobody(serve: Serve) -> None:
    """Answers keep the requests' order; the silent device takes its patience, the others milliseconds."""
    agents = [router(name=f"r{number}", users=[user()]) for number in range(6)]
    agents[2].booted_ms = lambda _: None
    requests = [V3Request(device, credential(user()), NAMES) for device in serve(*agents)]
    began = time.monotonic()
    answers = ask(requests)
    assert time.monotonic() - began < 1.5
    assert [answer.reason for answer in answers] == [GapReason.TIMEOUT if number == 2 else GapReason.NONE for number in range(6)]


def test_the_deadline_holds(serve: Serve) -> None:
    """However patient the settings are, the answers are there at the deadline, dead devices as timeouts."""
    agent = router(users=[user()], booted_ms=lambda _: None)
    poller = V3Poller(SnmpSettings(timeout_seconds=30, retries=3), {})
    began = time.monotonic()
    answer = poller.get([V3Request(serve(agent)[0], credential(user()), NAMES)], 0.3)[0]
    poller.close()
    assert time.monotonic() - began < 2
    assert answer.reason is GapReason.TIMEOUT


def test_a_name_that_does_not_resolve() -> None:
    """NAME_LOOKUP with the name, and no exception."""
    device = Device(id="r1", address="tidak-ada.invalid")
    answer = ask([V3Request(device, credential(user()), NAMES)])[0]
    assert answer.reason is GapReason.NAME_LOOKUP
    assert "tidak-ada.invalid" in answer.detail


def test_a_missing_instance_is_absent_not_zero(serve: Serve) -> None:
    """fault 23: noSuchInstance comes through as such."""
    device = serve(router(users=[user()]))[0]
    answer = ask([V3Request(device, credential(user()), (SYS_UPTIME, instance(Column.IN_OCTETS, 99)))])[0]
    assert answer.variables is not None
    assert answer.variables[1].absent


def test_a_long_life_leaks_nothing(serve: Serve) -> None:
    """Hundreds of polls leave no more open files, tasks or inboxes than the first did."""
    device = serve(router(users=[user()]))[0]
    request = V3Request(device, credential(user()), NAMES)
    poller = V3Poller(QUICK, {})
    poller.get([request] * 10, 5.0)
    gc.collect()
    before = len(os.listdir("/proc/self/fd")), len(gc.get_objects())  # noqa: PTH208
    for _ in range(30):
        assert all(answer.variables for answer in poller.get([request] * 10, 5.0))
    gc.collect()
    after = len(os.listdir("/proc/self/fd")), len(gc.get_objects())  # noqa: PTH208
    poller.close()
    assert after[0] == before[0]
    assert after[1] - before[1] < 300


class _Line:
    """An exchange driven by hand over a router without sockets."""

    def __init__(self, agent: VirtualRouter, known: Credential) -> None:
        self.agent = agent
        self.engine = Engine(credential=known, device="r1")
        self.exchange = Exchange(self.engine, request_pdu(Tag.GET, NAMES))

    def answer(self) -> bytes:
        octets = self.agent.respond(self.exchange.datagram(), 5_000)
        assert octets is not None
        return octets

    def turn(self) -> Verdict:
        return self.exchange.receive(self.answer())


@pytest.fixture
def line() -> _Line:
    return _Line(router(users=[user()]), credential(user()))


def test_discovery_then_answer(line: _Line) -> None:
    """The first message learns the engine, the second is answered: two round trips at first contact, one ever after."""
    assert line.turn() is Verdict.AGAIN
    assert line.turn() is Verdict.DONE
    again = Exchange(line.engine, request_pdu(Tag.GET, NAMES))
    octets = line.agent.respond(again.datagram(), 5_000)
    assert octets is not None
    assert again.receive(octets) is Verdict.DONE


def test_another_exchanges_reply_is_ignored(line: _Line) -> None:
    """fault 25: a reply that belongs to another message id is no answer."""
    line.turn()
    other = Exchange(line.engine, request_pdu(Tag.GET, NAMES))
    octets = line.agent.respond(other.datagram(), 5_000)
    assert octets is not None
    assert line.exchange.receive(octets) is Verdict.IGNORED


def test_a_tampered_reply_is_refused(line: _Line) -> None:
    """One changed bit anywhere in an authentic reply makes it no answer."""
    line.turn()
    octets = line.answer()
    for position in range(0, len(octets), 7):
        spoiled = bytearray(octets)
        spoiled[position] ^= 0x10
        try:
            assert line.exchange.receive(bytes(spoiled)) is Verdict.IGNORED
        except (DecodeError, DeviceAuthenticationError):
            continue
    assert line.exchange.receive(octets) is Verdict.DONE


def test_a_reply_of_lower_security_is_ignored() -> None:
    """A response without privacy to a request with it is not taken (RFC 3412 section 7.2)."""
    agent = router(users=[user()])
    line = _Line(agent, credential(user()))
    line.turn()
    plain = _Line(router(users=[user(priv=None)]), credential(user(priv=None)))
    plain.turn()
    octets = plain.answer()
    assert line.exchange.receive(octets) is Verdict.IGNORED


def test_a_duplicate_discovery_report_changes_nothing(line: _Line) -> None:
    """fault 13: the same report twice is one discovery."""
    octets = line.answer()
    assert line.exchange.receive(octets) is Verdict.AGAIN
    assert [line.exchange.receive(octets) for _ in range(3)] == [Verdict.IGNORED] * 3
    assert line.turn() is Verdict.DONE


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_quietly(garbage: bytes) -> None:
    """fault 24: whatever arrives is ignored or a DecodeError."""
    exchange = Exchange(Engine(credential=Credential(id="x", version="3", user="x"), device="r1"), request_pdu(Tag.GET, NAMES))
    exchange.datagram()
    with contextlib.suppress(DecodeError):
        assert exchange.receive(garbage) is Verdict.IGNORED


@given(st.data())
def test_damaged_reports_are_refused_quietly(data: Any) -> None:
    """fault 24: a report with some octets changed never raises anything but what the caller knows."""
    line = _Line(router(users=[user()]), credential(user()))
    octets = bytearray(line.answer())
    for position in data.draw(st.lists(st.integers(0, len(octets) - 1), min_size=1, max_size=4)):
        octets[position] = data.draw(st.integers(0, 255))
    with contextlib.suppress(DecodeError, DeviceAuthenticationError):
        assert line.exchange.receive(bytes(octets)) in Verdict


def test_a_changed_credential_starts_afresh(serve: Serve) -> None:
    """After the key was put right in the configuration the same poller succeeds: nothing of the wrong one is kept."""
    device = serve(router(users=[user()]))[0]
    wrong = credential(user(), auth="sandi yang keliru")
    poller = V3Poller(QUICK, {})
    assert poller.get([V3Request(device, wrong, NAMES)], 5.0)[0].reason is GapReason.AUTHENTICATION
    right = dataclasses.replace(credential(user()), id=wrong.id)
    assert poller.get([V3Request(device, right, NAMES)], 5.0)[0].reason is GapReason.NONE
    poller.close()
