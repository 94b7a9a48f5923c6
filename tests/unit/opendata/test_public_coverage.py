"""The public coverage feed: complete, valid, and nothing internal in it."""

from __future__ import annotations

import csv
import html
import json
import re
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from bwmgr.daemon.public_points import public_id
from bwmgr.language import Words
from bwmgr.reports.opendata.coverage import Feed, contents

from .conftest import City, leaks


def _feed(city: City, *arguments: str) -> Path:
    folder = city.folder / "publik"
    city.run("export", "coverage", folder, *arguments)
    return folder


def test_nothing_internal_is_in_any_file(city: City) -> None:
    """A crawl over names and contents of all files, also with agencies' own lines (fault 53)."""
    folder = _feed(city)
    assert len(list(folder.iterdir())) == 9
    assert leaks(folder) == []
    assert leaks(_feed(city, "--kind", "opd", "--kind", "wifi")) == []


def test_every_file_is_what_the_schema_says(city: City) -> None:
    """JSON Schema 2020-12 of each JSON file; GeoJSON has [longitude, latitude] of five decimals (RFC 7946)."""
    folder = _feed(city)
    schema = json.loads((folder / "schema.json").read_text())
    for name in schema["$defs"]:
        content = json.loads((folder / name).read_text())
        validator = jsonschema.Draft202012Validator({**schema, "$ref": f"#/$defs/{name}"})
        assert [error.message for error in validator.iter_errors(content)] == []
    features = json.loads((folder / "points.geojson").read_text())["features"]
    assert [105.30712, -5.11312] in [feature["geometry"]["coordinates"] for feature in features if feature["geometry"]]
    assert sum(feature["geometry"] is None for feature in features) == 2


def test_points_tell_where_and_how_far(city: City) -> None:
    """State, date and place of each; a medium that is none of the known ones is left out; no agency's line unless asked for."""
    points = json.loads((_feed(city) / "points.json").read_text())["points"]
    assert sorted((point["kind"], point["status"], point["since"]) for point in points if point["since"]) == [
        ("wifi", "active", "2026-01-15"),
        ("wifi", "trial", "2026-02-20"),
    ]
    assert [point["medium"] for point in points if point["status"] == "active" and point["kind"] == "wifi"] == ["fibre"]
    assert [point["medium"] for point in points if point["status"] == "trial"] == [None]
    assert {point["kind"] for point in points} == {"wifi", "village"}


def test_public_ids_stay_and_lead_nowhere(city: City) -> None:
    """The same at the next export; of another office's key for the same link another one; not the plain hash of the id."""
    first = (_feed(city) / "points.json").read_text()
    assert (_feed(city) / "points.json").read_text() == first
    ids = {point["id"] for point in json.loads(first)["points"]}
    assert len(ids) == 4
    assert public_id(b"", "wifi-masjid-01") not in ids
    assert public_id(b"a", "wifi-masjid-01") != public_id(b"b", "wifi-masjid-01")


def test_no_cell_is_run_as_a_formula(city: City) -> None:
    """A kecamatan that begins with = is a text in the CSV."""
    with (_feed(city) / "points.csv").open(newline="") as file:
        cells = {row["kecamatan"] for row in csv.DictReader(file)}
    assert "'=HYPERLINK(1)" in cells
    assert "=HYPERLINK(1)" not in cells


def test_any_name_of_a_place_comes_out_as_it_is(city: City) -> None:
    """Fault 64: commas, quotes, an equals sign within, accents, emoji and markup, in CSV, GeoJSON and the page."""
    name = """Kp. "Melayu", A=B <b>é</b> 😀"""
    city.file.write_text(city.file.read_text().replace("kelurahan: Samber", f"kelurahan: '{name}'"), encoding="utf-8")
    folder = _feed(city)
    with (folder / "points.csv").open(newline="", encoding="utf-8") as file:
        assert name in {row["kelurahan"] for row in csv.DictReader(file)}
    features = json.loads((folder / "points.geojson").read_text(encoding="utf-8"))["features"]
    assert name in {feature["properties"]["kelurahan"] for feature in features}
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert html.escape(name, quote=False).replace('"', "&#34;") in page
    assert "<b>" not in page


def test_the_page_needs_no_network(city: City) -> None:
    """No address of another server, no script; two points on the map, two without coordinates are said."""
    page = (_feed(city) / "index.html").read_text()
    assert not re.search(r"https?:|//|<script|@import|url\(", page)
    assert page.count('<use href="#active" x="') == 2  # one on the map, one in the key
    assert "2 titik belum diketahui koordinatnya" in page
    assert "=HYPERLINK(1)" in page


def test_names_on_the_map_can_be_read() -> None:
    """Inside the picture and apart: of two at one place the second stands a line lower, of six the last ones nowhere."""
    at_edge = [_row("Kepulauan Seribu Utara", -6.0, 106.0), _row("Tengah", -6.1, 106.1)]
    beside = [_row(f"Kecamatan {number}", -6.2, 106.2) for number in range(6)]
    points = [*at_edge, *beside]
    feed = Feed(organisation="Diskominfo", updated=date(2026, 3, 2), licence="CC-BY-4.0", points=points, places=[], progress=[])
    files = contents(feed, Words("id"))
    found = re.findall(r'<text x="([\d.]+)" y="([\d.]+)">([^<]+)</text>', bytes(files["index.html"]).decode())
    names = {name: (float(x), float(y)) for x, y, name in found}
    assert names["Kepulauan Seribu Utara"][0] > 3 * len("Kepulauan Seribu Utara")
    lines = [names[name][1] for name in sorted(names) if name.startswith("Kecamatan")]
    assert len(lines) == 4
    assert all(below - above == pytest.approx(13) for above, below in pairwise(lines))


def _row(kecamatan: str, lat: float, lon: float) -> dict[str, Any]:
    return {"kecamatan": kecamatan, "lat": lat, "lon": lon, "status": "active"} | dict.fromkeys(
        ("id", "kind", "since", "code", "kelurahan", "medium"), ""
    )


def test_places_count_every_state(city: City) -> None:
    """By kelurahan, with the day of the last step; progress says how many had got how far by when."""
    folder = _feed(city)
    places = json.loads((folder / "places.json").read_text())["places"]
    assert places[0] == {
        "code": "18.72.01.1002", "kecamatan": "Metro Pusat", "kelurahan": "Imopuro", "planned": 0, "installed": 0, "trial": 1,
        "active": 1, "total": 2, "latest": "2026-02-20",
    }  # fmt: skip
    progress = json.loads((folder / "progress.json").read_text())["progress"]
    assert [(day["date"], day["trial"], day["active"]) for day in progress] == [("2026-01-15", 0, 1), ("2026-02-20", 1, 1)]
