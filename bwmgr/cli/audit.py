"""`audit`: the trail of everything that people and the engine did, for whoever must be able to believe it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bwmgr.cli.instants import instant
from bwmgr.cli.output import Column, console, emit, format_option, note, print_table
from bwmgr.cli.session import Session
from bwmgr.errors import BwmgrError, unwritable

if TYPE_CHECKING:
    from datetime import datetime

    from bwmgr.language import Words


@click.group()
def audit() -> None:
    """The trail: who did what, when and why, and everything that was sent to a device."""


@audit.command("list")
@click.option("--start", help="From this time on.")
@click.option("--end", help="Up to, not including, this time.")
@click.option("--act", "action", default="", help="Only acts whose name begins so, such as recommendation. or device.sent.")
@click.option("--by", "name", default="", help="Only this person's, or rule's.")
@click.option("--about", "subject", default="", help="Only about this: a recommendation's id, a link, a device.")
@click.option("--newest", type=click.IntRange(min=1), default=50, show_default=True, help="Only the last so many.")
@format_option
@click.pass_obj
def audit_list(
    session: Session, start: str | None, end: str | None, action: str, name: str, subject: str, newest: int, form: str
) -> None:
    """Entries of the journal, oldest first."""
    from bwmgr.daemon.auditing import journal_of
    from bwmgr.daemon.journal_words import act, details, document, who

    first, last = _period(session, start, end)
    with session.application() as application:
        entries = journal_of(application).entries(
            start=first, end=last, action=action, name=name, subject=subject, newest=newest
        )  # fmt: skip
    words = session.words

    def table() -> None:
        columns = [
            Column(heading=words.text("No."), right=True, cell=lambda row: str(row["of"].number)),
            Column(heading=words.text("When"), cell=lambda row: words.instant(row["of"].note.at)),
            Column(heading=words.text("Who"), cell=lambda row: who(row["of"])),
            Column(heading=words.text("What"), cell=lambda row: act(words, row["of"].note.action)),
            Column(heading=words.text("About"), cell=lambda row: row["of"].note.subject),
            Column(heading=words.text("Details"), cell=lambda row: details(row["of"])),
        ]
        print_table(None, columns, [{"of": entry} for entry in entries])

    documents = [document(entry) for entry in entries]
    emit(form, documents, documents, table)


@audit.command("verify")
@click.option("--key", "keys", multiple=True, type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="A public key to believe, instead of the configuration's.")  # fmt: skip
@click.option("--head", "heads", multiple=True, type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="A head that was kept elsewhere: finds an end that was cut off without a trace.")  # fmt: skip
@click.option("--journal", "copy", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="A copy of journal.sqlite on another machine: needs no configuration.")  # fmt: skip
@format_option
@click.pass_obj
def audit_verify(session: Session, keys: tuple[Path, ...], heads: tuple[Path, ...], copy: Path | None, form: str) -> None:
    """Is the journal as it was written? Finds what was changed, left out, put in, moved or cut off; exit 1 names the entry."""
    from bwmgr.daemon.auditing import verification_document, verify, verify_copy
    from bwmgr.language import Words

    if copy is not None:
        verification, words = verify_copy(copy, keys, heads), Words(session.language or "en")
    else:
        with session.application() as application:
            verification, words = verify(application, keys, heads), session.words
    document = verification_document(words, verification)
    emit(form, document, [document], lambda: _print_verification(words, document))
    if not verification.whole:
        sys.exit(1)


@audit.command("head")
@click.option("-o", "--output", "path", type=click.Path(dir_okay=False, path_type=Path), help="File to write.")
@click.pass_obj
def audit_head(session: Session, path: Path | None) -> None:
    """The last entry's number, hash and signature as JSON: keep it where nobody who can write the journal can write."""
    from bwmgr.daemon.auditing import head

    with session.application() as application:
        text = json.dumps(head(application), indent=2) + "\n"
    if path is None:
        click.echo(text, nl=False)
    else:
        _write(session, path, text.encode())


@audit.command("export")
@click.option("--format", "form", type=click.Choice(["csv", "pdf"]), default="pdf", show_default=True)
@click.option(
    "-o",
    "--output",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write (default: audit.csv, audit.pdf).",
)
@click.option("--start", help="From this time on.")
@click.option("--end", help="Up to, not including, this time.")
@click.pass_obj
def audit_export(session: Session, form: str, path: Path | None, start: str | None, end: str | None) -> None:
    """The journal as a document to be signed and filed, or as a table with the signed texts."""
    from bwmgr.daemon.acting import acting
    from bwmgr.daemon.auditing import csv_export, enter_export, journal_of, pdf_export

    first, last = _period(session, start, end)
    path = path or Path(f"audit.{form}")
    with session.application() as application:
        entries = journal_of(application).entries(start=first, end=last)
        if form == "csv":
            content = csv_export(entries).encode("utf-8-sig")
        else:
            content = pdf_export(application, session.words, entries, (first, last))
        _write(session, path, content)
        enter_export(application, path.name, form, len(entries), acting(session.settings, None, None))


@audit.command("key")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def audit_key(file: Path) -> None:
    """Make the organisation's key pair: FILE (private, mode 0600) signs the journal, FILE.pub is for the auditor."""
    from bwmgr.stores.journal_keys import make_key, public_path

    key = make_key(file)
    note(f"{file}: private key {key.id}; {public_path(file)}: its public half, for whoever verifies")
    click.echo(f"journal: {{key: {{file: {file.absolute()}}}}}")


def _period(session: Session, start: str | None, end: str | None) -> tuple[datetime | None, datetime | None]:
    timezone = session.settings.inventory.organisation.timezone
    return (instant(start, timezone) if start else None, instant(end, timezone) if end else None)


def _print_verification(words: Words, document: dict[str, Any]) -> None:
    out = console()
    if document["ok"]:
        out.print(words.text("The journal is whole: no entry was changed, left out, put in or moved."), style="bold")
    else:
        out.print(words.text("The journal is NOT whole; problems found: {count}.", count=document["problem_count"]), style="bold")
    for problem in document["problems"]:
        out.print(words.text("Entry {number}:", number=problem["entry"]), problem["text"])
    signed = words.text("{signed} signed, {unsigned} unsigned", signed=document["signed"], unsigned=document["unsigned"])
    out.print(f"{words.text('Entries in the journal')}: {words.number(document['entries'])} ({signed})")
    known = ", ".join(document["keys"]) or words.text("none: signatures were not judged")
    out.print(f"{words.text('Keys of the organisation')}: {known}")
    if document["head"]:
        out.print(f"{words.text('Head of the journal')}: {document['head']['number']} {document['head']['hash']}")


def _write(session: Session, path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise BwmgrError(unwritable(path, error)) from error
    note(session.words.text("written: {path}", path=str(path)))
