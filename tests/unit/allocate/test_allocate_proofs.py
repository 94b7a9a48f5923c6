"""Bandwidth functions as the paper prints them, and a proof that refuses what is not fair."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import numpy as np
import pytest

from bwmgr.allocate import allocate
from bwmgr.allocate.certificate import violations
from bwmgr.allocate.reference import allocate_exactly
from bwmgr.allocate.shape import build
from bwmgr.allocate.solver import Shares, solve
from bwmgr.model.bandwidth import CapacityLeaf, CapacityNode
from bwmgr.model.bandwidth_function import BandwidthFunction
from bwmgr.model.inventory import ServiceClass

FIRST = BandwidthFunction(((0, 0), (2, 0), (2.5, 10), (3.5, 15)))
SECOND = BandwidthFunction(((0, 0), (1, 10), (2, 10), (3, 20)))


def shares(nodes: list[CapacityNode], leaves: list[CapacityLeaf]) -> list[tuple[float, str]]:
    """What each link gets and what binds it; the exact reference says the same, and the proof finds nothing."""
    shape = build(nodes, leaves)
    assert violations(shape, solve(shape)) == []
    plan = allocate(nodes, leaves)
    exact = allocate_exactly(nodes, leaves)
    assert [entry.allocation_bps for entry in plan.allocations] == pytest.approx([float(exact[leaf.id]) for leaf in leaves])
    return [(pytest.approx(entry.allocation_bps), entry.bottleneck) for entry in plan.allocations]


def both(parent: str = "n") -> list[CapacityLeaf]:
    return [
        CapacityLeaf(id="b1", parent=parent, bandwidth_function=FIRST),
        CapacityLeaf(id="b2", parent=parent, bandwidth_function=SECOND),
    ]


@pytest.mark.parametrize(
    ("capacity", "expected"),
    [
        (25, [(10, "n"), (15, "n")]),
        (15, [(10 / 3, "n"), (35 / 3, "n")]),
        (99, [(15, "mir"), (20, "mir")]),
        (10, [(0, "n"), (10, "n")]),
        (0, [(0, "n"), (0, "n")]),
    ],
)
def test_bwe_table_1(capacity: float, expected: list[tuple[float, str]]) -> None:
    """BwE table 1: 25 gives 10 and 15, 15 gives 3.33 and 11.67; where there is room, each ends where its function does."""
    assert shares([CapacityNode(id="n", capacity_bps=capacity)], both()) == expected


def test_bwe_children_are_rebased() -> None:
    """Children of a hierarchical node share what it gets of 30 beside a link of the same weight, at a level of their own."""
    nodes = [CapacityNode(id="top", capacity_bps=30, fairness="hierarchical"), CapacityNode(id="n", parent="top")]
    found = shares(nodes, [*both(), CapacityLeaf(id="c", parent="top")])
    assert found == [(10 / 3, "top"), (35 / 3, "top"), (15, "top")]


def test_function_beside_a_weight() -> None:
    """A level is what weight 1 gets there: at level 2.2, weight 5 has 11, the first function 4 and the second 12, 27 in all."""
    found = shares([CapacityNode(id="n", capacity_bps=27)], [*both(), CapacityLeaf(id="c", parent="n", weight=5)])
    assert found == [(4, "n"), (12, "n"), (11, "n")]


def test_function_is_on_top_of_the_guarantee() -> None:
    """CIR first; a function says what comes on top, and with it where the link ends."""
    leaves = [replace(leaf, cir_bps=5) for leaf in both()]
    assert shares([CapacityNode(id="n", capacity_bps=25)], leaves) == [(5 + 10 / 3, "n"), (5 + 35 / 3, "n")]
    assert shares([CapacityNode(id="n", capacity_bps=99)], leaves) == [(20, "mir"), (25, "mir")]


def test_demand_and_mir_cut_a_function() -> None:
    """What a link wants, or its MIR, ends it sooner; what is left over raises the level of the other."""
    first, second = both()
    found = shares([CapacityNode(id="n", capacity_bps=25)], [first, replace(second, demand_bps=12, mir_bps=14)])
    assert found == [(13, "n"), (12, "demand")]
    assert shares([CapacityNode(id="n", capacity_bps=25)], [first, replace(second, mir_bps=12)])[1] == (12, "mir")


@pytest.mark.parametrize(
    ("points", "wrong"),
    [
        ((), "starts at"),
        (((0, 0),), "starts at"),
        (((1, 0), (2, 3)), "starts at"),
        (((0, 5), (1, 6)), "its CIR"),
        (((0, 0), (1, 5), (2, 4)), "do not fall"),
        (((0, 0), (1, 5), (1, 6)), "levels rise"),
        (((0, 0), (1, 0)), "gives nothing"),
        (((0, 0), (1, 2, 3)), "a pair"),
    ],
)
def test_not_a_bandwidth_function(points: tuple[tuple[float, float], ...], wrong: str) -> None:
    """It starts at nothing, rises or stays level, and gives something in the end."""
    with pytest.raises(ValueError, match=wrong):
        BandwidthFunction(points)


def test_what_a_function_gives_beyond_a_rate() -> None:
    """A link that has 10 already gains nothing before level 2, and no more than 10; one that has it all has no function left."""
    assert SECOND.beyond(10) == BandwidthFunction(((0, 0), (2, 0), (3, 10)))
    assert SECOND.beyond(0) == SECOND
    assert SECOND.beyond(20) is None


def test_level_and_rate_belong_together() -> None:
    """The level of a rate is the highest at which it is not exceeded: over a level piece its end, and no end after the last."""
    assert [SECOND.level_of(rate) for rate in (0, 5, 10, 15, 20)] == [0, 0.5, 2, 2.5, inf]
    assert [FIRST.at(level) for level in (0, 2, 2.25, 3, 9)] == [0, 0, 5, 12.5, 15]


@pytest.mark.parametrize(
    ("rates", "wrong"),
    [
        ([5, 5, 0], None),
        ([6, 4, 0], "higher level"),
        ([4, 4, 2], "higher class wants more"),
        ([4, 4, 0], "no node above it is full"),
        ([6, 6, 0], "more than its capacity"),
    ],
)
def test_the_proof_refuses_what_is_not_fair(rates: list[float], wrong: str | None) -> None:
    """Two office links and a public one share 10."""
    nodes = [CapacityNode(id="n", capacity_bps=10)]
    leaves = [CapacityLeaf(id=name, parent="n") for name in "ab"]
    leaves.append(CapacityLeaf(id="c", parent="n", service_class=ServiceClass.PUBLIC))
    found = violations(build(nodes, leaves), Shares(guaranteed_bps=np.zeros(3), allocation_bps=np.array(rates, float)))
    assert (found == []) if wrong is None else any(wrong in entry for entry in found)
