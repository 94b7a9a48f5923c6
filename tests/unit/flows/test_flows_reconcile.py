"""Counters against flows: what is normal, what is a finding, and which cause is named."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bwmgr.measure.columns import FLOW_SUM, RATE, RateBatch
from bwmgr.measure.reconcile import (
    FINDING_RATIO,
    HOUR_MS,
    Cause,
    Comparison,
    Hourly,
    Verdict,
    counter_hours,
    flow_hours,
    reconcile,
)
from bwmgr.model.inventory import Direction
from bwmgr.model.samples import GapReason

START_MS = 1_772_409_600_000
MEGABYTE = 1_000_000


def hourly(down: float, up: float, *, packet: float = 800, scaled: bool = False, coverage: float = 1.0) -> Hourly:
    """One link and hour."""
    octets = np.array([[[down], [up]]])
    return Hourly(
        octets=octets,
        packets=octets / packet,
        seconds=np.full((1, 2, 1), 3600 * coverage),
        scaled=np.full((1, 2, 1), scaled),
    )


def compared(counters: Hourly, flows: Hourly, unattributed: float = 0) -> Mapping[Direction, Comparison]:
    found = reconcile(["dinkes"], START_MS, counters, flows, np.array([unattributed]))
    return {one.direction: one for one in found}


def test_frames_explain_that_flows_are_less() -> None:
    """Flows of 800-octet packets on an Ethernet that counts 826 octets each agree."""
    counted = hourly(826 * MEGABYTE, 82.6 * MEGABYTE)
    found = compared(counted, hourly(800 * MEGABYTE, 80 * MEGABYTE))
    assert {one.verdict for one in found.values()} == {Verdict.AGREES}
    assert found[Direction.DOWN].ratio == pytest.approx(800 / 826)


def test_small_packets_may_be_a_quarter_less() -> None:
    """Voice of 80-octet packets loses 26 octets of frame each: a quarter, and nothing is wrong."""
    found = compared(hourly(106 * MEGABYTE, 106 * MEGABYTE), hourly(80 * MEGABYTE, 80 * MEGABYTE, packet=80))
    assert found[Direction.DOWN].verdict is Verdict.AGREES


@pytest.mark.parametrize("rate", [2, 10, 100, 512, 1000, 2048])
def test_missing_sampling_is_named_with_its_rate(rate: int) -> None:
    """fault 37: flows that are 1/N of the counters in both directions, with N a usual rate: sampling that nobody told us."""
    counted, seen = 826 * 20_000, 800 * 20_000
    found = compared(hourly(counted * rate, counted * rate / 4), hourly(seen, seen / 4))
    assert [(one.cause, one.sampling) for one in found.values()] == [(Cause.SAMPLING_MISSING, rate)] * 2


def test_one_direction_missing_is_asymmetric_export() -> None:
    """Downloads agree and uploads have no flows: the router exports one side only."""
    found = compared(hourly(826 * MEGABYTE, 80 * MEGABYTE), hourly(800 * MEGABYTE, 0))
    assert found[Direction.DOWN].verdict is Verdict.AGREES
    assert found[Direction.UP].cause is Cause.ASYMMETRIC_EXPORT


def test_flows_of_no_link_point_to_the_networks() -> None:
    """Where as much traffic belongs to no link as this one misses, its networks are wrong."""
    found = compared(hourly(800 * MEGABYTE, 80 * MEGABYTE), hourly(0, 0), unattributed=850 * MEGABYTE)
    assert {one.cause for one in found.values()} == {Cause.WRONG_NETWORKS}


def test_nothing_exported() -> None:
    """Counters run and no flow comes."""
    found = compared(hourly(800 * MEGABYTE, 80 * MEGABYTE), hourly(0, 0))
    assert {one.cause for one in found.values()} == {Cause.NO_FLOWS}


def test_a_part_missing_in_both_directions_is_offload() -> None:
    """Neither a usual sampling rate nor a missing side: fast paths take flows away."""
    found = compared(hourly(800 * MEGABYTE, 800 * MEGABYTE), hourly(280 * MEGABYTE, 450 * MEGABYTE))
    assert {one.cause for one in found.values()} == {Cause.HARDWARE_OFFLOAD}


def test_more_flows_than_octets() -> None:
    """Twice the octets: two routers see the traffic, or it is scaled wrongly."""
    found = compared(hourly(400 * MEGABYTE, 400 * MEGABYTE), hourly(800 * MEGABYTE, 800 * MEGABYTE, scaled=True))
    assert {one.cause for one in found.values()} == {Cause.COUNTED_TWICE}


@pytest.mark.parametrize("counters", [hourly(900_000, 900_000), hourly(800e6, 800e6, coverage=0.5)])
def test_little_proves_nothing(counters: Hourly) -> None:
    """Less than a megabyte, or half an hour without a reading: no verdict."""
    assert {one.verdict for one in compared(counters, hourly(0, 0)).values()} == {Verdict.UNKNOWN}


@given(
    counted=st.floats(1e6, 1e15),
    packet=st.floats(40, 1500),
    frame=st.floats(0, 30),
    share=st.floats(0.9, 1.0),
)
def test_whatever_frames_can_explain_is_no_finding(counted: float, packet: float, frame: float, share: float) -> None:
    """Property: flows of the same packets without any frame of up to 30 octets, a tenth missing, are never called different."""
    seen = counted * share * packet / (packet + frame)
    found = compared(hourly(counted, counted), hourly(seen, seen, packet=packet))
    assert Verdict.DIFFERS not in {one.verdict for one in found.values()}


@given(
    counted=st.tuples(st.floats(1e6, 1e14), st.floats(1e6, 1e14)),
    ratio=st.tuples(st.floats(0, 10), st.floats(0, 10)),
    stray=st.floats(0, 1e14),
)
def test_a_finding_has_a_cause_and_nothing_else_has(
    counted: tuple[float, float], ratio: tuple[float, float], stray: float
) -> None:
    """Property: beyond 30 % there is a cause; a rate comes with missing sampling alone; the scale changes no verdict."""
    seen = counted[0] * ratio[0], counted[1] * ratio[1]
    found = compared(hourly(*counted), hourly(*seen), stray)
    larger = compared(hourly(counted[0] * 7, counted[1] * 7), hourly(seen[0] * 7, seen[1] * 7), stray * 7)
    for direction, one in found.items():
        assert (one.verdict is Verdict.DIFFERS) == (one.cause is not Cause.NONE)
        assert bool(one.sampling) == (one.cause is Cause.SAMPLING_MISSING)
        if one.ratio is not None and one.ratio > 1 + FINDING_RATIO + 1e-6:
            assert one.cause is Cause.COUNTED_TWICE
        assert larger[direction].verdict is one.verdict


def rates(*rows: tuple[int, int, float]) -> RateBatch:
    """Rows of link `a`: end after START_MS in s, interval in s, both directions' bit/s."""
    made = np.zeros(len(rows), RATE)
    for row, (end, interval, bps) in zip(made, rows, strict=True):
        row["end_ms"], row["interval_ticks"] = START_MS + end * 1000, interval * 100
        row["down_bps"] = row["up_bps"] = bps
    return RateBatch(series=("a",), rows=made)


def test_an_interval_over_the_hour_is_shared_out() -> None:
    """300 s that end 60 s after the hour: a fifth of the octets is the new hour's, and its seconds too."""
    found = counter_hours([rates((3660, 300, 8000.0))], ["a"], START_MS, 2)
    assert found.octets[0, 0].tolist() == [240_000, 60_000]
    assert found.seconds[0, 1].tolist() == [240, 60]


def test_gaps_and_foreign_series_are_left_out() -> None:
    """A row with a reason, a row of another link and an interval of two hours count for nothing."""
    batch = rates((60, 60, 8000.0), (120, 60, 8000.0), (7200, 7200, 8000.0))
    batch.rows["reason"][1] = GapReason.TIMEOUT
    foreign = RateBatch(series=("b",), rows=rates((60, 60, 1e9)).rows)
    found = counter_hours([batch, foreign], ["a"], START_MS, 2)
    assert found.octets.sum() == 2 * 60_000


def test_flow_series_are_added_up_by_link_and_direction() -> None:
    """All applications and classes of a link count together; a minute belongs to the hour in which it ends."""
    made = np.zeros(4, FLOW_SUM)
    made["series"], made["octets"], made["packets"] = [0, 1, 2, 3], [1000, 200, 30, 4], 1
    made["end_ms"] = START_MS + np.array([60_000, HOUR_MS, HOUR_MS + 60_000, 60_000])
    made["sampled"] = [0, 1, 0, 0]
    series = ("a|down|https|domestic", "a|down|unknown|international", "a|up|https|domestic", "other|up|https|domestic")
    found = flow_hours([RateBatch(series=series, rows=made)], ["a"], START_MS, 2)
    assert found.octets[0].tolist() == [[1200, 0], [0, 30]]
    assert found.scaled[0].tolist() == [[True, False], [False, False]]


def test_an_octet_is_counted_once_whatever_the_cut() -> None:
    """Property by example: hours cut anywhere add up to the same octets."""
    batch = rates(*((60 * minute, 60, 1e6 * minute) for minute in range(1, 300)))
    whole = counter_hours([batch], ["a"], START_MS, 5).octets.sum()
    shifted = counter_hours([batch], ["a"], START_MS - 1_234_567, 6).octets.sum()
    assert whole == pytest.approx(shifted)
