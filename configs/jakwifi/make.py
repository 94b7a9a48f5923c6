"""Writes nodes.csv, devices.csv and links.csv of the JakWifi example from kelurahan.txt: the same ones each time.

Published: 9,000 points in two months, of which 2,619 existing, 1,200 budgeted, partners' beside them. How far each is, its place,
address and rates are illustrative. Run it in this folder: `python make.py`.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

FOLDER = Path(__file__).parent
CITIES = {
    "31.01": "Kepulauan Seribu",
    "31.71": "Jakarta Pusat",
    "31.72": "Jakarta Utara",
    "31.73": "Jakarta Barat",
    "31.74": "Jakarta Selatan",
    "31.75": "Jakarta Timur",
}
# (whose, their number by how far they are)
GROUPS = (
    ("dki", {"active": 2619}),
    ("apbd", {"active": 500, "trial": 250, "installed": 250, "planned": 200}),
    ("mitra", {"active": 3181, "trial": 500, "installed": 700, "planned": 800}),
)
LINK_COLUMNS = (
    "id,name,kind,parent,interface.device,interface.if_name,interface.faces,limit.down,limit.up,mir.down,mir.up,class,"
    "site.kecamatan,site.kelurahan,site.code,site.medium,site.status"
)


def places() -> list[tuple[str, str, str]]:
    """(code of the kelurahan, its kecamatan, its name), in the order of codes."""
    found = []
    for line in (FOLDER / "kelurahan.txt").read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            head, _, names = line.partition(": ")
            code, _, district = head.partition(" ")
            found += [(f"{code}.{1001 + place}", district, name) for place, name in enumerate(names.split(", "))]
    return found


def points() -> Iterator[tuple[str, str]]:
    """(id, status) of each point: existing ones first."""
    for whose, counts in GROUPS:
        statuses = [status for status, count in counts.items() for _ in range(count)]
        yield from ((f"{whose}-{number:04}", status) for number, status in enumerate(statuses, 1))


def nodes() -> Iterator[tuple[str, ...]]:
    yield "id", "name", "parent", "capacity.down", "capacity.up"
    yield from ((code, name, "jakarta", "20G", "20G") for code, name in CITIES.items())
    districts = {code[:8]: district for code, district, _ in places()}
    yield from ((code, f"Kecamatan {district}", code[:5], "2G", "2G") for code, district in districts.items())


def devices() -> Iterator[tuple[str, ...]]:
    yield "id", "address"
    for number, (name, status) in enumerate(points()):
        if status != "planned":
            yield f"ap-{name}", f"10.{64 + number // 62500}.{number // 250}.{number % 250 + 1}"


def links() -> Iterator[tuple[str, ...]]:
    yield tuple(LINK_COLUMNS.split(","))
    where = places()
    for number, (name, status) in enumerate(points()):
        code, district, kelurahan = where[number % len(where)]
        port = ("", "", "") if status == "planned" else (f"ap-{name}", "ether1", "subscriber")
        rates = ("50M", "50M", "100M", "100M") if name.startswith("mitra") else ("20M", "20M", "50M", "50M")
        medium = "" if status == "planned" else "fibre"
        title = f"JakWiFi {kelurahan} {number // len(where) + 1}"
        yield name, title, "wifi", code[:8], *port, *rates, "public", district, kelurahan, code, medium, status


def write_lists(folder: Path) -> None:
    for name, rows in (("nodes", nodes()), ("devices", devices()), ("links", links())):
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(rows)


if __name__ == "__main__":
    write_lists(FOLDER)
