"""`lift` and `override` as an operator types them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bwmgr.cli import bwmgr
from bwmgr.cli.session import Session
from bwmgr.daemon.orders import give, read_orders
from bwmgr.errors import UsageError
from bwmgr.model.inventory import Direction, Inventory, Link, LinkKind, Organisation, PerDirection
from bwmgr.model.policy import Order
from bwmgr.stores.state import StateStore

NOW = datetime(2026, 2, 2, 3, 0, tzinfo=UTC)
M = 1_000_000
CONFIGURATION = """\
organisation: {name: Diskominfo, timezone: Asia/Jakarta, language: en}
store: {kind: embedded, path: var}
nodes: [{id: kab, capacity: {down: 100M, up: 100M}}]
links:
  - {id: dinkes, name: Dinas Kesehatan, kind: opd, parent: kab, networks: [10.20.1.0/24], limit: {down: 20M, up: 20M},
     cir: {down: 5M, up: 5M}, mir: {down: 50M, up: 50M}}
"""


class StoppedClock:
    """Ten o'clock in Jakarta."""

    def now(self) -> datetime:
        return NOW

    def monotonic(self) -> float:
        return 0.0

    def wait(self, seconds: float) -> None:
        raise AssertionError("nothing waits here")


@pytest.fixture
def configured(tmp_path: Path) -> Path:
    (tmp_path / "bwmgr.yaml").write_text(CONFIGURATION)
    return tmp_path / "bwmgr.yaml"


def said(configured: Path, *words: str) -> Result:
    session = Session(clock=StoppedClock())
    return CliRunner().invoke(bwmgr, ["-c", str(configured), *words], obj=session)


def documents(configured: Path, *words: str) -> list[dict[str, Any]]:
    result = said(configured, *words, "--format", "json")
    assert result.exception is None, result.output
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return found


def test_a_lift_until_17_is_in_the_queue_for_a_second_person(configured: Path) -> None:
    """17:00 is today's in the organisation's zone; who asked cannot approve, another can."""
    (lifted,) = documents(configured, "lift", "dinkes", "--down", "50M", "--until", "17:00", "--by", "sari", "--note", "rapat")
    assert (lifted["policy"], lifted["author"], lifted["proposed"]["mir_bps"]) == ("lift", "sari", 50 * M)
    assert lifted["valid_until"] == "2026-02-02T10:00:00Z"
    assert (lifted["evidence"]["restore_mir_bps"], lifted["evidence"]["note"]) == (20 * M, "rapat")
    assert isinstance(said(configured, "recommendations", "approve", lifted["id"], "--by", "sari").exception, UsageError)
    assert said(configured, "recommendations", "approve", lifted["id"], "--by", "budi").exception is None


def test_another_run_does_not_ask_again(configured: Path) -> None:
    """The waiting one stays as it is."""
    (lifted,) = documents(configured, "lift", "dinkes", "--down", "50M", "--until", "17:00", "--by", "sari")
    assert [entry["id"] for entry in documents(configured, "recommendations", "list")] == [lifted["id"]]
    documents(configured, "recommend")
    assert [entry["id"] for entry in documents(configured, "recommendations", "list")] == [lifted["id"]]


def test_a_lift_that_is_ended_leaves_the_queue(configured: Path) -> None:
    """`--end`: it waits no more, and its history says so."""
    (lifted,) = documents(configured, "lift", "dinkes", "--down", "50M", "--until", "17:00")
    said(configured, "lift", "dinkes", "--end")
    assert documents(configured, "recommendations", "list") == []
    (shown,) = [documents(configured, "recommendations", "show", lifted["id"])]
    assert shown["status"] == "superseded"  # type: ignore[call-overload]


def test_an_override_lasts_until_it_is_ended(configured: Path) -> None:
    """Both directions at once; a second one takes the place of the first."""
    documents(configured, "override", "dinkes", "--down", "10M", "--up", "10M")
    found = documents(configured, "override", "dinkes", "--down", "8M")
    assert {(entry["direction"], entry["proposed"]["mir_bps"]) for entry in found} == {("down", 8 * M), ("up", 10 * M)}


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("lift", "dinkes", "--down", "50M"), "needs its end"),
        (("lift", "dinkes", "--down", "60M", "--until", "17:00"), "above its MIR"),
        (("lift", "dinkes", "--down", "1M", "--until", "17:00"), "below its guarantee"),
        (("lift", "dinkes", "--down", "30M", "--until", "09:00"), "has passed"),
        (("lift", "dinas", "--down", "30M", "--until", "17:00"), "no link"),
        (("lift", "dinkes", "--down", "much", "--until", "17:00"), "not a rate"),
        (("override", "dinkes"), "say how much"),
        (("override", "dinkes", "--end"), "no override to end"),
    ],
)
def test_what_cannot_be_ordered_is_refused(configured: Path, words: tuple[str, ...], problem: str) -> None:
    """With what would be right."""
    error = said(configured, *words).exception
    assert isinstance(error, UsageError)
    assert problem in str(error)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateStore]:
    opened = StateStore(tmp_path / "state.sqlite")
    yield opened
    opened.close()


def test_orders_that_have_ended_are_forgotten(state: StateStore) -> None:
    """What is over needs no room."""
    link = Link(id="dinkes", name="Dinkes", kind=LinkKind.OPD, limit=PerDirection(down=20 * M, up=20 * M))
    inventory = Inventory(organisation=Organisation(name="Kab"), links={"dinkes": link})
    soon = Order(
        link="dinkes", direction=Direction.DOWN, kind="lift", mir_bps=M, start=NOW, end=NOW + timedelta(hours=1), by="sari"
    )
    give(state, inventory, [soon], NOW)
    later = Order(link="dinkes", direction=Direction.UP, kind="override", mir_bps=M, start=NOW, by="sari")
    give(state, inventory, [later], NOW + timedelta(hours=2))
    assert read_orders(state) == (later,)


def test_all_limits_are_those_of_each_link(state: StateStore) -> None:
    """One query says the same as one a link."""
    for hour, rate in enumerate((10, 20)):
        limits = {name: PerDirection(down=rate * M, up=None) for name in ("a", "b")[: hour + 1]}
        state.record_limits(NOW + timedelta(hours=hour), limits)
    assert state.all_limits() == {name: state.limits(name) for name in ("a", "b")}
