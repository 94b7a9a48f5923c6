"""The optimum of each part of a contract, domestic and international, where flows tell the parts apart.

Owns how minutes of flows become one series a part. Counters cannot tell: without flows there are no parts. Flows count up to
30 octets less a packet than counters do, so a part's figure lies a few percent low.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from bwmgr.measure.optimum import smallest_capacity, unmet_ratio
from bwmgr.model.inventory import Direction, Inventory, Node
from bwmgr.stores import FLOW_USAGE, RateStore

_CELL_MS = 300_000
_NAME_PARTS = 4
"""`link|direction|application|class`, as `bwmgr.stores.flow_history` reads it."""
PARTS = ("domestic", "international")


@dataclass(frozen=True, kw_only=True, slots=True)
class PartPlan:
    """One part in one direction, bit/s; `contract_bps` and `unmet_ratio` None where no contract states the part."""

    part: str
    direction: Direction
    optimum_bps: float
    contract_bps: int | None
    unmet_ratio: float | None
    cells: int


def part_plans(
    store: RateStore, inventory: Inventory, node: Node, links: Sequence[str], start: datetime, end: datetime, target_ratio: float
) -> tuple[PartPlan, ...]:
    """Parts of the root `node` over the links below it, five minutes a cell; empty where no flows are stored."""
    series = _series(store, frozenset(links), start, end)
    promised = _promised(inventory, node)
    found = []
    for (part, way), demand in series.items():
        contract = promised[part]
        found.append(
            PartPlan(
                part=part,
                direction=way,
                optimum_bps=smallest_capacity(demand, target_ratio),
                contract_bps=contract,
                unmet_ratio=None if contract is None else unmet_ratio(demand, contract),
                cells=len(demand),
            )
        )
    return tuple(sorted(found, key=lambda each: (each.part, each.direction)))


def _series(
    store: RateStore, links: frozenset[str], start: datetime, end: datetime
) -> dict[tuple[str, Direction], NDArray[np.float64]]:
    """Bit/s in each cell from the first to the last with flows; a cell without flows of a part bears 0."""
    cells: dict[tuple[str, Direction], dict[int, float]] = {}
    for batch in store.chunks(FLOW_USAGE, start=start, end=end):
        bounds = np.searchsorted(batch.rows["series"], np.arange(len(batch.series) + 1))
        for position, name in enumerate(batch.series):
            rows, words = batch.rows[bounds[position] : bounds[position + 1]], name.split("|")
            if len(words) != _NAME_PARTS or words[0] not in links or words[3] not in PARTS:
                continue
            sums = cells.setdefault((words[3], Direction(words[1])), {})
            at, cell_of = np.unique(-(-rows["end_ms"] // _CELL_MS), return_inverse=True)
            for cell, octets in zip(at.tolist(), np.bincount(cell_of, rows["octets"]).tolist(), strict=True):
                sums[cell] = sums.get(cell, 0.0) + octets
    known = [cell for sums in cells.values() for cell in sums]
    whole = range(min(known), max(known) + 1) if known else range(0)
    return {key: np.array([sums.get(cell, 0.0) for cell in whole]) * 8000 / _CELL_MS for key, sums in cells.items()}


def _promised(inventory: Inventory, node: Node) -> Mapping[str, int | None]:
    contracts = [inventory.contracts[uplink.contract] for uplink in node.uplinks if uplink.contract]
    domestic = [contract.domestic_bps for contract in contracts if contract.domestic_bps is not None]
    international = [contract.international_bps for contract in contracts if contract.international_bps is not None]
    return {"domestic": sum(domestic) if domestic else None, "international": sum(international) if international else None}
