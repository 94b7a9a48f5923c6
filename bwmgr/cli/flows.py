"""`flows`: what routers export about who uses each link."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from bwmgr.cli.output import Column, Row, emit, format_option, note, print_table
from bwmgr.errors import UsageError

_SHOWN = 200
"""Rows of a table for people; all of them go into JSON and CSV."""


@click.group()
def flows() -> None:
    """Flows: NetFlow v5 and v9, IPFIX and sFlow v5."""


@flows.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--summary", is_flag=True, help="Counts only.")
@format_option
def decode(file: Path, summary: bool, form: str) -> None:
    """Decode FILE: a pcap or pcapng, or a file of one datagram or more. Needs no configuration."""
    from bwmgr.errors import DecodeError
    from collectors.netflow.captures import datagrams
    from collectors.netflow.plain import decode_all

    try:
        records, found = decode_all(datagrams(file))
    except DecodeError as error:
        raise UsageError(f"{file}: {error}") from error
    if summary:
        document = found.document()
        emit(form, document, [document], lambda: _print_summary(document))
    else:
        emit(form, records, _as_rows(records) if form == "csv" else records, lambda: _print_records(records))
    for reason, count in sorted(found.problems.items()):
        note(f"{file}: {count} x {reason}")
    if found.waiting_octets:
        note(f"{file}: {found.waiting_octets} octets of data whose template is not in the file")
    if found.problems and not records:
        sys.exit(1)


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
