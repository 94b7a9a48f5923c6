"""`flows`: what routers export about who uses each link."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from bwmgr.cli.instants import window
from bwmgr.cli.output import Column, Row, emit, format_option, note, print_table
from bwmgr.cli.session import Session, complete_links
from bwmgr.errors import UsageError
from bwmgr.language import UNKNOWN, Words, mark

_INCOMPLETE = 3
_HOUR_SECONDS, _DAY_SECONDS = 3600, 86400
_VERDICTS = {
    "agrees": mark("agrees"),
    "doubtful": mark("doubtful"),
    "differs": mark("differs"),
    "unknown": mark("too little to tell"),
}
_CAUSES = {
    "none": "",
    "no_flows": mark("the router exports no flows of this link"),
    "sampling_missing": mark("the router samples 1:{rate} and does not say so: set netflow.sampling"),
    "asymmetric_export": mark("one direction is not exported"),
    "wrong_networks": mark("as much traffic belongs to no link: check its networks"),
    "hardware_offload": mark("part of the traffic passes by the router's processor (offload, FastTrack): it exports none of it"),
    "counted_twice": mark("flows are counted twice, or scaled by a wrong sampling rate"),
}
_SHOWN = 200
"""Rows of a table for people; all of them go into JSON and CSV."""


@click.group()
def flows() -> None:
    """Flows: NetFlow v1, v5 and v9, IPFIX and sFlow v5."""


@flows.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--summary", is_flag=True, help="Counts only.")
@format_option
def decode(files: Sequence[Path], summary: bool, form: str) -> None:
    """Decode FILEs, in order: each a pcap or pcapng, or a file of one datagram or more. Needs no configuration.

    Templates of one file hold in those after it.
    """
    from bwmgr.errors import DecodeError
    from collectors.netflow.captures import datagrams
    from collectors.netflow.plain import decode_all

    try:
        records, found = decode_all(datagram for file in files for datagram in datagrams(file))
    except DecodeError as error:
        raise UsageError(error.detail or error.reason) from error
    if summary:
        document = found.document()
        emit(form, document, [document], lambda: _print_summary(document))
    else:
        emit(form, records, _as_rows(records) if form == "csv" else records, lambda: _print_records(records))
    for reason, count in sorted(found.problems.items()):
        note(f"{count} x {reason}")
    if found.waiting_octets:
        note(f"{found.waiting_octets} octets of data whose template is not in the file")
    if found.problems and not records:
        sys.exit(1)


@flows.command()
@click.option("--sql", help="A question in SQL over the view `flows`.")
@click.option("--link", shell_complete=complete_links, help="Only flows of this link's networks.")
@click.option("--host", "hosts", multiple=True, help="An address or network at either end; may be repeated.")
@click.option("--port", type=click.IntRange(0, 65535))
@click.option("--protocol", type=click.IntRange(0, 255), help="Its number: 6 TCP, 17 UDP.")
@click.option("--exporter", help="The router's address.")
@click.option("--start", help="Received from this time on (default: an hour before the end).")
@click.option("--end", help="Received before this time (default: now).")
@click.option("--limit", type=click.IntRange(1), default=1000, show_default=True)
@format_option
@click.pass_obj
def query(
    session: Session,
    sql: str | None,
    link: str | None,
    hosts: Sequence[str],
    port: int | None,
    protocol: int | None,
    exporter: str | None,
    start: str | None,
    end: str | None,
    limit: int,
    form: str,
) -> None:
    """Ask the flows that were kept (netflow.raw): by filters, or with --sql. The file of the hour under way is not among them."""
    from bwmgr.daemon.flow_plan import RAW_FOLDER
    from bwmgr.daemon.flow_query import Filter, network_of, sql_of
    from bwmgr.daemon.flow_query import query as ask
    from collectors.netflow.raw import files

    inventory = session.settings.inventory
    networks = tuple(network_of(host) for host in hosts) or None
    if link is not None:
        from bwmgr.daemon.status import choose_links

        (chosen,) = choose_links(inventory, [link])
        networks = (*(networks or ()), *chosen.networks)
    with session.application() as application:
        first, last = window(start, end, inventory.organisation.timezone, application.clock.now(), _HOUR_SECONDS)
        found = files(application.folder / RAW_FOLDER, first, last)
    if not found:
        note(session.words.text("No flows were kept in that window: netflow.raw keeps them, an hour to a file."))
        emit(form, [], [], lambda: None)
        sys.exit(_INCOMPLETE)
    wanted = Filter(networks=networks, port=port, protocol=protocol, exporter=exporter)
    rows = ask(found, sql or sql_of(wanted, first, last), limit=limit)
    emit(form, rows, rows, lambda: _print_rows(rows))


@flows.command("reconcile")
@click.argument("links", nargs=-1, metavar="[LINK]...", shell_complete=complete_links)
@click.option("--start", help="From this time on (default: a day before the end).")
@click.option("--end", help="Up to, not including, this time (default: now).")
@click.option("--all", "everything", is_flag=True, help="Also hours that agree.")
@format_option
@click.pass_obj
def reconcile_(session: Session, links: Sequence[str], start: str | None, end: str | None, everything: bool, form: str) -> None:
    """Compare flows with counters, link by link and hour by hour. Exit 3 where they differ by more than 30 %."""
    from bwmgr.daemon.flow_strays import strays
    from bwmgr.daemon.status import choose_links
    from bwmgr.measure.reconcile import Verdict
    from bwmgr.stores.flow_history import compare

    inventory = session.settings.inventory
    wanted = {link.id for link in choose_links(inventory, links)}
    with session.application() as application:
        first, last = window(start, end, inventory.organisation.timezone, application.clock.now(), _DAY_SECONDS)
        found = compare(inventory, application.store, first, last, partial(strays, application.state))
    compared = [one for one in found if not wanted or one.link in wanted]
    shown = [one for one in compared if everything or form != "table" or one.verdict in {Verdict.DIFFERS, Verdict.DOUBTFUL}]
    documents = [comparison_document(one) for one in shown]
    emit(form, documents, documents, lambda: _print_comparisons(session.words, documents))
    if not compared:
        note(session.words.text("No whole hour with counters in that window."))
    elif not shown:
        note(session.words.text("Flows and counters agree in all {count} cases.", count=len(compared)))
    if any(one.verdict is Verdict.DIFFERS for one in compared):
        sys.exit(_INCOMPLETE)


def comparison_document(one: Any) -> dict[str, Any]:
    """A `Comparison` as `flows reconcile --format json` prints it."""
    from datetime import UTC, datetime

    from bwmgr.daemon.status import rfc3339

    return {
        "link": one.link,
        "direction": str(one.direction),
        "start": rfc3339(datetime.fromtimestamp(one.start_ms / 1000, UTC)),
        "counter_octets": one.counter_octets,
        "flow_octets": one.flow_octets,
        "flow_packets": one.flow_packets,
        "ratio": None if one.ratio is None else round(one.ratio, 4),
        "verdict": str(one.verdict),
        "cause": str(one.cause),
        "sampling": one.sampling or None,
    }


def _print_comparisons(words: Words, documents: Sequence[Row]) -> None:
    if not documents:
        return
    columns = [
        Column(heading=words.text("Link"), cell=lambda row: row["link"]),
        Column(heading=words.text("Direction"), cell=lambda row: words.direction(row["direction"])),
        Column(heading=words.text("Hour"), cell=lambda row: words.text("{hour_at}", hour_at=row["start"])),
        Column(heading=words.text("Counters"), right=True, cell=lambda row: words.octets(row["counter_octets"])),
        Column(heading=words.text("Flows"), right=True, cell=lambda row: words.octets(row["flow_octets"])),
        Column(heading="%", right=True, cell=lambda row: UNKNOWN if row["ratio"] is None else words.ratio(row["ratio"])),
        Column(heading=words.text("Verdict"), cell=lambda row: words.text(_VERDICTS[row["verdict"]])),
        Column(heading=words.text("Likely cause"), cell=lambda row: _cause(words, row)),
    ]
    print_table(None, columns, documents)


def _cause(words: Words, row: Row) -> str:
    message = _CAUSES[row["cause"]]
    return words.text(message, rate=str(row["sampling"] or "")) if message else ""


def _column(name: str, *, right: bool) -> Column:
    return Column(heading=name, cell=lambda row: _cell(row, name), right=right)


def _print_rows(rows: Sequence[Row]) -> None:
    names = list(rows[0]) if rows else []
    columns = [_column(name, right=isinstance(rows[0][name], int)) for name in names]
    print_table(None, columns, rows[:_SHOWN])
    if len(rows) > _SHOWN:
        note(f"the first {_SHOWN} of {len(rows)} rows; --format json or csv has all of them")


def _as_rows(records: Sequence[Row]) -> list[Row]:
    """One set of columns for records of different templates, in the order in which they first appear."""
    columns = dict.fromkeys(name for record in records for name in record)
    return [{name: record.get(name) for name in columns} for record in records]


def _print_summary(document: dict[str, Any]) -> None:
    columns = [Column(heading="", cell=lambda row: row["name"]), Column(heading="", cell=lambda row: row["count"], right=True)]
    print_table(None, columns, [{"name": name, "count": _text(found)} for name, found in document.items()])


def _text(found: Any) -> str:
    if isinstance(found, dict):
        return ", ".join(f"{name} {count}" for name, count in found.items())
    return ", ".join(found) if isinstance(found, list) else str(found)


def _print_records(records: Sequence[Row]) -> None:
    columns = [
        Column(heading="kind", cell=lambda row: row["kind"]),
        Column(heading="source", cell=lambda row: _endpoint(row, "source")),
        Column(heading="destination", cell=lambda row: _endpoint(row, "destination")),
        Column(heading="protocol", cell=lambda row: _cell(row, "protocolIdentifier"), right=True),
        Column(heading="in", cell=lambda row: _cell(row, "ingressInterface"), right=True),
        Column(heading="out", cell=lambda row: _cell(row, "egressInterface"), right=True),
        Column(heading="octets", cell=lambda row: _cell(row, "octetDeltaCount"), right=True),
        Column(heading="packets", cell=lambda row: _cell(row, "packetDeltaCount"), right=True),
        Column(heading="1:N", cell=lambda row: _cell(row, "samplingInterval"), right=True),
        Column(heading="end", cell=lambda row: _cell(row, "flowEndMilliseconds")),
    ]
    print_table(None, columns, records[:_SHOWN])
    if len(records) > _SHOWN:
        note(f"the first {_SHOWN} of {len(records)} records; --format json or csv has all of them and every field")


def _endpoint(row: Row, which: str) -> str:
    address = row.get(f"{which}IPv4Address") or row.get(f"{which}IPv6Address") or ""
    port = row.get(f"{which}TransportPort")
    return f"{address} {port}" if port else str(address)


def _cell(row: Row, name: str) -> str:
    found = row.get(name)
    return "" if found is None else str(found)
