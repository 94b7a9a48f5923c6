"""Proof that a sharing is right, by the bottleneck condition (Bertsekas and Gallager, Data Networks, 6.5).

A sharing is weighted max-min exactly if it is feasible and each link has all it wants or lies below a full node on which nobody
of its class has a higher level, and nobody of a lower class has excess.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bwmgr.allocate.arrays import Floats, Indexes
from bwmgr.allocate.shape import Shape
from bwmgr.allocate.solver import Shares, bottlenecks

_NEAR = 1e-7


def violations(shape: Shape, shares: Shares) -> list[str]:
    """What is wrong with a sharing of this shape, in words for engineers; empty: it is proven.

    Levels are compared below nodes where links share by their own weights, all links with a weight.
    """
    return [*_infeasible(shape, shares.allocation_bps), *_not_shared_out(shape, shares)]


def _infeasible(shape: Shape, rates: Floats) -> Iterator[str]:
    for node in np.flatnonzero(shape.node_sums(rates) > shape.capacity_bps * (1 + _NEAR)).tolist():
        yield f"node {node} carries more than its capacity"
    for link in np.flatnonzero((rates > shape.ceiling_bps * (1 + _NEAR)) | (rates < 0)).tolist():
        yield f"link {link} has less than nothing or more than its ceiling"


def _not_shared_out(shape: Shape, shares: Shares) -> Iterator[str]:
    rates = shares.allocation_bps
    binding = bottlenecks(shape, rates)
    wanting = rates < shape.ceiling_bps * (1 - _NEAR)
    for link in np.flatnonzero(wanting & (binding < 0)).tolist():
        yield f"link {link} wants more and no node above it is full"
    for node in np.unique(binding[wanting & (binding >= 0)]).tolist():
        below = np.flatnonzero((shape.paths == node).any(axis=0))
        yield from _unfair(shape, shares, node, below, below[wanting[below] & (binding[below] == node)])


def _unfair(shape: Shape, shares: Shares, node: int, below: Indexes, bound: Indexes) -> Iterator[str]:
    scale = max(float(shares.allocation_bps[below].sum()), 1.0) * _NEAR
    excess = shares.allocation_bps - shares.guaranteed_bps
    worst = int(shape.rank[bound].min())
    for link in below[(shape.rank[below] > worst) & (excess[below] > scale)].tolist():
        yield f"link {link} has excess below node {node} though a higher class wants more"
    if shape.hierarchical[np.unique(shape.paths[:, below])].any() or not (shape.weight[below] > 0).all():
        return
    peers = below[shape.rank[below] == worst]
    held = bound[shape.rank[bound] == worst]
    lowest = float(shape.growth.of(held).level_of(np.maximum(excess[held], 0.0) + scale).min())
    for link in peers[excess[peers] > shape.growth.of(peers).at(np.full(len(peers), lowest)) + scale].tolist():
        yield f"link {link} has a higher level below node {node} than one that wants more"
