"""Amounts over the minutes that a flow lasted.

A router that reports a flow only after 30 minutes would put half an hour's octets into one minute: they are spread over the
flow's own time instead, evenly, and so that the parts add up to the whole, to the octet. A flow of a minute or less counts in
the minute of its end: that is at most a minute off, and half the work. Pure.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

MINUTE_MS = 60_000
Integers = NDArray[np.int64]


class Spread(NamedTuple):
    """Parts of flows: `row` is the flow's place, None where every flow is its own single part; `last` marks a flow's last
    part."""

    row: Integers | None
    minute: Integers
    octets: Integers
    packets: Integers
    last: Integers
    """1 in the part that ends with the flow, where the flow is counted, else 0."""


def spread(start_ms: Integers, end_ms: Integers, octets: Integers, packets: Integers) -> Spread:
    """Parts by minute since 1970 UTC of flows over [start, end]."""
    ended = end_ms // MINUTE_MS
    lasting = end_ms - start_ms > MINUTE_MS
    if not lasting.any():
        return Spread(None, ended, octets, packets, np.ones(len(ended), np.int64))
    first = np.where(lasting, start_ms // MINUTE_MS, ended)
    more = np.where(lasting, (end_ms - 1) // MINUTE_MS - first, 0)
    long = np.flatnonzero(more)
    parts = more[long] + 1
    row = np.repeat(long, parts)
    part = np.arange(len(row)) - np.repeat(np.cumsum(parts) - parts, parts)
    minute = first[row] + part
    duration = end_ms[row] - start_ms[row]
    until = np.minimum((minute + 1) * MINUTE_MS, end_ms[row]) - start_ms[row]
    share = until / duration
    short = np.flatnonzero(more == 0)
    last = (part == more[row]).astype(np.int64)
    return Spread(
        row=np.concatenate([short, row]),
        minute=np.concatenate([first[short], minute]),
        octets=np.concatenate([octets[short], _parts(octets[row], share, part, last)]),
        packets=np.concatenate([packets[short], _parts(packets[row], share, part, last)]),
        last=np.concatenate([np.ones(len(short), np.int64), last]),
    )


def _parts(amount: Integers, share: NDArray[np.float64], part: Integers, last: Integers) -> Integers:
    """Differences of the rounded running amount; the last is what is left, so that nothing is lost to rounding."""
    running = np.where(last == 1, amount, np.minimum((amount * share).astype(np.int64), amount))
    before = np.empty_like(running)
    before[0:1] = 0
    before[1:] = running[:-1]
    before[part == 0] = 0
    return running - before
