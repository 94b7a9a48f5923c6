"""The fast allocator: the phases of `bwmgr.allocate` over columns, all nodes of a level at once.

`reference` says the same plainly and slowly; property tests hold the two together. Time and memory are linear in
links x depth for each phase.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from bwmgr.allocate.arrays import Flags, Floats, Indexes
from bwmgr.allocate.functions import Growth
from bwmgr.allocate.levels import takes, water_levels
from bwmgr.allocate.shape import Shape

_NEAR = 1e-12
"""What is left of a capacity below this share of it is rounding, not room."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Shares:
    """Of each link, in the shape's order, bit/s: what CIRs give it, and all it gets."""

    guaranteed_bps: Floats
    allocation_bps: Floats


def solve(shape: Shape) -> Shares:
    """Guarantees first, then the excess by class and weight; see the package's docstring."""
    have = _leaf_guarantees(shape)
    for depth in range(shape.depth - 1, -1, -1):
        have = have + _node_guarantees(shape, have, depth)
    guaranteed = have
    for chosen in _turns(shape):
        have = have + _fill(shape, chosen, _room(shape, have), shape.ceiling_bps - have)
    return Shares(guaranteed_bps=guaranteed, allocation_bps=have)


def full_nodes(shape: Shape, rates: Floats) -> Flags:
    """Which nodes carry all they can (within a billionth, for rounding)."""
    return shape.node_sums(rates) >= shape.capacity_bps * (1 - 1e-9)


def bottlenecks(shape: Shape, rates: Floats) -> Indexes:
    """Of each link that has less than its ceiling: the lowest full node above it; -1 for the others."""
    found = np.full(len(rates), -1, np.intp)
    full = full_nodes(shape, rates)
    for nodes in shape.paths:
        there = (nodes >= 0) & full[np.maximum(nodes, 0)]
        found[there] = nodes[there]
    found[rates >= shape.ceiling_bps * (1 - 1e-9)] = -1
    return found


def _leaf_guarantees(shape: Shape) -> Floats:
    """The links' CIR up to what they want; over-committed ones in proportion: water-filling with the CIR as weight."""
    bound = np.minimum(shape.cir_bps, shape.ceiling_bps)
    return _leaf_fair(shape.paths, shape.capacity_bps, bound, shape.cir_bps)


def _node_guarantees(shape: Shape, have: Floats, depth: int) -> Floats:
    """What the links below the nodes of one depth get so that these nodes have their CIR."""
    nodes = np.flatnonzero((shape.node_depth == depth) & (shape.node_cir_bps > 0))
    more = np.zeros(len(have))
    if not len(nodes):
        return more
    room = _room(shape, have)
    lacks = np.maximum(shape.node_cir_bps - shape.node_sums(have), 0.0)[nodes]
    takeable = _most(shape, room, shape.ceiling_bps - have)[nodes]
    granted = _leaf_fair(shape.node_paths[:, nodes], room, np.minimum(lacks, takeable), lacks)
    room[shape.node_depth == depth] = 0.0
    room[nodes] = granted
    for chosen in _turns(shape):
        below = chosen[shape.paths[depth, chosen] >= 0]
        given = _fill(shape, below, room, shape.ceiling_bps - have - more)
        more += given
        room = np.maximum(room - shape.node_sums(given), 0.0)
    return more


def _turns(shape: Shape) -> Iterator[Indexes]:
    """Links that take part together, in the order in which they are served: class after class, weights of 0 last in each."""
    weightless = shape.weight <= 0
    for nodes in shape.paths:
        parents = shape.node_parent[np.maximum(nodes, 0)]
        counts = (nodes >= 0) & (parents >= 0) & shape.hierarchical[np.maximum(parents, 0)]
        weightless |= counts & (shape.node_weight[np.maximum(nodes, 0)] <= 0)
    for rank in np.unique(shape.rank):
        for last in (False, True):
            chosen = np.flatnonzero((shape.rank == rank) & (weightless == last))
            if len(chosen):
                yield chosen


def _room(shape: Shape, have: Floats) -> Floats:
    with np.errstate(invalid="ignore"):
        room = shape.capacity_bps - shape.node_sums(have)
    room[room <= shape.capacity_bps * _NEAR] = 0.0
    return np.where(np.isinf(shape.capacity_bps), np.inf, room)


def _most(shape: Shape, room: Floats, bound: Floats) -> Floats:
    """The most that each node could still carry: its room, or what those below it could."""
    most = np.zeros(len(room))
    for depth in range(shape.depth - 1, -1, -1):
        direct = (shape.leaf_parent >= 0) & (shape.node_depth[np.maximum(shape.leaf_parent, 0)] == depth)
        most += np.bincount(shape.leaf_parent[direct], bound[direct], minlength=len(room))
        here = shape.node_depth == depth
        most[here] = np.minimum(most[here], room[here])
        if depth:
            most += np.bincount(shape.node_parent[here], most[here], minlength=len(room))
    return most


def _leaf_fair(paths: Indexes, room: Floats, bound: Floats, weight: Floats) -> Floats:
    """Max-min of items below nested capacities: from the deepest node up, each cuts its items at its level."""
    taken = np.where(weight > 0, bound, 0.0)
    for nodes in paths[::-1]:
        taken = _cut(nodes, room, taken, Growth(weight=weight))
    return taken


def _cut(nodes: Indexes, room: Floats, taken: Floats, growth: Growth) -> Floats:
    there = np.flatnonzero((nodes >= 0) & (growth.weight > 0))
    growth = growth.of(there)
    level = water_levels(nodes[there], growth, taken[there], room)[nodes[there]]
    cut = taken.copy()
    low = np.isfinite(level)
    cut[there[low]] = np.minimum(taken[there[low]], growth.at(level)[low])
    return cut


def _fill(shape: Shape, chosen: Indexes, room: Floats, bound: Floats) -> Floats:
    """What the chosen links get of `room`, each up to `bound`, as the fairness of every node says; all links' length."""
    given = np.zeros(len(bound))
    if len(chosen):
        given[chosen] = _Filling(shape, chosen, room, np.maximum(bound[chosen], 0.0)).shares()
    return given


def _positive(growth: Growth) -> Growth:
    """Weights of 0 share like weights of 1, in a turn of their own."""
    return replace(growth, weight=np.where(growth.weight > 0, growth.weight, 1.0))


class _Filling:
    """One turn. Up the tree: what each node could take. Where a node is hierarchical, down again: who gets how much of it."""

    def __init__(self, shape: Shape, chosen: Indexes, room: Floats, bound: Floats) -> None:
        self.shape = shape
        self.paths = shape.paths[:, chosen]
        self.parent = shape.leaf_parent[chosen]
        self.growth = _positive(shape.growth.of(chosen))
        self.node_weight = np.where(shape.node_weight > 0, shape.node_weight, 1.0)
        self.views = [np.minimum(bound, self.growth.most())]
        """What the links take as far as the nodes from each depth down let them; the last entry: as they are."""
        for nodes in self.paths[::-1]:
            self.views.append(_cut(nodes, room, self.views[-1], self.growth))
        self.views.reverse()

    def shares(self) -> Floats:
        used = np.unique(self.paths[self.paths >= 0])
        if not self.shape.hierarchical[used].any():
            return self.views[0]
        return self._down()

    def _down(self) -> Floats:
        amounts = np.zeros(len(self.shape.capacity_bps))
        most = self._most()
        roots = self.shape.node_parent < 0
        amounts[roots] = most[roots]
        given = np.where(self.parent < 0, self.views[-1], 0.0)
        for depth in range(self.shape.depth):
            self._share_by_links(depth, amounts, given)
            self._share_by_children(depth, amounts, given, most)
        return given

    def _most(self) -> Floats:
        most = np.zeros(len(self.shape.capacity_bps))
        for depth, nodes in enumerate(self.paths):
            there = nodes >= 0
            most += np.bincount(nodes[there], self.views[depth][there], minlength=len(most))
        return most

    def _share_by_links(self, depth: int, amounts: Floats, given: Floats) -> None:
        """Nodes with fairness `leaf`: one level for all links below, as far as the nodes between let them."""
        nodes = self.paths[depth]
        there = np.flatnonzero((nodes >= 0) & ~self.shape.hierarchical[np.maximum(nodes, 0)])
        taken = takes(nodes[there], self.growth.of(there), self.views[depth + 1][there], amounts)
        direct = self.parent[there] == nodes[there]
        given[there[direct]] = taken[direct]
        if depth + 1 < self.shape.depth:
            below = self.paths[depth + 1, there]
            amounts += np.bincount(below[~direct], taken[~direct], minlength=len(amounts))

    def _share_by_children(self, depth: int, amounts: Floats, given: Floats, most: Floats) -> None:
        """Hierarchical nodes: their nodes and own links share by their weights, whatever is below."""
        shape = self.shape
        here = (shape.node_depth == depth) & shape.hierarchical
        inner = np.flatnonzero((shape.node_parent >= 0) & here[np.maximum(shape.node_parent, 0)])
        links = np.flatnonzero((self.parent >= 0) & here[np.maximum(self.parent, 0)])
        taken = takes(
            np.concatenate((shape.node_parent[inner], self.parent[links])),
            self.growth.of(links).after(self.node_weight[inner]),
            np.concatenate((most[inner], self.views[-1][links])),
            amounts,
        )
        amounts[inner] = taken[: len(inner)]
        given[links] = taken[len(inner) :]
