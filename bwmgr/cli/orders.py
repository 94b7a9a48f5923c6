"""`lift` and `override`: what a person asks for over the policies' heads, made known to the next run at once."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click

from bwmgr.cli.instants import instant
from bwmgr.cli.output import emit, format_option, note
from bwmgr.cli.session import Session
from bwmgr.errors import UsageError
from bwmgr.model.said import Said, said_by

if TYPE_CHECKING:
    from bwmgr.model.policy import Order


@click.command()
@click.argument("link")
@click.option("--down", help="Download limit in that time, such as 50M.")
@click.option("--up", help="Upload limit in that time.")
@click.option("--until", help="Its end: 17:00 (today), or a date and time, in the organisation's zone.")
@click.option("--by", help="Who asks (default: the system user); somebody else approves.")
@click.option("--note", "remark", default="", help="A remark for the record.")
@click.option("--end", "ending", is_flag=True, help="End the link's lift now.")
@format_option
@click.pass_obj
def lift(
    session: Session,
    link: str,
    down: str | None,
    up: str | None,
    until: str | None,
    by: str | None,
    remark: str,
    ending: bool,
    form: str,
) -> None:
    """More for LINK for a while: a recommendation that somebody else approves; afterwards the old limit comes back.

    Within the link's MIR, and no more than the tree carries beside what others use and are guaranteed.
    """
    if not ending and until is None:
        raise UsageError(Said("a lift needs its end: --until 17:00"))
    _order(session, "lift", link, {"down": down, "up": up}, until, by, remark, ending, form)


@click.command()
@click.argument("link")
@click.option("--down", help="Download limit to be kept, such as 20M.")
@click.option("--up", help="Upload limit to be kept.")
@click.option("--until", help="Its end; without one it lasts until --end.")
@click.option("--by", help="Who decides (default: the system user); somebody else approves.")
@click.option("--note", "remark", default="", help="A remark for the record.")
@click.option("--end", "ending", is_flag=True, help="End the link's override now: the policies may change it again.")
@format_option
@click.pass_obj
def override(
    session: Session,
    link: str,
    down: str | None,
    up: str | None,
    until: str | None,
    by: str | None,
    remark: str,
    ending: bool,
    form: str,
) -> None:
    """Fix LINK's limit by hand, above all policies, until it is ended."""
    _order(session, "override", link, {"down": down, "up": up}, until, by, remark, ending, form)


def _order(
    session: Session,
    kind: str,
    link: str,
    rates: dict[str, str | None],
    until: str | None,
    by: str | None,
    remark: str,
    ending: bool,
    form: str,
) -> None:
    from bwmgr.cli.advice import print_queue, recommendation_documents
    from bwmgr.daemon import orders
    from bwmgr.daemon.advice import advise
    from bwmgr.model.people import Role

    person = session.acting(by, Role.OPERATOR).name
    with session.application() as application:
        now, timezone = application.clock.now(), application.inventory.organisation.timezone
        if ending:
            orders.end(application.state, link, kind, now, by=person)
        else:
            given = _read(kind, link, rates, now, _end(until, now, timezone), person, remark)
            orders.give(application.state, application.inventory, given, now)
        advice = advise(application, now, author=person)
    found = [entry for entry in advice.recommendations if entry.link == link]
    if not found:
        note(session.words.text("Nothing is to be changed at {link_name}.", link_name=link))
    documents = recommendation_documents(session.words, found)
    emit(form, documents, documents, lambda: print_queue(session.words, found))


def _read(
    kind: str, link: str, rates: dict[str, str | None], now: datetime, end: datetime | None, by: str, remark: str
) -> list[Order]:
    from bwmgr.daemon.orders import orders_for
    from bwmgr.model.inventory import Direction
    from bwmgr.model.policy import Order
    from bwmgr.model.units import parse_rate

    try:
        asked = {way: parse_rate(text) if (text := rates[str(way)]) else None for way in Direction}
    except ValueError as error:
        raise UsageError(said_by(error)) from error
    if not any(asked.values()):
        raise UsageError(Said("say how much: bwmgr {command} {link} --down 50M, --up 20M or both", command=kind, link=link))
    template = Order(link=link, direction=Direction.DOWN, kind="lift" if kind == "lift" else "override", mir_bps=0, start=now,
                     end=end, by=by, note=remark)  # fmt: skip
    return orders_for(link, asked, template)


def _end(until: str | None, now: datetime, timezone: str) -> datetime | None:
    """`17:00` is today's, in the organisation's zone."""
    if until is None:
        return None
    if re.fullmatch(r"\d{1,2}:\d{2}", until):
        return instant(f"{now.astimezone(ZoneInfo(timezone)):%Y-%m-%d}T{until.zfill(5)}", timezone)
    return instant(until, timezone)
