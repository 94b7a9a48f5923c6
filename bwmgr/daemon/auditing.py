"""The auditor's side of the journal: reading, verifying, a head to be kept elsewhere, and exports on paper and as a table.

Owns which keys are believed and what an export holds. Writes nothing but the export, and its own entry in the journal.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bwmgr.daemon.journal_trail import keep_verdict, known_keys
from bwmgr.daemon.journal_words import act, details, document, who
from bwmgr.daemon.unread import why_unread
from bwmgr.errors import UsageError
from bwmgr.model.journal import Actor, Entry
from bwmgr.model.said import Said
from bwmgr.stores.journal import Journal
from bwmgr.stores.journal_check import Check, check, head_document, read_head
from bwmgr.stores.journal_keys import verifying_key

if TYPE_CHECKING:
    from bwmgr.daemon.application import Application
    from bwmgr.language import Words

MOST_ON_PAPER = 5000
"""A table of more rows takes WeasyPrint minutes and nobody reads it."""
_COLUMNS = ("number", "at", "name", "user", "role", "action", "subject", "details", "hash", "signature", "key", "body")


@dataclass(frozen=True, kw_only=True, slots=True)
class Verification:
    """`keys`: names of those that were believed; none: signatures were not judged."""

    found: Check
    keys: tuple[str, ...]

    @property
    def whole(self) -> bool:
        return not self.found.problems


def journal_of(application: Application) -> Journal:
    """For reading. Enters first what waits, where this user may write."""
    if (application.folder / "state.sqlite").exists() and os.access(application.folder, os.W_OK):
        application.trail.flush()
        return application.trail.journal
    return Journal(application.folder)


def verify(application: Application, key_files: Sequence[Path] = (), head_files: Sequence[Path] = ()) -> Verification:
    """The whole journal, by the given public keys, else by the configuration's; against heads that were kept elsewhere.

    Raises: UsageError for files that are no keys or heads, StoreError where the journal cannot be read.
    """
    keys = [verifying_key(path) for path in key_files] or known_keys(application.settings.journal)
    heads = [read_head(_text(path), str(path)) for path in head_files]
    found = check(journal_of(application), keys, heads)
    if os.access(application.folder, os.W_OK) and not found.problems and (problem := application.trail.altered()):
        found.blame(0, "cut_off", Said("the state remembers more than the journal holds: {problem}", problem=problem))
    if os.access(application.folder, os.W_OK) and not key_files:
        keep_verdict(application.state, found)
    return Verification(found=found, keys=tuple(key.id for key in keys))


def verify_copy(path: Path, key_files: Sequence[Path], head_files: Sequence[Path]) -> Verification:
    """A journal's file by itself, for the auditor's own machine. Raises: as `verify`."""
    keys = [verifying_key(key) for key in key_files]
    heads = [read_head(_text(head), str(head)) for head in head_files]
    return Verification(found=check(Journal(path.parent, name=path.name), keys, heads), keys=tuple(key.id for key in keys))


def enter_export(application: Application, name: str, form: str, count: int, by: Actor) -> None:
    """That the journal was given away; who may only read leaves no entry."""
    if os.access(application.folder, os.W_OK):
        application.trail.record("journal.exported", name, {"format": form, "entries": count}, by=by)


def verification_document(words: Words, verification: Verification) -> dict[str, Any]:
    """As programs read it, the problems in words too."""
    found, head = verification.found, verification.found.head
    return {
        "ok": verification.whole,
        "entries": found.entries,
        "signed": found.signed,
        "unsigned": found.unsigned,
        "keys": list(verification.keys),
        "head": None if head is None else {"number": head.number, "hash": head.hash, "key": head.key},
        "problem_count": found.found,
        "problems": [{"entry": one.entry, "code": one.code, "text": words.said(one.said)} for one in found.problems],
    }


def head(application: Application) -> dict[str, Any]:
    """The last entry's place, hash and signature. Raises: UsageError where there is none yet."""
    last = journal_of(application).head()
    if last is None:
        raise UsageError(Said("the journal is empty: nothing was done yet"))
    return head_document(last)


def csv_export(entries: Sequence[Entry]) -> str:
    """One line an entry; `body` is the signed text exactly: its SHA-256 is `hash`, which anybody can repeat."""
    from bwmgr.reports.documents.tables import csv_text

    return csv_text(_COLUMNS, [_row(entry) for entry in entries])


def pdf_export(
    application: Application, words: Words, entries: Sequence[Entry], period: tuple[datetime | None, datetime | None]
) -> bytes:
    """For signing and filing, with what a verification at this moment said. Raises: UsageError for more than fits on paper."""
    from bwmgr.reports.documents.rendering import render_pdf

    if len(entries) > MOST_ON_PAPER:
        raise UsageError(
            Said(
                "{count} entries are more than the {most} that fit on paper: choose a shorter time, or csv",
                count=len(entries),
                most=MOST_ON_PAPER,
            )
        )
    verification = verify(application)
    context = {
        "organisation": application.inventory.organisation,
        "start": period[0],
        "end": period[1],
        "now": application.clock.now(),
        "entries": [_shown(words, entry) for entry in entries],
        "whole": verification.whole,
        "check": verification_document(words, verification),
    }
    return render_pdf("audit", context, words=words, templates_folder=application.settings.documents.templates)


def _row(entry: Entry) -> tuple[str, ...]:
    import json

    actor, said = entry.note.actor, document(entry)
    text = json.dumps(said["details"], ensure_ascii=False, sort_keys=True)
    return (
        str(entry.number), said["at"], actor.name, actor.user, actor.role, entry.note.action, entry.note.subject, text,
        entry.hash, entry.signature, entry.key, entry.body,
    )  # fmt: skip


def _shown(words: Words, entry: Entry) -> Mapping[str, Any]:
    return {
        "number": entry.number, "at": entry.note.at, "who": who(entry), "act": act(words, entry.note.action),
        "subject": entry.note.subject, "details": details(entry), "hash": entry.hash,
    }  # fmt: skip


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(Said("{path} cannot be read: {why}", path=path, why=why_unread(error))) from error
