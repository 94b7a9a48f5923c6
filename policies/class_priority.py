"""class_priority: registry, revenue, finance and planning before public use.

Where a link of a higher class is held back by its limit and a node above it has no room for its raise, links of lower classes
below that node make room: those that use most beyond their guarantee first, each down to its guarantee at most, until what is
lacking is freed. The raise itself comes from policy `saturated`, as soon as the room is measured to be there. Links that are not
used much are left alone: lowering them would free nothing.

Parameters: `saturated_ratio` (0.05: held back for that share of the time), `first_classes` (critical, office).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bwmgr.allocate.tree import node_capacity
from bwmgr.measure.demand import demand_of
from bwmgr.model.decision import Action, Reason
from bwmgr.model.inventory import Direction, Link, Node, ServiceClass
from bwmgr.model.policy import PolicyInput, Proposal

NAME = "class_priority"
_RANKS = tuple(ServiceClass)


@dataclass(frozen=True, kw_only=True)
class Parameters:
    saturated_ratio: float = 0.05
    """Share of the covered time at its limit from which on a link is held back."""
    first_classes: tuple[str, ...] = ("critical", "office")
    """Classes for which others make room."""


def propose(given: PolicyInput, parameters: Parameters) -> Iterator[Proposal]:
    """Lower limits for lower classes below nodes where a higher class lacks room."""
    taken: set[tuple[str, Direction]] = set()
    for direction in Direction:
        for node in given.inventory.nodes.values():
            capacity, load = node_capacity(given.inventory, node, direction), given.node_load.get(node.id, {}).get(direction)
            if capacity is None or load is None:
                continue
            below = list(_below(given, node))
            needs = [(link, lack) for link in below if (lack := _lack(given, parameters, link, direction)) > 0]
            if not needs:
                continue
            lacking = sum(lack for _, lack in needs) - max(capacity - load.rate_bps, 0.0)
            worst = max(_RANKS.index(link.service_class) for link, _ in needs)
            for proposal in _room(
                given, node, [link for link in below if _RANKS.index(link.service_class) > worst], lacking, direction
            ):
                if (proposal.link, direction) not in taken:
                    taken.add((proposal.link, direction))
                    yield proposal


def _lack(given: PolicyInput, parameters: Parameters, link: Link, direction: Direction) -> float:
    """What a link of a first class would use beyond its limit, bit/s, within its MIR."""
    window, limit = given.usage.get(link.id, {}).get(direction), given.current[link.id][direction].mir_bps
    if window is None or limit is None or str(link.service_class) not in parameters.first_classes:
        return 0.0
    demand = demand_of(given, link.id, direction)
    if demand is None or (window.saturated_ratio or 0.0) < parameters.saturated_ratio:
        return 0.0
    most = link.mir[direction]
    return max((demand.rate_bps if most is None else min(demand.rate_bps, most)) - limit, 0.0)


def _room(given: PolicyInput, node: Node, links: list[Link], lacking_bps: float, direction: Direction) -> Iterator[Proposal]:
    spare = []
    for link in links:
        window, limit = given.usage.get(link.id, {}).get(direction), given.current[link.id][direction].mir_bps
        if window is not None and limit is not None and (window.p95_bps or 0.0) > link.cir[direction]:
            spare.append((min(window.p95_bps or 0.0, limit) - link.cir[direction], link, limit))
    for beyond, link, limit in sorted(spare, key=lambda entry: (-entry[0], entry[1].id)):
        if lacking_bps <= 0:
            return
        freed = min(beyond, lacking_bps)
        lacking_bps -= freed
        used = beyond + link.cir[direction]
        yield Proposal(
            link=link.id,
            direction=direction,
            action=Action.LOWER,
            reason=Reason(
                code="class_priority",
                message="{node_name} is full and a higher class lacks room: {link_name} ({class_name}) makes room "
                "({direction}), from {limit_bps} to {proposed_bps}.",
                values={
                    "node_name": node.name,
                    "link_name": link.name,
                    "class_name": str(link.service_class),
                    "direction": str(direction),
                    "limit_bps": limit,
                },
            ),
            mir_bps=used - freed,
            dynamic=True,
            more={"tree_node": node.id, "freed_bps": freed, "used_bps": used},
        )


def _below(given: PolicyInput, node: Node) -> Iterator[Link]:
    for link in given.inventory.links.values():
        if any(above.id == node.id for above in given.inventory.ancestors(link.parent)):
            yield link
