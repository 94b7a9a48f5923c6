"""The columns in which many links travel together: a cycle's readings, and the rates made of them.

Owns the NumPy layouts and nothing else. One row means exactly what `CounterSample` or `Rate | Gap` mean
(`bwmgr.model.samples`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntFlag
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bwmgr.model.samples import CounterSample, GapReason

Rows = NDArray[Any]
"""A structured array of one of the layouts below."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Present(IntFlag):
    """Which optional columns of a reading are real; an absent one is 0 and means nothing."""

    DISCONTINUITY = 1
    OPER_STATUS = 2
    ADMIN_STATUS = 4
    HIGH_SPEED = 8
    SPEED = 16
    DISCARDS = 32
    ERRORS = 64
    PACKETS = 128
    PACKETS_32 = 256
    """The packet counters are 32 bits wide."""


READING = np.dtype(
    [
        ("interface", "u4"),  # position in the collector's plan
        ("reason", "u1"),  # GapReason; 0: the octet counters are there
        ("present", "u2"),  # Present
        ("counter_bits", "u1"),  # 32 or 64, of the octet counters
        ("oper_status", "u1"),  # RFC 2863 ifOperStatus: 1 up, 2 down ...
        ("admin_status", "u1"),
        ("at_ms", "i8"),  # our wall clock when the answer that counted was asked for, ms since 1970 UTC
        ("rtt_us", "u4"),
        ("sys_uptime_ticks", "u4"),
        ("discontinuity_ticks", "u4"),
        ("if_high_speed_mbps", "u4"),
        ("if_speed_bps", "u4"),
        ("in_octets", "u8"),
        ("out_octets", "u8"),
        ("in_packets", "u8"),  # unicast
        ("out_packets", "u8"),
        ("in_discards", "u4"),
        ("out_discards", "u4"),
        ("in_errors", "u4"),
        ("out_errors", "u4"),
    ]
)

RATE = np.dtype(
    [
        ("series", "u4"),  # position in RateBatch.series
        ("reason", "u1"),  # GapReason; 0: the rates are there, else they are NaN
        ("quality", "u1"),  # Quality
        ("end_ms", "i8"),  # the later reading's time, ms since 1970 UTC
        ("interval_ticks", "u4"),  # hundredths of a second by the device's clock; for a gap, since the last reading, 0 if none
        ("down_bps", "f8"),
        ("up_bps", "f8"),
        ("down_limit_bps", "f8"),  # limit in force then; infinity: unlimited
        ("up_limit_bps", "f8"),
        ("down_discards_ps", "f4"),  # NaN where unknown
        ("up_discards_ps", "f4"),
        ("down_errors_ps", "f4"),
        ("up_errors_ps", "f4"),
        ("rtt_us", "u4"),  # 0: unknown
        ("if_high_speed_mbps", "u4"),  # 0: unknown
    ]
)

FLOW_SUM = np.dtype(
    [
        ("series", "u4"),  # position in RateBatch.series
        ("end_ms", "i8"),  # end of the minute that was summed, ms since 1970 UTC
        ("octets", "u8"),  # scaled by sampling, as packets and flows are
        ("packets", "u8"),
        ("flows", "u4"),
        ("sampled", "u1"),  # 1: some of it was scaled, so it is an estimate
    ]
)
"""What flows say of one series in one minute. A minute without flows has no row: there are no gaps here."""


@dataclass(frozen=True, kw_only=True)
class RateBatch:
    """Rates and gaps of some series: `rows` has layout RATE, or fewer of its columns where fewer were asked for.

    A store's other measurements travel so too, with their own layout.

    `series[row["series"]]` is a row's link id (or uplink name). Rows of a cycle are in any order; rows read from a store are
    sorted by (series, end_ms).
    """

    series: tuple[str, ...]
    rows: Rows


def readings(samples: Sequence[CounterSample | GapReason]) -> Rows:
    """One row of layout READING for each sample, or for the reason why there is none; `interface` is its position."""
    rows = np.zeros(len(samples), READING)
    rows["interface"] = np.arange(len(samples))
    for row, sample in zip(rows, samples, strict=True):
        if isinstance(sample, GapReason):
            row["reason"] = sample
        else:
            _fill(row, sample)
    return rows


def empty_batch() -> RateBatch:
    """A batch of nothing."""
    return RateBatch(series=(), rows=np.empty(0, RATE))


def _fill(row: Any, sample: CounterSample) -> None:
    row["at_ms"] = (sample.at - _EPOCH) // timedelta(milliseconds=1)
    for column in ("counter_bits", "sys_uptime_ticks", "in_octets", "out_octets", "if_high_speed_mbps", "if_speed_bps"):
        row[column] = getattr(sample, column)
    row["present"] = Present.HIGH_SPEED | Present.SPEED
    if sample.discontinuity_ticks is not None:
        row["present"] |= Present.DISCONTINUITY
        row["discontinuity_ticks"] = sample.discontinuity_ticks
    if sample.oper_up is not None:
        row["present"] |= Present.OPER_STATUS
        row["oper_status"] = 1 if sample.oper_up else 2
