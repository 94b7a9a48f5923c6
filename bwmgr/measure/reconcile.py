"""A second opinion on a link's counters: what its flows add up to in the same hour, and why the two may differ.

Owns the comparison and the guess at the cause; where rows come from is the caller's. Pure.

- An interface counts frames, flows count IP packets: an Ethernet frame is 18 octets longer, with tags or PPPoE up to 26, and 4
  more where the FCS is counted. So flows come to 5-15 % less, more with small packets.
- Up to a difference of DOUBTFUL_RATIO nothing is said. Beyond FINDING_RATIO one of the two is wrong: `Cause` is the likely one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from bwmgr.measure.columns import RateBatch
from bwmgr.measure.counters import TICKS_PER_SECOND
from bwmgr.model.inventory import Direction
from bwmgr.model.samples import GapReason

HOUR_MS = 3_600_000
HOUR_SECONDS = 3600
FRAME_OCTETS = 18
"""What a plain Ethernet frame adds to each IP packet."""
MOST_FRAME_OCTETS = 30
DOUBTFUL_RATIO, FINDING_RATIO = 0.15, 0.30
LEAST_OCTETS = 1_000_000
"""Less than that in an hour proves nothing."""
LEAST_COVERAGE = 0.9
_MISSING_RATIO = 0.1  # of the counters: a direction with less than that is not exported at all
_MOST_TOLERANCE, _LATE_RATIO = 0.12, 0.03
_SAMPLING_RATES = (2, 4, 8, 10, 16, 20, 32, 50, 64, 100, 128, 200, 250, 256, 400, 500, 512, 1000, 1024, 2000, 2048, 4000, 4096,
                   5000, 8192, 10_000, 16_384, 20_000, 32_768, 65_536)  # fmt: skip
"""Rates that people and vendors choose."""

COUNTER_COLUMNS: tuple[str, ...] = ("series", "end_ms", "reason", "interval_ticks", "down_bps", "up_bps")
FLOW_COLUMNS: tuple[str, ...] = ("series", "end_ms", "octets", "packets", "sampled")

Octets = NDArray[np.float64]


class Verdict(StrEnum):
    AGREES = "agrees"
    DOUBTFUL = "doubtful"
    """Further apart than frames explain, not far enough to say why."""
    DIFFERS = "differs"
    UNKNOWN = "unknown"
    """Too little traffic, or too little of the hour counted, to tell."""


class Cause(StrEnum):
    """What most likely makes them differ."""

    NONE = "none"
    NO_FLOWS = "no_flows"
    """The router exports nothing of this link."""
    SAMPLING_MISSING = "sampling_missing"
    """Flows are 1/N of the counters, N a usual sampling rate that nobody told us."""
    ASYMMETRIC_EXPORT = "asymmetric_export"
    """One direction is exported, the other not."""
    WRONG_NETWORKS = "wrong_networks"
    """The flows are there but belong to no link."""
    HARDWARE_OFFLOAD = "hardware_offload"
    """Part of the traffic passes beside the router's processor, which sees no flow of it."""
    COUNTED_TWICE = "counted_twice"
    """More flows than octets: seen at two places, or scaled by a wrong sampling rate."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """One link, direction and hour. Octets by counters and by flows; `sampling` is the rate that is missing, 0: none."""

    link: str
    direction: Direction
    start_ms: int
    counter_octets: int
    flow_octets: int
    flow_packets: int
    verdict: Verdict
    cause: Cause = Cause.NONE
    sampling: int = 0

    @property
    def ratio(self) -> float | None:
        """Flows over counters."""
        return self.flow_octets / self.counter_octets if self.counter_octets else None


@dataclass(frozen=True, kw_only=True)
class Hourly:
    """Sums by link, direction (0 down, 1 up) and hour: arrays of shape (links, 2, hours)."""

    octets: Octets
    packets: Octets
    seconds: Octets
    """Seconds of each hour that the sum covers."""
    scaled: NDArray[np.bool_]
    """Some of it was scaled by a sampling rate."""


def _nothing(links: int, hours: int) -> Hourly:
    shape = (links, 2, hours)
    return Hourly(octets=np.zeros(shape), packets=np.zeros(shape), seconds=np.zeros(shape), scaled=np.zeros(shape, np.bool_))


def counter_hours(batches: Iterable[RateBatch], links: Sequence[str], start_ms: int, hours: int) -> Hourly:
    """Octets of rate rows (COUNTER_COLUMNS, series = link id) in whole hours from `start_ms` on.

    An interval across a full hour is shared out by time; one of more than an hour is a gap.
    """
    found = _nothing(len(links), hours)
    number = {link: position for position, link in enumerate(links)}
    for batch in batches:
        rows = batch.rows[batch.rows["reason"] == GapReason.NONE]
        seconds = rows["interval_ticks"] / TICKS_PER_SECOND
        rows, seconds = rows[seconds <= HOUR_SECONDS], seconds[seconds <= HOUR_SECONDS]
        link = np.array([number.get(name, -1) for name in batch.series], np.int64)[rows["series"]]
        ended = rows["end_ms"] - start_ms
        hour = (ended - 1) // HOUR_MS
        later = np.minimum((ended - hour * HOUR_MS) / 1000, seconds)
        for in_hour, part in ((hour, later), (hour - 1, seconds - later)):
            inside = (link >= 0) & (in_hour >= 0) & (in_hour < hours) & (part > 0)
            at = link[inside], in_hour[inside]
            for side, column in enumerate(("down_bps", "up_bps")):
                np.add.at(found.octets, (at[0], side, at[1]), rows[column][inside] * part[inside] / 8)
                np.add.at(found.seconds, (at[0], side, at[1]), part[inside])
    return found


def flow_hours(batches: Iterable[RateBatch], links: Sequence[str], start_ms: int, hours: int) -> Hourly:
    """The same of flow rows (FLOW_COLUMNS, series = `link|direction|application|class`)."""
    found = _nothing(len(links), hours)
    number = {link: position for position, link in enumerate(links)}
    sides = {str(Direction.DOWN): 0, str(Direction.UP): 1}
    for batch in batches:
        if not len(batch.rows):
            continue
        names = [name.split("|", 2) for name in batch.series]
        link_of = np.array([number.get(parts[0], -1) for parts in names], np.int64)
        side_of = np.array([sides.get(parts[1], -1) if len(parts) > 1 else -1 for parts in names], np.int64)
        rows = batch.rows
        link, side = link_of[rows["series"]], side_of[rows["series"]]
        hour = (rows["end_ms"] - 1 - start_ms) // HOUR_MS
        inside = (link >= 0) & (side >= 0) & (hour >= 0) & (hour < hours)
        at = link[inside], side[inside], hour[inside]
        np.add.at(found.octets, at, rows["octets"][inside].astype(np.float64))
        np.add.at(found.packets, at, rows["packets"][inside].astype(np.float64))
        np.logical_or.at(found.scaled, at, rows["sampled"][inside] > 0)
    return found


def reconcile(
    links: Sequence[str], start_ms: int, counters: Hourly, flows: Hourly, unattributed: NDArray[np.float64] | None = None
) -> list[Comparison]:
    """Every link, hour and direction where the counters say anything, in that order.

    `unattributed`: octets by hour that were exported and belong to no link (None: none).
    """
    found: list[Comparison] = []
    for position, hour in np.argwhere(counters.seconds.max(axis=1) > 0).tolist():
        stray = 0.0 if unattributed is None else float(unattributed[hour])
        found += _of_hour(links[position], start_ms + hour * HOUR_MS, _At(counters, flows, position, hour), stray)
    return found


class _At:
    """Both directions of one link and hour: plain numbers, down then up."""

    def __init__(self, counters: Hourly, flows: Hourly, position: int, hour: int) -> None:
        self.counted: list[float] = counters.octets[position, :, hour].tolist()
        self.coverage: list[float] = (counters.seconds[position, :, hour] / HOUR_SECONDS).tolist()
        self.flowed: list[float] = flows.octets[position, :, hour].tolist()
        self.packets: list[float] = flows.packets[position, :, hour].tolist()
        self.scaled = bool(flows.scaled[position, :, hour].any())

    def expected(self, side: int) -> float:
        """What flows should come to: the counted octets without the frames."""
        per_packet = self.flowed[side] / self.packets[side] if self.packets[side] else 0.0
        return self.counted[side] * (per_packet / (per_packet + FRAME_OCTETS) if per_packet else 1.0)

    def ratio(self, side: int) -> float:
        expected = self.expected(side)
        return self.flowed[side] / expected if expected else 0.0

    def telling(self, side: int) -> bool:
        return self.counted[side] >= LEAST_OCTETS and self.coverage[side] >= LEAST_COVERAGE


def _of_hour(link: str, start_ms: int, at: _At, stray: float) -> Iterable[Comparison]:
    for side, direction in enumerate(Direction):
        verdict = _verdict(at, side)
        cause, sampling = _cause(at, side, stray) if verdict is Verdict.DIFFERS else (Cause.NONE, 0)
        yield Comparison(
            link=link,
            direction=direction,
            start_ms=start_ms,
            counter_octets=round(at.counted[side]),
            flow_octets=round(at.flowed[side]),
            flow_packets=round(at.packets[side]),
            verdict=verdict,
            cause=cause,
            sampling=sampling,
        )


def _verdict(at: _At, side: int) -> Verdict:
    if not at.telling(side):
        return Verdict.UNKNOWN
    counted, flowed = at.counted[side], at.flowed[side]
    framed = flowed + MOST_FRAME_OCTETS * at.packets[side]  # the most that these packets can have counted as
    apart = max(1 - framed / counted, flowed / counted - 1)
    if apart > FINDING_RATIO:
        return Verdict.DIFFERS
    return Verdict.DOUBTFUL if apart > DOUBTFUL_RATIO else Verdict.AGREES


def _cause(at: _At, side: int, stray: float) -> tuple[Cause, int]:
    """The first explanation that fits, the surest first."""
    if at.ratio(side) > 1:
        return Cause.COUNTED_TWICE, 0
    missing = at.counted[side] - at.flowed[side]
    if stray >= missing / 2:
        return Cause.WRONG_NETWORKS, 0
    other = 1 - side
    if at.telling(other) and at.ratio(side) < _MISSING_RATIO and at.ratio(other) > 1 - FINDING_RATIO:
        return Cause.ASYMMETRIC_EXPORT, 0
    if not at.flowed[side]:
        return Cause.NO_FLOWS, 0
    if not at.scaled and (rate := _sampling_rate(at, side)):
        return Cause.SAMPLING_MISSING, rate
    return Cause.HARDWARE_OFFLOAD, 0


def _sampling_rate(at: _At, side: int) -> int:
    """The usual rate whose inverse the flows are of the counters, in both directions as far as they tell anything; 0: none."""
    sides = [one for one in (0, 1) if at.telling(one)]
    if not all(at.flowed[one] for one in sides):
        return 0
    nearest = min(_SAMPLING_RATES, key=lambda rate: abs(rate * at.ratio(side) - 1))
    return nearest if all(abs(nearest * at.ratio(one) - 1) <= _tolerance(at, one) for one in sides) else 0


def _tolerance(at: _At, side: int) -> float:
    """How far from a rate flows may be that are sampled at it: by the chance of so many packets (sFlow's own three standard
    deviations), by frames that are longer, and by flows that are counted in the next hour."""
    packets = max(at.packets[side], 1.0)
    frames = (MOST_FRAME_OCTETS - FRAME_OCTETS) / (at.flowed[side] / packets + FRAME_OCTETS)
    return min(_MOST_TOLERANCE, _LATE_RATIO + frames + 3 / math.sqrt(packets))
