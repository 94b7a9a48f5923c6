"""`forecast`: how each node and link grows, and in how many days it is full."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bwmgr.cli.instants import window
from bwmgr.cli.output import Column, emit, format_option, print_table
from bwmgr.cli.session import Session
from bwmgr.language import UNKNOWN, Words, mark

if TYPE_CHECKING:
    from bwmgr.daemon.forecasting import Outlook

_QUARTER_SECONDS = 13 * 7 * 86400
_CHAMPIONS = {
    "profile": mark("profile of the week"),
    "day profile": mark("profile of the day"),
    "week ago": mark("as a week ago"),
    "mean": mark("mean of the last days"),
}


@click.command()
@click.option("--start", help="From this time on (default: 13 weeks before the end); without a zone, the organisation's.")
@click.option("--end", help="Up to, not including, this time (default: now).")
@click.option("--within", type=click.IntRange(min=0), help="Only what is full within so many days.")
@format_option
@click.pass_obj
def forecast(session: Session, start: str | None, end: str | None, within: int | None, form: str) -> None:
    """What nodes and links will need next week, how they grow, and in how many days they are full.

    From the demand behind the limits. Growth needs four weeks of history. First what is full soonest.
    """
    from bwmgr.daemon.forecasting import document, make_forecast, row

    with session.application() as application:
        zone = session.settings.inventory.organisation.timezone
        first, last = window(start, end, zone, application.clock.now(), _QUARTER_SECONDS)
        made = [entry for entry in make_forecast(application, first, last) if within is None or _days(entry) <= within]
    words = session.words
    by_time = sorted(made, key=lambda entry: (entry.kind != "node", _days(entry)))
    emit(form, document(made, first, last), map(row, made), lambda: _print(words, by_time))


def _days(entry: Outlook) -> float:
    days = None if entry.growth is None else entry.growth.days_until_full
    return float("inf") if days is None else days


def _print(words: Words, made: list[Outlook]) -> None:
    columns = [
        Column(heading=words.text("Node or link"), cell=lambda entry: entry["of"].name),
        Column(heading=words.text("Direction"), cell=lambda entry: words.direction(str(entry["of"].direction))),
        Column(heading=words.text("Limit"), right=True, cell=lambda entry: words.rate(entry["of"].limit_bps)),
        Column(heading=words.text("P95 next week"), right=True, cell=lambda entry: words.rate(entry["of"].next_p95_bps)),
        Column(heading=words.text("Growth a week"), right=True, cell=lambda entry: _growth(words, entry["of"])),
        Column(heading=words.text("Full in"), right=True, cell=lambda entry: _full_in(words, entry["of"])),
        Column(heading=words.text("Foretold by"), cell=lambda entry: _champion(words, entry["of"])),
    ]
    rows: list[dict[str, Any]] = [{"of": entry} for entry in made]
    print_table(None, columns, rows)


def _growth(words: Words, entry: Outlook) -> str:
    if entry.growth is None:
        return UNKNOWN
    sign = "-" if entry.growth.bps_per_week < 0 else "+"
    return sign + words.rate(abs(entry.growth.bps_per_week))


def _full_in(words: Words, entry: Outlook) -> str:
    days = _days(entry)
    return UNKNOWN if days == float("inf") else words.text("{days} days", days=round(days))


def _champion(words: Words, entry: Outlook) -> str:
    return UNKNOWN if entry.champion is None else words.text(_CHAMPIONS[entry.champion])
