"""The SQLite file of the embedded store: hot segments, series names, and the manifest of day files.

Owns the schema, connections and transactions, and turns SQLite's errors into the store's. Knows nothing of what is inside a
segment's body or a day file.

A day's file holds everything of the segments up to the manifest's `through`; later segments of that day are still hot. So taking
a day out of the hot part is one small transaction (the manifest row), and its segments, which nobody reads any more, are deleted
afterwards in steps that hold the write lock for a moment only.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from bwmgr.errors import StoreError, StoreUnavailable
from bwmgr.model.said import Said
from bwmgr.stores.embedded.codec import Column

SCHEMA_VERSION = 2
FILE_NAME = "rates.sqlite"
_SHRINK_PAGES = 2000
_PATIENCE_SECONDS = 10.0
"""For the lock of another writer."""

_SCHEMA = """
CREATE TABLE measurement (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE layout (id INTEGER PRIMARY KEY, columns TEXT NOT NULL UNIQUE);
CREATE TABLE series (measurement INTEGER NOT NULL, id INTEGER NOT NULL, name TEXT NOT NULL,
    PRIMARY KEY (measurement, id), UNIQUE (measurement, name)) WITHOUT ROWID;
CREATE TABLE segment (id INTEGER PRIMARY KEY AUTOINCREMENT, measurement INTEGER NOT NULL, day INTEGER NOT NULL,
    slice INTEGER NOT NULL, rows INTEGER NOT NULL, first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL,
    layout INTEGER NOT NULL, body BLOB NOT NULL);
CREATE INDEX segment_place ON segment (measurement, day, slice, id, first_ms, last_ms, rows);
CREATE TABLE day (measurement INTEGER NOT NULL, day INTEGER NOT NULL, file TEXT NOT NULL, through INTEGER NOT NULL,
    rows INTEGER NOT NULL, octets INTEGER NOT NULL, content BLOB NOT NULL, PRIMARY KEY (measurement, day)) WITHOUT ROWID;
"""

_HOT = """FROM segment LEFT JOIN day USING (measurement, day)
    WHERE segment.measurement = ? AND segment.id > coalesce(day.through, 0)"""

_LATER = frozenset(
    (
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_PERM,
    )
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Segment:
    """Rows of one write, one UTC day and one slice of series; `id` orders writes."""

    id: int
    day: int
    slice: int
    rows: int
    first_ms: int
    last_ms: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Body:
    """A segment to be written, or one that was read; `columns` are those its body was encoded with."""

    id: int = 0
    day: int
    slice: int
    rows: int
    first_ms: int
    last_ms: int
    columns: tuple[Column, ...]
    body: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Day:
    """A line of the manifest; `content` is its index as `dayfiles` packs it."""

    day: int
    file: str
    through: int
    rows: int
    octets: int
    content: bytes


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """SQLite's errors as the store's, with the file's name.

    Raises: StoreUnavailable where the same may work later (disk full, locked, not readable), else StoreError.
    """
    try:
        yield
    except sqlite3.Error as error:
        later = (getattr(error, "sqlite_errorcode", 0) & 0xFF) in _LATER
        raise (StoreUnavailable if later else StoreError)(f"{path}: {error}") from error


def other_version(path: Path, version: int, known: int) -> StoreError:
    """The file was made by another version of the program."""
    return StoreError(
        Said(
            "{path} has schema version {version}, this program knows version {known}",
            path=path,
            version=str(version),
            known=str(known),
        )
    )


def connect(path: Path, *, readonly: bool = False) -> sqlite3.Connection:
    """A connection in WAL mode whose commits are on the disk when they return (synchronous=FULL fsyncs the log).

    Transactions are begun by hand. A read-only one on a folder where nothing may be written works too.
    """
    mode = "mode=ro" if readonly else "mode=rwc"
    if readonly and not Path(f"{path}-wal").exists() and not os.access(path.parent, os.W_OK):
        mode = "immutable=1"  # WAL needs a -shm file, which could not be made; nobody writes, or there would be one
    uri = f"file:{quote(str(path.absolute()))}?{mode}"
    connection = sqlite3.connect(uri, uri=True, timeout=_PATIENCE_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        if not readonly:
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # takes effect in a new file only
            _write_ahead(connection)
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(f"PRAGMA journal_size_limit = {64 << 20}")
        connection.execute("PRAGMA temp_store = MEMORY")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Into WAL mode. Two that open a new file at once: SQLite tells one of them "locked" at once, whatever its timeout."""
    try:
        connection.execute("PRAGMA journal_mode = WAL")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
            raise
        from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random

        again = Retrying(
            retry=retry_if_exception_type(sqlite3.OperationalError),
            wait=wait_random(0.005, 0.05),
            stop=stop_after_delay(_PATIENCE_SECONDS),
            reraise=True,
        )
        again(connection.execute, "PRAGMA journal_mode = WAL")


class Catalog:
    """Safe to use from several threads: each transaction has a connection of its own, one writes at a time.

    Raises (all methods): as `translated`.
    """

    def __init__(self, folder: Path, *, readonly: bool) -> None:
        self.path = folder / FILE_NAME
        self._readonly = readonly
        self._idle: list[sqlite3.Connection] = []
        self._names: dict[int, dict[str, int]] = {}
        self._layouts: dict[int, tuple[Column, ...]] = {}
        self._write_lock = threading.Lock()
        with translated(self.path):
            self._prepare()

    def close(self) -> None:
        """Close the connections that are not in use now."""
        while self._idle:
            self._idle.pop().close()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """One read transaction: everything read within it is of one moment."""
        with translated(self.path), self._connection("BEGIN") as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One write transaction, committed and on the disk on leaving, or rolled back by an error."""
        with self._write_lock, translated(self.path), self._connection("BEGIN IMMEDIATE") as connection:
            yield connection

    def measurement(self, connection: sqlite3.Connection, name: str) -> int | None:
        row = connection.execute("SELECT id FROM measurement WHERE name = ?", (name,)).fetchone()
        return None if row is None else int(row[0])

    def series(self, connection: sqlite3.Connection, measurement: int) -> Mapping[str, int]:
        """Ids by name. Names are only ever added, so what is known stays good."""
        known = self._names.get(measurement, {})
        count = connection.execute("SELECT max(id) + 1 FROM series WHERE measurement = ?", (measurement,)).fetchone()[0] or 0
        if count > len(known):
            rows = connection.execute("SELECT name, id FROM series WHERE measurement = ?", (measurement,))
            known = {name: int(number) for name, number in rows}
            self._names[measurement] = known
        return known

    def intern(self, connection: sqlite3.Connection, measurement: str, names: Sequence[str]) -> tuple[int, list[int]]:
        """The measurement's id and each name's, made where they were not there; new ones in the order of names."""
        connection.execute("INSERT OR IGNORE INTO measurement (name) VALUES (?)", (measurement,))
        number = self.measurement(connection, measurement)
        assert number is not None
        known = dict(self.series(connection, number))
        added = sorted(name for name in set(names) if name not in known)
        if added:
            self._names.pop(number, None)  # read again after the commit: a roll-back must leave no trace
            known.update({name: len(known) + place for place, name in enumerate(added)})
            rows = ((number, known[name], name) for name in added)
            connection.executemany("INSERT INTO series (measurement, id, name) VALUES (?, ?, ?)", rows)
        return number, [known[name] for name in names]

    def add(self, connection: sqlite3.Connection, measurement: int, bodies: Iterable[Body]) -> None:
        rows = (
            (measurement, body.day, body.slice, body.rows, body.first_ms, body.last_ms, self._layout(connection, body), body.body)
            for body in bodies
        )
        connection.executemany(
            "INSERT INTO segment (measurement, day, slice, rows, first_ms, last_ms, layout, body)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            rows,
        )

    def segments(
        self, connection: sqlite3.Connection, measurement: int, first_ms: int, end_ms: int, slices: tuple[int, int] = (0, 1 << 32)
    ) -> list[Segment]:
        """The hot segments of slices from .. to, with rows in [first_ms, end_ms), in the order of their writing; no bodies."""
        rows = connection.execute(
            f"SELECT segment.id, segment.day, slice, segment.rows, first_ms, last_ms {_HOT}"
            " AND segment.day BETWEEN ? AND ? AND slice BETWEEN ? AND ? AND last_ms >= ? AND first_ms < ? ORDER BY segment.id",
            (measurement, first_ms // 86_400_000, (end_ms - 1) // 86_400_000, *slices, first_ms, end_ms),
        )
        return [Segment(id=a, day=b, slice=c, rows=d, first_ms=e, last_ms=f) for a, b, c, d, e, f in rows]

    def hot_days(self, connection: sqlite3.Connection, measurement: int) -> Mapping[int, int]:
        """Days with hot segments, and their rows."""
        return dict(connection.execute(f"SELECT segment.day, sum(segment.rows) {_HOT} GROUP BY segment.day", (measurement,)))

    def body(self, connection: sqlite3.Connection, segment: Segment) -> Body:
        layout, body = connection.execute("SELECT layout, body FROM segment WHERE id = ?", (segment.id,)).fetchone()
        return Body(
            id=segment.id,
            day=segment.day,
            slice=segment.slice,
            rows=segment.rows,
            first_ms=segment.first_ms,
            last_ms=segment.last_ms,
            columns=self._columns(connection, layout),
            body=body,
        )

    def days(self, connection: sqlite3.Connection, measurement: int, first: int = 0, last: int = 1 << 40) -> list[Day]:
        """The manifest from day `first` to `last` inclusive, oldest first."""
        rows = connection.execute(
            "SELECT day, file, through, rows, octets, content FROM day"
            " WHERE measurement = ? AND day BETWEEN ? AND ? ORDER BY day",
            (measurement, first, last),
        )
        return [Day(day=a, file=b, through=c, rows=d, octets=e, content=f) for a, b, c, d, e, f in rows]

    def newest_segment(self, connection: sqlite3.Connection, measurement: int, day: int) -> int:
        """The id of the last segment of a day; 0 where it has none."""
        row = connection.execute("SELECT max(id) FROM segment WHERE measurement = ? AND day = ?", (measurement, day)).fetchone()
        return int(row[0] or 0)

    def newest_hot_ms(self, connection: sqlite3.Connection, measurement: int) -> int | None:
        """The time of the newest row that is still hot."""
        row = connection.execute(
            "SELECT max(last_ms) FROM segment WHERE measurement = ?1 AND day = "
            "(SELECT max(day) FROM segment WHERE measurement = ?1)",
            (measurement,),
        ).fetchone()
        return None if row[0] is None else int(row[0])

    def day_numbers(self, connection: sqlite3.Connection, measurement: int) -> tuple[list[int], list[int]]:
        """The UTC days that have segments, and those that have files, each youngest first."""
        hot = connection.execute("SELECT DISTINCT day FROM segment WHERE measurement = ?", (measurement,))
        cold = connection.execute("SELECT day FROM day WHERE measurement = ?", (measurement,))
        return sorted((day for (day,) in hot), reverse=True), sorted((day for (day,) in cold), reverse=True)

    def set_day(self, connection: sqlite3.Connection, measurement: int, day: Day) -> None:
        """A line of the manifest, in place of an earlier one of that day."""
        connection.execute(
            "INSERT OR REPLACE INTO day (measurement, day, file, through, rows, octets, content) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (measurement, day.day, day.file, day.through, day.rows, day.octets, day.content),
        )

    def drop_day(self, connection: sqlite3.Connection, measurement: int, day: int) -> None:
        """Everything of a day: its line, and segments that came late for it."""
        connection.execute("DELETE FROM day WHERE measurement = ? AND day = ?", (measurement, day))
        connection.execute("DELETE FROM segment WHERE measurement = ? AND day = ?", (measurement, day))

    def delete_segments(self, connection: sqlite3.Connection, measurement: int, day: int, through: int, most: int) -> int:
        """Deletes up to `most` segments of a day that its file holds; returns how many."""
        deleted = connection.execute(
            "DELETE FROM segment WHERE id IN (SELECT id FROM segment WHERE measurement = ? AND day = ? AND id <= ? LIMIT ?)",
            (measurement, day, through, most),
        )
        return deleted.rowcount

    def files(self, connection: sqlite3.Connection) -> frozenset[str]:
        """The names of all day files."""
        return frozenset(name for (name,) in connection.execute("SELECT file FROM day"))

    def shrink(self) -> None:
        """Gives free pages back to the disk, in steps that hold the write lock for a moment only."""
        before, free = None, 1
        while free and free != before:
            with self._write_lock, translated(self.path), self._borrowed() as connection:
                # this pragma frees a page for each step of the statement: executescript steps to the end, execute only once
                connection.executescript(f"PRAGMA incremental_vacuum({_SHRINK_PAGES})")
                before, free = free, connection.execute("PRAGMA freelist_count").fetchone()[0]

    def _prepare(self) -> None:
        connection = connect(self.path, readonly=self._readonly)
        self._idle.append(connection)
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version == 0 and not self._readonly:
            self._create(connection)
        elif version != SCHEMA_VERSION:
            raise other_version(self.path, version, SCHEMA_VERSION)

    def _create(self, connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")
        if connection.execute("PRAGMA user_version").fetchone()[0] == 0:  # two processes may open a new folder at once
            for statement in _SCHEMA.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")

    @contextmanager
    def _connection(self, begin: str) -> Iterator[sqlite3.Connection]:
        with self._borrowed() as connection:
            try:
                connection.execute(begin)
                yield connection
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:  # left by an error, and not rolled back by SQLite itself
                    connection.execute("ROLLBACK")

    @contextmanager
    def _borrowed(self) -> Iterator[sqlite3.Connection]:
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = connect(self.path, readonly=self._readonly)
        try:
            yield connection
        finally:
            self._idle.append(connection)

    def _layout(self, connection: sqlite3.Connection, body: Body) -> int:
        columns = json.dumps(body.columns)
        row = connection.execute("SELECT id FROM layout WHERE columns = ?", (columns,)).fetchone()
        if row is None:
            row = connection.execute("INSERT INTO layout (columns) VALUES (?) RETURNING id", (columns,)).fetchone()
        return int(row[0])

    def _columns(self, connection: sqlite3.Connection, layout: int) -> tuple[Column, ...]:
        columns = self._layouts.get(layout)
        if columns is None:
            text = connection.execute("SELECT columns FROM layout WHERE id = ?", (layout,)).fetchone()[0]
            columns = self._layouts[layout] = tuple((name, kind) for name, kind in json.loads(text))
        return columns
