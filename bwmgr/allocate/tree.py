"""An inventory's capacity tree as the allocator takes it, one direction.

Owns the way from nodes and links to `CapacityNode` and `CapacityLeaf`; what links want is said by the caller.
"""

from __future__ import annotations

from bwmgr.model.bandwidth import CapacityLeaf, CapacityNode
from bwmgr.model.inventory import Direction, Inventory, Link, Node, ServiceClass

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
    bought = {
        uplink.contract: inventory.contracts[uplink.contract].capacity[direction] for uplink in node.uplinks if uplink.contract
    }
    return sum(bought.values()) if bought else None


def capacity_leaf(
    link: Link,
    *,
    wants_bps: float | None,
    has_bps: float,
    most_bps: float | None = None,
    first: ServiceClass | None = None,
    beyond_bps: float = 0.0,
) -> CapacityLeaf:
    """A link that wants so much, of which `has_bps` is its guarantee; `most_bps` its MIR; `first` another class than its own.

    `beyond_bps`: what it has on top of its CIR before anything is shared; its bandwidth function goes on from there.
    """
    function = link.bandwidth_function
    return CapacityLeaf(
        id=_LINK + link.id,
        parent=link.parent,
        demand_bps=wants_bps,
        cir_bps=has_bps,
        mir_bps=most_bps,
        weight=link.weight,
        service_class=first or link.service_class,
        bandwidth_function=function and function.beyond(max(beyond_bps, 0.0)),
    )


def link_of(leaf: str) -> str:
    """The link's id of a leaf's id."""
    return leaf.removeprefix(_LINK)
