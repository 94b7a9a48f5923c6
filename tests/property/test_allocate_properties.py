"""What holds for every tree: feasible, fair, proven, equal to the exact reference and to a lexicographic LP."""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bwmgr.allocate import allocate, to_whole_bits
from bwmgr.allocate.certificate import violations
from bwmgr.allocate.reference import allocate_exactly
from bwmgr.allocate.shape import build
from bwmgr.allocate.solver import solve
from bwmgr.model.bandwidth import CapacityLeaf, CapacityNode
from bwmgr.model.bandwidth_function import BandwidthFunction
from bwmgr.model.inventory import ServiceClass

Tree = tuple[list[CapacityNode], list[CapacityLeaf]]

AMOUNTS = st.integers(0, 100).map(float)
WEIGHTS = st.sampled_from([1.0, 1.0, 2.0, 0.5, 3.0, 0.0])


@st.composite
def trees(draw: st.DrawFn, *, plain: bool = False, most_leaves: int = 10) -> Tree:
    """A root with a capacity, some nodes and links below; `plain`: one class, no guarantees, leaf fairness, weights above 0."""
    nodes = [CapacityNode(id="n0", capacity_bps=draw(AMOUNTS), fairness=draw(_fairness(plain)))]
    nodes += [
        CapacityNode(
            id=f"n{at}",
            parent=f"n{draw(st.integers(0, at - 1))}",
            capacity_bps=draw(st.none() | AMOUNTS),
            cir_bps=0.0 if plain else draw(st.sampled_from([0.0, 0.0, 10.0, 40.0])),
            weight=1.0 if plain else draw(WEIGHTS),
            fairness=draw(_fairness(plain)),
        )
        for at in range(1, draw(st.integers(1, 5)))
    ]
    return nodes, [draw(_leaves(at, len(nodes), plain)) for at in range(draw(st.integers(1, most_leaves)))]


def _fairness(plain: bool) -> st.SearchStrategy[str]:
    return st.just("leaf") if plain else st.sampled_from(["leaf", "hierarchical"])


@st.composite
def _leaves(draw: st.DrawFn, at: int, nodes: int, plain: bool) -> CapacityLeaf:
    mir = draw(st.none() | AMOUNTS)
    cir = 0.0 if plain else draw(st.sampled_from([0.0, 1.0, 7.0, 30.0]))
    return CapacityLeaf(
        id=f"l{at}",
        parent=f"n{draw(st.integers(0, nodes - 1))}",
        demand_bps=draw(st.none() | AMOUNTS),
        cir_bps=cir if mir is None else min(cir, mir),
        mir_bps=mir,
        weight=draw(WEIGHTS.filter(bool) if plain else WEIGHTS),
        service_class=ServiceClass.OFFICE if plain else draw(st.sampled_from(ServiceClass)),
        bandwidth_function=None if plain else draw(st.none() | _functions()),
    )


@st.composite
def _functions(draw: st.DrawFn) -> BandwidthFunction:
    """Up to four pieces, some of them level."""
    points = [(0.0, 0.0)]
    for run, rise in draw(st.lists(st.tuples(st.integers(1, 30), st.integers(0, 30)), min_size=1, max_size=4)):
        points.append((points[-1][0] + run, points[-1][1] + rise))
    points.append((points[-1][0] + 1, points[-1][1] + 1))
    return BandwidthFunction(tuple(points))


def rates(tree: Tree) -> dict[str, float]:
    return {entry.id: entry.allocation_bps for entry in allocate(*tree).allocations}


def near(expected: dict[str, float]) -> object:
    return pytest.approx(expected, rel=1e-9, abs=1e-7)


@given(trees())
@settings(max_examples=120, deadline=None)
def test_equal_to_the_exact_reference(tree: Tree) -> None:
    """The columns give what fractions give, with classes, guarantees, weights of 0 and both kinds of fairness."""
    assert rates(tree) == near({name: float(rate) for name, rate in allocate_exactly(*tree).items()})


@given(trees())
@settings(deadline=None)
def test_feasible_and_proven(tree: Tree) -> None:
    """Nobody gets more than the ceiling, no node carries more than its capacity, and the bottleneck condition holds."""
    shape = build(*tree)
    assert violations(shape, solve(shape)) == []


@given(trees(), st.randoms(use_true_random=False))
@settings(deadline=None)
def test_order_of_input_does_not_matter(tree: Tree, shuffler: random.Random) -> None:
    """The same tree in another order gives the same figures to the last bit."""
    nodes, leaves = list(tree[0]), list(tree[1])
    shuffler.shuffle(nodes)
    shuffler.shuffle(leaves)
    assert rates((nodes, leaves)) == rates(tree)


@given(trees())
@settings(deadline=None)
def test_scale_does_not_matter(tree: Tree) -> None:
    """A thousand times every rate gives a thousand times every allocation."""
    scaled = {name: 1000 * rate for name, rate in rates(tree).items()}
    assert rates((_scaled_nodes(tree[0]), _scaled_leaves(tree[1]))) == near(scaled)


@given(trees(plain=True), st.floats(0, 50))
@settings(deadline=None)
def test_more_capacity_at_the_root_harms_nobody(tree: Tree, more: float) -> None:
    """With leaf fairness the allocation of every link is monotone in the root's capacity."""
    nodes, leaves = tree
    assert nodes[0].capacity_bps is not None
    wider = [replace(nodes[0], capacity_bps=nodes[0].capacity_bps + more), *nodes[1:]]
    before, after = rates(tree), rates((wider, leaves))
    assert all(after[name] >= before[name] - 1e-7 for name in before)


@given(trees(), st.integers(0, 9), st.floats(0.1, 100))
@settings(deadline=None)
def test_wanting_more_on_a_full_link_changes_nothing(tree: Tree, at: int, more: float) -> None:
    """A link that already lacks for capacity gains nothing, and costs nobody anything, by wanting more."""
    nodes, leaves = tree
    asked = leaves[at % len(leaves)]
    before = rates(tree)
    guaranteed = asked.cir_bps > 0 or any(node.cir_bps > 0 for node in nodes)
    if asked.demand_bps is None or guaranteed or before[asked.id] >= asked.demand_bps - 1e-6:
        return
    greedier = [replace(leaf, demand_bps=asked.demand_bps + more) if leaf is asked else leaf for leaf in leaves]
    assert rates((nodes, greedier)) == near(before)


@given(trees())
@settings(deadline=None)
def test_whole_bits_stay_within_every_capacity(tree: Tree) -> None:
    """Rounded by the largest remainder: within one bit/s of the exact figure, and no node or ceiling is exceeded."""
    nodes, leaves = tree
    plan = allocate(nodes, leaves)
    whole = to_whole_bits(plan, nodes, leaves)
    assert all(abs(whole[entry.id] - entry.allocation_bps) < 1 + 1e-6 for entry in plan.allocations)
    shape = build(nodes, leaves)
    rounded = np.array([whole[leaf.id] for leaf in leaves], float)
    assert (shape.node_sums(rounded) <= shape.capacity_bps).all()
    assert (rounded <= shape.ceiling_bps).all()


@given(trees(plain=True, most_leaves=6))
@settings(max_examples=40, deadline=None)
def test_equal_to_a_lexicographic_lp(tree: Tree) -> None:
    """Maximise the lowest level, fix what cannot rise, and again: HiGHS finds the same allocation."""
    assert rates(tree) == pytest.approx(_lexicographic(*tree), rel=1e-6, abs=1e-5)


def _lexicographic(nodes: list[CapacityNode], leaves: list[CapacityLeaf]) -> dict[str, float]:
    optimize = pytest.importorskip("scipy.optimize", reason="scipy is among the developers' dependencies")
    shape = build(nodes, leaves)
    bounded = np.flatnonzero(np.isfinite(shape.capacity_bps))
    matrix = np.array([(shape.paths == node).any(axis=0) for node in bounded], float)
    count = len(leaves)
    fixed: dict[int, float] = {}
    while len(fixed) < count:
        free = [at for at in range(count) if at not in fixed]
        level = _best(optimize, shape, bounded, matrix, fixed, free, None)
        floor = {at: min(shape.weight[at] * level, shape.ceiling_bps[at]) for at in free}
        before = len(fixed)
        for at in free:
            most = _best(optimize, shape, bounded, matrix, fixed, free, (at, floor))
            if most <= floor[at] + 1e-6:
                fixed[at] = floor[at]
        assert len(fixed) > before
    return {leaf.id: fixed[at] for at, leaf in enumerate(leaves)}


def _best(optimize, shape, bounded, matrix, fixed, free, single) -> float:  # type: ignore[no-untyped-def]
    """The highest common level of the free links or the most that a single one can have above the floor."""
    count = len(shape.weight)
    lower, upper = np.zeros(count + 1), np.append(np.minimum(shape.ceiling_bps, 1e6), 1e6)
    for at, rate in fixed.items():
        lower[at] = upper[at] = rate
    rows, limits = [np.append(row, 0.0) for row in matrix], list(shape.capacity_bps[bounded])
    goal = np.zeros(count + 1)
    if single is None:
        goal[count] = -1
        for at in free:
            row = np.zeros(count + 1)
            row[at], row[count] = -1, shape.weight[at]
            rows.append(row)
            limits.append(0.0)
    else:
        goal[single[0]] = -1
        for at in free:
            lower[at] = max(single[1][at] - 1e-9, 0.0)
    answer = optimize.linprog(
        goal, A_ub=np.array(rows), b_ub=np.array(limits) + 1e-9, bounds=list(zip(lower, upper, strict=True))
    )
    return float(-answer.fun)


def _scaled_nodes(nodes: list[CapacityNode]) -> list[CapacityNode]:
    return [
        replace(node, cir_bps=1000 * node.cir_bps, capacity_bps=None if node.capacity_bps is None else 1000 * node.capacity_bps)
        for node in nodes
    ]


def _scaled_leaves(leaves: list[CapacityLeaf]) -> list[CapacityLeaf]:
    return [
        replace(
            leaf,
            cir_bps=1000 * leaf.cir_bps,
            mir_bps=None if leaf.mir_bps is None else 1000 * leaf.mir_bps,
            demand_bps=None if leaf.demand_bps is None else 1000 * leaf.demand_bps,
            bandwidth_function=_scaled_function(leaf.bandwidth_function),
        )
        for leaf in leaves
    ]


def _scaled_function(function: BandwidthFunction | None) -> BandwidthFunction | None:
    return function and BandwidthFunction(tuple((1000 * level, 1000 * rate) for level, rate in function.points))


def test_the_reference_is_exact() -> None:
    """Fractions: a third of 100 three times is 100."""
    nodes = [CapacityNode(id="n", capacity_bps=100)]
    shares = allocate_exactly(nodes, [CapacityLeaf(id=name, parent="n") for name in "abc"])
    assert list(shares.values()) == [Fraction(100, 3)] * 3
