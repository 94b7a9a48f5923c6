"""Day files: one Parquet file for a measurement and UTC day. pyarrow stops here, and is loaded on first use.

Owns their encoding and the index of what is in them. A file stands alone: next to the store's ids it holds the series' names,
times are timestamps and floats are exact, so that DuckDB, pandas or an auditor's own tool reads it without bwmgr.

Rows are sorted by (series, end_ms); a row group holds whole series, so that a link range reads only its own. Rates go as
BYTE_STREAM_SPLIT + zstd level 1: of what was tried (plain and dictionary; snappy, lz4, zstd 1, 3, 9) the smallest that still
decodes at the speed of the disk cache.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bwmgr.errors import StoreError
from bwmgr.stores.embedded.codec import Column, CorruptBody, decode, encode
from bwmgr.stores.embedded.layouts import Layout, Table, missing_column

if TYPE_CHECKING:
    import pyarrow as pa

GROUP_ROWS = 100_000
"""Rows of a row group at most, but for a series that has more in one day: larger ones make readers of few links decode too
much, smaller ones cost 0.2 ms each."""

CONTENT = np.dtype([("series", "u4"), ("group", "u4"), ("rows", "u4"), ("first_ms", "i8"), ("last_ms", "i8")])
"""Index of a day file: a line for each series, in the file's order."""
_CONTENT_COLUMNS: tuple[Column, ...] = tuple((name, CONTENT[name].str) for name in CONTENT.names or ())


def pack_content(content: Sequence[Table]) -> bytes:
    """The index of a file as the manifest keeps it."""
    table = {name: np.concatenate([np.empty(0, kind), *(part[name] for part in content)]) for name, kind in _CONTENT_COLUMNS}
    return encode({name: table[name].astype(kind) for name, kind in _CONTENT_COLUMNS}, _CONTENT_COLUMNS)


def unpack_content(content: bytes, source: str) -> Table:
    """Raises: StoreError."""
    try:
        return decode(content, _CONTENT_COLUMNS, CONTENT.names or ())
    except CorruptBody as error:
        raise StoreError(f"{source}: its line in the manifest is damaged: {error}") from error


def write_day(path: Path, layout: Layout, tables: Iterable[Table], names: Callable[[NDArray[Any]], Sequence[str]]) -> list[Table]:
    """Write a file and fsync it. Tables come sorted, one after another in the order of series; gives the index by parts.

    Raises: OSError (disk full ...); what was written so far is the caller's to remove.
    """
    import pyarrow.parquet as pq

    content: list[Table] = []
    with path.open("wb") as file:
        with pq.ParquetWriter(file, _schema(layout), **_options(layout)) as writer:
            for table in tables:
                for group in _groups(table):
                    content.append(content_of(group, len(content)))
                    writer.write_table(_arrow(group, layout, names), row_group_size=len(group["series"]))
        file.flush()
        os.fsync(file.fileno())
    return content


class DayFile:
    """An open day file. Unlinking it does no harm to one that is open.

    Raises (opening): FileNotFoundError where it is gone; StoreError where it is damaged.
    """

    def __init__(self, path: Path, layout: Layout, content: Table) -> None:
        import pyarrow.parquet as pq

        self._path = path
        self._layout = layout
        self.content = content
        self._file = path.open("rb")
        try:
            with self._translated():
                self._parquet = pq.ParquetFile(self._file, page_checksum_verification=True)
        except StoreError:
            self._file.close()
            raise

    def close(self) -> None:
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
        with self._translated():
            arrow = self._parquet.read_row_group(int(group), columns=stored, use_threads=False)
        for name in stored:
            table[name] = _numpy(arrow.column(name), self._layout.dtype[name])
        for name in wanted:
            if name not in table:
                table[name] = missing_column(self._layout.dtype[name], len(table["series"]))
        if any(len(column) != len(table["series"]) for column in table.values()):
            raise StoreError(f"{self._path} is damaged: row group {group} does not have the rows that the manifest says")
        return table

    @property
    def _stored(self) -> Collection[str]:
        return frozenset(self._parquet.schema_arrow.names)

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

        if isinstance(error, pa.ArrowException | OSError):
            raise StoreError(f"{self._path} is damaged: {error}") from error


def _schema(layout: Layout) -> pa.Schema:
    import pyarrow as pa

    fields = [pa.field(layout.name_column, pa.dictionary(pa.int32(), pa.string()), nullable=False)]
    for name in layout.columns:
        kind = pa.timestamp("ms", tz="UTC") if name == "end_ms" else pa.from_numpy_dtype(layout.dtype[name])
        fields.append(pa.field(name, kind, nullable=False))
    return pa.schema(fields)


def _options(layout: Layout) -> dict[str, Any]:
    """Encodings: floats split into byte streams, times and intervals as deltas, what has few values as dictionaries."""
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
        "write_page_checksum": True,
        "write_statistics": ["series", "end_ms"],
        "data_page_size": 1 << 20,
        "store_schema": False,
    }


_SPLIT = frozenset(("down_bps", "up_bps"))
_DELTAS = frozenset(("series", "end_ms", "rtt_us"))


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
