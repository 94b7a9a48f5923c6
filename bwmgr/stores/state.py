"""Small state that must be transactional: what the poller remembers, the queue of recommendations, the history of limits.

Owns one SQLite file (`state.sqlite`), whatever store holds the rates, and which changes of status a recommendation may go
through. Each recommendation and each change of one leaves its note for the journal in the same transaction. Safe to use from
several threads and processes; every call that writes is on the disk when it returns.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from bwmgr.errors import StoreUnavailable, UsageError, path_reason
from bwmgr.model.decision import Recommendation, Status, StatusChange
from bwmgr.model.inventory import PerDirection
from bwmgr.model.journal import Note, note_of, note_text
from bwmgr.model.said import Said
from bwmgr.stores.embedded.catalog import connect, other_version, translated
from bwmgr.stores.journal_notes import changed_note, proposed_note
from bwmgr.stores.space import STATE_OCTETS, require_space

if TYPE_CHECKING:
    from pydantic import TypeAdapter

SCHEMA_VERSION = 1
SHORTEST_PREFIX = 6
"""Characters of an id that may stand for the whole."""

Limit = PerDirection[int | None]

_SCHEMA = """
CREATE TABLE kept (key TEXT PRIMARY KEY, content BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE recommendation (id TEXT PRIMARY KEY, link TEXT NOT NULL, status TEXT NOT NULL, created_ms INTEGER NOT NULL,
    document TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX recommendation_status ON recommendation (status, created_ms);
CREATE INDEX recommendation_link ON recommendation (link, created_ms);
CREATE TABLE change (number INTEGER PRIMARY KEY AUTOINCREMENT, recommendation TEXT NOT NULL, at_ms INTEGER NOT NULL,
    status TEXT NOT NULL, by TEXT NOT NULL, note TEXT NOT NULL);
CREATE INDEX change_of ON change (recommendation, number);
CREATE TABLE link_limit (link TEXT NOT NULL, at_ms INTEGER NOT NULL, down_bps INTEGER, up_bps INTEGER,
    PRIMARY KEY (link, at_ms)) WITHOUT ROWID
"""
_UNENTERED = "CREATE TABLE IF NOT EXISTS unentered (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, note TEXT NOT NULL)"
"""Notes that wait for their entry in the journal; a file of before has no such table, and an older program does not miss it."""

_NEXT: Mapping[Status, frozenset[Status]] = {
    Status.PROPOSED: frozenset({Status.APPROVED, Status.REJECTED, Status.EXPIRED, Status.SUPERSEDED}),
    Status.APPROVED: frozenset({Status.APPLIED, Status.REJECTED, Status.EXPIRED, Status.SUPERSEDED}),
    Status.APPLIED: frozenset({Status.VERIFIED, Status.ROLLED_BACK}),
    Status.VERIFIED: frozenset({Status.ROLLED_BACK}),
}
"""What may follow; a status that is not here is the last one."""


class StateStore:
    """The file at `path`, made with its folder where it does not exist.

    Raises (all methods): StoreUnavailable where it cannot be read or written now, StoreError for another version.
    """

    def __init__(self, path: Path, *, user: str = "") -> None:
        """`user`: the system user who acts, as notes for the journal say."""
        self.path = path
        self.closed = False
        self.user = user
        self._lock = threading.RLock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreUnavailable(path_reason(path.parent, error)) from error
        with translated(path):
            self._connection = connect(path)
            self._prepare()

    def get(self, key: str) -> bytes | None:
        """What was last put under this key."""
        with self._reading() as connection:
            row = connection.execute("SELECT content FROM kept WHERE key = ?", (key,)).fetchone()
        return None if row is None else bytes(row[0])

    def put(self, key: str, content: bytes) -> None:
        self.put_many({key: content})

    def put_many(self, contents: Mapping[str, bytes], notes: Sequence[Note] = ()) -> None:
        """All of them, with the notes that the journal gets of it, or, on an error, none."""
        with self._writing() as connection:
            _enter(connection, notes)
            connection.executemany("INSERT OR REPLACE INTO kept (key, content) VALUES (?, ?)", list(contents.items()))

    def add_recommendations(self, recommendations: Sequence[Recommendation]) -> None:
        """New ones; one with an id that is there already is left as it is."""
        with self._writing() as connection:
            for entry in recommendations:
                document = _adapter().dump_json(entry).decode()
                added = connection.execute(
                    "INSERT OR IGNORE INTO recommendation (id, link, status, created_ms, document) VALUES (?, ?, ?, ?, ?)",
                    (entry.id, entry.link, str(entry.status), _ms(entry.created_at), document),
                )
                if added.rowcount:
                    _enter(connection, [proposed_note(entry, document, self.user)])

    def recommendations(self, *, status: str | None = None, link: str | None = None) -> list[Recommendation]:
        """Newest first."""
        with self._reading() as connection:
            rows = connection.execute(
                "SELECT document, status FROM recommendation WHERE (?1 IS NULL OR status = ?1) AND (?2 IS NULL OR link = ?2)"
                " ORDER BY created_ms DESC, id",
                (status, link),
            ).fetchall()
        return [_recommendation(*row) for row in rows]

    def recommendation(self, name: str) -> Recommendation | None:
        """The one with this id, or with the only id that begins so (six characters at least).

        Raises: UsageError where several begin so.
        """
        least = name if len(name) < SHORTEST_PREFIX else f"{_escaped(name)}%"
        with self._reading() as connection:
            rows = connection.execute(
                "SELECT id, document, status FROM recommendation WHERE id = ?1 OR id LIKE ?2 ESCAPE '\\' LIMIT 3", (name, least)
            ).fetchall()
        exact = [row for row in rows if row[0] == name]
        if not exact and len(rows) > 1:
            raise UsageError(Said("several recommendations begin with {name!r}; write more of the id", name=name))
        found = exact or rows
        return _recommendation(*found[0][1:]) if found else None

    def change_status(self, change: StatusChange) -> None:
        """One step in a recommendation's life, with its record.

        Raises: UsageError where there is no such recommendation, or it may not go from its status to this one.
        """
        self.change_statuses([change])

    def change_statuses(self, changes: Sequence[StatusChange]) -> None:
        """As `change_status`, all of them in one transaction or, where one is refused, none."""
        with self._writing() as connection:
            for change in changes:
                _change(connection, change, self.user)

    def changes(self, name: str) -> list[StatusChange]:
        """All steps of a recommendation, oldest first."""
        with self._reading() as connection:
            rows = connection.execute(
                "SELECT recommendation, at_ms, status, by, note FROM change WHERE recommendation = ? ORDER BY number", (name,)
            ).fetchall()
        return [StatusChange(recommendation=a, at=_instant(b), status=Status(c), by=d, note=e) for a, b, c, d, e in rows]

    def changes_by(self, name: str, since: datetime) -> list[StatusChange]:
        """All steps that one person or rule made from `since` on, oldest first."""
        with self._reading() as connection:
            rows = connection.execute(
                "SELECT recommendation, at_ms, status, by, note FROM change WHERE by = ? AND at_ms >= ? ORDER BY number",
                (name, _ms(since)),
            ).fetchall()
        return [StatusChange(recommendation=a, at=_instant(b), status=Status(c), by=d, note=e) for a, b, c, d, e in rows]

    def enter(self, notes: Sequence[Note]) -> None:
        """Notes for the journal, about what is not kept here."""
        with self._writing() as connection:
            _enter(connection, notes)

    def unentered(self, most: int) -> list[Note]:
        """Notes that wait for their entry in the journal, oldest first."""
        with self._reading() as connection:
            rows = connection.execute("SELECT note FROM unentered ORDER BY number LIMIT ?", (most,)).fetchall()
        return [note_of(text) for (text,) in rows]

    def entered(self, ids: Sequence[str]) -> None:
        """These notes are in the journal: they wait no more."""
        with self._writing() as connection:
            connection.executemany("DELETE FROM unentered WHERE id = ?", [(one,) for one in ids])

    def record_limits(self, at: datetime, limits: Mapping[str, Limit]) -> None:
        """Limits in force from `at` on. One that was in force already is no change and is not kept again."""
        with self._writing() as connection:
            for link, limit in limits.items():
                row = connection.execute(
                    "SELECT down_bps, up_bps FROM link_limit WHERE link = ? AND at_ms <= ? ORDER BY at_ms DESC LIMIT 1",
                    (link, _ms(at)),
                ).fetchone()
                if row != (limit.down, limit.up):
                    connection.execute(
                        "INSERT OR REPLACE INTO link_limit (link, at_ms, down_bps, up_bps) VALUES (?, ?, ?, ?)",
                        (link, _ms(at), limit.down, limit.up),
                    )

    def limits(self, link: str) -> list[tuple[datetime, Limit]]:
        """(in force from, limit), oldest first."""
        with self._reading() as connection:
            rows = connection.execute(
                "SELECT at_ms, down_bps, up_bps FROM link_limit WHERE link = ? ORDER BY at_ms", (link,)
            ).fetchall()
        return [(_instant(at), PerDirection(down=down, up=up)) for at, down, up in rows]

    def all_limits(self) -> Mapping[str, list[tuple[datetime, Limit]]]:
        """As `limits`, of every link that has any, by one query."""
        with self._reading() as connection:
            rows = connection.execute("SELECT link, at_ms, down_bps, up_bps FROM link_limit ORDER BY link, at_ms").fetchall()
        found: dict[str, list[tuple[datetime, Limit]]] = {}
        for link, at, down, up in rows:
            found.setdefault(link, []).append((_instant(at), PerDirection(down=down, up=up)))
        return found

    def close(self) -> None:
        self.closed = True
        self._connection.close()

    def _prepare(self) -> None:
        with self._transaction("BEGIN IMMEDIATE") as connection:  # two processes may open a new file at once
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                for statement in _SCHEMA.split(";"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            elif version != SCHEMA_VERSION:
                raise other_version(self.path, version, SCHEMA_VERSION)
            connection.execute(_UNENTERED)

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock, translated(self.path), self._transaction("BEGIN") as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        require_space(self.path.parent, STATE_OCTETS)
        with self._lock, translated(self.path), self._transaction("BEGIN IMMEDIATE") as connection:
            yield connection

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        connection = self._connection
        connection.execute(begin)
        try:
            yield connection
            connection.execute("COMMIT")
        finally:
            if connection.in_transaction:  # left by an error
                connection.execute("ROLLBACK")


def _enter(connection: sqlite3.Connection, notes: Sequence[Note]) -> None:
    rows = [(note.id, note_text(note)) for note in notes]
    connection.executemany("INSERT OR IGNORE INTO unentered (id, note) VALUES (?, ?)", rows)


def _change(connection: sqlite3.Connection, change: StatusChange, user: str) -> None:
    row = connection.execute("SELECT status, document FROM recommendation WHERE id = ?", (change.recommendation,)).fetchone()
    if row is None:
        raise UsageError(Said("no recommendation {id!r}", id=change.recommendation))
    before = Status(row[0])
    if change.status not in _NEXT.get(before, frozenset()):
        raise UsageError(
            Said(
                "recommendation {id} is {before}: it cannot become {after}",
                id=change.recommendation,
                before=Said(before),
                after=Said(change.status),
            )
        )
    connection.execute("UPDATE recommendation SET status = ? WHERE id = ?", (str(change.status), change.recommendation))
    connection.execute(
        "INSERT INTO change (recommendation, at_ms, status, by, note) VALUES (?, ?, ?, ?, ?)",
        (change.recommendation, _ms(change.at), str(change.status), change.by, change.note),
    )
    _enter(connection, [changed_note(change, before, row[1], user)])


@cache
def _adapter() -> TypeAdapter[Recommendation]:
    """Recommendations to JSON and back, exactly; pydantic is loaded when the first one is written or read."""
    from pydantic import TypeAdapter

    return TypeAdapter(Recommendation)


def _recommendation(document: str, status: str) -> Recommendation:
    from dataclasses import replace

    return replace(_adapter().validate_json(document), status=Status(status))


def _escaped(prefix: str) -> str:
    return prefix.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _ms(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def _instant(at_ms: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)
