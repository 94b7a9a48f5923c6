"""The parts of the collector that need no wire: plans, look-ups, the breaker, pacing and what is remembered."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from bwmgr.errors import DeviceProtocolError
from bwmgr.model.inventory import Faces, Interface
from bwmgr.model.samples import GapReason
from bwmgr.testing.clock import ManualClock
from collectors.snmp.ber import ErrorStatus, Tag
from collectors.snmp.breaker import Breaker
from collectors.snmp.objects import OBJECTS, SYS_UPTIME, Column, instance
from collectors.snmp.pacing import Pace
from collectors.snmp.plan import Place, pdus
from collectors.snmp.reference import Reply, Variable
from collectors.snmp.resolve import NameWalk
from collectors.snmp.settings import SnmpSettings


def place(row: int = 0, if_index: int | None = 1, *, name: str | None = "ether1", alias: str | None = None) -> Place:
    interface = Interface(device="router", if_name=name, if_alias=alias, faces=Faces.SUBSCRIBER)
    return Place(row=row, interface=interface, if_index=if_index)


def planned(places: list[Place], **settings: int) -> list[list[bytes]]:
    chosen = pdus(places, SnmpSettings(**settings), counter64=True, community_octets=6)  # type: ignore[arg-type]
    return [[item.name for item in one] for one in chosen]


def walked(column: Column, *rows: tuple[int, bytes]) -> Reply:
    variables = (Variable(instance(column, if_index), Tag.OCTET_STRING, text) for if_index, text in rows)
    return Reply(1, 1, 0, 0, tuple(variables))


END = Reply(1, 1, 0, 0, (Variable(OBJECTS[Column.NAME].prefix, Tag.END_OF_MIB_VIEW, b""),))


def test_every_pdu_begins_with_the_devices_clock_and_brings_names_along() -> None:
    """sysUpTime first; the name of each interface stands before its counters."""
    (pdu,) = planned([place(0, 1), place(1, 2)])
    assert pdu[0] == SYS_UPTIME
    assert pdu[1] == instance(Column.NAME, 1)
    assert instance(Column.NAME, 2) in pdu


@pytest.mark.parametrize("most", [4, 5, 8, 14, 57])
def test_pdus_keep_to_the_number_of_variables(most: int) -> None:
    """A long interface goes into several PDUs, each with its name; the octets are together in the first."""
    found = planned([place(row, row + 1) for row in range(5)], max_variables=most)
    assert all(len(pdu) <= most for pdu in found)
    octets = [pdu for pdu in found if instance(Column.IN_OCTETS, 3) in pdu]
    assert len(octets) == 1
    assert {instance(Column.OUT_OCTETS, 3), instance(Column.NAME, 3)} <= set(octets[0])


def test_an_interface_that_is_not_found_is_not_asked() -> None:
    """No ifIndex, no variables; a device without any has no PDU."""
    assert planned([place(0, None)]) == []


def test_twins_are_replaced_together() -> None:
    """Where ifHCInOctets is missing, ifHCOutOctets is not used either: one width for both."""
    one = place()
    one.lacks(Column.OUT_OCTETS)
    columns = one.columns(SnmpSettings(), counter64=True)
    assert {Column.IN_OCTETS_32, Column.OUT_OCTETS_32} <= set(columns)
    assert Column.IN_OCTETS not in columns


def test_a_walk_finds_names_and_halves_what_it_asks_for_after_too_big() -> None:
    """tooBig halves max-repetitions down to 1, then the device is given up (fault 21)."""
    walk = NameWalk("router", [place()], bulk=True)
    asked = walk.repetitions
    walk.feed(Reply(1, 1, ErrorStatus.TOO_BIG, 0, ()))
    assert walk.repetitions == asked // 2
    walk.feed(walked(Column.NAME, (4, b"lo"), (9, b"ether1")))
    walk.feed(END)
    assert walk.done
    assert walk.found()[0].if_index == 9
    while walk.repetitions > 1:
        walk.feed(Reply(1, 1, ErrorStatus.TOO_BIG, 0, ()))
    with pytest.raises(DeviceProtocolError):
        walk.feed(Reply(1, 1, ErrorStatus.TOO_BIG, 0, ()))


def test_a_walk_that_goes_in_circles_is_ended() -> None:
    """An OID that does not increase is an error, not an endless loop (fault 22)."""
    walk = NameWalk("router", [place()], bulk=True)
    walk.feed(walked(Column.NAME, (4, b"lo")))
    with pytest.raises(DeviceProtocolError, match="do not increase"):
        walk.feed(walked(Column.NAME, (4, b"lo")))


def test_an_agent_without_if_name_is_searched_by_its_descriptions() -> None:
    """RFC 1213 agents have ifDescr only."""
    walk = NameWalk("router", [place()], bulk=False)
    walk.feed(Reply(0, 1, ErrorStatus.NO_SUCH_NAME, 1, ()))
    assert not walk.done
    walk.feed(walked(Column.DESCR, (2, b"ether1")))
    walk.feed(Reply(0, 1, ErrorStatus.NO_SUCH_NAME, 1, ()))
    found = walk.found()[0]
    assert (found.if_index, found.identity) == (2, Column.DESCR)


def test_a_name_borne_twice_names_both() -> None:
    """AMBIGUOUS_NAME is not guessed (fault 20)."""
    walk = NameWalk("router", [place()], bulk=True)
    walk.feed(walked(Column.NAME, (1, b"ether1"), (2, b"ether1")))
    walk.feed(END)
    found = walk.found()[0]
    assert found.reason == GapReason.AMBIGUOUS_NAME
    assert "ifIndex 1 and ifIndex 2" in found.detail


def test_the_breaker_opens_after_some_failures_and_waits_ever_longer() -> None:
    """Pauses double up to eightfold; one answer closes the circuit."""
    breaker = Breaker(SnmpSettings(breaker_failures=2, breaker_pause_seconds=100), 1)
    asked, silent, yes = np.array([True]), np.array([False]), np.array([True])
    pauses = []
    for _ in range(7):
        breaker.record(asked, silent, silent, 0.0)
        pauses.append(float(breaker.open_until[0]))
    assert pauses == [-np.inf, 100, 200, 400, 800, 800, 800]
    breaker.record(asked, yes, silent, 0.0)
    assert breaker.closed(0.0)[0]


def test_a_refused_user_is_left_alone_at_once() -> None:
    """Authentication failures are not hammered: the first one opens the circuit."""
    breaker = Breaker(SnmpSettings(breaker_pause_seconds=100), 1)
    breaker.record(np.array([True]), np.array([False]), np.array([True]), 0.0)
    assert not breaker.closed(50.0)[0]


def test_pacing_lets_requests_out_evenly_by_the_clock_that_is_passed_in() -> None:
    """Half of the devices after half of the share of the interval; all of them at its end."""
    clock = ManualClock(datetime(2026, 1, 1, tzinfo=UTC))
    pace = Pace(SnmpSettings(interval_seconds=1000, spread_ratio=0.5), clock)
    assert pace.due(100) == 1
    clock.advance(250)
    assert pace.due(100) == 51
    clock.advance(250)
    assert pace.due(100) == 100
