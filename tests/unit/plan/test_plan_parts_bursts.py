"""Contract parts from flows, and bursts from fine samples, out of a real store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from bwmgr.daemon.plan_bursts import burst_capacities
from bwmgr.daemon.plan_parts import part_plans
from bwmgr.measure.columns import FLOW_SUM, RATE, RateBatch
from bwmgr.model.inventory import Direction, Inventory
from bwmgr.stores import FLOW_USAGE, UPLINK_RATE
from bwmgr.stores.embedded import EmbeddedStore

START = datetime(2026, 3, 2, tzinfo=UTC)
END = START + timedelta(days=1)
START_MS = round(START.timestamp() * 1000)


@pytest.fixture
def store(tmp_path: Path) -> EmbeddedStore:
    return EmbeddedStore(tmp_path)


@pytest.fixture
def inventory(make_inventory: Callable[..., Inventory]) -> Inventory:
    made = make_inventory(links=2)
    isp = made.providers["isp"]
    contract = replace(isp.contracts[0], domestic_bps=30_000_000, international_bps=None)
    return replace(made, providers={"isp": replace(isp, contracts=(contract,))})


def test_parts_are_summed_over_links_and_applications(store: EmbeddedStore, inventory: Inventory) -> None:
    """Two links' and two applications' domestic flows are one series; other roots' links and unknown classes are not in it."""
    names = ("link-0|down|web|domestic", "link-1|down|dns|domestic", "link-0|down|web|international", "else|down|web|domestic")
    rows = np.zeros((4, 60), FLOW_SUM)
    rows["series"] = np.arange(4)[:, None]
    rows["end_ms"] = START_MS + 60_000 * np.arange(1, 61)
    rows["octets"] = np.array([60, 15, 30, 999])[:, None] * 1_000_000
    store.write(FLOW_USAGE, RateBatch(series=names, rows=rows.T.ravel()))
    found = part_plans(store, inventory, inventory.nodes["root"], ["link-0", "link-1"], START, END, 0.0)
    domestic, international = found
    assert (domestic.part, domestic.direction, domestic.cells) == ("domestic", Direction.DOWN, 12)
    assert domestic.optimum_bps == pytest.approx(10_000_000)
    assert (domestic.contract_bps, domestic.unmet_ratio) == (30_000_000, 0.0)
    assert international.optimum_bps == pytest.approx(4_000_000)
    assert (international.contract_bps, international.unmet_ratio) == (None, None)


def test_without_flows_there_are_no_parts(store: EmbeddedStore, inventory: Inventory) -> None:
    """Counters cannot tell domestic from international."""
    assert part_plans(store, inventory, inventory.nodes["root"], ["link-0"], START, END, 0.01) == ()


def fine(interval_seconds: int, count: int) -> RateBatch:
    rows = np.zeros(count, RATE)
    rows["end_ms"] = START_MS + 1000 * interval_seconds * np.arange(1, count + 1)
    rows["interval_ticks"] = 100 * interval_seconds
    rows["down_bps"] = np.where(np.arange(count) % 2 == 0, 90e6, 110e6)
    rows["up_bps"] = 5e6
    rows["down_limit_bps"] = rows["up_limit_bps"] = np.inf
    return RateBatch(series=("contract-1",), rows=rows)


def test_bursts_of_the_busiest_hour(store: EmbeddedStore, inventory: Inventory) -> None:
    """Mean 100, deviation 10, 1 %: 130.35 Mbit/s; a constant needs no more than itself."""
    store.write(UPLINK_RATE, fine(10, 720))
    found = burst_capacities(store, inventory, inventory.nodes["root"], END, 0.01)
    assert found[Direction.DOWN] == pytest.approx(130.35e6, rel=1e-3)
    assert found[Direction.UP] == pytest.approx(5e6)


@pytest.mark.parametrize(("interval", "count"), [(60, 1440), (10, 100), (10, 0)])
def test_coarse_or_few_samples_say_nothing_of_bursts(
    store: EmbeddedStore, inventory: Inventory, interval: int, count: int
) -> None:
    """A minute's mean hides bursts; some samples are no hour."""
    if count:
        store.write(UPLINK_RATE, fine(interval, count))
    assert burst_capacities(store, inventory, inventory.nodes["root"], END, 0.01) == {Direction.DOWN: None, Direction.UP: None}
