"""`import` and `store`: history from a file, and the data folder."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bwmgr.cli.files import sha256_of
from bwmgr.cli.output import emit, format_option, note
from bwmgr.cli.session import Session

if TYPE_CHECKING:
    from bwmgr.daemon.copying import Kind


@click.command("import")
@click.argument("path", metavar="FILE.csv", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--skip-bad", is_flag=True, help="Import the good rows though others are bad; exit 3 then.")
@click.pass_obj
def import_history(session: Session, path: Path, skip_bad: bool) -> None:
    """Load history from a CSV file, plain or gzip.

    \b
    Columns (a header line names them, in any order):
      time              2026-02-01T07:30:00+07:00; without an offset in the organisation's zone;
                        the end of the interval that the row is about
      link              the link's id in the configuration
      down_bps, up_bps  mean rates, bit/s; empty: no value is known
    and where known:
      interval_seconds                 else the time since the link's row before
      down_limit_bps, up_limit_bps     limits in force then; empty: unlimited

    Rows may be in any order. One bad row refuses the whole file and is named by its line. Importing a file again changes nothing.
    """
    from bwmgr.model.people import Role
    from bwmgr.stores.csv_history import import_csv

    person = session.acting(None, Role.OPERATOR)
    with session.application() as application, application.lock(), _progress(path.name) as show:
        now = application.clock.now()
        report = import_csv(
            path, application.store, application.inventory, now=now, skip_bad=skip_bad, progress=lambda rows: show(rows, None)
        )
        about = {"sha256": sha256_of(path), "rows": report.rows, "mistakes": report.mistaken}
        application.trail.record("history.imported", path.name, about, by=person)
    words = session.words
    for mistake in report.mistakes:
        note(str(mistake))
    if unnamed := report.mistaken - len(report.mistakes):
        note(words.plural("and {count} more mistake", "and {count} more mistakes", count=unnamed))
    note(words.plural("{count} row imported", "{count} rows imported", count=report.rows))
    if report.mistaken:
        note(words.plural("{count} mistake in the file", "{count} mistakes in the file", count=report.mistaken))
        sys.exit(3 if skip_bad else 1)


@click.group()
def store() -> None:
    """The data folder: sizes, compaction, backup."""


@store.command("sizes")
@format_option
@click.pass_obj
def store_sizes(session: Session, form: str) -> None:
    """Octets on the disk: today's part in SQLite (hot), finished days in files (days)."""
    with session.application() as application:
        sizes = dict(application.embedded.sizes())
    emit(form, sizes, [sizes], lambda: click.echo("\n".join(f"{part}\t{octets}" for part, octets in sizes.items())))


@store.command("compact")
@click.pass_obj
def store_compact(session: Session) -> None:
    """Move finished days into their files now; the daemon does so by itself."""
    with session.application() as application, application.lock(), _progress("compact") as show:
        done = application.embedded.compact(application.clock.now(), show)
    note(
        session.words.text(
            "{days} days with {rows} rows moved into files of {file_octets}",
            days=done.days,
            rows=done.rows,
            file_octets=done.octets,
        )
    )


@store.command("backup")
@click.argument("target", type=click.Path(path_type=Path))
@click.pass_obj
def store_backup(session: Session, target: Path) -> None:
    """A copy of all data in the new folder TARGET, also while the daemon runs; to restore, point store.path at it."""
    with session.application() as application, _progress("backup") as show:
        octets = application.embedded.backup(target, show)
    note(session.words.text("{target}: {copied_octets} copied", target=str(target), copied_octets=octets))


@store.command("copy")
@click.argument("source", metavar="FROM", type=click.Choice(["embedded", "influxdb"]))
@click.argument("target", metavar="TO", type=click.Choice(["embedded", "influxdb"]))
@click.option("--again", is_flag=True, help="Also the days that an earlier run has finished.")
@click.pass_obj
def store_copy(session: Session, source: Kind, target: Kind, *, again: bool) -> None:
    """All rows from one kind of store to the other, as the section store of the configuration names them.

    \b
    embedded    the folder store.path
    influxdb    the server store.url, whatever store.kind says

    Every row is looked for in TO afterwards. A run that was stopped goes on where it was; the newest day is copied each time. To
    write into the folder, stop the daemon first.
    """
    from bwmgr.daemon.copying import copy_store

    with session.application() as application, _progress("copy") as show:
        done = copy_store(application, source, target, again=again, progress=show)
    note(
        session.words.text(
            "{rows} rows of {days} days copied and found again; {skipped} days were there already",
            rows=done.rows,
            days=done.days,
            skipped=done.skipped,
        )
    )


@contextmanager
def _progress(title: str) -> Iterator[Callable[[int, int | None], None]]:
    """A bar on stderr, where that is a terminal: (done, of how many or None)."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(title, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
