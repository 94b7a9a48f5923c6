"""`top`: who uses the links now, and for what."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from bwmgr.cli.output import Column, Row, emit, format_option, note, print_table
from bwmgr.cli.session import Session, complete_links
from bwmgr.daemon.labels import CLASSES
from bwmgr.language import Words, mark

if TYPE_CHECKING:
    from bwmgr.daemon.application import Application
    from bwmgr.stores.flow_history import Used

_INCOMPLETE = 3
_BY = {
    "host": mark("Host"),
    "conversation": mark("Conversation"),
    "application": mark("Application"),
    "class": mark("Traffic class"),
    "asn": mark("AS number"),
}
_NOTHING = mark(
    "No flows yet: the daemon writes them every minute once `netflow` is configured and routers send. See `bwmgr doctor`."
)


@click.command()
@click.argument("link", required=False, shell_complete=complete_links)
@click.option("--by", type=click.Choice(tuple(_BY)), default="application", show_default=True)
@click.option(
    "--minutes", type=click.IntRange(1, 1440), default=5, show_default=True, help="For applications and classes: how far back."
)
@click.option("--count", type=click.IntRange(1, 1000), default=10, show_default=True, help="Rows of each link and direction.")
@format_option
@click.pass_obj
def top(session: Session, link: str | None, by: str, minutes: int, count: int, form: str) -> None:
    """Who uses LINK (default: all links together), and for what. Exit 3 where no daemon has written any flows."""
    from bwmgr.daemon.status import choose_links

    links = [one.id for one in choose_links(session.settings.inventory, [link] if link else [])]
    with session.application() as application:
        document = (_of_view if by in {"host", "conversation", "asn"} else _of_store)(application, links, by, minutes)
    rows = _cut(document.pop("rows"), count)
    document["rows"] = rows
    emit(form, document, rows, lambda: _print(session.words, by, document))
    if not rows:
        note(session.words.text(_NOTHING))
        sys.exit(_INCOMPLETE)
    if document["old"]:
        at = datetime.fromisoformat(document["end"])
        note(session.words.text("These flows are of {end_at}: is the daemon running?", end_at=at))
        sys.exit(_INCOMPLETE)


def _of_store(application: Application, links: Sequence[str], by: str, minutes: int) -> dict[str, Any]:
    """From the stored minutes."""
    from bwmgr.daemon.application import FRESH_FLOWS_SECONDS
    from bwmgr.daemon.status import rfc3339
    from bwmgr.stores.flow_history import newest_minute, used

    end = newest_minute(application.store)
    if end is None:
        return {"start": None, "end": None, "seconds": 0, "old": False, "rows": []}
    start, seconds = end - timedelta(minutes=minutes), minutes * 60
    found = used(application.store, start, end, by=by, links=links or None, together=not links)
    return {
        "start": rfc3339(start),
        "end": rfc3339(end),
        "seconds": seconds,
        "old": (application.clock.now() - end).total_seconds() > FRESH_FLOWS_SECONDS,
        "rows": [used_document(one, by, seconds) for one in found],
    }


def used_document(one: Used, by: str, seconds: float) -> dict[str, Any]:
    """What one link (none: all together) used of one application or class; the mean is over `seconds`."""
    return {
        "link": one.link or None,
        "direction": one.direction,
        by: one.name,
        "octets": one.octets,
        "mean_bps": round(one.mean_bps(seconds)),
        "share_ratio": round(one.share_ratio, 6),
        "packets": one.packets,
        "flows": one.flows,
        "sampled": one.sampled,
    }


def _of_view(application: Application, links: Sequence[str], by: str, minutes: int) -> dict[str, Any]:
    """From the daemon's newest view; its interval is its own."""
    from bwmgr.daemon.application import FRESH_FLOWS_SECONDS
    from bwmgr.daemon.flow_messages import read_snapshot

    view = read_snapshot(application.folder)
    if view is None:
        return {"start": None, "end": None, "seconds": 0, "old": False, "rows": []}
    found, at = view["top"], datetime.fromisoformat(view["at"])
    rows = [
        {
            "link": link,
            "direction": direction,
            **{key: row[key] for key in ("host", "remote", "asn") if key in row},
            "octets": row["octets"],
            "mean_bps": round(row["octets"] * 8 / found["seconds"]) if found["seconds"] else 0,
            "share_ratio": row["share_ratio"],
        }
        for link, kinds in found["links"].items()
        if not links or link in links
        for direction, largest in kinds.get(by, {}).items()
        for row in largest
    ]
    if not links:
        rows.sort(key=lambda row: (row["direction"], -row["octets"]))
    return {
        "start": found["start"],
        "end": found["end"],
        "seconds": found["seconds"],
        "old": (application.clock.now() - at).total_seconds() > FRESH_FLOWS_SECONDS,
        "approximate": found["approximate"],
        "rows": rows,
    }


def _cut(rows: Sequence[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """The first rows of each link and direction, or of each direction where links are mixed."""
    seen: dict[str, int] = {}
    kept = []
    for row in rows:
        seen[row["direction"]] = seen.get(row["direction"], 0) + 1
        if seen[row["direction"]] <= count:
            kept.append(row)
    return kept


def _print(words: Words, by: str, document: dict[str, Any]) -> None:
    rows = document["rows"]
    if not rows:
        return
    start, end = (datetime.fromisoformat(document[name]) for name in ("start", "end"))
    print_used(words, by, rows, words.text("{start_at} to {end_at}", start_at=start, end_at=end))


def print_used(words: Words, by: str, rows: Sequence[dict[str, Any]], title: str) -> None:
    """A table of rows as `used_document` makes them."""
    columns = [Column(heading=words.text("Direction"), cell=lambda row: words.direction(row["direction"]))]
    if any(row["link"] for row in rows):
        columns.insert(0, Column(heading=words.text("Link"), cell=lambda row: row["link"] or ""))
    columns += [
        Column(heading=words.text(_BY[by]), cell=lambda row: _named(words, row, by)),
        Column(heading=words.text("Mean"), right=True, cell=lambda row: words.rate(row["mean_bps"])),
        Column(heading=words.text("Share"), right=True, cell=lambda row: words.ratio(row["share_ratio"])),
        Column(heading=words.text("Volume"), right=True, cell=lambda row: words.octets(row["octets"])),
    ]
    print_table(title, columns, rows)


def _named(words: Words, row: Row, by: str) -> str:
    if by == "conversation":
        return f"{row['host']} – {row['remote']}"
    if by == "class":
        return words.text(CLASSES[row["class"]])
    return str(row[by])
