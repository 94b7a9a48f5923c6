"""A capacity tree as columns, made from its nodes and links; and everything that can be wrong with one.

Owns order: nodes and links are sorted by id, so that the order of the input never shows in a result. Does not own sharing.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bwmgr.allocate.arrays import Flags, Floats, Indexes
from bwmgr.allocate.functions import Growth, growth_of
from bwmgr.model.bandwidth import CapacityLeaf, CapacityNode
from bwmgr.model.inventory import ServiceClass
from bwmgr.model.said import Said

RANKS = {service_class: rank for rank, service_class in enumerate(ServiceClass)}
"""Smaller goes first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """One direction of a forest. Rates bit/s, `inf` where there is no bound; indexes are positions in the node columns, -1: none.

    `paths` has shape (depth, links): the node at each depth, root first, above each link. `node_paths` is the same for nodes, the
    node itself left out.
    """

    node_parent: Indexes
    node_depth: Indexes
    capacity_bps: Floats
    node_cir_bps: Floats
    node_weight: Floats
    hierarchical: Flags
    leaf_parent: Indexes
    ceiling_bps: Floats
    """min(demand, MIR)."""
    cir_bps: Floats
    growth: Growth
    rank: Indexes
    paths: Indexes
    node_paths: Indexes

    @property
    def weight(self) -> Floats:
        """Of the links; 1 where one has a bandwidth function instead."""
        return self.growth.weight

    @property
    def depth(self) -> int:
        return len(self.paths)

    def node_sums(self, rates: Floats) -> Floats:
        """What of the links' `rates` passes each node."""
        sums = np.zeros(len(self.capacity_bps))
        for nodes in self.paths:
            there = nodes >= 0
            sums += np.bincount(nodes[there], rates[there], minlength=len(sums))
        return sums


def build_columns(
    *,
    node_parent: Indexes,
    capacity_bps: Floats,
    leaf_parent: Indexes,
    ceiling_bps: Floats,
    node_cir_bps: Floats | None = None,
    node_weight: Floats | None = None,
    hierarchical: Flags | None = None,
    cir_bps: Floats | None = None,
    weight: Floats | None = None,
    growth: Growth | None = None,
    rank: Indexes | None = None,
) -> Shape:
    """A shape of columns that are right already (`mistakes` is not asked); what is left out is 0, a weight 1, fairness leaf.

    `growth` stands for `weight` where links have bandwidth functions.

    Raises: ValueError where the parents form a cycle.
    """
    nodes, leaves = len(node_parent), len(leaf_parent)
    growth = growth or Growth(weight=np.ones(leaves) if weight is None else weight)
    cir_bps = np.zeros(leaves) if cir_bps is None else cir_bps
    node_depth = _depths(node_parent)
    height = int(node_depth.max(initial=-1)) + 1
    return Shape(
        node_parent=node_parent,
        node_depth=node_depth,
        capacity_bps=capacity_bps,
        node_cir_bps=np.zeros(nodes) if node_cir_bps is None else node_cir_bps,
        node_weight=np.ones(nodes) if node_weight is None else node_weight,
        hierarchical=np.zeros(nodes, np.bool_) if hierarchical is None else hierarchical,
        leaf_parent=leaf_parent,
        ceiling_bps=np.minimum(ceiling_bps, cir_bps + growth.most()),
        cir_bps=cir_bps,
        growth=growth,
        rank=np.zeros(leaves, np.intp) if rank is None else rank,
        paths=_paths(leaf_parent, node_parent, node_depth, height),
        node_paths=_paths(node_parent, node_parent, node_depth, height),
    )


def build(nodes: Sequence[CapacityNode], leaves: Sequence[CapacityLeaf]) -> Shape:
    """The columns of a tree without mistakes, in the order given."""
    index = {node.id: position for position, node in enumerate(nodes)}
    return build_columns(
        node_parent=np.array([_index(index, node.parent) for node in nodes], np.intp),
        capacity_bps=np.array([_bound(node.capacity_bps) for node in nodes], np.float64),
        node_cir_bps=np.array([node.cir_bps for node in nodes], np.float64),
        node_weight=np.array([node.weight for node in nodes], np.float64),
        hierarchical=np.array([node.fairness == "hierarchical" for node in nodes], np.bool_),
        leaf_parent=np.array([_index(index, leaf.parent) for leaf in leaves], np.intp),
        ceiling_bps=np.array([leaf.ceiling_bps for leaf in leaves], np.float64),
        cir_bps=np.array([leaf.cir_bps for leaf in leaves], np.float64),
        growth=growth_of([leaf.weight for leaf in leaves], [leaf.bandwidth_function for leaf in leaves]),
        rank=np.array([RANKS[leaf.service_class] for leaf in leaves], np.intp),
    )


def mistakes(nodes: Sequence[CapacityNode], leaves: Sequence[CapacityLeaf]) -> list[tuple[str, str, str]]:
    """Everything that is wrong with a tree, as (id, key, what is wrong and what would be right); empty: nothing."""
    parents = {node.id: node.parent for node in nodes}
    found = [*_duplicates(nodes, leaves), *_cycles(parents)]
    items: list[CapacityNode | CapacityLeaf] = [*nodes, *leaves]
    for item in items:
        found += _wrong_figures(item)
        if item.parent is not None and item.parent not in parents:
            found.append(
                (
                    item.id,
                    "parent",
                    Said("there is no node {name!r}; name one of the nodes, or leave it out for a root", name=item.parent),
                )
            )
    if not found:
        found += _unbounded({node.id: node for node in nodes}, leaves)
    return found


def _index(index: Mapping[str, int], parent: str | None) -> int:
    return -1 if parent is None else index[parent]


def _bound(rate_bps: float | None) -> float:
    return math.inf if rate_bps is None else rate_bps


def _depths(parent: Indexes) -> Indexes:
    depths = np.zeros(len(parent), np.intp)
    above = parent.copy()
    for _ in range(len(parent) + 1):
        inner = above >= 0
        if not inner.any():
            return depths
        depths[inner] += 1
        above[inner] = parent[above[inner]]
    raise ValueError("the parents of the nodes form a cycle")


def _paths(parent: Indexes, node_parent: Indexes, node_depth: Indexes, height: int) -> Indexes:
    paths = np.full((height, len(parent)), -1, np.intp)
    above = parent.copy()
    columns = np.arange(len(parent))
    while (there := above >= 0).any():
        paths[node_depth[above[there]], columns[there]] = above[there]
        above[there] = node_parent[above[there]]
    return paths


def _duplicates(nodes: Sequence[CapacityNode], leaves: Sequence[CapacityLeaf]) -> Iterator[tuple[str, str, str]]:
    for name, count in Counter([*(node.id for node in nodes), *(leaf.id for leaf in leaves)]).items():
        if count > 1:
            yield name, "id", Said("{count} nodes or links have this id; give each its own", count=count)


def _cycles(parents: Mapping[str, str | None]) -> Iterator[tuple[str, str, str]]:
    safe: set[str] = set()
    for start in parents:
        trail: dict[str, None] = {}
        above: str | None = start
        while above is not None and above in parents and above not in safe and above not in trail:
            trail[above] = None
            above = parents[above]
        if above is not None and above in trail:
            ring = list(trail)[list(trail).index(above) :]
            yield ring[0], "parent", Said("{ring} is a cycle; one of them must be a root", ring=" -> ".join([*ring, ring[0]]))
        safe.update(trail)


def _wrong_figures(item: CapacityNode | CapacityLeaf) -> Iterator[tuple[str, str, str]]:
    figures: dict[str, float | None] = {"cir_bps": item.cir_bps, "weight": item.weight}
    if isinstance(item, CapacityNode):
        figures |= {"capacity_bps": item.capacity_bps, "oversubscription": item.oversubscription}
    else:
        figures |= {"demand_bps": item.demand_bps, "mir_bps": item.mir_bps}
        if item.mir_bps is not None and item.cir_bps > item.mir_bps:
            yield (
                item.id,
                "cir_bps",
                Said(
                    "{cir} is above the MIR of {mir}; a guarantee cannot exceed the ceiling",
                    cir=f"{item.cir_bps:g}",
                    mir=f"{item.mir_bps:g}",
                ),
            )
    for key, figure in figures.items():
        if figure is not None and not 0 <= figure < math.inf:
            yield (
                item.id,
                key,
                Said("{figure} is not a number of at least 0; leave it out where there is no bound", figure=f"{figure:g}"),
            )


def _unbounded(nodes: Mapping[str, CapacityNode], leaves: Sequence[CapacityLeaf]) -> Iterator[tuple[str, str, str]]:
    for leaf in leaves:
        if math.isinf(leaf.ceiling_bps) and not _bounded_above(nodes, leaf.parent):
            yield (
                leaf.id,
                "demand_bps",
                Said("nothing bounds this link; give it a demand or a MIR, or a node above it a capacity"),
            )


def _bounded_above(nodes: Mapping[str, CapacityNode], parent: str | None) -> bool:
    while parent is not None:
        if nodes[parent].capacity_bps is not None:
            return True
        parent = nodes[parent].parent
    return False
