"""Sharing as textbooks, manuals and papers print it: every case has one right answer."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from bwmgr.allocate import allocate
from bwmgr.allocate.reference import allocate_exactly
from bwmgr.errors import UsageError
from bwmgr.model.bandwidth import AllocationPlan, CapacityLeaf, CapacityNode
from bwmgr.model.inventory import ServiceClass

CRITICAL, OFFICE, PUBLIC = ServiceClass


def node(name: str, parent: str | None = None, capacity: float | None = None, **more: object) -> CapacityNode:
    return CapacityNode(id=name, parent=parent, capacity_bps=capacity, **more)  # type: ignore[arg-type]


def leaf(name: str, parent: str | None = "root", demand: float | None = None, **more: object) -> CapacityLeaf:
    return CapacityLeaf(id=name, parent=parent, demand_bps=demand, **more)  # type: ignore[arg-type]


def rates(nodes: Sequence[CapacityNode], leaves: Sequence[CapacityLeaf]) -> list[float]:
    """The plan's rates, checked against the exact reference."""
    found = [entry.allocation_bps for entry in allocate(nodes, leaves).allocations]
    exact = allocate_exactly(nodes, leaves)
    assert found == pytest.approx([float(exact[link.id]) for link in leaves], rel=1e-9)
    return found


def bottlenecks(plan: AllocationPlan) -> list[str]:
    return [entry.bottleneck for entry in plan.allocations]


def test_t1_equal_weights() -> None:
    """T1: small demands are met, the rest is split evenly."""
    leaves = [leaf(f"l{at}", demand=demand) for at, demand in enumerate((2, 2.6, 4, 5))]
    assert rates([node("root", capacity=10)], leaves) == pytest.approx([2, 2.6, 2.7, 2.7], rel=1e-12)
    assert bottlenecks(allocate([node("root", capacity=10)], leaves)) == ["demand", "demand", "root", "root"]


def test_t2_weights() -> None:
    """T2: weighted max-min; what a link does not want goes to the others by weight."""
    asked = zip((4, 2, 10, 4), (2.5, 4, 0.5, 1), strict=True)
    leaves = [leaf(f"l{at}", demand=demand, weight=weight) for at, (demand, weight) in enumerate(asked)]
    assert rates([node("root", capacity=16)], leaves) == pytest.approx([4, 2, 6, 4], rel=1e-12)


@pytest.mark.parametrize(
    ("inner_cir", "first", "second", "third", "expected"),
    [
        pytest.param(4, (6, CRITICAL), (2, OFFICE), (2, PUBLIC), [6, 2, 2], id="M1"),
        pytest.param(4, (2, OFFICE), (2, CRITICAL), (2, PUBLIC), [2, 6, 2], id="M2"),
        pytest.param(8, (2, CRITICAL), (2, OFFICE), (2, PUBLIC), [2, 6, 2], id="M3"),
    ],
)
def test_routeros_manual(
    inner_cir: float,
    first: tuple[float, ServiceClass],
    second: tuple[float, ServiceClass],
    third: tuple[float, ServiceClass],
    expected: list[float],
) -> None:
    """M1-M3 of RouterOS' HTB manual: limit-at of links, then of the inner queue Q02, then by priority."""
    nodes = [node("Q01", capacity=10), node("Q02", "Q01", cir_bps=inner_cir)]
    given = {"Q03": ("Q01", first), "Q04": ("Q02", second), "Q05": ("Q02", third)}
    leaves = [leaf(name, parent, cir_bps=cir, mir_bps=10, service_class=rank) for name, (parent, (cir, rank)) in given.items()]
    assert rates(nodes, leaves) == pytest.approx(expected, rel=1e-12)


def test_junos_shared_interface() -> None:
    """J: CIR is on top: the excess of 60 is split 10:64:128:10, and what U3's PIR leaves goes round again."""
    leaves = [
        leaf("U1", weight=10, mir_bps=100),
        leaf("U2", weight=64, cir_bps=20),
        leaf("U3", weight=128, cir_bps=20, mir_bps=40),
        leaf("U4", weight=10),
    ]
    assert rates([node("root", capacity=100)], leaves) == pytest.approx([400 / 84, 20 + 40 * 64 / 84, 40, 400 / 84], rel=1e-12)
    assert bottlenecks(allocate([node("root", capacity=100)], leaves)) == ["root", "root", "mir", "root"]


@pytest.mark.parametrize(
    ("offered", "expected"),
    [((90, 90, 90), (30, 10, 60)), ((0, 90, 90), (0, 100 / 7, 600 / 7)), ((90, 0, 90), (100 / 3, 0, 200 / 3))],
)
def test_htb_guide(offered: tuple[float, ...], expected: tuple[float, ...]) -> None:
    """H: HTB borrows in proportion to the rates."""
    leaves = [
        leaf(f"class{at}", demand=demand, cir_bps=rate, weight=rate, mir_bps=100)
        for at, (demand, rate) in enumerate(zip(offered, (30, 10, 60), strict=True))
    ]
    assert rates([node("root", capacity=100)], leaves) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("fairness", "expected"), [("leaf", [100 / 3] * 3), ("hierarchical", [25, 25, 50])])
def test_g1_fairness(fairness: str, expected: list[float]) -> None:
    """G1: an OPD with two links has two shares among links, one among OPDs."""
    nodes = [node("root", capacity=100, fairness=fairness), node("a", "root"), node("b", "root")]
    assert rates(nodes, [leaf("a1", "a"), leaf("a2", "a"), leaf("b1", "b")]) == pytest.approx(expected, rel=1e-12)


def test_a_full_node_below_frees_its_siblings() -> None:
    """A link below a small node takes no more than it carries; the others share the rest, and each is told its node."""
    nodes = [node("root", capacity=100), node("small", "root", 10)]
    leaves = [leaf("a", "small"), leaf("b", "small"), leaf("c"), leaf("d")]
    assert rates(nodes, leaves) == pytest.approx([5, 5, 45, 45])
    assert bottlenecks(allocate(nodes, leaves)) == ["small", "small", "root", "root"]


def test_hierarchical_below_leaf_fair() -> None:
    """Below a leaf-fair root a hierarchical node gets what its links would get, and splits it its own way."""
    nodes = [node("root", capacity=90), node("h", "root", fairness="hierarchical"), node("x", "h"), node("y", "h")]
    leaves = [leaf("x1", "x"), leaf("x2", "x"), leaf("y1", "y"), leaf("free"), leaf("other"), leaf("more")]
    assert rates(nodes, leaves) == pytest.approx([11.25, 11.25, 22.5, 15, 15, 15])


def test_strict_classes() -> None:
    """Excess goes to critical links first; an office link keeps its CIR."""
    leaves = [
        leaf("office", cir_bps=2, demand=10),
        leaf("hospital", demand=7, service_class=CRITICAL),
        leaf("wifi", service_class=PUBLIC),
    ]
    assert rates([node("root", capacity=10)], leaves) == pytest.approx([3, 7, 0])


def test_overcommitted_guarantees_are_scaled_and_said() -> None:
    """CIRs above the capacity are scaled in proportion, with a warning that names the node."""
    leaves = [leaf("a", cir_bps=10), leaf("b", cir_bps=30)]
    plan = allocate([node("root", capacity=20)], leaves)
    assert [entry.allocation_bps for entry in plan.allocations] == pytest.approx([5, 15])
    assert plan.warnings == (
        "root: guarantees of 40 bit/s exceed its capacity of 20 bit/s; they are scaled in proportion",
    )  # fmt: skip


def test_a_capacity_that_just_fell_is_shared_anew() -> None:
    """An uplink of 100 falls to 12: guarantees of 15 that fitted are scaled, said, and nobody gets more than there is."""
    leaves = [leaf("a", cir_bps=10, demand=60), leaf("b", cir_bps=5, demand=60)]
    before, after = (allocate([node("root", capacity=capacity)], leaves) for capacity in (100, 12))
    assert [entry.allocation_bps for entry in before.allocations] == pytest.approx([52.5, 47.5])
    assert before.warnings == ()
    assert [entry.allocation_bps for entry in after.allocations] == pytest.approx([8, 4])
    assert len(after.warnings) == 1
    assert bottlenecks(after) == ["root", "root"]


def test_a_mir_without_bound_is_bounded_by_the_nodes_above() -> None:
    """No MIR, no demand: what the tree lets through, and the node that does not is named."""
    nodes = [node("root", capacity=100), node("east", "root", 30)]
    plan = allocate(nodes, [leaf("a", "east"), leaf("b")])
    assert [entry.allocation_bps for entry in plan.allocations] == pytest.approx([30, 70])
    assert bottlenecks(plan) == ["east", "root"]


def test_overcommitted_inner_guarantees_are_scaled() -> None:
    """Inner CIRs that a parent cannot carry are scaled in proportion too."""
    nodes = [node("root", capacity=30), node("a", "root", cir_bps=20), node("b", "root", cir_bps=40)]
    assert rates(nodes, [leaf("a1", "a"), leaf("b1", "b")]) == pytest.approx([10, 20])
    assert allocate(nodes, [leaf("a1", "a"), leaf("b1", "b")]).warnings


def test_explicit_oversubscription_needs_no_warning() -> None:
    """Leave to sell twice the capacity as CIR is said by the node."""
    leaves = [leaf("a", cir_bps=10), leaf("b", cir_bps=30)]
    assert allocate([node("root", capacity=20, oversubscription=2.0)], leaves).warnings == ()


def test_weight_zero_comes_last() -> None:
    """A link of weight 0 gets its CIR, and excess only when nobody of its class with a weight wants it."""
    nodes = [node("root", capacity=10)]
    assert rates(nodes, [leaf("a"), leaf("b", weight=0, cir_bps=1)]) == pytest.approx([9, 1])
    assert rates(nodes, [leaf("a", demand=4), leaf("b", weight=0)]) == pytest.approx([4, 6])
    assert rates(nodes, [leaf("a", weight=0), leaf("b", weight=0)]) == pytest.approx([5, 5])


def test_nothing_to_share_and_nothing_wanted() -> None:
    """Capacity 0, demand 0, a node without links, no links at all: zeros and empty plans, not errors."""
    nodes = [node("root", capacity=0), node("empty", "root", 5)]
    plan = allocate(nodes, [leaf("a", cir_bps=0), leaf("idle", demand=0)])
    assert [entry.allocation_bps for entry in plan.allocations] == [0, 0]
    assert bottlenecks(plan) == ["root", "demand"]
    assert allocate(nodes, []).allocations == ()
    assert allocate([], []).allocations == ()


def test_several_roots_and_links_without_parent() -> None:
    """Each root is shared on its own; a link without parent has its demand or MIR."""
    nodes = [node("one", capacity=10), node("two", capacity=4)]
    leaves = [leaf("a", "one"), leaf("b", "two"), leaf("c", None, demand=3), leaf("d", None, mir_bps=8, demand=9)]
    plan = allocate(nodes, leaves)
    assert [entry.allocation_bps for entry in plan.allocations] == [10, 4, 3, 8]
    assert bottlenecks(plan) == ["one", "two", "demand", "mir"]


def test_all_mistakes_of_a_tree_at_once() -> None:
    """A wrong tree is refused with everything that is wrong, and with what would be right."""
    nodes = [node("a", "b"), node("b", "a"), node("c", "nowhere"), node("c", capacity=-1)]
    with pytest.raises(UsageError) as refusal:
        allocate(nodes, [leaf("x", "gone", weight=-1), leaf("y", "c", cir_bps=5, mir_bps=4)])
    for part in (
        "a -> b -> a is a cycle",
        "no node 'nowhere'",
        "2 nodes or links",
        "-1 is not",
        "no node 'gone'",
        "above the MIR",
    ):
        assert part in str(refusal.value)


def test_a_link_without_any_bound_is_an_error() -> None:
    """Nothing bounds the link: there is no answer, and that is said."""
    with pytest.raises(UsageError, match="nothing bounds this link"):
        allocate([node("root")], [leaf("a")])
