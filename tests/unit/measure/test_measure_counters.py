"""Two readings make a rate, or a gap that says why not: every case by its name."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bwmgr.measure.counters import baseline_after, line_speed_bps, longest_interval_seconds, rate_between
from bwmgr.model.samples import CounterSample, Gap, GapReason, Quality, Rate

AT = datetime(2026, 3, 2, 1, tzinfo=UTC)
HOUR_TICKS = 360_000
BEFORE = CounterSample(
    at=AT,
    sys_uptime_ticks=100 * HOUR_TICKS,
    discontinuity_ticks=0,
    in_octets=5_000_000,
    out_octets=90_000_000,
    oper_up=True,
    if_high_speed_mbps=1000,
)


def after(seconds: float = 60.0, in_octets: int = 0, out_octets: int = 0, **changes: object) -> CounterSample:
    """The reading `seconds` later by both clocks, with so many octets more."""
    later = replace(
        BEFORE,
        at=AT + timedelta(seconds=seconds),
        sys_uptime_ticks=(BEFORE.sys_uptime_ticks + round(seconds * 100)) % 2**32,
        in_octets=BEFORE.in_octets + in_octets,
        out_octets=BEFORE.out_octets + out_octets,
    )
    return replace(later, **changes)  # type: ignore[arg-type]


def rate(previous: CounterSample | None, current: CounterSample, **options: float) -> Rate:
    outcome = rate_between(previous, current, **options)
    assert isinstance(outcome, Rate), outcome
    return outcome


def reason(previous: CounterSample | None, current: CounterSample, **options: float) -> GapReason:
    outcome = rate_between(previous, current, **options)
    assert isinstance(outcome, Gap), outcome
    assert outcome.end == current.at
    return outcome.reason


def test_two_readings_make_a_rate_by_the_devices_clock() -> None:
    """Octets x 8 over the difference of sysUpTime; the end is the later reading's time."""
    outcome = rate(BEFORE, after(60, in_octets=7_500_000, out_octets=15_000_000))
    assert outcome == Rate(end=AT + timedelta(seconds=60), interval_ticks=6000, in_bps=1e6, out_bps=2e6)


def test_a_reply_that_was_retried_does_not_stretch_the_interval() -> None:
    """fault 12: a reply that came a second late by our clock has the interval that the device's own clock says."""
    late = after(60, out_octets=7_500_000, at=AT + timedelta(seconds=61))
    assert rate(BEFORE, late).out_bps == 1e6


def test_first_reading() -> None:
    """fault 8: a single value has no meaning."""
    assert reason(None, BEFORE) is GapReason.FIRST_READING


def test_counter32_wrap() -> None:
    """fault 1: 4294967000 -> 704 is 1000 octets."""
    old = replace(BEFORE, counter_bits=32, in_octets=4_294_967_000, out_octets=0, if_high_speed_mbps=100)
    new = after(60, counter_bits=32, if_high_speed_mbps=100)
    outcome = rate(old, replace(new, in_octets=704, out_octets=0))
    assert outcome.in_bps == 1000 * 8 / 60
    assert outcome.quality is Quality.COUNTER32


@pytest.mark.parametrize(
    ("speed_mbps", "seconds", "ambiguous"), [(572, 60, False), (573, 60, True), (114, 300, False), (115, 300, True)]
)
def test_ambiguous_wrap(speed_mbps: int, seconds: int, ambiguous: bool) -> None:
    """fault 2: 32 bits that the line could fill within the interval give no rate, however small the difference."""
    old = replace(BEFORE, counter_bits=32, if_high_speed_mbps=speed_mbps)
    new = after(seconds, out_octets=1000, counter_bits=32, if_high_speed_mbps=speed_mbps)
    outcome = rate_between(old, new)
    assert isinstance(outcome, Gap) == ambiguous
    if isinstance(outcome, Gap):
        assert outcome.reason is GapReason.AMBIGUOUS_WRAP


def test_counter32_wrap_of_an_snmpv1_device_that_knows_no_speed() -> None:
    """Without any speed 100 Mbit/s is assumed for wraps: a Counter32 at 60 s is believed."""
    old = replace(BEFORE, counter_bits=32, in_octets=2**32 - 500, if_high_speed_mbps=0)
    new = replace(after(60, counter_bits=32, if_high_speed_mbps=0), in_octets=500)
    assert rate(old, new).in_bps == 1000 * 8 / 60


def test_counter64_near_its_top() -> None:
    """A Counter64 that wraps within what the line carries in an interval did wrap."""
    old = replace(BEFORE, out_octets=2**64 - 1_000_000)
    outcome = rate(old, replace(after(60), out_octets=500_000))
    assert outcome.out_bps == pytest.approx(1_500_000 * 8 / 60)


def test_counter64_near_its_top_of_an_unknown_speed() -> None:
    """Where no speed is known, a wrap of 64 bits is believed up to 100 Mbit/s, and no further."""
    old = replace(BEFORE, out_octets=2**64 - 1_000_000, if_high_speed_mbps=0)
    new = replace(after(60, if_high_speed_mbps=0), out_octets=500_000)
    assert rate(old, new).out_bps == pytest.approx(1_500_000 * 8 / 60)
    assert reason(old, replace(new, out_octets=10**9)) is GapReason.RESET


def test_counter_going_backwards() -> None:
    """fault 3: a Counter64 that decreases is a reset and never a wrap; the new reading is the baseline."""
    fallen = after(60, in_octets=-1000)
    outcome = rate_between(BEFORE, fallen)
    assert reason(BEFORE, fallen) is GapReason.RESET
    assert baseline_after(BEFORE, fallen, outcome) == fallen


def test_reboot() -> None:
    """fault 4: sysUpTime fell and that is no wrap of its own: a gap, whatever the counters say, and a new baseline."""
    restarted = after(60, sys_uptime_ticks=2000, in_octets=10**9, out_octets=10**9)
    outcome = rate_between(BEFORE, restarted)
    assert reason(BEFORE, restarted) is GapReason.REBOOT
    assert baseline_after(BEFORE, restarted, outcome) == restarted


def test_reboot_during_a_long_silence() -> None:
    """A device that has been up for less than the silence started in it, though its uptime is above the old one."""
    young = replace(BEFORE, sys_uptime_ticks=1000)
    returned = after(7200, sys_uptime_ticks=5000 * 100, out_octets=10)
    assert reason(young, returned) is GapReason.REBOOT


def test_sys_uptime_wraps_after_497_days() -> None:
    """fault 5: sysUpTime falls, but went on by what elapsed modulo 2^32, within 5 s: an ordinary rate."""
    old = replace(BEFORE, sys_uptime_ticks=2**32 - 2000)
    new = after(60, out_octets=7_500_000, sys_uptime_ticks=4000, at=AT + timedelta(seconds=64))
    assert rate(old, new) == Rate(end=new.at, interval_ticks=6000, in_bps=0.0, out_bps=1e6)
    beyond = replace(new, at=AT + timedelta(seconds=66))
    assert reason(old, beyond) is GapReason.REBOOT


def test_discontinuity() -> None:
    """fault 6: another ifCounterDiscontinuityTime is another epoch of this interface's counters."""
    assert reason(BEFORE, after(60, out_octets=100, discontinuity_ticks=500)) is GapReason.DISCONTINUITY


def test_a_discontinuity_time_that_is_absent_or_zero_is_no_error() -> None:
    """fault 7: agents without it, or that always say 0, give rates; the other rules hold."""
    absent = replace(BEFORE, discontinuity_ticks=None)
    assert rate(absent, after(60, out_octets=7_500_000)).out_bps == 1e6
    assert rate(BEFORE, after(60, out_octets=7_500_000, discontinuity_ticks=None)).out_bps == 1e6
    assert reason(absent, after(60, in_octets=-1, discontinuity_ticks=None)) is GapReason.RESET


def test_counters_of_another_width_are_another_epoch() -> None:
    """A device that answers with Counter32 where it had Counter64 (or back) cannot be compared over the change."""
    assert reason(BEFORE, after(60, counter_bits=32, if_high_speed_mbps=100)) is GapReason.DISCONTINUITY


def test_zeroed_counters_without_a_reboot() -> None:
    """fault 9: zeros are a reset and keep the baseline; when the old values return there is no spike, and no octet is lost."""
    zeroed = after(60, in_octets=-BEFORE.in_octets, out_octets=-BEFORE.out_octets)
    outcome = rate_between(BEFORE, zeroed)
    assert reason(BEFORE, zeroed) is GapReason.RESET
    kept = baseline_after(BEFORE, zeroed, outcome)
    assert kept == BEFORE
    assert rate(kept, after(120, out_octets=15_000_000)).out_bps == 1e6


def test_counters_that_return_from_zero_after_a_new_baseline_do_not_spike() -> None:
    """fault 9: zeros taken for the baseline, then 10^15 octets: implausible, also where no speed is known."""
    zero = replace(BEFORE, in_octets=0, out_octets=0)
    back = replace(after(60), in_octets=10**15, out_octets=10**15)
    assert reason(zero, back) is GapReason.IMPLAUSIBLE
    unknown = replace(zero, if_high_speed_mbps=0), replace(back, if_high_speed_mbps=0)
    assert reason(*unknown) is GapReason.IMPLAUSIBLE


def test_a_rate_above_line_speed() -> None:
    """fault 14: more than 1.1 x ifHighSpeed is dropped; up to that it is believed."""
    line_octets = 1_000_000_000 * 60 // 8
    assert reason(BEFORE, after(60, in_octets=line_octets * 111 // 100)) is GapReason.IMPLAUSIBLE
    assert rate(BEFORE, after(60, in_octets=line_octets * 109 // 100)).in_bps == pytest.approx(1.09e9)


def test_a_rate_above_the_speed_of_a_line_just_slowed_down_is_believed() -> None:
    """A port that renegotiated from 1000 to 100 Mbit/s carried the interval's octets at its old speed."""
    assert rate(BEFORE, after(60, in_octets=3 * 10**9, if_high_speed_mbps=100)).in_bps == pytest.approx(4e8)


@pytest.mark.parametrize(
    ("if_high_speed_mbps", "if_speed_bps", "capacity_bps", "expected"),
    [
        (1000, 4_294_967_295, 5e6, 1e9),
        (10_000, 0, 0.0, 1e10),
        (0, 2_048_000, 5e6, 2_048_000.0),
        (0, 4_294_967_295, 0.0, 0.0),
        (0, 4_294_967_295, 5e6, 5e6),
        (0, 0, 5e6, 5e6),
        (0, 0, 0.0, 0.0),
    ],
)
def test_line_speed(if_high_speed_mbps: int, if_speed_bps: int, capacity_bps: float, expected: float) -> None:
    """fault 18, 19: ifHighSpeed, or ifSpeed where that is 0 (4294967295: look at ifHighSpeed), or the configured; 0: unknown."""
    sample = replace(BEFORE, if_high_speed_mbps=if_high_speed_mbps, if_speed_bps=if_speed_bps)
    assert line_speed_bps(sample, capacity_bps) == expected


def test_an_unknown_speed_lets_any_counter64_rate_pass() -> None:
    """fault 19: without a speed there is no division by zero and nothing to judge by; the configured capacity judges."""
    old, new = (replace(each, if_high_speed_mbps=0) for each in (BEFORE, after(60, out_octets=10**12)))
    assert rate(old, new).out_bps == pytest.approx(10**12 * 8 / 60)
    assert reason(old, new, capacity_bps=1e9) is GapReason.IMPLAUSIBLE


def test_a_duplicate_reading() -> None:
    """fault 13: the same reading again is stale and keeps the baseline, so the next rate is whole."""
    again = after(0)
    outcome = rate_between(BEFORE, again)
    assert reason(BEFORE, again) is GapReason.STALE
    assert baseline_after(BEFORE, again, outcome) == BEFORE


def test_an_out_of_order_reading() -> None:
    """fault 12: an older reading that comes late is stale, neither a reboot nor a reset, and keeps the baseline."""
    newer = after(60, in_octets=500)
    assert reason(newer, BEFORE) is GapReason.STALE
    assert baseline_after(newer, BEFORE, rate_between(newer, BEFORE)) == newer


@pytest.mark.parametrize("step", [timedelta(hours=1), timedelta(hours=-1), timedelta(seconds=-60), timedelta(seconds=-90)])
def test_ntp_step_on_our_side(step: timedelta) -> None:
    """fault 15, 16: a step of our clock either way changes nothing: the device's clock gives the interval."""
    stepped = after(60, out_octets=7_500_000, at=AT + timedelta(seconds=60) + step)
    outcome = rate(BEFORE, stepped)
    assert (outcome.interval_ticks, outcome.out_bps) == (6000, 1e6)


def test_a_leap_second_that_repeats() -> None:
    """fault 59: our clock shows the same second twice; the interval stays above zero."""
    assert rate(BEFORE, after(1, at=AT, out_octets=125_000)).out_bps == 1e6


def test_link_down_is_a_rate_of_zero() -> None:
    """A link that is down and counts nothing has a rate of 0, marked OPER_DOWN: that is a fact, not a gap."""
    outcome = rate(BEFORE, after(60, oper_up=False))
    assert (outcome.in_bps, outcome.out_bps, outcome.quality) == (0.0, 0.0, Quality.OPER_DOWN)


def test_silence_longer_than_a_rate_may_cover() -> None:
    """After lost polls the rate covers them; after a longer outage nobody knows when the octets went by."""
    assert rate(BEFORE, after(900, out_octets=112_500_000)).out_bps == 1e6
    assert reason(BEFORE, after(901)) is GapReason.FIRST_READING
    assert longest_interval_seconds(60) == 900.0
    assert longest_interval_seconds(600) == 1800.0
