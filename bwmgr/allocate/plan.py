"""The allocator for people's trees: from nodes and links to a plan with a bottleneck for every link, and warnings.

Owns the words of a result; the arithmetic is in `solver`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from bwmgr.allocate.arrays import Floats
from bwmgr.allocate.shape import Shape, build, mistakes
from bwmgr.allocate.solver import bottlenecks, solve
from bwmgr.errors import UsageError
from bwmgr.model.bandwidth import Allocation, AllocationPlan, CapacityLeaf, CapacityNode
from bwmgr.model.said import Said


def allocate(nodes: Sequence[CapacityNode], leaves: Sequence[CapacityLeaf]) -> AllocationPlan:
    """Shares the tree out; the order of the input decides only the order of the result.

    Raises: UsageError with everything that is wrong with the tree.
    """
    wrong = mistakes(nodes, leaves)
    if wrong:
        raise UsageError("; ".join(f"{name}: {key}: {problem}" for name, key, problem in wrong))
    nodes = sorted(nodes, key=lambda node: node.id)
    ordered = sorted(leaves, key=lambda leaf: leaf.id)
    shape = build(nodes, ordered)
    rates = solve(shape).allocation_bps
    found = {
        leaf.id: Allocation(id=leaf.id, allocation_bps=rate, bottleneck=nodes[node].id if node >= 0 else _own_bound(leaf))
        for leaf, rate, node in zip(ordered, rates.tolist(), bottlenecks(shape, rates).tolist(), strict=True)
    }
    return AllocationPlan(allocations=tuple(found[leaf.id] for leaf in leaves), warnings=_overcommitments(nodes, ordered, shape))


def to_whole_bits(plan: AllocationPlan, nodes: Sequence[CapacityNode], leaves: Sequence[CapacityLeaf]) -> Mapping[str, int]:
    """The plan in whole bit/s by the largest remainder: rounded down, then the bits that are left go to the links that lost most
    (ties: by id), as long as every node above and the link's own ceiling carry them.
    """
    above = {node.id: node for node in nodes}
    ceilings = {leaf.id: leaf.ceiling_bps for leaf in leaves}
    parents = {leaf.id: leaf.parent for leaf in leaves}
    exact = {entry.id: entry.allocation_bps for entry in plan.allocations}
    whole = {name: math.floor(rate + 1e-6) for name, rate in exact.items()}
    slack = {node.id: math.floor(_bound(node.capacity_bps, 2**62)) for node in nodes}
    for name, rate_bps in whole.items():
        for node in _ancestors(above, parents[name]):
            slack[node] -= rate_bps
    for name in sorted(exact, key=lambda name: (whole[name] - exact[name], name)):
        path = _ancestors(above, parents[name])
        if exact[name] - whole[name] > 1e-6 and whole[name] + 1 <= ceilings[name] and all(slack[node] >= 1 for node in path):
            whole[name] += 1
            for node in path:
                slack[node] -= 1
    return whole


def _bound(rate_bps: float | None, unbounded: float = math.inf) -> float:
    return unbounded if rate_bps is None else rate_bps


def _own_bound(leaf: CapacityLeaf) -> str:
    return "mir" if _bound(leaf.most_bps) < _bound(leaf.demand_bps) else "demand"


def _ancestors(nodes: Mapping[str, CapacityNode], parent: str | None) -> list[str]:
    path = []
    while parent is not None:
        path.append(parent)
        parent = nodes[parent].parent
    return path


def _overcommitments(nodes: Sequence[CapacityNode], leaves: Sequence[CapacityLeaf], shape: Shape) -> tuple[str, ...]:
    """One warning a node whose guarantees are more than it carries, roots first."""
    committed = _committed(shape)
    return tuple(
        Said(
            "{node}: guarantees of {guaranteed} bit/s exceed its capacity of {capacity} bit/s; they are scaled in proportion",
            node=nodes[at].id,
            guaranteed=f"{committed[at]:.15g}",
            capacity=f"{shape.capacity_bps[at]:.15g}",
        )
        for at in np.argsort(shape.node_depth, kind="stable").tolist()
        if committed[at] > shape.capacity_bps[at] * nodes[at].oversubscription * (1 + 1e-12)
    )


def _committed(shape: Shape) -> Floats:
    """What is guaranteed below each node: its own CIR, or the sum of what its children can be given, whichever is more."""
    committed = np.zeros(len(shape.capacity_bps))
    below = shape.leaf_parent >= 0
    committed += np.bincount(shape.leaf_parent[below], shape.cir_bps[below], minlength=len(committed))
    for depth in range(shape.depth - 1, -1, -1):
        here = np.flatnonzero(shape.node_depth == depth)
        committed[here] = np.maximum(committed[here], shape.node_cir_bps[here])
        if depth:
            kept = np.minimum(committed[here], shape.capacity_bps[here])
            committed += np.bincount(shape.node_parent[here], kept, minlength=len(committed))
    return committed
