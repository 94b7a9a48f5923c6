"""`needs`: what agencies ask for beside what was measured, and what it costs in several futures."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click

from bwmgr.cli.instants import window
from bwmgr.cli.output import Column, console, emit, format_option, note, print_table
from bwmgr.cli.session import Session
from bwmgr.errors import BwmgrError, unwritable
from bwmgr.language import UNKNOWN, Words

if TYPE_CHECKING:
    from bwmgr.daemon.needs import Ask, Needs, RootNeeds, Scenario

_QUARTER_SECONDS = 13 * 7 * 86400
_DONE_IN_PART = 3


@click.command()
@click.argument("path", metavar="FILE.csv", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--target", type=click.FloatRange(0, 0.5), default=0.01, show_default=True,
              help="Share of the demanded volume that may stay unmet.")  # fmt: skip
@click.option("--less", "less_percent", type=click.FloatRange(0, 90), default=10.0, show_default=True,
              help="Percent less demand in the first scenario.")  # fmt: skip
@click.option("--start", help="From this time on (default: 13 weeks before the end, or the first data).")
@click.option("--end", help="Up to, not including, this time (default: now).")
@click.option("--xlsx", type=click.Path(dir_okay=False, path_type=Path), help="Write a workbook too.")
@click.option("--pdf", type=click.Path(dir_okay=False, path_type=Path), help="Write the analysis as a PDF too.")
@format_option
@click.pass_obj
def needs(
    session: Session,
    path: Path,
    target: float,
    less_percent: float,
    start: str | None,
    end: str | None,
    xlsx: Path | None,
    pdf: Path | None,
    form: str,
) -> None:
    """The needs analysis for the budget: requests (FILE.csv: link,down,up) beside measured need, and scenarios with their cost.

    Need is labelled measured, estimated or at least. Where less than 70 % of the time was measured there is no figure, and the
    exit code is 3.
    """
    from bwmgr.daemon.needs import analyse
    from bwmgr.daemon.needs_documents import document, rows
    from bwmgr.daemon.plan_requests import read_requests

    words, zone = session.words, session.settings.inventory.organisation.timezone
    requests = read_requests(path)
    with session.application() as application:
        now = application.clock.now()
        first, last = window(start, end, zone, now, _QUARTER_SECONDS)
        found = analyse(application, first, last, requests, target_ratio=target, less_ratio=less_percent / 100)
        if pdf is not None:
            _write(pdf, _pdf(session, found, now.astimezone(ZoneInfo(zone)).date()))
        if xlsx is not None:
            from bwmgr.daemon.needs_documents import sheets
            from bwmgr.reports.documents.tables import xlsx as workbook

            office = session.settings.inventory.organisation.name
            _write(
                xlsx, workbook(sheets(found, words), title=words.text("Needs analysis for the internet budget"), author=office)
            )
    for written in (pdf, xlsx):
        if written is not None:
            note(words.text("Wrote {path}", path=str(written)))
    emit(form, document(found), rows(found), lambda: _print(words, found))
    for node, problem in found.problems.items():
        note(f"{node}: {words.said(problem)}")
    lacking = [ask.link.id for root in found.roots for ask in root.asks if ask.verdict == "no data"]
    if lacking:
        note(words.text("not enough data for: {links}", links=", ".join(dict.fromkeys(lacking))))
    if lacking or found.problems or not all(root.enough for root in found.roots):
        sys.exit(_DONE_IN_PART)


def _pdf(session: Session, found: Needs, day: object) -> bytes:
    from bwmgr.daemon.needs_documents import KINDS, VERDICTS, future, named
    from bwmgr.daemon.request_verdicts import ENOUGH_RATIO
    from bwmgr.model.inventory import Direction
    from bwmgr.reports.documents.rendering import render_pdf

    settings, words = session.settings, session.words
    context = {
        "organisation": settings.inventory.organisation, "needs": found, "kinds": KINDS, "verdicts": VERDICTS,
        "future": lambda one: future(one, found.less_ratio, words), "named": named, "ways": list(Direction),
        "enough_ratio": ENOUGH_RATIO, "signers": settings.documents.signers.get("needs", ()),
        "place": settings.documents.place, "day": day,
    }  # fmt: skip
    return render_pdf("needs", context, words=words, templates_folder=settings.documents.templates)


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise BwmgrError(unwritable(path, error)) from error


def _print(words: Words, found: Needs) -> None:
    out = console()
    out.print(words.text("[{start_at}, {end_at}), at most {target_ratio} of the volume unmet", start_at=found.start,
                         end_at=found.end, target_ratio=found.target_ratio))  # fmt: skip
    for root in found.roots:
        out.print()
        _print_root(words, root, found.less_ratio)


def _print_root(words: Words, root: RootNeeds, less_ratio: float) -> None:
    from bwmgr.daemon.needs_documents import future, named
    from bwmgr.model.inventory import Direction

    out = console()
    if not root.enough:
        out.print(words.text("{node}: not enough data ({coverage_ratio} complete)", node=root.plan.node.name,
                             coverage_ratio=root.coverage_ratio))  # fmt: skip
    else:
        for way, found in root.plan.directions.items():
            out.print(words.text(
                "{node}, {direction}: asked for {requested_bps}, links need {links_bps} added up and {together_bps} together "
                "(diversity {diversity}); optimum {optimum_bps}",
                node=root.plan.node.name, direction=str(way), requested_bps=root.requested_bps[way],
                links_bps=found.links_p95_bps, together_bps=found.p95_bps, diversity=found.diversity_factor,
                optimum_bps=found.figure.capacity_bps))  # fmt: skip
        if root.at_least:
            out.print(words.text("Some links stood at their limit too often to tell what they want: these capacities are lower "
                                 "bounds (at least)."))  # fmt: skip
    columns = [
        Column(heading=words.text("Scenario"), cell=lambda row: future(row["of"], less_ratio, words)),
        *(_capacity_column(words, way) for way in Direction),
        Column(heading=words.text("Cost a year at today's price"), right=True, cell=lambda row: words.money(row["of"].price)),
        Column(heading=words.text("Contracts that carry it"), cell=lambda row: named(row["of"].mix)),
        Column(heading=words.text("Their cost a year"), right=True, cell=lambda row: _mix_price(words, row["of"])),
    ]
    print_table(words.text("Scenarios"), columns, [{"of": one} for one in root.scenarios])
    out.print()
    _print_asks(words, [ask for ask in root.asks if ask.verdict != "not asked"])


def _capacity_column(words: Words, way: object) -> Column:
    def cell(row: object) -> str:
        scenario: Scenario = row["of"]  # type: ignore[index]  # a row of print_table
        rates = {str(key): rate for key, rate in (scenario.capacity_bps or {}).items()}
        return words.rate(rates[str(way)]) if rates else words.text("not enough data")

    return Column(heading=words.direction(str(way)).capitalize(), right=True, cell=cell)


def _mix_price(words: Words, scenario: Scenario) -> str:
    return words.money(scenario.mix.price) if scenario.mix else UNKNOWN


def _print_asks(words: Words, asks: list[Ask]) -> None:
    from bwmgr.daemon.needs_documents import KINDS, VERDICTS

    columns = [
        Column(heading=words.text("Link"), cell=lambda row: row["of"].link.id),
        Column(heading=words.text("Direction"), cell=lambda row: words.direction(row["of"].direction)),
        Column(heading=words.text("Asked for"), right=True, cell=lambda row: words.rate(row["of"].requested_bps)),
        Column(heading=words.text("Limit"), right=True, cell=lambda row: words.limit(row["of"].link.limit[row["of"].direction])),
        Column(heading=words.text("Need (P95)"), right=True, cell=lambda row: _need(words, row["of"])),
        Column(
            heading=words.text("Known how"),
            cell=lambda row: words.text(KINDS[row["of"].need.kind]) if row["of"].enough else UNKNOWN,
        ),
        Column(heading=words.text("Complete"), right=True, cell=lambda row: words.ratio(row["of"].coverage_ratio)),
        Column(
            heading=words.text("Asked for over need"), right=True, cell=lambda row: words.number(row["of"].times_need, decimals=1)
        ),
        Column(heading=words.text("Verdict"), cell=lambda row: words.text(VERDICTS[row["of"].verdict])),
    ]
    print_table(words.text("Requests and needs"), columns, [{"of": ask} for ask in asks])


def _need(words: Words, ask: Ask) -> str:
    if not ask.enough or ask.need is None:
        return UNKNOWN
    need = ask.need
    if need.high_bps is None:
        return f"≥ {words.rate(need.low_bps)}"
    return (
        words.rate(need.low_bps) if need.high_bps == need.low_bps else f"{words.rate(need.low_bps)} - {words.rate(need.high_bps)}"
    )
