"""Rows sorted by series, worked on a block of whole series at a time: sums and the like, one figure a series.

Owns how that is done fast; what the figures mean belongs to `windows` and `health`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from bwmgr.measure.columns import RateBatch, Rows

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

_BLOCK_ROWS = 2**16
"""Rows worked on at a time: their columns stay in the processor's cache, which makes it three times as fast."""


class Groups:
    """Columns cut into one slice a series, `bounds[i]:bounds[i + 1]`; any of them may be empty."""

    def __init__(self, bounds: NDArray[np.int64]) -> None:
        self.bounds = bounds
        self.counts = np.diff(bounds)
        """Rows by series."""
        self._filled = np.flatnonzero(self.counts)

    def of(self, chosen: Mask) -> Groups:
        """The groups of the rows that are chosen."""
        return Groups(np.concatenate(([0], np.cumsum(chosen)))[self.bounds])

    def sums(self, column: Floats | Mask) -> Floats:
        """One sum a series; 0 where it has no rows."""
        return self._reduced(np.add, column.astype(np.float64, copy=False))

    def maxima(self, column: Floats) -> Floats:
        """One maximum a series; 0 where it has no rows."""
        return self._reduced(np.maximum, column)

    def slices(self) -> Iterator[tuple[int, slice]]:
        """Position and rows of each series that has any."""
        for position in self._filled.tolist():
            yield position, slice(self.bounds[position], self.bounds[position + 1])

    def _reduced(self, function: np.ufunc, column: Floats) -> Floats:
        reduced = np.zeros(len(self.counts))
        if len(self._filled):  # an empty slice would give reduceat its neighbour's first row, so only filled ones begin one
            reduced[self._filled] = function.reduceat(column, self.bounds[self._filled])
        return reduced


def blocks(batch: RateBatch) -> Iterator[tuple[tuple[str, ...], Rows, Groups]]:
    """Names, rows and groups of runs of whole series, about _BLOCK_ROWS rows each; `batch.rows` is sorted by series."""
    bounds = np.searchsorted(batch.rows["series"], np.arange(len(batch.series) + 1))
    first = 0
    while first < len(batch.series):
        last = max(int(np.searchsorted(bounds, bounds[first] + _BLOCK_ROWS, side="right")) - 1, first + 1)
        rows = batch.rows[bounds[first] : bounds[last]]
        yield batch.series[first:last], rows, Groups(bounds[first : last + 1] - bounds[first])
        first = last
