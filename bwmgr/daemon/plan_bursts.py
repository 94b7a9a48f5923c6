"""What bursts below five minutes need on top, where uplinks were polled often enough to see them.

Owns which samples count: those of 10 seconds or less of a root's only uplink, in the busiest hour of the last day of the window.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np

from bwmgr.measure.optimum import burst_capacity
from bwmgr.model.inventory import Direction, Inventory, Node
from bwmgr.model.samples import GapReason
from bwmgr.stores import UPLINK_RATE, RateStore

_FINE_TICKS = 1000
_HOUR_MS = 3_600_000
_ENOUGH = 300
"""Samples in the hour below which a deviation says little."""


def burst_capacities(
    store: RateStore, inventory: Inventory, node: Node, end: datetime, target_ratio: float
) -> dict[Direction, float | None]:
    """Bit/s of each direction; None where samples are too coarse or too few, or the root has several uplinks."""
    names = [name for name, of, _ in inventory.uplinks() if of.id == node.id]
    unknown: dict[Direction, float | None] = dict.fromkeys(Direction)
    if len(names) != 1 or not 0 < target_ratio < 1:
        return unknown
    rows = store.read(UPLINK_RATE, start=end - timedelta(days=1), end=end, series=names).rows
    rows = rows[(rows["reason"] == GapReason.NONE) & (rows["interval_ticks"] <= _FINE_TICKS)]
    if not len(rows):
        return unknown
    _, hour_of = np.unique(rows["end_ms"] // _HOUR_MS, return_inverse=True)
    counts = np.bincount(hour_of)
    found = unknown
    for way in Direction:
        rates = rows[f"{way}_bps"]
        means = np.where(counts >= _ENOUGH, np.bincount(hour_of, rates) / counts, -1.0)
        if means.max() >= 0:
            found[way] = burst_capacity(rates[hour_of == means.argmax()], target_ratio)
    return found
