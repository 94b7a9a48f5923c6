"""Kotawaringin Timur: ten days of trial before the contract's start on 1 February, its berita acara, and February's report."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pypdfium2
import pytest

from bwmgr.config import load
from bwmgr.daemon.policy_registry import parameter_classes
from bwmgr.model.inventory import LinkKind
from bwmgr.testing.traffic import Condition
from tests.system.scenarios import Office, golden, office

pytest.importorskip("weasyprint", reason="the packages for PDF documents are not installed", exc_type=OSError)
pytestmark = [pytest.mark.system, pytest.mark.slow]

START = datetime(2022, 1, 20, 17, tzinfo=UTC)
MARCH = datetime(2022, 2, 28, 17, tzinfo=UTC)
HELD, IDLE = "dinas-perikanan", "dinas-pendidikan"


@pytest.fixture(scope="module")
def sampit(tmp_path_factory: pytest.TempPathFactory) -> Office:
    """All agencies reach their limits, but for one that is held at half of it and one that uses little."""
    made = office("kotawaringin-timur", tmp_path_factory.mktemp("sampit"), MARCH + timedelta(days=2))
    agencies = [name for name in agencies_of(made) if name != IDLE]
    made.write(
        START,
        MARCH,
        conditions=dict.fromkeys(agencies, Condition.SATURATED),
        limits={HELD: 5_000_000},
        interval_seconds=1800,
    )
    return made


def agencies_of(sampit: Office) -> list[str]:
    inventory = load(sampit.path, policies=parameter_classes()).inventory
    return [link.id for link in inventory.links.values() if link.kind is LinkKind.OPD and link.interface is not None]


def test_the_berita_acara_of_the_trial(sampit: Office) -> None:
    """32 agencies for ten days: who was never asked for says so, nobody fails by low use, and the paper says it in Indonesian."""
    days = ("--days", "10", "--start", START.isoformat(), "--by", "diskominfo", "--id", "uji-2022")
    sampit.asked("trial", "start", *agencies_of(sampit), *days, "--title", "Uji coba kapasitas 32 perangkat daerah")
    result = json.loads(sampit.asked("trial", "status", "uji-2022", "--format", "json").stdout)
    figures = {(one["line"], one["direction"]): one for one in result["figures"]}
    assert len(figures) == 64
    assert figures[HELD, "down"]["asked_seconds"] == figures[IDLE, "down"]["asked_seconds"] == 0.0
    assert result["verdict"] == "unknown"
    golden(sampit.asked("trial", "status", "uji-2022").stdout, "kotawaringin-timur/trial.txt")
    path = sampit.path.parent / "berita-acara.pdf"
    sampit.asked("trial", "report", "uji-2022", "-o", str(path))
    document = pypdfium2.PdfDocument(path)
    pages = [" ".join(page.get_textpage().get_text_range().split()) for page in document]
    assert "BERITA ACARA UJI COBA" in pages[0]
    assert "data tidak cukup (kelengkapan" in pages[0]
    assert "tidak memenuhi (" not in pages[0]
    assert "Dinas Perikanan" in " ".join(pages)


def test_februarys_report(sampit: Office) -> None:
    """The health office's page, word by word."""
    folder = sampit.path.parent / "februari"
    sampit.asked("report", "monthly", "--month", "2022-02", "--link", "dinas-kesehatan", "-o", str(folder), "--by", "diskominfo")
    (page,) = pypdfium2.PdfDocument(folder / "dinas-kesehatan.pdf")
    golden(page.get_textpage().get_text_range(), "kotawaringin-timur/monthly-opd.txt")
