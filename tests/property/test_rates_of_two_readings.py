"""What holds of any two readings, and that the columns say what the definition says."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bwmgr.measure.columns import readings
from bwmgr.measure.counters import TICKS_PER_SECOND, baseline_after, rate_between
from bwmgr.measure.rates import rates
from bwmgr.model.samples import CounterSample, Gap, GapReason, Quality, Rate

AT = datetime(2026, 3, 2, 1, tzinfo=UTC)
TOP32, TOP64 = 2**32, 2**64


def near(*values: int, top: int) -> st.SearchStrategy[int]:
    """Numbers anywhere below `top`, often close to one of `values` or to the ends."""
    close = [st.integers(max(value - 10**7, 0), min(value + 10**7, top - 1)) for value in (0, top - 1, *values)]
    return st.one_of(*close, st.integers(0, top - 1))


@st.composite
def samples(draw: st.DrawFn) -> CounterSample:
    bits = draw(st.sampled_from((32, 64, 64)))
    return CounterSample(
        at=AT + timedelta(milliseconds=draw(st.integers(-(10**7), 10**7))),
        sys_uptime_ticks=draw(near(10**6, top=TOP32)),
        discontinuity_ticks=draw(st.sampled_from((None, 0, 77))),
        counter_bits=bits,
        in_octets=draw(near(10**8, top=2**bits)),
        out_octets=draw(near(10**8, top=2**bits)),
        oper_up=draw(st.sampled_from((None, True, False))),
        if_high_speed_mbps=draw(st.sampled_from((0, 10, 1000, 100_000))),
        if_speed_bps=draw(st.sampled_from((0, 64_000, 10**9, TOP32 - 1))),
    )


@st.composite
def pairs(draw: st.DrawFn) -> tuple[CounterSample, CounterSample]:
    """Any two readings, or a reading and what it may have become a while later, clocks and counters a little off."""
    first, second = draw(samples()), draw(samples())
    if draw(st.booleans()):
        return first, second
    ticks = draw(st.integers(-100, 10**5))
    modulus = 2**first.counter_bits
    follower = replace(
        first,
        at=first.at + timedelta(milliseconds=ticks * 10 + draw(st.sampled_from((0, 700, -4900, 5200, -3_600_000, 3_600_000)))),
        sys_uptime_ticks=(first.sys_uptime_ticks + ticks) % TOP32,
        in_octets=(first.in_octets + draw(st.integers(-1000, 10**9))) % modulus,
        out_octets=(first.out_octets + draw(st.integers(0, 10**9))) % modulus,
        discontinuity_ticks=draw(st.sampled_from((first.discontinuity_ticks, second.discontinuity_ticks))),
        oper_up=second.oper_up,
        if_high_speed_mbps=draw(st.sampled_from((first.if_high_speed_mbps, second.if_high_speed_mbps))),
    )
    zeroed = replace(follower, in_octets=0, out_octets=0)
    return first, draw(st.sampled_from((follower, follower, follower, zeroed)))


@given(pairs(), st.sampled_from((0.0, 1e7, 1e9)))
def test_a_rate_is_never_negative_and_its_interval_never_empty(
    pair: tuple[CounterSample, CounterSample], capacity: float
) -> None:
    """Whatever was read, a rate is finite and not below 0, over an interval above 0 and within the longest one."""
    outcome = rate_between(*pair, capacity_bps=capacity)
    if isinstance(outcome, Rate):
        assert 0 <= outcome.in_bps < float("inf")
        assert 0 <= outcome.out_bps < float("inf")
        assert 0 < outcome.interval_ticks <= 900 * TICKS_PER_SECOND


@given(st.lists(st.tuples(pairs(), st.sampled_from((0.0, 1e7, 1e9))), min_size=1, max_size=20))
def test_columns_say_what_the_definition_says(cycle: list[tuple[tuple[CounterSample, CounterSample], float]]) -> None:
    """`rates` gives for a cycle, row by row, what `rate_between` and `baseline_after` give for each pair of readings."""
    before, current = readings([pair[0] for pair, _ in cycle]), readings([pair[1] for pair, _ in cycle])
    capacity = np.array([each for _, each in cycle])
    provider = np.ones(len(cycle), bool)
    found = rates(before, current, faces_provider=provider, limits=np.full((len(cycle), 2), np.inf), capacity_bps=capacity)
    for position, ((old, new), capacity_bps) in enumerate(cycle):
        outcome = rate_between(old, new, capacity_bps=capacity_bps)
        row = found.rows[position]
        if isinstance(outcome, Gap):
            assert GapReason(row["reason"]) is outcome.reason
            assert np.isnan([row["down_bps"], row["up_bps"]]).all()
        else:
            assert GapReason(row["reason"]) is GapReason.NONE
            assert (row["down_bps"], row["up_bps"]) == (outcome.in_bps, outcome.out_bps)
            assert row["interval_ticks"] == outcome.interval_ticks
            assert Quality(int(row["quality"])) & ~Quality.PARTIAL == outcome.quality
        kept = baseline_after(old, new, outcome)
        assert (found.baseline[position]["in_octets"], found.baseline[position]["at_ms"]) == (
            kept.in_octets,
            readings([kept])[0]["at_ms"],
        )


STEADY = CounterSample(
    at=AT, sys_uptime_ticks=5 * 10**6, in_octets=0, out_octets=1, counter_bits=32, oper_up=True, if_high_speed_mbps=100
)
octets = st.integers(0, 10**8)
intervals = st.integers(1_000, 17_000)  # ticks: 10^8 octets are below line speed, and two intervals cannot fill 32 bits


def later(sample: CounterSample, ticks: int, in_octets: int) -> CounterSample:
    return replace(
        sample,
        at=sample.at + timedelta(milliseconds=ticks * 10),
        sys_uptime_ticks=(sample.sys_uptime_ticks + ticks) % TOP32,
        in_octets=(sample.in_octets + in_octets) % 2**sample.counter_bits,
    )


def carried(previous: CounterSample, current: CounterSample) -> int:
    outcome = rate_between(previous, current)
    assert isinstance(outcome, Rate)
    return round(outcome.in_bps * outcome.interval_ticks / (8 * TICKS_PER_SECOND))


@given(octets, octets, intervals, intervals, near(10**9, top=TOP32), near(10**9, top=TOP32))
def test_octets_add_up_over_adjacent_intervals(first: int, second: int, t1: int, t2: int, counter: int, uptime: int) -> None:
    """What two adjacent intervals carried is what the interval over both carried, across wraps of counter and uptime."""
    start = replace(STEADY, in_octets=counter, sys_uptime_ticks=uptime)
    middle = later(start, t1, first)
    end = later(middle, t2, second)
    assert carried(start, middle) + carried(middle, end) == carried(start, end) == first + second


@given(octets, intervals, st.sampled_from((32, 64)), st.integers(1, 10**8))
def test_wrap_and_no_wrap_agree(moved: int, ticks: int, bits: int, below_top: int) -> None:
    """The same octets in the same time are the same rate, whether the counter wrapped on the way or not."""
    low = replace(STEADY, counter_bits=bits, in_octets=10**9)
    high = replace(low, in_octets=2**bits - below_top)
    assert rate_between(low, later(low, ticks, moved)) == rate_between(high, later(high, ticks, moved))
