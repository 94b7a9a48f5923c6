"""Whether a journal is whole: every entry as it was written, in its place, by the organisation's key, and none missing.

Owns the walk and the words of what it finds. Changes nothing. What nobody can find from the file alone: a tail cut off together
with SQLite's own count; for that a head is kept elsewhere (`bwmgr audit head`) and given here.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bwmgr.errors import UsageError
from bwmgr.model.journal import FIRST, Entry, body_of, entry_of, hash_of
from bwmgr.model.said import Said
from bwmgr.stores.journal import Journal, Row, columns_of
from bwmgr.stores.journal_keys import VerifyingKey

MOST_PROBLEMS = 100
"""So many are said; the first is what counts."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Head:
    """An entry's place and hash, to be kept where whoever writes the journal cannot write: printed, mailed, with the auditor."""

    number: int
    hash: str
    at: datetime
    key: str
    signature: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One thing that is not as it was written; `entry` 0: the journal as a whole. `code` is constant, `said` for people."""

    entry: int
    code: str
    said: Said


@dataclass(kw_only=True)
class Check:
    """What a walk found. `unsigned` counts entries from before the first key was configured."""

    entries: int = 0
    signed: int = 0
    unsigned: int = 0
    head: Head | None = None
    first_at: datetime | None = None
    problems: list[Problem] = field(default_factory=list)
    found: int = 0
    """All problems, also those that are not listed."""

    def blame(self, entry: int, code: str, said: Said) -> None:
        self.found += 1
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(Problem(entry=entry, code=code, said=said))


def check(journal: Journal, keys: Collection[VerifyingKey], heads: Collection[Head] = ()) -> Check:
    """Walks the whole journal. `keys`: those of the organisation, present and earlier; none: signatures are not judged.

    `heads`: what was kept elsewhere of an earlier state. Raises: StoreError where the file cannot be read at all.
    """
    known = {key.id: key for key in keys}
    done = Check()
    wanted: dict[int, list[Head]] = {}
    for head in heads:
        wanted.setdefault(head.number, []).append(head)
        if head.key in known and not known[head.key].signed(head.signature, head.hash):
            done.blame(head.number, "forged_head", Said("has a head kept elsewhere that key {key} did not sign", key=head.key))
    previous, last = FIRST, 0
    for row in journal.rows():
        if row.number != last + 1:
            _missing(done, last, row.number)
        entry = _read(done, row)
        if entry is not None:
            _judge(done, entry, row, previous if row.number == last + 1 else None)
            _signature(done, entry, row.number, known)
            done.first_at = done.first_at or entry.note.at
            done.head = Head(number=row.number, hash=row.hash, at=entry.note.at, key=entry.key, signature=row.signature)
        for head in wanted.pop(row.number, ()):
            if head.hash != row.hash:
                done.blame(row.number, "other_than_kept", Said("is another one than the head that was kept elsewhere"))
        previous, last = row.hash, row.number
        done.entries += 1
    _end(done, journal.highest(), last, wanted)
    if known and done.entries and not done.signed:
        done.blame(last, "never_signed", Said("is unsigned, as all before it, though the organisation has a key"))
    return done


def head_document(entry: Entry) -> dict[str, Any]:
    """A head as JSON."""
    document: Mapping[str, Any] = json.loads(entry.body)
    return {
        "number": entry.number, "hash": entry.hash, "at": document["at"], "key": entry.key, "signature": entry.signature,
    }  # fmt: skip


def read_head(text: str, where: str) -> Head:
    """What `head_document` gave. Raises: UsageError."""
    try:
        said = json.loads(text)
        return Head(
            number=int(said["number"]), hash=str(said["hash"]), at=datetime.fromisoformat(said["at"]), key=str(said["key"]),
            signature=str(said["signature"]),
        )  # fmt: skip
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(Said("{where} is no head of a journal; `bwmgr audit head` writes one", where=where)) from error


def _read(done: Check, row: Row) -> Entry | None:
    try:
        return entry_of(row.body, row.hash, row.signature)
    except ValueError:
        done.blame(row.number, "unreadable", Said("cannot be read"))
        return None


def _missing(done: Check, last: int, number: int) -> None:
    if number <= 0:
        done.blame(number, "misplaced", Said("has a number that is never given"))
    else:
        for gone in range(last + 1, min(number, last + 1 + MOST_PROBLEMS)):
            done.blame(gone, "missing", Said("is missing"))


def _judge(done: Check, entry: Entry, row: Row, previous: str | None) -> None:
    """`previous`: the hash of the entry before; None: that one is missing, which was said."""
    if hash_of(entry.body) != entry.hash or body_of(entry.number, entry.note, entry.previous, entry.key) != entry.body:
        done.blame(row.number, "changed", Said("was changed: its text does not have its hash"))
    elif row.beside != columns_of(entry):
        done.blame(row.number, "changed", Said("was changed: what it is found by differs from its text"))
    if entry.number != row.number:
        said = Said("stands where another belongs: it calls itself {itself}", itself=str(entry.number))
        done.blame(row.number, "misplaced", said)
    if previous is not None and entry.previous != previous:
        said = Said("does not follow the entry before it: one of the two was changed or put in")
        done.blame(row.number, "unchained", said)


def _signature(done: Check, entry: Entry, number: int, known: Mapping[str, VerifyingKey]) -> None:
    if not entry.key and not entry.signature:
        done.unsigned += 1
        if done.signed:
            done.blame(number, "unsigned", Said("is unsigned, though entries before it are signed"))
        return
    done.signed += 1
    if known and entry.key not in known:
        said = Said("is signed by another key ({key}) than the organisation's", key=entry.key or "?")
        done.blame(number, "foreign_key", said)
    elif known and not known[entry.key].signed(entry.signature, entry.hash):
        done.blame(number, "bad_signature", Said("has a signature that key {key} did not make", key=entry.key))


def _end(done: Check, highest: int, last: int, wanted: Mapping[int, list[Head]]) -> None:
    """What is gone behind the last entry, by SQLite's own count and by heads that were kept elsewhere."""
    if highest > last:
        said = Said("is missing, with all up to {highest}: the end was cut off", highest=str(highest))
        done.blame(last + 1, "cut_off", said)
    for number in (number for number in sorted(wanted) if number > last):
        done.blame(number, "cut_off", Said("is missing, though its head was kept elsewhere: the end was cut off"))
