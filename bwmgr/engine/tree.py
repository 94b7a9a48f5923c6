"""What the capacity tree can carry: cuts raises so that they fit (docs/adr/0006-what-the-tree-can-carry.md).

Owns the rule; the sharing is `bwmgr.allocate`'s. Two things must hold at every node above a link that is raised:

- load: what passes the node already, and the steps of all raises below it, are no more than its capacity. A higher limit lets a
  link use more only at the instants at which it stood at the old one, so a raise adds at most new limit - old limit to the sum.
- guarantees: the new limits, and the CIRs of all others below, are no more than its capacity.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from bwmgr.allocate import allocate
from bwmgr.allocate.tree import capacity_leaf, capacity_nodes, link_of, node_capacity
from bwmgr.measure.demand import demand_of
from bwmgr.model.bandwidth import Allocation, Bandwidth, CapacityLeaf, CapacityNode
from bwmgr.model.inventory import Direction, Inventory, Link, Node
from bwmgr.model.policy import PolicyInput


@dataclass(frozen=True, kw_only=True, slots=True)
class Load:
    """What a node passes before any raise, bit/s, no more than it can; `measured` False: added up from its links."""

    rate_bps: float
    measured: bool


def carried(
    given: PolicyInput, direction: Direction, wanted: Mapping[str, int], load: Mapping[str, Load]
) -> Mapping[str, Allocation]:
    """What each link that is to be raised can be given of the limit wanted for it.

    `wanted`: new limits by link id, raises and lowerings; only raises are in the result. `load`: of `loads` for the same.
    """
    raised = {link: mir_bps for link, mir_bps in wanted.items() if _is_raise(given.current[link][direction], mir_bps)}
    if not raised:
        return {}
    steps = _shared_out(step_problem(given, direction, raised, load))
    limits = {link: given.current[link][direction].mir_bps or 0 for link in raised}
    asked = {link: limits[link] + steps[link].allocation_bps for link in raised}
    guaranteed = _shared_out(guarantee_problem(given, direction, asked))
    return {link: _lesser(steps[link], guaranteed[link], raised[link], asked[link]) for link in raised}


def loads(given: PolicyInput, direction: Direction, wanted: Mapping[str, int], margin_ratio: float) -> dict[str, Load]:
    """What each node passes before any raise: the percentile of the measured sum with a margin where there is one, else what its
    links count on and its nodes pass, added up. Lowerings in `wanted` count where nothing is measured.
    """
    inventory, found = given.inventory, dict[str, Load]()
    for node in _deepest_first(inventory):
        capacity = node_capacity(inventory, node, direction)
        known = given.node_load.get(node.id, {}).get(direction)
        if known is not None and known.window.p95_bps is not None:
            beside = sum(_before(given, inventory.links[link], direction, wanted) for link in known.beside)
            rate = known.rate_bps * (1 + margin_ratio) + beside
        else:
            rate = sum(_before(given, inventory.links[link], direction, wanted) for link in inventory.links_of[node.id])
            rate += sum(found[child].rate_bps for child in inventory.children[node.id])
        found[node.id] = Load(rate_bps=rate if capacity is None else min(rate, capacity), measured=known is not None)
    return found


def counted_on(given: PolicyInput, link: Link, direction: Direction) -> float:
    """What a link that is not to change may count on: its demand, at least its CIR, at most its limit.

    Nothing measured: its limit in force, or its CIR where it has none.
    """
    current = given.current[link.id][direction]
    demand = demand_of(given, link.id, direction)
    if demand is None:
        return current.cir_bps if current.mir_bps is None else current.mir_bps
    return max(current.cir_bps, demand.rate_bps if current.mir_bps is None else min(demand.rate_bps, current.mir_bps))


def _before(given: PolicyInput, link: Link, direction: Direction, wanted: Mapping[str, int]) -> float:
    """A link's part of a load that is added up: to be raised, its present limit; to be lowered, its new one."""
    current, mir_bps = given.current[link.id][direction], wanted.get(link.id)
    if mir_bps is None:
        return counted_on(given, link, direction)
    if _is_raise(current, mir_bps):
        return float(current.mir_bps or 0)
    return float(max(mir_bps, current.cir_bps))


def step_problem(
    given: PolicyInput, direction: Direction, raised: Mapping[str, int], load: Mapping[str, Load]
) -> tuple[list[CapacityNode], list[CapacityLeaf]]:
    """The tree whose capacities are the room above the load, and whose links want the steps of their raises."""
    nodes = [
        replace(node, cir_bps=0.0, capacity_bps=None if node.capacity_bps is None else node.capacity_bps - load[node.id].rate_bps)
        for node in capacity_nodes(given.inventory, direction)
    ]
    leaves = []
    for link, mir_bps in raised.items():
        limit_bps = given.current[link][direction].mir_bps or 0
        beyond = float(limit_bps - given.current[link][direction].cir_bps)
        leaves.append(capacity_leaf(given.inventory.links[link], wants_bps=mir_bps - limit_bps, has_bps=0.0, beyond_bps=beyond))
    return nodes, leaves


def guarantee_problem(
    given: PolicyInput, direction: Direction, asked: Mapping[str, float]
) -> tuple[list[CapacityNode], list[CapacityLeaf]]:
    """The whole tree, whose raised links want their new limits with the present ones guaranteed, all others just their CIR."""
    nodes = [replace(node, cir_bps=0.0) for node in capacity_nodes(given.inventory, direction)]
    leaves = []
    for link in given.inventory.links.values():
        current = given.current[link.id][direction]
        has = float(current.mir_bps or 0) if link.id in asked else float(current.cir_bps)
        leaves.append(capacity_leaf(link, wants_bps=asked.get(link.id, has), has_bps=has, beyond_bps=has - current.cir_bps))
    return nodes, leaves


def _shared_out(problem: tuple[list[CapacityNode], list[CapacityLeaf]]) -> dict[str, Allocation]:
    return {link_of(entry.id): entry for entry in allocate(*problem).allocations}


def _lesser(step: Allocation, guaranteed: Allocation, wanted_bps: int, asked_bps: float) -> Allocation:
    if guaranteed.allocation_bps < asked_bps - 1:
        return guaranteed
    whole = asked_bps >= wanted_bps - 1
    return Allocation(id=step.id, allocation_bps=float(wanted_bps) if whole else asked_bps, bottleneck=step.bottleneck)


def _deepest_first(inventory: Inventory) -> list[Node]:
    return sorted(inventory.nodes.values(), key=lambda node: -sum(1 for _ in inventory.ancestors(node.id)))


def _is_raise(current: Bandwidth, mir_bps: int) -> bool:
    return current.mir_bps is not None and mir_bps > current.mir_bps
