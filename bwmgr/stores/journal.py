"""The journal: what people and the engine did and what was sent to devices, in an SQLite file that only grows.

Owns the file `journal.sqlite`, the order of its entries, their chain and their signatures. Safe to use from several processes
at once: who writes holds SQLite's write lock from reading the last entry to adding the next. Triggers refuse to change or
delete; whoever goes around them is found by `bwmgr.stores.journal_check`. Knows nothing of what its entries mean.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from bwmgr.errors import StoreError, StoreUnavailable, path_reason
from bwmgr.model.journal import FIRST, Entry, Note, body_of, entry_of, hash_of
from bwmgr.model.said import Said, said_by
from bwmgr.stores.embedded.catalog import connect, other_version, translated
from bwmgr.stores.journal_keys import SigningKey
from bwmgr.stores.space import STATE_OCTETS, require_space

FILE_NAME = "journal.sqlite"
SCHEMA_VERSION = 1
_PAGE = 2000

_ROWS = """SELECT number, id, at, name, action, subject, body, hash, signature FROM entry WHERE number > ?
    ORDER BY number LIMIT ?"""

_SCHEMA = (
    """CREATE TABLE entry (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, at TEXT NOT NULL,
        name TEXT NOT NULL, action TEXT NOT NULL, subject TEXT NOT NULL,
        body TEXT NOT NULL, hash TEXT NOT NULL, signature TEXT NOT NULL)""",
    "CREATE TRIGGER entry_unchanged BEFORE UPDATE ON entry BEGIN SELECT RAISE(ABORT, 'the journal only grows'); END",
    "CREATE TRIGGER entry_undeleted BEFORE DELETE ON entry BEGIN SELECT RAISE(ABORT, 'the journal only grows'); END",
    # INSERT OR REPLACE deletes without the trigger above; a gap would be a missing entry
    """CREATE TRIGGER entry_follows BEFORE INSERT ON entry
        WHEN NEW.number IS NOT (SELECT coalesce(max(number), 0) + 1 FROM entry) OR EXISTS (SELECT 1 FROM entry WHERE id = NEW.id)
        BEGIN SELECT RAISE(ABORT, 'the journal only grows, one entry after the other'); END""",
)


class Row(NamedTuple):
    """A line of the file as it stands there. `beside`: what it is searched by, which must be what its body says."""

    number: int
    id: str
    at: str
    name: str
    action: str
    subject: str
    body: str
    hash: str
    signature: str

    @property
    def beside(self) -> tuple[str, str, str, str, str]:
        return self.id, self.at, self.name, self.action, self.subject


class Journal:
    """The file in `folder`; made when the first entry is added. `key` None: entries are chained, and unsigned.

    Raises (all methods): StoreUnavailable where it cannot be read or written now, StoreError where it is broken or of another
    version.
    """

    def __init__(self, folder: Path, key: SigningKey | None = None, *, name: str = FILE_NAME) -> None:
        self.path = folder / name
        self._key = key
        self._lock = threading.RLock()
        self._writer: sqlite3.Connection | None = None

    @property
    def key_id(self) -> str:
        """Of the key that signs; empty: none does."""
        return self._key.id if self._key else ""

    def append(self, notes: Sequence[Note]) -> list[Entry]:
        """Adds them in order in one transaction, on the disk when it returns; one whose id is there already is left out.

        Raises: ValueError for details that are not JSON.
        """
        added: list[Entry] = []
        with self._writing() as connection:
            number, previous = _last(connection)
            for note in notes:
                if connection.execute("SELECT 1 FROM entry WHERE id = ?", (note.id,)).fetchone():
                    continue
                entry = self._entry(number + 1, note, previous)
                _insert(connection, entry)
                number, previous = entry.number, entry.hash
                added.append(entry)
        return added

    def entries(
        self,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        action: str = "",
        name: str = "",
        subject: str = "",
        newest: int | None = None,
    ) -> list[Entry]:
        """Oldest first, within [start, end). `action` may be a beginning (`recommendation.`); `newest`: only the last so many."""
        given = {
            "start": _instant(start), "end": _instant(end), "action": _escaped(action), "name": name, "subject": subject,
            "newest": -1 if newest is None else newest,
        }  # fmt: skip
        with self._reading() as connection:
            rows = connection.execute(
                "SELECT body, hash, signature FROM (SELECT * FROM entry WHERE (:start IS NULL OR at >= :start)"
                " AND (:end IS NULL OR at < :end) AND (:action = '' OR action LIKE :action || '%' ESCAPE '\\')"
                " AND (:name = '' OR name = :name) AND (:subject = '' OR subject = :subject)"
                " ORDER BY number DESC LIMIT :newest) ORDER BY number",
                given,
            ).fetchall()
        return [self._known(*row) for row in rows]

    def rows(self) -> Iterator[Row]:
        """What stands in the file, in pieces, for whoever checks it."""
        reached = -(1 << 62)
        while True:
            with self._reading() as connection:
                connection.text_factory = lambda octets: octets.decode(errors="replace")  # whoever changed it may have broken it
                page = connection.execute(_ROWS, (reached, _PAGE)).fetchall()
            if not page:
                return
            yield from (Row(*row) for row in page)
            reached = page[-1][0]

    def hash_at(self, number: int) -> str | None:
        """The hash of this entry; None: there is none."""
        with self._reading() as connection:
            row = connection.execute("SELECT hash FROM entry WHERE number = ?", (number,)).fetchone()
        return str(row[0]) if row else None

    def head(self) -> Entry | None:
        """The last entry."""
        with self._reading() as connection:
            row = connection.execute("SELECT body, hash, signature FROM entry ORDER BY number DESC LIMIT 1").fetchone()
        return self._known(*row) if row else None

    def highest(self) -> int:
        """The highest number that was ever given: SQLite keeps it apart from the entries."""
        with self._reading() as connection:
            row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'entry'").fetchone()
        return int(row[0]) if row else 0

    def close(self) -> None:
        """Safe to call twice."""
        with self._lock:
            if self._writer is not None:
                self._writer.close()
                self._writer = None

    def _entry(self, number: int, note: Note, previous: str) -> Entry:
        body = body_of(number, note, previous, self.key_id)
        hash_ = hash_of(body)
        signature = self._key.sign(hash_) if self._key else ""
        return Entry(
            number=number, note=note, previous=previous, key=self.key_id, body=body, hash=hash_, signature=signature
        )  # fmt: skip

    def _known(self, body: str, hash_: str, signature: str) -> Entry:
        try:
            return entry_of(body, hash_, signature)
        except ValueError as error:
            raise StoreError(
                Said("{path}: an entry is broken ({why}); `bwmgr audit verify` says which", path=self.path, why=said_by(error))
            ) from error

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreUnavailable(path_reason(self.path.parent, error)) from error
        require_space(self.path.parent, STATE_OCTETS)
        with self._lock, translated(self.path):
            connection = self._writer = self._writer or connect(self.path)
            connection.execute("BEGIN IMMEDIATE")
            try:
                _prepare(connection, self.path)
                yield connection
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:  # left by an error
                    connection.execute("ROLLBACK")

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """A connection of its own, that cannot write; of nothing where there is no journal yet."""
        if not self.path.exists():
            yield _empty()
            return
        with translated(self.path):
            connection = connect(self.path, readonly=True)
            try:
                version = connection.execute("PRAGMA user_version").fetchone()[0]
                if version not in (0, SCHEMA_VERSION):
                    raise other_version(self.path, version, SCHEMA_VERSION)
                if version == 0:  # made, and nothing written yet
                    connection.close()
                    connection = _empty()
                yield connection
            finally:
                connection.close()


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == SCHEMA_VERSION:
        return
    if version != 0:
        raise other_version(path, version, SCHEMA_VERSION)
    for statement in _SCHEMA:
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _empty() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    for statement in _SCHEMA:
        connection.execute(statement)
    return connection


def _last(connection: sqlite3.Connection) -> tuple[int, str]:
    row = connection.execute("SELECT number, hash FROM entry ORDER BY number DESC LIMIT 1").fetchone()
    return (row[0], row[1]) if row else (0, FIRST)


def _insert(connection: sqlite3.Connection, entry: Entry) -> None:
    connection.execute(
        "INSERT INTO entry (number, id, at, name, action, subject, body, hash, signature) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (entry.number, *columns_of(entry), entry.body, entry.hash, entry.signature),
    )


def columns_of(entry: Entry) -> tuple[str, str, str, str, str]:
    """What is kept beside the body to be searched by, as `Row.beside`."""
    note = entry.note
    return note.id, _instant(note.at) or "", note.actor.name, note.action, note.subject


def _instant(at: datetime | None) -> str | None:
    """RFC 3339 UTC in microseconds, which sorts as text."""
    return None if at is None else at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _escaped(beginning: str) -> str:
    return beginning.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
