"""What a measurement's rows look like: the one place to add a measurement to the embedded store.

Owns the registry of NumPy layouts. Every layout has the columns `series` (u4) and `end_ms` (i8); what else it has is its own
business: files and blobs are made from the dtype. A column may be added at any time (old rows read as 0, or NaN for a float);
none may be renamed, retyped or removed, since what is stored names it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bwmgr.errors import StoreRejected, UsageError
from bwmgr.measure.columns import FLOW_SUM, RATE
from bwmgr.stores import FLOW_USAGE, LINK_RATE, PROVIDER_RATE, UPLINK_RATE

Table = dict[str, NDArray[Any]]
"""Rows as columns of one length. Inside the store `series` holds the store's own ids, not positions in a batch."""

DAY_MS = 86_400_000
SLICE_SERIES = 256
"""Series that travel together: ids n*256 .. n*256+255 share a hot segment and a row group. Fewer make a cycle of 9,000 links
many rows, more make a day of them too large to sort within the memory that compaction may take."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """One measurement. A row whose `gap_column` is 0 beats one where it is not (None: the later write always wins)."""

    measurement: str
    dtype: np.dtype[Any]
    gap_column: str | None = None
    name_column: str = "link"
    """What a series name is called in the day files, for people who open them with other tools."""

    @property
    def columns(self) -> tuple[str, ...]:
        return self.dtype.names or ()

    def identity(self) -> tuple[str, ...]:
        """The columns without which rows cannot be merged."""
        return ("series", "end_ms", *((self.gap_column,) if self.gap_column else ()))

    def chosen(self, columns: Sequence[str] | None) -> np.dtype[Any]:
        """The layout's dtype cut down to `columns` (None: all), in its own order, `series` and `end_ms` always there.

        Its fields are aligned: NumPy fills and reads those several times faster than packed ones.

        Raises: UsageError for a column that the layout has not.
        """
        if columns is None:
            return self.dtype
        for column in columns:
            if column not in self.columns:
                raise UsageError(f"{self.measurement} has no column {column!r}; it has {', '.join(self.columns)}")
        wanted = {"series", "end_ms", *columns}
        return np.dtype([(name, self.dtype[name]) for name in self.columns if name in wanted], align=True)


LAYOUTS = {
    layout.measurement: layout
    for layout in (
        Layout(measurement=LINK_RATE, dtype=RATE, gap_column="reason"),
        Layout(measurement=UPLINK_RATE, dtype=RATE, gap_column="reason", name_column="uplink"),
        Layout(measurement=PROVIDER_RATE, dtype=RATE, gap_column="reason", name_column="contract"),
        Layout(measurement=FLOW_USAGE, dtype=FLOW_SUM, name_column="key"),
    )
}


def layout_of(measurement: str) -> Layout:
    """Raises: StoreRejected for a measurement that is not registered."""
    layout = LAYOUTS.get(measurement)
    if layout is None:
        raise StoreRejected(f"no measurement {measurement!r}; there are {', '.join(LAYOUTS)}")
    return layout


def missing_column(dtype: np.dtype[Any], rows: int) -> NDArray[Any]:
    """What rows written before a column existed hold there: NaN for a float, else 0."""
    return np.full(rows, np.nan if dtype.kind == "f" else 0, dtype)
