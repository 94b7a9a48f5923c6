"""What the daemon's parts refuse, as an operator reads it in Indonesian."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bwmgr.daemon.apply_refusals import drifted, require_approved
from bwmgr.daemon.rollout_sheet import read_sheet
from bwmgr.daemon.unread import why_unread
from bwmgr.daemon.what_if import share_out
from bwmgr.errors import ConfigurationError, UsageError
from bwmgr.language import Words
from bwmgr.model.bandwidth import Bandwidth
from bwmgr.model.decision import Action, Evidence, Reason, Recommendation, Status
from bwmgr.model.inventory import Direction

INDONESIAN = Words("id")
NOW = datetime(2026, 2, 2, 3, 0, tzinfo=UTC)
APPROVED = Recommendation(
    id="0123456789ab", created_at=NOW, link="dinkes", direction=Direction.DOWN, action=Action.RAISE, policy="right_size",
    current=Bandwidth(cir_bps=0, mir_bps=20_000_000), proposed=Bandwidth(cir_bps=0, mir_bps=35_000_000),
    valid_from=NOW, valid_until=NOW + timedelta(days=7), reason=Reason(code="no_data", message="", values={}),
    evidence=Evidence(start=NOW, end=NOW, calendar="always", p95_bps=0.0, demand_bps=0.0, saturated_ratio=0.0, coverage_ratio=1.0,
                      samples=0),
    author="sari", status=Status.APPROVED,
)  # fmt: skip


@pytest.mark.parametrize(
    ("recommendation", "at", "english", "indonesian"),
    [
        (replace(APPROVED, status=Status.REJECTED), NOW, "is rejected", "berstatus ditolak"),
        (APPROVED, NOW + timedelta(days=8), "valid until 2026-02-09T03:00Z", "berlaku hingga 9 Februari 2026 10.00 WIB"),
        (APPROVED, NOW - timedelta(days=1), "from 2026-02-02T03:00Z on", "mulai 2 Februari 2026 10.00 WIB"),
    ],
)
def test_why_a_change_is_not_sent(recommendation: Recommendation, at: datetime, english: str, indonesian: str) -> None:
    """Status and instants are in the reader's words and zone; a program's text keeps UTC."""
    with pytest.raises(UsageError) as refused:
        require_approved(recommendation, at)
    assert english in str(refused.value)
    assert indonesian in INDONESIAN.error(refused.value)


def test_a_queue_that_somebody_took_away() -> None:
    """The device's name stays in front, and nothing is no queue in either language."""
    found = drifted("gw", "dinkes", {"rate": "20M"}, {})
    assert "is (no queue) now" in str(found)
    assert INDONESIAN.error(found).startswith("gw: dinkes ditinggalkan sebagai rate=20M dan sekarang (tidak ada antrean)")


def test_each_wrong_cell_of_a_list_is_said_with_its_key(tmp_path: Path) -> None:
    path = tmp_path / "points.csv"
    path.write_text("id,status,lat\n-a,ready,95\n")
    (row,) = read_sheet(path)
    assert [INDONESIAN.said(mistake) for mistake in row.mistakes] == [
        "link: '-a' bukan id; tulis huruf, angka, . _ -, diawali huruf atau angka",
        "status: 'ready' tidak dikenal; tulis salah satu dari planned, installed, trial, active",
        "lat: 95.0 di luar rentang 90 derajat",
    ]


def test_every_mistake_of_a_tree_is_said_with_its_line() -> None:
    with pytest.raises(ConfigurationError) as refused:
        share_out("links:\n  - {id: a, parent: kab, mir_bps: fast}\n", "tree.yaml")
    assert INDONESIAN.error(refused.value).splitlines() == [
        "tree.yaml:2: a.mir_bps: bukan laju: 'fast'; tulis bit/s dengan awalan SI, misalnya 512k, 10M, atau 1.5G",
        "tree.yaml:2: a.parent: tidak ada simpul 'kab'; sebut salah satu simpul, atau kosongkan untuk akar",
    ]


def test_a_file_that_is_no_text() -> None:
    """No codec's name and no offset: what would be right."""
    assert str(why_unread(UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"))).startswith("not UTF-8 text")
    assert str(why_unread(FileNotFoundError(2, "No such file or directory"))) == "No such file or directory"
