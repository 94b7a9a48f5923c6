"""How much of a root's traffic is domestic and how much international, as minutes of flows tell it, in steps of five minutes.

Owns the series of each part, and what is promised of it. Counters cannot tell the parts apart: without flows there are none.
Flows count up to 30 octets less a packet than counters do.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bwmgr.measure import sums
from bwmgr.measure.windows import nearest_rank
from bwmgr.model.inventory import Direction, Inventory, Node
from bwmgr.model.policy import PartLoad
from bwmgr.model.usage import UsageWindow
from bwmgr.stores import FLOW_USAGE, LINK_RATE, RateStore

if TYPE_CHECKING:
    from bwmgr.daemon.application import Application

CELL_MS = 300_000
PARTS = ("domestic", "international")
_NAME_PARTS = 4
"""`link|direction|application|class`, as `bwmgr.stores.flow_history` reads it."""
_KEYS = [(part, way) for part in PARTS for way in Direction]
_COUNTED = timedelta(days=1)
"""The newest day tells whether flows are missing."""


@dataclass(frozen=True, kw_only=True)
class PartFlows:
    """`octets`: shape (4, cells), one row for each of `_KEYS`; the first cell ends at `first` x 300 s after 1970."""

    first: int
    octets: NDArray[np.float64]

    def rates(self) -> dict[tuple[str, Direction], NDArray[np.float64]]:
        """Bit/s of each part and direction that has any; a cell without flows of it bears 0."""
        return {key: row * 8000 / CELL_MS for key, row in zip(_KEYS, self.octets, strict=True) if row.any()}

    @property
    def start(self) -> datetime:
        """When its first cell begins."""
        return datetime.fromtimestamp((self.first - 1) * CELL_MS / 1000, UTC)


def part_flows(store: RateStore, links: Collection[str], start: datetime, end: datetime) -> PartFlows | None:
    """Of these links together, from the first to the last cell with flows; None where there are none."""
    first, below = -(-round(start.timestamp() * 1000) // CELL_MS), frozenset(links)
    cells = max(_cell(end) - first + 2, 0)
    octets = np.zeros((len(_KEYS) + 1) * cells)
    for batch in store.chunks(FLOW_USAGE, start=start, end=end, columns=("series", "end_ms", "octets")):
        key_of = np.array([_key(name, below) * cells for name in batch.series] or [0])
        at = key_of[batch.rows["series"]] - first - (-batch.rows["end_ms"] // CELL_MS)
        octets += np.bincount(at, batch.rows["octets"], minlength=len(octets))
    table = octets.reshape(-1, cells)[: len(_KEYS)]
    seen = np.flatnonzero(table.any(axis=0))
    return PartFlows(first=first + int(seen[0]), octets=table[:, seen[0] : seen[-1] + 1]) if len(seen) else None


def promised(inventory: Inventory, node: Node) -> Mapping[str, int | None]:
    """What the contracts of a root say of each part, bit/s in either direction; None: nothing."""
    contracts = {uplink.contract: inventory.contracts[uplink.contract] for uplink in node.uplinks if uplink.contract}
    domestic = [contract.domestic_bps for contract in contracts.values() if contract.domestic_bps is not None]
    international = [contract.international_bps for contract in contracts.values() if contract.international_bps is not None]
    return {"domestic": sum(domestic) if domestic else None, "international": sum(international) if international else None}


def part_loads(application: Application, start: datetime, end: datetime) -> dict[str, tuple[PartLoad, ...]]:
    """By root, where its contracts state a part, a list says what is domestic, and there are flows."""
    roots = [(node, promised(application.inventory, node)) for node in application.inventory.roots()]
    stated = [(node, contracts) for node, contracts in roots if any(contracts.values())]
    if not stated or (flows := application.settings.netflow) is None or flows.domestic is None:
        return {}
    found = {node.id: _loads(application, node, contracts, start, end) for node, contracts in stated}
    return {node: loads for node, loads in found.items() if loads}


def _loads(
    application: Application, node: Node, contracts: Mapping[str, int | None], start: datetime, end: datetime
) -> tuple[PartLoad, ...]:
    inventory = application.inventory
    links = [link.id for link in inventory.links.values() if any(at.id == node.id for at in inventory.ancestors(link.parent))]
    flows = part_flows(application.store, links, start, end)
    if flows is None:
        return ()
    seen = np.asarray(flows.octets.any(axis=0))
    steps = max(_cell(end) - flows.first, len(seen))
    counted = {way: _counted(application, links, flows, way, end) for way in Direction}
    return tuple(
        PartLoad(
            part=part,
            window=_window(node, way, row[seen], steps, flows.start, end),
            contract_bps=contracts[part],
            counted_ratio=counted[way],
        )
        for (part, way), row in zip(_KEYS, flows.octets, strict=True)
    )


def _window(node: Node, way: Direction, octets: NDArray[np.float64], steps: int, start: datetime, end: datetime) -> UsageWindow:
    rates = octets * 8000 / CELL_MS
    return UsageWindow(
        link=node.id,
        direction=way,
        start=start,
        end=end,
        calendar="always",
        samples=len(rates),
        octets=int(octets.sum()),
        mean_bps=float(rates.mean()),
        p95_bps=nearest_rank(rates, 95.0),
        max_bps=float(rates.max()),
        coverage_ratio=len(rates) / steps,
        saturated_ratio=None,
    )


def _counted(application: Application, links: list[str], flows: PartFlows, way: Direction, end: datetime) -> float | None:
    """Octets of flows beside those of counters in the cells of the newest day that have both."""
    start = end - _COUNTED
    batches = application.store.chunks(LINK_RATE, start=start, end=end, series=links, columns=sums.COLUMNS)
    total = sums.sum_batches(batches, {"": links}, start=start, end=end, grid_seconds=CELL_MS // 1000).get("")
    if total is None or not len(total.batch.rows):
        return None
    rows = total.batch.rows
    at = -(-rows["end_ms"] // CELL_MS) - flows.first
    both = (at >= 0) & (at < flows.octets.shape[1])
    told = sum(row[at[both]] for (_, direction), row in zip(_KEYS, flows.octets, strict=True) if direction is way)
    counters = float(rows[f"{way}_bps"][both].sum()) * CELL_MS / 8000
    return float(np.sum(told)) / counters if counters > 0 else None


def _cell(instant: datetime) -> int:
    """The cell that ends at or before it."""
    return round(instant.timestamp() * 1000) // CELL_MS


def _key(name: str, links: frozenset[str]) -> int:
    """Position among `_KEYS`; behind them for what is none of these links' or parts."""
    words = name.split("|")
    known = len(words) == _NAME_PARTS and words[0] in links and words[3] in PARTS
    return _KEYS.index((words[3], Direction(words[1]))) if known else len(_KEYS)
