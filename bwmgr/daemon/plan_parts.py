"""The optimum of each part of a contract, domestic and international, where flows tell the parts apart (`part_flows`).

Flows count up to 30 octets less a packet than counters do, so a part's figure lies a few percent low.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bwmgr.daemon.part_flows import part_flows, promised
from bwmgr.measure.optimum import smallest_capacity, unmet_ratio
from bwmgr.model.inventory import Direction, Inventory, Node
from bwmgr.stores import RateStore


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
    flows, contracts = part_flows(store, links, start, end), promised(inventory, node)
    found = []
    for (part, way), demand in flows.rates().items() if flows is not None else ():
        contract = contracts[part]
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
