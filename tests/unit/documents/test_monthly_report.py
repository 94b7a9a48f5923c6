"""`report monthly`: closed once and kept, one page an agency, and no figure from too little data."""

from __future__ import annotations

import io
import json
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pypdfium2
import pytest
from click.testing import CliRunner, Result

from bwmgr.cli import bwmgr
from bwmgr.cli.session import Session
from bwmgr.daemon.application import Application
from bwmgr.daemon.monthly import bounds, kept_month, kept_revision
from bwmgr.daemon.monthly_due import previous_month
from bwmgr.daemon.monthly_files import file_name, paper_of
from bwmgr.daemon.policy_registry import load_settings
from bwmgr.errors import UsageError
from bwmgr.language import Words
from bwmgr.measure.calendars import instant_ms
from bwmgr.measure.columns import RATE, RateBatch, Rows
from bwmgr.model.samples import GapReason
from bwmgr.reports.monthly import office_pdf
from bwmgr.stores import LINK_RATE, UPLINK_RATE
from bwmgr.testing.clock import ManualClock

pytest.importorskip("weasyprint", reason="the packages for PDF documents are not installed", exc_type=OSError)

START, END = bounds("2026-01", "Asia/Jakarta")
NAME = "Dinas Pemberdayaan Masyarakat, Desa, Perempuan, dan Perlindungan Anak Kabupaten Kotawaringin Timur"
CONFIGURATION = """\
organisation: {name: Diskominfo Kotawaringin Timur, timezone: Asia/Jakarta, language: id, currency: IDR}
calendars: {office: {mon-fri: "07:30-16:00"}}
store: {kind: embedded, path: var}
snmp: {interval: 300s}
credentials: {default: {version: 2c, community: {env: SNMP_COMMUNITY}}}
providers:
  - {id: isp, name: PT Penyedia, contracts: [{id: isp-2026, down: 100M, up: 100M, price: 160000000, per: month,
      sla: {availability: 99.5}}]}
devices:
  - {id: core, address: 127.0.0.1}
  - {id: rtr-dinkes, address: 127.0.0.2}
  - {id: rtr-dpmd, address: 127.0.0.3}
nodes:
  - {id: kab, name: Kotawaringin Timur, capacity: {down: 100M, up: 100M},
     uplinks: [{interface: {device: core, if_name: ether1, faces: provider}, contract: isp-2026}]}
links:
  - {id: dinkes, name: Dinas Kesehatan, kind: opd, parent: kab, calendar: office, limit: {down: 20M, up: 20M},
     cir: {down: 5M, up: 5M}, interface: {device: rtr-dinkes, if_name: ether1, faces: subscriber}}
  - {id: dpmd, name: "NAME", kind: opd, parent: kab, calendar: office, limit: {down: 20M, up: 20M},
     interface: {device: rtr-dpmd, if_name: ether1, faces: subscriber}}
  - {id: puskesmas, name: Puskesmas Baamang, kind: facility, opd: dinkes, parent: kab, limit: {down: 10M, up: 10M},
     interface: {device: rtr-dinkes, if_name: ether2, faces: subscriber}}
policies: [{policy: quota, quota_gigabytes: 1000}]
""".replace("NAME", NAME)


def history(rate_mbps: float, *, until: datetime = END, office_mbps: float | None = None) -> Rows:
    """Five minutes a row; more in the hours from 7:30 to 16:00 of Jakarta where `office_mbps` says so."""
    count = int((until - START).total_seconds() // 300)
    made = np.zeros(count, RATE)
    made["end_ms"] = instant_ms(START) + 300_000 * np.arange(1, count + 1)
    made["interval_ticks"] = 30_000
    of_day = (made["end_ms"] // 1000 + 7 * 3600) % 86400
    working = (of_day > 7.5 * 3600) & (of_day <= 16 * 3600)
    made["down_bps"] = np.where(working, office_mbps or rate_mbps, rate_mbps) * 1e6
    made["up_bps"] = made["down_bps"] / 4
    made["down_limit_bps"] = made["up_limit_bps"] = 20e6
    return made


class Office:
    """The configuration, its clock, and commands as they are typed."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / "bwmgr.yaml"
        self.clock = ManualClock(END + timedelta(days=2))
        self.path.write_text(CONFIGURATION, encoding="utf-8")

    def says(self, *words: str) -> Result:
        return CliRunner().invoke(bwmgr, ["-c", str(self.path), "report", "monthly", *words], obj=Session(clock=self.clock))

    def writes(self, folder: str, *words: str) -> dict[str, bytes]:
        folder = str(self.folder / folder)
        result = self.says("-o", folder, *words)
        assert result.exception is None, result.output
        root = Path(folder)
        return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*.*"))}

    def application(self) -> AbstractContextManager[Application]:
        return closing(Application(load_settings(self.path), clock=self.clock))

    def write(self, series: str, made: Rows) -> None:
        with self.application() as application:
            application.store.write(LINK_RATE, RateBatch(series=(series,), rows=made))


def begun(folder: Path) -> Office:
    """January: an agency that is full, one whose router was asked for half of the month only, a facility, an uplink."""
    made = Office(folder)
    full = history(2.0, office_mbps=19.5)
    full["reason"][3000:3012] = GapReason.TIMEOUT
    full["down_bps"][3000:3012] = full["up_bps"][3000:3012] = np.nan
    with made.application() as application:
        for series, rows in (
            ("dinkes", full),
            ("dpmd", history(3.0, until=START + timedelta(days=15))),
            ("puskesmas", history(1.0)),
        ):
            application.store.write(LINK_RATE, RateBatch(series=(series,), rows=rows))
        application.store.write(UPLINK_RATE, RateBatch(series=("isp-2026",), rows=history(6.0, office_mbps=24.0)))
    return made


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SNMP_COMMUNITY", "publik-sekali")


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    """A month of one's own, to be changed."""
    monkeypatch.chdir(tmp_path)
    return begun(tmp_path)


@dataclass(frozen=True)
class Closed:
    """An office whose January was closed, and the files."""

    office: Office
    files: dict[str, bytes]


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Closed:
    """Closed once, for all who only read."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SNMP_COMMUNITY", "publik-sekali")
        made = begun(tmp_path_factory.mktemp("office"))
        return Closed(made, made.writes("out", "--by", "sari"))


def pages(pdf: bytes) -> list[str]:
    return [" ".join(page.get_textpage().get_text_range().split()) for page in pypdfium2.PdfDocument(pdf)]


def cells(workbook: bytes, sheet: int) -> list[dict[str, Any]]:
    found = openpyxl.load_workbook(io.BytesIO(workbook)).worksheets[sheet]
    heads = [cell.value for cell in found[1]]
    return [dict(zip(heads, row, strict=True)) for row in found.iter_rows(min_row=2, values_only=True) if row[1] is not None]


def test_a_closed_month_stays_as_it_was(office: Office) -> None:
    """The second run writes the same bytes, though rows arrived since and prices and names were changed."""
    first = office.writes("one")
    office.write("dpmd", history(9.0))
    office.clock.advance(40 * 86400)
    office.path.write_text(CONFIGURATION.replace("160000000", "1").replace("Dinas Kesehatan", "Dinas Lain"), encoding="utf-8")
    assert office.writes("two", "--month", "2026-01") == first
    assert set(first) == {"laporan.pdf", "laporan.xlsx", "opd/dinkes.pdf", "opd/dpmd.pdf"}


def test_each_agency_gets_one_page(closed: Closed) -> None:
    """Allocation, use in working hours and around the clock, busy hour, quota, outage, facility, its part of the price."""
    written = closed.files
    (page,) = pages(written["opd/dinkes.pdf"])
    for words in (
        "Dinas Kesehatan",
        "Januari 2026",
        "20 Mbps",
        "19,5 Mbps",
        "jam kerja",
        "sepanjang waktu",
        "Kuota: 3,42 TB dari 1 TB (342 %)",
        "1 gangguan, 1 jam",
        "99,87 %",
        "Puskesmas Baamang",
        "Rp",
    ):
        assert words in page, words


def test_too_little_data_are_said_and_not_printed_as_figures(closed: Closed) -> None:
    """Half a month of an agency: completeness instead of a percentile, the volume as a lower bound, empty cells."""
    written = closed.files
    (page,) = pages(written["opd/dpmd.pdf"])
    assert "data tidak cukup (kelengkapan 48,4 %)" in page
    assert NAME in page
    assert "sedikitnya" in page
    text = " ".join(pages(written["laporan.pdf"]))
    assert "data tidak cukup (kelengkapan 48,4 %)" in text
    full, half, _ = cells(written["laporan.xlsx"], 0)
    assert full["P95, jam kerja, unduh (Mbps)"] == pytest.approx(19.5)
    assert (half["P95, jam kerja, unduh (Mbps)"], half["Kelengkapan, unduh"]) == (None, pytest.approx(15 / 31))


def test_the_months_price_is_shared_out_to_the_rupiah(closed: Closed) -> None:
    """Used and idle add up to the month's price, and the links' parts to what was used."""
    written = closed.files
    (root,) = cells(written["laporan.xlsx"], 1)
    with closed.office.application() as application:
        month = kept_month(application.state, "2026-01")
    assert month is not None
    (kept,) = month.roots
    assert kept.price == root["Biaya bulan ini"] == 160_000_000
    assert kept.used_price is not None
    assert kept.idle_price is not None
    assert kept.used_price + kept.idle_price == kept.price
    assert sum(link.used_price or 0 for link in month.links) == kept.used_price


def test_a_month_is_reopened_aloud(office: Office) -> None:
    """Only for a reason; the report names revision, person and reason; what it was before is kept."""
    assert isinstance(office.says("--reopen", "--note", "x").exception, UsageError)
    office.writes("one", "--link", "dpmd")
    office.write("dpmd", history(9.0))
    assert "for a reason" in str(office.says("--month", "2026-01", "--reopen").exception)
    again = office.writes("two", "--link", "dpmd", "--reopen", "--note", "Data dpmd menyusul", "--by", "sari")
    text = " ".join(pages(again["dpmd.pdf"]))
    assert "Revisi 2" in text
    assert "oleh sari. Alasan: Data dpmd menyusul" in text
    with office.application() as application:
        before, after = (kept_revision(application.state, "2026-01", number) for number in (1, 2))
        assert before is not None
        assert after is not None
        assert [before.links[1].always[way].samples for way in before.total] != [
            after.links[1].always[way].samples for way in after.total
        ]


def test_a_month_that_runs_is_preliminary_and_not_kept(office: Office) -> None:
    """Until an hour after its end nothing is closed."""
    office.clock = ManualClock(START + timedelta(days=10))
    written = office.writes("out", "--month", "2026-01", "--link", "dinkes")
    assert "SEMENTARA" in " ".join(pages(written["dinkes.pdf"]))
    with office.application() as application:
        assert kept_month(application.state, "2026-01") is None


def test_one_links_page_alone(closed: Closed) -> None:
    """`--link` writes just that page, of any kind of link; an unknown one is named."""
    office = closed.office
    assert list(office.writes("alone", "--link", "puskesmas")) == ["puskesmas.pdf"]
    assert "no link nobody" in str(office.says("--link", "nobody").exception)
    assert isinstance(office.says("--link", "dinkes", "--all").exception, UsageError)


def test_closing_stands_in_the_journal(closed: Closed) -> None:
    """Who closed which month, with the hash of its figures."""
    office = closed.office
    result = CliRunner().invoke(
        bwmgr, ["-c", str(office.path), "audit", "list", "--format", "json"], obj=Session(clock=office.clock)
    )
    entries = json.loads(result.stdout)
    (closed,) = [entry for entry in entries if entry["action"] == "month.closed"]
    assert (closed["subject"], closed["actor"]["name"], len(closed["details"]["figures_sha256"])) == ("2026-01", "sari", 64)


@pytest.mark.parametrize("name", ["2026", "2026-13", "januari", "0000-01"])
def test_what_is_no_month_is_refused(closed: Closed, name: str) -> None:
    """A month is written as 2026-01; one to come has no report."""
    assert "not a month" in str(closed.office.says("--month", name).exception)
    assert "has not begun" in str(closed.office.says("--month", "2031-01").exception)


def test_the_month_before_is_the_offices() -> None:
    """At 20:00 UTC on the last of January it is February in Jakarta, so January is the month before."""
    assert previous_month(datetime(2026, 1, 31, 20, tzinfo=UTC), "Asia/Jakarta") == "2026-01"
    assert previous_month(datetime(2026, 1, 31, 10, tzinfo=UTC), "Asia/Jakarta") == "2025-12"


@pytest.mark.parametrize(("link", "name"), [("dinkes", "dinkes"), ("../x", "_x"), (".env", "env"), ("a/b", "a_b")])
def test_no_id_leaves_the_folder(link: str, name: str) -> None:
    """An id becomes a plain file name."""
    assert file_name(link) == name


def test_no_secret_is_on_paper(closed: Closed) -> None:
    """The community of the routers is in no page and in no cell (fault 53)."""
    for name, content in closed.files.items():
        if name.endswith(".pdf"):
            assert "publik-sekali" not in " ".join(pages(content))
        else:
            book = openpyxl.load_workbook(io.BytesIO(content))
            assert not any("publik" in str(cell.value) for sheet in book for row in sheet.iter_rows() for cell in row)


def test_a_month_is_the_offices_local_one() -> None:
    """January of Jayapura begins on 31 December at 15:00 UTC (fault 58)."""
    start, end = bounds("2026-01", "Asia/Jayapura")
    assert (start, end) == (datetime(2025, 12, 31, 15, tzinfo=UTC), datetime(2026, 1, 31, 15, tzinfo=UTC))


def test_thousands_of_points_are_listed_in_the_workbook(closed: Closed, monkeypatch: pytest.MonkeyPatch) -> None:
    """The office's PDF stays one that can be leafed through, agencies first, and says how many it lists."""
    monkeypatch.setattr("bwmgr.reports.monthly.MOST_LISTED", 2)
    with closed.office.application() as application:
        month = kept_month(application.state, "2026-01")
        assert month is not None
        text = " ".join(pages(office_pdf(month, paper_of(application.settings, Words("id")), Words("id"))))
    assert "Ini 2 dari 3 titik" in text
    assert "Puskesmas Baamang" not in text
