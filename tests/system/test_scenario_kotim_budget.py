"""Kotawaringin Timur: the needs analysis for next year's budget, the open data of a month, and the auditor's evidence pack."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import openpyxl
import pypdf
import pyshacl
import pytest

from bwmgr.testing.traffic import Condition
from tests.system.scenarios import Office, golden, office

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning:rdflib")]

START = datetime(2022, 1, 30, 17, tzinfo=UTC)
END = START + timedelta(weeks=5)
REQUESTS = """link,down,up
sekretariat-daerah,50M,50M
dinas-kesehatan,20M,10M
dinas-pendidikan,10M,10M
badan-pendapatan-daerah,100M,20M
dinas-perikanan,12M,12M
gedung-wanita,30M,
"""
CASES = Path(__file__).parents[1] / "cases" / "opendata"


@pytest.fixture(scope="module")
def sampit(tmp_path_factory: pytest.TempPathFactory) -> Office:
    """Five weeks from the contract's start on, in which the health office wanted more than it might have."""
    folder = tmp_path_factory.mktemp("sampit")
    made = office("kotawaringin-timur", folder, END)
    made.asked("audit", "key", str(folder / "kunci.pem"))
    made.path.write_text(made.path.read_text() + "journal: {key: {file: kunci.pem}}\n")
    made.write(START, END, conditions={"dinas-kesehatan": Condition.SATURATED}, interval_seconds=1800)
    (folder / "usulan.csv").write_text(REQUESTS)
    return made


def test_the_needs_analysis_for_the_budget(sampit: Office) -> None:
    """Requests beside needs, labelled by how they are known; scenarios with rupiah; the same in the table, workbook and PDF."""
    folder = sampit.path.parent
    papers = ("--xlsx", str(folder / "n.xlsx"), "--pdf", str(folder / "n.pdf"))
    done = sampit.asked("needs", str(folder / "usulan.csv"), *papers)
    golden(done.stdout, "kotawaringin-timur/needs.txt")
    found = json.loads(sampit.asked("needs", str(folder / "usulan.csv"), "--format", "json").stdout)
    (root,) = found["roots"]
    scenarios = {one["scenario"]: one for one in root["scenarios"]}
    assert scenarios["less"]["down_bps"] == pytest.approx(0.9 * scenarios["base"]["down_bps"], abs=1)
    assert scenarios["base"]["price_per_year"] == round(scenarios["base"]["mbps"] * 1_920_000_000 / 500)
    asked = {(one["link"], one["direction"]): one for one in root["links"]}
    assert asked["dinas-kesehatan", "down"]["kind"] == "at least"
    assert asked["badan-pendapatan-daerah", "down"]["verdict"] == "above"
    assert asked["gedung-wanita", "up"]["verdict"] == "not asked"
    text = "".join(page.extract_text() for page in pypdf.PdfReader(folder / "n.pdf").pages)
    for word in ("Analisis kebutuhan untuk anggaran internet", "sekurang-kurangnya", "Rp", "Badan Pendapatan Daerah"):
        assert word in text
    sheet = openpyxl.load_workbook(io.BytesIO((folder / "n.xlsx").read_bytes())).worksheets[0]
    assert sheet.max_row >= 2 * 36 + 1


def test_too_little_data_is_said(sampit: Office) -> None:
    """After six weeks without a reading: `data tidak cukup` in place of every figure, and exit code 3."""
    path = str(sampit.path.parent / "usulan.csv")
    late = sampit.at(END + timedelta(weeks=6))
    done = late.asked("needs", path)
    assert done.exit_code == 3
    assert "data tidak cukup" in done.stdout
    assert "Rp" not in done.stdout


def test_the_auditor_recomputes_the_period_without_bwmgr(sampit: Office, tmp_path: Path) -> None:
    """A signed pack of a week: built twice the same, verified by a Python of its own in isolation; a changed row is found."""
    window = ("--start", "2022-02-07", "--end", "2022-02-14")
    pack = tmp_path / "bukti.zip"
    sampit.asked("evidence", "build", *window, "--out", str(pack))
    first = pack.read_bytes()
    sampit.asked("evidence", "build", *window, "--out", str(pack))
    assert pack.read_bytes() == first
    public = str(sampit.path.parent / "kunci.pem.pub")
    found = json.loads(sampit.asked("evidence", "verify", str(pack), "--key", public, "--format", "json").stdout)
    assert found["agrees"] is True
    assert found["samples"] == 37 * 7 * 48  # 36 links and the uplink, half-hours, [start, end)
    alone = subprocess.run(
        [sys.executable, "-I", "-S", str(pack), "--key", found["public_key"]],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert alone.returncode == 0, alone.stdout + alone.stderr
    golden("\n".join(alone.stdout.splitlines()[:2]), "kotawaringin-timur/evidence.txt")
    broken = bytearray(first)
    broken[len(broken) // 2] ^= 1
    pack.write_bytes(broken)
    assert sampit.asked("evidence", "verify", str(pack)).exit_code == 1


def test_satu_data_of_february(sampit: Office, tmp_path: Path) -> None:
    """Five datasets and a DCAT catalogue that validates; the contract as it is published: Rp1.920.000.000 a year."""
    sampit.asked("export", "satudata", str(tmp_path / "data"), "--period", "2022-02")
    golden((tmp_path / "data" / "pemakaian-bandwidth.csv").read_text(), "kotawaringin-timur/pemakaian-bandwidth.csv")
    golden((tmp_path / "data" / "kapasitas-internet.csv").read_text(), "kotawaringin-timur/kapasitas-internet.csv")
    fits, _, said = pyshacl.validate(
        str(tmp_path / "data" / "catalog.jsonld"), shacl_graph=str(CASES / "dcat-ap.ttl"), data_graph_format="json-ld"
    )
    assert fits, said
    assert json.loads((tmp_path / "data" / "titik-internet.metadata.json").read_text())["region_code"] == "62.02"
