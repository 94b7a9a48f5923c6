"""Batches that wait on the disk for the server: one file each, durable before `add` returns, oldest first, bounded by octets.

Owns the folder and its bound; sends nothing. Files are whole or absent at any moment: written beside, fsynced, renamed, folder
fsynced. Several processes may add and read; who removes holds `sender()`.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import threading
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from bwmgr.errors import StoreUnavailable, path_reason
from bwmgr.measure.columns import RateBatch
from bwmgr.model.said import Said
from bwmgr.stores.embedded.layouts import layout_of, missing_column

MOST_OCTETS = 2 << 30
"""About five days of 9,000 links polled every minute."""
LINES = "lines"
"""In the place of a measurement: what waits is line protocol already, of any measurement that has no layout."""
LEFT_FREE_OCTETS = 32 << 20
_LEVEL = 1
_SEGMENT = ".batch"
_SENT = ".sent"
REFUSED_FILE = "refused.jsonl"
_QUARANTINE_OCTETS = 16 << 20
_LOCK = "sender.lock"


@dataclass(frozen=True, kw_only=True, slots=True)
class Depth:
    """What waits: files, their octets, and the seconds since the oldest was written (0 where none waits)."""

    segments: int
    octets: int
    oldest_seconds: float


class Spool:
    """One folder. `most_octets` is never exceeded: the oldest files go first, and `dropped` counts them.

    Raises: StoreUnavailable where the folder cannot be made.
    """

    def __init__(self, folder: Path, *, most_octets: int = MOST_OCTETS) -> None:
        self.folder = folder
        self._most_octets = most_octets
        self._number = count()
        self._adding = threading.Lock()
        self.dropped = 0
        """Segments given up since the start because too many waited."""
        with _disk(folder):
            folder.mkdir(parents=True, exist_ok=True)

    def add(self, measurement: str, batch: RateBatch) -> Path:
        """Keeps a batch; on the disk when it returns. Raises: StoreUnavailable: nothing of it was kept."""
        return self._add(_packed(measurement, batch))

    def _add(self, body: bytes) -> Path:
        with self._adding, _disk(self.folder):
            self._make_room(len(body))
            path = self.folder / f"{time.time_ns():020}-{os.getpid()}-{next(self._number):06}{_SEGMENT}"
            _write(path, body)
            return path

    def add_lines(self, lines: bytes) -> Path:
        """Keeps line protocol as it is, under the name `LINES`; otherwise as `add`."""
        return self._add(zlib.compress(json.dumps({"measurement": LINES}).encode() + b"\n" + lines, _LEVEL))

    def waiting(self) -> list[Path]:
        """Oldest first."""
        return sorted(self.folder.glob(f"*{_SEGMENT}"))

    def batches(self, measurement: str, *, also_sent: bool = False) -> Iterator[RateBatch]:
        """What waits of a measurement, oldest first, after the last one that was sent where `also_sent`."""
        paths = self.waiting()
        if also_sent:
            paths = sorted(self.folder.glob(f"*{_SENT}")) + paths
        for path in paths:
            loaded = load(path)
            if loaded is not None and loaded[0] == measurement and isinstance(loaded[1], RateBatch):
                yield loaded[1]

    def remove(self, path: Path, measurement: str | None = None) -> None:
        """Ends a segment; the last one of each `measurement` stays as what is known to be stored, for times without a server."""
        with _disk(self.folder):
            if measurement in (None, LINES):
                path.unlink(missing_ok=True)
            elif path.exists():
                path.replace(self.folder / f"{measurement}{_SENT}")

    def depth(self) -> Depth:
        sizes, oldest = [], time.time()
        for path in self.waiting():
            try:
                found = path.stat()
            except FileNotFoundError:
                continue
            sizes.append(found.st_size)
            oldest = min(oldest, found.st_mtime)
        return Depth(segments=len(sizes), octets=sum(sizes), oldest_seconds=max(0.0, time.time() - oldest))

    def quarantine(self, lines: Sequence[bytes], reason: str, at: datetime | None = None) -> None:
        """Keeps lines that the server will never take, each with its reason, for a person to look at; bounded: the file before
        the last is overwritten."""
        when = (at or datetime.now(UTC)).isoformat(timespec="seconds")
        text = "".join(
            json.dumps({"at": when, "reason": reason, "line": line.decode(errors="replace")}) + "\n" for line in lines
        ).encode()
        path = self.folder / REFUSED_FILE
        with _disk(self.folder):
            if path.exists() and path.stat().st_size + len(text) > _QUARANTINE_OCTETS:
                path.replace(path.with_suffix(".old.jsonl"))
            with path.open("ab") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())

    @contextmanager
    def sender(self) -> Iterator[bool]:
        """True for the one process that may send and remove, until it leaves."""
        with _disk(self.folder), (self.folder / _LOCK).open("wb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield True

    def _make_room(self, octets: int) -> None:
        if octets > self._most_octets:
            raise StoreUnavailable(
                Said("{folder}: a batch of {octets} octets is more than the spool may hold", folder=self.folder, octets=octets)
            )
        paths = self.waiting()
        sizes = [_size(path) for path in paths]
        excess = sum(sizes) + octets - self._most_octets
        for path, size in zip(paths, sizes, strict=True):
            if excess <= 0:
                break
            path.unlink(missing_ok=True)
            self.dropped += 1
            excess -= size
        disk = os.statvfs(self.folder)
        if disk.f_bavail * disk.f_frsize - octets < LEFT_FREE_OCTETS:
            raise StoreUnavailable(
                Said(
                    "{folder}: {free} MiB are free on the disk: free some",
                    folder=self.folder,
                    free=disk.f_bavail * disk.f_frsize >> 20,
                )
            )


def load(path: Path) -> tuple[str, RateBatch | bytes] | None:
    """A segment's measurement and batch, or `LINES` and line protocol; None where it has gone, or is
    damaged (then it is put aside)."""
    try:
        return _unpacked(path.read_bytes())
    except FileNotFoundError:
        return None
    except (zlib.error, ValueError, KeyError, TypeError):
        path.rename(path.with_suffix(".damaged"))
        return None


def _packed(measurement: str, batch: RateBatch) -> bytes:
    header = {"measurement": measurement, "series": batch.series, "columns": _columns(batch.rows.dtype)}
    return zlib.compress(json.dumps(header).encode() + b"\n" + batch.rows.tobytes(), _LEVEL)


def _unpacked(body: bytes) -> tuple[str, RateBatch | bytes]:
    header, _, octets = zlib.decompress(body).partition(b"\n")
    found: dict[str, Any] = json.loads(header)
    if found["measurement"] == LINES:
        return LINES, octets
    written = np.frombuffer(octets, np.dtype([tuple(column) for column in found["columns"]]))
    layout = layout_of(found["measurement"])
    rows = np.empty(len(written), layout.dtype)
    for name in layout.columns:
        there = name in (written.dtype.names or ())
        rows[name] = written[name] if there else missing_column(layout.dtype[name], len(written))
    return found["measurement"], RateBatch(series=tuple(found["series"]), rows=rows)


def _columns(dtype: np.dtype[Any]) -> list[tuple[str, str]]:
    return [(name, dtype[name].str) for name in dtype.names or ()]


def _write(path: Path, body: bytes) -> None:
    beside = path.with_suffix(".part")
    try:
        with beside.open("wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        _sync_folder(path.parent)
    except OSError:
        beside.unlink(missing_ok=True)
        raise


def _sync_folder(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


@contextmanager
def _disk(folder: Path) -> Iterator[None]:
    """What the disk says as StoreUnavailable."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise StoreUnavailable(Said("{folder}: the disk is full: free some", folder=folder)) from error
        raise StoreUnavailable(path_reason(folder, error)) from error
