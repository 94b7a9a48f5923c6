"""`sla` as a contract officer runs it: two months of an uplink and two links, every kind of time in them."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from bwmgr.cli import bwmgr
from bwmgr.cli.session import Session
from bwmgr.errors import UsageError
from bwmgr.measure.columns import RATE, RateBatch
from bwmgr.model.samples import GapReason, Quality
from bwmgr.stores import LINK_RATE, UPLINK_RATE
from bwmgr.stores.embedded import EmbeddedStore
from bwmgr.testing.clock import ManualClock
from bwmgr.testing.influx_versions import missing, running

pytestmark = pytest.mark.system

JAYAPURA = timedelta(hours=9)
START = datetime(2026, 1, 1, tzinfo=UTC) - JAYAPURA
NOW = datetime(2026, 2, 16, tzinfo=UTC) - JAYAPURA
STEP = timedelta(minutes=5)
CONFIG = """
organisation: {name: Diskominfo, timezone: Asia/Jayapura}
store: {kind: embedded, path: var}
credentials: {default: {version: 2c, community: {env: SLA_COMMUNITY}}}
providers:
  - id: isp
    name: PT Penyedia
    contracts:
      - {id: isp-2026, down: 100M, up: 100M, price: 74400000, per: month, start: 2026-01-01, end: 2026-12-31,
         sla: {availability: 99.5, restitution: proportional}}
      - {id: last-mile, down: 100M, up: 100M, price: 12000000, per: year, start: 2026-01-01, end: 2026-12-31,
         sla: {availability: 99, restitution: tiers, tiers: [{below: 99, percent: 10}], covers: links, exclude: [power, planned]}}
devices:
  - {id: core, address: 127.0.0.1}
  - {id: rtr-a, address: 127.0.0.2}
  - {id: rtr-b, address: 127.0.0.3}
nodes:
  - {id: root, uplinks: [{interface: {device: core, if_name: e1, faces: provider}, contract: isp-2026}]}
  - {id: other, uplinks: [{interface: {device: core, if_name: e2, faces: provider}, contract: last-mile}]}
links:
  - {id: a, kind: opd, parent: other, interface: {device: rtr-a, if_name: e, faces: subscriber}}
  - {id: b, kind: opd, parent: other, interface: {device: rtr-b, if_name: e, faces: subscriber}}
maintenance:
  - {id: m1, start: "2026-01-20T00:00", end: "2026-01-20T06:00", contracts: [isp-2026]}
"""


def _at(day: float, hour: float = 0, month: int = 1) -> datetime:
    """Local time in Jayapura."""
    return datetime(2026, month, 1, tzinfo=UTC) - JAYAPURA + timedelta(days=day - 1, hours=hour)


def _rows(*changes: tuple[datetime, datetime, str]) -> np.ndarray:
    """Five-minute rows, up but where a change says: down, silent, rebooting at its end, or no row at all."""
    ends = np.arange(round(START.timestamp()) + 300, round(NOW.timestamp()) + 1, 300) * 1000
    rows = np.zeros(len(ends), RATE)
    rows["end_ms"], rows["interval_ticks"] = ends, 30_000
    rows["down_bps"] = rows["up_bps"] = 20e6
    rows["down_limit_bps"] = rows["up_limit_bps"] = 100e6
    keep = np.ones(len(ends), np.bool_)
    for start, end, what in changes:
        within = (ends > start.timestamp() * 1000) & (ends <= end.timestamp() * 1000)
        if what == "down":
            rows["quality"][within], rows["down_bps"][within] = Quality.OPER_DOWN, 0
        elif what == "no row":
            keep[within] = False
        else:
            rows["reason"][within], rows["down_bps"][within] = GapReason.TIMEOUT, np.nan
            if what == "reboot":
                rows["reason"][np.flatnonzero(within)[-1]] = GapReason.REBOOT
    return rows[keep]


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Uplink: 7 h 26 min 24 s is 1 % of January; the outage of 10 January lasts 10 h, six of maintenance are excluded."""
    folder = tmp_path_factory.mktemp("sla")
    (folder / "bwmgr.yaml").write_text(CONFIG)
    store = EmbeddedStore(folder / "var")
    for measurement, batch in _history():
        store.write(measurement, batch)
    store.close()
    return folder / "bwmgr.yaml"


def _history() -> list[tuple[str, RateBatch]]:
    hole = (_at(5), _at(5, 2), "no row")
    uplink = _rows(hole, (_at(10), _at(10, 10), "down"), (_at(20), _at(20, 6), "down"), (_at(31, 23), _at(1, 1, 2), "down"))
    a = _rows(hole, (_at(12), _at(12, 12), "reboot"), (_at(15, 0, 2), _at(17, 0, 2), "silent"))
    b = _rows(hole, (_at(14), _at(14, 10), "silent"))
    b["series"] = 1
    links = RateBatch(series=("a", "b"), rows=np.concatenate((a, b)))
    return [(UPLINK_RATE, RateBatch(series=("isp-2026",), rows=uplink)), (LINK_RATE, links)]


@pytest.fixture(autouse=True)
def _community(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLA_COMMUNITY", "kata-sandi")


def asked(office: Path, *arguments: str, lang: str = "en") -> Result:
    session = Session(path=str(office), clock=ManualClock(NOW))
    return CliRunner().invoke(bwmgr, ["-c", str(office), "--lang", lang, "sla", *arguments], obj=session)


def found(office: Path, *arguments: str) -> dict[str, Any]:
    done = asked(office, *arguments, "--format", "json")
    assert done.exit_code == 0, done.output
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def test_a_month_of_a_contract(office: Path) -> None:
    """fault 58: January is that of Jayapura. Ten hours and the one before midnight are down, maintenance is excluded, two hours
    of no rows are unknown: 11 of 738 hours, and Rp74.4 million x 11 / 738."""
    (contract,) = found(office, "--contract", "isp-2026", "--month", "2026-01")["contracts"]
    (january,) = contract["months"]
    assert (january["start"], january["end"], january["is_over"]) == ("2025-12-31T15:00:00Z", "2026-01-31T15:00:00Z", True)
    hour = 3600
    assert (january["base_seconds"], january["down_seconds"], january["excluded_seconds"]) == (738 * hour, 11 * hour, 6 * hour)
    assert january["unknown_seconds"] == 2 * hour - 150  # the row after the hole speaks for half an interval more
    assert january["verdict"] == "not met"
    assert january["restitution"] == 1_108_943
    assert january["restitution_most"] > january["restitution"]
    assert january["completeness_ratio"] == pytest.approx(1 - (2 * hour - 150) / (738 * hour))


def test_over_the_contract_months_add_up(office: Path) -> None:
    """All months that have begun, and their total; the one that runs ends now."""
    (contract,) = found(office, "--contract", "isp-2026")["contracts"]
    months, total = contract["months"], contract["total"]
    assert [month["month"] for month in months] == ["2026-01", "2026-02"]
    assert [month["is_over"] for month in months] == [True, False]
    assert months[1]["base_seconds"] == 15 * 86400
    for key in ("base_seconds", "down_seconds", "unknown_seconds", "excluded_seconds", "restitution", "price"):
        assert total[key] == sum(month[key] for month in months)
    treated = {outage["start"]: (outage["cause"], outage["rule"], outage["treatment"]) for outage in contract["outages"]}
    assert treated == {
        "2026-01-09T15:00:00Z": ("provider", "uplink", "counted"),
        "2026-01-19T15:00:00Z": ("planned", "maintenance", "excluded"),
        "2026-01-31T14:00:00Z": ("provider", "uplink", "counted"),
    }


def test_a_clause_about_links(office: Path) -> None:
    """Two links alike: a's power is excluded by the clause, b's ten hours are of 2 x 744 less twelve: less than 1 % with
    all that is unknown."""
    (contract,) = found(office, "--contract", "last-mile", "--month", "2026-01")["contracts"]
    (january,) = contract["months"]
    assert (contract["covers"], contract["series"]) == ("links", ["a", "b"])
    excluded = 12 * 3600 - 300  # the five minutes in which it restarted are unknown
    assert (january["down_seconds"], january["excluded_seconds"]) == (10 * 3600, excluded)
    assert january["base_seconds"] == 2 * 744 * 3600 - excluded
    assert (january["verdict"], january["restitution"], january["price"]) == ("met", 0, 1_000_000)


def test_an_open_outage_and_a_persons_word(office: Path) -> None:
    """Still silent: nobody knows why, so February is undecided, until a person says it; his word and the rule's both stay."""
    (outage,) = found(office, "outages", "a", "--undetermined")["outages"]
    assert (outage["id"], outage["end"], outage["rule"]) == ("a@20260214T150000Z", None, "unclear")
    february = ("--contract", "last-mile", "--month", "2026-02")
    assert found(office, *february)["contracts"][0]["months"][0]["verdict"] == "not enough data"
    for cause, remark in (("power", "PLN padam"), ("last-mile", "kabel putus")):
        said = asked(office, "cause", outage["id"], "--cause", cause, "--by", "Siti", "--note", remark)
        assert said.exit_code == 0, said.output
    (outage,) = found(office, "outages", "a", "--start", "2026-02-15T12:00")["outages"]
    assert (outage["id"], outage["cause"], outage["proposed"]) == ("a@20260214T150000Z", "last-mile", "undetermined")
    assert [(word["cause"], word["by"], word["note"]) for word in outage["judgements"]] == [
        ("power", "Siti", "PLN padam"),
        ("last-mile", "Siti", "kabel putus"),
    ]
    month = found(office, *february)["contracts"][0]["months"][0]
    assert (month["verdict"], month["restitution"]) == ("not met", 100_000)  # ten percent of a twelfth of Rp12 million


def test_what_is_no_outage_is_not_judged(office: Path) -> None:
    """Neither an unknown series, nor a time at which it was up, nor something that is no id."""
    for outage, said in (
        ("a@20260105T000000Z", "no outage of a"),
        ("z@20260105T000000Z", "no link or uplink"),
        ("a", "not an outage"),
    ):
        refused = asked(office, "cause", outage, "--cause", "power")
        assert isinstance(refused.exception, UsageError)
        assert said in str(refused.exception)


def test_tables_csv_and_paper(office: Path, tmp_path: Path) -> None:
    """Indonesian for people, a row a month and the total for programs, the same figures as a PDF."""
    import pypdf

    table = asked(office, "--contract", "isp-2026", "--pdf", str(tmp_path / "sla.pdf"), lang="id").stdout
    for text in ("Januari 2026", "tidak memenuhi", "Rp1.108.943", "penyedia (usulan)", "dijanjikan 99,5 %"):
        assert text in table
    rows = list(csv.DictReader(io.StringIO(asked(office, "--format", "csv").stdout)))
    assert [row["month"] for row in rows if row["contract"] == "isp-2026"] == ["2026-01", "2026-02", "total"]
    paper = pypdf.PdfReader(tmp_path / "sla.pdf").pages[0].extract_text()
    for text in ("Tingkat layanan", "Januari 2026", "Rp1.108.943", "listrik padam", "usulan menurut"):
        assert text in paper


def test_nothing_is_guessed_without_data(office: Path) -> None:
    """A window before the contract has no month; an unknown contract or provider is a mistake."""
    for arguments in (
        ("--month", "2025-01"),
        ("--contract", "x"),
        ("--provider", "x"),
        ("--month", "2026-01", "--start", "2026-01-01"),
    ):
        assert isinstance(asked(office, *arguments).exception, UsageError)


def test_the_same_from_an_influxdb(office: Path, tmp_path: Path) -> None:
    """Every month, bound and rupiah is that of the embedded store."""
    if reason := missing("1.6"):
        pytest.skip(reason)
    with running("1.6", tmp_path / "server") as server:
        path = tmp_path / "bwmgr.yaml"
        there = f"store: {{kind: influxdb, path: var, url: '{server.url}', database: bwmgr}}"
        path.write_text(CONFIG.replace("store: {kind: embedded, path: var}", there))
        session = Session(path=str(path), clock=ManualClock(NOW))
        with session.application() as application:
            for measurement, batch in _history():
                application.store.write(measurement, batch)
            assert application.influx.flush(60.0)
        assert found(path, "--month", "2026-01") == found(office, "--month", "2026-01")


def test_a_contract_with_two_uplinks_serves_while_one_does(tmp_path: Path) -> None:
    """Ten and six hours down, three of them together: three are down. Where one is unknown and the other down, nobody knows."""
    second = "{interface: {device: core, if_name: e3, faces: provider}, contract: isp-2026}"
    (tmp_path / "bwmgr.yaml").write_text(CONFIG.replace("if_name: e1, faces: provider}, contract: isp-2026}", "if_name: e1, "
                                                        f"faces: provider}}, contract: isp-2026}}, {second}"))  # fmt: skip
    one = _rows((_at(10), _at(10, 10), "down"), (_at(14), _at(14, 4), "no row"))
    other = _rows((_at(10, 7), _at(10, 13), "down"), (_at(14, 2), _at(14, 6), "down"))
    other["series"] = 1
    store = EmbeddedStore(tmp_path / "var")
    names = ("isp-2026:core:e1", "isp-2026:core:e3")
    store.write(UPLINK_RATE, RateBatch(series=names, rows=np.concatenate((one, other))))
    store.close()
    (contract,) = found(tmp_path / "bwmgr.yaml", "--contract", "isp-2026", "--month", "2026-01")["contracts"]
    assert contract["series"] == list(names)
    (january,) = contract["months"]
    assert (january["down_seconds"], january["unknown_seconds"]) == (3 * 3600, 2 * 3600 - 150)


def test_a_month_with_summer_time_has_its_own_length(tmp_path: Path) -> None:
    """fault 57: March 2026 in Berlin is 743 hours long, and without any reading all of them are unknown."""
    (tmp_path / "bwmgr.yaml").write_text(CONFIG.replace("Asia/Jayapura", "Europe/Berlin"))
    session = Session(path=str(tmp_path / "bwmgr.yaml"), clock=ManualClock(datetime(2026, 5, 1, tzinfo=UTC)))
    arguments = ["-c", session.path, "sla", "--contract", "isp-2026", "--month", "2026-03", "--format", "json"]
    (contract,) = json.loads(CliRunner().invoke(bwmgr, arguments, obj=session).stdout)["contracts"]
    (march,) = contract["months"]
    assert (march["base_seconds"], march["unknown_seconds"], march["verdict"]) == (743 * 3600, 743 * 3600, "not enough data")
    assert (march["restitution"], march["restitution_most"]) == (0, 74_400_000)
