"""A full disk: writing is refused with StoreUnavailable, reading goes on, and all is well again once there is room (fault 45)."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from bwmgr.errors import StoreUnavailable
from bwmgr.measure.columns import RATE, RateBatch
from bwmgr.stores import LINK_RATE
from bwmgr.stores.embedded import EmbeddedStore, Retention
from bwmgr.stores.state import StateStore

pytestmark = [pytest.mark.system, pytest.mark.clock]

START = datetime(2026, 1, 1, tzinfo=UTC)
MIB = 1 << 20


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 56 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=56m", "tmpfs", str(folder)]
    made = subprocess.run(command, check=False, capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"a small disk needs root and mount(8): {made.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def _batch(number: int, links: int = 200) -> RateBatch:
    rows = np.zeros(links, RATE)
    rows["series"] = np.arange(links)
    rows["end_ms"] = int((START + timedelta(minutes=5 * number)).timestamp() * 1000)
    rows["down_bps"] = rows["up_bps"] = np.random.default_rng(number).random(links)
    return RateBatch(series=tuple(f"link-{n}" for n in range(links)), rows=rows)


def _fill(disk: Path, left: int) -> Path:
    """A file that leaves so many octets free."""
    filler = disk / "filler"
    status = os.statvfs(disk)
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, status.f_bavail * status.f_frsize - left)
    return filler


def _write_on(store: EmbeddedStore) -> None:
    for number in range(1, 300):
        store.write(LINK_RATE, _batch(number))


def _count(store: EmbeddedStore) -> int:
    return len(store.read(LINK_RATE, start=START, end=START + timedelta(days=9)).rows)


def test_rates_stop_before_the_disk_is_full_and_go_on_afterwards(disk: Path) -> None:
    """fault 45: nothing half written; state still finds room when rates no longer do; recovery needs no restart."""
    store, state = EmbeddedStore(disk / "data"), StateStore(disk / "data" / "state.sqlite")
    for number in range(10):
        store.write(LINK_RATE, _batch(number))
    filler = _fill(disk, 20 * MIB)
    with pytest.raises(StoreUnavailable, match="free some"):
        store.write(LINK_RATE, _batch(10))
    state.put("poller", b"still kept")
    assert (_count(store), state.get("poller")) == (2000, b"still kept")
    filler.unlink()
    store.write(LINK_RATE, _batch(10))
    assert _count(store) == 2200


def test_compaction_on_a_full_disk_leaves_everything_readable(disk: Path) -> None:
    """fault 45: days stay hot, no file is left half written, retention can still delete, and the next run moves the days."""
    store = EmbeddedStore(disk / "data")
    for number in range(0, 600, 8):
        store.write(LINK_RATE, _batch(number))
    rows = _count(store)
    filler = _fill(disk, 10 * MIB)
    with pytest.raises(StoreUnavailable):
        store.compact(START + timedelta(days=5))
    assert _count(store) == rows
    assert not list((disk / "data").glob("*.parquet*"))
    assert store.retain(START + timedelta(days=3), Retention(age_seconds=2 * 86_400)) == 1
    assert _count(store) == rows - 36 * 200
    filler.unlink()
    assert store.compact(START + timedelta(days=5)).rows == _count(store) == rows - 36 * 200


def test_a_disk_that_fills_within_a_write_keeps_nothing_of_it(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """fault 45: SQLite's own error, where the check of free space came too early to see it, is StoreUnavailable too."""
    store, state = EmbeddedStore(disk / "data"), StateStore(disk / "data" / "state.sqlite")
    store.write(LINK_RATE, _batch(0))
    state.put("poller", b"before")
    filler = _fill(disk, 4096)
    monkeypatch.setattr("bwmgr.stores.embedded.store.require_space", lambda *_: None)
    monkeypatch.setattr("bwmgr.stores.state.require_space", lambda *_: None)
    with pytest.raises(StoreUnavailable, match="full"):
        _write_on(store)
    with pytest.raises(StoreUnavailable, match="full"):
        state.put("poller", b"x" * MIB)
    assert state.get("poller") == b"before"
    whole = _count(store)
    assert whole % 200 == 0
    filler.unlink()
    store.write(LINK_RATE, _batch(400))
    state.put("poller", b"after")
    assert (_count(store), state.get("poller")) == (whole + 200, b"after")


def test_a_backup_without_room_leaves_nothing_behind(disk: Path, tmp_path: Path) -> None:
    """fault 45: the target is absent, not half there."""
    store = EmbeddedStore(tmp_path / "data")
    for number in range(40):
        store.write(LINK_RATE, _batch(number, links=2000))
    _fill(disk, 64 * 1024)
    with pytest.raises(StoreUnavailable):
        store.backup(disk / "copy")
    assert not list(disk.glob("copy*"))
