"""What flows of the hours before said: sums by service, of the same conversations as the exporters', without any packet.

Owns the way from shares to stored rows. But for the last hour, sums are over five
minutes, where the daemon's are over one.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import numpy as np

from bwmgr.measure.columns import FLOW_SUM, RateBatch, Rows
from bwmgr.model.inventory import Direction
from bwmgr.stores import FLOW_USAGE, RateStore
from bwmgr.testing.exporters import FRAME_OCTETS, PACKET_OCTETS, SERVICES, LinkFlows, has_flows
from bwmgr.testing.noise import Cells
from bwmgr.testing.regency import Regency
from bwmgr.testing.traffic import CELL_MS, COLUMNS

_COARSE_CELLS = 5
_FINE_CELLS = 60
"""The last hour is by the minute, as a daemon's is."""


def write_flow_history(store: RateStore, regency: Regency, *, start: datetime, end: datetime) -> int:
    """Writes the sums of [start, end) of every link with hosts; returns the number of rows."""
    first, last = (round(moment.timestamp() * 1000) // CELL_MS for moment in (start, end))
    fine = max(first, last - _FINE_CELLS)
    coarse = np.arange(fine - (fine - first) // _COARSE_CELLS * _COARSE_CELLS, fine, dtype=np.int64)
    written = 0
    for cells, every in ((coarse, _COARSE_CELLS), (np.arange(fine, last, dtype=np.int64), 1)):
        written += _write(store, regency, cells, every) if len(cells) else 0
    return written


def _write(store: RateStore, regency: Regency, cells: Cells, every: int) -> int:
    names: list[str] = []
    parts = []
    for traffic in regency.links.values():
        if has_flows(traffic.link):
            parts += list(_of_link(LinkFlows(traffic, seed=regency.seed), cells, every, names))
    rows = np.concatenate(parts) if parts else np.empty(0, FLOW_SUM)
    store.write(FLOW_USAGE, RateBatch(series=tuple(names), rows=rows))
    return len(rows)


def _of_link(flows: LinkFlows, cells: Cells, every: int, names: list[str]) -> Iterator[Rows]:
    """Rows of each series, whose name is put at the end of `names`."""
    counts = flows.traffic.cells(int(cells[0]), len(cells)).counts
    for direction in Direction:
        counted = counts[COLUMNS.index(direction)]
        carried = counted - FRAME_OCTETS * -(-counted // PACKET_OCTETS)
        octets = (flows.shares(direction, cells) * carried).reshape(len(SERVICES), -1, every).sum(axis=2)
        for service, row in zip(SERVICES, octets, strict=True):
            rows = np.zeros(len(row), FLOW_SUM)
            rows["series"], rows["end_ms"] = len(names), (cells[::every] + every) * CELL_MS
            rows["octets"], rows["packets"], rows["flows"] = row, row // PACKET_OCTETS + 1, 3 * every
            traffic_class = "domestic" if service.domestic else "international"
            names.append(f"{flows.link.id}|{direction}|{service.name}|{traffic_class}")
            yield rows[rows["octets"] > 0]
