"""What people are to be told: an outbox on the disk, and which conditions stand, so that each is told once.

Owns one SQLite file (`notices.sqlite`), beside the state and apart from it: a burst of notices holds nothing else up. A delivery
is marked as done in the transaction after it: killed between the two, a message may come twice, never not at all. Sends nothing.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from bwmgr.errors import StoreUnavailable, path_reason
from bwmgr.model.notice import Notice
from bwmgr.stores.embedded.catalog import connect, other_version, translated
from bwmgr.stores.space import STATE_OCTETS, require_space

if TYPE_CHECKING:
    from pydantic import TypeAdapter

FILE_NAME = "notices.sqlite"
SCHEMA_VERSION = 1
MOST_WAITING = 1000
"""Deliveries that wait for one receiver; beyond, the oldest of the least severity is dropped, and counted."""
REOPENED_WITHIN = timedelta(hours=1)
"""A condition that comes back so soon is the same one, and is not told again."""
KEPT = timedelta(days=90)

_SCHEMA = (
    """CREATE TABLE notice (id TEXT PRIMARY KEY, at_ms INTEGER NOT NULL, rank INTEGER NOT NULL, document TEXT NOT NULL)
        WITHOUT ROWID""",
    """CREATE TABLE delivery (receiver TEXT NOT NULL, notice TEXT NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL,
        PRIMARY KEY (receiver, notice)) WITHOUT ROWID""",
    "CREATE INDEX delivery_waiting ON delivery (state, receiver)",
    "CREATE TABLE message (receiver TEXT NOT NULL, at_ms INTEGER NOT NULL)",
    """CREATE TABLE receiver (id TEXT PRIMARY KEY, sent_ms INTEGER, error_ms INTEGER, hold_ms INTEGER NOT NULL DEFAULT 0,
        error TEXT NOT NULL DEFAULT '', sent INTEGER NOT NULL DEFAULT 0, failed INTEGER NOT NULL DEFAULT 0,
        failures INTEGER NOT NULL DEFAULT 0, dropped INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID""",
    """CREATE TABLE condition (key TEXT PRIMARY KEY, kind TEXT NOT NULL, since_ms INTEGER NOT NULL, gone_ms INTEGER,
        told INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID""",
    "CREATE TABLE looked (kind TEXT PRIMARY KEY, at_ms INTEGER NOT NULL) WITHOUT ROWID",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """What became of conditions: `told` are to be told now, with how long they stand; `over` had been told, and are no more."""

    told: Mapping[str, timedelta]
    over: Mapping[str, timedelta]


@dataclass(frozen=True, kw_only=True, slots=True)
class Tally:
    """Of one receiver. `error` is the last attempt's, empty where that went well. `dropped`: given up, or too many waited."""

    waiting: int = 0
    sent: int = 0
    failed: int = 0
    dropped: int = 0
    sent_at: datetime | None = None
    error_at: datetime | None = None
    error: str = ""


Addressed = Sequence[tuple[Notice, Sequence[str]]]
"""Notices, each with the ids of the receivers that want it."""
Tell = Callable[[Change], Addressed]


class Outbox:
    """The file in `folder`. Safe to use from several threads and processes.

    Raises (all methods): StoreUnavailable where it cannot be read or written now, StoreError for another version.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE_NAME
        self._lock = threading.RLock()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreUnavailable(path_reason(folder, error)) from error
        with translated(self.path):
            self._connection = connect(self.path)
            self._prepare()

    def add(self, notices: Addressed) -> int:
        """Each notice with the receivers that want it; one that is known already is left as it is. Gives how many are new."""
        with self._writing() as connection:
            return _add(connection, notices)

    def waiting(self, receiver: str, now: datetime) -> list[Notice]:
        """What may be tried at `now`: what was tried least often first, then the oldest."""
        with self._reading() as connection:
            rows = connection.execute(
                "SELECT document FROM delivery JOIN notice ON notice.id = notice"
                " WHERE state = 'waiting' AND receiver = ?1 ORDER BY attempts, at_ms, notice.id",
                (receiver,),
            ).fetchall()
            held = connection.execute("SELECT 1 FROM receiver WHERE id = ? AND hold_ms > ?", (receiver, _ms(now))).fetchone()
        return [] if held else [_adapter().validate_json(document) for (document,) in rows]

    def sent(self, receiver: str, notices: Sequence[str], now: datetime) -> None:
        """One message with these has arrived: none of them goes to this receiver again."""
        with self._writing() as connection:
            _settle(connection, receiver, notices, "sent")
            connection.execute("INSERT INTO message VALUES (?, ?)", (receiver, _ms(now)))
            _count(connection, receiver, "sent = sent + 1, failures = 0, hold_ms = 0, sent_ms = ?, error = ''", _ms(now))

    def failed(self, receiver: str, notices: Sequence[str], error: str, now: datetime, again: datetime) -> None:
        """They have not arrived; nothing is tried with this receiver until `again`, and then others first."""
        with self._writing() as connection:
            connection.executemany(
                "UPDATE delivery SET attempts = attempts + 1 WHERE receiver = ? AND notice = ?",
                [(receiver, notice) for notice in notices],
            )
            what = "failed = failed + 1, failures = failures + 1, error_ms = ?, error = ?, hold_ms = ?"
            _count(connection, receiver, what, _ms(now), error, _ms(again))

    def failures(self, receiver: str) -> int:
        """How many attempts in a row have failed."""
        with self._reading() as connection:
            row = connection.execute("SELECT failures FROM receiver WHERE id = ?", (receiver,)).fetchone()
        return int(row[0]) if row else 0

    def give_up(self, receiver: str, before: datetime) -> int:
        """Drops what has waited since before then; gives how many."""
        with self._writing() as connection:
            gone = connection.execute(
                "UPDATE delivery SET state = 'given_up' WHERE state = 'waiting' AND receiver = ?"
                " AND (SELECT at_ms FROM notice WHERE notice.id = delivery.notice) < ?",
                (receiver, _ms(before)),
            ).rowcount
            if gone:
                _count(connection, receiver, "dropped = dropped + ?", gone)
        return gone

    def messages_since(self, receiver: str, since: datetime) -> int:
        """How many arrived."""
        with self._reading() as connection:
            row = connection.execute("SELECT count(*) FROM message WHERE receiver = ? AND at_ms >= ?", (receiver, _ms(since)))
            return int(row.fetchone()[0])

    def look(self, kind: str, standing: Collection[str], now: datetime, patience: timedelta, tell: Tell) -> int:
        """What stands of one kind at `now`, all of it; gives how many notices came of it.

        A condition is told once, when it has stood for `patience`. `tell` makes the notices, within the same transaction.
        """
        with self._writing() as connection:
            known = {
                key: (since, gone, told)
                for key, since, gone, told in connection.execute(
                    "SELECT key, since_ms, gone_ms, told FROM condition WHERE kind = ?", (kind,)
                )
            }
            told = {}
            for key in standing:
                since = _stands(connection, kind, key, known.get(key), now)
                if since is not None and now - since >= patience:
                    connection.execute("UPDATE condition SET told = 1 WHERE key = ?", (key,))
                    told[key] = now - since
            over: dict[str, timedelta] = {}
            for key, (since_ms, gone, was_told) in known.items():
                if key not in standing and gone is None:
                    connection.execute("UPDATE condition SET gone_ms = ? WHERE key = ?", (_ms(now), key))
                    over |= {key: now - _instant(since_ms)} if was_told else {}
            connection.execute("INSERT OR REPLACE INTO looked VALUES (?, ?)", (kind, _ms(now)))
            return _add(connection, tell(Change(told=told, over=over)))

    def looked_at(self, kind: str) -> datetime | None:
        """When conditions of this kind were last looked for."""
        with self._reading() as connection:
            row = connection.execute("SELECT at_ms FROM looked WHERE kind = ?", (kind,)).fetchone()
        return _instant(row[0]) if row else None

    def tallies(self) -> Mapping[str, Tally]:
        """By receiver, of those that anything was ever for."""
        with self._reading() as connection:
            waiting = dict(
                connection.execute("SELECT receiver, count(*) FROM delivery WHERE state = 'waiting' GROUP BY receiver").fetchall()
            )
            rows = connection.execute("SELECT id, sent, failed, dropped, sent_ms, error_ms, error FROM receiver").fetchall()
        known = {row[0]: row for row in rows}
        return {name: _tally(waiting.get(name, 0), known.get(name)) for name in {*waiting, *known}}

    def tidy(self, receivers: Collection[str], now: datetime) -> None:
        """Forgets receivers that are no more, and what was settled long ago."""
        old = _ms(now - KEPT)
        with self._writing() as connection:
            for (name,) in connection.execute("SELECT DISTINCT receiver FROM delivery").fetchall():
                if name not in receivers:
                    connection.execute("DELETE FROM delivery WHERE receiver = ?", (name,))
                    connection.execute("DELETE FROM receiver WHERE id = ?", (name,))
            connection.execute("DELETE FROM message WHERE at_ms < ?", (_ms(now - timedelta(days=1)),))
            connection.execute("DELETE FROM condition WHERE gone_ms < ?", (old,))
            connection.execute(
                "DELETE FROM delivery WHERE state <> 'waiting' AND notice IN (SELECT id FROM notice WHERE at_ms < ?)", (old,)
            )
            connection.execute(
                "DELETE FROM notice WHERE at_ms < ? AND NOT EXISTS (SELECT 1 FROM delivery WHERE notice = notice.id)", (old,)
            )

    def close(self) -> None:
        self._connection.close()

    def _prepare(self) -> None:
        with self._transaction("BEGIN IMMEDIATE") as connection:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                for statement in _SCHEMA:
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            elif version != SCHEMA_VERSION:
                raise other_version(self.path, version, SCHEMA_VERSION)

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
        self._connection.execute(begin)
        try:
            yield self._connection
            self._connection.execute("COMMIT")
        finally:
            if self._connection.in_transaction:  # left by an error
                self._connection.execute("ROLLBACK")


def _add(connection: sqlite3.Connection, notices: Addressed) -> int:
    new = 0
    for notice, receivers in notices:
        added = connection.execute(
            "INSERT OR IGNORE INTO notice (id, at_ms, rank, document) VALUES (?, ?, ?, ?)",
            (notice.id, _ms(notice.at), notice.severity.rank, _adapter().dump_json(notice).decode()),
        ).rowcount
        if added:
            rows = [(receiver, notice.id, "waiting", 0) for receiver in receivers]
            connection.executemany("INSERT INTO delivery VALUES (?, ?, ?, ?)", rows)
        new += added
    for receiver in {receiver for _, receivers in notices for receiver in receivers}:
        _bound(connection, receiver)
    return new


def _stands(
    connection: sqlite3.Connection, kind: str, key: str, known: tuple[int, int | None, int] | None, now: datetime
) -> datetime | None:
    """Since when it stands and was not told; None: it was told."""
    if known is None:
        connection.execute("INSERT INTO condition (key, kind, since_ms) VALUES (?, ?, ?)", (key, kind, _ms(now)))
        return now
    since_ms, gone_ms, told = known
    if gone_ms is None:
        return None if told else _instant(since_ms)
    if told and now - _instant(gone_ms) <= REOPENED_WITHIN:
        connection.execute("UPDATE condition SET gone_ms = NULL WHERE key = ?", (key,))
        return None
    connection.execute("UPDATE condition SET gone_ms = NULL, told = 0, since_ms = ? WHERE key = ?", (_ms(now), key))
    return now


def _settle(connection: sqlite3.Connection, receiver: str, notices: Sequence[str], state: str) -> None:
    connection.executemany(
        "UPDATE delivery SET state = ? WHERE receiver = ? AND notice = ?", [(state, receiver, notice) for notice in notices]
    )


def _count(connection: sqlite3.Connection, receiver: str, what: str, *values: int | str) -> None:
    """`what` is one of this module's own assignments."""
    connection.execute("INSERT OR IGNORE INTO receiver (id) VALUES (?)", (receiver,))
    connection.execute(f"UPDATE receiver SET {what} WHERE id = ?", (*values, receiver))  # noqa: S608


def _bound(connection: sqlite3.Connection, receiver: str) -> None:
    rows = connection.execute(
        "SELECT notice FROM delivery JOIN notice ON notice.id = notice WHERE state = 'waiting' AND receiver = ?"
        " ORDER BY rank DESC, at_ms DESC, notice.id LIMIT -1 OFFSET ?",
        (receiver, MOST_WAITING),
    ).fetchall()
    if rows:
        _settle(connection, receiver, [notice for (notice,) in rows], "dropped")
        _count(connection, receiver, "dropped = dropped + ?", len(rows))


def _tally(waiting: int, row: tuple[str, int, int, int, int | None, int | None, str] | None) -> Tally:
    if row is None:
        return Tally(waiting=waiting)
    _, sent, failed, dropped, sent_ms, error_ms, error = row
    return Tally(
        waiting=waiting, sent=sent, failed=failed, dropped=dropped, error=error,
        sent_at=None if sent_ms is None else _instant(sent_ms), error_at=None if error_ms is None else _instant(error_ms),
    )  # fmt: skip


@cache
def _adapter() -> TypeAdapter[Notice]:
    from pydantic import TypeAdapter

    return TypeAdapter(Notice)


def _ms(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def _instant(at_ms: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)
