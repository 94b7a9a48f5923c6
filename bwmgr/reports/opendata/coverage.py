"""The public feed of a roll-out: points as GeoJSON (RFC 7946), CSV and JSON, places and progress, their schema, and a map page.

Owns the shapes, which `schema.json` describes (JSON Schema 2020-12), and the map: a picture of its own (SVG), without foreign
scripts, fonts or tiles, so that it works from a disk. Which points, and what of them, is decided by who calls.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from bwmgr.language import Words, mark
from bwmgr.reports.documents.tables import csv_text
from bwmgr.reports.opendata.files import Contents, json_octets

STATES = ("planned", "installed", "trial", "active")
POINT_KEYS = ("id", "kind", "status", "since", "code", "kecamatan", "kelurahan", "lat", "lon", "medium")
PLACE_KEYS = ("code", "kecamatan", "kelurahan", *STATES, "total", "latest")
PROGRESS_KEYS = ("date", *STATES)
KINDS = ("opd", "facility", "village", "wifi", "event")
TITLES = {"planned": mark("planned"), "installed": mark("installed"), "trial": mark("trial"), "active": mark("active")}
_WIDTH, _MOST_HEIGHT, _MARGIN = 900.0, 900.0, 24.0
_LABELS = 60
_CROWD = 2000
_LETTER, _LINE, _LINES = 6.5, 13.0, 4
"""A name's letters are so wide and its line so high, in pixels; it may stand so many lines lower than its place."""

Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Feed:
    """All that is told: rows with the keys above, dates as ISO 8601 text."""

    organisation: str
    updated: date
    licence: str
    points: Sequence[Row]
    places: Sequence[Row]
    progress: Sequence[Row]


def contents(feed: Feed, words: Words) -> Contents:
    """The files of the feed by name."""
    about = {"organisation": feed.organisation, "updated": feed.updated.isoformat(), "licence": feed.licence}
    return {
        "points.geojson": json_octets({"type": "FeatureCollection", **about, "features": [_feature(row) for row in feed.points]}),
        "points.json": json_octets({**about, "points": [dict(row) for row in feed.points]}),
        "points.csv": _table(POINT_KEYS, feed.points),
        "places.json": json_octets({**about, "places": [dict(row) for row in feed.places]}),
        "places.csv": _table(PLACE_KEYS, feed.places),
        "progress.json": json_octets({**about, "progress": [dict(row) for row in feed.progress]}),
        "progress.csv": _table(PROGRESS_KEYS, feed.progress),
        "schema.json": json_octets(schema()),
        "index.html": _page(feed, words).encode(),
    }


def schema() -> dict[str, Any]:
    """JSON Schema of each file, under its name in `$defs`."""
    text, count = {"type": ["string", "null"]}, {"type": "integer", "minimum": 0}
    day, maybe_day = {"type": "string", "format": "date"}, {"type": ["string", "null"], "format": "date"}
    about = {"organisation": {"type": "string"}, "updated": day, "licence": {"type": "string"}}
    point = {
        "id": {"type": "string", "pattern": "^[0-9a-f]{12}$"},
        "kind": {"enum": list(KINDS)},
        "status": {"enum": list(STATES)},
        "since": maybe_day,
        "code": {"type": ["string", "null"], "pattern": r"^\d{2}(\.\d{2}){0,2}(\.\d{4})?$"},
        "kecamatan": text,
        "kelurahan": text,
        "lat": {"type": ["number", "null"], "minimum": -90, "maximum": 90},
        "lon": {"type": ["number", "null"], "minimum": -180, "maximum": 180},
        "medium": text,
    }
    properties = {key: point[key] for key in POINT_KEYS if key not in ("lat", "lon")}
    geometry = _object({"type": {"const": "Point"}, "coordinates": {"type": "array", "minItems": 2, "maxItems": 2,
                                                                   "items": {"type": "number"}}})  # fmt: skip
    feature = _object(
        {"type": {"const": "Feature"}, "id": point["id"], "geometry": {"anyOf": [{"type": "null"}, geometry]},
         "properties": _object(properties)}
    )  # fmt: skip
    place = {**dict.fromkeys(PLACE_KEYS[:3], text), **dict.fromkeys((*STATES, "total"), count), "latest": maybe_day}
    files = {
        "points.geojson": {"type": {"const": "FeatureCollection"}, **about, "features": _list(feature)},
        "points.json": {**about, "points": _list(_object(point))},
        "places.json": {**about, "places": _list(_object(place))},
        "progress.json": {**about, "progress": _list(_object({"date": day, **dict.fromkeys(STATES, count)}))},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Public coverage feed",
        "$defs": {name: _object(properties) for name, properties in files.items()},
    }


def _object(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": dict(properties), "required": list(properties), "additionalProperties": False}


def _list(item: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": dict(item)}


def _feature(row: Row) -> dict[str, Any]:
    """A point whose place is not known has no geometry (RFC 7946 section 3.2)."""
    place = None if row["lat"] is None or row["lon"] is None else {"type": "Point", "coordinates": [row["lon"], row["lat"]]}
    properties = {key: row[key] for key in POINT_KEYS if key not in ("lat", "lon")}
    return {"type": "Feature", "id": row["id"], "geometry": place, "properties": properties}


def _table(keys: Sequence[str], rows: Sequence[Row]) -> bytes:
    return csv_text(keys, [[row[key] for key in keys] for row in rows]).encode()


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A point or a name on the map, in pixels."""

    x: float
    y: float
    text: str = ""
    status: str = ""


def _page(feed: Feed, words: Words) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("bwmgr.reports.opendata", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["_"] = words.text
    totals = {state: sum(place[state] for place in feed.places) for state in STATES}
    marks, names, height = _map(feed.points)
    return environment.get_template("coverage.html.j2").render(
        feed=feed, words=words, states=STATES, titles=TITLES, totals=totals, total=sum(totals.values()),
        marks=marks, names=names, width=_WIDTH, height=height, unplaced=len(feed.points) - len(marks),
        size=1 if len(marks) < _CROWD else 0.6,
    )  # fmt: skip


def _map(points: Sequence[Row]) -> tuple[list[Mark], list[Mark], float]:
    """Points and names of kecamatan, north up, a degree of longitude as wide as it is at the middle latitude."""
    placed = [row for row in points if row["lat"] is not None and row["lon"] is not None]
    if not placed:
        return [], [], 0.0
    south, north = min(row["lat"] for row in placed), max(row["lat"] for row in placed)
    west, east = min(row["lon"] for row in placed), max(row["lon"] for row in placed)
    narrow = math.cos(math.radians((south + north) / 2))
    across, up = max((east - west) * narrow, 1e-3), max(north - south, 1e-3)
    scale = min((_WIDTH - 2 * _MARGIN) / across, (_MOST_HEIGHT - 2 * _MARGIN) / up)

    def at(lat: float, lon: float) -> tuple[float, float]:
        return round(_MARGIN + (lon - west) * narrow * scale, 1), round(_MARGIN + (north - lat) * scale, 1)

    ordered = sorted(placed, key=lambda row: STATES.index(row["status"]))  # the furthest lie above
    marks = [Mark(x=x, y=y, status=row["status"]) for row in ordered for x, y in [at(row["lat"], row["lon"])]]
    districts: dict[str, list[Row]] = {}
    for row in placed:
        districts.setdefault(row["kecamatan"] or "", []).append(row)
    names = []
    for name, rows in sorted(districts.items()) if len(districts) <= _LABELS else ():
        x, y = at(sum(row["lat"] for row in rows) / len(rows), sum(row["lon"] for row in rows) / len(rows))
        names.append(Mark(x=x, y=y, text=name))
    return marks, _apart([name for name in names if name.text]), round(up * scale + 2 * _MARGIN, 1)


def _apart(names: Iterable[Mark]) -> list[Mark]:
    """Names that can be read: inside the picture, and below another one that stands in the way. One without a place near by is
    left out; the table has it."""
    written: list[Mark] = []
    for name in sorted(names, key=lambda name: (name.y, name.x)):
        half = _half_width(name)
        x = round(min(max(name.x, half), _WIDTH - half), 1)
        for line in range(_LINES):
            moved = replace(name, x=x, y=round(name.y + line * _LINE, 1))
            if not any(_overlap(moved, other) for other in written):
                written.append(moved)
                break
    return written


def _half_width(name: Mark) -> float:
    return len(name.text) * _LETTER / 2


def _overlap(one: Mark, other: Mark) -> bool:
    return abs(one.y - other.y) < _LINE and abs(one.x - other.x) < _half_width(one) + _half_width(other)
