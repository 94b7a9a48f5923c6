"""A router that takes a change back by itself: what bwmgr does with that, from apply to verdict. The router is the double."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from bwmgr.cli import bwmgr
from bwmgr.daemon import apply as applying
from bwmgr.daemon.application import Application
from bwmgr.daemon.apply_many import apply_many, exit_code
from bwmgr.daemon.apply_records import read_record
from bwmgr.daemon.apply_watch import tend
from bwmgr.daemon.policy_registry import load_settings
from bwmgr.errors import DeviceError, DeviceTimeout
from bwmgr.measure.columns import RATE, RateBatch
from bwmgr.model.bandwidth import Bandwidth
from bwmgr.model.decision import Action, Evidence, Reason, Recommendation, Status, StatusChange
from bwmgr.model.inventory import Direction
from bwmgr.stores import LINK_RATE
from bwmgr.testing import routeros as double
from bwmgr.testing.clock import ManualClock
from bwmgr.testing.routeros import Router

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
DOWN, UP = "0123456789ab", "ffffffffffff"


@pytest.fixture
def router(tmp_path: Path) -> Iterator[Router]:
    with double.running(tmp_path / "router") as made:
        yield made


@pytest.fixture
def office(tmp_path: Path, router: Router) -> Iterator[Application]:
    """One link with two approved raises, and four readings of it."""
    (tmp_path / "password").write_text(double.PASSWORD)
    (tmp_path / "password").chmod(0o600)
    (tmp_path / "bwmgr.yaml").write_text(
        "organisation: {name: Diskominfo, language: en}\n"
        "credentials: {default: {version: 2c, community: {file: password}}}\n"
        "devices:\n"
        f"  - {{id: mt, address: 127.0.0.1, enforce: {{driver: routeros, user: {double.USER}, port: {router.api_port},\n"
        f"     password: {{file: password}}, ca: {router.ca}, timeout: 5s}}}}\n"
        "links: [{id: dinkes, kind: opd, limit: {down: 20M, up: 20M}, networks: [10.20.1.0/24], shaper: {device: mt}}]\n"
    )
    application = Application(load_settings(tmp_path / "bwmgr.yaml"), clock=ManualClock(NOW))
    for name, direction in ((DOWN, Direction.DOWN), (UP, Direction.UP)):
        application.state.add_recommendations([raised(name, direction)])
        application.state.change_status(StatusChange(recommendation=name, at=NOW, status=Status.APPROVED, by="budi"))
    yield application
    application.close()


def raised(name: str, direction: Direction) -> Recommendation:
    return Recommendation(
        id=name, created_at=NOW, link="dinkes", direction=direction, action=Action.RAISE, policy="right_size",
        current=Bandwidth(cir_bps=0, mir_bps=20_000_000), proposed=Bandwidth(cir_bps=0, mir_bps=35_000_000),
        valid_from=NOW, valid_until=NOW + timedelta(days=1), reason=Reason(code="saturated", message="saturated"),
        evidence=Evidence(start=NOW, end=NOW, calendar="always", p95_bps=None, demand_bps=None, saturated_ratio=None,
                          coverage_ratio=1.0, samples=1),
    )  # fmt: skip


def measured(office: Application, count: int) -> None:
    """So many minutes pass, with a reading of 30 Mbit/s in each."""
    clock: Any = office.clock
    for _ in range(count):
        clock.advance(60)
        rows = np.zeros(1, RATE)
        rows["end_ms"], rows["interval_ticks"] = int(clock.now().timestamp() * 1000), 6000
        rows["down_bps"] = rows["up_bps"] = 30e6
        rows["down_limit_bps"] = rows["up_limit_bps"] = np.inf
        office.store.write(LINK_RATE, RateBatch(series=("dinkes",), rows=rows))


def status(office: Application, name: str) -> Status:
    found = office.state.recommendation(name)
    assert found is not None
    return found.status


def test_proven_it_is_confirmed_to_the_router(office: Application, router: Router) -> None:
    """Until then an entry of the scheduler waits, due only after bwmgr's own deadline."""
    record = applying.apply(office, DOWN, by="sari")
    (entry,) = router.entries.values()
    assert record.guarded_until is not None
    assert record.guarded_until - record.started_at == timedelta(seconds=int(entry["interval"][:-1]))
    assert record.guarded_until > record.deadline
    measured(office, 4)
    assert tend(office)["verified"] == 1
    assert router.entries == {}
    after = read_record(office.state, DOWN)
    assert after is not None
    assert after.guarded_until is None


def test_what_the_router_took_back_by_itself_counts_as_rolled_back(office: Application, router: Router) -> None:
    """Nobody reached it in time: when it is back its old settings are in force, and the record says who did it."""
    applying.apply(office, DOWN, by="sari")
    router.expire()
    measured(office, 4)
    assert tend(office)["rolled_back"] == 1
    change = office.state.changes(DOWN)[-1]
    assert (change.status, change.by, change.note) == (Status.ROLLED_BACK, "mt", "mt took it back by itself")
    assert (router.rows, office.state.limits("dinkes")[-1][1].down) == ({}, 20_000_000)


def test_proven_but_changed_by_hand_is_stuck_not_verified(office: Application, router: Router) -> None:
    """The counters obey, but the queue is not what was sent: a person must look."""
    applying.apply(office, DOWN, by="sari")
    next(iter(router.rows.values()))["max-limit"] = "0/31000000"
    measured(office, 4)
    assert tend(office)["stuck"] == 1
    assert status(office, DOWN) is Status.APPLIED
    record = read_record(office.state, DOWN)
    assert record is not None
    assert "somebody else changed it" in record.trouble


def test_a_rollback_takes_the_entry_away_too(office: Application, router: Router) -> None:
    applying.apply(office, DOWN, by="sari")
    applying.rollback(office, DOWN, by="sari")
    assert (router.rows, router.entries) == ({}, {})


def test_both_directions_wait_in_one_entry_and_are_proven_together(office: Application, router: Router) -> None:
    """Down, then up while down is not proven: one rolled back, the entry still takes the other one back."""
    applying.apply(office, DOWN, by="sari")
    applying.apply(office, UP, by="sari")
    assert [row["max-limit"] for row in router.rows.values()] == ["35000000/35000000"]
    applying.rollback(office, UP, by="sari")
    assert [row["max-limit"] for row in router.rows.values()] == ["0/35000000"]
    (entry,) = router.entries.values()
    assert "remove [find name=bwmgr-dinkes]" in entry["on-event"]
    measured(office, 4)
    assert tend(office)["verified"] == 1
    assert router.entries == {}


def test_refused_by_the_router_no_entry_is_left(office: Application, router: Router) -> None:
    """The entry was made, the queue was refused: the old settings are in force and nothing is scheduled."""
    router.refuse = "failure: not allowed"
    with pytest.raises(DeviceError, match="the old settings are in force"):
        applying.apply(office, DOWN, by="sari")
    assert (router.rows, router.entries) == ({}, {})


def test_several_at_once_one_trouble_is_a_value(office: Application, router: Router, tmp_path: Path) -> None:
    """One is refused, the other stands: exit code 3, each with its words; a dry run of both sends nothing."""
    live(office)

    def said(*words: str) -> Any:
        return CliRunner().invoke(bwmgr, ["-c", str(tmp_path / "bwmgr.yaml"), "apply", *words, "--format", "json"])

    dry = said(DOWN, UP, "--dry-run")
    assert [one["dry_run"] for one in json.loads(dry.stdout)] == [True, True]
    assert (dry.exit_code, router.rows) == (0, {})
    router.refuse = "failure: not allowed"
    done = said(DOWN, UP)
    refused, applied = json.loads(done.stdout)
    assert (done.exit_code, applied["phase"]) == (3, "sent")
    assert "not allowed; the old settings are in force" in refused["error"]
    assert "1 of 2 were not applied" in done.stderr
    assert [row["max-limit"] for row in router.rows.values()] == ["35000000/0"]


def test_a_device_that_is_away_is_not_tried_again_in_the_same_run(office: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten changes for a dead router take one time limit, not ten."""
    asked = []

    def away(*_: object, **__: object) -> None:
        asked.append(1)
        raise DeviceTimeout("mt", "no answer")

    monkeypatch.setattr("bwmgr.daemon.apply_many.apply", away)
    outcomes = apply_many(office, [DOWN, UP, DOWN, "hantu-hantu"], by="sari", dry_run=False)
    assert (len(asked), len(outcomes), exit_code(outcomes)) == (1, 3, 1)
    assert "mt: not tried again: no answer" in str(outcomes[1].error)


def live(office: Application) -> None:
    """The recommendations once more, valid by the machine's clock, which the command goes by."""
    now = datetime.now(UTC)
    with sqlite3.connect(office.folder / "state.sqlite") as connection:
        connection.execute(
            "UPDATE recommendation SET document = replace(replace(document, ?, ?), ?, ?)",
            (
                "2026-03-02T01:00:00Z",
                f"{now:%Y-%m-%dT%H:%M:%SZ}",
                "2026-03-03T01:00:00Z",
                f"{now + timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}",
            ),
        )
