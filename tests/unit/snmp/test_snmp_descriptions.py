"""ifDescr and ifIndex beside the readings: asked for where they are wanted, and nothing is lost where they are not to be had."""

from __future__ import annotations

import dataclasses

import pytest

from bwmgr.model.inventory import Faces, Interface
from bwmgr.model.samples import GapReason
from bwmgr.testing.router import VirtualRouter
from collectors.snmp.ber import ErrorStatus, Tag
from collectors.snmp.objects import Column, instance
from collectors.snmp.plan import Place
from collectors.snmp.reference import Reply, Variable
from collectors.snmp.resolve import NameWalk

from .doubles import FAST, Liar, collecting, port, router, serving, target

ETHER1 = Interface(device="router", if_name="ether1", faces=Faces.SUBSCRIBER)
END = Variable(instance(Column.ALIAS, 1), Tag.OCTET_STRING, b"")
"""What stands behind ifName."""
DESCRIBED = dataclasses.replace(FAST, descriptions=True)


def described(number: int, name: str, description: str) -> VirtualRouter:
    return router(dataclasses.replace(port(number, name), if_descr=description))


def test_where_an_interface_is_and_what_it_is_called_there_comes_with_the_readings() -> None:
    """One more request at the walk's end; the next cycle gives the same object, since nothing moved."""
    agents = {"127.0.0.1": described(7, "ether1", "Fast Ethernet, port 1")}
    with serving(agents) as at, collecting([target(at)], DESCRIBED) as collector:
        first, second = collector.collect(), collector.collect()
    assert first.whereabouts is not None
    assert first.readings["reason"][0] == GapReason.NONE
    assert first.whereabouts.if_indexes.tolist() == [7]
    assert first.whereabouts.descriptions == ["Fast Ethernet, port 1"]
    assert second.whereabouts is first.whereabouts


def test_without_the_wish_nothing_is_asked() -> None:
    """The default costs no request."""
    with serving({"127.0.0.1": described(7, "ether1", "Fast Ethernet")}) as at, collecting([target(at)]) as collector:
        found = collector.collect().whereabouts
    assert found is not None
    assert (found.if_indexes.tolist(), found.descriptions) == ([7], [""])


def test_a_restart_knows_them_without_asking() -> None:
    """They are part of what the collector remembers; a memory from before they were is still good."""
    with serving({"127.0.0.1": described(7, "ether1", "Fast Ethernet")}) as at:
        with collecting([target(at)], DESCRIBED) as collector:
            collector.collect()
            state = collector.state()
        for remembered, expected in ((state, "Fast Ethernet"), (state.replace(b',"Fast Ethernet"', b""), "")):
            with collecting([target(at)], DESCRIBED) as collector:
                collector.restore(remembered)
                cycle = collector.collect()
            assert cycle.whereabouts is not None
            assert (cycle.whereabouts.if_indexes.tolist(), cycle.whereabouts.descriptions) == ([7], [expected])


def test_an_agent_that_is_silent_to_that_question_is_polled_all_the_same() -> None:
    """The description is given up at the cycle's end; the readings come from the next one on, and no walk is repeated."""
    honest, told = described(7, "ether1", "Fast Ethernet"), instance(Column.DESCR, 7)
    with (
        Liar(honest, lambda answer, _: [] if told in answer else [(answer, 0)]) as liar,
        collecting([target(liar.port)], DESCRIBED) as collector,
    ):
        collector.collect()
        cycle = collector.collect()
        assert cycle.readings["reason"][0] == GapReason.NONE
        assert collector.collect().requests == 1
    assert cycle.whereabouts is not None
    assert cycle.whereabouts.descriptions == [""]


@pytest.mark.parametrize(
    "reply",
    [
        Reply(1, 1, ErrorStatus.TOO_BIG, 0, ()),
        Reply(1, 1, 0, 0, ()),
        Reply(1, 1, 0, 0, (END,)),
    ],
)
def test_an_odd_answer_leaves_the_description_out(reply: Reply) -> None:
    """An error, an empty reply, the table's end: what was found stays found."""
    walk = NameWalk("router", [Place(row=0, interface=ETHER1)], bulk=True, describe=True)
    walk.feed(Reply(1, 1, 0, 0, (Variable(instance(Column.NAME, 9), Tag.OCTET_STRING, b"ether1"),)))
    walk.feed(Reply(1, 1, 0, 0, (END,)))
    assert walk.describing
    assert (walk.names, walk.rows_at_once) == ((instance(Column.DESCR, 8),), 1)
    walk.feed(reply)
    assert walk.done
    found = walk.found()[0]
    assert (found.if_index, found.description) == (9, "")


def test_a_description_is_made_readable() -> None:
    """Windows ends it with a NUL; a line break has no form in line protocol."""
    walk = NameWalk("router", [Place(row=0, interface=ETHER1)], bulk=True, describe=True)
    walk.feed(Reply(1, 1, 0, 0, (Variable(instance(Column.NAME, 9), Tag.OCTET_STRING, b"ether1"),)))
    walk.feed(Reply(1, 1, 0, 0, (END,)))
    walk.feed(Reply(1, 1, 0, 0, (Variable(instance(Column.DESCR, 9), Tag.OCTET_STRING, b"Intel(R)\n PRO\x00"),)))
    assert walk.found()[0].description == "Intel(R) PRO"
