"""`discover` and `poll`: talking to routers from the command line."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from bwmgr.cli.output import Column, Row, console, emit, format_option, note, print_table
from bwmgr.cli.session import Session
from bwmgr.language import UNKNOWN
from bwmgr.model.said import but_first
from bwmgr.model.samples import GapReason

if TYPE_CHECKING:
    from bwmgr.daemon.polling import CycleReport, LinkGap


@click.command()
@click.option("--once", is_flag=True, required=True, help="One cycle now; `bwmgr daemon` polls for good.")
@format_option
@click.pass_obj
def poll(session: Session, once: bool, form: str) -> None:
    """Poll all devices now. The first cycle has no rates yet: a rate needs two readings."""
    with session.application() as application, application.lock():
        poller = application.poller()
        try:
            report = poller.cycle()
            if poller.flush():
                note(session.words.text("The store took nothing, this cycle is lost: {problem}", problem=report.trouble))
                sys.exit(1)
        finally:
            poller.close()
    document = cycle_document(report)
    emit(form, document, document["gaps"], lambda: _print_cycle(session, report))
    _say_what_is_missing(session, report)


def _say_what_is_missing(session: Session, report: CycleReport) -> None:
    """Exits 1 where no device answered, 3 where a link lacks a rate that it ought to have."""
    words = session.words
    unheard = len(report.devices) - report.answered
    if unheard:
        note(words.plural("{count} device did not answer", "{count} devices did not answer", count=unheard))
    if report.missing:
        note(words.plural("{count} link has no rate", "{count} links have no rate", count=len(report.missing)))
    if unheard and not report.answered:
        sys.exit(1)
    if unheard or report.missing:
        sys.exit(3)


def cycle_document(report: CycleReport) -> dict[str, Any]:
    """As `poll --once --format json` prints it."""
    from bwmgr.daemon.status import reason_code, rfc3339

    return {
        "cycle": {
            "started_at": rfc3339(report.started_at),
            "duration_seconds": round(report.duration_seconds, 3),
            "devices": len(report.devices),
            "answered": report.answered,
            "links_ok": report.links_ok,
            "gaps": len(report.gaps),
        },
        "gaps": [
            {"link": gap.link, "reason": reason_code(gap.reason), **({"detail": gap.detail} if gap.detail else {})}
            for gap in report.gaps
        ],
    }


def _print_cycle(session: Session, report: CycleReport) -> None:
    words = session.words
    console().print(
        words.text(
            "{answered} of {devices} devices answered; links with a rate: {links_ok}, without: {gaps} ({duration} s)",
            answered=report.answered,
            devices=len(report.devices),
            links_ok=report.links_ok,
            gaps=len(report.gaps),
            duration=round(report.duration_seconds, 2),
        )
    )
    if report.gaps:
        columns = [
            Column(heading=words.text("Link"), cell=lambda row: row["of"].link),
            Column(heading=words.text("Why there is no rate"), cell=lambda row: words.gap(row["of"].reason)),
            Column(heading=words.text("Detail"), cell=lambda row: words.said(_detail(row["of"]))),
        ]
        print_table(None, columns, [{"of": gap} for gap in report.gaps])


def _detail(gap: LinkGap) -> str:
    """What the reason's own words do not say already."""
    return but_first(gap.detail) if gap.reason is GapReason.TIMEOUT else gap.detail


@click.command()
@click.argument("address", metavar="ADDRESS[:PORT]")
@click.option("--credentials", "credential_id", help="Id of the credentials to use; default: the device's own, or `default`.")
@click.option("--vendor", help="Vendor to write into the YAML.")
@click.option("--format", "form", type=click.Choice(["table", "json", "csv", "yaml"]), default="table", show_default=True,
              help="Output format; table prints the interfaces and the YAML, yaml the YAML alone.")  # fmt: skip
@click.pass_obj
def discover(session: Session, address: str, credential_id: str | None, vendor: str | None, form: str) -> None:
    """Walk the router at ADDRESS[:PORT], [IPv6]:PORT or of a device id: its interfaces, and YAML ready to paste."""
    from bwmgr.daemon.discovery import discover_address, discovery_document, discovery_yaml

    note(session.words.text("walking {address} ...", address=address))
    found = discover_address(session.settings, address, credential_id)
    if form == "yaml":
        click.echo(discovery_yaml(found, vendor), nl=False)
        return
    document = discovery_document(found, vendor)
    emit(form, document, document["interfaces"], lambda: _print_discovery(session, document))


def _print_discovery(session: Session, document: dict[str, Any]) -> None:
    words = session.words
    device = document["device"]
    console().print(f"{device['sys_name']}  {device['sys_descr']}")
    console().print(words.text("running for {up_seconds}", up_seconds=device["sys_uptime_seconds"]))

    def state(row: Row) -> str:
        return words.text("unknown") if row["oper_up"] is None else words.text("up") if row["oper_up"] else words.text("down")

    columns = [
        Column(heading=words.text("Index"), cell=lambda row: str(row["if_index"]), right=True),
        Column(heading=words.text("Interface"), cell=lambda row: row["if_name"]),
        Column(heading=words.text("Alias"), cell=lambda row: row["if_alias"]),
        Column(heading=words.text("Speed"), cell=lambda row: words.rate(row["speed_bps"]), right=True),
        Column(heading=words.text("State"), cell=state),
        Column(heading=words.text("Counters"), cell=lambda row: f"{row['counter_bits']} bit" if row["counter_bits"] else UNKNOWN),
    ]
    print_table(None, columns, document["interfaces"])
    click.echo(f"\n{document['yaml']}", nl=False)
