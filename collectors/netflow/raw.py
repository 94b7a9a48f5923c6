"""Raw flows, kept for as long as there is room: Parquet files by the hour in which flows were received, for DuckDB or pandas.

Owns the files' names, their columns (`SCHEMA`: more may come, none is renamed or removed), retention, and that receiving never
waits for a disk: a thread writes, and what finds no room in its queue is dropped and counted. A file that is being written ends
in .tmp; what a crash left of one is deleted after a day, or when its process number comes again.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from collectors.netflow.columns import Column, Flows
from collectors.netflow.settings import RawSettings

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

SCHEMA: tuple[tuple[str, str], ...] = (
    ("received_at", "timestamp"),
    ("start", "timestamp"),
    ("end", "timestamp"),
    ("exporter", "text"),
    ("source", "text"),
    ("destination", "text"),
    ("inside", "text"),
    ("protocol", "uint8"),
    ("source_port", "uint16"),
    ("destination_port", "uint16"),
    ("ingress", "uint32"),
    ("egress", "uint32"),
    ("direction", "uint8"),
    ("octets", "int64"),
    ("packets", "int64"),
    ("sampling", "int64"),
    ("application_id", "uint64"),
)
"""Columns and their kinds. Timestamps are ms UTC; addresses and the exporter are dictionary-encoded text; `inside` is where a
download goes behind NAT; `direction` 255: not told; `sampling` 0: not told; octets and packets as exported."""

_HOUR_MS = 3_600_000
_ROW_GROUP = 1 << 17
_STALE_SECONDS = 86_400


@dataclass(frozen=True)
class _Waiting:
    flows: Flows | None
    """None: only the hour matters."""
    names: Sequence[str]
    received_ms: int

    def __len__(self) -> int:
        return 0 if self.flows is None else len(self.flows)


class RawFlows:
    """Takes flows and writes them behind its caller's back."""

    def __init__(self, settings: RawSettings) -> None:
        self.dropped = 0
        """Flows that found no room in the queue, or that the disk would not take."""
        self._settings = settings
        self._queue: deque[_Waiting] = deque()
        self._rows = 0
        self._condition = threading.Condition()
        self._closed = False
        settings.folder.mkdir(parents=True, exist_ok=True)
        _sweep(settings.folder)
        self._thread = threading.Thread(target=self._write_all, name="raw-flows", daemon=True)
        self._thread.start()

    def add(self, flows: Flows, names: Sequence[str], now_ms: int) -> None:
        """Takes flows; `names` are the exporters' addresses by number."""
        with self._condition:
            if self._rows + len(flows) > self._settings.queue_rows:
                self.dropped += len(flows)
                return
            self._queue.append(_Waiting(flows, names, now_ms))
            self._rows += len(flows)
            self._condition.notify()

    def rotate(self, now_ms: int) -> None:
        """Wakes the writer, so that an hour's file is closed although no flow of the next has come."""
        with self._condition:
            self._queue.append(_Waiting(None, (), now_ms))
            self._condition.notify()

    def close(self) -> None:
        """Writes what waits and closes the file."""
        with self._condition:
            self._closed = True
            self._condition.notify()
        self._thread.join()

    def _write_all(self) -> None:
        writer = _HourWriter(self._settings)
        while (waiting := self._next()) is not None:
            try:
                writer.take(waiting)
            except OSError:
                with self._condition:
                    self.dropped += writer.abandon()
        try:
            writer.finish()
        except OSError:
            self.dropped += writer.abandon()

    def _next(self) -> _Waiting | None:
        with self._condition:
            self._condition.wait_for(lambda: self._queue or self._closed)
            if not self._queue:
                return None
            waiting = self._queue.popleft()
            self._rows -= len(waiting)
            return waiting


class _HourWriter:
    """One file at a time; used by the writing thread alone."""

    def __init__(self, settings: RawSettings) -> None:
        self._settings = settings
        self._hour = -1
        self._path: Path | None = None
        self._writer: pq.ParquetWriter | None = None
        self._tables: list[pa.Table] = []
        self._rows = 0
        self._in_file = 0

    def take(self, waiting: _Waiting) -> None:
        hour = waiting.received_ms // _HOUR_MS
        if hour != self._hour:
            self.finish()
            self._hour = hour
        if waiting.flows is None:
            return
        self._tables.append(table_of(waiting.flows, waiting.names, waiting.received_ms))
        self._rows += len(waiting)
        if self._rows >= _ROW_GROUP:
            self._flush()

    def finish(self) -> None:
        """Gives the file its name, so that readers see it whole, and makes room."""
        self._flush()
        if self._writer is None or self._path is None:
            return
        self._writer.close()
        with self._path.open("rb") as written:
            os.fsync(written.fileno())
        self._path.rename(self._path.with_suffix(""))
        self._writer, self._path, self._in_file = None, None, 0
        retain(self._settings, time.time())

    def abandon(self) -> int:
        """The disk failed: what this file held is lost; returns how many rows."""
        lost = self._rows + self._in_file
        if self._path is not None:
            self._path.unlink(missing_ok=True)
        self._writer, self._path, self._tables, self._rows, self._in_file = None, None, [], 0, 0
        return lost

    def _flush(self) -> None:
        if not self._tables:
            return
        import pyarrow as pa

        table = pa.concat_tables(self._tables).unify_dictionaries()
        self._open(table.schema).write_table(table)
        self._in_file += self._rows
        self._tables, self._rows = [], 0

    def _open(self, schema: pa.Schema) -> pq.ParquetWriter:
        import pyarrow.parquet as pq

        if self._writer is None:
            self._path = _path(self._settings.folder, self._hour)
            self._writer = pq.ParquetWriter(self._path, schema, compression="zstd")
        return self._writer


def files(folder: Path, start: datetime, end: datetime) -> list[Path]:
    """The finished files with flows received in [start, end), oldest first."""
    first, last = f"flows-{_stamp(start)}", f"flows-{_stamp(end)}~"
    return sorted(path for path in folder.glob("flows-*.parquet") if first <= path.name <= last)


def table_of(flows: Flows, names: Sequence[str], received_ms: int) -> pa.Table:
    """Flows as an Arrow table of `SCHEMA`."""
    import pyarrow as pa

    count = len(flows)
    columns: dict[str, Any] = {
        "received_at": np.full(count, received_ms, np.int64),
        "start": flows.start_ms,
        "end": flows.end_ms,
        "exporter": _names(flows.exporter, names),
        "source": _addresses(flows.source, flows.family),
        "destination": _addresses(flows.destination, flows.family),
        "inside": _addresses(flows.inside, flows.family),
        "sampling": flows.rate,
        "application_id": np.zeros(count, np.uint64) if flows.application is None else flows.application,
    }
    kinds = {"timestamp": pa.timestamp("ms", "UTC"), "text": pa.dictionary(pa.int32(), pa.string())}
    arrays = [
        pa.array(columns.get(name, getattr(flows, name, None))).cast(kinds.get(kind) or pa.type_for_alias(kind))
        for name, kind in SCHEMA
    ]
    return pa.table(arrays, names=[name for name, _ in SCHEMA])


def _names(numbers: NDArray[np.uint32], names: Sequence[str]) -> pa.DictionaryArray:
    import pyarrow as pa

    distinct, inverse = np.unique(numbers, return_inverse=True)
    return pa.DictionaryArray.from_arrays(inverse.astype(np.int32), [names[number] for number in distinct.tolist()])


def _addresses(addresses: Column, family: int) -> pa.DictionaryArray:
    import pyarrow as pa

    distinct, inverse = np.unique(addresses, return_inverse=True)
    if family == 4:
        texts = [socket.inet_ntoa(packed.tobytes()) for packed in distinct.astype(">u4").view("V4")]
    else:
        texts = [socket.inet_ntop(socket.AF_INET6, packed.ljust(16, b"\0")) for packed in distinct.tolist()]
    return pa.DictionaryArray.from_arrays(inverse.astype(np.int32), texts)


def retain(settings: RawSettings, now: float) -> list[Path]:
    """Deletes the oldest files that are over age or over size; returns them."""
    kept = sorted(settings.folder.glob("flows-*.parquet"))
    total = sum(path.stat().st_size for path in kept)
    gone = []
    for path in kept:
        stat = path.stat()
        too_old = settings.age_seconds is not None and now - stat.st_mtime > settings.age_seconds
        too_much = settings.octets is not None and total > settings.octets
        if not (too_old or too_much):
            break
        path.unlink(missing_ok=True)
        total -= stat.st_size
        gone.append(path)
    return gone


def _path(folder: Path, hour: int) -> Path:
    """A name that no other process and no earlier start has; sorts by time."""
    stamp = _stamp(datetime.fromtimestamp(hour * 3600, UTC))
    names = (folder / f"flows-{stamp}-{os.getpid()}-{number}.parquet" for number in _counting())
    return next(path.with_suffix(".parquet.tmp") for path in names if not path.exists())


def _counting() -> Iterator[int]:
    number = 0
    while True:
        yield number
        number += 1


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y%m%dT%H")


def _sweep(folder: Path) -> None:
    """Removes what crashed writers left."""
    for path in folder.glob("flows-*.tmp"):
        own = f"-{os.getpid()}-" in path.name
        if own or time.time() - path.stat().st_mtime > _STALE_SECONDS:
            path.unlink(missing_ok=True)
