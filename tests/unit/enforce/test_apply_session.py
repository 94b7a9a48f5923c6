"""A session that RADIUS manages, from apply to rollback: it cannot be read, so what was acknowledged counts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bwmgr.daemon import apply as applying
from bwmgr.daemon.application import Application
from bwmgr.daemon.apply_records import Phase, move, read_record
from bwmgr.daemon.policy_registry import load_settings
from bwmgr.errors import DeviceProtocolError
from bwmgr.model.bandwidth import Bandwidth
from bwmgr.model.decision import Action, Evidence, Reason, Recommendation, Status, StatusChange
from bwmgr.model.inventory import Direction
from bwmgr.testing import coa
from bwmgr.testing.clock import ManualClock
from bwmgr.testing.coa import AccessServer

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
DOWN, UP = "0123456789ab", "ffffffffffff"


@pytest.fixture
def server() -> Iterator[AccessServer]:
    with coa.running("posyandu") as made:
        yield made


@pytest.fixture
def office(tmp_path: Path, server: AccessServer) -> Iterator[Application]:
    """One session of 20 Mbit/s, with an approved raise of each direction."""
    (tmp_path / "secret").write_text(coa.SECRET)
    (tmp_path / "secret").chmod(0o600)
    (tmp_path / "bwmgr.yaml").write_text(
        "organisation: {name: Diskominfo, language: en}\n"
        "credentials: {default: {version: 2c, community: {file: secret}}}\n"
        "devices:\n"
        f"  - {{id: bng, address: 127.0.0.1, enforce: {{driver: radius, secret: {{file: secret}}, port: {server.port}}}}}\n"
        "links: [{id: posyandu, kind: facility, limit: {down: 20M, up: 20M}, networks: [10.9.0.7/32],\n"
        "         shaper: {device: bng, user: posyandu}}]\n"
    )
    application = Application(load_settings(tmp_path / "bwmgr.yaml"), clock=ManualClock(NOW))
    for name, direction, megabits in ((DOWN, Direction.DOWN, 35), (UP, Direction.UP, 30)):
        application.state.add_recommendations([raised(name, direction, megabits * 1_000_000)])
        application.state.change_status(StatusChange(recommendation=name, at=NOW, status=Status.APPROVED, by="budi"))
    yield application
    application.close()


def raised(name: str, direction: Direction, mir_bps: int) -> Recommendation:
    return Recommendation(
        id=name, created_at=NOW, link="posyandu", direction=direction, action=Action.RAISE, policy="right_size",
        current=Bandwidth(cir_bps=0, mir_bps=20_000_000), proposed=Bandwidth(cir_bps=0, mir_bps=mir_bps),
        valid_from=NOW, valid_until=NOW + timedelta(days=1), reason=Reason(code="saturated", message="saturated"),
        evidence=Evidence(start=NOW, end=NOW, calendar="always", p95_bps=None, demand_bps=None, saturated_ratio=None,
                          coverage_ratio=1.0, samples=1),
    )  # fmt: skip


def rates(server: AccessServer) -> str:
    """Upload/download of the session, as MikroTik's attribute has them."""
    return str(server.sessions["posyandu"]["Mikrotik-Rate-Limit"]).split(" ", 1)[0]


def test_each_direction_leaves_the_other_as_it_is_now(office: Application, server: AccessServer) -> None:
    """One request sets both directions of a session: each bears what the other one has by then, also on the way back."""
    applying.apply(office, DOWN, by="sari")
    assert rates(server) == "20000000/35000000"
    applying.apply(office, UP, by="sari")
    assert rates(server) == "30000000/35000000"
    applying.rollback(office, DOWN, by="sari")
    assert rates(server) == "30000000/20000000"
    applying.rollback(office, UP, by="sari")
    assert rates(server) == "20000000/20000000"


def test_stopped_in_the_middle_the_old_rates_are_sent_again(office: Application, server: AccessServer) -> None:
    """fault 46: whether the request arrived nobody can ask, so the session is set to what was in force, and that is said."""
    record = applying.apply(office, DOWN, by="sari")
    applying.rollback(office, DOWN, by="sari")
    office.state.add_recommendations([raised("aaaaaaaaaaaa", Direction.DOWN, 35_000_000)])
    office.state.change_status(StatusChange(recommendation="aaaaaaaaaaaa", at=NOW, status=Status.APPROVED, by="budi"))
    move(office.state, replace(record, recommendation="aaaaaaaaaaaa"), Phase.SENDING)
    server.sessions["posyandu"] = {}
    (said,) = applying.recover(office)
    assert "the settings from before are in force" in said
    assert rates(server) == "20000000/20000000"


def test_a_refused_request_leaves_the_old_rates_and_says_so(office: Application, server: AccessServer) -> None:
    server.sessions.clear()
    with pytest.raises(DeviceProtocolError, match="no such session"):
        applying.apply(office, DOWN, by="sari")
    record = read_record(office.state, DOWN)
    assert record is not None
    found = office.state.recommendation(DOWN)
    assert found is not None
    assert found.status is Status.APPROVED
