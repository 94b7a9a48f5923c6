"""`trial` as an office uses it: begun, filled, tested, reported; its plan and its figures stay as they were."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pypdfium2
import pytest
from click.testing import CliRunner, Result

from bwmgr.cli import bwmgr
from bwmgr.cli.session import Session
from bwmgr.daemon.application import Application
from bwmgr.daemon.policy_registry import load_settings
from bwmgr.daemon.trial_tests import is_due, run_due
from bwmgr.daemon.trials import find_trial
from bwmgr.errors import UsageError
from bwmgr.measure.columns import RateBatch
from bwmgr.stores import LINK_RATE, UPLINK_RATE
from bwmgr.testing.clock import ManualClock
from tests.unit.documents.conftest import DAYS, MEGA, START, rows, silent

pytest.importorskip("weasyprint", reason="the packages for PDF documents are not installed", exc_type=OSError)

CONFIGURATION = """\
organisation: {name: Diskominfo Kabupaten Belitung, timezone: Asia/Jakarta, language: id}
calendars: {office: {mon-fri: "07:30-16:00"}}
store: {kind: embedded, path: var}
credentials: {default: {version: 2c, community: {env: SNMP_COMMUNITY}}}
documents: {place: Tanjungpandan, signers: {trial: [{party: Pihak Kesatu, title: PPK, name: Sari}, {party: Pihak Kedua}]}}
providers:
  - {id: isp, name: PT Penyedia, contracts: [{id: isp-2026, down: 500M, up: 500M, price: 160000000, per: month}]}
devices:
  - {id: core, address: 127.0.0.1}
  - {id: rtr-hotel, address: 127.0.0.2}
  - {id: rtr-dinkes, address: 127.0.0.3}
nodes:
  - {id: kab, capacity: {down: 500M, up: 500M},
     uplinks: [{interface: {device: core, if_name: ether1, faces: provider}, contract: isp-2026}]}
links:
  - {id: sheraton, name: "Hotel Sheraton (venue G20)", kind: event, parent: kab, limit: {down: 400M, up: 400M},
     interface: {device: rtr-hotel, if_name: ether1, faces: subscriber}}
  - {id: dinkes, name: Dinas Kesehatan, kind: opd, parent: kab, calendar: office, limit: {down: 20M, up: 20M},
     interface: {device: rtr-dinkes, if_name: ether1, faces: subscriber}}
"""


class Office:
    """The configuration, its clock, and commands as they are typed."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "bwmgr.yaml"
        self.folder = folder
        self.clock = ManualClock(START + timedelta(days=DAYS))
        self.configure(CONFIGURATION)

    def configure(self, text: str) -> None:
        self.path.write_text(text, encoding="utf-8")

    def says(self, *words: str) -> Result:
        return CliRunner().invoke(bwmgr, ["-c", str(self.path), *words], obj=Session(clock=self.clock))

    def document(self, *words: str) -> Any:
        result = self.says(*words, "--format", "json")
        assert result.exception is None, result.output
        return json.loads(result.stdout)

    def begin(self, *words: str) -> dict[str, Any]:
        found: dict[str, Any] = self.document("trial", "start", *words, "--start", START.isoformat(), "--by", "budi")
        return found

    def write(self, series: str, made: np.ndarray, measurement: str = LINK_RATE) -> None:
        with self.application() as application:
            application.store.write(measurement, RateBatch(series=(series,), rows=made))

    def application(self) -> Any:
        from contextlib import closing

        return closing(Application(load_settings(self.path), clock=self.clock))

    def pages(self, path: Path) -> list[str]:
        document = pypdfium2.PdfDocument(path)
        return [" ".join(page.get_textpage().get_text_range().split()) for page in document]


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    """A hotel that gets 20 of 400 Mbps when it is filled, an agency that is quiet, and an uplink that is seldom asked."""
    monkeypatch.setenv("SNMP_COMMUNITY", "publik-sekali")
    monkeypatch.chdir(tmp_path)
    made = Office(tmp_path)
    made.write("sheraton", silent(rows(lambda minute: 20.0 if minute < 120 else 3.0), 3000, 3090))
    made.write("dinkes", rows(4.0, limit_mbps=20.0))
    made.write("isp-2026", rows(150.0), UPLINK_RATE)
    return made


def test_20_of_400_mbps_is_not_met_5_percent_on_paper(office: Office) -> None:
    """The berita acara says `tidak memenuhi (5 %)`, who signs, the outage, and that nothing changed since the start."""
    office.begin("sheraton", "--id", "g20")
    said = ("--from", START.isoformat(), "--until", (START + timedelta(hours=2)).isoformat(), "--by", "budi", "--note", "unduhan")
    assert office.says("trial", "declare", "g20", *said).exception is None
    result = office.document("trial", "status", "g20")
    assert (result["verdict"], result["clauses"][0]["figure"]) == ("not_met", pytest.approx(0.05))
    assert office.says("trial", "report", "g20", "-o", "ba.pdf", "--number", "027/12/KOMINFO/2026").exception is None
    pages = office.pages(office.folder / "ba.pdf")
    text = " ".join(pages)
    for words in (
        "tidak memenuhi (5 %)",
        "027/12/KOMINFO/2026",
        "Hotel Sheraton (venue G20)",
        "Sari",
        "Pihak Kedua",
        "Tanjungpandan, 30 Januari 2026",
        "1 jam 30 menit",
        "budi: unduhan",
    ):
        assert words in text, words
    assert "memenuhi (5 %)" not in text.replace("tidak memenuhi (5 %)", "")


def test_the_plan_is_frozen_at_the_start(office: Office) -> None:
    """A limit or a threshold that is changed later changes nothing of a trial that runs."""
    office.begin("sheraton", "--id", "g20")
    office.configure(CONFIGURATION.replace("400M", "100M") + "trial: {capacity: 1%}\n")
    result = office.document("trial", "status", "g20")
    assert result["figures"][0]["promised_bps"] == 400 * MEGA
    assert result["clauses"][0]["threshold"] == 0.95


def test_a_concluded_trial_gives_the_same_bytes_whatever_arrives_later(office: Office) -> None:
    """Figures are kept at the first report after the end; declarations come too late then."""
    office.begin("sheraton", "--id", "g20")
    for name in ("one.pdf", "two.pdf"):
        assert office.says("trial", "report", "-o", name).exception is None
        office.write("sheraton", rows(399.0))
        office.clock.advance(86400)
    assert (office.folder / "one.pdf").read_bytes() == (office.folder / "two.pdf").read_bytes()
    late = office.says(
        "trial", "declare", "g20", "--from", START.isoformat(), "--until", (START + timedelta(hours=2)).isoformat()
    )
    assert "concluded" in str(late.exception)


def test_low_use_is_not_enough_data_on_paper(office: Office) -> None:
    """An agency that used little: nothing fails, the record says that there are not enough data."""
    office.begin("dinkes", "--id", "dinkes")
    assert office.document("trial", "status", "dinkes")["verdict"] == "unknown"
    office.says("trial", "report", "dinkes", "-o", "ba.pdf")
    text = " ".join(office.pages(office.folder / "ba.pdf"))
    assert "data tidak cukup (kelengkapan 0 %)" in text
    assert "tidak memenuhi (" not in text


def test_a_providers_lines_are_held_against_their_contracts(office: Office) -> None:
    """`--provider` takes each uplink with what its contract promises."""
    begun = office.begin("--provider", "isp", "--id", "isp")
    assert begun["lines"] == ["isp-2026"]
    figures = office.document("trial", "status", "isp")["figures"]
    assert [one["promised_bps"] for one in figures] == [500 * MEGA] * 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nobody"], "no link 'nobody'"),
        ([], "say which links"),
        (["sheraton", "--provider", "isp"], "say which links"),
        (["--provider", "nobody"], "no provider 'nobody'"),
        (["sheraton", "--down", "fast"], "not a rate"),
        (["sheraton", "--id", "a/b"], "not an id"),
    ],
)
def test_a_trial_that_cannot_begin_says_why(office: Office, words: list[str], said: str) -> None:
    """An unknown link or provider, a rate that is none."""
    assert said in str(office.says("trial", "start", *words).exception)


def test_a_trial_is_stopped_once_and_ids_are_taken_once(office: Office) -> None:
    """What runs can be ended; a second trial needs another id."""
    office.clock = ManualClock(START + timedelta(days=2))
    office.begin("sheraton", "--id", "g20")
    assert "already" in str(office.says("trial", "start", "dinkes", "--id", "g20").exception)
    assert office.says("trial", "stop", "g20").exception is None
    assert "does not run" in str(office.says("trial", "stop", "g20").exception)
    (listed,) = office.document("trial", "status")
    assert listed["end"] == "2026-01-21T17:00:00Z"


@pytest.fixture
def iperf3() -> Iterator[int]:
    """A real iperf3 server on loopback; its port."""
    if shutil.which("iperf3") is None:
        pytest.skip("iperf3 is not installed")
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    server = subprocess.Popen(
        ["iperf3", "--server", "--bind", "127.0.0.1", "--port", str(port), "--forceflush"], stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    for line in server.stdout:
        if "Server listening" in line:
            break
    yield port
    server.terminate()
    server.wait()


@pytest.mark.system
def test_a_real_iperf3_fills_the_line_within_its_bounds(office: Office, iperf3: int) -> None:
    """Both directions, one second each, no faster than the promise; what arrived is evidence."""
    office.configure(CONFIGURATION + f"trial: {{tests: 1, active: {{server: 127.0.0.1, port: {iperf3}, seconds: 1}}}}\n")
    office.clock = ManualClock(START + timedelta(hours=1))
    office.begin("dinkes", "--id", "dinkes", "--down", "40M", "--up", "40M")
    done = office.document("trial", "test", "dinkes")
    assert [one["direction"] for one in done] == ["down", "up"]
    for one in done:
        assert one["problem"] == ""
        assert 0.8 * 40 * MEGA < one["rate_bps"] < 1.3 * 40 * MEGA
    office.clock.advance(600)
    figures = office.document("trial", "status", "dinkes")["figures"]
    assert figures[0]["capacity_bps"] == done[0]["rate_bps"]
    assert figures[0]["asked_seconds"] == pytest.approx(1.0)


def test_no_test_in_office_hours_unless_told(office: Office) -> None:
    """Ten in the morning on a Tuesday is an agency's time."""
    office.configure(CONFIGURATION + "trial: {active: {server: 127.0.0.1, port: 9, seconds: 1, at: ['10:00']}}\n")
    office.clock = ManualClock(START + timedelta(hours=10))
    office.begin("dinkes", "--id", "dinkes")
    assert "an office of this trial works now" in str(office.says("trial", "test").exception)
    with office.application() as application:
        assert is_due(find_trial(application.state, None), application.settings.active, office.clock.now(), "Asia/Jakarta")
        assert run_due(application) == {"tests": 0.0, "failed": 0.0}


def test_a_server_that_does_not_answer_is_no_evidence(office: Office) -> None:
    """The problem is kept with the trial, exit code 3, and the line is not blamed."""
    if shutil.which("iperf3") is None:
        pytest.skip("iperf3 is not installed")
    office.configure(CONFIGURATION + "trial: {tests: 1, active: {server: 127.0.0.1, port: 9, seconds: 1, at: ['02:00']}}\n")
    office.clock = ManualClock(START + timedelta(hours=2))
    office.begin("dinkes", "--id", "dinkes")
    result = office.says("trial", "test")
    assert isinstance(result.exception, SystemExit)
    assert result.exception.code == 3
    with office.application() as application:
        trial = find_trial(application.state, None)
        assert [bool(test.problem) for test in trial.tests] == [True, True]
        assert run_due(application) == {"tests": 0.0, "failed": 0.0}, "tested at this hour already"
    office.clock.advance(60)
    assert office.document("trial", "status", "dinkes")["figures"][0]["asked_seconds"] == 0.0


def test_a_test_needs_a_server_and_a_running_trial(office: Office) -> None:
    """Nothing is filled that nobody named; nothing after the end."""
    office.begin("dinkes", "--id", "dinkes")
    assert "name one in the configuration" in str(office.says("trial", "test").exception)
    office.configure(CONFIGURATION + "trial: {active: {server: 127.0.0.1, seconds: 1}}\n")
    assert isinstance(office.says("trial", "test").exception, UsageError)


def test_each_time_of_day_is_taken_once(office: Office) -> None:
    """A quarter of an hour late is still that time; later it is left out."""
    office.configure(CONFIGURATION + "trial: {active: {server: 127.0.0.1, at: ['02:00']}}\n")
    office.begin("dinkes", "--id", "dinkes")
    active, trial = load_settings(office.path).active, None
    with office.application() as application:
        trial = find_trial(application.state, None)

    def due(hours: float) -> bool:
        at: datetime = START + timedelta(hours=hours)
        return is_due(trial, active, at, "Asia/Jakarta")

    assert [due(hours) for hours in (1.9, 2.0, 2.2, 2.3)] == [False, True, True, False]
