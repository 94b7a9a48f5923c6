"""apply, rollback, recovery and drift on real HTB in a namespace; what the kernel has is read by `tc`, not by bwmgr."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from namespaces import Cable, cable, lacking

from bwmgr.config.settings import Settings, StoreSettings
from bwmgr.daemon import apply as applying
from bwmgr.daemon.application import Application
from bwmgr.daemon.apply_records import Phase, read_record
from bwmgr.drivers.linux import LinuxDriver
from bwmgr.errors import BwmgrError, DeviceError, DeviceProtocolError, StoreLocked, UsageError
from bwmgr.model.bandwidth import Bandwidth
from bwmgr.model.decision import Action, Evidence, Reason, Recommendation, Status, StatusChange
from bwmgr.model.inventory import (
    Device,
    Direction,
    Enforcer,
    Inventory,
    Link,
    LinkKind,
    Organisation,
    PerDirection,
    Shaper,
    ShaperPort,
)
from bwmgr.renderers.tc import TcStep
from bwmgr.stores.lock import Lock
from bwmgr.testing.clock import ManualClock

pytestmark = [pytest.mark.system, pytest.mark.clock]
NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def wire() -> Iterator[Cable]:
    if reason := lacking("tc"):
        pytest.skip(reason)
    with cable() as made:
        yield made


@pytest.fixture
def office(wire: Cable, tmp_path: Path) -> Iterator[Application]:
    """One OPD behind the router's port, which starts without any queue."""
    subprocess.run(
        ["ip", "netns", "exec", wire.router, "tc", "qdisc", "delete", "dev", wire.interface, "root"],
        check=False,
        capture_output=True,
    )
    application = Application(settings(wire, tmp_path), clock=ManualClock(NOW))
    yield application
    application.close()


def settings(wire: Cable, folder: Path, port: ShaperPort | None = None) -> Settings:
    shaper = Shaper(device="core", down=port or ShaperPort(interface=wire.interface))
    limit = PerDirection(down=20_000_000, up=20_000_000)
    link = Link(id="dinkes", name="Dinas Kesehatan", kind=LinkKind.OPD, limit=limit, shaper=shaper)
    device = Device(id="core", address="127.0.0.1", enforce=Enforcer(driver="linux", namespace=wire.router))
    inventory = Inventory(organisation=Organisation(name="Diskominfo"), devices={"core": device}, links={"dinkes": link})
    return Settings(inventory=inventory, store=StoreSettings(path=folder / "var"), source=folder / "bwmgr.yaml")


def approved(application: Application, name: str, mir_bps: int | None, *, status: Status = Status.APPROVED) -> str:
    """A recommendation for the link's download that a second person approved."""
    entry = Recommendation(
        id=name, created_at=NOW, link="dinkes", direction=Direction.DOWN, action=Action.RAISE, policy="right_size",
        current=Bandwidth(cir_bps=5_000_000, mir_bps=20_000_000), proposed=Bandwidth(cir_bps=5_000_000, mir_bps=mir_bps),
        valid_from=NOW, valid_until=NOW + timedelta(days=1), reason=Reason(code="saturated", message="saturated"),
        evidence=Evidence(start=NOW, end=NOW, calendar="always", p95_bps=None, demand_bps=None, saturated_ratio=None,
                          coverage_ratio=1.0, samples=1),
    )  # fmt: skip
    application.state.add_recommendations([entry])
    if status is Status.APPROVED:
        application.state.change_status(StatusChange(recommendation=name, at=NOW, status=status, by="budi"))
    return name


def classes(wire: Cable) -> str:
    return wire.run("tc", "class", "show", "dev", wire.interface)


def status(application: Application, name: str) -> Status:
    found = application.state.recommendation(name)
    assert found is not None
    return found.status


def test_apply_and_rollback_leave_the_kernel_exactly_as_it_was(office: Application, wire: Cable) -> None:
    """Nothing, then 35 Mbit/s, then 12 Mbit/s, then back step by step to nothing; the history of limits follows."""
    first, second = approved(office, "aaaaaaaaaaaa", 35_000_000), approved(office, "bbbbbbbbbbbb", 12_000_000)
    assert applying.apply(office, first, by="sari").phase is Phase.SENT
    with pytest.raises(UsageError, match="aaaaaaaaaaaa was applied to dinkes and is not verified yet"):
        applying.apply(office, second, by="sari")
    office.state.change_status(StatusChange(recommendation=first, at=NOW, status=Status.VERIFIED, by="verification"))
    before = classes(wire)
    assert "rate 35Mbit ceil 35Mbit" in before
    applying.apply(office, second, by="sari")
    assert "rate 12Mbit ceil 12Mbit" in classes(wire)
    assert office.state.limits("dinkes")[-1][1] == PerDirection(down=12_000_000, up=20_000_000)
    with pytest.raises(UsageError, match="a later change than aaaaaaaaaaaa is in force"):
        applying.rollback(office, first, by="sari")
    applying.rollback(office, second, by="sari", note="complaint")
    assert classes(wire) == before
    applying.rollback(office, first, by="sari")
    assert classes(wire) == ""
    assert "htb" not in wire.run("tc", "qdisc", "show", "dev", wire.interface)
    assert [status(office, name) for name in (first, second)] == [Status.ROLLED_BACK, Status.ROLLED_BACK]
    assert office.state.limits("dinkes")[-1][1] == PerDirection(down=20_000_000, up=20_000_000)


def test_a_class_that_tc_made_by_hand_comes_back_bit_by_bit(office: Application, wire: Cable) -> None:
    """Rate, ceiling, both bursts, priority and quantum of an office's own class survive an apply and its rollback."""
    wire.run("tc", "qdisc", "add", "dev", wire.interface, "root", "handle", "1:", "htb", "default", "10")
    wire.run("tc", "class", "add", "dev", wire.interface, "parent", "1:", "classid", "1:10", "htb", "rate", "7mbit",
             "burst", "9k", "cburst", "3333b", "prio", "3", "quantum", "3000")  # fmt: skip
    before = classes(wire)
    name = approved(office, "aaaaaaaaaaaa", 35_000_000)
    applying.apply(office, name, by="sari")
    assert "rate 35Mbit" in classes(wire)
    applying.rollback(office, name, by="sari")
    assert classes(wire) == before


def test_what_is_sent_is_what_tc_would_do(office: Application, wire: Cable) -> None:
    """The lines of a dry run, typed into a shell, make the same class as apply does, and no dry run changes anything."""
    name = approved(office, "aaaaaaaaaaaa", 35_000_000)
    lines = applying.plan_apply(office, name).lines
    assert classes(wire) == ""
    for line in lines:
        wire.run(*line.split())
    typed = classes(wire)
    wire.run("tc", "qdisc", "delete", "dev", wire.interface, "root")
    applying.apply(office, name, by="sari")
    assert classes(wire) == typed


def test_applying_twice_sends_once(office: Application, wire: Cable, monkeypatch: pytest.MonkeyPatch) -> None:
    name = approved(office, "aaaaaaaaaaaa", 35_000_000)
    applying.apply(office, name, by="sari")
    monkeypatch.setattr(LinuxDriver, "send", None)
    assert applying.apply(office, name, by="sari").phase is Phase.SENT
    assert [change.status for change in office.state.changes(name)] == [Status.APPROVED, Status.APPLIED]


def test_drift_stops_apply_and_rollback(office: Application, wire: Cable) -> None:
    """Somebody typed another rate: both say what was left and what is there, and send nothing."""
    first, second = approved(office, "aaaaaaaaaaaa", 35_000_000), approved(office, "bbbbbbbbbbbb", 12_000_000)
    applying.apply(office, first, by="sari")
    office.state.change_status(StatusChange(recommendation=first, at=NOW, status=Status.VERIFIED, by="verification"))
    wire.run("tc", "class", "replace", "dev", wire.interface, "parent", "1:", "classid", "1:10", "htb", "rate", "9mbit")
    theirs = classes(wire)
    drift = r"rate_bps=35000000.* is .*rate_bps=9000000"
    with pytest.raises(DeviceProtocolError, match=drift):
        applying.plan_apply(office, second)
    with pytest.raises(DeviceProtocolError, match=drift):
        applying.apply(office, second, by="sari")
    with pytest.raises(DeviceProtocolError, match="somebody else changed it"):
        applying.rollback(office, first, by="sari")
    assert classes(wire) == theirs
    assert status(office, second) is Status.APPROVED


@pytest.mark.parametrize("sent", [0, 1, 2])
def test_killed_in_the_middle_of_an_apply_is_settled_after_the_restart(
    office: Application, wire: Cable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sent: int
) -> None:
    """Cut off after 0, 1 or both of two steps: the next process finds all there and counts it, or takes the part back."""
    name = approved(office, "aaaaaaaaaaaa", 35_000_000)
    whole = LinuxDriver.send

    def cut_off(driver: LinuxDriver, steps: list[TcStep]) -> None:
        whole(driver, steps[:sent])
        raise KeyboardInterrupt  # as SIGKILL: nothing after it runs

    with monkeypatch.context() as patched:
        patched.setattr(LinuxDriver, "send", cut_off)
        with pytest.raises(KeyboardInterrupt):
            applying.apply(office, name, by="sari")
    office.close()
    again = Application(settings(wire, tmp_path), clock=ManualClock(NOW))
    (said,) = applying.recover(again)
    assert status(again, name) is (Status.APPLIED if sent == 2 else Status.APPROVED)
    assert ("rate 35Mbit" in classes(wire)) == (sent == 2)
    assert ("it is applied" if sent == 2 else "had not arrived whole") in said
    assert applying.recover(again) == []
    applying.apply(again, name, by="sari")
    assert "rate 35Mbit" in classes(wire)
    again.close()


def test_a_refusal_in_the_middle_leaves_the_old_settings_and_says_so(
    office: Application, wire: Cable, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = approved(office, "aaaaaaaaaaaa", 35_000_000)
    whole = LinuxDriver.steps

    def broken(driver: LinuxDriver, queue: object, present: object, to: dict[str, object]) -> list[TcStep]:
        steps = list(whole(driver, queue, present, to))  # type: ignore[arg-type]
        return [steps[0], replace(steps[1], parent="9:9")] if to else steps

    monkeypatch.setattr(LinuxDriver, "steps", broken)
    with pytest.raises(DeviceProtocolError, match=r"the kernel refused.*the old settings are in force"):
        applying.apply(office, name, by="sari")
    assert "htb" not in wire.run("tc", "qdisc", "show", "dev", wire.interface)
    record = read_record(office.state, name)
    assert record is not None
    assert record.phase is Phase.UNDONE
    assert status(office, name) is Status.APPROVED


def test_one_at_a_time_on_a_device(office: Application) -> None:
    name = approved(office, "aaaaaaaaaaaa", 35_000_000)
    with Lock(office.folder / "devices" / "core"), pytest.raises(StoreLocked):
        applying.apply(office, name, by="sari")


def test_a_class_in_the_office_own_tree_takes_cir_and_mir(wire: Cable, office: Application, tmp_path: Path) -> None:
    """In a tree the class is guaranteed its CIR and may borrow up to its MIR; the tree around it is not touched."""
    wire.run("tc", "qdisc", "add", "dev", wire.interface, "root", "handle", "1:", "htb", "default", "99")
    wire.run("tc", "class", "add", "dev", wire.interface, "parent", "1:", "classid", "1:1", "htb", "rate", "100mbit")
    before = classes(wire)
    port = ShaperPort(interface=wire.interface, class_id="1:20", parent="1:1")
    tree = Application(settings(wire, tmp_path, port), clock=ManualClock(NOW))
    name = approved(tree, "aaaaaaaaaaaa", 35_000_000)
    applying.apply(tree, name, by="sari")
    assert "class htb 1:20 parent 1:1" in classes(wire)
    assert "rate 5Mbit ceil 35Mbit" in classes(wire)
    applying.rollback(tree, name, by="sari")
    assert classes(wire) == before
    tree.close()


@pytest.mark.parametrize(
    ("namespace", "interface", "problem"),
    [("", "bwnone", "has no interface 'bwnone'"), ("bwmgr-none", "bwport", "no rtnetlink"), ("", "a;reboot", "letters, digits")],
)
def test_what_is_not_there_is_named(
    office: Application, wire: Cable, tmp_path: Path, namespace: str, interface: str, problem: str
) -> None:
    given = settings(wire, tmp_path, ShaperPort(interface=interface))
    core = given.inventory.devices["core"]
    enforcer = Enforcer(driver="linux", namespace=namespace or wire.router)
    inventory = replace(given.inventory, devices={"core": replace(core, enforce=enforcer)})
    application = Application(replace(given, inventory=inventory), clock=ManualClock(NOW))
    name = approved(application, "aaaaaaaaaaaa", 35_000_000)
    with pytest.raises(BwmgrError, match=problem):
        applying.apply(application, name, by="sari")
    application.close()


def test_a_qdisc_of_another_kind_is_left_alone(office: Application, wire: Cable) -> None:
    wire.run(
        "tc", "qdisc", "add", "dev", wire.interface, "root", "handle", "8:", "tbf", "rate", "5mbit", "burst", "5k", "limit", "9k"
    )
    name = approved(office, "aaaaaaaaaaaa", 35_000_000)
    with pytest.raises(UsageError, match="a qdisc tbf that bwmgr did not make"):
        applying.apply(office, name, by="sari")
    assert "tbf" in wire.run("tc", "qdisc", "show", "dev", wire.interface)


def test_only_what_is_approved_and_valid_is_applied(office: Application) -> None:
    proposed = approved(office, "aaaaaaaaaaaa", 35_000_000, status=Status.PROPOSED)
    late = approved(office, "bbbbbbbbbbbb", 35_000_000)
    with pytest.raises(UsageError, match="is proposed: only an approved"):
        applying.apply(office, proposed, by="sari")
    with pytest.raises(UsageError, match="was never applied"):
        applying.rollback(office, late, by="sari")
    clock = office.clock
    assert isinstance(clock, ManualClock)
    clock.advance(2 * 86400)
    with pytest.raises((UsageError, DeviceError), match="was valid until"):
        applying.apply(office, late, by="sari")
