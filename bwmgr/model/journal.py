"""What the trail is made of: who did what to what, chained to the entry before.

Owns an entry's canonical text, from which its hash comes. Signs, writes and checks nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

FIRST = "0" * 64
"""What the first entry has in place of the hash before it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Actor:
    """Who acted: the name written down for the act, the system user of the process, the role it was allowed by ("" : none)."""

    name: str
    user: str = ""
    role: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Note:
    """An act to be entered. `id` is its own for ever: entered twice, it is one entry. `details`: JSON, without secrets."""

    id: str
    at: datetime
    actor: Actor
    action: str
    """Such as `recommendation.approved`: what it is about, and what happened."""
    subject: str
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A line of the journal. `body` is the text that `hash` is of; `signature` (hexadecimal) is over the hash's 32 octets.

    `key` names the key that signed; both are empty where none was configured.
    """

    number: int
    note: Note
    previous: str
    key: str
    body: str
    hash: str
    signature: str


def body_of(number: int, note: Note, previous: str, key: str) -> str:
    """The canonical text of an entry: JSON with sorted keys, no spaces, UTF-8, times RFC 3339 UTC in microseconds."""
    document = {
        "number": number,
        "previous": previous,
        "key": key,
        "id": note.id,
        "at": note.at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "actor": {"name": note.actor.name, "user": note.actor.user, "role": note.actor.role},
        "action": note.action,
        "subject": note.subject,
        "details": note.details,
    }
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def note_text(note: Note) -> str:
    """A note as JSON, to wait for its entry. Raises: TypeError, ValueError for details that are not JSON."""
    return body_of(0, note, "", "")


def note_of(text: str) -> Note:
    """What `note_text` wrote."""
    return entry_of(text, "", "").note


def hash_of(body: str) -> str:
    """SHA-256 of the canonical text, hexadecimal."""
    return hashlib.sha256(body.encode()).hexdigest()


def entry_of(body: str, hash_: str, signature: str) -> Entry:
    """An entry as it was kept. Raises: ValueError for a text that is none."""
    try:
        said = json.loads(body)
        actor, at = said["actor"], datetime.fromisoformat(said["at"])
        note = Note(
            id=said["id"], at=at, actor=Actor(name=actor["name"], user=actor["user"], role=actor["role"]),
            action=said["action"], subject=said["subject"], details=said["details"],
        )  # fmt: skip
        number, previous, key = int(said["number"]), said["previous"], said["key"]
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"is no entry: {error!r}") from error
    return Entry(number=number, note=note, previous=previous, key=key, body=body, hash=hash_, signature=signature)
