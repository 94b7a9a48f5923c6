"""`report`: what people read and print."""

from __future__ import annotations

from pathlib import Path

import click

from bwmgr.cli.instants import window
from bwmgr.cli.output import note
from bwmgr.cli.session import Session
from bwmgr.errors import BwmgrError


@click.group()
def report() -> None:
    """Reports for people."""


@report.command("templates")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.pass_obj
def report_templates(session: Session, folder: Path) -> None:
    """Copy the documents' templates into FOLDER, to be edited and named as documents.templates; overwrites none."""
    from bwmgr.reports.documents.rendering import copy_templates

    for path in copy_templates(folder):
        note(session.words.text("written: {path}", path=str(path)))


@report.command("overview")
@click.option("-o", "--output", "path", type=click.Path(dir_okay=False, path_type=Path), default=Path("overview.html"),
              show_default=True, help="File to write.")  # fmt: skip
@click.option("--start", help="From this time on (default: four weeks before the end, or the first data).")
@click.option("--end", help="Up to, not including, this time (default: now).")
@click.pass_obj
def report_overview(session: Session, path: Path, start: str | None, end: str | None) -> None:
    """One HTML file: use against contracts, links that want attention, recommendations, and how it was all computed."""
    from bwmgr.daemon.publish import WINDOW_DAYS, publish_overview

    timezone = session.settings.inventory.organisation.timezone
    with session.application() as application:
        first, last = window(start, end, timezone, application.clock.now(), WINDOW_DAYS * 86400)
        try:
            publish_overview(application, path, start=first if start else None, end=last, words=session.words)
        except OSError as error:
            raise BwmgrError(f"{path} cannot be written: {error.strerror}") from error
    note(session.words.text("written: {path}", path=str(path)))
