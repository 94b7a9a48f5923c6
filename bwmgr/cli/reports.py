"""`report`: what people read and print."""

from __future__ import annotations

from pathlib import Path

import click

from bwmgr.cli.instants import window
from bwmgr.cli.output import note
from bwmgr.cli.session import Session, complete_links
from bwmgr.errors import BwmgrError, UsageError, unwritable
from bwmgr.model.said import Said


@click.group()
def report() -> None:
    """Reports for people."""


@report.command("monthly")
@click.option("--month", "name", help="Such as 2026-01 (default: the month before this one).")
@click.option("--link", "links", multiple=True, shell_complete=complete_links, help="Only this link's page; may be given again.")
@click.option("--all", "everything", is_flag=True, help="The office's PDF and workbook and every OPD's page (the default).")
@click.option("-o", "--output", "folder", type=click.Path(file_okay=False, path_type=Path),
              help="Folder to write into (default: laporan-MONTH).")  # fmt: skip
@click.option("--reopen", is_flag=True, help="Gather a closed month anew, as its next revision; needs --note.")
@click.option("--note", "why", default="", help="Why it is reopened; the report prints it.")
@click.option("--by", help="Who closes or reopens it (default: the system user).")
@click.pass_obj
def report_monthly(
    session: Session,
    name: str | None,
    links: tuple[str, ...],
    everything: bool,
    folder: Path | None,
    reopen: bool,
    why: str,
    by: str | None,
) -> None:
    """Close a month and write its report: PDF and XLSX for the office, a page for each OPD.

    Figures are kept when a month that is over is first reported: later runs write the same files, whatever arrives since.
    """
    from bwmgr.cli.progress import bar
    from bwmgr.daemon import monthly
    from bwmgr.daemon.monthly_due import previous_month
    from bwmgr.daemon.monthly_files import write_month
    from bwmgr.model.people import Role

    if links and everything:
        raise UsageError(Said("say --all, or which links"))
    person = session.acting(by, Role.OPERATOR if reopen else None).name
    with session.application() as application:
        month = name or previous_month(application.clock.now(), application.inventory.organisation.timezone)
        with bar(session.words.text("figures of {month}", month=month)) as heard:
            if reopen:
                made = monthly.reopen(application, month, by=person, why=why, progress=heard)
            else:
                made = monthly.the_month(application, month, by=person, progress=heard)
    with bar(session.words.text("documents")) as heard:
        written = write_month(
            session.settings, made, folder or Path(f"laporan-{month}"), session.words, links=links, progress=heard
        )
    if made.closed_at is None:
        note(session.words.text("{month} is not over: nothing was closed, the report is preliminary.", month=month))
    note(
        session.words.plural(
            "{count} file in {folder}", "{count} files in {folder}", count=len(written), folder=str(written[0].parent)
        )
    )


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
            raise BwmgrError(unwritable(path, error)) from error
    note(session.words.text("written: {path}", path=str(path)))
