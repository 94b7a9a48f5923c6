"""Housekeeping of the folder: days into files, the end of old days, sizes, copies.

Owns the order of steps that makes each of them safe to be killed at any moment, and to run while others read and write. Every
step that counts is one SQLite transaction; what is left half done beside it is a file that no manifest names, which `sweep`
removes.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bwmgr.errors import StoreError, StoreUnavailable, path_reason
from bwmgr.model.said import Said
from bwmgr.stores.embedded.catalog import FILE_NAME, Catalog, Day, connect, translated
from bwmgr.stores.embedded.dayfiles import pack_index, write_day
from bwmgr.stores.embedded.layouts import DAY_MS, LAYOUTS, SLICE_SERIES, Layout, Table
from bwmgr.stores.embedded.reading import Reader, Window, retried
from bwmgr.stores.space import RATES_OCTETS, require_space

Progress = Callable[[int, int], None]
"""(done, of how many)."""

GRACE = timedelta(hours=1)
"""A day is finished this long after its end: what is read around midnight and late retries are in by then."""
_TEMPORARY = ".tmp"
_SUFFIX = ".parquet"
_ROW_OCTETS = 32
"""What a row takes in a day file at most, about; 20 are usual."""
SWEPT_AFTER_SECONDS = 3600.0
_STEP_SEGMENTS = 500
_BACKUP_ATTEMPTS = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Retention:
    """What may be kept. None: no bound.

    `age_seconds` ends every UTC day that lies wholly before now - age, in a file or hot. `octets` bounds the folder: oldest day
    files end until SQLite and files together fit; hot days, which have no file yet, are never ended by size.
    """

    age_seconds: float | None = None
    octets: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Compaction:
    """What one run moved."""

    days: int = 0
    rows: int = 0
    octets: int = 0


def sweep(folder: Path, catalog: Catalog, *, older_seconds: float) -> None:
    """Removes what a killed compaction left: temporary files, and day files that no manifest line names.

    `older_seconds` spares those that a compaction in another process may be writing now; its owner passes 0.
    """
    limit = datetime.now(UTC).timestamp() - older_seconds
    candidates = [
        path for name in LAYOUTS for path in (*folder.glob(f"{name}-*{_SUFFIX}"), *folder.glob(f"{name}-*{_TEMPORARY}"))
    ]
    if not candidates:
        return
    with catalog.reading() as connection:  # after the listing: a file that was finished meanwhile is named by now
        named = catalog.files(connection)
    for path in candidates:
        try:
            if path.name not in named and path.is_file() and path.stat().st_mtime <= limit:
                path.unlink(missing_ok=True)
        except OSError:
            continue  # not ours to remove


def compact(folder: Path, catalog: Catalog, now: datetime, progress: Progress | None = None) -> Compaction:
    """Writes a file for every UTC day that has ended and has segments in SQLite, and then forgets those segments.

    A row that comes late for such a day makes the day be written once more.

    Raises: StoreUnavailable where the disk is full: nothing is lost, and the next run tries again.
    """
    sweep(folder, catalog, older_seconds=0)
    days = rows = octets = 0
    due = list(_due(catalog, now))
    for done, (layout, number, day, hot_rows) in enumerate(due):
        if progress is not None:
            progress(done, len(due))
        require_space(folder, RATES_OCTETS + hot_rows * _ROW_OCTETS)
        written = _compact_day(folder, catalog, layout, number, day)
        days, rows, octets = days + 1, rows + written.rows, octets + written.octets
    catalog.shrink()
    return Compaction(days=days, rows=rows, octets=octets)


def retain(folder: Path, catalog: Catalog, now: datetime, retention: Retention) -> int:
    """Ends days that may no longer be kept, oldest first; returns how many. See `Retention`."""
    ended = 0
    if retention.age_seconds is not None:
        oldest = int((now - timedelta(seconds=retention.age_seconds)).timestamp() * 1000) // DAY_MS
        ended += sum(_end_day(folder, catalog, number, day) for number, day in _days(catalog) if day < oldest)
    if retention.octets is not None:
        ended += _end_surplus(folder, catalog, retention.octets)
    if ended:
        catalog.shrink()
    return ended


def sizes(folder: Path, catalog: Catalog) -> dict[str, int]:
    """Octets on the disk by part."""
    hot = sum(_size(folder / f"{FILE_NAME}{suffix}") for suffix in ("", "-wal"))
    days = 0
    for number in _measurements(catalog).values():
        with catalog.reading() as connection:
            days += sum(day.octets for day in catalog.days(connection, number))
    return {"hot": hot, "days": days}


def backup(folder: Path, target: Path, progress: Progress | None = None) -> int:
    """Copies everything into the new folder `target` as it is at one moment; it is named so only when it is whole.

    Every SQLite file in the folder is copied by SQLite itself, each consistent; day files, which never change, are linked where
    the disk allows and copied elsewhere.

    Raises: StoreError where `target` exists, StoreUnavailable where it cannot be written.
    """
    if target.exists():
        raise StoreError(Said("{path} exists: choose a new folder for the backup", path=target))
    unfinished = target.with_name(f"{target.name}{_TEMPORARY}")
    if unfinished.exists():
        raise StoreError(
            Said(
                "{path} is of a backup that was killed, or still runs: remove it, or choose another folder",
                path=unfinished,
            )
        )
    try:
        for attempt in range(_BACKUP_ATTEMPTS):
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir(parents=True)
            try:
                return _copied(folder, unfinished, target, progress)
            except FileNotFoundError:  # a compaction replaced a day's file after its line was copied
                if attempt == _BACKUP_ATTEMPTS - 1:
                    raise
    except (OSError, StoreUnavailable) as error:
        shutil.rmtree(unfinished, ignore_errors=True)
        if isinstance(error, StoreUnavailable):
            raise
        raise StoreUnavailable(path_reason(error.filename or target, error)) from error
    raise AssertionError


def _due(catalog: Catalog, now: datetime) -> Iterator[tuple[Layout, int, int, int]]:
    """(layout, measurement's number, day, hot rows) of what is to be compacted, oldest first."""
    unfinished = int((now - GRACE).timestamp() * 1000) // DAY_MS
    for name, number in _measurements(catalog).items():
        with catalog.reading() as connection:
            hot = catalog.hot_days(connection, number)
        yield from ((LAYOUTS[name], number, day, hot[day]) for day in sorted(hot) if day < unfinished)


def _measurements(catalog: Catalog) -> dict[str, int]:
    with catalog.reading() as connection:
        found = {name: catalog.measurement(connection, name) for name in LAYOUTS}
    return {name: number for name, number in found.items() if number is not None}


def _compact_day(folder: Path, catalog: Catalog, layout: Layout, number: int, day: int) -> Day:
    """Segments up to one moment go into the file; those written meanwhile stay hot, whether the file has them or not."""
    with catalog.reading() as connection:
        through = catalog.newest_segment(connection, number, day)
        before = catalog.days(connection, number, day, day)
    path = folder / f"{layout.measurement}-{_date(day)}-{through}{_SUFFIX}"
    temporary = path.with_name(f"{path.name}{_TEMPORARY}")
    try:
        index = write_day(temporary, layout, _day_tables(folder, catalog, layout, day), _namer(catalog, number))
        temporary.replace(path)
        _sync(folder)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise StoreUnavailable(path_reason(path, error)) from error
    line = Day(
        day=day,
        file=path.name,
        through=through,
        rows=int(index.content["rows"].sum()),
        octets=path.stat().st_size,
        content=pack_index(index),
    )
    with catalog.writing() as connection:
        catalog.set_day(connection, number, line)
    for old in before:
        if old.file != line.file:
            (folder / old.file).unlink(missing_ok=True)
    _forget_segments(catalog, number, day, through)
    return line


def _day_tables(folder: Path, catalog: Catalog, layout: Layout, day: int) -> Iterator[Table]:
    """The day's rows, a slice of series at a time, so that memory stays bounded."""
    window = Window(layout=layout, dtype=layout.dtype, first_ms=day * DAY_MS, end_ms=(day + 1) * DAY_MS)
    with Reader(folder, catalog, layout) as reader:
        count = len(reader.names())
        for first in range(0, count, SLICE_SERIES):
            selected = np.zeros(first + SLICE_SERIES, np.bool_)
            selected[first:] = True
            tables: list[Table] = retried(lambda selected=selected: reader.tables(window, selected))
            yield from tables


def _namer(catalog: Catalog, number: int) -> Callable[[NDArray[Any]], Sequence[str]]:
    with catalog.reading() as connection:
        names = {identity: name for name, identity in catalog.series(connection, number).items()}

    def names_of(ids: NDArray[Any]) -> Sequence[str]:
        missing = [identity for identity in ids.tolist() if identity not in names]
        if missing:  # a series that appeared while the day was being read
            with catalog.reading() as connection:
                names.update({identity: name for name, identity in catalog.series(connection, number).items()})
        return [names[identity] for identity in ids.tolist()]

    return names_of


def _forget_segments(catalog: Catalog, number: int, day: int, through: int) -> None:
    """In steps that hold the write lock for a moment only; nobody reads these segments any more."""
    while True:
        with catalog.writing() as connection:
            if not catalog.delete_segments(connection, number, day, through, _STEP_SEGMENTS):
                return


def _days(catalog: Catalog) -> list[tuple[int, int]]:
    """(measurement's number, day) of every day with rows, oldest first."""
    found: set[tuple[int, int]] = set()
    for number in _measurements(catalog).values():
        with catalog.reading() as connection:
            found.update((number, day) for days in catalog.day_numbers(connection, number) for day in days)
    return sorted(found, key=lambda entry: (entry[1], entry[0]))


def _end_surplus(folder: Path, catalog: Catalog, octets: int) -> int:
    """Oldest day files of any measurement, until what is left fits."""
    surplus = sum(sizes(folder, catalog).values()) - octets
    ended = 0
    for number, day in _days(catalog):
        if surplus <= 0:
            break
        with catalog.reading() as connection:
            lines = catalog.days(connection, number, day, day)
        if lines:
            _end_day(folder, catalog, number, day)
            surplus -= lines[0].octets
            ended += 1
    return ended


def _end_day(folder: Path, catalog: Catalog, number: int, day: int) -> bool:
    """Segments, then the manifest, then the file: one that no line names is harmless, a line without its file is not."""
    with catalog.reading() as connection:
        lines = catalog.days(connection, number, day, day)
        through = catalog.newest_segment(connection, number, day)
    _forget_segments(catalog, number, day, through)
    with catalog.writing() as connection:
        catalog.drop_day(connection, number, day)
    for line in lines:
        (folder / line.file).unlink(missing_ok=True)
    return True


def _copied(folder: Path, unfinished: Path, target: Path, progress: Progress | None) -> int:
    databases = sorted(folder.glob("*.sqlite"))
    files: list[Path] = []
    for database in databases:
        _copy_database(database, unfinished / database.name)
        if database.name == FILE_NAME:
            files = [folder / name for name in _listed(unfinished / FILE_NAME)]
    for done, path in enumerate(files):
        _link_or_copy(path, unfinished / path.name)
        if progress is not None:
            progress(done + 1, len(files))
    octets = sum(_size(path) for path in unfinished.iterdir())
    _sync(unfinished)
    unfinished.rename(target)
    _sync(target.absolute().parent)
    return octets


def _copy_database(source: Path, target: Path) -> None:
    with translated(source):
        reader, writer = connect(source, readonly=True), sqlite3.connect(target)
        try:
            reader.backup(writer, pages=4096)
        finally:
            writer.close()
            reader.close()


def _listed(database: Path) -> list[str]:
    with translated(database):
        connection = sqlite3.connect(database)
        try:
            return [name for (name,) in connection.execute("SELECT file FROM day ORDER BY measurement, day")]
        finally:
            connection.close()


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:  # another disk, or one without hard links
        shutil.copyfile(source, target)
        _sync(target)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _date(day: int) -> str:
    return datetime.fromtimestamp(day * 86_400, UTC).date().isoformat()
