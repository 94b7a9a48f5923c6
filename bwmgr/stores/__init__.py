"""Where rates and small state are kept: the interfaces that every store fulfils.

`embedded` keeps rates in one folder without a server; another store passes the same contract tests (`tests/contract`).
State (previous readings, recommendations, limit history) is always in `state`, an SQLite file on this machine, since it must be
transactional whatever server holds the rates.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bwmgr.measure.columns import RateBatch

LINK_RATE = "link_rate"
"""Measurement: rates and gaps of links, series = link id."""
UPLINK_RATE = "uplink_rate"
"""Measurement: rates and gaps of the uplinks of roots, series = `Inventory.uplinks` name."""

PROVIDER_RATE = "provider_rate"
"""Measurement: what a provider's own graphs say, its clock aligned with ours, series = contract id. It proves nothing."""

FLOW_USAGE = "flow_usage"
"""Measurement: octets, packets and flows by minute, series = a key such as `link|down|https|domestic`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SeriesSpan:
    """What is stored of one series: instants of the first and last row (aware UTC) and the number of rows, gaps included."""

    first: datetime
    last: datetime
    rows: int


class RateStore(Protocol):
    """Time series of rates and gaps, and of what else has a layout; `RateBatch.rows` has the layout of its measurement.

    A row is identified by (measurement, series, end_ms): the same row written twice is one row, and where two differ a rate
    beats a gap, then the later write wins. All instants are aware UTC; ranges are half-open on `end_ms`.
    """

    def write(self, measurement: str, batch: RateBatch) -> None:
        """Durable on return (survives kill -9 and power loss).

        Raises: StoreUnavailable (disk full, server away: nothing was kept), StoreRejected (the batch is wrong).
        """
        ...

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
        """Rows of these series (None: all) and columns (None: all; `series` and `end_ms` always), sorted by (series, end_ms).

        `within`, shape (n, 2), further limits `end_ms` to these disjoint half-open spans, ms since 1970 UTC (None: no limit).

        `RateBatch.series` of the result holds just the asked series, in the asked order (all: sorted by name); one without rows
        has no rows. Unknown series are no error here.
        """
        ...

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
        """The same in pieces of whole series, so that memory stays bounded however many there are."""
        ...

    def latest(self, measurement: str, *, series: Sequence[str] | None = None) -> RateBatch:
        """The newest row of each series, one row a series, all columns."""
        ...

    def spans(self, measurement: str) -> Mapping[str, SeriesSpan]:
        """What exists, by series name."""
        ...

    def close(self) -> None: ...
