"""What the capacity tree can carry: cuts raises so that they fit (docs/adr/0006-what-the-tree-can-carry.md).

Owns the rule; the sharing is `bwmgr.allocate`'s. Every link is set down with what it may fairly count on: a link to be raised
with its new limit, a link to be lowered with its lower limit, any other with its demand, all at least with their CIR. What is
there already comes first; what is left of the tree is shared among the raises by class and weight."""

from __future__ import annotations

from collections.abc import Mapping

from bwmgr.allocate import allocate
from bwmgr.measure.demand import estimate
from bwmgr.model.bandwidth import Allocation, Bandwidth, CapacityLeaf, CapacityNode
from bwmgr.model.inventory import Direction, Inventory, Link, Node
from bwmgr.model.policy import PolicyInput

_LINK = "link:"
"""A node and a link of an inventory may bear the same name; in the allocator's tree they may not."""


def capacity_nodes(inventory: Inventory, direction: Direction) -> list[CapacityNode]:
    """The inner nodes of one direction, roots with the capacity of their contracts where they state none."""
    return [
        CapacityNode(
            id=node.id,
            parent=node.parent,
            capacity_bps=node_capacity(inventory, node, direction),
            cir_bps=node.cir[direction],
            weight=node.weight,
            fairness=node.fairness,
            oversubscription=node.oversubscription or 1.0,
        )
        for node in inventory.nodes.values()
    ]


def node_capacity(inventory: Inventory, node: Node, direction: Direction) -> int | None:
    """The node's own capacity, or what the contracts of its uplinks add up to; None: unknown."""
    if node.capacity[direction] is not None:
        return node.capacity[direction]
    bought = [inventory.contracts[uplink.contract].capacity[direction] for uplink in node.uplinks if uplink.contract]
    return sum(bought) if bought else None


def carried(given: PolicyInput, direction: Direction, wanted: Mapping[str, int]) -> Mapping[str, Allocation]:
    """What each link that is to be raised can be given of the limit wanted for it.

    `wanted`: new limits by link id, raises and lowerings; only raises are in the result.
    """
    nodes = capacity_nodes(given.inventory, direction)
    raised = {link for link, mir_bps in wanted.items() if _is_raise(given.current[link][direction], mir_bps)}
    leaves = [_leaf(given, link, direction, wanted.get(link.id), raised) for link in given.inventory.links.values()]
    plan = allocate(nodes, leaves)
    found = {entry.id.removeprefix(_LINK): entry for entry in plan.allocations}
    return {link: found[link] for link in raised}


def counted_on(given: PolicyInput, link: Link, direction: Direction) -> float:
    """What a link that is not to change may count on: its demand, at least its CIR, at most its limit.

    Nothing measured: its limit in force, or its CIR where it has none.
    """
    current = given.current[link.id][direction]
    window = given.usage.get(link.id, {}).get(direction)
    demand = estimate(window, current.mir_bps) if window is not None else None
    if demand is None:
        return current.cir_bps if current.mir_bps is None else current.mir_bps
    return max(current.cir_bps, demand.rate_bps if current.mir_bps is None else min(demand.rate_bps, current.mir_bps))


def _leaf(given: PolicyInput, link: Link, direction: Direction, wanted_bps: int | None, raised: set[str]) -> CapacityLeaf:
    current = given.current[link.id][direction]
    if wanted_bps is None:
        wants = has = counted_on(given, link, direction)
    elif link.id in raised:
        wants, has = float(wanted_bps), float(current.mir_bps or 0)
    else:
        wants = has = float(max(wanted_bps, current.cir_bps))
    return CapacityLeaf(
        id=_LINK + link.id,
        parent=link.parent,
        demand_bps=wants,
        cir_bps=has,
        weight=link.weight,
        service_class=link.service_class,
    )


def _is_raise(current: Bandwidth, mir_bps: int) -> bool:
    return current.mir_bps is not None and mir_bps > current.mir_bps
