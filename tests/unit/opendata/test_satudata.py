"""Datasets for Satu Data: figures that agree with the history, valid catalogues, small counts hidden, nothing internal."""

from __future__ import annotations

import csv
import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pyshacl
import pytest

from bwmgr.daemon.application import Application
from bwmgr.daemon.satudata import period
from bwmgr.errors import UsageError
from bwmgr.reports.opendata.ckan import name_of
from bwmgr.testing.history import write_history
from bwmgr.testing.regency import Regency

from .conftest import NOW, City, leaks

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:rdflib")

CASES = Path(__file__).parents[2] / "cases" / "opendata"
DATASETS = {"titik-internet", "kemajuan-pemasangan", "pemakaian-bandwidth", "ketersediaan-layanan", "kapasitas-internet"}
_WIFI = """
  - {{id: wifi-taman-{n}, name: AP Taman {n}, kind: wifi, parent: simpul-inti, calendar: always, limit: {{down: 8M, up: 8M}},
     interface: {{device: ap-taman-{n}, if_name: ether1, faces: subscriber}},
     site: {{kecamatan: Metro Timur, status: active}}}}"""


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> City:
    """February, of which the last four weeks were measured, with four access points of Metro Timur more."""
    city = City(tmp_path_factory.mktemp("city"))
    devices = "".join(f"  - {{id: ap-taman-{n}, address: 10.9.7.{n}}}\n" for n in range(1, 5))
    text = city.file.read_text().replace("nodes:\n", f"{devices}nodes:\n").rstrip() + "".join(
        _WIFI.format(n=n) for n in range(1, 5)
    )
    city.file.write_text(text)
    application = Application(city.session().settings, clock=city.clock)
    regency = Regency(application.inventory, city.clock)
    write_history(application.store, regency, start=NOW - timedelta(days=28), end=NOW, interval_seconds=900)
    application.close()
    city.run("export", "satudata", city.folder / "data")
    return city


@pytest.fixture
def published(measured: City) -> Path:
    return measured.folder / "data"


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _rows(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_catalogue_is_dcat_that_validates(published: Path) -> None:
    """SHACL of what DCAT-AP makes mandatory; all five datasets, each as CSV and JSON, with sizes and hashes that are true."""
    fits, _, said = pyshacl.validate(
        str(published / "catalog.jsonld"), shacl_graph=str(CASES / "dcat-ap.ttl"), data_graph_format="json-ld"
    )
    assert fits, said
    catalogue = _json(published / "catalog.jsonld")
    assert {one["dct:identifier"] for one in catalogue["dcat:dataset"]} == {f"18.72-{name}" for name in DATASETS}
    for dataset in catalogue["dcat:dataset"]:
        for place in dataset["dcat:distribution"]:
            name = place["dcat:downloadURL"]["@id"].removeprefix("https://data.contoh.go.id/bandwidth/")
            content = (published / name).read_bytes()
            assert place["dcat:byteSize"]["@value"] == str(len(content))
            assert place["spdx:checksum"]["spdx:checksumValue"]["@value"] == hashlib.sha256(content).hexdigest()


def test_shapes_refuse_what_is_no_catalogue(published: Path, tmp_path: Path) -> None:
    """The check itself: without a producer, an address or a proper region it does not pass."""
    for break_ in ("dct:publisher", "dct:spatial", "dcat:distribution"):
        catalogue = _json(published / "catalog.jsonld")
        del catalogue["dcat:dataset"][0][break_]
        broken = tmp_path / "broken.jsonld"
        broken.write_text(json.dumps(catalogue))
        fits, _, _ = pyshacl.validate(str(broken), shacl_graph=str(CASES / "dcat-ap.ttl"), data_graph_format="json-ld")
        assert not fits, break_


def test_ckan_takes_every_dataset(published: Path) -> None:
    """The body of package_create has only documented fields, with values of the kinds that they take."""
    validator = jsonschema.Draft202012Validator(_json(CASES / "ckan-package.schema.json"))
    bodies = [_json(path) for path in sorted((published / "ckan").iterdir())]
    assert len(bodies) == len(DATASETS)
    for body in bodies:
        assert [error.message for error in validator.iter_errors(body)] == []
        assert {entry["key"] for entry in body["extras"]} >= {"kode_wilayah", "periode_mulai", "satuan", "metode"}


@pytest.mark.parametrize(
    ("text", "name"), [("Diskominfo Kab. Kotawaringin Timur", "diskominfo-kab-kotawaringin-timur"), ("X", "x-")]
)
def test_names_for_ckan(text: str, name: str) -> None:
    """Lower case, letters, digits, hyphens, two at least."""
    assert name_of(text) == name


def test_metadata_say_what_satu_data_asks_for(published: Path) -> None:
    """Title, producer, region code, coverage, period, unit, method and licence, and each column with its unit."""
    for name in DATASETS:
        said = _json(published / f"{name}.metadata.json")
        for key in ("title", "producer", "region_code", "coverage", "unit", "method", "licence", "contact"):
            assert said[key], (name, key)
        assert said["period"] == {"start": "2026-02-01", "end": "2026-02-28"}
        assert [column["name"] for column in said["columns"]] == list((_rows(published, name) or [{}])[0])
        assert said["suppression"]["least"] == 3
        assert _json(published / f"{name}.json")["metadata"] == said


def test_small_counts_are_hidden_and_say_so(published: Path) -> None:
    """Fewer links than three: neither the count nor a figure; four are told."""
    rows = _rows(published, "pemakaian-bandwidth")
    hidden = [row for row in rows if row["keterangan"] == "disembunyikan"]
    told = [row for row in rows if row["kecamatan"] == "Metro Timur"]
    assert hidden
    for row in hidden:
        assert (row["jumlah"], row["volume_gb"], row["rata_rata_mbps"], row["kelengkapan"]) == ("", "", "", "")
    assert [(row["arah"], row["jumlah"]) for row in told] == [("unduh", "4"), ("unggah", "4")]
    assert all(float(row["volume_gb"]) > 0 for row in told)
    for name in DATASETS - {"kapasitas-internet", "kemajuan-pemasangan"}:
        assert not [row for row in _rows(published, name) if row["jumlah"] in ("1", "2")]


def test_figures_are_those_of_the_history(published: Path, measured: City) -> None:
    """The volume of the four access points is what `usage` says of them."""
    links = [f"wifi-taman-{n}" for n in range(1, 5)]
    window = ("--start", "2026-02-01", "--end", "2026-03-01", "--format", "json")
    used = json.loads(measured.run("usage", *links, *window).stdout)
    octets = sum(entry["octets"] for entry in used if entry["direction"] == "down")
    (row,) = [
        row for row in _rows(published, "pemakaian-bandwidth") if row["kecamatan"] == "Metro Timur" and row["arah"] == "unduh"
    ]
    assert float(row["volume_gb"]) == round(octets / 1e9, 1)


def test_contracts_are_numbered_not_named(published: Path) -> None:
    """What was bought, from whom, for how much: public; the office's own id of the contract is not."""
    (row,) = _rows(published, "kapasitas-internet")
    assert (row["nomor"], row["penyedia"], row["unduh_mbps"], row["harga"]) == ("1", "PT Penyedia Contoh", "100.0", "60000000")


def test_nothing_internal_is_in_any_file(published: Path) -> None:
    """A crawl over names and contents of all files."""
    assert len(list(published.rglob("*.*"))) == 21
    assert [leak for leak in leaks(published) if leak[1] != "rtr-"] == []
    assert not [path for path in published.rglob("*.*") if "taman" in path.read_text().lower()]


def test_too_little_data_is_said_and_not_guessed(city: City) -> None:
    """A month that was not measured has no figures: `data tidak cukup` with its completeness."""
    city.run("export", "satudata", city.folder / "data")
    rows = _rows(city.folder / "data", "ketersediaan-layanan")
    assert {row["keterangan"] for row in rows} <= {"disembunyikan", "data tidak cukup"}
    assert all(row["ketersediaan"] == "" for row in rows)


@pytest.mark.parametrize(("text", "said"), [("2026-13", "not a month"), ("kemarin", "not a month"), ("2026-03", "is not over")])
def test_a_month_must_be_one_that_is_over(text: str, said: str) -> None:
    """What is published is final."""
    with pytest.raises(UsageError, match=said):
        period(text, "Asia/Jakarta", datetime(2026, 3, 15, tzinfo=UTC))
