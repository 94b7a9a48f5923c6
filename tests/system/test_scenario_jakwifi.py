"""JakWifi: two months of roll-out come as one spreadsheet of 9,000 rows, and the public sees how far it is, and nothing else."""

from __future__ import annotations

import csv
import json
import re
import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import jsonschema
import openpyxl
import pytest

from tests.system.scenarios import ROOT, Office, golden, office

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.no_cover]  # 9,000 links: the tracer would take a minute

NOW = datetime(2020, 9, 1, 3, tzinfo=UTC)
_NEXT = {"planned": "rencana", "installed": "uji coba", "trial": "aktif", "active": "aktif"}


@pytest.fixture(scope="module")
def jakarta(tmp_path_factory: pytest.TempPathFactory) -> Office:
    """The shipped configuration, and the list: what was installed is on trial by now, what was on trial is active, with dates."""
    folder = tmp_path_factory.mktemp("jakarta")
    made = office("jakwifi", folder, NOW, edit=lambda text: text.replace("include: [", "include: [rollout.yaml, "))
    shutil.copytree(ROOT / "configs" / "jakwifi", folder / "jakwifi")
    (folder / "rollout.yaml").write_text("")
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    sheet.append(["ID titik", "Nama titik", "Kelurahan", "Kode wilayah", "Status", "Tanggal", "Lintang", "Bujur"])
    with (folder / "jakwifi" / "links.csv").open(newline="", encoding="utf-8") as file:
        for number, link in enumerate(csv.DictReader(file)):
            status = link["site.status"]
            day = None if status == "planned" else date(2020, 7, 1) + timedelta(days=number % 60)
            place = (-6.1 - number % 97 / 400, 106.7 + number % 89 / 400)
            sheet.append([link["id"], link["name"], link["site.kelurahan"], link["site.code"], _NEXT[status], day, *place])
    book.save(folder / "titik.xlsx")
    return made


def test_9000_rows_are_planned_applied_and_published(jakarta: Office) -> None:
    """One import, the counts by state as published, a feed that validates, and a crawl of it for all that is internal."""
    folder = jakarta.path.parent
    done = json.loads(jakarta.asked("rollout", "import", str(folder / "titik.xlsx"), "--yes", "--format", "json").stdout)
    assert done["counts"] == {"add": 0, "change": 9000, "same": 0, "conflict": 0, "mistake": 0}
    assert done["applied"] is True
    jakarta.asked("export", "coverage", str(folder / "publik"))
    totals = json.loads((folder / "publik" / "places.json").read_text())["places"]
    assert {state: sum(place[state] for place in totals) for state in ("planned", "installed", "trial", "active")} == {
        "planned": 1000, "installed": 0, "trial": 950, "active": 7050,
    }  # fmt: skip
    golden((folder / "publik" / "progress.csv").read_text(), "jakwifi/progress.csv")
    golden("".join((folder / "publik" / "places.csv").read_text().splitlines(keepends=True)[:12]), "jakwifi/places-head.csv")
    schema = json.loads((folder / "publik" / "schema.json").read_text())
    some = json.loads((folder / "publik" / "points.geojson").read_text())
    assert len(some["features"]) == 9000
    some["features"] = some["features"][::300]
    jsonschema.Draft202012Validator({**schema, "$ref": "#/$defs/points.geojson"}).validate(some)
    assert _leaks(jakarta, folder / "publik") == set()


def _leaks(jakarta: Office, folder: Path) -> set[str]:
    """Ids of links and devices, addresses, interfaces, names of points: whatever of these is a word of any file."""
    lists = {}
    for name in ("devices", "links"):
        with (jakarta.path.parent / "jakwifi" / f"{name}.csv").open(newline="", encoding="utf-8") as file:
            lists[name] = list(csv.DictReader(file))
    internal = {word for device in lists["devices"] for word in (device["id"], device["address"])}
    internal |= {link["id"] for link in lists["links"]} | {"ether1", "core", "penyedia-2020", "SNMP_COMMUNITY"}
    names = {link["name"] for link in lists["links"]}
    found: set[str] = set()
    for path in sorted(folder.rglob("*")):
        text = path.read_text(encoding="utf-8")
        found |= internal.intersection(re.findall(r"[A-Za-z0-9_.:-]+", text))
        found |= {name for name in list(names)[::50] if name in text}
    return found
