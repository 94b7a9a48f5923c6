"""`sla`: availability and restitution of contracts, outages with their causes, and a person's word on a cause."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from bwmgr.cli.instants import instant, window
from bwmgr.cli.output import Column, console, emit, format_option, note, print_table
from bwmgr.cli.session import Session
from bwmgr.errors import UsageError
from bwmgr.language import UNKNOWN, Words, mark
from bwmgr.model.said import Said
from bwmgr.model.service import Cause, Judgement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bwmgr.daemon.service_levels import ContractService
    from bwmgr.measure.availability import Served
    from bwmgr.model.service import Outage

_MONTH_SECONDS = 31 * 86400
CAUSES = {
    "power": mark("power"),
    "opd-device": mark("the agency's device"),
    "last-mile": mark("last mile"),
    "provider": mark("provider"),
    "planned": mark("planned"),
    "undetermined": mark("not determined"),
}
SIGNS = {"down": mark("port down"), "silent": mark("no answer"), "dark": mark("no traffic")}
VERDICTS = {
    "met": mark("met"),
    "not met": mark("not met"),
    "not enough data": mark("not enough data"),
    "nothing promised": mark("nothing promised"),
}
TREATMENTS = {"counted": mark("counted"), "excluded": mark("excluded"), "unknown": mark("cause not determined")}


@click.group(invoke_without_command=True)
@click.option("--provider", help="Only contracts of this provider.")
@click.option("--contract", help="Only this contract.")
@click.option("--month", "month_", help="One month, such as 2026-01.")
@click.option("--start", help="From the month of this day on (default: the contract's first).")
@click.option("--end", help="Up to the month of this day (default: the contract's last that has begun).")
@click.option("--pdf", type=click.Path(dir_okay=False, path_type=Path), help="Write the report as a PDF too.")
@format_option
@click.pass_context
def sla(
    context: click.Context,
    provider: str | None,
    contract: str | None,
    month_: str | None,
    start: str | None,
    end: str | None,
    pdf: Path | None,
    form: str,
) -> None:
    """Availability and restitution of each contract, month by month and over its term.

    From the poller's own evidence. Time of which nothing is known is neither up nor down: it stands beside, and the verdict is
    "not enough data" where it could turn it.
    """
    if context.invoked_subcommand is not None:
        return
    from bwmgr.daemon.service_documents import document, rows
    from bwmgr.daemon.service_levels import choose_contracts, service_levels

    session: Session = context.obj
    if month_ is not None and (start or end):
        raise UsageError(Said("--month beside --start or --end: write one or the other"))
    zone = session.settings.inventory.organisation.timezone
    first, last = (_month(month_), _month(month_)) if month_ else (_day(start, zone), _day(end, zone))
    with session.application() as application:
        services = service_levels(application, choose_contracts(application, provider, contract), first, last)
    if pdf is not None:
        from bwmgr.daemon.service_report import write_report

        write_report(session.settings, session.words, services, pdf)
        note(session.words.text("Wrote {path}", path=str(pdf)))
    emit(form, document(services), rows(services), lambda: _print(session.words, services))


@sla.command()
@click.argument("series", nargs=-1)
@click.option("--start", help="From this time on (default: 31 days before the end); without a zone, the organisation's.")
@click.option("--end", help="Up to, not including, this time (default: now).")
@click.option(
    "--least", type=click.IntRange(min=0), help="Leave out what is shorter than so many seconds (300, or the contract's)."
)
@click.option("--undetermined", is_flag=True, help="Only those whose cause nobody has determined.")
@format_option
@click.pass_obj
def outages(
    session: Session,
    series: tuple[str, ...],
    start: str | None,
    end: str | None,
    least: int | None,
    undetermined: bool,
    form: str,
) -> None:
    """Times without service of links and uplinks, each with its proposed or determined cause.

    SERIES: ids of links and names of uplinks; all polled ones when left out.
    """
    from bwmgr.daemon.outage_history import choose_series, gather
    from bwmgr.daemon.service_documents import outage_row, outages_document

    with session.application() as application:
        zone = session.settings.inventory.organisation.timezone
        first, last = window(start, end, zone, application.clock.now(), _MONTH_SECONDS)
        chosen = choose_series(application, series)
        links = [name for name in chosen if name in application.inventory.links]
        found = [
            outage
            for outage in gather(application, first, last, links=links, least_seconds=least).found
            if outage.series in set(chosen) and outage.start < last and outage.end > first
            if not undetermined or outage.cause is Cause.UNDETERMINED
        ]
    found.sort(key=lambda outage: (outage.start, outage.series))
    emit(form, outages_document(found, first, last), map(outage_row, found), lambda: print_outages(session.words, found))


@sla.command()
@click.argument("outage")
@click.option("--cause", "cause_", required=True, type=click.Choice([str(one) for one in Cause]), help="Whose matter it was.")
@click.option("--by", help="Who says so (default: the system user).")
@click.option("--note", "remark", default="", help="Why, for the record.")
@click.pass_obj
def cause(session: Session, outage: str, cause_: str, by: str | None, remark: str) -> None:
    """Determine the cause of OUTAGE, an id that `bwmgr sla outages` prints.

    What was said before stays on record; the last word stands.
    """
    from bwmgr.daemon.judging import parted, record
    from bwmgr.daemon.outage_history import choose_series, gather
    from bwmgr.model.people import Role

    series, start = parted(outage)
    person = session.acting(by, Role.OPERATOR)
    with session.application() as application:
        choose_series(application, [series])
        now = application.clock.now()
        if start >= now:
            raise UsageError(Said("{outage} has not begun yet", outage=outage))
        links = [series] if series in application.inventory.links else []
        known = gather(application, start, now, links=links, least_seconds=0).of(series)
        if not any(one.start <= start < one.end for one in known):
            raise UsageError(
                Said("no outage of {series} is known at that time; `bwmgr sla outages {series}` prints them", series=series)
            )
        judgement = Judgement(cause=Cause(cause_), by=person.name, at=now, note=remark)
        record(application.state, outage, judgement)
        application.trail.record("outage.judged", outage, {"cause": cause_, "note": remark}, by=person)
    words = session.words
    note(words.text("{outage}: {cause}, says {by}", outage=outage, cause=words.text(CAUSES[cause_]), by=judgement.by))


def print_outages(words: Words, found: Sequence[Outage], treatments: Sequence[str] = ()) -> None:
    """A table for people, with how a contract counts each where that is given."""
    if not found:
        console().print(words.text("No outages."))
        return
    columns = [
        Column(heading=words.text("Outage"), cell=lambda row: row["of"].id),
        Column(heading=words.text("From"), cell=lambda row: words.instant(row["of"].start)),
        Column(heading=words.text("Lasted"), right=True, cell=lambda row: lasted(words, row["of"])),
        Column(heading=words.text("Sign"), cell=lambda row: words.text(SIGNS[str(row["of"].sign)])),
        Column(heading=words.text("Cause"), cell=lambda row: cause_text(words, row["of"])),
    ]
    if treatments:
        columns.append(Column(heading=words.text("Counted how"), cell=lambda row: words.text(TREATMENTS[row["treatment"]])))
    rows: list[dict[str, Any]] = [
        {"of": one, "treatment": how} for one, how in zip(found, treatments or [""] * len(found), strict=True)
    ]
    print_table(words.text("Outages"), columns, rows)


def lasted(words: Words, outage: Outage) -> str:
    length = words.duration(outage.seconds)
    return words.text("{length} so far", length=length) if outage.is_open else length


def cause_text(words: Words, outage: Outage) -> str:
    """The cause, and whose word it is."""
    said = words.text(CAUSES[str(outage.cause)])
    if outage.judgements:
        return f"{said} ({outage.judgements[-1].by})"
    return words.text("{cause} (proposed)", cause=said)


def availability_text(words: Words, time: Served) -> str:
    """One figure where all is known, else both bounds."""
    if time.low_ratio is None or time.high_ratio is None:
        return UNKNOWN
    if not time.completeness_ratio:
        return words.text("not enough data")
    low, high = (words.number(100 * float(ratio), decimals=3) for ratio in (time.low_ratio, time.high_ratio))
    space = " " if words.language == "id" else ""
    return f"{low}{space}%" if low == high else f"{low} - {high}{space}%"


def _print(words: Words, services: Sequence[ContractService]) -> None:
    for number, service in enumerate(services):
        if number:
            console().print()
        _print_contract(words, service)


def _print_contract(words: Words, service: ContractService) -> None:
    from bwmgr.measure.availability import kept

    level = service.contract.sla
    title = words.text("Contract {contract}", contract=service.contract.id)
    if level.availability_percent is not None:
        promised = f"{words.number(level.availability_percent, decimals=3)}{' ' if words.language == 'id' else ''}%"
        title = words.text("{title}: {promised} promised", title=title, promised=promised)
    columns = [
        Column(heading=words.text("Month"), cell=lambda row: row["label"]),
        Column(heading=words.text("Available"), right=True, cell=lambda row: availability_text(words, row["time"])),
        Column(heading=words.text("Down"), right=True, cell=lambda row: words.duration(row["time"].down_ms / 1000)),
        Column(heading=words.text("Excluded"), right=True, cell=lambda row: words.duration(row["time"].excluded_ms / 1000)),
        Column(heading=words.text("Unknown"), right=True, cell=lambda row: words.duration(row["time"].unknown_ms / 1000)),
        Column(heading=words.text("Complete"), right=True, cell=lambda row: words.ratio(_float(row["time"].completeness_ratio))),
        Column(heading=words.text("Verdict"), cell=lambda row: words.text(VERDICTS[row["verdict"]])),
        Column(heading=words.text("Restitution"), right=True, cell=lambda row: money_text(words, row["amount"], row["most"])),
    ]
    rows: list[dict[str, Any]] = [
        {
            "label": words.month(one.first) if one.is_over else words.text("{month} so far", month=words.month(one.first)),
            "time": one.time,
            "verdict": str(one.kept),
            "amount": one.restitution.amount if one.restitution else None,
            "most": one.restitution.most if one.restitution else None,
        }
        for one in service.months
    ]
    total = {"label": words.text("Total"), "time": service.time, "amount": service.amount, "most": service.most}
    rows.append({**total, "verdict": str(kept(level, service.time))})
    print_table(title, columns, rows)
    if service.outages:
        print_outages(words, service.outages, [service.treatment(one) for one in service.outages])


def money_text(words: Words, amount: int | None, most: int | None) -> str:
    """What is proven, and the most that it could be where that is more."""
    if amount is None or most is None:
        return UNKNOWN
    return words.money(amount) if amount == most else f"{words.money(amount)} - {words.money(most)}"


def _float(exact: Any) -> float | None:
    return None if exact is None else float(exact)


def _month(text: str) -> date:
    try:
        return datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC).date()
    except ValueError as error:
        raise UsageError(Said("not a month: {text!r}; write such as 2026-01", text=text)) from error


def _day(text: str | None, zone: str) -> date | None:
    return None if text is None else instant(text, zone).astimezone(ZoneInfo(zone)).date()
