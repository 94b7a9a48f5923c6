"""`evidence build`: everything of a period that an auditor needs, in one signed archive.

Owns which files a pack holds and their columns. How the archive is written, and how it is checked without bwmgr, is
`bwmgr.reports.evidence`. No secret goes in: no credential, no key; nor, but in the journal where somebody
changed it, an address of a device.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from bwmgr import __version__
from bwmgr.allocate import allocate
from bwmgr.allocate.tree import capacity_nodes, link_of
from bwmgr.config.shown_inventory import inventory as shown_inventory
from bwmgr.daemon.evidence_figures import OUTAGE_SECONDS, PERCENTILE, Cells, Figures, Found, sized_bps
from bwmgr.daemon.judging import said
from bwmgr.daemon.monthly import kept_content
from bwmgr.daemon.request_verdicts import ENOUGH_RATIO, HEADROOM
from bwmgr.daemon.rollout import all_steps, history
from bwmgr.daemon.status import rfc3339
from bwmgr.measure.calendars import instant_ms, public_holidays
from bwmgr.measure.columns import Rows
from bwmgr.measure.windows import SATURATED_RATIO
from bwmgr.model.bandwidth import CapacityLeaf
from bwmgr.model.inventory import Direction
from bwmgr.reports.documents.tables import csv_text
from bwmgr.reports.evidence.pack import PackWriter
from bwmgr.reports.evidence.verifier import check
from bwmgr.reports.evidence.verifier.months import FOLDER as MONTHS
from bwmgr.reports.evidence.verifier.samples import COLUMNS
from bwmgr.reports.evidence.verifier.trail import JOURNAL
from bwmgr.stores import LINK_RATE

if TYPE_CHECKING:
    from bwmgr.daemon.application import Application
    from bwmgr.daemon.planning import Requests
    from bwmgr.stores.journal_keys import SigningKey

_KEY = ("measurement", "series")
_COLUMNS: Mapping[str, tuple[str, ...]] = {
    check.USAGE: (
        *_KEY, "direction", "calendar", "samples", "octets", "mean_bps", "p95_bps", "max_bps", "coverage_ratio", "enough",
        "saturated_ratio",
    ),
    check.AVAILABILITY: (*_KEY, "up_seconds", "down_seconds", "unknown_seconds", "availability_ratio"),
    check.OUTAGES: (*_KEY, "start_ms", "end_ms", "sign"),
    check.NEEDS: (
        *_KEY, "direction", "calendar", "kind", "samples", "low_bps", "high_bps", "held_ratio", "highest_limit_bps", "sqrt_bps",
        "log_bps", "limit_bps",
    ),
    check.REQUESTS: (*_KEY, "direction", "requested_bps", "verdict"),
}  # fmt: skip
_SECTIONS = ("organisation", "calendars", "providers", "nodes", "links", "events")
_PRIVATE = ("networks", "shaper")


@dataclass(frozen=True, kw_only=True)
class Built:
    """What was written: series and rows of samples, and the public key that checks it."""

    path: Path
    series: int
    rows: int
    not_enough: int
    """Figures under the calendar of their link that are not known well enough."""
    public_key: str


def build_pack(
    application: Application,
    start: datetime,
    end: datetime,
    path: Path,
    key: SigningKey,
    *,
    requests: Requests | None = None,
    progress: Callable[[float], None] = lambda _: None,
) -> Built:
    """Writes the pack of [start, end) to `path`. The same history and configuration give the same octets.

    `requests`: what agencies asked for, to stand beside their needs.

    Raises: OSError where the file cannot be written, StoreError, UsageError for requests of unknown links.
    """
    figures = Figures(application, start, end, requests)
    tables: dict[str, list[Cells]] = {name: [] for name in _COLUMNS}
    series: list[Cells] = []
    rows = 0
    with PackWriter(path, key, _about(application, start, end)) as pack:
        for number, found in enumerate(figures, 1):
            file = _sample_file(found, number)
            pack.add(file, _samples(found.rows))
            series.append(_series_row(application, found, file))
            for name, cells in zip(
                _COLUMNS, (found.usage, [found.availability], found.outages, found.needs, found.requests), strict=True
            ):
                tables[name] += cells
            rows += len(found.rows)
            progress(number / len(figures.series))
        pack.add(check.SERIES, _table(list(series[0]) if series else [], series))
        for name, columns in _COLUMNS.items():
            pack.add(name, _table(columns, tables[name]))
        pack.add_json(check.SHARING, _sharing(application, tables[check.NEEDS]))
        pack.add_json(check.METHODS, _methods(application, figures, start, end))
        _add_records(pack, application, start, end)
    lacking = [cells for cells in tables[check.USAGE] if not cells["enough"]]
    return Built(path=path, series=len(series), rows=rows, not_enough=len(lacking), public_key=key.public.hexadecimal)


def _about(application: Application, start: datetime, end: datetime) -> dict[str, Any]:
    office = application.inventory.organisation
    about = {"organisation": office.name, "timezone": office.timezone, "start": rfc3339(start), "end": rfc3339(end)}
    return {**about, "bwmgr": __version__}


def _sample_file(found: Found, number: int) -> str:
    """Links by their id, which is a plain word; uplinks, whose names are longer, by number."""
    if found.series.measurement == LINK_RATE:
        return f"samples/links/{found.series.name}.csv"
    return f"samples/uplinks/{number:04}.csv"


def _samples(rows: Rows) -> bytes:
    """Rates in full precision; nothing in place of NaN, `inf` where there is no limit."""
    import pyarrow as pa
    from pyarrow import csv

    columns = {name: pa.array(rows[name].astype("f8") if rows[name].dtype.kind == "f" else rows[name], from_pandas=True)
               for name in COLUMNS}  # fmt: skip
    stream = io.BytesIO()
    csv.write_csv(pa.table(columns), stream)
    return stream.getvalue()


def _series_row(application: Application, found: Found, file: str) -> Cells:
    link = application.inventory.links.get(found.series.name) if found.series.measurement == LINK_RATE else None
    return {
        "measurement": found.series.measurement,
        "series": found.series.name,
        "file": file,
        "calendars": " ".join(found.series.calendars),
        "name": link.name if link else "",
        "kind": str(link.kind) if link else "",
        "parent": link.parent if link else None,
    }


def _table(columns: Sequence[str], rows: Iterable[Cells]) -> bytes:
    return csv_text(columns, [[cells[name] for name in columns] for cells in rows]).encode()


def _sharing(application: Application, needs: Sequence[Cells]) -> dict[str, Any]:
    """For each direction the tree with what its links need, and what each gets by the guarantees and weights in force."""
    found: dict[str, Any] = {}
    for way in Direction:
        wanted = {cells["series"]: sized_bps(cells) for cells in needs if cells["direction"] == way}
        nodes = capacity_nodes(application.inventory, way)
        leaves = [
            CapacityLeaf(
                id=f"link:{link.id}",
                parent=link.parent,
                demand_bps=float(link.cir[way]) if (rate := wanted.get(link.id)) is None else rate,
                cir_bps=float(link.cir[way]),
                mir_bps=link.mir[way],
                weight=link.weight,
                service_class=link.service_class,
            )
            for link in application.inventory.links.values()
        ]
        shares = {link_of(one.id): one for one in allocate(nodes, leaves).allocations}
        found[str(way)] = {
            "nodes": [
                {"id": node.id, "parent": node.parent, "capacity_bps": node.capacity_bps, "cir_bps": node.cir_bps,
                 "weight": node.weight, "fairness": node.fairness}
                for node in nodes
            ],
            "links": [
                {"id": (name := link_of(leaf.id)), "parent": leaf.parent, "class": str(leaf.service_class),
                 "demand_bps": leaf.demand_bps, "cir_bps": leaf.cir_bps, "mir_bps": leaf.mir_bps, "weight": leaf.weight,
                 "limit_bps": application.inventory.links[name].limit[way], "allocation_bps": shares[name].allocation_bps,
                 "bottleneck": shares[name].bottleneck}
                for leaf in leaves
            ],
        }  # fmt: skip
    return found


def _methods(application: Application, figures: Figures, start: datetime, end: datetime) -> dict[str, Any]:
    """Every parameter that the figures rest on; calendars as their open time in the period."""
    return {
        "start_ms": instant_ms(start),
        "end_ms": instant_ms(end),
        "percentile": PERCENTILE,
        "percentile_method": "nearest-rank",
        "saturated_from_ratio": SATURATED_RATIO,
        "enough_ratio": ENOUGH_RATIO,
        "request_headroom": HEADROOM,
        "outage_seconds": OUTAGE_SECONDS,
        "witnesses": figures.has_witnesses,
        "calendars": {name: spans.tolist() for name, spans in figures.spans.items()},
        "calendar_rules": {name: _rule(application, name, start, end) for name in figures.spans},
        "interval_seconds": application.settings.snmp.interval_seconds,
        "policies": [choice.name for choice in application.settings.policies],
    }


def _rule(application: Application, name: str, start: datetime, end: datetime) -> dict[str, Any]:
    """A calendar's week as [opens, closes] by day, Monday first, and its closed days of the period, public holidays with them."""
    calendar = application.inventory.calendars[name]
    zone = ZoneInfo(application.inventory.organisation.timezone)
    first, last = start.astimezone(zone).date() - timedelta(days=1), end.astimezone(zone).date()
    closed = set(calendar.closed)
    for year in range(first.year, last.year + 1) if calendar.holidays else ():
        closed |= public_holidays(calendar.holidays or "", year)
    week = calendar.weekly or ((((time(0), None),),) * 7)
    return {
        "week": [[[f"{opens:%H:%M}", f"{closes or time(0):%H:%M}"] for opens, closes in hours] for hours in week],
        "closed": sorted(day.isoformat() for day in closed if first <= day <= last),
    }


def _add_records(pack: PackWriter, application: Application, start: datetime, end: datetime) -> None:
    """What was agreed, configured, recommended and decided, and the explanations."""
    shown = shown_inventory(application.inventory)
    links = [{key: said for key, said in link.items() if key not in _PRIVATE} for link in shown.get("links", [])]
    pack.add_json("inventory.json", {key: shown[key] for key in _SECTIONS if key in shown} | {"links": links})
    limits = [
        {"link": link, "from": rfc3339(at), "down_bps": limit.down, "up_bps": limit.up}
        for link, history in sorted(application.state.all_limits().items())
        for at, limit in history
        if at < end
    ]
    pack.add("limits.csv", _table(("link", "from", "down_bps", "up_bps"), limits))
    pack.add("recommendations.jsonl", "".join(_recommendations(application, start, end)).encode())
    pack.add("rollout.csv", _table(("link", "status", "on"), _steps(application, end)))
    pack.add("causes.jsonl", "".join(_causes(application, end)).encode())
    months = list(_months(application, start, end))
    for name, content in months:
        pack.add(f"{MONTHS}/{name}.json", content)
    closed = [datetime.fromisoformat(json.loads(content)["closed_at"]) for _, content in months]
    pack.add(JOURNAL, "".join(_journal(application, max([end, *closed]))).encode())
    for language in ("id", "en"):
        name = f"README.{language}.txt"
        pack.add(name, (files("bwmgr.reports.evidence") / name).read_bytes())


def _steps(application: Application, end: datetime) -> list[Cells]:
    last = end.astimezone(ZoneInfo(application.inventory.organisation.timezone)).date()
    steps = all_steps(application.inventory, history(application.state))
    return [{"link": step.link, "status": str(step.status), "on": step.on} for step in steps if step.on < last]


def _causes(application: Application, end: datetime) -> Iterator[str]:
    """What people said of outages' causes, by series."""
    for series, words in sorted(said(application.state).items()):
        for start, word in words:
            if word.at < end:
                document = {"series": series, "outage_start": rfc3339(start), "cause": str(word.cause), "by": word.by,
                            "at": rfc3339(word.at), "note": word.note}  # fmt: skip
                yield json.dumps(document, ensure_ascii=False) + "\n"


def _journal(application: Application, last: datetime) -> Iterator[str]:
    """Every entry up to the period's end, or the last closing of one of its months; from the first on, so that the chain can be
    followed."""
    until = last.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    for row in application.trail.journal.rows():
        if row.at > until:
            return
        yield json.dumps({"body": row.body, "hash": row.hash, "signature": row.signature}, ensure_ascii=False) + "\n"


def _months(application: Application, start: datetime, end: datetime) -> Iterator[tuple[str, bytes]]:
    """The figures of the months of the period, each time that they were closed, as `2026-01.1`."""
    zone = ZoneInfo(application.inventory.organisation.timezone)
    day, last = start.astimezone(zone).date().replace(day=1), end.astimezone(zone).date()
    while day <= last:
        revision = 1
        while (content := kept_content(application.state, f"{day:%Y-%m}", revision)) is not None:
            yield f"{day:%Y-%m}.{revision}", content
            revision += 1
        day = (day + timedelta(days=32)).replace(day=1)


def _recommendations(application: Application, start: datetime, end: datetime) -> Iterable[str]:
    """Those of the period with every step of their lives up to its end, oldest first."""
    from bwmgr.engine.document import recommendation_document

    of_period = [one for one in application.state.recommendations() if start <= one.created_at < end]
    for one in sorted(of_period, key=lambda one: (one.created_at, one.id)):
        changes = [
            {"at": rfc3339(step.at), "status": str(step.status), "by": step.by, "note": step.note}
            for step in application.state.changes(one.id)
            if step.at < end
        ]
        document = {**recommendation_document(one, one.reason.message), "changes": changes}
        yield json.dumps(document, ensure_ascii=False) + "\n"
