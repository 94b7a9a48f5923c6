"""The Abilene trace as a scenario: 132 columns as links, their 12 first ends as districts, one uplink at 0.8 x P95."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from bwmgr.backtest import Bottleneck, Scenario
from bwmgr.model.inventory import Direction, Inventory, Link, LinkKind, Node, Organisation, PerDirection

SHARED = Path(os.environ.get("BWMGR_SHARED") or Path(__file__).resolve().parents[3].parent / "shared")
TRACE = SHARED / "data" / "traffic" / "abilene-2004-03.parquet"
STEP_SECONDS = 300


def abilene(bottleneck: Bottleneck, *, days: float = 14, repeat: int = 1, limited: bool = True) -> Scenario:
    """The first days of the trace, so many times over. Contract (`limited`): 1.25 x the link's own P95; CIR: half its mean."""
    import pyarrow.parquet as pq

    table = pq.read_table(TRACE)
    names = [name for name in table.column_names if ">" in name]
    whole = np.stack([table[name].to_numpy() for name in names]).astype(np.float64) * 1e6
    capacity = int(0.8 * np.percentile(whole.sum(axis=0), 95))
    pieces = {name: name.split(">")[0] for name in names}
    nodes = {"uplink": _node("uplink", None, capacity)} | {first: _node(first, "uplink", None) for first in pieces.values()}
    links = {
        name: Link(
            id=name,
            name=name,
            kind=LinkKind.OPD,
            parent=pieces[name],
            limit=_both(max(int(1.25 * np.percentile(rates, 95)), 100_000) if limited else None),
            cir=_both(int(min(0.5 * rates.mean(), 1.25 * np.percentile(rates, 95)))),
        )
        for name, rates in zip(names, whole, strict=True)
    }
    return Scenario(
        inventory=Inventory(organisation=Organisation(name="Abilene", timezone="UTC"), nodes=nodes, links=links),
        direction=Direction.DOWN,
        start=datetime(2004, 3, 1, tzinfo=UTC),
        step_seconds=STEP_SECONDS,
        demand_bps=np.tile(whole[:, : round(days * 86400 / STEP_SECONDS)], (1, repeat)),
        bottleneck=bottleneck,
    )


def _node(name: str, parent: str | None, capacity_bps: int | None) -> Node:
    return Node(id=name, name=name, parent=parent, capacity=PerDirection(down=capacity_bps, up=capacity_bps))


def _both(rate_bps: int | None) -> PerDirection[Any]:
    return PerDirection(down=rate_bps, up=rate_bps)
