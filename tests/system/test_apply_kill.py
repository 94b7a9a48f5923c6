"""kill -9 in the middle of an apply, a router at the other end: after the restart all of it counts, or none of it is there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bwmgr.daemon import apply as applying
from bwmgr.daemon.application import Application
from bwmgr.daemon.apply_records import Phase, read_record
from bwmgr.daemon.apply_watch import tend
from bwmgr.daemon.policy_registry import load_settings
from bwmgr.model.bandwidth import Bandwidth
from bwmgr.model.decision import Action, Evidence, Reason, Recommendation, Status, StatusChange
from bwmgr.model.inventory import Direction
from bwmgr.testing import routeros as double
from bwmgr.testing.routeros import Router

pytestmark = [pytest.mark.system, pytest.mark.clock]
NAME = "0123456789ab"


@pytest.fixture
def router(tmp_path: Path) -> Iterator[Router]:
    with double.running(tmp_path / "router") as made:
        yield made


def office(folder: Path, router: Router, driver: str) -> Path:
    """A configuration with the router, and an approved raise for its one link."""
    port = router.api_port if driver == "routeros" else router.rest_port
    (folder / "password").write_text(double.PASSWORD)
    (folder / "password").chmod(0o600)
    path = folder / "bwmgr.yaml"
    path.write_text(
        "organisation: {name: Diskominfo, language: en}\n"
        "credentials: {default: {version: 2c, community: {file: password}}}\n"
        "devices:\n"
        f"  - {{id: mt, address: 127.0.0.1, enforce: {{driver: {driver}, user: {double.USER}, port: {port},\n"
        f"     password: {{file: password}}, ca: {router.ca}, timeout: 5s}}}}\n"
        "links: [{id: dinkes, kind: opd, limit: {down: 20M, up: 20M}, networks: [10.20.1.0/24], shaper: {device: mt}}]\n"
    )
    now = datetime.now(UTC)
    entry = Recommendation(
        id=NAME, created_at=now, link="dinkes", direction=Direction.DOWN, action=Action.RAISE, policy="right_size",
        current=Bandwidth(cir_bps=0, mir_bps=20_000_000), proposed=Bandwidth(cir_bps=0, mir_bps=35_000_000),
        valid_from=now, valid_until=now + timedelta(days=1), reason=Reason(code="saturated", message="saturated"),
        evidence=Evidence(start=now, end=now, calendar="always", p95_bps=None, demand_bps=None, saturated_ratio=None,
                          coverage_ratio=1.0, samples=1),
    )  # fmt: skip
    application = Application(load_settings(path))
    application.state.add_recommendations([entry])
    application.state.change_status(StatusChange(recommendation=NAME, at=now, status=Status.APPROVED, by="budi"))
    application.close()
    return path


@pytest.mark.parametrize("driver", ["routeros", "routeros-rest"])
@pytest.mark.parametrize("arrived", [True, False])
def test_killed_between_sending_and_writing_down(tmp_path: Path, router: Router, driver: str, arrived: bool) -> None:
    """fault 46: the process dies as the router has the change, or as it is about to take it; the daemon's next round reads the
    router, and says which settings are in force."""
    path = office(tmp_path, router, driver)
    process = subprocess.Popen([sys.executable, "-m", "bwmgr", "-c", str(path), "apply", NAME], stderr=subprocess.PIPE)

    def kill() -> None:
        router.before_change = router.after_change = None
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        if not arrived:
            raise double.Refusal("failure: the connection is gone")

    if arrived:
        router.after_change = kill
    else:
        router.before_change = kill
    _, said = process.communicate(timeout=20)
    assert process.returncode == -signal.SIGKILL, said
    application = Application(load_settings(path))
    record = read_record(application.state, NAME)
    assert record is not None
    assert record.phase is Phase.SENDING
    assert tend(application)["settled"] == 1
    record, found = read_record(application.state, NAME), application.state.recommendation(NAME)
    assert record is not None
    assert found is not None
    if arrived:
        assert (found.status, record.phase) == (Status.APPLIED, Phase.SENT)
        assert "found whole on the device" in record.note
    else:
        assert (found.status, record.phase) == (Status.APPROVED, Phase.UNDONE)
        assert "the settings from before were restored" in record.note
    assert [row["max-limit"] for row in router.rows.values()] == (["0/35000000"] if arrived else [])
    asked = len(router.asked)
    applying.apply(application, NAME, by="sari")
    assert [row["max-limit"] for row in router.rows.values()] == ["0/35000000"]
    assert len(router.asked) == asked if arrived else len(router.asked) > asked
    application.close()
