"""Walks of whole tables, and what agents do wrong on the way."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import pytest

from bwmgr.errors import DeviceProtocolError, DeviceTimeout
from collectors.snmp import walk as walking
from collectors.snmp.ber import ErrorStatus, Tag, encode_oid
from collectors.snmp.discovery import read_table
from collectors.snmp.objects import IF_TABLE, IF_X_TABLE, Column
from collectors.snmp.reference import Reply, Variable
from collectors.snmp.walk import walk, walk_columns
from tests.unit.snmp_walk.conftest import DirectSession, router

NAMES = (*IF_X_TABLE, 1)
ALIASES = (*IF_X_TABLE, 18)


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("ports", [0, 1, 5, 60])
def test_every_instance_once_and_in_order(version: int, ports: int) -> None:
    """A walk of a column gives each of its instances once, in order, whatever the table's length."""
    found = list(walk(DirectSession(router(ports), version=version), NAMES))
    assert [oid[-1] for oid, _ in found] == list(range(1, ports + 1))
    assert [variable.content.decode() for _, variable in found] == [f"ether{index}" for index in range(1, ports + 1)]


@pytest.mark.parametrize("version", [0, 1])
def test_columns_side_by_side_end_each_on_its_own(version: int) -> None:
    """Columns of different lengths and places are read together; one that the agent lacks is empty."""
    columns = (Column.NAME, Column.ALIAS, Column.OPER_STATUS, Column.IN_OCTETS, Column.HIGH_SPEED)
    session = DirectSession(router(30), version=version)
    table = read_table(session, columns)
    lengths = {column: len(instances) for column, instances in table.items()}
    wide = 0 if version == 0 else 30  # SNMPv1 has no Counter64
    assert lengths == {Column.NAME: 30, Column.ALIAS: 30, Column.OPER_STATUS: 30, Column.IN_OCTETS: wide, Column.HIGH_SPEED: 30}


def test_getbulk_needs_few_requests() -> None:
    """Several columns of many rows go into one reply: far fewer requests than rows."""
    session = DirectSession(router(1000))
    read_table(session, (Column.NAME, Column.OPER_STATUS))
    assert len(session.asked) <= 100


def test_agents_of_big_answers_are_asked_for_more() -> None:
    """While answers come back whole, requests double up to a bound: 4,000 values in some dozen requests."""
    session = DirectSession(router(2000, max_message_octets=65_000))
    read_table(session, (Column.NAME, Column.OPER_STATUS))
    assert len(session.asked) <= 20
    assert max(columns * repetitions for _, columns, repetitions in session.asked) <= 400


def test_toobig_halves_and_is_remembered() -> None:
    """fault 21: tooBig halves max-repetitions until the answer fits, the walk completes, and the next one starts there."""

    def at_most_five(pdu: int, reply: Reply) -> Reply:
        too_big = pdu == Tag.GET_BULK and len(reply.variables) > 5
        return replace(reply, error_status=ErrorStatus.TOO_BIG, variables=()) if too_big else reply

    session = DirectSession(router(40), spoil=at_most_five)
    assert len(list(walk(session, NAMES))) == 40
    assert session.repetitions <= 5
    refused = len(session.asked)
    session.asked.clear()
    assert len(list(walk(session, ALIASES))) == 40
    assert max(repetitions for _, _, repetitions in session.asked) <= 5
    assert len(session.asked) < refused


def test_toobig_down_to_one_row_at_a_time() -> None:
    """fault 21: an agent that can answer one variable only is walked variable by variable."""

    def only_one(_: int, reply: Reply) -> Reply:
        return replace(reply, error_status=ErrorStatus.TOO_BIG, variables=()) if len(reply.variables) > 1 else reply

    session = DirectSession(router(12), spoil=only_one)
    rows = [pair for found in walk_columns(session, (NAMES, ALIASES)) for pair in found]
    assert len(rows) == 24


def test_truncated_answers_are_gone_on_from() -> None:
    """fault 21: an agent that cuts its answers short in the middle of a row loses nothing."""
    session = DirectSession(router(50), spoil=lambda _, reply: replace(reply, variables=reply.variables[:7]))
    rows = [pair for found in walk_columns(session, (NAMES, ALIASES)) for pair in found]
    assert len(set(rows)) == len(rows) == 100


def test_big_answers_that_get_lost_are_asked_smaller() -> None:
    """fault 21: where fragments never arrive, silence to a big request and an answer to a small one mean: ask for less."""
    session = DirectSession(router(40), spoil=lambda _, reply: None if len(reply.variables) > 6 else reply)
    assert len(list(walk(session, NAMES))) == 40


def test_a_dead_device_is_no_reason_to_go_on_halving() -> None:
    """Silence to small requests too is a timeout at once, not after five more of them."""
    session = DirectSession(router(5), spoil=lambda _, _reply: None)
    with pytest.raises(DeviceTimeout):
        list(walk(session, NAMES))
    assert len(session.asked) == 2


@pytest.mark.parametrize("back", [0, 1])
def test_oids_that_do_not_increase_end_the_walk(back: int) -> None:
    """fault 22: the same OID again, or an earlier one, ends the walk with an error that names both."""
    numbers = count(5)

    def looping(_: int, reply: Reply) -> Reply:
        last = next(numbers)
        oid = encode_oid((*NAMES, last if last < 8 else 7 - back))
        return replace(reply, variables=(Variable(oid, Tag.OCTET_STRING, b"x"),))

    with pytest.raises(DeviceProtocolError, match="do not increase"):
        list(walk(DirectSession(router(), spoil=looping), NAMES))


def test_an_endless_table_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """fault 22: OIDs that increase for ever end at a bound."""
    numbers = count(1)
    monkeypatch.setattr(walking, "MAX_VARIABLES", 50)

    def endless(_: int, reply: Reply) -> Reply:
        return replace(reply, variables=(Variable(encode_oid((*NAMES, next(numbers))), Tag.OCTET_STRING, b"x"),))

    with pytest.raises(DeviceProtocolError, match="no end"):
        list(walk(DirectSession(router(), spoil=endless), NAMES))


@pytest.mark.parametrize("tag", [Tag.NO_SUCH_INSTANCE, Tag.NO_SUCH_OBJECT])
def test_absent_values_are_missing(tag: int) -> None:
    """fault 23: noSuchInstance in a column is a row without that value, not a 0."""

    def second_absent(_: int, reply: Reply) -> Reply:
        second = encode_oid((*IF_TABLE, 8, 2))
        spoiled = (Variable(v.name, tag, b"") if v.name == second else v for v in reply.variables)
        return replace(reply, variables=tuple(spoiled))

    table = read_table(DirectSession(router(3), spoil=second_absent), (Column.OPER_STATUS,))
    assert sorted(table[Column.OPER_STATUS]) == [1, 3]


def test_an_error_other_than_toobig_is_told() -> None:
    """genErr ends the walk with its name."""
    session = DirectSession(router(), spoil=lambda _, reply: replace(reply, error_status=ErrorStatus.GEN_ERR, error_index=1))
    with pytest.raises(DeviceProtocolError, match="GEN_ERR"):
        list(walk(session, NAMES))


def test_an_empty_answer_is_told() -> None:
    """An answer without variables, to whatever request, ends the walk instead of repeating it for ever."""
    session = DirectSession(router(), spoil=lambda _, reply: replace(reply, variables=()))
    with pytest.raises(DeviceProtocolError):
        list(walk(session, NAMES))
