"""The RouterOS driver against the documentation's double, by API and by REST alike. Real hardware is still to be tried."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import Literal

import pytest

from bwmgr.drivers import driver_for
from bwmgr.drivers.routeros import RouterosDriver
from bwmgr.errors import DeviceAuthenticationError, DeviceError, DeviceProtocolError, UsageError
from bwmgr.model.enforcement import Queue, Settings
from bwmgr.model.inventory import Device, Direction, Enforcer
from bwmgr.model.secret import Secret
from bwmgr.testing import routeros as double
from bwmgr.testing.routeros import Router

Kind = Literal["routeros", "routeros-rest"]
DOWN = Queue(recommendation="0123456789ab", link="dinkes", direction=Direction.DOWN, cir_bps=5_000_000, mir_bps=35_000_000,
             networks=(ip_network("10.20.1.0/24"),))  # fmt: skip
UP = replace(DOWN, recommendation="ffffffffffff", direction=Direction.UP, cir_bps=0, mir_bps=9_000_000)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("router")


@pytest.fixture
def router(folder: Path) -> Iterator[Router]:
    with double.running(folder) as made:
        yield made


@pytest.fixture(params=["routeros", "routeros-rest"])
def kind(request: pytest.FixtureRequest) -> Kind:
    found: Kind = request.param
    return found


def driver(router: Router, kind: Kind, *, password: str = double.PASSWORD, ca: str | None = None) -> RouterosDriver:
    port = router.api_port if kind == "routeros" else router.rest_port
    how = Enforcer(driver=kind, user=double.USER, password=Secret(password), port=port, ca=ca or router.ca, timeout_seconds=5)
    made = driver_for(Device(id="mt", address="127.0.0.1", enforce=how))
    assert isinstance(made, RouterosDriver)
    return made


def reach(made: RouterosDriver, queue: Queue, to: dict[str, str | int] | None = None) -> dict[str, str | int]:
    """Brings the queue to `to` (default: what it asks for); what was there before."""
    before = dict(made.read(queue))
    made.send(made.steps(queue, before, made.wanted(queue, before) if to is None else to))
    return before


def test_both_directions_of_one_queue_come_and_go_one_by_one(router: Router, kind: Kind) -> None:
    """A queue is added, its other half set, read back as wanted; each undo takes its own half back, the last one the queue."""
    made = driver(router, kind)
    assert reach(made, DOWN) == {}
    before_up = reach(made, UP)
    (row,) = router.rows.values()
    assert (row["name"], row["target"], row["max-limit"]) == ("bwmgr-dinkes", "10.20.1.0/24", "9000000/35000000")
    assert row["comment"] == "[bwmgr down=0123456789ab up=ffffffffffff]"
    for queue in (DOWN, UP):
        assert made.read(queue) == made.wanted(queue, {})
        assert made.steps(queue, made.read(queue), made.wanted(queue, {})) == ()
    reach(made, UP, before_up)
    assert next(iter(router.rows.values()))["max-limit"] == "0/35000000"
    reach(made, DOWN, {})
    assert router.rows == {}


def test_undone_in_another_order_the_other_direction_keeps_its_limit(router: Router, kind: Kind) -> None:
    """The first one made the queue; undoing it first must not take the other one's limit away with it."""
    made = driver(router, kind)
    before_down, before_up = reach(made, DOWN), reach(made, UP)
    reach(made, DOWN, before_down)
    assert [row["max-limit"] for row in router.rows.values()] == ["9000000/0"]
    assert made.read(UP) == made.wanted(UP, {})
    reach(made, UP, before_up)
    assert router.rows == {}


def test_an_office_queue_comes_back_as_it_was(router: Router, kind: Kind) -> None:
    """Its remark in Indonesian, its other half, its priority: all as before."""
    router.add({"name": "bwmgr-dinkes", "target": "10.20.1.0/24", "max-limit": "7000000/20000000", "priority": "3/5",
                "comment": "Dinas Kesehatan – lantai 2"})  # fmt: skip
    office = dict(next(iter(router.rows.values())))
    made = driver(router, kind)
    before = reach(made, DOWN)
    assert next(iter(router.rows.values()))["comment"] == "Dinas Kesehatan – lantai 2 [bwmgr down=0123456789ab]"
    reach(made, DOWN, before)
    assert next(iter(router.rows.values())) == office


def test_an_older_queue_for_the_same_traffic_stops_everything(router: Router, kind: Kind) -> None:
    router.add({"name": "kesehatan", "target": "10.20.1.0/24"})
    with pytest.raises(DeviceProtocolError, match="simple queue 'kesehatan' takes the traffic"):
        driver(router, kind).read(DOWN)


def test_what_the_router_refuses_is_said(router: Router, kind: Kind) -> None:
    """A trap or a 400 names the router and its words; the queue stays as it was."""
    made, router.refuse = driver(router, kind), "failure: not allowed in this demo"
    with pytest.raises(DeviceProtocolError, match=r"mt: refused: .*not allowed"):
        reach(made, DOWN)
    assert router.rows == {}


def test_a_queue_that_vanished_is_no_success(router: Router, kind: Kind) -> None:
    made = driver(router, kind)
    reach(made, DOWN)
    present = made.read(DOWN)
    router.rows.clear()
    with pytest.raises(DeviceError, match="no such item"):
        made.send(made.steps(DOWN, present, {}))


def test_a_wrong_password_is_not_hammered_nor_shown(router: Router, kind: Kind) -> None:
    with pytest.raises(DeviceAuthenticationError) as caught:
        driver(router, kind, password="salah sekali").read(DOWN)
    assert "salah" not in str(caught.value)
    assert len(router.asked) == 1


def test_a_certificate_of_somebody_else_is_refused(router: Router, kind: Kind, tmp_path: Path) -> None:
    """No password is sent to a router that cannot prove itself."""
    double._certificate(tmp_path)
    with pytest.raises(DeviceError, match="not reached"):
        driver(router, kind, ca=str(tmp_path / "router.pem")).read(DOWN)
    assert router.asked == []
    with pytest.raises(UsageError, match="no certificate authority"):
        driver(router, kind, ca=str(tmp_path / "none.pem")).read(DOWN)


def test_a_router_that_is_away_is_said(router: Router, kind: Kind) -> None:
    gone = replace(router, api_port=1, rest_port=1)
    with pytest.raises(DeviceError, match="not reached"):
        driver(gone, kind).read(DOWN)


def guarded(made: RouterosDriver, queue: Queue, undo: dict[Direction, Settings]) -> Settings:
    """As `reach`, with an entry in the scheduler that takes it back."""
    before = made.read(queue)
    steps = made.steps(queue, before, made.wanted(queue, before))
    made.send(made.guarded(queue, steps, {**undo, queue.direction: before}, 2100))
    return before


def test_a_change_that_nobody_confirms_is_taken_back_by_the_router_itself(router: Router, kind: Kind) -> None:
    """A scheduled restore is set before the change: what comes back is exactly what was there, and the entry goes too."""
    router.add({"name": "bwmgr-dinkes", "target": "10.20.1.0/24", "max-limit": "7000000/20000000",
                "comment": 'Dinas "Sehat"; $1'})  # fmt: skip
    office = dict(next(iter(router.rows.values())))
    made = driver(router, kind)
    guarded(made, DOWN, {})
    (entry,) = router.entries.values()
    assert (entry["name"], entry["interval"], entry["policy"]) == ("bwmgr-dinkes-undo", "2100s", "read,write")
    assert next(iter(router.rows.values()))["max-limit"] == "7000000/35000000"
    router.expire()
    assert next(iter(router.rows.values())) == office
    assert router.entries == {}


def test_a_new_queue_that_nobody_confirms_is_removed_by_the_router(router: Router, kind: Kind) -> None:
    guarded(driver(router, kind), DOWN, {})
    router.expire()
    assert (router.rows, router.entries) == ({}, {})


def test_confirmed_the_change_stays_and_the_entry_is_gone(router: Router, kind: Kind) -> None:
    made = driver(router, kind)
    guarded(made, DOWN, {})
    made.confirm(DOWN, {})
    assert router.entries == {}
    router.expire()
    assert [row["max-limit"] for row in router.rows.values()] == ["0/35000000"]
    made.confirm(DOWN, {})


def test_both_directions_that_wait_share_one_entry(router: Router, kind: Kind) -> None:
    """One queue holds both: confirming one leaves an entry that takes back the other one alone."""
    made = driver(router, kind)
    before_down = guarded(made, DOWN, {})
    before_up = guarded(made, UP, {Direction.DOWN: before_down})
    assert len(router.entries) == 1
    made.confirm(DOWN, {Direction.UP: before_up})
    router.expire()
    assert [row["max-limit"] for row in router.rows.values()] == ["0/35000000"]
    assert made.read(DOWN) == made.wanted(DOWN, {})


def test_a_dry_run_shows_the_entry_first(router: Router, kind: Kind) -> None:
    """What is printed is all that is sent, in its order: entry, then queue."""
    made = driver(router, kind)
    before = made.read(DOWN)
    steps = made.guarded(DOWN, made.steps(DOWN, before, made.wanted(DOWN, before)), {Direction.DOWN: before}, 2100)
    assert [step.line.split(" ")[0] for step in steps] == ["/system/scheduler/add", "/queue/simple/add"]
    assert 'on-event="/queue simple remove [find name=bwmgr-dinkes]; ' in steps[0].line
    assert (router.rows, router.entries) == ({}, {})
