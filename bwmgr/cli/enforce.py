"""`render`, `apply`, `rollback`: from an approved recommendation to the device, and back."""

from __future__ import annotations

from typing import Any

import click

from bwmgr.cli.output import console, emit, format_option, note
from bwmgr.cli.session import Session

DIALECTS = ("routeros", "routeros6", "routeros-tree", "ios", "junos", "tc", "radius")


@click.command()
@click.argument("names", metavar="[ID]...", nargs=-1)
@click.option("--vendor", type=click.Choice(DIALECTS), required=True, help="Whose words.")
@format_option
@click.pass_obj
def render(session: Session, names: tuple[str, ...], vendor: str, form: str) -> None:
    """The configuration that would enforce recommendations (default: all approved ones), and its undo. Sends nothing."""
    from bwmgr.daemon.rendering import render_recommendations

    with session.application() as application:
        documents = render_recommendations(application, names, vendor)

    def table() -> None:
        for document in documents:
            console().print(session.words.text("{id} on {vendor}:", id=document["id"], vendor=vendor))
            _print_lines(document["lines"])
            console().print(session.words.text("Undo:"))
            _print_lines(document["undo"])

    emit(form, documents, documents, table)


@click.command()
@click.argument("names", metavar="ID...", nargs=-1, required=True)
@click.option("--by", help="Who applies (default: the system user).")
@click.option("--dry-run", is_flag=True, help="Print exactly what would be sent; send nothing.")
@format_option
@click.pass_obj
def apply(session: Session, names: tuple[str, ...], by: str | None, dry_run: bool, form: str) -> None:
    """Send approved recommendations to their devices and read them back. The daemon then verifies each, or takes it back.

    Several are applied one after the other; where some fail, the others stand and the exit code is 3. JSON of one is an object,
    of several a list.
    """
    from bwmgr.daemon.apply_many import apply_many, exit_code
    from bwmgr.model.people import Role

    person = session.acting(by, None if dry_run else Role.OPERATOR).name
    with session.application() as application:
        outcomes = apply_many(application, names, by=person, dry_run=dry_run)
    if len(outcomes) == 1 and outcomes[0].error is not None:
        raise outcomes[0].error
    documents = [outcome.as_document() for outcome in outcomes]

    def table() -> None:
        for outcome, document in zip(outcomes, documents, strict=True):
            if len(documents) > 1:
                console().print(document["id"], style="bold")
            if outcome.error is not None:
                console().print(session.words.error(outcome.error), style="red")
            else:
                _print_sent(session, document)

    emit(form, documents[0] if len(documents) == 1 else documents, documents, table)
    if failed := [outcome for outcome in outcomes if outcome.error is not None]:
        note(session.words.text("{failed} of {count} were not applied.", failed=len(failed), count=len(outcomes)))
        click.get_current_context().exit(exit_code(outcomes))


@click.command()
@click.argument("name", metavar="ID")
@click.option("--by", help="Who takes it back (default: the system user).")
@click.option("--note", "remark", default="", help="A remark for the record.")
@format_option
@click.pass_obj
def rollback(session: Session, name: str, by: str | None, remark: str, form: str) -> None:
    """Bring back the exact settings from before a recommendation was applied."""
    from bwmgr.daemon.apply import rollback as take_back
    from bwmgr.daemon.apply_records import as_document
    from bwmgr.model.people import Role

    person = session.acting(by, Role.OPERATOR).name
    with session.application() as application:
        document = as_document(take_back(application, name, by=person, note=remark))
    emit(form, document, [document], lambda: _print_back(session, document))


def _print_sent(session: Session, document: dict[str, Any]) -> None:
    words = session.words
    if not document["lines"]:
        console().print(words.text("{device} has these settings already: nothing to send.", device=document["device"]))
        return
    if document.get("dry_run"):
        console().print(words.text("Would be sent to {device}:", device=document["device"]))
    else:
        console().print(words.text("Sent to {device} and read back:", device=document["device"]))
    _print_lines(document["lines"])


def _print_back(session: Session, document: dict[str, Any]) -> None:
    text = session.words.text
    console().print(
        text("{id}: the settings from before are in force on {device}.", id=document["id"], device=document["device"])
    )


def _print_lines(lines: list[str]) -> None:
    for line in lines:
        click.echo(f"  {line}")
