"""Minutes that are written more than once: a flow process that began in the middle adds to what an earlier one had written.

Owns that addition. A process knows only the flows that it has seen itself; the store keeps the latest write of a row.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from datetime import UTC, datetime, timedelta

import numpy as np

from bwmgr.measure.columns import FLOW_SUM, RateBatch, Rows
from bwmgr.stores import FLOW_USAGE, RateStore

_MINUTE_MS = 60_000
_REMEMBERED = 90
"""Minutes; longer than a minute stays open."""
_SUMS = ("octets", "packets", "flows")

Base = tuple[tuple[str, ...], Rows]


class Written:
    """What was in the store when a flow process began, minute by minute, read when first needed."""

    def __init__(self, store: RateStore, *, began_ms: int | None = None) -> None:
        """`began_ms`: minutes that end later than this one's may hold nothing of an earlier process (None: now)."""
        self._store = store
        now_ms = round(time.time() * 1000) if began_ms is None else began_ms
        self._last_ms = (now_ms // _MINUTE_MS + 1) * _MINUTE_MS
        self._found: OrderedDict[int, Base] = OrderedDict()

    def whole(self, batch: RateBatch) -> RateBatch:
        """The same rows with what was there before added. Raises: StoreError."""
        old = np.unique(batch.rows["end_ms"][batch.rows["end_ms"] <= self._last_ms]).tolist()
        for end_ms in old:
            batch = self._added(batch, end_ms)
        return batch

    def _added(self, batch: RateBatch, end_ms: int) -> RateBatch:
        names, base = self._base(end_ms)
        if not len(base):
            return batch
        number = {name: position for position, name in enumerate(batch.series)}
        place = np.array([number.get(name, -1) for name in names], np.int64)[base["series"]]
        known, before = place >= 0, base.copy()
        before["series"][known] = place[known]
        rows = batch.rows.copy()
        at = np.flatnonzero(rows["end_ms"] == end_ms)
        order = at[np.argsort(rows["series"][at], kind="stable")]
        found = np.searchsorted(rows["series"][order], place[known])
        hit = found < len(order)
        hit[hit] = rows["series"][order[found[hit]]] == place[known][hit]
        target, source = order[found[hit]], before[known][hit]
        for column in _SUMS:
            rows[column][target] += source[column]
        rows["sampled"][target] |= source["sampled"]
        return RateBatch(series=batch.series, rows=rows)

    def _base(self, end_ms: int) -> Base:
        """Rows as they were before this process wrote any of that minute."""
        if end_ms not in self._found:
            start = datetime.fromtimestamp(end_ms / 1000, UTC)
            found = self._store.read(FLOW_USAGE, start=start, end=start + timedelta(milliseconds=1))
            self._found[end_ms] = (found.series, found.rows.astype(FLOW_SUM, copy=False))
            while len(self._found) > _REMEMBERED:
                self._found.popitem(last=False)
        return self._found[end_ms]
