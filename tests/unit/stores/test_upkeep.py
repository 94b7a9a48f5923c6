"""Housekeeping: compaction, retention by age and size, sweeping, backup, damage, and readers beside a writer."""

from __future__ import annotations

import os
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from bwmgr.errors import StoreError, StoreLocked
from bwmgr.measure.columns import RATE, RateBatch
from bwmgr.stores import LINK_RATE, UPLINK_RATE
from bwmgr.stores.embedded import EmbeddedStore, Retention
from bwmgr.stores.lock import Lock

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY_SECONDS = 86_400
NAMES = tuple(f"link-{number}" for number in range(40))


def _write(store: EmbeddedStore, day: int, hour: int = 12, measurement: str = LINK_RATE, rate: float = 1.0) -> None:
    rows = np.zeros(len(NAMES), RATE)
    rows["series"] = np.arange(len(NAMES))
    rows["end_ms"] = int((START + timedelta(days=day, hours=hour)).timestamp() * 1000)
    rows["down_bps"] = rate + np.arange(len(NAMES))
    store.write(measurement, RateBatch(series=NAMES, rows=rows))


def _at(day: int) -> datetime:
    return START + timedelta(days=day, hours=2)


def _days(store: EmbeddedStore, measurement: str = LINK_RATE) -> list[int]:
    rows = store.read(measurement, start=START - timedelta(days=1), end=START + timedelta(days=99), series=[NAMES[0]]).rows
    return [int(day) for day in (rows["end_ms"] // 1000 - int(START.timestamp())) // DAY_SECONDS]


@pytest.fixture
def store(tmp_path: Path) -> EmbeddedStore:
    return EmbeddedStore(tmp_path / "data")


def test_only_finished_days_go_into_files(store: EmbeddedStore) -> None:
    """A day is finished an hour after its end; a row that comes late makes the file once more, in place of the old one."""
    for day in range(3):
        _write(store, day)
    assert store.compact(START + timedelta(days=1, minutes=59)).days == 0
    assert store.compact(_at(2)).days == 2
    files = sorted(path.name for path in store.folder.glob("*.parquet"))
    _write(store, 0, hour=13)
    done = store.compact(_at(2))
    assert (done.days, done.rows) == (1, 2 * len(NAMES))
    again = sorted(path.name for path in store.folder.glob("*.parquet"))
    assert len(again) == 2
    assert again[1] == files[1]
    assert again[0] != files[0]
    assert _days(store) == [0, 0, 1, 2]


def test_compaction_gives_room_back_in_few_transactions(store: EmbeddedStore) -> None:
    """The SQLite file shrinks to what is hot; a page at a time would be an fsync for each."""
    for hour in range(200):
        _write(store, hour // 24, hour % 24)
    commits: list[str] = []
    connection = store._catalog._idle[-1]
    connection.set_trace_callback(lambda text: commits.append(text) if "incremental_vacuum" in text else None)
    store.compact(_at(30))
    assert connection.execute("PRAGMA freelist_count").fetchone()[0] == 0
    assert 1 <= len(commits) <= 3


def test_retention_by_age_ends_files_and_hot_days_alike(store: EmbeddedStore) -> None:
    """Days that lie wholly before now - age go, the youngest file too; a day that is partly younger stays."""
    for day in range(4):
        _write(store, day)
    store.compact(_at(2))
    assert store.retain(_at(3), Retention(age_seconds=2 * DAY_SECONDS)) == 1
    assert _days(store) == [1, 2, 3]
    assert len(list(store.folder.glob("*.parquet"))) == 1
    assert store.retain(_at(50), Retention(age_seconds=DAY_SECONDS)) == 3
    assert (_days(store), list(store.folder.glob("*.parquet")), store.latest(LINK_RATE).rows.size) == ([], [], 0)


def test_retention_by_size_ends_the_oldest_files_of_any_measurement(store: EmbeddedStore) -> None:
    """Until the folder fits; hot days have no file and stay."""
    for day in range(4):
        _write(store, day, measurement=(LINK_RATE, UPLINK_RATE)[day % 2])
    store.compact(_at(3))
    sizes = store.sizes()
    assert store.retain(_at(4), Retention(octets=sizes["hot"] + sizes["days"])) == 0
    assert store.retain(_at(4), Retention(octets=sizes["hot"] + sizes["days"] - 1)) == 1
    assert (_days(store), _days(store, UPLINK_RATE)) == ([2], [1, 3])
    assert store.retain(_at(4), Retention(octets=0)) == 2
    assert (_days(store), _days(store, UPLINK_RATE)) == ([], [3])


def test_what_a_killed_compaction_left_is_swept(store: EmbeddedStore) -> None:
    """fault 46: at the next compaction at once, on opening after an hour; what the manifest names, or others put there, stays."""
    _write(store, 0)
    store.compact(_at(1))
    leftovers = [store.folder / f"{LINK_RATE}-2026-01-02-9.parquet{end}" for end in ("", ".tmp")]
    mine = store.folder / "notes.tmp"
    for path in (*leftovers, mine):
        path.write_bytes(b"half")
    EmbeddedStore(store.folder).close()
    assert all(path.exists() for path in leftovers)
    for path in leftovers:
        os.utime(path, (time.time() - 3700, time.time() - 3700))
    EmbeddedStore(store.folder).close()
    assert not any(path.exists() for path in leftovers)
    leftovers[0].write_bytes(b"half")
    store.compact(_at(1))
    assert (leftovers[0].exists(), mine.exists(), _days(store)) == (False, True, [0])


@pytest.mark.parametrize("place", [0.2, 0.5, 0.98])
def test_a_damaged_day_file_is_named(store: EmbeddedStore, place: float) -> None:
    """One flipped bit anywhere is a StoreError with the file's name, never another rate."""
    _write(store, 0)
    store.compact(_at(1))
    (path,) = store.folder.glob("*.parquet")
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 4
    path.write_bytes(content)
    with pytest.raises(StoreError, match=path.name):
        store.read(LINK_RATE, start=START, end=_at(1))


def test_a_day_file_that_is_gone_is_named(store: EmbeddedStore) -> None:
    """Also where it was cut short."""
    _write(store, 0)
    store.compact(_at(1))
    (path,) = store.folder.glob("*.parquet")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(StoreError, match=path.name):
        store.read(LINK_RATE, start=START, end=_at(1))
    path.unlink()
    with pytest.raises(StoreError, match=path.name):
        store.read(LINK_RATE, start=START, end=_at(1))


def test_a_damaged_segment_is_named(store: EmbeddedStore) -> None:
    """By its number, day and slice in the file."""
    _write(store, 0)
    with store._catalog.writing() as connection:
        (body,) = connection.execute("SELECT body FROM segment").fetchone()
        connection.execute("UPDATE segment SET body = ?", (body[:-1] + bytes([body[-1] ^ 1]),))
    with pytest.raises(StoreError, match=r"rates\.sqlite: segment 1 .*checksum"):
        store.read(LINK_RATE, start=START, end=_at(1))


def test_a_backup_while_writing_is_of_one_moment(store: EmbeddedStore, tmp_path: Path) -> None:
    """Each cycle of it is whole, in order and without holes; it opens as a store, also for writing."""
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            _write(store, number // 24, number % 24, rate=float(number))
            number += 1
            if number % 24 == 0:
                store.compact(START + timedelta(hours=number))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(5):
            store.backup(tmp_path / f"copy-{number}")
    finally:
        stop.set()
        writer.join()
    for number in range(5):
        copy = EmbeddedStore(tmp_path / f"copy-{number}")
        rows = copy.read(LINK_RATE, start=START, end=START + timedelta(days=999), series=NAMES).rows
        cycles = len(rows) // len(NAMES)
        assert rows["down_bps"].tolist() == [series + cycle for series in range(len(NAMES)) for cycle in range(cycles)]
        _write(copy, 900)
        copy.close()


def test_a_backup_overwrites_nothing(store: EmbeddedStore, tmp_path: Path) -> None:
    """Neither a folder that is there, nor what a killed backup left: both are named."""
    (tmp_path / "there").mkdir()
    with pytest.raises(StoreError, match="there exists"):
        store.backup(tmp_path / "there")
    (tmp_path / "copy.tmp").mkdir()
    with pytest.raises(StoreError, match=r"copy\.tmp is of a backup"):
        store.backup(tmp_path / "copy")


def test_readers_see_whole_cycles_while_another_writes_and_compacts(store: EmbeddedStore) -> None:
    """Every read is of one moment: as many rows of each link as of the others, none twice."""
    stop = threading.Event()
    failures: list[str] = []
    reads = 0

    def read() -> None:
        nonlocal reads
        reader = EmbeddedStore(store.folder, readonly=True)
        while not stop.is_set():
            rows = reader.read(LINK_RATE, start=START, end=START + timedelta(days=99)).rows
            counts = np.bincount(rows["series"]) if len(rows) else np.zeros(1)
            if counts.min() != counts.max() or np.any(np.diff(rows["end_ms"])[np.diff(rows["series"]) == 0] <= 0):
                failures.append(str(counts))
            reads += 1
        reader.close()

    readers = [threading.Thread(target=read) for _ in range(2)]
    for thread in readers:
        thread.start()
    for number in range(72):
        _write(store, number // 12, 2 * (number % 12))
        if number % 6 == 0:
            store.compact(START + timedelta(hours=2 * number))
    stop.set()
    for thread in readers:
        thread.join()
    assert not failures
    assert reads > 2


def test_a_folder_has_one_owner(tmp_path: Path) -> None:
    """fault 50: the second is told the first one's pid, and gets the lock once the first let go."""
    with Lock(tmp_path), pytest.raises(StoreLocked, match=f"pid {os.getpid()}"), Lock(tmp_path):
        pass
    with Lock(tmp_path):
        pass


def test_another_version_of_the_folder_is_refused(store: EmbeddedStore) -> None:
    """The message names the file and both versions."""
    with store._catalog.writing() as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match=r"rates\.sqlite has schema version 99"):
        EmbeddedStore(store.folder)
