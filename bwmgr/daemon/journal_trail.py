"""The trail: everything that people and the engine do gets its entry in the journal, once, without secrets.

Owns the way there. What changes the state store leaves its note in the same transaction (`StateStore.unentered`), so a crash
between the two files loses nothing: whoever comes next enters it. What goes to a device is entered at once, before and after.
Owns neither file: `bwmgr.stores.state` and `bwmgr.stores.journal` do.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from bwmgr.daemon.acting import system_user
from bwmgr.daemon.logs import masked, secrets_of
from bwmgr.model.journal import Actor, Note
from bwmgr.stores.journal import Journal
from bwmgr.stores.journal_keys import SigningKey, VerifyingKey, signing_key, verifying_key

if TYPE_CHECKING:
    from bwmgr.config.settings import JournalSection, Settings
    from bwmgr.model.clock import Clock
    from bwmgr.stores.journal_check import Check
    from bwmgr.stores.state import StateStore

_AT_ONCE = 500
_HEAD = "journal.head"
"""Where the state store keeps the journal's last entry, so that a shortened journal is noticed by the next writer."""
_VERDICT = "journal.verdict"
"""Where it keeps what the last verification found; empty: nothing."""


class Trail:
    """Raises (all methods): StoreError where the journal cannot be written; what was to be entered waits in the state store."""

    def __init__(self, settings: Settings, journal: Journal, state: StateStore, clock: Clock) -> None:
        self.journal = journal
        self._state = state
        self._clock = clock
        self._secrets = secrets_of(settings)
        self._people = settings.people
        self._known = False

    def record(self, action: str, subject: str, details: Mapping[str, Any] | None = None, *, by: Actor | str) -> None:
        """Enters an act now, after all that waits. `details`: anything JSON can say; secrets of the configuration are masked."""
        actor = by if isinstance(by, Actor) else Actor(name=by, user=system_user())
        said = json.loads(_utf8(json.dumps(details or {}, default=str, ensure_ascii=False)))
        self._state.enter([self._note(action, _utf8(subject), said, actor)])
        self.flush()

    def flush(self) -> int:
        """Enters what waits; returns how many entries that made."""
        made = 0
        while waiting := self._state.unentered(_AT_ONCE):
            if not self._known:
                self._notice_loss()
            entries = self.journal.append([self._clean(note) for note in waiting])
            self._state.entered([note.id for note in waiting])
            made += len(entries)
            if entries:
                head = {"number": entries[-1].number, "hash": entries[-1].hash}
                self._state.put(_HEAD, json.dumps(head).encode())
        return made

    def altered(self) -> str:
        """Empty, or what is wrong: the entry that the state store remembers as the last one is not in the journal."""
        return altered(self._state, self.journal)

    def close(self) -> None:
        self.journal.close()

    def _notice_loss(self) -> None:
        """The first act after somebody shortened or exchanged the journal says so in it, before it would be forgotten."""
        self._known = True
        if problem := self.altered():
            details = {"problem": problem, "remembered": json.loads(self._state.get(_HEAD) or b"{}")}
            note = self._note("journal.altered", "journal", details, Actor(name="journal", user=system_user()))
            self.journal.append([self._clean(note)])

    def _note(self, action: str, subject: str, details: Mapping[str, Any], actor: Actor) -> Note:
        return Note(id=uuid4().hex, at=self._clock.now(), actor=actor, action=action, subject=subject, details=details)

    def _clean(self, note: Note) -> Note:
        actor = replace(note.actor, role=note.actor.role or self._role(note.actor.name))
        return replace(note, actor=actor, subject=self._masked(note.subject), details=self._masked(note.details))

    def _role(self, name: str) -> str:
        person = next((one for one in self._people if name == one.id), None)
        return ", ".join(person.roles) if person else ""

    def _masked(self, content: Any) -> Any:
        if isinstance(content, str):
            return masked(content, self._secrets)
        if isinstance(content, Mapping):
            return {masked(key, self._secrets): self._masked(one) for key, one in content.items()}
        return [self._masked(one) for one in content] if isinstance(content, list) else content


def _utf8(text: str) -> str:
    """Without what cannot be written: a file's name may hold octets that are no UTF-8."""
    return text.encode("utf-8", "replace").decode()


def altered(state: StateStore, journal: Journal) -> str:
    """As `Trail.altered`. Raises: StoreError."""
    kept = state.get(_HEAD)
    if kept is None:
        return ""
    head = json.loads(kept)
    found = journal.hash_at(head["number"])
    if found == head["hash"]:
        return ""
    return f"entry {head['number']} is {'missing' if found is None else 'another one'}"


def trouble(state: StateStore, journal: Journal) -> str:
    """What the last verification of the whole journal found, else what is `altered` since. Raises: StoreError."""
    return (state.get(_VERDICT) or b"").decode() or altered(state, journal)


def keep_verdict(state: StateStore, found: Check) -> None:
    """What a verification of the whole journal came to: its first problem, or nothing. Raises: StoreError."""
    first = next(iter(found.problems), None)
    state.put(_VERDICT, b"" if first is None else f"entry {first.entry} {first.said}".encode())


def configured_key(section: JournalSection) -> SigningKey | None:
    """The organisation's key, where there is one. Raises: UsageError for one that is none."""
    if section.key is None or not section.key.reveal():
        return None
    return signing_key(section.key.reveal(), section.key.source.partition(":")[2])


def known_keys(section: JournalSection) -> list[VerifyingKey]:
    """The public halves of the present and earlier keys. Raises: UsageError."""
    present = configured_key(section)
    return [*([present.public] if present else []), *(verifying_key(path) for path in section.earlier_keys)]
