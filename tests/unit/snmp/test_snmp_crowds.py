"""Many devices at once: how many may be in flight, and what becomes of those for which there is no time or no room."""

from __future__ import annotations

import dataclasses
import socket
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest

from bwmgr.model.inventory import Credential, Device, Faces, Interface, UsmKey
from bwmgr.model.samples import GapReason
from bwmgr.model.secret import Secret
from collectors.snmp.ber import RequestMessage
from collectors.snmp.plan import Target
from collectors.snmp.requests import RequestTable
from collectors.snmp.settings import SnmpSettings
from collectors.snmp.window import Window

from .doubles import FAST, collecting, port, router, serving, target


@pytest.fixture
def silence() -> Iterator[socket.socket]:
    """A socket on all loopback addresses that never answers, whatever it is asked."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("0.0.0.0", 0))
        one.setblocking(False)
        yield one


def test_more_dead_devices_than_the_window_holds_are_all_asked(silence: socket.socket) -> None:
    """A dead device keeps its place in the window for a moment only, so none of them goes unasked."""
    at = silence.getsockname()[1]
    dead = [target(at, device=f"d{number}", address=f"127.0.7.{number}") for number in range(1, 41)]
    with collecting(dead, dataclasses.replace(FAST, window=4)) as collector:
        cycle = collector.collect()
    assert {outcome.reason for outcome in cycle.devices} == {GapReason.TIMEOUT}
    assert _waiting_datagrams(silence) >= len(dead)


def test_devices_for_which_a_cycle_has_no_time_are_late_and_not_blamed(silence: socket.socket) -> None:
    """LATE is told from TIMEOUT, and does not open a circuit."""
    at = silence.getsockname()[1]
    dead = [target(at, device=f"d{number}", address=f"127.0.7.{number}") for number in range(1, 101)]
    settings = SnmpSettings(timeout_seconds=0.8, retries=0, window=4, breaker_failures=1, interval_seconds=1)
    with collecting(dead, settings) as collector:
        first, second = collector.collect(), collector.collect()
    reasons = Counter(outcome.reason for outcome in first.devices)
    assert set(reasons) == {GapReason.TIMEOUT, GapReason.LATE}
    suspended = [outcome for outcome in second.devices if outcome.reason is GapReason.SUSPENDED]
    assert len(suspended) == reasons[GapReason.TIMEOUT]


def test_dead_v3_devices_whose_names_are_unknown_do_not_hold_a_cycle(silence: socket.socket) -> None:
    """However many they are: what is not looked up in time is LATE, and the v2c neighbour has its reading."""
    at = silence.getsockname()[1]
    settings = SnmpSettings(timeout_seconds=0.3, retries=1)
    with serving({"127.0.0.1": router(port(1, "ether1"))}) as served:
        targets = [target(served), *(_secure(at, number) for number in range(1, 41))]
        with collecting(targets, settings) as collector:
            cycle = collector.collect()
    assert cycle.readings["reason"][0] == 0
    assert {outcome.reason for outcome in cycle.devices[1:]} <= {GapReason.TIMEOUT, GapReason.LATE}
    assert cycle.duration_seconds < settings.cycle_seconds + 1


def test_replies_that_the_kernel_has_no_room_for_are_counted() -> None:
    """A flood into the smallest receive buffer that the kernel gives."""
    with serving({"127.0.0.1": router(port(1, "ether1"))}) as at, collecting([target(at)]) as collector:
        assert collector.collect().readings["reason"][0] == 0
        ours = collector._transport.sockets[socket.AF_INET][0]
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flood:
            for _ in range(200):
                flood.sendto(bytes(1000), ("127.0.0.1", ours.getsockname()[1]))
        assert collector.collect().drops["receive_buffer"] > 100


def test_a_place_in_the_window_is_free_once_answered_or_held_for_long() -> None:
    """Places go with answers, with replies that have arrived, and with time; never more than there are."""
    table = RequestTable()
    slots = np.array([table.add(number, RequestMessage(b"request", 0), 1) for number in range(8)])
    window = Window(table, 8, hold_seconds=0.1)
    assert window.room(20, now=0.0) == 8
    window.take(slots, now=0.0)
    assert window.room(20, now=0.05) == 0
    assert window.room(20, now=0.05, arrived=3) == 3
    assert window.room(20, now=0.05, arrived=1) == 0  # too few for a system call of their own
    window.free(slots[:4])
    assert window.room(20, now=0.05) == 4
    assert window.room(20, now=0.2) == 8
    window.take(slots[:2], now=0.2)
    window.reset()
    assert window.room(3, now=0.2) == 3


def _waiting_datagrams(one: socket.socket) -> int:
    count = 0
    while True:
        try:
            one.recv(2048)
        except BlockingIOError:
            return count
        count += 1


def _secure(at: int, number: int) -> Target:
    name = f"core{number}"
    credential = Credential(id="v3", version="3", user="noc", auth=UsmKey(protocol="SHA", key=Secret("authentication key")))
    interface = Interface(device=name, if_name="ether1", faces=Faces.SUBSCRIBER)
    return Target(device=Device(id=name, address=f"127.0.8.{number}", port=at), credential=credential, interfaces=(interface,))
