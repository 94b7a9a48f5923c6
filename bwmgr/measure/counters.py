"""Two readings of one interface make a rate, or a gap that says why not: the definition, one reading at a time.

Owns the rules, written to be read; `bwmgr.measure.rates` does the same for a whole cycle in columns, and a property test
holds the two together. Does not own what only a sequence shows (a stuck counter): that is `bwmgr.measure.keeper`.

Which evidence wins, the device's sysUpTime or our wall clock (which NTP may step)? "Elapsed" is ours, "forward" is the
uptime's difference modulo 2^32, and they match within 5 s + 0.5 %:

=================  ===========================================  ==============================================
sysUpTime          our clock                                    verdict
=================  ===========================================  ==============================================
grew               matches                                      rate over forward
grew               stepped back, or elapsed is less             rate over forward: a reboot cannot raise uptime
grew               elapsed is more, uptime > elapsed            rate over forward: it was up before the earlier
                                                                reading, so our clock was stepped forward
grew               elapsed is more, uptime <= elapsed           REBOOT: it may have started in between
equal              any but the line above                       STALE: the same reading again
fell               matches forward                              rate: TimeTicks wrap after 497 days
fell               stepped back by as much as uptime fell       STALE: an older reading that came late
fell               anything else                                REBOOT
=================  ===========================================  ==============================================

The price of doubt is one gap: a device that started less than an hour ago loses one interval when NTP steps an hour.
"""

from __future__ import annotations

from datetime import timedelta

from bwmgr.model.samples import CounterSample, Gap, GapReason, Quality, Rate

TICKS_PER_SECOND = 100  # RFC 2578 section 7.1.8: TimeTicks are hundredths of a second
CLOCK_TOLERANCE_MS = 5_000
CLOCK_TOLERANCE_DIVISOR = 200  # and 0.5 % of what elapsed: quartz, and agents that stamp late under load
LINE_RATE_MARGIN = 1.1
"""A counter may show a little more than the line carries: it is refreshed at other moments than sysUpTime."""
SPEED_ELSEWHERE_BPS = 4_294_967_295
"""ifSpeed's largest value says: look at ifHighSpeed (RFC 2863 section 3.1.6)."""
ASSUMED_SPEED_BPS = 100e6
"""Where nothing tells the speed: for deciding whether 32 bits can wrap twice, and what to believe of a counter near its ends.

RFC 2863 section 3.1.6 asks for 64-bit octets above 20 Mbit/s already, but SNMPv1 cannot carry them on any line.
"""
LONGEST_INTERVAL_SECONDS = 900.0


def longest_interval_seconds(polling_seconds: float) -> float:
    """The longest time that one rate may cover: three polls, but at least 15 minutes.

    After a lost poll or two the octets are still known, so the rate covers them; a mean over a longer outage would claim
    to know when in it the octets went by.
    """
    return max(3 * polling_seconds, LONGEST_INTERVAL_SECONDS)


def rate_between(
    previous: CounterSample | None,
    current: CounterSample,
    *,
    max_interval_seconds: float = LONGEST_INTERVAL_SECONDS,
    capacity_bps: float = 0.0,
) -> Rate | Gap:
    """The mean rates between two readings of one interface, or the reason why they cannot be known.

    `capacity_bps` is the configured line rate, used only where the device tells none; 0: unknown. An interval above
    `max_interval_seconds` counts as no earlier reading. Never negative; over adjacent intervals octets add up.
    """
    if previous is None:
        return Gap(end=current.at, reason=GapReason.FIRST_READING)
    reason = _clock_gap(previous, current, max_interval_seconds) or _counter_gap(previous, current, capacity_bps)
    if reason:
        return Gap(end=current.at, reason=reason)
    ticks = uptime_forward_ticks(previous, current)
    in_octets, out_octets = _deltas(previous, current)
    return Rate(
        end=current.at,
        interval_ticks=ticks,
        in_bps=in_octets * 8 * TICKS_PER_SECOND / ticks,
        out_bps=out_octets * 8 * TICKS_PER_SECOND / ticks,
        quality=_quality(current),
    )


def baseline_after(previous: CounterSample | None, current: CounterSample, outcome: Rate | Gap) -> CounterSample:
    """The reading to compare the next one with.

    The earlier one stays after a stale reading, and after one of nothing but zeros: an agent that answers zeros for a
    while and then its old values again has lost nothing, and must not show all it ever counted as one interval.
    """
    if previous is None or isinstance(outcome, Rate):
        return current
    zeroed = outcome.reason is GapReason.RESET and not (current.in_octets or current.out_octets)
    return previous if outcome.reason is GapReason.STALE or zeroed else current


def line_speed_bps(sample: CounterSample, capacity_bps: float = 0.0) -> float:
    """ifHighSpeed, or ifSpeed where that is 0 (RFC 2863 section 3.1.6), or the configured capacity; 0: unknown."""
    if sample.if_high_speed_mbps:
        return sample.if_high_speed_mbps * 1e6
    if sample.if_speed_bps and sample.if_speed_bps != SPEED_ELSEWHERE_BPS:
        return float(sample.if_speed_bps)
    return capacity_bps


def uptime_forward_ticks(previous: CounterSample, current: CounterSample) -> int:
    """How far the device's clock went on, modulo 2^32 (RFC 3418 sysUpTime; RFC 2578 section 7.1.8)."""
    return (current.sys_uptime_ticks - previous.sys_uptime_ticks) % 2**32


def _clock_gap(previous: CounterSample, current: CounterSample, max_interval_seconds: float) -> GapReason:
    """What the two clocks forbid: the table above, then the longest interval."""
    elapsed_ms = (current.at - previous.at) // timedelta(milliseconds=1)
    tolerance_ms = CLOCK_TOLERANCE_MS + abs(elapsed_ms) // CLOCK_TOLERANCE_DIVISOR
    forward_ms = uptime_forward_ticks(previous, current) * 10
    if current.sys_uptime_ticks < previous.sys_uptime_ticks:
        fell_ms = (previous.sys_uptime_ticks - current.sys_uptime_ticks) * 10
        if elapsed_ms <= 0 and abs(elapsed_ms + fell_ms) <= tolerance_ms and fell_ms <= max_interval_seconds * 1000:
            return GapReason.STALE
        if abs(elapsed_ms - forward_ms) > tolerance_ms:
            return GapReason.REBOOT
    elif elapsed_ms - forward_ms > tolerance_ms and current.sys_uptime_ticks * 10 <= elapsed_ms + tolerance_ms:
        return GapReason.REBOOT
    if forward_ms == 0:
        return GapReason.STALE
    return GapReason.FIRST_READING if forward_ms > max_interval_seconds * 1000 else GapReason.NONE


def _counter_gap(previous: CounterSample, current: CounterSample, capacity_bps: float) -> GapReason:
    """What the counters forbid, given that the clocks allow a rate."""
    if _other_epoch(previous, current):
        return GapReason.DISCONTINUITY
    if not (current.in_octets or current.out_octets) and (previous.in_octets or previous.out_octets):
        return GapReason.RESET
    # the faster of the two: a line that has just renegotiated downwards carried the octets at its old speed
    speed_bps = max(line_speed_bps(previous, capacity_bps), line_speed_bps(current, capacity_bps))
    ticks = uptime_forward_ticks(previous, current)
    if current.counter_bits == 32 and _line_octets(speed_bps or ASSUMED_SPEED_BPS, ticks) >= 2**32:
        return GapReason.AMBIGUOUS_WRAP
    reasons = (
        _one_counter_gap(previous.in_octets, current.in_octets, current.counter_bits, speed_bps, ticks),
        _one_counter_gap(previous.out_octets, current.out_octets, current.counter_bits, speed_bps, ticks),
    )
    if GapReason.RESET in reasons:
        return GapReason.RESET
    return max(reasons)


def _one_counter_gap(previous: int, current: int, bits: int, speed_bps: float, ticks: int) -> GapReason:
    """RESET: it fell, and a wrap would be more than the line carries; IMPLAUSIBLE: it rose by as much.

    Wraps: RFC 2578 sections 7.1.6 and 7.1.10. A Counter64 that fell is thus a wrap only if it was within one interval's octets of
    2^64. Where no speed is known, a Counter32 may always wrap, while a Counter64 near its top or a counter that leaves zero is
    believed up to the assumed speed.
    """
    fell = current < previous
    if not speed_bps and (bits == 32 or not fell) and previous:
        return GapReason.NONE
    octets = float((current - previous) % 2**bits)
    if octets <= LINE_RATE_MARGIN * _line_octets(speed_bps or ASSUMED_SPEED_BPS, ticks):
        return GapReason.NONE
    return GapReason.RESET if fell else GapReason.IMPLAUSIBLE


def _other_epoch(previous: CounterSample, current: CounterSample) -> bool:
    """Another ifCounterDiscontinuityTime (RFC 2863), or counters of another width. An absent time is no evidence."""
    known = previous.discontinuity_ticks is not None and current.discontinuity_ticks is not None
    discontinuity = known and previous.discontinuity_ticks != current.discontinuity_ticks
    return discontinuity or previous.counter_bits != current.counter_bits


def _line_octets(speed_bps: float, ticks: int) -> float:
    """What a line carries at most in an interval, in octets."""
    return speed_bps * ticks / (8 * TICKS_PER_SECOND)


def _deltas(previous: CounterSample, current: CounterSample) -> tuple[int, int]:
    """(in, out) octets since the earlier reading, modulo the width of the counters."""
    modulus = 2**current.counter_bits
    return (current.in_octets - previous.in_octets) % modulus, (current.out_octets - previous.out_octets) % modulus


def _quality(current: CounterSample) -> Quality:
    quality = Quality.OK
    if current.oper_up is False:
        quality |= Quality.OPER_DOWN
    if current.counter_bits == 32:
        quality |= Quality.COUNTER32
    return quality
