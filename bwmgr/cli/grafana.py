"""`bwmgr grafana`: the screens of a NOC as files that Grafana reads at its start."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bwmgr.cli.output import Column, emit, format_option, note, print_table
from bwmgr.errors import UsageError, unwritable
from bwmgr.model.said import Said

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bwmgr.cli.session import Session
    from bwmgr.reports.grafana.target import Target

_DAY_SECONDS = 86_400
_url = click.option("--url", metavar="URL", help="The InfluxDB as Grafana reaches it, where that is not store.url.")
_folder = click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))


@click.group()
def grafana() -> None:
    """Dashboards and alerts for Grafana over the InfluxDB store."""


@grafana.command()
@_folder
@_url
@format_option
@click.pass_obj
def install(session: Session, folder: Path, url: str | None, form: str) -> None:
    """Write data source, dashboards and alert rules into DIR, Grafana's provisioning folder.

    Run it again after each change of the configuration: what is up to date is left alone, files of others are never touched.
    With --lang the other language's dashboards come beside the first ones.
    """
    from bwmgr.reports.grafana.files import files
    from bwmgr.reports.grafana.install import install as write

    target = _target(session, url)
    try:
        placed = write(folder, files(target, folder))
    except OSError as error:
        raise UsageError(unwritable(error.filename, error)) from error
    rows = [{"path": str(one.path), "state": one.state} for one in placed]
    words = session.words
    columns = [
        Column(heading=words.text("File"), cell=lambda row: row["path"]),
        Column(heading=words.text("State"), cell=lambda row: row["state"]),
    ]
    emit(form, rows, rows, lambda: print_table(None, columns, rows))
    note(
        words.text(
            "Next: start Grafana anew; secrets come from its environment: {variables}", variables=", ".join(_secrets(target))
        )
    )


@grafana.command()
@_folder
@_url
@click.option("--ask", is_flag=True, help="Also ask the InfluxDB every query, over the last day.")
@format_option
@click.pass_obj
def check(session: Session, folder: Path, url: str | None, ask: bool, form: str) -> None:
    """Whether DIR holds what the configuration asks for: exit code 1 where a file is missing, old or unsound."""
    from bwmgr.reports.grafana.files import files
    from bwmgr.reports.grafana.install import mistakes

    target = _target(session, url)
    found = list(mistakes(folder, files(target, folder), session.words))
    if ask:
        found += _objections(session, target)
    emit(form, found, [{"problem": one} for one in found], lambda: click.echo("\n".join(found)) if found else None)
    if found:
        sys.exit(1)
    note(session.words.text("{folder}: all is as it should be", folder=str(folder)))


def _objections(session: Session, target: Target) -> Iterator[str]:
    """Queries that the server refuses; one without rows is none, since a link may simply be well."""
    from bwmgr.reports.grafana.asking import answers
    from bwmgr.reports.grafana.files import dashboards
    from bwmgr.stores.influx import Access
    from bwmgr.stores.influx.client import Client

    store = session.settings.store
    access = Access(
        url=target.influx.url,
        org=store.org,
        bucket=store.bucket,
        token=store.token,
        database=store.database,
        username=store.username,
        password=store.password,
    )
    client, now = Client(access), int(time.time())
    for document in dashboards(target).values():
        for one in answers(document, client.query, start=now - _DAY_SECONDS, end=now):
            if one.objection:
                yield f"{one.asked.dashboard}: {one.asked.place}: {one.objection}"


def _target(session: Session, url: str | None) -> Target:
    from bwmgr.reports.grafana.target import InfluxTarget, Target

    store = session.settings.store
    found = url or store.url
    if store.kind != "influxdb" or found is None:
        raise UsageError(
            Said("Grafana reads an InfluxDB, and store.kind is {kind}: set up an influxdb store first", kind=store.kind)
        )
    return Target(
        inventory=session.settings.inventory,
        words=session.words,
        influx=InfluxTarget(
            url=found,
            database=store.database or store.bucket or "bwmgr",
            token=store.token is not None,
            username=store.username,
        ),
        poll_seconds=max(1, round(session.settings.snmp.interval_seconds)),
    )


def _secrets(target: Target) -> list[str]:
    from bwmgr.reports.grafana.target import PASSWORD_VARIABLE, TOKEN_VARIABLE

    if target.influx.token:
        return [TOKEN_VARIABLE]
    return [PASSWORD_VARIABLE] if target.influx.username else ["-"]
