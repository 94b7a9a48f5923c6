"""`trial`: a line is watched for some days before it is signed for; then the berita acara."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from bwmgr.cli.instants import instant
from bwmgr.cli.output import Column, console, emit, format_option, note, print_table
from bwmgr.cli.session import Session, complete_links
from bwmgr.errors import BwmgrError, UsageError, unwritable
from bwmgr.model.said import Said, said_by

if TYPE_CHECKING:
    from bwmgr.language import Words
    from bwmgr.model.trial import Promise, Trial, TrialResult

_DONE_IN_PART = 3


@click.group()
def trial() -> None:
    """A line on trial for 1 to 14 days: what it delivers when asked to, and the berita acara."""


@trial.command("start")
@click.argument("links", metavar="[LINK]...", nargs=-1, shell_complete=complete_links)
@click.option("--provider", help="All lines of a provider, each against its contract, instead of links.")
@click.option("--days", type=click.FloatRange(1, 14), default=10, show_default=True, help="How long.")
@click.option("--start", help="Its begin (default: now); one in the past takes what was measured since.")
@click.option("--down", help="Promised download of each link, such as 400M (default: its limit).")
@click.option("--up", help="Promised upload of each link (default: its limit).")
@click.option("--id", "name", help="Its name (default: made of the line and the day).")
@click.option("--title", default="", help="As the berita acara names it.")
@click.option("--by", help="Who starts it (default: the system user).")
@format_option
@click.pass_obj
def start(
    session: Session,
    links: tuple[str, ...],
    provider: str | None,
    days: float,
    start: str | None,
    down: str | None,
    up: str | None,
    name: str | None,
    title: str,
    by: str | None,
    form: str,
) -> None:
    """Fix the plan of a trial: lines, promises, clauses, time. None of it changes later."""
    from bwmgr.daemon.trials import begin
    from bwmgr.model.people import Role
    from bwmgr.model.trial import Trial

    person = session.acting(by, Role.OPERATOR).name
    if bool(links) == bool(provider):
        raise UsageError(Said("say which links, or which --provider"))
    with session.application() as application:
        now, organisation = application.clock.now(), application.inventory.organisation
        first = instant(start, organisation.timezone) if start else now
        made = Trial(
            id=name or f"{provider or links[0]}-{first.astimezone(ZoneInfo(organisation.timezone)):%Y%m%d}",
            title=title or session.words.text("Trial of {lines}", lines=provider or ", ".join(links)),
            lines=tuple(_promises(session, links, provider, down, up)),
            start=first,
            end=first + timedelta(days=days),
            clauses=application.settings.clauses,
            interval_seconds=application.settings.snmp.interval_seconds,
            created_at=now,
            created_by=person,
            provider=provider,
        )
        begin(application, made)
    emit(form, _document(made), [_document(made)], lambda: _print_trials(session.words, [made]))


def _promises(session: Session, links: tuple[str, ...], provider: str | None, down: str | None, up: str | None) -> list[Promise]:
    from bwmgr.daemon.trials import link_promises, provider_promises
    from bwmgr.model.units import parse_rate

    inventory = session.settings.inventory
    if provider:
        return provider_promises(inventory, provider)
    try:
        asked = [parse_rate(text) if text else None for text in (down, up)]
    except ValueError as error:
        raise UsageError(said_by(error)) from error
    return link_promises(inventory, links, *asked)


@trial.command("status")
@click.argument("name", metavar="[ID]", required=False)
@format_option
@click.pass_obj
def status(session: Session, name: str | None, form: str) -> None:
    """All trials; or one, clause by clause, as it stands now."""
    from bwmgr.daemon.trials import conclude, find_trial, read_trials

    with session.application() as application:
        if name is None:
            known = read_trials(application.state)
            emit(form, [_document(one) for one in known], [_document(one) for one in known],
                 lambda: _print_trials(session.words, known))  # fmt: skip
            return
        result = conclude(application, find_trial(application.state, name))
    emit(form, result_document(result), _rows(result), lambda: _print_result(session.words, result))


@trial.command("declare")
@click.argument("name", metavar="ID")
@click.option("--from", "first", required=True, help="From this time on the office filled the lines.")
@click.option("--until", "last", required=True, help="Up to this time.")
@click.option("--by", help="Who says so (default: the system user).")
@click.option("--note", "remark", default="", help="How it was done.")
@click.pass_obj
def declare(session: Session, name: str, first: str, last: str, by: str | None, remark: str) -> None:
    """Put on record that the lines were filled in a time: its samples count as asked for."""
    from bwmgr.daemon.trials import declare as put_down
    from bwmgr.daemon.trials import find_trial
    from bwmgr.model.people import Role
    from bwmgr.model.trial import Declared

    zone = session.settings.inventory.organisation.timezone
    person = session.acting(by, Role.OPERATOR).name
    said = Declared(start=instant(first, zone), end=instant(last, zone), by=person, note=remark)
    with session.application() as application:
        put_down(application.state, find_trial(application.state, name), said, application.clock.now())
    note(session.words.text("On record: filled from {start_at} to {end_at}.", start_at=said.start, end_at=said.end))


@trial.command("test")
@click.argument("name", metavar="[ID]", required=False)
@click.option("--line", help="Which line, where the trial has several.")
@click.option("--in-office-hours", is_flag=True, help="Also while an office of the trial works.")
@format_option
@click.pass_obj
def run_test(session: Session, name: str | None, line: str | None, in_office_hours: bool, form: str) -> None:
    """Fill a line once in each direction by iperf3, to the server that trial.active names. Exit code 3 where one did not run."""
    from bwmgr.daemon.trial_tests import run_tests
    from bwmgr.daemon.trials import find_trial

    with session.application() as application:
        done = run_tests(application, find_trial(application.state, name), line, in_office_hours=in_office_hours)
    documents = [
        {
            "line": one.line,
            "direction": str(one.direction),
            "rate_bps": one.rate_bps and round(one.rate_bps),
            "problem": one.problem,
        }
        for one in done
    ]
    words = session.words
    columns = [
        Column(heading=words.text("Line"), cell=lambda row: row["line"]),
        Column(heading=words.text("Direction"), cell=lambda row: words.direction(row["direction"])),
        Column(heading=words.text("Arrived"), right=True, cell=lambda row: words.rate(row["rate_bps"])),
        Column(heading=words.text("Problem"), cell=lambda row: words.said(row["problem"])),
    ]
    emit(form, documents, documents, lambda: print_table(None, columns, documents))
    if any(one.problem for one in done):
        sys.exit(_DONE_IN_PART)


@trial.command("stop")
@click.argument("name", metavar="[ID]", required=False)
@click.option("--by", help="Who ends it (default: the system user).")
@click.pass_obj
def stop(session: Session, name: str | None, by: str | None) -> None:
    """End a trial before its time."""
    from bwmgr.daemon.trials import find_trial
    from bwmgr.daemon.trials import stop as end
    from bwmgr.model.people import Role

    person = session.acting(by, Role.OPERATOR).name
    with session.application() as application:
        ended = end(application.state, find_trial(application.state, name), application.clock.now(), person)
    note(session.words.text("{trial} ended.", trial=ended.id))


@trial.command("report")
@click.argument("name", metavar="[ID]", required=False)
@click.option("-o", "--output", "path", type=click.Path(dir_okay=False, path_type=Path),
              help="File to write (default: berita-acara-ID.pdf).")  # fmt: skip
@click.option("--number", default="", help="The document's number; left out: room for it.")
@click.pass_obj
def report(session: Session, name: str | None, path: Path | None, number: str) -> None:
    """The berita acara as PDF. Once the trial has ended its figures are kept: the same report gives the same file."""
    from bwmgr.daemon.publish import replace_file
    from bwmgr.daemon.trial_paper import paper_of
    from bwmgr.daemon.trials import conclude, find_trial
    from bwmgr.reports.trial_document import berita_acara

    with session.application() as application:
        found = find_trial(application.state, name)
        result = conclude(application, found)
    pdf = berita_acara(result, paper_of(session.settings, result, number, session.words), session.words)
    target = path or Path(f"berita-acara-{found.id}.pdf")
    try:
        replace_file(target, pdf)
    except OSError as error:
        raise BwmgrError(unwritable(target, error)) from error
    note(session.words.text("written: {path}", path=str(target)))


def _document(made: Trial) -> dict[str, Any]:
    from bwmgr.daemon.status import rfc3339

    return {
        "id": made.id,
        "title": made.title,
        "lines": [line.id for line in made.lines],
        "start": rfc3339(made.start),
        "end": rfc3339(made.stopped_at or made.end),
        "provider": made.provider,
        "tests": len(made.tests),
        "declared": len(made.declared),
        "created_by": made.created_by,
    }


def result_document(result: TrialResult) -> dict[str, Any]:
    """One JSON object: the trial, the verdict, every clause and line."""
    from bwmgr.daemon.status import rfc3339

    return {
        **_document(result.trial),
        "as_of": rfc3339(result.as_of),
        "verdict": str(result.verdict),
        "clauses": [
            {"clause": str(one.clause), "verdict": str(one.verdict), "figure": one.figure, "threshold": one.threshold,
             "completeness_ratio": one.completeness_ratio, "worst": one.worst or None}
            for one in result.judgements
        ],
        "figures": _rows(result),
    }  # fmt: skip


def _rows(result: TrialResult) -> list[dict[str, Any]]:
    paths = {path.line: path for path in result.paths}
    return [
        {
            "line": one.line,
            "direction": str(one.direction),
            "promised_bps": one.promised_bps,
            "capacity_bps": None if one.capacity_bps is None else round(one.capacity_bps),
            "capacity_ratio": one.capacity_ratio,
            "reached_ratio": one.reached_ratio,
            "variation_ratio": one.variation_ratio,
            "asked_seconds": one.asked_seconds,
            "samples": one.samples,
            "coverage_ratio": one.coverage_ratio,
            "availability_ratio": paths[one.line].availability_ratio,
            "rtt_p95_ms": paths[one.line].rtt_p95_ms,
            "lost_ratio": paths[one.line].lost_ratio,
        }
        for one in result.lines
    ]


def _print_trials(words: Words, trials: Any) -> None:
    columns = [
        Column(heading=words.text("Trial"), cell=lambda row: row["of"].id),
        Column(heading=words.text("Lines"), right=True, cell=lambda row: words.number(len(row["of"].lines))),
        Column(heading=words.text("Began"), cell=lambda row: words.instant(row["of"].start)),
        Column(heading=words.text("Ends"), cell=lambda row: words.instant(row["of"].stopped_at or row["of"].end)),
        Column(heading=words.text("Tests"), right=True, cell=lambda row: words.number(len(row["of"].tests))),
    ]
    print_table(None, columns, [{"of": one} for one in trials])


def _print_result(words: Words, result: TrialResult) -> None:
    from bwmgr.reports.trial_document import VERDICTS, clause_row

    names = {line.id: line.name for line in result.trial.lines}
    clauses = [clause_row(one, result.trial.clauses, names, words) for one in result.judgements]
    columns = [
        Column(heading=words.text("Clause"), cell=lambda row: row["of"].name),
        Column(heading=words.text("Wanted"), cell=lambda row: row["of"].wanted),
        Column(heading=words.text("Found"), right=True, cell=lambda row: row["of"].figure),
        Column(heading=words.text("Verdict"), cell=lambda row: row["of"].verdict),
        Column(heading=words.text("Decided by"), cell=lambda row: row["of"].worst),
    ]
    print_table(result.trial.title, columns, [{"of": one} for one in clauses])
    console().print(
        words.text("As of {as_of_at}: {verdict}.", as_of_at=result.as_of, verdict=words.text(VERDICTS[result.verdict]))
    )
