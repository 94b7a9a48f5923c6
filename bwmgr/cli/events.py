"""`events`: dated reservations: what there are, whether they can be kept, how they run, what came of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bwmgr.cli.instants import instant
from bwmgr.cli.output import Column, console, emit, format_option, note, print_table
from bwmgr.cli.session import Session
from bwmgr.cli.watching import watch
from bwmgr.language import UNKNOWN, Words, mark

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from bwmgr.daemon.event_check import EventCheck, Reserved
    from bwmgr.model.inventory import Event

_PHASES = {"before": mark("to come"), "on": mark("running"), "over": mark("over")}
_SEVERITIES = {"error": mark("must be mended"), "warning": mark("to be watched"), "info": mark("to be done")}
_VERDICTS = {"met": mark("met"), "not met": mark("not met"), "not enough data": mark("not enough data")}


@click.group()
def events() -> None:
    """Dated reservations: list them, check them before, while and after they run."""


@events.command(name="list")
@format_option
@click.pass_obj
def list_(session: Session, form: str) -> None:
    """All events of the configuration, with the look that is due."""
    from bwmgr.daemon.event_documents import event_row

    with session.application() as application:
        now = application.clock.now()
    found = [event_row(event, now) for event in session.settings.inventory.events.values()]
    emit(form, found, found, lambda: _print_list(session.words, list(session.settings.inventory.events.values()), now))


@events.command()
@click.argument("names", nargs=-1, metavar="[EVENT]...")
@click.option("--at", help="As of this time (default: now); without a zone, the organisation's.")
@click.option("--watch", "watching", is_flag=True, help="Draw it anew after each polling interval, until it is over or Ctrl-C.")
@click.option("--pdf", type=click.Path(dir_okay=False, path_type=Path), help="Write the report as a PDF too.")
@format_option
@click.pass_obj
def check(session: Session, names: tuple[str, ...], at: str | None, watching: bool, pdf: Path | None, form: str) -> None:
    """Before an event: is it admitted, what is measured, what is open. While it runs: live. After it: what was kept.

    Exit code 3 where an event is not ready, or a promise was not kept or cannot be judged.
    """
    from bwmgr.daemon.event_check import Phase, Proposals, check_events, choose_events
    from bwmgr.daemon.event_documents import document, rows

    words = session.words
    with session.application() as application:
        chosen = choose_events(application, names)

        known: Proposals = {}
        if watching:
            interval = session.settings.snmp.interval_seconds
            watch(
                lambda: _draw(words, check_events(application, chosen, application.clock.now(), known)),
                interval,
                over=lambda: all(event.end <= application.clock.now() for event in chosen),
            )
        now = instant(at, session.settings.inventory.organisation.timezone) if at else application.clock.now()
        found = check_events(application, chosen, now, known)
    if pdf is not None:
        from bwmgr.daemon.event_report import write_report

        write_report(session.settings, words, found, pdf)
        note(words.text("Wrote {path}", path=str(pdf)))
    emit(form, document(found, words), rows(found), lambda: _print(words, found))
    broken = any(str(one.verdict) != "met" for each in found if each.phase is not Phase.BEFORE for one in each.reserved)
    if broken or not all(each.ready for each in found):
        raise SystemExit(3)


def _draw(words: Words, found: Sequence[EventCheck]) -> None:
    console().print(words.instant(max(each.at for each in found)), style="bold")
    _print(words, found)


def _print_list(words: Words, found: Sequence[Event], now: datetime) -> None:
    from bwmgr.daemon.event_check import phase_of, stage_of

    columns = [
        Column(heading=words.text("Event"), cell=lambda row: row["of"].id),
        Column(heading=words.text("Links"), cell=lambda row: ", ".join(row["of"].links)),
        Column(heading=words.text("Download"), right=True, cell=lambda row: words.rate(row["of"].down_bps)),
        Column(heading=words.text("Upload"), right=True, cell=lambda row: words.rate(row["of"].up_bps)),
        Column(heading=words.text("From"), cell=lambda row: words.instant(row["of"].start)),
        Column(heading=words.text("To"), cell=lambda row: words.instant(row["of"].end)),
        Column(heading=words.text("State"), cell=lambda row: words.text(_PHASES[str(phase_of(row["of"], now))])),
        Column(heading=words.text("Look due"), cell=lambda row: _stage(words, stage_of(row["of"], now))),
    ]
    print_table(None, columns, [{"of": event} for event in found])


def _stage(words: Words, stage: str) -> str:
    return words.text("planned") if stage == "planned" else stage or UNKNOWN


def _print(words: Words, checks: Sequence[EventCheck]) -> None:
    if not checks:
        console().print(words.text("There are no events in the configuration."))
    for number, check_ in enumerate(checks):
        if number:
            console().print()
        _print_event(words, check_)


def _print_event(words: Words, check_: EventCheck) -> None:
    from bwmgr.daemon.event_check import Phase

    title = words.text("{event_name}: {start_at} to {end_at}", event_name=check_.event.id, start_at=check_.event.start,
                       end_at=check_.event.end)  # fmt: skip
    columns = [
        Column(heading=words.text("Link"), cell=lambda row: row["of"].link),
        Column(heading=words.text("Direction"), cell=lambda row: words.direction(str(row["of"].direction))),
        Column(heading=words.text("Promised"), right=True, cell=lambda row: words.rate(row["of"].asked_bps)),
        Column(heading=words.text("Reserved"), right=True, cell=lambda row: words.rate(row["of"].feasible_bps)),
        *(_before(words) if check_.phase is Phase.BEFORE else _running(words, live=check_.phase is Phase.ON)),
    ]
    print_table(title, columns, [{"of": one} for one in check_.reserved])
    for finding in check_.findings:
        console().print(f"  {words.text(_SEVERITIES[finding.severity])}: {finding.text(words)}")
    if check_.phase is Phase.BEFORE:
        ready = words.text("Ready.") if check_.ready else words.text("Not ready.")
        console().print(f"{_stage(words, check_.stage)}: {ready}")
    for link, seconds in check_.starved.items():
        console().print(words.text("{link}: refused its guarantee for {starved_seconds}", link=link, starved_seconds=seconds))


def _before(words: Words) -> list[Column]:
    return [
        Column(heading=words.text("Measured so far"), right=True, cell=lambda row: words.rate(row["of"].measured_bps)),
        Column(heading=words.text("Still to go"), right=True, cell=lambda row: words.rate(row["of"].missing_bps)),
        Column(heading=words.text("Limit"), right=True, cell=lambda row: _limit(words, row["of"])),
        Column(heading=words.text("Recommendation"), cell=lambda row: _recommendation(words, row["of"])),
    ]


def _running(words: Words, *, live: bool) -> list[Column]:
    def length(name: str) -> Any:
        return lambda row: words.duration(getattr(row["of"].delivered, f"{name}_seconds"))

    now = [
        Column(heading=words.text("Now"), right=True, cell=lambda row: _rate_now(words, row["of"])),
        Column(heading=words.text("Limit"), right=True, cell=lambda row: _limit(words, row["of"])),
    ]
    return [
        *(now if live else []),
        Column(heading=words.text("Highest"), right=True, cell=lambda row: words.rate(row["of"].delivered.max_bps)),
        Column(heading=words.text("Asked, not had"), right=True, cell=length("short")),
        Column(heading=words.text("Limit below the promise"), right=True, cell=length("limited")),
        Column(heading=words.text("Down"), right=True, cell=length("down")),
        Column(heading=words.text("Complete"), right=True, cell=lambda row: words.ratio(row["of"].coverage_ratio)),
        Column(heading=words.text("Verdict"), cell=lambda row: words.text(_VERDICTS[str(row["of"].verdict)])),
    ]


def _rate_now(words: Words, one: Reserved) -> str:
    return words.rate(one.now.rates[one.direction]) if one.now else UNKNOWN


def _limit(words: Words, one: Reserved) -> str:
    return words.limit(one.limit_bps)


def _recommendation(words: Words, one: Reserved) -> str:
    from bwmgr.daemon.labels import STATUSES

    known = one.recommendation
    return UNKNOWN if known is None else f"{known.id} {words.text(STATUSES[str(known.status)])}"
