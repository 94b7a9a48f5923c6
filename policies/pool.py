"""pool: public WiFi that shares one pool.

Below each node that is a pool (all its links are of `kinds`), two things go wrong that no single link shows:

- a dead point: its router answers and its port is up, but next to nothing has passed for the whole window while its neighbours
  are used. Mend the access point; its share was never needed.
- a greedy point: the pool is full (its measured load with margin reaches `full_ratio` of the capacity) and one point's 95th
  percentile is more than `greedy_factor` times the fair share, which is what max-min gives each point of what all of them want.
  Its limit goes to the fair share times `greedy_factor`, so that starved points get theirs.

The evidence says how far the pool is oversubscribed (limits / capacity).

Parameters: `kinds` (wifi), `dead_bps` (1k), `full_ratio` (0.95), `greedy_factor` (1.5).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from bwmgr.allocate import allocate
from bwmgr.allocate.tree import node_capacity
from bwmgr.measure.demand import demand_of
from bwmgr.model.bandwidth import CapacityLeaf, CapacityNode
from bwmgr.model.decision import Action, Reason
from bwmgr.model.inventory import Direction, Link, Node
from bwmgr.model.policy import PolicyInput, Proposal
from bwmgr.model.usage import UsageWindow

NAME = "pool"
_LEAST_POINTS = 3
"""Fewer points are no pool: there is nobody to compare with."""


@dataclass(frozen=True, kw_only=True)
class Parameters:
    kinds: tuple[str, ...] = ("wifi",)
    """A node all of whose links are of these kinds is a pool."""
    dead_bps: int = 1_000
    """A point whose highest rate was below this carries nobody."""
    full_ratio: float = 0.95
    """A pool is full from this share of its capacity on."""
    greedy_factor: float = 1.5
    """A point may take so many times the fair share of a full pool."""


def propose(given: PolicyInput, parameters: Parameters) -> Iterator[Proposal]:
    """Repairs of dead points, and limits for greedy ones of full pools."""
    for node in given.inventory.nodes.values():
        points = [given.inventory.links[link] for link in given.inventory.links_of[node.id]]
        if len(points) < _LEAST_POINTS or any(str(point.kind) not in parameters.kinds for point in points):
            continue
        yield from _dead(given, parameters, node, points)
        for direction in Direction:
            yield from _greedy(given, parameters, node, points, direction)


def _windows(given: PolicyInput, points: Sequence[Link], direction: Direction) -> Mapping[str, UsageWindow]:
    found = {point.id: given.usage.get(point.id, {}).get(direction) for point in points}
    return {name: window for name, window in found.items() if window is not None and window.samples}


def _dead(given: PolicyInput, parameters: Parameters, node: Node, points: Sequence[Link]) -> Iterator[Proposal]:
    windows = _windows(given, points, Direction.DOWN)
    peaks = {name: window.max_bps or 0.0 for name, window in windows.items()}
    if not peaks or median(peaks.values()) < parameters.dead_bps:
        return
    for point in points:
        if peaks.get(point.id, float(parameters.dead_bps)) < parameters.dead_bps:
            yield Proposal(
                link=point.id,
                direction=Direction.DOWN,
                action=Action.FIX,
                reason=Reason(
                    code="dead_point",
                    message="{link_name} answers but carries nobody, while its neighbours at {node_name} are used: look at the "
                    "access point, not at the bandwidth.",
                    values={"link_name": point.name, "node_name": node.name},
                ),
                more={"max_bps": peaks[point.id], "pool_median_max_bps": median(peaks.values()), "points": len(points)},
            )


def _greedy(
    given: PolicyInput, parameters: Parameters, node: Node, points: Sequence[Link], direction: Direction
) -> Iterator[Proposal]:
    capacity, load = node_capacity(given.inventory, node, direction), given.node_load.get(node.id, {}).get(direction)
    if not capacity or load is None or load.rate_bps < parameters.full_ratio * capacity:
        return
    wants = {
        name: demand.rate_bps
        for name in _windows(given, points, direction)
        if (demand := demand_of(given, name, direction)) is not None
    }
    leaves = [CapacityLeaf(id=name, parent="pool", demand_bps=rate) for name, rate in wants.items()]
    plan = allocate([CapacityNode(id="pool", capacity_bps=float(capacity))], leaves)
    fair = max((entry.allocation_bps for entry in plan.allocations), default=0.0)
    promised = sum(given.current[point.id][direction].mir_bps or capacity for point in points)
    for point in points:
        window, limit = given.usage.get(point.id, {}).get(direction), given.current[point.id][direction].mir_bps
        if window is None or (window.p95_bps or 0.0) <= parameters.greedy_factor * fair:
            continue
        if limit is None or limit <= parameters.greedy_factor * fair:
            continue
        yield Proposal(
            link=point.id,
            direction=direction,
            action=Action.LOWER,
            reason=Reason(
                code="greedy_point",
                message="{node_name} is full and {link_name} takes {p95_bps} of {direction} where {fair_bps} is fair: "
                "limit it to {proposed_bps}.",
                values={
                    "node_name": node.name,
                    "link_name": point.name,
                    "direction": str(direction),
                    "p95_bps": window.p95_bps or 0.0,
                    "fair_bps": fair,
                },
            ),
            mir_bps=fair * parameters.greedy_factor,
            demand_bps=wants.get(point.id),
            dynamic=True,
            more={"fair_share_bps": fair, "oversubscription": round(promised / capacity, 3), "points": len(points)},
        )
