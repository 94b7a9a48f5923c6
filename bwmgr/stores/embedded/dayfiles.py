"""Day files: one Parquet file for a measurement and UTC day. pyarrow stops here, and is loaded on first use.

Owns their encoding and the index of what is in them. A file stands alone: next to the store's ids it holds the series' names,
times are timestamps and floats are exact, so that DuckDB, pandas or an auditor's own tool reads it without bwmgr.

Rows are sorted by (series, end_ms); a row group holds whole series, so that a link range reads only its own. Rates go as
BYTE_STREAM_SPLIT + zstd level 1: of what was tried (plain and dictionary; snappy, lz4, zstd 1, 3, 9) the smallest that still
decodes at the speed of the disk cache.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bwmgr.errors import StoreError, system_reason
from bwmgr.model.said import Said, said_by
from bwmgr.stores.embedded.codec import Column, CorruptBody, decode, encode
from bwmgr.stores.embedded.layouts import Layout, Table, missing_column

if TYPE_CHECKING:
    import pyarrow as pa

GROUP_ROWS = 100_000
"""Rows of a row group at most, but for a series that has more in one day: larger ones make readers of few links decode too
much, smaller ones cost 0.2 ms each."""

CONTENT = np.dtype([("series", "u4"), ("group", "u4"), ("rows", "u4"), ("first_ms", "i8"), ("last_ms", "i8")])
"""Index of a day file: a line for each series, in the file's order."""
CHUNK = np.dtype([("start", "i8"), ("octets", "i8"), ("crc", "u4")])
"""Where each column of each row group stands in the file, group after group; the last line is of all that follows them.

The checksums are our own: Arrow's verification of its pages takes twice as long as reading them (7 of 10 ms a row group; this
takes 0.4), and does not cover the footer."""


@dataclass(frozen=True, kw_only=True)
class Index:
    """What the manifest knows of a day file: tables of CONTENT and of CHUNK."""

    content: Table
    chunks: Table


def pack_index(index: Index) -> bytes:
    """The index as the manifest keeps it."""
    parts = [encode(table, _columns(kind)) for table, kind in ((index.content, CONTENT), (index.chunks, CHUNK))]
    return _LENGTH.pack(len(parts[0])) + b"".join(parts)


def unpack_index(packed: bytes, source: str) -> Index:
    """Raises: StoreError."""
    try:
        end = _LENGTH.size + (_LENGTH.unpack_from(packed)[0] if len(packed) >= _LENGTH.size else 0)
        content = decode(packed[_LENGTH.size : end], _columns(CONTENT), CONTENT.names or ())
        chunks = decode(packed[end:], _columns(CHUNK), CHUNK.names or ())
    except CorruptBody as error:
        raise StoreError(Said("{file}: its line in the manifest is damaged: {why}", file=source, why=said_by(error))) from error
    return Index(content=content, chunks=chunks)


def write_day(path: Path, layout: Layout, tables: Iterable[Table], names: Callable[[NDArray[Any]], Sequence[str]]) -> Index:
    """Write a file and fsync it. Tables come sorted, one after another in the order of series.

    Raises: OSError (disk full ...); what was written so far is the caller's to remove.
    """
    import pyarrow.parquet as pq

    parts: list[Table] = []
    with path.open("wb") as file:
        with pq.ParquetWriter(file, _schema(layout), **_options(layout)) as writer:
            for table in tables:
                for group in _groups(table):
                    parts.append(content_of(group, len(parts)))
                    writer.write_table(_arrow(group, layout, names), row_group_size=len(group["series"]))
        file.flush()
        os.fsync(file.fileno())
    content = {
        name: np.concatenate([np.empty(0, CONTENT[name]), *(part[name] for part in parts)]) for name in CONTENT.names or ()
    }
    return Index(content={name: content[name].astype(CONTENT[name]) for name in content}, chunks=_chunks_of(path))


def _chunks_of(path: Path) -> Table:
    import pyarrow.parquet as pq

    metadata = pq.read_metadata(path)
    chunks = []
    with path.open("rb") as file:
        for group in range(metadata.num_row_groups):
            for number in range(metadata.num_columns):
                column = metadata.row_group(group).column(number)
                start = column.data_page_offset
                if column.dictionary_page_offset is not None:
                    start = min(start, column.dictionary_page_offset)
                chunks.append(
                    (start, column.total_compressed_size, _checksum(file.fileno(), start, column.total_compressed_size))
                )
        end = max((start + octets for start, octets, _ in chunks), default=0)
        rest = os.fstat(file.fileno()).st_size - end
        chunks.append((end, rest, _checksum(file.fileno(), end, rest)))
    table = np.array(chunks, CHUNK)
    return {name: np.ascontiguousarray(table[name]) for name in CHUNK.names or ()}


def _checksum(descriptor: int, start: int, octets: int) -> int:
    return zlib.crc32(os.pread(descriptor, octets, start))


def _columns(dtype: np.dtype[Any]) -> tuple[Column, ...]:
    return tuple((name, dtype[name].str) for name in dtype.names or ())


_LENGTH = struct.Struct("<I")


class DayFile:
    """An open day file. Unlinking it does no harm to one that is open.

    Raises (opening): FileNotFoundError where it is gone; StoreError where it is damaged.
    """

    def __init__(self, path: Path, layout: Layout, index: Index) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._path = path
        self._layout = layout
        self.content = index.content
        self._chunks = index.chunks
        self._file = path.open("rb")
        try:
            self._verify(len(self._chunks["start"]) - 1)
            with self._translated():
                self._parquet = pq.ParquetFile(pa.OSFile(str(path)))  # one of Python's would need its lock for every read
        except (StoreError, FileNotFoundError):
            self._file.close()
            raise

    def close(self) -> None:
        self._parquet.close(force=True)
        self._file.close()

    def groups(self, selected: NDArray[np.bool_]) -> NDArray[Any]:
        """Numbers of the row groups with series of which `selected[id]` says yes."""
        return np.unique(self.content["group"][selected[self.content["series"]]])

    def read(self, group: int, wanted: Collection[str]) -> Table:
        """Columns of a row group. `series` comes from the index.

        Raises: StoreError that names the file.
        """
        lines = slice(*np.searchsorted(self.content["group"], (group, group + 1)))
        lengths = self.content["rows"][lines]
        table: Table = {"series": np.repeat(self.content["series"][lines], lengths)}
        stored = [name for name in wanted if name != "series" and name in self._stored]
        for name in stored:
            self._verify(int(group) * len(self._stored) + self._stored[name])
        with self._translated():
            arrow = self._parquet.read_row_group(int(group), columns=stored, use_threads=False)
        for name in stored:
            table[name] = _numpy(arrow.column(name), self._layout.dtype[name])
        for name in wanted:
            if name not in table:
                table[name] = missing_column(self._layout.dtype[name], len(table["series"]))
        if any(len(column) != len(table["series"]) for column in table.values()):
            raise StoreError(
                Said(
                    "{path} is damaged: row group {group} does not have the rows that the manifest says",
                    path=self._path,
                    group=str(group),
                )
            )
        return table

    @cached_property
    def _stored(self) -> Mapping[str, int]:
        return {name: number for number, name in enumerate(self._parquet.schema_arrow.names)}

    def _verify(self, chunk: int) -> None:
        """Raises: StoreError where a part of the file is not what was written."""
        start, octets, crc = (int(self._chunks[name][chunk]) for name in ("start", "octets", "crc"))
        try:
            found = _checksum(self._file.fileno(), start, octets)
        except OSError as error:
            raise StoreError(Said("{path} cannot be read: {why}", path=self._path, why=system_reason(error))) from error
        if found != crc:
            raise StoreError(
                Said(
                    "{path} is damaged: {octets} octets from {start} on are not what was written",
                    path=self._path,
                    octets=octets,
                    start=start,
                )
            )

    def _translated(self) -> _Translated:
        return _Translated(self._path)


class _Translated:
    """Arrow's errors as the store's, with the file's name."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        import pyarrow as pa

        if isinstance(error, FileNotFoundError):
            return  # replaced since it was listed: the reader takes the new one
        if isinstance(error, pa.ArrowException | OSError):
            raise StoreError(Said("{path} is damaged: {why}", path=self._path, why=str(error))) from error


def _schema(layout: Layout) -> pa.Schema:
    import pyarrow as pa

    fields = [pa.field(layout.name_column, pa.dictionary(pa.int32(), pa.string()), nullable=False)]
    for name in layout.columns:
        kind = pa.timestamp("ms", tz="UTC") if name == "end_ms" else pa.from_numpy_dtype(layout.dtype[name])
        fields.append(pa.field(name, kind, nullable=False))
    return pa.schema(fields)


def _options(layout: Layout) -> dict[str, Any]:
    """Encodings: floats and times split into byte streams, what has few values as dictionaries.

    Times as deltas would be half an octet a row smaller, and take more than twice as long to read.
    """
    encodings: dict[str, str] = {}
    for name in layout.columns:
        if name in _SPLIT:
            encodings[name] = "BYTE_STREAM_SPLIT"
        elif name in _DELTAS:
            encodings[name] = "DELTA_BINARY_PACKED"
    dictionaries = [layout.name_column, *(name for name in layout.columns if name not in encodings)]
    return {
        "compression": "zstd",
        "compression_level": 1,
        "use_dictionary": dictionaries,
        "column_encoding": encodings,
        "write_statistics": ["series", "end_ms"],
        "data_page_size": 1 << 20,
        "store_schema": False,
    }


_SPLIT = frozenset(("end_ms", "down_bps", "up_bps"))
_DELTAS = frozenset(("series", "rtt_us"))


def _groups(table: Table) -> Iterable[Table]:
    """Parts of whole series of about GROUP_ROWS."""
    series = table["series"]
    start = 0
    while start < len(series):
        end = min(start + GROUP_ROWS, len(series))
        if end < len(series):
            whole = int(np.searchsorted(series, series[end]))  # where the series that would be cut begins
            end = whole if whole > start else int(np.searchsorted(series, series[start], "right"))
        yield {name: column[start:end] for name, column in table.items()}
        start = end


def content_of(group: Table, number: int) -> Table:
    """The index of a row group, or of any rows sorted by series and time."""
    ids, starts, rows = np.unique(group["series"], return_index=True, return_counts=True)
    last = starts + rows - 1
    return {
        "series": ids,
        "group": np.full(len(ids), number, np.uint32),
        "rows": rows.astype(np.uint32),
        "first_ms": group["end_ms"][starts],
        "last_ms": group["end_ms"][last],
    }


def _arrow(group: Table, layout: Layout, names: Callable[[NDArray[Any]], Sequence[str]]) -> pa.Table:
    import pyarrow as pa

    ids, codes = np.unique(group["series"], return_inverse=True)
    schema = _schema(layout)
    columns = [pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), pa.array(names(ids), pa.string()))]
    for name in layout.columns:
        array = pa.array(np.ascontiguousarray(group[name]))
        columns.append(array.cast(schema.field(name).type) if name == "end_ms" else array)
    return pa.Table.from_arrays(columns, schema=schema)


def _numpy(column: pa.ChunkedArray, dtype: np.dtype[Any]) -> NDArray[Any]:
    chunk = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    array: NDArray[Any] = chunk.view(f"int{8 * dtype.itemsize}").to_numpy() if _is_time(chunk) else chunk.to_numpy()
    return array.view(dtype)


def _is_time(chunk: pa.Array) -> bool:
    return str(chunk.type).startswith("timestamp")
