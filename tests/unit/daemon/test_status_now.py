"""The morning look: every link's state, rates against limits, the worst, the silent ones, and how complete the data are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from bwmgr.daemon.status import LinkState, Status, choose_links, read_status
from bwmgr.errors import UsageError
from bwmgr.measure.columns import RATE, RateBatch
from bwmgr.model.inventory import Direction, Inventory, PerDirection
from bwmgr.model.samples import GapReason, Quality
from bwmgr.stores import LINK_RATE, UPLINK_RATE

INTERVAL = 60.0


@pytest.fixture
def inventory(make_inventory: Callable[..., Inventory]) -> Inventory:
    made = make_inventory(5)
    links = dict(made.links)
    links["link-4"] = replace(links["link-4"], interface=None)
    return replace(made, links=links)


@pytest.fixture
def put(bench: Any) -> Callable[..., None]:
    """Stores a link's newest row; `age_seconds` before the clock's now."""

    def write(name: str, down_bps: float, *, measurement: str = LINK_RATE, age_seconds: float = 10, **more: Any) -> None:
        row = np.zeros(1, RATE)
        figures = {"down_bps": down_bps, "up_bps": 1e6, "down_limit_bps": 20e6, "up_limit_bps": np.inf, **more}
        for column, figure in figures.items():
            row[column] = figure
        row["end_ms"] = (bench.clock.now() - timedelta(seconds=age_seconds)).timestamp() * 1000
        bench.store.write(measurement, RateBatch(series=(name,), rows=row))

    return write


@pytest.fixture
def status(bench: Any, inventory: Inventory, put: Callable[..., None]) -> Status:
    put("link-0", 19e6, rtt_us=1500)
    put("link-1", 0, quality=Quality.OPER_DOWN)
    put("link-2", np.nan, up_bps=np.nan, reason=GapReason.TIMEOUT)
    put("contract-1", 250e6, measurement=UPLINK_RATE, down_limit_bps=500e6)
    return read_status(inventory, bench.store, bench.clock.now(), INTERVAL)


def test_every_link_has_a_state_and_a_reason(status: Status) -> None:
    """Down is a fact with a rate of 0; silent and new say why; a link without an interface is not polled."""
    states = [(link.state, link.reason) for link in status.links]
    assert states == [
        (LinkState.OK, GapReason.NONE),
        (LinkState.DOWN, GapReason.NONE),
        (LinkState.SILENT, GapReason.TIMEOUT),
        (LinkState.NEW, GapReason.FIRST_READING),
        (LinkState.UNPOLLED, GapReason.NO_COUNTERS),
    ]


def test_totals_completeness_and_the_worst(status: Status) -> None:
    """The sum of fresh rates, the share of polled links that have one, and who is closest to the limit."""
    assert status.total(Direction.DOWN) == 19e6
    assert status.completeness_ratio == 0.5
    assert [link.id for link in status.worst(1)] == ["link-0"]
    assert status.links[0].worst_utilisation == pytest.approx(0.95)
    assert status.contracts[0].utilisation(Direction.DOWN) == 0.5


def test_an_old_rate_is_not_shown_as_now(bench: Any, inventory: Inventory, put: Callable[..., None]) -> None:
    """Fault 61's ground: older than three intervals is silence, with no figures."""
    put("link-0", 19e6, age_seconds=181)
    link = read_status(inventory, bench.store, bench.clock.now(), INTERVAL).links[0]
    assert (link.state, link.reason, link.rates) == (LinkState.SILENT, GapReason.LATE, PerDirection(down=None, up=None))


def test_the_document_has_whole_rates_and_no_infinity(status: Status) -> None:
    """JSON: integers in bit/s, RFC 3339 UTC, null for unlimited and unknown; a limit of 0 divides nothing (fault 19)."""
    document = status.document()
    first = document["links"][0]
    assert (first["down_bps"], first["down_limit_bps"], first["up_limit_bps"]) == (19_000_000, 20_000_000, None)
    assert (first["down_utilisation_ratio"], first["up_utilisation_ratio"], first["rtt_ms"]) == (0.95, None, 1.5)
    assert document["at"] == "2026-03-02T01:00:00Z"
    assert document["links"][2]["reason"] == "timeout"
    assert document["contracts"][0]["contract"] == "contract-1"


def test_a_limit_of_zero_gives_no_utilisation(bench: Any, inventory: Inventory, put: Callable[..., None]) -> None:
    """Fault 19: never a division by zero."""
    put("link-0", 5.0, down_limit_bps=0)
    assert read_status(inventory, bench.store, bench.clock.now(), INTERVAL).links[0].utilisation(Direction.DOWN) is None


def test_nothing_polled_has_no_completeness(bench: Any, make_inventory: Callable[..., Inventory]) -> None:
    empty = make_inventory(0, uplink=False)
    assert read_status(empty, bench.store, bench.clock.now(), INTERVAL).completeness_ratio is None


def test_an_unknown_link_is_refused_with_the_nearest_name(inventory: Inventory) -> None:
    with pytest.raises(UsageError, match=r"no link 'lnk-0'.*did you mean 'link-0'"):
        choose_links(inventory, ["lnk-0"])


def test_a_contract_on_two_ports_is_shown_with_its_limit_on_both(bench: Any, inventory: Inventory) -> None:
    """Neither port has a reading yet: each has a line of its own, with the contract's provider and rates."""
    root = inventory.nodes["root"]
    second = replace(root.uplinks[0], interface=replace(root.uplinks[0].interface, if_name="sfp2"))
    doubled = replace(inventory, nodes={**inventory.nodes, "root": replace(root, uplinks=(*root.uplinks, second))})
    first, other = read_status(doubled, bench.store, bench.clock.now(), INTERVAL).contracts
    assert first.id != other.id
    assert first.name == other.name
    assert first.limits == other.limits != PerDirection(down=None, up=None)
