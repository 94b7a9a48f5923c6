"""A cycle against small agents, honest and not: what becomes a reading, what is dropped, and under which reason."""

from __future__ import annotations

import dataclasses
import socket
import time
from datetime import UTC, datetime

import numpy as np
import pytest

from bwmgr.measure.columns import Present
from bwmgr.model.inventory import Credential, Device, Faces, Interface, UsmKey
from bwmgr.model.samples import GapReason
from bwmgr.model.secret import Secret
from bwmgr.testing import ber
from bwmgr.testing.clock import FastClock
from bwmgr.testing.mib import System
from bwmgr.testing.router import VirtualRouter
from bwmgr.testing.usm import User
from collectors.snmp.collector import SnmpCollector
from collectors.snmp.objects import Column, instance
from collectors.snmp.plan import Target
from collectors.snmp.settings import SnmpSettings

from .doubles import FAST, STATE, Liar, collecting, port, router, serving, target


def test_a_cycle_reads_every_column_of_an_interface() -> None:
    """Octets, packets, errors, discards, status, speed and the device's clock, in one reading."""
    with serving({"127.0.0.1": router(port(7, "ether1"))}) as at, collecting([target(at)]) as collector:
        before = time.time_ns() // 1_000_000
        cycle = collector.collect()
    row = cycle.readings[0]
    assert row["reason"] == GapReason.NONE
    assert (row["in_octets"], row["out_octets"], row["counter_bits"]) == (STATE.in_octets, STATE.out_octets, 64)
    assert (row["in_packets"], row["out_packets"], row["in_errors"], row["out_discards"]) == (3, 4, 5, 6)
    assert (row["oper_status"], row["admin_status"], row["if_high_speed_mbps"]) == (1, 1, 1000)
    everything = Present.DISCONTINUITY | Present.OPER_STATUS | Present.ADMIN_STATUS | Present.HIGH_SPEED
    assert row["present"] == everything | Present.DISCARDS | Present.ERRORS | Present.PACKETS
    assert row["sys_uptime_ticks"] > 0
    assert 0 < row["rtt_us"] < 1_000_000
    assert before <= row["at_ms"] + 5 <= time.time_ns() // 1_000_000 + 5
    assert cycle.devices[0].answered
    assert cycle.devices[0].rtt_ms is not None


def test_devices_are_reached_by_name_and_by_ipv6() -> None:
    """A host name goes through getaddrinfo; an IPv6 literal needs none."""
    if not socket.has_ipv6:
        pytest.skip("no IPv6")
    honest = router(port(1, "ether1"))
    with Liar(honest, lambda answer, _: [(answer, 0)], socket.AF_INET6) as six, serving({"127.0.0.1": honest}) as four:
        targets = [
            target(six.port, device="six", address="::1"),
            target(four, device="named", address="localhost"),
            target(four, device="nobody", address="no-such-host.invalid"),
        ]
        with collecting(targets) as collector:
            readings, devices = (cycle := collector.collect()).readings, cycle.devices
    assert readings["reason"][0] == GapReason.NONE
    assert readings["reason"][1] in (GapReason.NONE, GapReason.TIMEOUT)  # localhost may mean ::1 first, where nobody listens
    assert readings["reason"][2] == GapReason.NAME_LOOKUP
    assert "no-such-host.invalid" in devices[2].detail


def test_counter32_replaces_counter64_where_it_is_missing_and_that_is_remembered() -> None:
    """The first cycle asks again at once; the second asks for the 32-bit counters only, and ifSpeed where ifHighSpeed is 0."""
    old = router(port(1, "ether1", octets=77, counter64=False, speed_bps=64_000), port(2, "ether2", octets=99))
    with serving({"127.0.0.1": old}) as at, collecting([target(at, ("ether1", "ether2"))]) as collector:
        first, second = collector.collect(), collector.collect()
    for cycle in (first, second):
        assert cycle.readings["reason"].tolist() == [0, 0]
        assert cycle.readings["counter_bits"].tolist() == [32, 64]
        assert cycle.readings["in_octets"].tolist() == [77, 99]
        assert cycle.readings["if_speed_bps"][0] == 64_000
    assert first.requests > second.requests == 1


def test_version_1_is_polled_with_32_bit_counters() -> None:
    """SNMPv1 has no Counter64: every device of it gives counters of 32 bits."""
    honest = router(port(3, "ether1", octets=1234))
    with serving({"127.0.0.1": honest}) as at, collecting([target(at, version="1")]) as collector:
        readings = collector.collect().readings
    assert (readings["reason"][0], readings["counter_bits"][0], readings["in_octets"][0]) == (0, 32, 1234)


def test_a_name_that_no_interface_bears_is_a_gap_that_says_so() -> None:
    """UNRESOLVED for that one; its neighbours are read (fault 23: a missing value is never 0)."""
    with serving({"127.0.0.1": router(port(1, "ether1"))}) as at, collecting([target(at, ("ether1", "ether9"))]) as collector:
        cycle = collector.collect()
    assert cycle.readings["reason"].tolist() == [GapReason.NONE, GapReason.UNRESOLVED]
    assert cycle.readings["interface"].tolist() == [0, 1]
    assert cycle.readings["in_octets"][1] == 0
    assert "ether9" in cycle.devices[0].detail


def test_an_interface_without_octet_counters_is_missing_and_not_zero() -> None:
    """No octet counter in any width: MISSING, whatever else the interface tells (fault 23)."""
    honest = router(port(1, "ether1", octets=5), port(2, "ether2"))

    def without_octets(answer: bytes, _: int) -> list[tuple[bytes, int]]:
        for column in (Column.IN_OCTETS, Column.OUT_OCTETS, Column.IN_OCTETS_32, Column.OUT_OCTETS_32):
            name = instance(column, 1)
            if (at := answer.find(b"\x06" + bytes((len(name),)) + name)) > 0:
                value = at + 2 + len(name)
                end = value + 2 + answer[value + 1]
                number = ber.tlv(0x44, answer[value + 2 : end])  # an Opaque: not a counter, of the same length
                answer = answer[:value] + number + answer[end:]
        return [(answer, 0)]

    with Liar(honest, without_octets) as liar, collecting([target(liar.port, ("ether1", "ether2"))]) as collector:
        cycles = [collector.collect() for _ in range(2)]
    for cycle in cycles:
        assert cycle.readings["reason"].tolist() == [GapReason.MISSING, GapReason.NONE]
        assert cycle.readings["in_octets"].tolist() == [0, STATE.in_octets]


def test_an_alias_given_twice_is_not_guessed() -> None:
    """AMBIGUOUS_NAME, with both ifNames in the detail (fault 20)."""
    twice = router(port(1, "ether1", alias="dinkes"), port(2, "ether2", alias="dinkes"), port(3, "ether3", alias="dishub"))
    with serving({"127.0.0.1": twice}) as at, collecting([target(at, (), aliases=("dinkes", "dishub"))]) as collector:
        cycle = collector.collect()
    assert cycle.readings["reason"].tolist() == [GapReason.AMBIGUOUS_NAME, GapReason.NONE]
    assert "ether1 and ether2" in cycle.devices[0].detail


def test_interfaces_that_swap_their_indexes_keep_their_own_octets() -> None:
    """Between two cycles ether1 and ether2 change places: the very next cycle reads each one's own counters (fault 17)."""
    routers = {"127.0.0.1": router(port(1, "ether1", octets=10), port(2, "ether2", octets=20))}
    with serving(routers) as at, collecting([target(at, ("ether1", "ether2"))]) as collector:
        before = collector.collect().readings["in_octets"].tolist()
        routers["127.0.0.1"] = router(port(2, "ether1", octets=11), port(1, "ether2", octets=21))
        after = collector.collect().readings
    assert before == [10, 20]
    assert after["in_octets"].tolist() == [11, 21]


def test_an_interface_that_vanishes_is_looked_up_and_found_elsewhere() -> None:
    """noSuchInstance for its name leads to a look-up in the same cycle; gone for good is UNRESOLVED."""
    routers = {"127.0.0.1": router(port(1, "ether1", octets=10))}
    with serving(routers) as at, collecting([target(at)]) as collector:
        collector.collect()
        routers["127.0.0.1"] = router(port(900_000, "ether1", octets=30))
        moved = collector.collect().readings
        routers["127.0.0.1"] = router(port(1, "other"))
        gone = collector.collect().readings
    assert (moved["reason"][0], moved["in_octets"][0]) == (GapReason.NONE, 30)
    assert gone["reason"][0] == GapReason.UNRESOLVED


def test_many_interfaces_go_into_several_pdus() -> None:
    """Twenty interfaces are five PDUs of at most 57 variables, whatever else the device has."""
    names = [f"ether{number}" for number in range(1, 21)]
    big = router(*(port(number, f"ether{number}", octets=number) for number in range(1, 400)))
    with serving({"127.0.0.1": big}) as at, collecting([target(at, names)]) as collector:
        collector.collect()
        cycle = collector.collect()
    assert cycle.readings["in_octets"].tolist() == list(range(1, 21))
    assert cycle.requests == cycle.replies == 5


def test_too_big_makes_smaller_requests_and_is_remembered() -> None:
    """A device that bears 484 octets only is asked for less at once, until it answers."""
    small = router(*(port(number, f"ether{number}", octets=number) for number in range(1, 4)), max_message_octets=484)
    names = [f"ether{number}" for number in range(1, 4)]
    with serving({"127.0.0.1": small}) as at, collecting([target(at, names)]) as collector:
        first = collector.collect()
        second = collector.collect()
    assert first.readings["in_octets"].tolist() == second.readings["in_octets"].tolist() == [1, 2, 3]
    assert second.requests < first.requests


def test_a_duplicate_reply_counts_once() -> None:
    """The second one is dropped as a duplicate (fault 13)."""
    honest = router(port(1, "ether1"))
    with Liar(honest, lambda answer, _: [(answer, 0)] * 2) as liar, collecting([target(liar.port)]) as collector:
        cycles = [collector.collect() for _ in range(3)]
    assert all(cycle.readings["reason"][0] == 0 for cycle in cycles)
    assert sum(sum(cycle.drops.values()) for cycle in cycles) >= 2


def test_a_late_reply_is_dropped_and_the_retry_dates_the_reading() -> None:
    """The answer to the first cycle's request arrives in the second one: it is counted, and not used (fault 12)."""
    held: list[bytes] = []

    def late(answer: bytes, number: int) -> list[tuple[bytes, int]]:
        if number == 2:  # the first counters: kept back
            held.append(answer)
            return []
        return [(answer, 0), *((old, 0) for old in held)] if number == 4 else [(answer, 0)]

    with Liar(router(port(1, "ether1")), late) as liar, collecting([target(liar.port)]) as collector:
        first = collector.collect()
        second, third = collector.collect(), collector.collect()
    assert first.readings["reason"][0] == 0
    assert first.requests == 3
    assert second.readings["reason"][0] == 0
    assert second.drops.get("late", 0) + third.drops.get("late", 0) == 1


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda answer: answer[: len(answer) // 2], "malformed_truncated"),
        (lambda _: b"\x30\x81", "malformed_truncated"),
        (lambda _: b"\x30\x84\xff\xff\xff\xff" + bytes(1000), "malformed_truncated"),
        (lambda _: bytes(60_000), "oversize"),
        (lambda answer: answer[:-1], "malformed_truncated"),
        (lambda answer: answer.replace(bytes.fromhex("2b060102010103"), bytes.fromhex("2b060102010104")), "wrong_names"),
    ],
)
def test_spoilt_replies_are_dropped_and_the_next_poll_is_fine(spoil: object, reason: str) -> None:
    """Broken BER, huge lengths, garbage: counted under a reason, never an exception (fault 24)."""
    assert callable(spoil)
    spoiling = True

    def answer(honest: bytes, number: int) -> list[tuple[bytes, int]]:
        return [(spoil(honest) if spoiling and number > 1 else honest, 0)]

    with Liar(router(port(1, "ether1")), answer) as liar, collecting([target(liar.port)]) as collector:
        bad = collector.collect()
        spoiling = False
        good = collector.collect()
    assert bad.readings["reason"][0] != 0
    assert bad.drops.get(reason, 0) >= 1
    assert good.readings["reason"][0] == 0


def test_a_wrong_request_id_is_no_answer() -> None:
    """It is ignored and the request times out (fault 25)."""

    def other_id(answer: bytes, _: int) -> list[tuple[bytes, int]]:
        at = answer.index(b"\x02\x04") + 2
        return [(answer[:at] + bytes((answer[at] ^ 1,)) + answer[at + 1 :], 0)]

    with Liar(router(port(1, "ether1")), other_id) as liar, collecting([target(liar.port)]) as collector:
        cycle = collector.collect()
    assert cycle.readings["reason"][0] == GapReason.TIMEOUT
    assert cycle.drops in ({"unknown_id": 2}, {"late": 2})


@pytest.mark.parametrize("unconnected", [False, True])
def test_a_reply_from_another_source_counts_only_where_that_is_allowed(unconnected: bool) -> None:
    """Dropped as foreign, unless the device is configured `unconnected: true` (fault 26)."""
    honest = router(port(1, "ether1"))
    with Liar(honest, lambda answer, _: [(answer, 1)]) as liar:
        asked = [target(liar.port, unconnected=unconnected)]
        with collecting(asked) as collector:
            cycle = collector.collect()
    assert cycle.readings["reason"][0] == (GapReason.NONE if unconnected else GapReason.TIMEOUT)
    assert cycle.drops == ({} if unconnected else {"foreign": 2})


def test_a_wrong_community_is_a_timeout_that_says_so_and_delays_nobody() -> None:
    """Bounded tries; the neighbour's reading is there (fault 27)."""
    routers = {"127.0.0.1": router(port(1, "ether1")), "127.0.0.2": router(port(1, "ether1"))}
    with serving(routers) as at:
        wrong = target(at, device="wrong", address="127.0.0.2", community="secret")
        with collecting([wrong, target(at)]) as collector:
            cycle = collector.collect()
    assert cycle.readings["reason"].tolist() == [GapReason.TIMEOUT, GapReason.NONE]
    assert "community" in cycle.devices[0].detail
    assert cycle.requests <= 2 + 2 + 2
    assert cycle.duration_seconds < 2 * FAST.timeout_seconds + 1


def test_a_device_that_never_answers_is_suspended_and_then_probed() -> None:
    """After `breaker_failures` cycles it is not asked; when the pause is over it is, and an answer closes the circuit."""
    settings = dataclasses.replace(FAST, timeout_seconds=0.05, breaker_failures=2, breaker_pause_seconds=100)
    routers = {"127.0.0.1": router(port(1, "ether1"), community="other")}
    clock = FastClock(datetime.now(UTC), factor=100)
    with serving(routers) as at:
        collector = SnmpCollector(settings, [target(at)], clock)
        reasons = [int(collector.collect().readings["reason"][0]) for _ in range(3)]
        routers["127.0.0.1"] = router(port(1, "ether1"))
        clock.wait(101)
        reasons.append(int(collector.collect().readings["reason"][0]))
        collector.close()
    assert reasons == [GapReason.TIMEOUT, GapReason.TIMEOUT, GapReason.SUSPENDED, GapReason.NONE]


def test_a_restored_collector_needs_no_look_up_and_bad_state_costs_one() -> None:
    """`state` carries the ifIndexes over a restart; bytes that are not whole are ignored."""
    with serving({"127.0.0.1": router(port(5, "ether1", octets=50))}) as at:
        with collecting([target(at)]) as collector:
            collector.collect()
            state = collector.state()
        requests = []
        for remembered in (state, state[:-5], b"\xff\x00", b"[]", b'{"version":1,"devices":{"router":{"places":[[1]]}}}'):
            with collecting([target(at)]) as collector:
                collector.restore(remembered)
                cycle = collector.collect()
                assert cycle.readings["in_octets"].tolist() == [50]
                requests.append(cycle.requests)
    assert requests == [1, 2, 2, 2, 2]


def test_a_reboot_leads_to_a_look_up_in_the_next_cycle() -> None:
    """sysUpTime falls: the cycle after it asks for the names again, beside the counters."""
    booted = [0]
    honest = router(port(1, "ether1"))
    honest.booted_ms = lambda _: booted[0]
    with serving({"127.0.0.1": honest}) as at, collecting([target(at)]) as collector:
        requests = [collector.collect().requests for _ in range(2)]
        booted[0] = time.time_ns() // 1_000_000 - 500
        requests += [collector.collect().requests for _ in range(3)]
    assert requests == [2, 1, 1, 2, 1]


def test_a_paced_cycle_takes_its_share_of_the_interval_of_a_fast_clock() -> None:
    """Pacing follows the clock that is passed in, timeouts do not: 60 s at a hundredfold speed are 0.6 s."""
    routers = {f"127.0.0.{number}": router(port(1, "ether1")) for number in range(1, 41)}
    settings = dataclasses.replace(FAST, interval_seconds=60, spread_ratio=0.5)
    with serving(routers) as at:
        targets = [target(at, device=address, address=address) for address in routers]
        collector = SnmpCollector(settings, targets, FastClock(datetime.now(UTC), factor=100))
        cycle = collector.collect(paced=True)
        collector.close()
    assert set(cycle.readings["reason"].tolist()) == {0}
    assert 0.28 <= cycle.duration_seconds < 1.5
    spread_ms = int(np.ptp(cycle.readings["at_ms"]))
    assert spread_ms > 15_000


def test_settings_out_of_bounds_are_refused() -> None:
    """Every wrong number is named."""
    with pytest.raises(ValueError, match=r"timeout_seconds, .*window"):
        SnmpSettings(timeout_seconds=0, window=0)


def secure(at: int, key: str = "authentication key", device: str = "core") -> Target:
    """A v3 user with authPriv at a router on loopback."""
    auth, priv = UsmKey(protocol="SHA", key=Secret(key)), UsmKey(protocol="AES", key=Secret("privacy key 1"))
    credential = Credential(id=f"v3 {device}", version="3", user="noc", auth=auth, priv=priv)
    interfaces = tuple(Interface(device=device, if_name=name, faces=Faces.SUBSCRIBER) for name in ("ether1", "ether2"))
    return Target(device=Device(id=device, address="127.0.0.1", port=at), credential=credential, interfaces=interfaces)


def test_v3_devices_are_polled_beside_the_others() -> None:
    """Names, counters and 32-bit fallbacks as for v2c; a swap of two ifIndexes moves no octet."""
    user = User(name="noc", auth=("SHA", "authentication key"), priv=("AES", "privacy key 1"))

    def core(first: int, second: int, octets: int) -> VirtualRouter:
        ports = (port(first, "ether1", octets=octets), port(second, "ether2", octets=octets + 10, counter64=False))
        return VirtualRouter(System(name="core"), ports, communities=("public",), users=(user,))

    routers = {"127.0.0.1": core(1, 2, 100)}
    settings = dataclasses.replace(FAST, timeout_seconds=0.5)
    with serving(routers) as at, collecting([secure(at), target(at)], settings) as collector:
        first = collector.collect()
        routers["127.0.0.1"].table = core(2, 1, 200).table
        second = collector.collect()
    assert first.readings["in_octets"].tolist() == [100, 110, 100]
    assert second.readings["in_octets"].tolist() == [200, 210, 200]
    assert second.readings["counter_bits"].tolist() == [64, 32, 64]
    assert all(outcome.answered for outcome in first.devices)


def test_a_wrong_v3_key_is_an_authentication_gap_and_is_not_tried_again_soon() -> None:
    """AUTHENTICATION once, SUSPENDED from then on: nothing is sent."""
    user = User(name="noc", auth=("SHA", "authentication key"), priv=("AES", "privacy key 1"))
    honest = VirtualRouter(System(name="core"), [port(1, "ether1")], users=(user,))
    with serving({"127.0.0.1": honest}) as at, collecting([secure(at, "another key")]) as collector:
        reasons = [collector.collect().readings["reason"].tolist() for _ in range(2)]
    assert reasons == [[GapReason.AUTHENTICATION] * 2, [GapReason.SUSPENDED] * 2]
