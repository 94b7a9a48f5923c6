"""A cycle's readings against the readings before, all interfaces at once.

Each row means what `bwmgr.measure.counters.rate_between` says of its two readings; the rules and their sources stand there.
This module adds what a column of RATE holds beyond a `Rate`: directions, limits, errors, discards, a time that only grows.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bwmgr.measure.columns import RATE, READING, Present, Rows
from bwmgr.measure.counters import (
    ASSUMED_SPEED_BPS,
    CLOCK_TOLERANCE_DIVISOR,
    CLOCK_TOLERANCE_MS,
    LINE_RATE_MARGIN,
    LONGEST_INTERVAL_SECONDS,
    SPEED_ELSEWHERE_BPS,
    TICKS_PER_SECOND,
)
from bwmgr.model.samples import GapReason, Quality

Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]

INTERFACE_GONE = (
    GapReason.UNRESOLVED,
    GapReason.AMBIGUOUS_NAME,
    GapReason.MISSING,
    GapReason.NO_COUNTERS,
    GapReason.RENUMBERED,
)
"""After these the next reading is of another instance of the interface, so nothing before it can be compared with it."""

# RFC 2863 ifOperStatus
_OPER_UP = 1
_OPER_UNKNOWN = 4

_TIME_STEP_MS = 1_000  # some stores keep whole seconds: rows closer together would overwrite each other there
_WRONG_CLOCK_MS = 86_400_000


class CycleRates(NamedTuple):
    """`rows`: layout RATE, one per interface, in order. `baseline`: layout READING, to compare the next cycle with."""

    rows: Rows
    baseline: Rows


def rates(
    previous: Rows | None,
    current: Rows,
    *,
    faces_provider: Mask,
    limits: Floats,
    series: NDArray[np.uint32] | None = None,
    capacity_bps: Floats | None = None,
    last_end_ms: NDArray[np.int64] | None = None,
    max_interval_seconds: float = LONGEST_INTERVAL_SECONDS,
) -> CycleRates:
    """Rates or gaps of one cycle; all arrays are aligned by interface.

    `previous` is the last cycle's `baseline`; None, or a row with a reason: there is none. `faces_provider`: IN is the
    subscriber's download. `limits` has shape (n, 2), down and up in bit/s, infinity for unlimited. `series` fills that
    column (None: 0, 1, 2 ...). `capacity_bps` is the configured line rate (0: unknown). `last_end_ms`: see `end_times`.
    A reading that failed keeps the baseline, so that the next rate covers both intervals, unless the interface was gone.
    """
    before = no_baseline(len(current)) if previous is None else previous
    capacity = np.zeros(len(current)) if capacity_bps is None else capacity_bps
    ticks = current["sys_uptime_ticks"] - before["sys_uptime_ticks"]  # u4: modulo 2^32
    deltas = _octet_deltas(before, current)
    reason = _reasons(before, current, ticks, deltas, capacity, round(max_interval_seconds * 1000))
    rows = np.zeros(len(current), RATE)
    rows["series"] = np.arange(len(current)) if series is None else series
    rows["reason"] = reason
    rows["end_ms"] = end_times(current["at_ms"], last_end_ms)
    rows["rtt_us"] = current["rtt_us"]
    rows["if_high_speed_mbps"] = _speed_bps(current, np.zeros(len(current))) // 1_000_000
    rows["interval_ticks"] = np.where(reason == 0, ticks, _ticks_since(before, current))
    rows["down_limit_bps"], rows["up_limit_bps"] = limits[:, 0], limits[:, 1]
    _fill_rates(rows, deltas, faces_provider)
    _fill_per_second(rows, before, current, faces_provider)
    rows["quality"] = np.where(reason == 0, _quality(rows, current), 0)
    return CycleRates(rows, np.where(_keeps_baseline(reason, before, current), before, _as_baseline(current)))


def no_baseline(count: int) -> Rows:
    """`count` rows that say: there is no earlier reading."""
    rows = np.zeros(count, READING)
    rows["reason"] = GapReason.FIRST_READING
    return rows


def end_times(at_ms: NDArray[np.int64], last_end_ms: NDArray[np.int64] | None) -> NDArray[np.int64]:
    """The readings' times, each at least a second later than its series' last row, so that no row overwrites an older one.

    After our clock was stepped back, rows therefore stand one second apart until it has caught up; a step of more than a
    day is believed at once, since it can only mean that the clock was wrong before.
    """
    if last_end_ms is None:
        return at_ms.copy()
    return np.where(at_ms < last_end_ms - _WRONG_CLOCK_MS, at_ms, np.maximum(at_ms, last_end_ms + _TIME_STEP_MS))


def oper_up(current: Rows) -> Mask:
    """Rows that say they are up."""
    up: Mask = _present(current, Present.OPER_STATUS) & (current["oper_status"] == _OPER_UP)
    return up


def _present(rows: Rows, column: Present) -> Mask:
    present: Mask = (rows["present"] & np.uint16(column)) != 0
    return present


def _octet_deltas(before: Rows, current: Rows) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """(in, out) octets modulo the counters' width: u8 arithmetic is modulo 2^64 by itself."""
    width = np.where(current["counter_bits"] == 32, np.uint64(2**32 - 1), np.uint64(2**64 - 1))
    return (
        (current["in_octets"] - before["in_octets"]) & width,
        (current["out_octets"] - before["out_octets"]) & width,
    )


def _reasons(
    before: Rows,
    current: Rows,
    ticks: NDArray[np.uint32],
    deltas: tuple[NDArray[np.uint64], NDArray[np.uint64]],
    capacity_bps: Floats,
    max_interval_ms: int,
) -> NDArray[np.uint8]:
    """The first rule that forbids a rate, in the order of `counters`; 0: none does."""
    forward_ms = ticks.astype(np.int64) * 10
    reboot, stale = _clock_evidence(before, current, forward_ms, max_interval_ms)
    speed_bps = np.maximum(_speed_bps(before, capacity_bps), _speed_bps(current, capacity_bps))
    known_or_assumed = np.where(speed_bps > 0, speed_bps, ASSUMED_SPEED_BPS)
    line_octets = known_or_assumed * ticks / (8 * TICKS_PER_SECOND)
    reset, implausible = _beyond_line(before, current, deltas, line_octets, speed_bps > 0)
    return np.select(
        [
            current["reason"] != 0,
            before["reason"] != 0,
            reboot,
            stale,
            forward_ms > max_interval_ms,
            _other_epoch(before, current),
            _zeroed(before, current),
            (current["counter_bits"] == 32) & (line_octets >= 2**32),
            reset,
            implausible,
        ],
        [
            current["reason"],
            np.uint8(GapReason.FIRST_READING),
            np.uint8(GapReason.REBOOT),
            np.uint8(GapReason.STALE),
            np.uint8(GapReason.FIRST_READING),
            np.uint8(GapReason.DISCONTINUITY),
            np.uint8(GapReason.RESET),
            np.uint8(GapReason.AMBIGUOUS_WRAP),
            np.uint8(GapReason.RESET),
            np.uint8(GapReason.IMPLAUSIBLE),
        ],
        default=np.uint8(0),
    ).astype(np.uint8)


def _clock_evidence(before: Rows, current: Rows, forward_ms: NDArray[np.int64], max_interval_ms: int) -> tuple[Mask, Mask]:
    """(reboot, stale) by the table in `counters`."""
    elapsed_ms = current["at_ms"] - before["at_ms"]
    tolerance_ms = CLOCK_TOLERANCE_MS + np.abs(elapsed_ms) // CLOCK_TOLERANCE_DIVISOR
    uptime_ms = current["sys_uptime_ticks"].astype(np.int64) * 10
    fell_ms = before["sys_uptime_ticks"].astype(np.int64) * 10 - uptime_ms
    fell = fell_ms > 0
    overtaken = fell & (elapsed_ms <= 0) & (np.abs(elapsed_ms + fell_ms) <= tolerance_ms) & (fell_ms <= max_interval_ms)
    restarted = ~fell & (elapsed_ms - forward_ms > tolerance_ms) & (uptime_ms <= elapsed_ms + tolerance_ms)
    reboot = (fell & ~overtaken & (np.abs(elapsed_ms - forward_ms) > tolerance_ms)) | restarted
    return reboot, overtaken | (forward_ms == 0)


def _speed_bps(rows: Rows, capacity_bps: Floats) -> Floats:
    """As `counters.line_speed_bps`."""
    if_speed = np.where(rows["if_speed_bps"] == SPEED_ELSEWHERE_BPS, 0, rows["if_speed_bps"])
    by_high_speed = rows["if_high_speed_mbps"] * 1e6
    return np.where(by_high_speed > 0, by_high_speed, np.where(if_speed > 0, if_speed, capacity_bps))


def _beyond_line(
    before: Rows,
    current: Rows,
    deltas: tuple[NDArray[np.uint64], NDArray[np.uint64]],
    line_octets: Floats,
    speed_known: Mask,
) -> tuple[Mask, Mask]:
    """(reset, implausible) as `counters._one_counter_gap` says of either counter."""
    reset = implausible = np.zeros(len(current), np.bool_)
    for counter, octets in zip(("in_octets", "out_octets"), deltas, strict=True):
        fell = current[counter] < before[counter]
        exempt = ~speed_known & ((current["counter_bits"] == 32) | ~fell) & (before[counter] != 0)
        beyond = ~exempt & (octets > LINE_RATE_MARGIN * line_octets)
        reset, implausible = reset | (beyond & fell), implausible | (beyond & ~fell)
    return reset, implausible


def _other_epoch(before: Rows, current: Rows) -> Mask:
    known = _present(before, Present.DISCONTINUITY) & _present(current, Present.DISCONTINUITY)
    discontinuity = known & (before["discontinuity_ticks"] != current["discontinuity_ticks"])
    other: Mask = discontinuity | (before["counter_bits"] != current["counter_bits"])
    return other


def _zeroed(before: Rows, current: Rows) -> Mask:
    return _all_zero(current) & ~_all_zero(before)


def _all_zero(rows: Rows) -> Mask:
    zero: Mask = (rows["in_octets"] == 0) & (rows["out_octets"] == 0)
    return zero


def _ticks_since(before: Rows, current: Rows) -> NDArray[np.int64]:
    """Time since the last reading by our clock, for gaps; 0 where there is none or the clock was stepped back."""
    ticks = np.clip((current["at_ms"] - before["at_ms"]) // 10, 0, 2**32 - 1)
    return np.where(before["reason"] == 0, ticks, 0)


def _fill_rates(rows: Rows, deltas: tuple[NDArray[np.uint64], NDArray[np.uint64]], faces_provider: Mask) -> None:
    """The only place where IN and OUT become down and up."""
    in_octets, out_octets = deltas
    valid = rows["reason"] == 0
    ticks = np.where(valid, rows["interval_ticks"], 1)
    for column, octets in (
        ("down_bps", np.where(faces_provider, in_octets, out_octets)),
        ("up_bps", np.where(faces_provider, out_octets, in_octets)),
    ):
        rows[column] = np.where(valid, octets.astype(np.float64) * 8 * TICKS_PER_SECOND / ticks, np.nan)


def _fill_per_second(rows: Rows, before: Rows, current: Rows, faces_provider: Mask) -> None:
    """Errors and discards per second, NaN where either reading lacks them or the counter went backwards."""
    for what, column in (("discards", Present.DISCARDS), ("errors", Present.ERRORS)):
        known = (rows["reason"] == 0) & _present(before, column) & _present(current, column)
        in_ps = _counter32_ps(before[f"in_{what}"], current[f"in_{what}"], rows["interval_ticks"], known)
        out_ps = _counter32_ps(before[f"out_{what}"], current[f"out_{what}"], rows["interval_ticks"], known)
        rows[f"down_{what}_ps"] = np.where(faces_provider, in_ps, out_ps)
        rows[f"up_{what}_ps"] = np.where(faces_provider, out_ps, in_ps)


def _counter32_ps(before: NDArray[np.uint32], current: NDArray[np.uint32], ticks: NDArray[np.uint32], known: Mask) -> Floats:
    """A Counter32's events per second. More than half its range in an interval is a fall, not a wrap."""
    delta = current - before  # u4: modulo 2^32
    usable = known & (delta < 2**31)
    return np.where(usable, delta * float(TICKS_PER_SECOND) / np.where(usable, ticks, 1), np.nan)


def _quality(rows: Rows, current: Rows) -> NDArray[np.uint8]:
    status = current["oper_status"]
    down = _present(current, Present.OPER_STATUS) & (status != _OPER_UP) & (status != _OPER_UNKNOWN)
    columns = ("down_discards_ps", "up_discards_ps", "down_errors_ps", "up_errors_ps")
    partial = np.logical_or.reduce([np.isnan(rows[column]) for column in columns])
    quality = np.where(down, Quality.OPER_DOWN, 0) | np.where(current["counter_bits"] == 32, Quality.COUNTER32, 0)
    return (quality | np.where(partial, Quality.PARTIAL, 0)).astype(np.uint8)


def _keeps_baseline(reason: NDArray[np.uint8], before: Rows, current: Rows) -> Mask:
    """As `counters.baseline_after`, and where there was no answer from an interface that is still there."""
    failed = (current["reason"] != 0) & ~np.isin(current["reason"], INTERFACE_GONE)
    zeroed = (reason == GapReason.RESET) & _zeroed(before, current)
    keeps: Mask = failed | (reason == GapReason.STALE) | zeroed
    return keeps


def _as_baseline(current: Rows) -> Rows:
    """The current readings; one that failed is none, whatever its reason was."""
    rows = current.copy()
    rows["reason"] = np.where(current["reason"] != 0, np.uint8(GapReason.FIRST_READING), np.uint8(0))
    return rows
