"""The SQLite file's connections: opened by several at once, and one that waits for another."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from bwmgr.stores.embedded import catalog
from bwmgr.stores.embedded.catalog import connect


class _Racing(sqlite3.Connection):
    """SQLite as another connection that makes the same file leaves it: locked, at once, for the first two tries."""

    refusals = 2
    reason = sqlite3.SQLITE_BUSY

    def execute(self, statement: str, parameters: Any = ()) -> sqlite3.Cursor:
        if "journal_mode" in statement and type(self).refusals > 0:
            type(self).refusals -= 1
            error = sqlite3.OperationalError("database is locked")
            error.sqlite_errorcode = type(self).reason
            raise error
        return super().execute(statement, parameters)


@pytest.fixture
def racing(monkeypatch: pytest.MonkeyPatch) -> type[_Racing]:
    class Racing(_Racing):
        pass

    opened = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *names, **options: opened(*names, factory=Racing, **options))
    return Racing


def test_many_open_a_new_file_at_once(tmp_path: Path) -> None:
    """As the daemon and several commands may: SQLite lets one of them switch the file's mode and says "locked" to another."""
    for round_ in range(10):
        together = Barrier(8)

        def write(number: int, path: Path = tmp_path / f"{round_}.sqlite", together: Barrier = together) -> None:
            together.wait()
            connection = connect(path)
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("CREATE TABLE IF NOT EXISTS number (n)")
            connection.execute("INSERT INTO number VALUES (?)", [number])
            connection.execute("COMMIT")
            connection.close()

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(write, range(8)))
        kept = connect(tmp_path / f"{round_}.sqlite", readonly=True)
        assert [n for (n,) in kept.execute("SELECT n FROM number ORDER BY n")] == list(range(8))
        kept.close()


def test_a_lock_while_the_mode_is_switched_is_waited_for(tmp_path: Path, racing: type[_Racing]) -> None:
    """What the race above may or may not meet, met for certain."""
    connection = connect(tmp_path / "new.sqlite")
    assert racing.refusals == 0
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_a_lock_that_stays_is_said(tmp_path: Path, racing: type[_Racing], monkeypatch: pytest.MonkeyPatch) -> None:
    """Within the time that a writer has."""
    monkeypatch.setattr(catalog, "_PATIENCE_SECONDS", 0.1)
    racing.refusals = 10_000
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        connect(tmp_path / "new.sqlite")


def test_any_other_trouble_is_not_waited_for(tmp_path: Path, racing: type[_Racing]) -> None:
    """A full disk is not a lock."""
    racing.refusals, racing.reason = 10_000, sqlite3.SQLITE_FULL
    with pytest.raises(sqlite3.OperationalError):
        connect(tmp_path / "new.sqlite")
    assert racing.refusals == 9_999
