"""Roll-out lists from a spreadsheet: a plan by row number first, then an include file that the configuration accepts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from click.testing import CliRunner, Result

from bwmgr.cli import bwmgr
from bwmgr.cli.session import Session
from bwmgr.errors import BwmgrError
from bwmgr.testing.clock import ManualClock

CONFIGURATION = """
organisation: {name: Diskominfo Contoh, timezone: Asia/Jakarta, language: en}
credentials: {default: {version: 2c, community: {env: ROLLOUT_TEST_COMMUNITY}}}
devices: [{id: ap-1, address: 10.0.0.1}]
nodes: [{id: "31.71.01", capacity: {down: 1G, up: 1G}}]
links:
  - {id: p-1, name: Balai Warga, kind: wifi, parent: "31.71.01", interface: {device: ap-1, if_name: ether1, faces: subscriber},
     site: {kecamatan: Gambir, kelurahan: Cideng, code: 31.71.01.1001, status: trial, since: 2020-07-10}}
  - {id: p-2, name: Pos Ronda, kind: wifi, parent: "31.71.01", site: {kelurahan: Cideng, code: 31.71.01.1001, status: planned}}
include: [rollout.yaml]
"""
HEADING = ("ID titik", "Nama", "Kelurahan", "Kode wilayah", "Status", "Tanggal", "Alamat IP", "Lintang", "Bujur")


class Office:
    """A configuration in a folder of its own, and `rollout` run on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "bwmgr.yaml"
        self.included = folder / "rollout.yaml"
        self.file.write_text(CONFIGURATION)
        self.included.write_text("")

    def run(self, *arguments: str, exit_code: int = 0) -> Result:
        session = Session(path=str(self.file), clock=ManualClock(datetime(2020, 8, 15, tzinfo=UTC)))
        done = CliRunner().invoke(bwmgr, ["-c", str(self.file), *arguments], obj=session)
        assert done.exit_code == exit_code, done.output
        return done

    def json(self, *arguments: str, exit_code: int = 0) -> Any:
        return json.loads(self.run("rollout", *arguments, "--format", "json", exit_code=exit_code).stdout)

    def sheet(self, *rows: Sequence[Any], heading: Sequence[str] = HEADING, name: str = "titik.xlsx") -> str:
        book = openpyxl.Workbook()
        for row in (heading, *rows):
            book.active.append(list(row))
        book.save(self.folder / name)
        return str(self.folder / name)

    def problems(self, *rows: Sequence[Any]) -> dict[int, tuple[str, str]]:
        """Row number -> (outcome, why), of a list that is not applied."""
        found = self.json("import", self.sheet(*rows), exit_code=1)
        return {row["row"]: (row["what"], "; ".join(row["problems"])) for row in found["rows"]}


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    monkeypatch.setenv("ROLLOUT_TEST_COMMUNITY", "komunitas")
    return Office(tmp_path)


GOOD = (
    ("p-1", None, None, None, "aktif", date(2020, 8, 1), None, -6.17, 106.81),
    ("p-2", None, None, None, "Terpasang", "05/08/2020", "10.0.0.2", None, None),
    ("p-3", "Taman Cideng", "Cideng", "31.71.01.1001", "rencana", date(2020, 9, 1), None, None, None),
)


def test_a_plan_is_shown_before_anything_changes(office: Office) -> None:
    """Additions and changes key by key, each with its row number; no file is touched."""
    found = office.json("import", office.sheet(*GOOD))
    assert found["counts"] == {"add": 1, "change": 2, "same": 0, "conflict": 0, "mistake": 0}
    assert found["applied"] is False
    rows = {row["row"]: row for row in found["rows"]}
    assert rows[2]["changes"]["status"] == {"now": "trial", "then": "active"}
    assert rows[3]["changes"]["address"] == {"now": None, "then": "10.0.0.2"}
    assert rows[4]["what"] == "add"
    assert rows[4]["changes"]["parent"]["then"] == "31.71.01"
    assert office.included.read_text() == ""


def test_applied_it_is_an_include_file_that_the_configuration_accepts(office: Office) -> None:
    """States, dates, coordinates, a new point, and a device with its interface for one that is measured from now on."""
    office.run("rollout", "import", office.sheet(*GOOD), "--yes")
    office.run("config", "check")
    links = {link.id: link for link in Session(path=str(office.file)).settings.inventory.links.values()}
    assert (links["p-1"].site.status, links["p-1"].site.since) == ("active", date(2020, 8, 1))
    assert (links["p-1"].site.lat, links["p-1"].site.kecamatan) == (-6.17, "Gambir")
    assert links["p-2"].interface is not None
    assert links["p-2"].interface.device == "ap-p-2"
    assert (links["p-3"].name, links["p-3"].parent, links["p-3"].site.status) == ("Taman Cideng", "31.71.01", "planned")


def test_importing_again_changes_nothing(office: Office) -> None:
    """Not one octet, also of the points that the first import added; what they become later is a change of them."""
    office.run("rollout", "import", office.sheet(*GOOD), "--yes")
    once = office.included.read_bytes()
    again = office.json("import", office.sheet(*GOOD), "--yes")
    assert again["counts"]["same"] == 3
    assert again["applied"] is False
    assert office.included.read_bytes() == once
    later = ("p-3", None, None, None, "terpasang", date(2020, 8, 14), None, None, None)
    office.run("rollout", "import", office.sheet(later), "--yes")
    assert Session(path=str(office.file)).settings.inventory.links["p-3"].site.status == "installed"


def test_states_keep_their_dates(office: Office) -> None:
    """`rollout status` counts by kelurahan, and says how many had reached each state by which day."""
    office.run("rollout", "import", office.sheet(*GOOD), "--yes")
    found = office.json("status")
    assert found["totals"] == {"planned": 1, "installed": 1, "trial": 0, "active": 1}
    (place,) = [place for place in found["places"] if place["kecamatan"] == "Gambir"]
    assert (place["active"], place["latest"]) == (1, "2020-08-01")
    assert [(day["date"], day["trial"], day["active"]) for day in found["progress"]] == [
        ("2020-07-10", 1, 0),
        ("2020-08-01", 1, 1),
        ("2020-08-05", 1, 1),
        ("2020-09-01", 1, 1),
    ]


def test_conflicts_and_mistakes_are_named_by_row(office: Office) -> None:
    """All of them at once; nothing is applied."""
    found = office.problems(
        ("p-1", None, None, None, "terpasang", None, None, None, None),
        ("p-2", None, None, None, "aktif", None, None, None, None),
        ("p-2", None, None, None, "rencana", None, None, None, None),
        ("p 4", None, None, None, "entah", "kapan", None, 95, None),
        ("p-5", "Balai Warga", "Cideng", None, "rencana", None, None, None, None),
        (None, "Tanpa id", None, "31.7", None, None, None, None, None),
        ("p-6", None, None, None, "terpasang", date(2021, 1, 1), "10.0.0.1", None, None),
        ("p-7", None, None, None, "trial", None, "10.0.0.1", None, None),
    )
    assert found[2] == ("conflict", "status: it is trial already; installed would be a step back")
    assert found[3] == ("mistake", "status: active without anything to measure; give address (and if_name), or installed")
    assert found[4] == ("conflict", "row 3 is about the same point; keep one")
    assert found[5][0] == "mistake"
    assert [problem.partition(":")[0] for problem in found[5][1].split("; ") if ":" in problem] == [
        "link",
        "status",
        "since",
        "lat",
    ]
    assert found[6] == ("conflict", "p-1 has the same name and place: is it the same point?")
    assert found[7][1].startswith("code: '31.7' is no region code")
    assert found[8] == ("mistake", "since: 2021-01-01 is still to come; only a planned point has such a date")
    assert found[9][0] == "mistake"


def test_good_rows_of_a_bad_list_are_applied_on_request(office: Office) -> None:
    """Exit code 3: done in part."""
    path = office.sheet(GOOD[0], ("p-2", None, None, None, "?", None, None, None, None))
    office.run("rollout", "import", path, "--yes", exit_code=1)
    assert office.included.read_text() == ""
    assert office.json("import", path, "--yes", "--skip-bad", exit_code=3)["applied"] is True
    assert Session(path=str(office.file)).settings.inventory.links["p-1"].site.status == "active"


def test_csv_with_semicolons_reads_as_well(office: Office) -> None:
    """As a spreadsheet with Indonesian settings saves it."""
    path = office.folder / "titik.csv"
    path.write_text("\ufeffid;status;tanggal;lintang\np-1;aktif;01-08-2020;-6,17\n", encoding="utf-8")
    (row,) = office.json("import", str(path))["rows"]
    assert row["changes"]["lat"]["then"] == -6.17
    assert row["changes"]["since"]["then"] == "2020-08-01"


def test_a_file_that_is_not_included_is_taken_back(office: Office) -> None:
    """It says which line is missing, and leaves a file without points, so that the line can be added."""
    office.file.write_text(CONFIGURATION.replace("include: [rollout.yaml]", ""))
    office.included.unlink()
    done = CliRunner().invoke(bwmgr, ["-c", str(office.file), "rollout", "import", office.sheet(*GOOD[:1]), "--yes"],
                              obj=Session(path=str(office.file)))  # fmt: skip
    assert isinstance(done.exception, BwmgrError)
    assert "include: [rollout.yaml]" in str(done.exception)
    office.file.write_text(CONFIGURATION)
    office.run("rollout", "import", office.sheet(*GOOD[:1]), "--yes")


def test_what_the_configuration_refuses_is_taken_back(office: Office) -> None:
    """An address with a blank passes no check of the list, but of the configuration: the file is as it was before."""
    path = office.sheet(("p-2", None, None, None, "trial", None, "10.0.0.2 x", None, None))
    done = CliRunner().invoke(
        bwmgr, ["-c", str(office.file), "rollout", "import", path, "--yes"], obj=Session(path=str(office.file))
    )
    assert isinstance(done.exception, BwmgrError)
    assert "rollout.yaml:3: devices" in str(done.exception)
    assert office.included.read_text() == ""


@pytest.mark.parametrize(
    ("heading", "said"),
    [(("nama", "status"), "no column id"), (("id", "titik", "status"), "two columns mean link"), ((), "no column id, status")],
)
def test_a_list_without_its_columns_is_refused(office: Office, heading: tuple[str, ...], said: str) -> None:
    """The first row names them."""
    path = office.sheet(("x",), heading=heading)
    done = CliRunner().invoke(bwmgr, ["-c", str(office.file), "rollout", "import", path], obj=Session(path=str(office.file)))
    assert said in str(done.exception)


def test_what_is_no_spreadsheet_is_refused(office: Office) -> None:
    """Cut off, or something else under that name."""
    for name, content in (("a.xlsx", b"PK\x03\x04"), ("b.xlsx", b""), ("c.csv", b"\xff\xfe\x00")):
        (office.folder / name).write_bytes(content)
        done = CliRunner().invoke(
            bwmgr, ["-c", str(office.file), "rollout", "import", str(office.folder / name)], obj=Session(path=str(office.file))
        )
        assert isinstance(done.exception, BwmgrError), name
