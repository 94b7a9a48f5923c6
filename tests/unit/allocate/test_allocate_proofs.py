"""Bandwidth functions as the paper prints them, and a proof that refuses what is not fair."""

from __future__ import annotations

import numpy as np
import pytest

from bwmgr.allocate.certificate import violations
from bwmgr.allocate.functions import BandwidthFunction, fair_share, share_below, share_by_functions
from bwmgr.allocate.shape import build
from bwmgr.allocate.solver import Shares
from bwmgr.model.bandwidth import CapacityLeaf, CapacityNode
from bwmgr.model.inventory import ServiceClass

FIRST = BandwidthFunction(((0, 0), (2, 0), (2.5, 10), (3.5, 15)))
SECOND = BandwidthFunction(((0, 0), (1, 10), (2, 10), (3, 20)))


@pytest.mark.parametrize(
    ("capacity", "level", "shares"), [(25, 2.5, [10, 15]), (15, 2 + 1 / 6, [10 / 3, 35 / 3]), (99, 3.5, [15, 20])]
)
def test_bwe_table_1(capacity: float, level: float, shares: list[float]) -> None:
    """BwE table 1: 25 gives 10 and 15 at fair share 2.5; 15 gives 3.33 and 11.67."""
    assert fair_share([FIRST, SECOND], capacity) == pytest.approx(level)
    assert share_by_functions([FIRST, SECOND], capacity) == pytest.approx(shares)


def test_bwe_children_are_rebased() -> None:
    """An aggregate worth 15 at fair share 1 gives its children what they would take of 15."""
    aggregate = BandwidthFunction(((0, 0), (1, 15)))
    assert share_below([FIRST, SECOND], aggregate, 1) == pytest.approx([10 / 3, 35 / 3])


@pytest.mark.parametrize("points", [(), ((1, 0), (2, 3)), ((0, 5), (1, 4)), ((0, 0), (0, 1))])
def test_not_a_bandwidth_function(points: tuple[tuple[float, float], ...]) -> None:
    """It starts at 0 and never falls."""
    with pytest.raises(ValueError, match="bandwidth function"):
        BandwidthFunction(points)


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
