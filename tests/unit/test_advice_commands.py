"""`recommend` and `recommendations` as an operator types them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bwmgr.cli import bwmgr
from bwmgr.errors import UsageError
from bwmgr.model.bandwidth import Bandwidth
from bwmgr.model.decision import Action, Evidence, Reason, Recommendation
from bwmgr.model.inventory import Direction
from bwmgr.stores.state import StateStore

NOW = datetime(2026, 2, 2, 3, 0, tzinfo=UTC)
CONFIGURATION = """\
organisation: {name: Diskominfo, timezone: Asia/Jakarta, language: id}
store: {kind: embedded, path: var}
devices: []
nodes:
  - {id: kab, capacity: {down: 100M, up: 100M}}
links:
  - {id: dinkes, name: Dinas Kesehatan, kind: opd, parent: kab, networks: [10.20.1.0/24], limit: {down: 20M, up: 20M},
     cir: {down: 5M, up: 5M}, mir: {down: 50M, up: 50M}}
"""


FAR = datetime(2100, 1, 1, tzinfo=UTC)


@pytest.fixture
def configured(tmp_path: Path) -> Path:
    """An office with one recommendation in its queue, made by `sari`."""
    return office(tmp_path, valid_until=FAR)


def office(tmp_path: Path, *, valid_until: datetime) -> Path:
    (tmp_path / "bwmgr.yaml").write_text(CONFIGURATION)
    state = StateStore(tmp_path / "var" / "state.sqlite")
    recommendation = Recommendation(
        id="0123456789ab", created_at=NOW, link="dinkes", direction=Direction.DOWN, action=Action.RAISE, policy="right_size",
        current=Bandwidth(cir_bps=5_000_000, mir_bps=20_000_000), proposed=Bandwidth(cir_bps=5_000_000, mir_bps=35_000_000),
        valid_from=NOW, valid_until=valid_until,
        reason=Reason(code="no_data", message="{link_name} has no {direction} measurements: nothing is changed.",
                      values={"link_name": "Dinas Kesehatan", "direction": "down"}),
        evidence=Evidence(start=NOW, end=NOW, calendar="always", p95_bps=19e6, demand_bps=34e6, saturated_ratio=0.41,
                          coverage_ratio=1.0, samples=4210),
        author="sari",
    )  # fmt: skip
    state.add_recommendations([recommendation])
    state.close()
    return tmp_path / "bwmgr.yaml"


def said(configured: Path, *words: str) -> Result:
    return CliRunner().invoke(bwmgr, ["-c", str(configured), *words])


def test_a_link_without_data_is_a_hold(configured: Path) -> None:
    """`recommend` prints a list; nothing measured gives holds, in the organisation's language, and stores nothing (fault 61)."""
    done = said(configured, "recommend", "--format", "json")
    assert done.exit_code == 0, done.output
    entries = json.loads(done.stdout)
    assert [(entry["direction"], entry["action"], entry["reason"]["code"]) for entry in entries] == [
        ("down", "hold", "no_data"),
        ("up", "hold", "no_data"),
    ]
    assert "tidak punya data ukur unduh" in entries[0]["reason"]["text"]


def test_the_queue_is_listed_and_shown(configured: Path) -> None:
    """By status, and one with its evidence and history."""
    assert [entry["id"] for entry in json.loads(said(configured, "recommendations", "list", "--format", "json").stdout)] == [
        "0123456789ab"
    ]
    assert json.loads(said(configured, "recommendations", "list", "--status", "approved", "--format", "json").stdout) == []
    shown = said(configured, "--lang", "en", "recommendations", "show", "012345")
    assert "20 Mbps -> 35 Mbps" in shown.stdout


def test_the_queue_of_a_link_that_is_not_there(configured: Path) -> None:
    """A slip in --link is a mistake that names the nearest, not an empty queue; a node is none."""
    wrong = said(configured, "recommendations", "list", "--link", "dinkse")
    assert isinstance(wrong.exception, UsageError)
    assert "did you mean 'dinkes'?" in str(wrong.exception)
    assert json.loads(said(configured, "recommendations", "list", "--link", "kab", "--format", "json").stdout) == []


def test_a_second_person_approves(configured: Path) -> None:
    """The author is refused; another's name and note are in the history."""
    refused = said(configured, "recommendations", "approve", "012345", "--by", "sari")
    assert isinstance(refused.exception, UsageError)
    approved = said(configured, "recommendations", "approve", "012345", "--by", "budi", "--note", "setuju", "--format", "json")
    assert json.loads(approved.stdout)["status"] == "approved"
    history = json.loads(said(configured, "recommendations", "show", "012345", "--format", "json").stdout)["history"]
    assert [(entry["status"], entry["by"], entry["note"]) for entry in history] == [("approved", "budi", "setuju")]


def test_an_approval_that_comes_too_late_is_refused(tmp_path: Path) -> None:
    """What was right in February need not be right now: the answer says until when it was, and what to do."""
    late = said(office(tmp_path, valid_until=NOW + timedelta(days=7)), "recommendations", "approve", "012345", "--by", "budi")
    assert isinstance(late.exception, UsageError)
    assert "valid until 2026-02-09T03:00Z" in str(late.exception)


def test_rejected(configured: Path) -> None:
    """A rejection is a decision too, and it is final."""
    assert "ditolak" in said(configured, "recommendations", "reject", "012345", "--by", "budi").stdout
    assert isinstance(said(configured, "recommendations", "approve", "012345", "--by", "budi").exception, UsageError)
