"""Small scenarios for tests of the replay."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from bwmgr.backtest import Scenario
from bwmgr.model.inventory import Direction, Inventory, Link, LinkKind, Node, Organisation, PerDirection

START = datetime(2026, 1, 5, tzinfo=UTC)


def scenario(
    demand_bps: ArrayLike,
    *,
    capacity_bps: int,
    cir_bps: Sequence[int] | None = None,
    limits_bps: Sequence[int | None] | None = None,
    **more: Any,
) -> Scenario:
    """Links below one node, a row of demand each."""
    demand = np.atleast_2d(np.asarray(demand_bps, np.float64))
    cirs, limits = cir_bps or [0] * len(demand), limits_bps or [None] * len(demand)
    links = {
        f"l{at}": Link(
            id=f"l{at}",
            name=f"Link {at}",
            kind=LinkKind.OPD,
            parent="root",
            cir=PerDirection(down=cir, up=cir),
            limit=PerDirection(down=limit, up=limit),
        )
        for at, (cir, limit) in enumerate(zip(cirs, limits, strict=True))
    }
    root = Node(id="root", name="Root", capacity=PerDirection(down=capacity_bps, up=capacity_bps))
    inventory = Inventory(organisation=Organisation(name="Test", timezone="UTC"), nodes={"root": root}, links=links)
    given = {"step_seconds": 300, "retry_ratio": 0.0, **more}
    return Scenario(inventory=inventory, direction=Direction.DOWN, start=START, demand_bps=demand, **given)
