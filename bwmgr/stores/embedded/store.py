"""`EmbeddedStore`: what callers see of the folder.

Owns the order of a write and the free space that must remain. Several processes may read while
one writes; that only one writes is the daemon's lock (`bwmgr.stores.lock`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bwmgr.errors import StoreError, StoreUnavailable, path_reason
from bwmgr.measure.columns import RateBatch
from bwmgr.model.said import Said
from bwmgr.stores import SeriesSpan
from bwmgr.stores.embedded import reading, upkeep
from bwmgr.stores.embedded.catalog import Catalog
from bwmgr.stores.embedded.existing import Existing
from bwmgr.stores.embedded.layouts import layout_of
from bwmgr.stores.embedded.reading import Reader, Window
from bwmgr.stores.embedded.segments import bodies, used_names
from bwmgr.stores.embedded.upkeep import Retention
from bwmgr.stores.space import RATES_OCTETS, require_space


class EmbeddedStore:
    """Fulfils `bwmgr.stores.RateStore`. Made when opened, unless `readonly`.

    Raises: StoreError where the folder holds another version or cannot be read, StoreUnavailable where it cannot be made now.
    """

    def __init__(self, folder: Path, *, readonly: bool = False) -> None:
        self.folder = folder
        self._readonly = readonly
        if not readonly:
            _make(folder)
        elif not folder.is_dir():
            raise StoreError(Said("{folder} does not exist: nothing was ever stored there", folder=folder))
        self._catalog = Catalog(folder, readonly=readonly)
        self._existing = Existing(folder, self._catalog)
        self._upkeep = threading.Lock()
        if not readonly:
            upkeep.sweep(folder, self._catalog, older_seconds=upkeep.SWEPT_AFTER_SECONDS)

    def write(self, measurement: str, batch: RateBatch) -> None:
        """See `RateStore.write`. One transaction, on the disk when it returns."""
        layout = layout_of(measurement)
        names, places = used_names(layout, batch)
        if not len(batch.rows):
            return
        require_space(self.folder, RATES_OCTETS)
        with self._catalog.writing() as connection:
            number, ids = self._catalog.intern(connection, measurement, names)
            of_row = np.array(ids, np.uint32)[places]
            self._catalog.add(connection, number, bodies(layout, batch.rows, of_row))

    def read(
        self,
        measurement: str,
        *,
        start: datetime,
        end: datetime,
        series: Sequence[str] | None = None,
        columns: Sequence[str] | None = None,
        within: NDArray[np.int64] | None = None,
    ) -> RateBatch:
        """See `RateStore.read`."""
        window = self._window(measurement, start, end, columns, within)
        with Reader(self.folder, self._catalog, window.layout) as reader:
            ids = reader.names()
            asked = sorted(ids) if series is None else list(series)
            batch: RateBatch = reading.retried(lambda: reader.batch(window, asked, ids))
            return batch

    def chunks(
        self,
        measurement: str,
        *,
        start: datetime,
        end: datetime,
        series: Sequence[str] | None = None,
        columns: Sequence[str] | None = None,
        within: NDArray[np.int64] | None = None,
    ) -> Iterator[RateBatch]:
        """See `RateStore.chunks`."""
        return reading.chunks(self.folder, self._catalog, self._window(measurement, start, end, columns, within), series)

    def latest(self, measurement: str, *, series: Sequence[str] | None = None) -> RateBatch:
        """See `RateStore.latest`. Looks at the last minutes first, then further back for those that have been silent."""
        return self._existing.latest(layout_of(measurement), series)

    def spans(self, measurement: str) -> Mapping[str, SeriesSpan]:
        """See `RateStore.spans`."""
        return self._existing.spans(layout_of(measurement))

    def compact(self, now: datetime, progress: Callable[[int, int], None] | None = None) -> upkeep.Compaction:
        """Moves every finished UTC day from SQLite into its file. See `upkeep.compact`.

        For the process that holds the folder's lock only: it sweeps what an earlier one left half done.
        """
        with self._upkeep:
            return upkeep.compact(self.folder, self._catalog, now, progress)

    def retain(self, now: datetime, retention: Retention) -> int:
        """Ends what is older, or more, than may be kept; returns how many days went. See `upkeep.retain`."""
        with self._upkeep:
            return upkeep.retain(self.folder, self._catalog, now, retention)

    def sizes(self) -> Mapping[str, int]:
        """Octets on the disk: `hot` (SQLite and its log), `days` (Parquet files)."""
        return upkeep.sizes(self.folder, self._catalog)

    def backup(self, target: Path, progress: Callable[[int, int], None] | None = None) -> int:
        """A copy that can be opened as a store, made while others read and write; returns its octets. See `upkeep.backup`."""
        return upkeep.backup(self.folder, target, progress)

    def close(self) -> None:
        self._catalog.close()

    def _window(
        self,
        measurement: str,
        start: datetime,
        end: datetime,
        columns: Sequence[str] | None,
        within: NDArray[np.int64] | None,
    ) -> Window:
        layout = layout_of(measurement)
        return Window(
            layout=layout, dtype=layout.chosen(columns), first_ms=_milliseconds(start), end_ms=_milliseconds(end), within=within
        )


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreUnavailable(path_reason(folder, error)) from error


def _milliseconds(instant: datetime) -> int:
    return (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
