"""What the poller promises: rates before baselines, no interval twice, nothing lost without the store, limits as history."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from bwmgr.daemon.polling import CycleReport, Handover, Poller
from bwmgr.errors import StoreRejected, StoreUnavailable
from bwmgr.model.inventory import Inventory, PerDirection, Site, SiteStatus
from bwmgr.model.samples import GapReason
from bwmgr.stores import LINK_RATE, UPLINK_RATE

INTERVAL = 60.0
BPS = 1_000_000


@pytest.fixture
def poller(bench: Any, make_inventory: Callable[..., Inventory]) -> Callable[..., Poller]:
    def make(inventory: Inventory | None = None, handover: Handover | None = None) -> Poller:
        chosen = inventory or make_inventory()
        parts = (chosen, bench.collector(chosen), bench.store, bench.state, bench.clock)
        return Poller(*parts, interval_seconds=INTERVAL, handover=handover)

    return make


def cycles(poller: Poller, bench: Any, count: int) -> list[CycleReport]:
    reports = []
    for _ in range(count):
        bench.clock.advance(INTERVAL)
        reports.append(poller.cycle())
    return reports


def covered_ms(bench: Any, series: str = "link-0", measurement: str = LINK_RATE) -> list[tuple[int, int]]:
    """The intervals that stored rates cover; asserts that they are disjoint and carry 1 Mbit/s each."""
    rates = [row for row in bench.store.of(measurement, series) if row["reason"] == 0]
    assert all(row["down_bps"] == pytest.approx(BPS) for row in rates)
    intervals = [(int(row["end_ms"]) - 10 * int(row["interval_ticks"]), int(row["end_ms"])) for row in rates]
    assert all(before[1] <= after[0] for before, after in pairwise(intervals))
    return intervals


def test_the_first_cycle_has_no_rates_and_the_second_has_all(poller: Any, bench: Any) -> None:
    """Fault 8: a single reading has no rate; every link without one is in the gaps, with its reason."""
    first, second = cycles(poller(), bench, 2)
    assert (first.links_ok, [gap.reason for gap in first.gaps]) == (0, [GapReason.FIRST_READING] * 2)
    assert first.missing == ()
    assert (second.links_ok, second.gaps) == (2, ())
    assert covered_ms(bench) == [(covered_ms(bench)[0][0], round(bench.clock.now().timestamp() * 1000))]


def test_a_restart_goes_on_where_the_last_run_stopped(poller: Any, bench: Any) -> None:
    """The baseline outlives the process: the first cycle of the next run has rates, over the time in between."""
    cycles(poller(), bench, 2)
    (report,) = cycles(poller(), bench, 1)
    assert report.links_ok == 2
    (first, second) = covered_ms(bench)
    assert first[1] == second[0]


def test_killed_between_rates_and_baseline_nothing_counts_twice(poller: Any, bench: Any) -> None:
    """Faults 46 and 60: rates were committed, the baseline was not; those links start anew, and no octet counts twice."""
    running = poller()
    cycles(running, bench, 2)
    bench.state.failing = True
    cycles(running, bench, 1)
    bench.state.failing = False
    first, second = cycles(poller(), bench, 2)
    assert {gap.reason for gap in first.gaps} == {GapReason.FIRST_READING}
    assert second.links_ok == 2
    assert len(covered_ms(bench)) == len(covered_ms(bench, "contract-1", UPLINK_RATE)) == 3


def test_killed_while_the_store_is_away_nothing_is_left_out(poller: Any, bench: Any) -> None:
    """Faults 45 and 46: rows that waited die with the process; the next rate covers their time from the old baseline."""
    running = poller()
    cycles(running, bench, 2)
    bench.store.failing = StoreUnavailable("no space left on device")
    cycles(running, bench, 3)
    bench.store.failing = None
    cycles(poller(), bench, 1)
    intervals = covered_ms(bench)
    assert [end - start for start, end in intervals] == [60_000, 240_000]


def test_a_store_that_is_away_costs_no_cycle(poller: Any, bench: Any) -> None:
    """Fault 45: cycles wait in memory, are told of, and are written oldest first once the store takes them."""
    running = poller()
    cycles(running, bench, 1)
    bench.store.failing = StoreUnavailable("no space left on device")
    reports = cycles(running, bench, 2)
    assert [report.unwritten for report in reports] == [2, 4]
    assert reports[-1].trouble == "no space left on device"
    bench.store.failing = None
    (report,) = cycles(running, bench, 1)
    assert (report.unwritten, report.trouble, report.lost) == (0, "", 0)
    assert len(covered_ms(bench)) == 3


def test_a_batch_that_the_store_refuses_stops_no_other(poller: Any, bench: Any) -> None:
    """A rejected batch is given up and counted; what comes after it is written."""
    running = poller()
    cycles(running, bench, 1)
    bench.store.failing = StoreRejected("end_ms out of range")
    (refused,) = cycles(running, bench, 1)
    bench.store.failing = None
    (taken,) = cycles(running, bench, 1)
    assert (refused.lost, refused.unwritten, taken.lost) == (2, 0, 0)
    assert len(covered_ms(bench)) == 1


def test_flush_writes_what_waits(poller: Any, bench: Any) -> None:
    """Fault 48: at the end everything held goes into the store, and the baseline after it."""
    running = poller()
    cycles(running, bench, 1)
    bench.store.failing = StoreUnavailable("away")
    cycles(running, bench, 1)
    assert running.flush() == 2
    bench.store.failing = None
    assert running.flush() == 0
    (report,) = cycles(poller(), bench, 1)
    assert report.links_ok == 2
    assert len(covered_ms(bench)) == 2


def test_a_dead_device_is_a_gap_with_its_reason(poller: Any, bench: Any) -> None:
    """A link whose router is silent is in the gaps; the others have rates, and the next rate covers the silence."""
    running = poller()
    cycles(running, bench, 2)
    running._collector.silent = {"router-1"}
    (silent,) = cycles(running, bench, 1)
    assert [(gap.link, gap.reason) for gap in silent.gaps] == [("link-1", GapReason.TIMEOUT)]
    assert (silent.answered, silent.links_ok, len(silent.missing)) == (2, 1, 1)
    running._collector.silent = set()
    cycles(running, bench, 1)
    assert [end - start for start, end in covered_ms(bench, "link-1")] == [60_000, 120_000]


def test_planned_sites_and_links_without_counters_are_gaps_but_not_missing(
    poller: Any, bench: Any, make_inventory: Callable[..., Inventory]
) -> None:
    """`gaps` holds every link without a rate; one that has no counters yet is nothing to mend."""
    inventory = make_inventory(3)
    links = dict(inventory.links)
    links["link-1"] = replace(links["link-1"], interface=None)
    links["link-2"] = replace(links["link-2"], site=Site(status=SiteStatus.PLANNED))
    report = cycles(poller(replace(inventory, links=links)), bench, 2)[-1]
    assert [(gap.link, gap.reason) for gap in report.gaps] == [(f"link-{n}", GapReason.NO_COUNTERS) for n in (1, 2)]
    assert report.missing == ()


def test_rows_carry_the_limit_in_force_and_uplinks_their_contract(poller: Any, bench: Any) -> None:
    """Usage is judged by the limit of its time: it is written with each row."""
    cycles(poller(), bench, 2)
    assert bench.store.of(LINK_RATE, "link-0")[-1]["down_limit_bps"] == 20_000_000
    assert bench.store.of(UPLINK_RATE, "contract-1")[-1]["up_limit_bps"] == 500_000_000


def test_a_changed_limit_is_history_not_an_overwrite(
    poller: Any, bench: Any, make_inventory: Callable[..., Inventory]
) -> None:  # fmt: skip
    """A limit changed in the configuration is recorded with its time; the rows before keep the old one."""
    cycles(poller(), bench, 2)
    cycles(poller(make_inventory(limit_bps=None)), bench, 1)
    limits = [row["down_limit_bps"] for row in bench.store.of(LINK_RATE, "link-0")]
    assert limits == [20_000_000, 20_000_000, np.inf]
    assert [limit.down for _, limit in bench.state.limits("link-0")] == [20_000_000, None]


def test_an_applied_limit_stays_until_the_configuration_says_something_new(poller: Any, bench: Any) -> None:
    """A limit that was recorded otherwise is in force; a restart under the same configuration does not undo it."""
    poller()
    bench.state.record_limits(bench.clock.now(), {"link-0": PerDirection(down=35_000_000, up=35_000_000)})
    cycles(poller(), bench, 1)
    assert bench.store.of(LINK_RATE, "link-0")[-1]["down_limit_bps"] == 35_000_000
    assert len(bench.state.limits("link-0")) == 2


def test_a_reload_hands_over_baseline_and_waiting_rows(
    poller: Any, bench: Any, make_inventory: Callable[..., Inventory]
) -> None:  # fmt: skip
    """Fault 49's other half: under a new configuration polling goes on between two cycles, no octet twice or left out."""
    old = poller()
    cycles(old, bench, 1)
    bench.store.failing = StoreUnavailable("away")
    cycles(old, bench, 2)
    handover = old.hand_over()
    bench.store.failing = None
    (report,) = cycles(poller(make_inventory(3), handover), bench, 1)
    assert old._collector.closed
    assert [gap.link for gap in report.gaps] == ["link-2"]
    assert len(covered_ms(bench)) == 3


def test_a_state_of_another_version_costs_a_first_reading(poller: Any, bench: Any) -> None:
    """Bytes that cannot be read are said, not guessed at."""
    cycles(poller(), bench, 2)
    bench.state.kept["poller.baseline"] = b"something else"
    running = poller()
    (report,) = cycles(running, bench, 1)
    assert "rate_state_version" in running.restart_problem
    assert {gap.reason for gap in report.gaps} == {GapReason.FIRST_READING}


@pytest.mark.parametrize("step_seconds", [-3600, 3600])
def test_a_stepped_clock_overwrites_no_row(poller: Any, bench: Any, step_seconds: int) -> None:
    """Faults 15, 16 and 59: an hour back or forth: no row replaces another, and the rate is the device clock's."""
    running = poller()
    cycles(running, bench, 3)
    bench.clock.step(step_seconds)
    cycles(running, bench, 3)
    rows = bench.store.of(LINK_RATE, "link-0")
    assert len(rows) == 6
    assert all(row["down_bps"] == pytest.approx(BPS) for row in rows if row["reason"] == 0)
    assert sum(row["reason"] == 0 for row in rows) >= 4
