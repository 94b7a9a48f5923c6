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
