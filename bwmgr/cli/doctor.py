"""`doctor`: what is reachable, unreliable or misconfigured, and what to do about it."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from bwmgr.cli.output import Column, console, emit, format_option, note, print_table
from bwmgr.cli.session import Session
from bwmgr.language import Words, mark

if TYPE_CHECKING:
    from bwmgr.daemon.doctor import Diagnosis

_SEVERITIES = {"error": mark("error"), "warning": mark("warning"), "info": mark("note")}


@click.command()
@click.option("--watch", "watch_seconds", type=click.FloatRange(min=0, max=3600),
              help="Watch counters for so many seconds, to see how slowly agents refresh them.")  # fmt: skip
@format_option
@click.pass_obj
def doctor(session: Session, watch_seconds: float | None, form: str) -> None:
    """Check configuration, machine and every device; say what to do. Exit 0: all well, 3: findings, 1: nothing reachable."""
    from bwmgr.daemon.doctor import diagnose

    words = session.words
    devices = len(session.settings.inventory.devices)
    note(words.plural("asking {count} device ...", "asking {count} devices ...", count=devices))
    diagnosis = diagnose(session.settings, datetime.now(UTC), watch_seconds)
    rows = [finding.row(words) for finding in diagnosis.findings]
    document = {"devices": diagnosis.devices, "reachable": diagnosis.reachable, "findings": rows}
    emit(form, document, rows, lambda: _print(words, diagnosis, rows))
    sys.exit(diagnosis.exit_code)


def _print(words: Words, diagnosis: Diagnosis, rows: list[dict[str, Any]]) -> None:
    console().print(
        words.text("{reachable} of {devices} devices answer", reachable=diagnosis.reachable, devices=diagnosis.devices)
    )
    if not rows:
        console().print(words.text("nothing is wrong"))
        return
    columns = [
        Column(heading=words.text("Weight"), cell=lambda row: words.text(_SEVERITIES[row["severity"]])),
        Column(heading=words.text("Where"), cell=lambda row: row["subject"]),
        Column(heading=words.text("Finding"), cell=lambda row: row["finding"]),
        Column(heading=words.text("What to do"), cell=lambda row: row["advice"]),
    ]
    print_table(None, columns, rows)
