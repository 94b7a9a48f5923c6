"""What the daemon does about applied changes, and the commands as they are typed; the device is a table in memory."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from bwmgr.cli import bwmgr
from bwmgr.daemon import apply as applying
from bwmgr.daemon.application import Application
from bwmgr.daemon.apply_records import Phase, move, read_record
from bwmgr.daemon.apply_watch import WATCHER, tend, waits
from bwmgr.daemon.enforce_checks import check_enforcement
from bwmgr.daemon.findings import Severity
from bwmgr.daemon.metrics import Metrics
from bwmgr.daemon.policy_registry import load_settings
from bwmgr.daemon.timetable import CLOCK, LEAD, Timetable, next_instant
from bwmgr.drivers import Undo
from bwmgr.engine.verify import patience_seconds
from bwmgr.errors import DeviceTimeout
from bwmgr.language import Words
from bwmgr.measure.columns import RATE, RateBatch
from bwmgr.model.bandwidth import Bandwidth
from bwmgr.model.decision import Action, Evidence, Reason, Recommendation, Status, StatusChange
from bwmgr.model.enforcement import Queue, Settings
from bwmgr.model.inventory import Direction
from bwmgr.model.policy import ENDS_AT
from bwmgr.renderers import tc
from bwmgr.renderers.tc import TcStep
from bwmgr.stores import LINK_RATE
from bwmgr.stores.lock import Lock
from bwmgr.testing.clock import ManualClock

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
NAME = "0123456789ab"
CONFIGURATION = """\
organisation: {name: Diskominfo, language: en}
credentials: {default: {version: 2c, community: {env: COMMUNITY}}}
devices: [{id: core, address: 127.0.0.1, enforce: {driver: linux}}]
links:
  - {id: dinkes, kind: opd, limit: {down: 20M, up: 20M}, interface: {device: core, if_name: eth1, faces: subscriber},
     shaper: {device: core, down: {interface: eth1}}}
"""


class Table:
    """A device that does as it is told, by tc's steps; `away`: it does not answer."""

    def __init__(self) -> None:
        self.settings: Settings = {}
        self.away = False

    def read(self, queue: Queue) -> Settings:
        if self.away:
            raise DeviceTimeout("core", "no answer")
        return self.settings

    def wanted(self, queue: Queue, present: Settings) -> Settings:
        return tc.wanted(queue, present)

    def steps(self, queue: Queue, present: Settings, to: Settings) -> Sequence[TcStep]:
        self._to = to
        return tc.steps(queue, present, to)

    def guarded(self, queue: Queue, steps: Sequence[TcStep], undo: Undo, seconds: float) -> Sequence[TcStep]:
        return steps

    def confirm(self, queue: Queue, undo: Undo) -> None:
        if self.away:
            raise DeviceTimeout("core", "no answer")

    def send(self, steps: Sequence[TcStep]) -> None:
        self.settings = self._to if steps else self.settings


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Table:
    made = Table()
    monkeypatch.setattr(applying, "driver_for", lambda *_: made)
    monkeypatch.setenv("COMMUNITY", "publik")
    return made


@pytest.fixture
def office(tmp_path: Path, table: Table) -> Iterator[Application]:
    (tmp_path / "bwmgr.yaml").write_text(CONFIGURATION)
    application = Application(load_settings(tmp_path / "bwmgr.yaml"), clock=ManualClock(NOW))
    yield application
    application.close()


def applied(office: Application, *, valid: timedelta = timedelta(days=7), dated: bool = False) -> None:
    approve(office, valid=valid, dated=dated)
    applying.apply(office, NAME, by="sari")


def approve(office: Application, *, valid: timedelta = timedelta(days=7), dated: bool = False, start: datetime = NOW) -> None:
    more = {ENDS_AT: (start + valid).isoformat()} if dated else {}
    entry = Recommendation(
        id=NAME, created_at=start, link="dinkes", direction=Direction.DOWN, action=Action.RAISE, policy="lift",
        current=Bandwidth(cir_bps=0, mir_bps=20_000_000), proposed=Bandwidth(cir_bps=0, mir_bps=35_000_000),
        valid_from=start, valid_until=start + valid, reason=Reason(code="lift", message="lift"),
        evidence=Evidence(start=start, end=start, calendar="always", p95_bps=None, demand_bps=None, saturated_ratio=None,
                          coverage_ratio=1.0, samples=1, more=more),
    )  # fmt: skip
    office.state.add_recommendations([entry])
    office.state.change_status(StatusChange(recommendation=NAME, at=start, status=Status.APPROVED, by="budi"))


def measured(office: Application, rates: Sequence[float], *, seconds: int = 60) -> None:
    """A reading after a reading from now on; the clock stands after the last one."""
    clock: Any = office.clock
    for rate in rates:
        clock.advance(seconds)
        rows = np.zeros(1, RATE)
        rows["end_ms"], rows["interval_ticks"] = int(clock.now().timestamp() * 1000), seconds * 100
        rows["down_bps"] = rows["up_bps"] = rate
        rows["down_limit_bps"] = rows["up_limit_bps"] = np.inf
        office.store.write(LINK_RATE, RateBatch(series=("dinkes",), rows=rows))


def last(office: Application) -> StatusChange:
    return office.state.changes(NAME)[-1]


def test_obedient_readings_verify(office: Application) -> None:
    measured(office, [19e6, 19e6])
    applied(office)
    assert waits(office.state, office.inventory, office.clock.now())
    assert tend(office)["pending"] == 1
    measured(office, [30e6, 31e6, 30e6])
    assert tend(office)["verified"] == 1
    assert (last(office).status, last(office).by) == (Status.VERIFIED, WATCHER)
    assert not waits(office.state, office.inventory, office.clock.now())


def test_a_limit_that_is_not_obeyed_is_taken_back(office: Application, table: Table) -> None:
    applied(office)
    measured(office, [60e6, 61e6])
    assert tend(office)["rolled_back"] == 1
    assert (last(office).status, table.settings) == (Status.ROLLED_BACK, {})
    assert "above its new limit of 35000000" in last(office).note


def test_without_a_reading_it_is_taken_back_after_half_an_hour(office: Application, table: Table) -> None:
    """fault 61: no effect without data; and a device that is away then is tried again until it is back."""
    applied(office)
    clock: Any = office.clock
    clock.advance(29 * 60)
    assert tend(office)["pending"] == 1
    clock.advance(60)
    table.away = True
    assert tend(office)["stuck"] == 1
    assert last(office).status is Status.APPLIED
    table.away = False
    assert tend(office)["rolled_back"] == 1
    assert table.settings == {}


@pytest.mark.parametrize(("interval", "minutes"), [(60, 30), (300, 30), (450, 30), (900, 60), (3600, 240)])
def test_the_deadline_follows_a_long_polling_interval(interval: float, minutes: float) -> None:
    """Half an hour, but never less than it takes to have the readings that a verdict needs."""
    assert patience_seconds(interval) == minutes * 60


def test_a_quarter_of_an_hour_between_readings_still_verifies(tmp_path: Path, table: Table) -> None:
    """fault: polled every 15 minutes, a good change is not taken back for want of readings."""
    (tmp_path / "bwmgr.yaml").write_text(CONFIGURATION + "snmp: {interval: 15m}\n")
    slow = Application(load_settings(tmp_path / "bwmgr.yaml"), clock=ManualClock(NOW))
    applied(slow)
    measured(slow, [30e6, 30e6], seconds=900)
    assert tend(slow)["pending"] == 1
    measured(slow, [30e6, 30e6], seconds=900)
    assert (tend(slow)["verified"], last(slow).status) == (1, Status.VERIFIED)
    slow.close()


def test_what_is_stuck_is_seen_everywhere(office: Application, table: Table, tmp_path: Path) -> None:
    """A device that is away when a change must be taken back: in status, in doctor, in the metrics; and gone when it is back."""
    applied(office)
    clock: Any = office.clock
    clock.advance(31 * 60)
    table.away = True
    figures = tend(office)
    assert (figures["stuck"], figures["pending"], waits(office.state, office.inventory, clock.now())) == (1, 0, True)
    said = CliRunner().invoke(bwmgr, ["-c", str(tmp_path / "bwmgr.yaml"), "status", "--format", "json"])
    (stuck,) = json.loads(said.stdout)["stuck_changes"]
    assert stuck == {"id": NAME, "link": "dinkes", "device": "core",
                     "trouble": "dinkes is not measured; taking it back: core: no answer"}  # fmt: skip
    (finding,) = check_enforcement(office.settings, clock.now())
    assert (finding.code, finding.severity, finding.subject) == ("change_stuck", Severity.ERROR, "core")
    assert "no answer" in finding.row(Words("id"))["finding"]
    metrics = Metrics()
    metrics.enforcement(figures)
    assert 'bwmgr_enforcement_changes{state="stuck"} 1.0' in metrics.text().decode()
    since = read_record(office.state, NAME)
    clock.advance(60)
    tend(office)
    again = read_record(office.state, NAME)
    assert since is not None
    assert again is not None
    assert again.trouble_since == since.trouble_since
    table.away = False
    assert tend(office)["stuck"] == 0
    assert list(check_enforcement(office.settings, clock.now())) == []


def test_a_change_that_nobody_watches_is_found_by_doctor(office: Application, table: Table) -> None:
    """Applied, but no daemon runs: after its deadline doctor says so."""
    applied(office)
    clock: Any = office.clock
    assert list(check_enforcement(office.settings, clock.now())) == []
    clock.advance(40 * 60)
    assert [finding.code for finding in check_enforcement(office.settings, clock.now())] == ["change_unwatched"]


def test_another_process_at_the_device_is_no_trouble(office: Application, table: Table) -> None:
    """While a person's apply is under way, the daemon's round leaves that change to it."""
    applied(office)
    record = read_record(office.state, NAME)
    assert record is not None
    move(office.state, record, Phase.UNDOING)
    with Lock(office.folder / "devices" / "core"):
        assert tend(office) == {"settled": 0, "begun": 0, "verified": 0, "rolled_back": 0, "pending": 0, "stuck": 0}
    assert tend(office)["settled"] == 1
    assert table.settings == {}


def test_what_was_for_a_time_ends_when_its_time_ends(office: Application, table: Table) -> None:
    """A lift, verified, is back at the settings from before once its end has come, and not a cycle earlier."""
    applied(office, valid=timedelta(hours=1), dated=True)
    measured(office, [30e6, 31e6, 30e6])
    tend(office)
    assert (last(office).status, waits(office.state, office.inventory, office.clock.now())) == (Status.VERIFIED, False)
    clock: Any = office.clock
    clock.advance(57 * 60)
    assert waits(office.state, office.inventory, office.clock.now())
    assert tend(office)["rolled_back"] == 1
    assert (last(office).note, table.settings) == ("its time has ended", {})


def test_the_commands_as_they_are_typed(tmp_path: Path, table: Table, office: Application) -> None:
    """render, a dry run, apply, rollback: a dry run prints what is sent and changes nothing; undone, it stays undone."""
    approve(office, start=datetime.now(UTC) - timedelta(minutes=1))

    def said(*words: str) -> Any:
        done = CliRunner().invoke(bwmgr, ["-c", str(tmp_path / "bwmgr.yaml"), *words])
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout) if "json" in words else done.stdout

    (rendered,) = said("render", "--vendor", "tc", "--format", "json")
    assert rendered["lines"][0].startswith("tc class replace dev eth1 parent 1: classid 1:10 htb rate 35000000bit")
    dry = said("apply", NAME, "--dry-run", "--format", "json")
    assert (dry["dry_run"], table.settings) == (True, {})
    assert "Would be sent to core:\n  tc qdisc add dev eth1 root handle 1: htb default 10\n" in said("apply", NAME, "--dry-run")
    sent = said("apply", NAME, "--by", "sari", "--format", "json")
    assert sent["lines"] == dry["lines"]
    assert table.settings == dry["after"]
    assert "the settings from before are in force on core" in said("rollback", NAME, "--by", "sari", "--note", "keluhan")
    assert table.settings == {}
    record = read_record(office.state, NAME)
    assert record is not None
    assert (record.phase, record.note) == (Phase.UNDONE, "keluhan")
    refused = CliRunner().invoke(bwmgr, ["-c", str(tmp_path / "bwmgr.yaml"), "apply", NAME])
    assert "is rolled_back: only an approved" in str(refused.exception)


def test_an_approved_reservation_begins_and_ends_by_the_clock(office: Application, table: Table) -> None:
    """Approved days before: nothing until its start, then applied by the daemon, and back when its time is over."""
    start, clock = NOW + timedelta(hours=1), office.clock
    approve(office, start=start, valid=timedelta(hours=2), dated=True)
    assert next_instant(office.state, office.inventory, clock.now()) == start
    assert not waits(office.state, office.inventory, clock.now())
    clock.advance(3599)  # type: ignore[attr-defined]
    assert (tend(office)["begun"], table.settings) == (0, {})
    clock.advance(1)  # type: ignore[attr-defined]
    assert waits(office.state, office.inventory, clock.now())
    assert tend(office)["begun"] == 1
    assert table.settings["ceil_bps"] == 35_000_000
    assert (last(office).status, last(office).by) == (Status.APPLIED, CLOCK)
    assert next_instant(office.state, office.inventory, clock.now()) == start + timedelta(hours=2)
    clock.advance(7200)  # type: ignore[attr-defined]
    assert tend(office)["rolled_back"] == 1
    assert table.settings == {}
    assert next_instant(office.state, office.inventory, clock.now()) is None


def test_a_device_that_is_away_at_the_start_is_tried_again_and_said(office: Application, table: Table) -> None:
    """Late is seen at once in status and doctor; it begins when the device is back, or never when its time is over."""
    approve(office, valid=timedelta(hours=2), dated=True)
    table.away = True
    assert tend(office)["stuck"] == 1
    (finding,) = check_enforcement(office.settings, office.clock.now())
    assert (finding.code, finding.subject) == ("change_late", "core")
    table.away = False
    assert (tend(office)["begun"], tend(office)["stuck"]) == (1, 0)
    assert list(check_enforcement(office.settings, office.clock.now())) == []


def test_a_raise_without_a_date_waits_for_a_person(office: Application, table: Table) -> None:
    """Approved is not applied: only what was approved for a stated time begins by itself."""
    approve(office)
    assert (tend(office)["begun"], table.settings) == (0, {})


def test_the_timetable_starts_a_round_in_time_and_once(office: Application, table: Table) -> None:
    rounds: list[int] = []
    done = threading.Event()

    def run() -> None:
        rounds.append(1)
        done.set()

    timetable, start = Timetable(run), NOW + timedelta(hours=1)
    approve(office, start=start, valid=timedelta(hours=2), dated=True)
    timetable.look(office.state, office.inventory, NOW)
    timetable.tick(start - LEAD - timedelta(seconds=1))
    assert rounds == []
    timetable.tick(start - LEAD)
    assert done.wait(5)
    timetable.tick(start)
    assert rounds == [1]
