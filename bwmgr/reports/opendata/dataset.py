"""A dataset for everybody: rows, what each column means, and what the whole says of itself.

Owns the rule for small counts: where fewer links than the threshold stand behind a row, its figures are left out and the row says
so. Owns the files of a dataset; descriptions for catalogues are `dcat` and `ckan`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from bwmgr.reports.documents.tables import csv_text
from bwmgr.reports.opendata.files import Contents, json_octets

COUNT = "jumlah"
"""The column that says how many links stand behind a row."""
NOTE = "keterangan"
SMALL, LACKING = "disembunyikan", "data tidak cukup"
"""What a row's note says: too few links, or too little of the time measured."""

Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class DataColumn:
    """`unit` empty: none. `label` is for people."""

    name: str
    label: str
    type: Literal["string", "integer", "number", "date"] = "string"
    unit: str = ""


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """One table. `method` says how the figures come about; `unit` what they are in."""

    slug: str
    title: str
    description: str
    method: str
    unit: str
    keywords: Sequence[str]
    columns: Sequence[DataColumn]
    rows: Sequence[Row]


@dataclass(frozen=True, kw_only=True)
class About:
    """What all datasets of an export share. The period is [first, last], both days in it."""

    producer: str
    region: str
    coverage: str
    first: date
    last: date
    licence: str
    contact: str
    address: str
    language: str
    least: int


def with_small_hidden(rows: Sequence[Row], figures: Sequence[str], least: int) -> list[dict[str, Any]]:
    """The rows with a note; where 0 < count < `least`, the count and these figures are None."""
    found = []
    for row in rows:
        hidden = {**row, NOTE: row.get(NOTE, "")}
        if 0 < row[COUNT] < least:
            hidden |= {**dict.fromkeys((*figures, COUNT)), NOTE: SMALL}
        found.append(hidden)
    return found


def metadata(dataset: Dataset, about: About) -> dict[str, Any]:
    """All that Satu Data asks for: title, producer, region, coverage, period, unit, method, licence, columns."""
    return {
        "identifier": f"{about.region or 'id'}-{dataset.slug}",
        "title": dataset.title,
        "description": dataset.description,
        "producer": about.producer,
        "region_code": about.region,
        "coverage": about.coverage,
        "period": {"start": about.first.isoformat(), "end": about.last.isoformat()},
        "frequency": "monthly",
        "unit": dataset.unit,
        "method": dataset.method,
        "licence": about.licence,
        "contact": about.contact,
        "language": about.language,
        "keywords": list(dataset.keywords),
        "suppression": {"least": about.least, "hidden_rows": sum(row.get(NOTE) == SMALL for row in dataset.rows)},
        "incomplete_rows": sum(row.get(NOTE) == LACKING for row in dataset.rows),
        "columns": [
            {"name": column.name, "label": column.label, "type": column.type, "unit": column.unit} for column in dataset.columns
        ],
        "files": [f"{dataset.slug}.csv", f"{dataset.slug}.json"],
    }


def files(dataset: Dataset, about: About) -> Contents:
    """CSV, JSON and metadata of one dataset."""
    names = [column.name for column in dataset.columns]
    rows = [{name: row.get(name) for name in names} for row in dataset.rows]
    said = metadata(dataset, about)
    return {
        f"{dataset.slug}.csv": csv_text(names, [list(row.values()) for row in rows]).encode(),
        f"{dataset.slug}.json": json_octets({"metadata": said, "data": rows}),
        f"{dataset.slug}.metadata.json": json_octets(said),
    }
