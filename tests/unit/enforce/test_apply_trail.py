"""What is sent to a device is in the journal: the exact lines before they go, how it ended, and what was put back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bwmgr.daemon import apply as applying
from bwmgr.daemon.application import Application
from bwmgr.daemon.policy_registry import load_settings
from bwmgr.drivers import Undo
from bwmgr.errors import DeviceTimeout, StoreUnavailable, UsageError
from bwmgr.model.bandwidth import Bandwidth
from bwmgr.model.decision import Action, Evidence, Reason, Recommendation, Status, StatusChange
from bwmgr.model.enforcement import Queue, Settings
from bwmgr.model.inventory import Direction
from bwmgr.renderers import tc
from bwmgr.renderers.tc import TcStep
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
FREEZE = 'approval: {freeze: [{start: "2026-03-01T00:00", end: "2026-03-03T00:00", reason: pemilu}]}\n'


class Table:
    """A device in memory; `seen` is what the journal held when something was sent to it."""

    def __init__(self) -> None:
        self.settings: Settings = {}
        self.application: Application | None = None
        self.seen: list[list[str]] = []
        self.broken = False

    def read(self, queue: Queue) -> Settings:
        return self.settings

    def wanted(self, queue: Queue, present: Settings) -> Settings:
        return tc.wanted(queue, present)

    def steps(self, queue: Queue, present: Settings, to: Settings) -> Sequence[TcStep]:
        self._to = to
        return tc.steps(queue, present, to)

    def guarded(self, queue: Queue, steps: Sequence[TcStep], undo: Undo, seconds: float) -> Sequence[TcStep]:
        return steps

    def confirm(self, queue: Queue, undo: Undo) -> None:
        """Nothing waits."""

    def send(self, steps: Sequence[TcStep]) -> None:
        assert self.application is not None
        entries = self.application.trail.journal.entries(action="device.")
        self.seen.append(entries[-1].note.details["lines"])
        if self.broken:
            self.broken = False
            raise DeviceTimeout("core", "no answer")
        self.settings = self._to


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
    entry = Recommendation(
        id=NAME, created_at=NOW, link="dinkes", direction=Direction.DOWN, action=Action.RAISE, policy="right_size",
        current=Bandwidth(cir_bps=0, mir_bps=20_000_000), proposed=Bandwidth(cir_bps=0, mir_bps=35_000_000),
        valid_from=NOW, valid_until=NOW + timedelta(days=7), reason=Reason(code="saturated", message="x"),
        evidence=Evidence(start=NOW, end=NOW, calendar="always", p95_bps=None, demand_bps=None, saturated_ratio=None,
                          coverage_ratio=1.0, samples=1),
    )  # fmt: skip
    application.state.add_recommendations([entry])
    application.state.change_status(StatusChange(recommendation=NAME, at=NOW, status=Status.APPROVED, by="budi"))
    table.application = application
    yield application
    application.close()


def acts(office: Application) -> list[tuple[str, str]]:
    office.trail.flush()
    return [(entry.note.action, entry.note.actor.name) for entry in office.trail.journal.entries()][2:]


def test_the_lines_are_in_the_journal_before_they_are_sent(office: Application, table: Table) -> None:
    """Exactly as `apply --dry-run` printed them; then how it ended, and the rollback's lines likewise."""
    planned = list(applying.plan_apply(office, NAME).lines)
    assert acts(office) == []
    applying.apply(office, NAME, by="sari")
    assert table.seen == [planned]
    applying.rollback(office, NAME, by="ani", note="keluhan")
    assert acts(office) == [
        ("device.sending", "sari"), ("device.sent", "sari"), ("recommendation.applied", "sari"),
        ("device.sending", "ani"), ("device.sent", "ani"), ("recommendation.rolled_back", "ani"),
    ]  # fmt: skip
    sending = office.trail.journal.entries(action="device.sending")
    assert [entry.note.details["lines"] for entry in sending] == table.seen
    assert (sending[0].note.subject, sending[0].note.details["link"]) == ("core", "dinkes")


def test_what_failed_is_in_the_journal_with_what_was_put_back(office: Application, table: Table) -> None:
    """The device's own words; nothing is applied."""
    table.broken = True
    with pytest.raises(Exception, match="the old settings are in force"):
        applying.apply(office, NAME, by="sari")
    assert ("device.failed", "sari") in acts(office)
    (failed,) = office.trail.journal.entries(action="device.failed")
    assert failed.note.details["problem"] == "no answer"
    assert not office.trail.journal.entries(action="recommendation.applied")


def test_nothing_is_sent_that_cannot_be_entered(office: Application, table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk too full for the journal: the device is left alone, in words (fault 45)."""
    office.trail.flush()
    with monkeypatch.context() as full:
        full.setattr("bwmgr.stores.journal.STATE_OCTETS", 1 << 62)
        with pytest.raises(StoreUnavailable, match="free some"):
            applying.apply(office, NAME, by="sari")
    assert (table.seen, table.settings) == ([], {})


def test_a_freeze_holds_an_apply_and_no_rollback(office: Application, table: Table, tmp_path: Path) -> None:
    """What makes things as they were goes on."""
    applying.apply(office, NAME, by="sari")
    (tmp_path / "bwmgr.yaml").write_text(CONFIGURATION + FREEZE)
    frozen: Any = Application(load_settings(tmp_path / "bwmgr.yaml"), clock=ManualClock(NOW))
    table.application = frozen
    applying.rollback(frozen, NAME, by="sari")
    assert table.settings == {}
    again = Recommendation(**{**_fields(frozen.state.recommendation(NAME)), "id": "ba9876543210", "status": Status.PROPOSED})
    frozen.state.add_recommendations([again])
    frozen.state.change_status(StatusChange(recommendation=again.id, at=NOW, status=Status.APPROVED, by="budi"))
    with pytest.raises(UsageError, match="nothing is applied until"):
        applying.apply(frozen, again.id, by="sari")
    frozen.close()


def _fields(entry: Any) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in entry.__dataclass_fields__}
