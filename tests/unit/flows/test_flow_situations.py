"""Reconciliation of an hour that a virtual router has carried, and has exported wrongly in one way.

Each situation is made by changing what the router exports, or what is configured, never by making up the sums.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from ipaddress import ip_network
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bwmgr.daemon.flow_plan import FlowPlan
from bwmgr.daemon.flow_strays import STRAY
from bwmgr.daemon.flow_work import FlowWork
from bwmgr.measure.columns import RATE, RateBatch
from bwmgr.measure.reconcile import Cause, Comparison, Verdict
from bwmgr.model.inventory import Direction, Inventory, Link, Organisation
from bwmgr.model.secret import Secret
from bwmgr.stores import FLOW_USAGE, LINK_RATE
from bwmgr.stores.embedded import EmbeddedStore
from bwmgr.stores.flow_history import compare
from bwmgr.testing.clock import LeapClock
from bwmgr.testing.exporters import FLOW, SERVICES, LinkFlows
from bwmgr.testing.exporters_wire import Exporter
from bwmgr.testing.kabupaten import Passwords, kabupaten
from bwmgr.testing.regency import Regency
from bwmgr.testing.traffic import COLUMNS
from collectors.netflow.settings import FlowSettings

Flows = NDArray[np.void]
HOUR = datetime(2026, 2, 2, 3, 0, tzinfo=UTC)
"""Ten o'clock in Jakarta on a Monday."""
FIRST_CELL = round(HOUR.timestamp()) // 60
BOOTED_MS = (FIRST_CELL - 100_000) * 60_000
LINK = "dinkes"


@lru_cache
def regency() -> Regency:
    secret = Secret("not-used")
    return Regency(kabupaten(Passwords(community=secret, auth=secret, priv=secret)), LeapClock(HOUR))


def exported(flows: LinkFlows, change: Callable[[Flows], Flows], plan: FlowPlan, *, times: int = 1) -> FlowWork:
    """A collector that has heard the hour of one link, as `change` leaves it to its v9 exporter."""
    now_ms = [0]
    work = FlowWork(plan, lambda: now_ms[0])
    exporters = [Exporter("v9", booted_ms=BOOTED_MS) for _ in range(times)]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        for cell in range(FIRST_CELL, FIRST_CELL + 60):
            now_ms[0] = (cell + 1) * 60_000 + 2000
            for exporter in exporters:
                for datagram in exporter.datagrams(change(flows.minute(cell)), now_ms[0]):
                    one.sendto(datagram, work.addresses[0])
            if cell % 10 == 9:  # a batch waits a tenth of a second for more
                work.drain()
    work.drain()
    return work


def rates(flows: LinkFlows) -> RateBatch:
    """The counters of the same hour, by the minute."""
    counts = flows.traffic.cells(FIRST_CELL, 60).counts
    rows = np.zeros(60, RATE)
    rows["end_ms"], rows["interval_ticks"] = (FIRST_CELL + 1 + np.arange(60)) * 60_000, 6000
    for direction in Direction:
        rows[f"{direction}_bps"] = counts[COLUMNS.index(direction)] * 8 / 60
    return RateBatch(series=(LINK,), rows=rows)


def reconciled(
    folder: Path, change: Callable[[Flows], Flows], *, networks: str | None = None, times: int = 1, sampling: int = 1
) -> Mapping[Direction, Comparison]:
    """What is said of the hour. `networks`: a wrong one for the link in the configuration."""
    made = regency()
    flows = LinkFlows(made.links[LINK], seed=made.seed)
    link: Link = made.inventory.links[LINK]
    if networks is not None:
        link = replace(link, networks=(ip_network(networks),))
    inventory = Inventory(organisation=Organisation(name="Uji"), links={LINK: link})
    stated = {"127.0.0.1": sampling} if sampling > 1 else {}
    plan = FlowPlan(settings=FlowSettings(listen=(("127.0.0.1", 0),), sampling=stated), inventory=inventory)
    work = exported(flows, change, plan, times=times)
    found = work.minutes((FIRST_CELL + 62) * 60.0)
    work.close()
    store = EmbeddedStore(folder / "var")
    store.write(FLOW_USAGE, found.rows)
    store.write(LINK_RATE, rates(flows))
    stray = float(found.totals.unattributed.get(STRAY, 0))
    compared = compare(inventory, store, HOUR, HOUR + timedelta(hours=1), lambda _start_ms, hours: np.full(hours, stray))
    store.close()
    return {one.direction: one for one in compared}


def sampled(flows: Flows) -> Flows:
    """One packet in 100, and nothing says so."""
    seen = flows.copy()
    seen["octets"], seen["packets"] = flows["octets"] // 100, np.maximum(flows["packets"] // 100, 1)
    return seen[seen["octets"] > 0]


def downloads(flows: Flows) -> Flows:
    """Only what leaves by the link's port."""
    return flows[flows["down"]]


def slow_path(flows: Flows) -> Flows:
    """Connections of TCP are on the fast path after their first packets: FastTrack exports none of that."""
    return flows[flows["protocol"] != 6]


def nothing(_: Flows) -> Flows:
    return np.empty(0, FLOW)


def test_an_hour_that_was_exported_whole_agrees(tmp_path: Path) -> None:
    """The counters have an Ethernet frame more for each packet: no finding, no cause."""
    found = reconciled(tmp_path, lambda flows: flows)
    assert {(one.verdict, one.cause) for one in found.values()} == {(Verdict.AGREES, Cause.NONE)}
    assert all(0.95 < (one.ratio or 0) < 1 for one in found.values())


def test_sampling_that_the_router_does_not_tell(tmp_path: Path) -> None:
    """fault 37: the rate is named, so that it can be written into the configuration."""
    found = reconciled(tmp_path, sampled)
    assert {(one.cause, one.sampling) for one in found.values()} == {(Cause.SAMPLING_MISSING, 100)}


def test_a_router_that_exports_one_direction(tmp_path: Path) -> None:
    """Downloads agree, of uploads there is nothing."""
    found = reconciled(tmp_path, downloads)
    assert found[Direction.DOWN].verdict is Verdict.AGREES
    assert (found[Direction.UP].cause, found[Direction.UP].flow_octets) == (Cause.ASYMMETRIC_EXPORT, 0)


def test_connections_that_the_hardware_carries(tmp_path: Path) -> None:
    """What passes by the processor is missing in both directions, by no usual sampling rate."""
    assert any(service.protocol == 6 for service in SERVICES)
    found = reconciled(tmp_path, slow_path)
    assert {one.cause for one in found.values()} == {Cause.HARDWARE_OFFLOAD}


def test_networks_that_are_another_offices(tmp_path: Path) -> None:
    """The flows come, and belong to no link: as many octets as the link lacks."""
    found = reconciled(tmp_path, lambda flows: flows, networks="10.250.0.0/24")
    assert {one.cause for one in found.values()} == {Cause.WRONG_NETWORKS}


def test_a_router_that_exports_nothing(tmp_path: Path) -> None:
    """Counters run and no flow comes, of this link or of none."""
    assert {one.cause for one in reconciled(tmp_path, nothing).values()} == {Cause.NO_FLOWS}


def test_a_router_that_exports_each_flow_twice(tmp_path: Path) -> None:
    """Two export processes of one router, on its two ports of the same traffic."""
    found = reconciled(tmp_path, lambda flows: flows, times=2)
    assert {one.cause for one in found.values()} == {Cause.COUNTED_TWICE}


@pytest.mark.parametrize("rate", [2, 1024])
def test_a_rate_that_is_configured_makes_them_agree(tmp_path: Path, rate: int) -> None:
    """The advice that is given works: with `netflow.sampling` set the hour agrees within chance."""

    def thinned(flows: Flows) -> Flows:
        seen = flows.copy()
        seen["octets"], seen["packets"] = flows["octets"] // rate, flows["packets"] // rate
        return seen[seen["octets"] > 0]

    found = reconciled(tmp_path, thinned, sampling=rate)
    assert {one.verdict for one in found.values()} == {Verdict.AGREES}
