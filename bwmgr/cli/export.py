"""`export`: data for everybody."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

import click

from bwmgr.cli.output import note
from bwmgr.cli.session import Session

_KINDS = ["opd", "facility", "village", "wifi", "event"]


@click.group()
def export() -> None:
    """Data for everybody: what may be told, and nothing else."""


@export.command("coverage")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option("--kind", "kinds", type=click.Choice(_KINDS), multiple=True,
              help="Points of this kind; may be given again (default: wifi, facility, village).")  # fmt: skip
@click.pass_obj
def export_coverage(session: Session, folder: Path, kinds: tuple[str, ...]) -> None:
    """How far each public point is: GeoJSON, CSV and JSON with their schema, and a map page that needs no network.

    No address, serial number, internal name or device is in it; a point's public id stays the same and leads to none of them.
    """
    from bwmgr.daemon.public_feed import coverage_feed
    from bwmgr.daemon.public_points import PUBLIC_KINDS
    from bwmgr.model.inventory import LinkKind
    from bwmgr.reports.opendata.coverage import contents
    from bwmgr.reports.opendata.files import write_folder

    words = session.words
    with session.application() as application:
        zone = ZoneInfo(session.settings.inventory.organisation.timezone)
        chosen = tuple(LinkKind(kind) for kind in kinds) or PUBLIC_KINDS
        feed = coverage_feed(application, application.clock.now().astimezone(zone).date(), chosen)
    written = write_folder(folder, contents(feed, words))
    note(words.plural("{count} point, {files} files in {folder}", "{count} points, {files} files in {folder}",
                      count=len(feed.points), files=len(written), folder=str(folder)))  # fmt: skip


@export.command("satudata")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option("--period", "text", help="The month, such as 2026-02 (default: the last one that is over).")
@click.pass_obj
def export_satudata(session: Session, folder: Path, text: str | None) -> None:
    """Datasets of a month for Satu Data: CSV, JSON and metadata of each, a DCAT catalogue, and what CKAN's package_create takes.

    Where fewer links than open_data.least (3) stand behind a row, its figures are hidden and the row says so.
    """
    from bwmgr.daemon.satudata import about_of, datasets, period
    from bwmgr.reports.opendata.files import write_folder
    from bwmgr.reports.opendata.satudata import contents

    words = session.words
    with session.application() as application:
        start, end = period(text, session.settings.inventory.organisation.timezone, application.clock.now())
        about = about_of(application, start, end, words)
        found = datasets(application, start, end, words)
    written = write_folder(folder, contents(found, about, words))
    said = words.text("{datasets} datasets of {month}, {files} files in {folder}", datasets=len(found),
                      month=words.month(about.first), files=len(written), folder=str(folder))  # fmt: skip
    note(said)
    for lacking, key in ((about.address, "address"), (about.region, "region"), (about.contact, "contact")):
        if not lacking:
            note(words.text("{key} is not configured: the catalogue lacks it", key=f"open_data.{key}"))
