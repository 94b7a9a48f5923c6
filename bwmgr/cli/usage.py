"""`status` and `usage`: what is going on, and what went on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from bwmgr.cli.instants import window
from bwmgr.cli.output import Column, console, emit, format_option, note, print_table
from bwmgr.cli.session import Session, complete_links
from bwmgr.daemon.labels import CLASSES, STATES
from bwmgr.errors import UsageError
from bwmgr.language import UNKNOWN, Words
from bwmgr.model.said import Said

if TYPE_CHECKING:
    from datetime import datetime

    from bwmgr.daemon.application import Application
    from bwmgr.daemon.status import LinkStatus, Status
    from bwmgr.model.inventory import Link
    from bwmgr.model.usage import UsageWindow
    from bwmgr.stores.flow_history import ClassRate

_DAY_SECONDS = 86400


@click.command()
@click.argument("links", nargs=-1, metavar="[LINK]...", shell_complete=complete_links)
@click.option("--all", "everything", is_flag=True, help="Every link, not only the worst and the silent ones.")
@format_option
@click.pass_obj
def status(session: Session, links: Sequence[str], everything: bool, form: str) -> None:
    """Now: the total against the contracts, the worst links, the silent ones, data completeness; or some LINKs."""
    from bwmgr.daemon.apply_records import stuck_documents
    from bwmgr.daemon.status import choose_links

    wanted = {link.id for link in choose_links(session.settings.inventory, links)}
    with session.application() as application:
        now = application.status()
        shown = tuple(link for link in now.links if link.id in wanted) if wanted else now.links
        document = now.document()
        if wanted:
            document["links"] = [link.document() for link in shown]
        classes = application.traffic_classes()
        open_count = len(application.state.recommendations(status="proposed"))
        document["traffic_classes"] = [one.document() for one in classes]
        document["recommendations"] = {"proposed": open_count}
        document["stuck_changes"] = stuck_documents(application.state)

    def table() -> None:
        words = session.words
        if wanted or everything:
            _print_links(words, None, shown)
        else:
            _print_overview(session, words, now, classes, open_count)
        for one in document["stuck_changes"]:
            console().print(words.text("STUCK: {id} of {link} on {device}: {trouble}", **one), style="bold red")

    emit(form, document, document["links"], table)


def _print_overview(session: Session, words: Words, now: Status, classes: Sequence[ClassRate], open_count: int) -> None:
    from bwmgr.daemon.status import LinkState
    from bwmgr.model.inventory import Direction

    out = console()
    out.print(f"{session.settings.inventory.organisation.name} · {words.instant(now.at)}", style="bold")
    out.print(words.text("Total download {down_bps}, upload {up_bps}", down_bps=now.total(Direction.DOWN),
                         up_bps=now.total(Direction.UP)))  # fmt: skip
    fresh = len(now.of(LinkState.OK, LinkState.DOWN))
    out.print(words.text("Data complete: {complete_ratio} ({fresh} of {polled} links)",
                         complete_ratio=now.completeness_ratio, fresh=fresh, polled=now.polled))  # fmt: skip
    out.print(words.plural("{count} recommendation waits for a decision", "{count} recommendations wait for a decision",
                           count=open_count))  # fmt: skip
    if now.contracts:
        out.print()
        _print_links(words, words.text("Contracts"), now.contracts)
    if classes:
        out.print()
        _print_classes(words, classes)
    worst = now.worst(10)
    if worst:
        out.print()
        _print_links(words, words.text("Closest to their limit"), worst)
    silent = now.of(LinkState.SILENT, LinkState.NEW)
    if silent:
        out.print()
        _print_links(words, words.text("Silent links"), silent)


def _print_links(words: Words, title: str | None, links: Sequence[LinkStatus]) -> None:
    from bwmgr.model.inventory import Direction

    columns = [
        Column(heading=words.text("Link"), cell=lambda row: row["of"].id),
        Column(heading=words.text("Name"), cell=lambda row: row["of"].name),
        Column(heading=words.text("State"), cell=lambda row: _state(words, row["of"])),
    ]
    for direction in Direction:
        columns += _direction_columns(words, direction)
    print_table(title, columns, [{"of": link} for link in links])


def _print_classes(words: Words, classes: Sequence[ClassRate]) -> None:
    """Domestic and international against what the contracts promise of each."""
    from bwmgr.model.inventory import Direction

    columns = [Column(heading=words.text("Traffic class"), cell=lambda row: words.text(CLASSES[row["traffic_class"]]))]
    columns += [_class_rate(words, direction) for direction in Direction]
    columns += [
        Column(heading=words.text("Contracted"), right=True, cell=lambda row: words.rate(row["contracted_bps"])),
        Column(heading="%", right=True, cell=lambda row: words.ratio(row["utilisation_ratio"])),
    ]
    print_table(words.text("Domestic and international, by flows of the last five minutes"), columns,
                [one.document() for one in classes])  # fmt: skip


def _class_rate(words: Words, direction: Any) -> Column:
    return Column(
        heading=words.direction(direction).capitalize(), right=True, cell=lambda row: words.rate(row[f"{direction}_bps"])
    )


def _direction_columns(words: Words, direction: Any) -> list[Column]:
    heading = words.direction(direction).capitalize()
    return [
        Column(heading=heading, right=True, cell=lambda row: words.rate(row["of"].rates[direction])),
        Column(heading=words.text("Limit"), right=True, cell=lambda row: words.limit(row["of"].limits[direction])),
        Column(heading="%", right=True, cell=lambda row: words.ratio(row["of"].utilisation(direction))),
    ]


def _state(words: Words, link: LinkStatus) -> str:
    state = words.text(STATES[link.state])
    if link.reason and link.state == "silent":
        return f"{state}: {words.gap(link.reason)}"
    return state


@click.command()
@click.argument("links", nargs=-1, metavar="[LINK]...", shell_complete=complete_links)
@click.option("--start", help="From this time on (default: a day before the end); without a zone, the organisation's.")
@click.option("--end", help="Up to, not including, this time (default: now).")
@click.option("--calendar", default="always", show_default=True, help="Only this calendar's time; `link`: each link's own.")
@click.option("--percentile", type=click.FloatRange(0, 100, min_open=True), default=95.0, show_default=True)
@click.option("--by", type=click.Choice(("application", "class")), help="What for, by flows: octets of each, and their share.")
@format_option
@click.pass_obj
def usage(
    session: Session,
    links: Sequence[str],
    start: str | None,
    end: str | None,
    calendar: str,
    percentile: float,
    by: str | None,
    form: str,
) -> None:
    """What LINKs (default: all) used in [start, end): mean, percentile, maximum, octets, and how complete the data are.

    With --by it is what they used it for: one row a link, direction and application (or class); without LINKs, of all together.
    """
    from bwmgr.daemon.status import choose_links

    inventory = session.settings.inventory
    if calendar != "link" and calendar not in inventory.calendars:
        raise UsageError(Said("no calendar {name!r}; there are {known}", name=calendar, known=", ".join(inventory.calendars)))
    chosen = [link.id for link in choose_links(inventory, links)] or list(inventory.links)
    if by is not None and calendar == "link":
        raise UsageError(Said("--by needs one calendar for all links: name it"))
    with session.application() as application:
        first, last = window(start, end, inventory.organisation.timezone, application.clock.now(), _DAY_SECONDS)
        if by is not None:
            _used_for(session, application, choose_links(inventory, links), (first, last), calendar, by, form)
            return
        found = application.usage(chosen, first, last, calendar=None if calendar == "link" else calendar, percentile=percentile)
    documents = [usage_document(entry) for entry in found]
    emit(form, documents, documents, lambda: _print_usage(session.words, found))
    if not any(entry.samples for entry in found):
        note(session.words.text("No samples in that window: see `bwmgr poll`, `bwmgr import` and `bwmgr doctor`."))


def _used_for(
    session: Session,
    application: Application,
    links: Sequence[Link],
    span: tuple[datetime, datetime],
    calendar: str,
    by: str,
    form: str,
) -> None:
    from bwmgr.cli.top import print_used, used_document
    from bwmgr.measure.calendars import open_seconds, spans
    from bwmgr.stores.flow_history import used

    words, inventory = session.words, session.settings.inventory
    open_ = spans(inventory.calendars[calendar], inventory.organisation.timezone, *span)
    found = used(application.store, *span, by=by, links=[link.id for link in links] or None, together=not links, within=open_)
    documents = [used_document(one, by, open_seconds(open_)) for one in found]
    title = words.text("{start_at} to {end_at}", start_at=span[0], end_at=span[1])
    emit(form, documents, documents, lambda: print_used(words, by, documents, title))
    if not found:
        note(words.text("No flows in that window: `bwmgr doctor` tells whether routers export them."))


def usage_document(entry: UsageWindow) -> dict[str, Any]:
    """One link and direction as `usage --format json` prints it."""
    from bwmgr.daemon.status import rfc3339

    return {
        "link": entry.link,
        "direction": str(entry.direction),
        "start": rfc3339(entry.start),
        "end": rfc3339(entry.end),
        "calendar": entry.calendar,
        "mean_bps": _whole(entry.mean_bps),
        "p95_bps" if entry.percentile == 95 else f"p{entry.percentile:g}_bps": _whole(entry.p95_bps),
        "max_bps": _whole(entry.max_bps),
        "octets": entry.octets,
        "samples": entry.samples,
        "coverage_ratio": round(entry.coverage_ratio, 6),
        "saturated_ratio": None if entry.saturated_ratio is None else round(entry.saturated_ratio, 6),
        "method": entry.method,
    }


def _print_usage(words: Words, found: Sequence[UsageWindow]) -> None:
    percentile = f"P{found[0].percentile:g}" if found else "P95"
    columns = [
        Column(heading=words.text("Link"), cell=lambda row: row["of"].link),
        Column(heading=words.text("Direction"), cell=lambda row: words.direction(row["of"].direction)),
        Column(heading=words.text("Mean"), right=True, cell=lambda row: words.rate(row["of"].mean_bps)),
        Column(heading=percentile, right=True, cell=lambda row: words.rate(row["of"].p95_bps)),
        Column(heading=words.text("Maximum"), right=True, cell=lambda row: words.rate(row["of"].max_bps)),
        Column(heading=words.text("Volume"), right=True, cell=lambda row: words.octets(row["of"].octets)),
        Column(heading=words.text("Samples"), right=True, cell=lambda row: words.number(row["of"].samples)),
        Column(heading=words.text("Complete"), right=True, cell=lambda row: words.ratio(row["of"].coverage_ratio)),
        Column(heading=words.text("Saturated"), right=True, cell=lambda row: _share(words, row["of"].saturated_ratio)),
    ]
    print_table(None, columns, [{"of": entry} for entry in found])
    if found:
        console().print(words.text("[{start_at}, {end_at}), calendar {calendar}, percentile by {method}", start_at=found[0].start,
                                   end_at=found[0].end, calendar=found[0].calendar, method=found[0].method))  # fmt: skip


def _share(words: Words, ratio: float | None) -> str:
    return UNKNOWN if ratio is None else words.ratio(ratio)


def _whole(figure: float | None) -> int | None:
    return None if figure is None else round(figure)
