"""A trial of a line before it is signed for: what is frozen when it starts, what it is judged by, what came of it.

Owns the nouns only. The arithmetic is `bwmgr.measure.trial`; keeping and asking belong to `bwmgr.daemon.trials`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bwmgr.model.inventory import Direction


class Verdict(StrEnum):
    MET = "met"
    NOT_MET = "not_met"
    UNKNOWN = "unknown"
    """Not enough data to say either."""


class Clause(StrEnum):
    """In the order of a berita acara. What each means is `bwmgr.measure.trial`."""

    CAPACITY = "capacity"
    REACHED = "reached"
    EVENNESS = "evenness"
    STABILITY = "stability"
    AVAILABILITY = "availability"
    LATENCY = "latency"
    LOSS = "loss"


class Asked(StrEnum):
    """How it is known that a line's capacity was asked for in a sample."""

    ACTIVE = "active"
    """A test of ours filled the line."""
    SATURATED = "saturated"
    """It passed 95 % or more of the limit in force, and the limit is no lower than what is promised."""
    BACKLOG = "backlog"
    """The device discarded packets in this direction: more came than the line took."""
    DECLARED = "declared"
    """The office filled the line in this time, and says so."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Clauses:
    """What a trial has to come to; shares are 0-1. Each is a key of the configuration's section `trial`."""

    at_ratio: float = 0.95
    """From this share of the promise on, a sample counts as having reached it."""
    capacity_ratio: float = 0.95
    """Least share of the promise at the 95th percentile of the samples in which it was asked for."""
    reached_ratio: float = 0.95
    """Least share of those samples that reached the promise."""
    jain_ratio: float = 0.9
    """Least Jain index of delivered over entitled."""
    least_ratio: float = 0.8
    """Least link over the median of all, delivered over entitled."""
    variation_ratio: float = 0.1
    """Most that asked-for rates vary: standard deviation over mean."""
    availability_ratio: float = 0.995
    rtt_seconds: float = 0.05
    """Most round-trip time, 95th percentile of the poller's own."""
    loss_ratio: float = 0.01
    """Most polls without an answer outside outages."""
    completeness_ratio: float = 0.9
    """Below this share of the time measured, a clause about all the time is not judged."""
    asked_seconds: float = 1800.0
    """Below this much time asked for, a clause about asked-for time is not judged,"""
    tests: int = 10
    """unless so many tests of ours filled the line."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Promise:
    """What one line under trial is to deliver; `measurement` and `series` say where its rates are kept."""

    id: str
    name: str
    measurement: str
    series: str
    device: str | None
    down_bps: int | None
    up_bps: int | None

    def __getitem__(self, direction: Direction) -> int | None:
        return self.down_bps if direction is Direction.DOWN else self.up_bps


@dataclass(frozen=True, kw_only=True, slots=True)
class ActiveTest:
    """One run of iperf3 over a line, [start, end); `rate_bps` is what arrived. `problem` says why there is none."""

    line: str
    direction: Direction
    start: datetime
    end: datetime
    server: str
    rate_bps: float | None = None
    retransmits: int | None = None
    problem: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Declared:
    """The office filled the lines in [start, end) and says so."""

    start: datetime
    end: datetime
    by: str
    note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """Frozen at its start but for what happens in it: tests, declarations, the person who stopped it."""

    id: str
    title: str
    lines: tuple[Promise, ...]
    start: datetime
    end: datetime
    clauses: Clauses
    interval_seconds: float
    created_at: datetime
    created_by: str
    provider: str | None = None
    contract: str | None = None
    tests: tuple[ActiveTest, ...] = ()
    declared: tuple[Declared, ...] = ()
    stopped_at: datetime | None = None
    stopped_by: str = ""
    note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class DayBand:
    """One local day of asked-for rates: `day` as ISO 8601; None where nothing was asked for."""

    day: str
    samples: int
    low_bps: float | None
    """10th percentile."""
    median_bps: float | None
    high_bps: float | None
    """90th percentile."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LineFigures:
    """One direction of one line over the trial. Rates in bit/s, shares 0-1, None where there is no sample to tell from."""

    line: str
    direction: Direction
    promised_bps: int | None
    samples: int
    coverage_ratio: float
    asked_samples: int
    asked_seconds: float
    asked_by: Mapping[Asked, float]
    """Seconds by the evidence that they were asked for."""
    tests: int
    judged: bool
    """Was it asked for long, or tested often, enough to say what the line reaches?"""
    judged_apart: bool
    """The same of evidence that does not follow from the delivered rate itself."""
    capped_seconds: float
    """Held at a limit of ours below the promise: says nothing of the line."""
    capacity_bps: float | None
    """95th percentile of asked-for rates."""
    reached_ratio: float | None
    mean_bps: float | None
    variation_ratio: float | None
    max_bps: float | None
    """Of all samples, asked for or not."""
    days: tuple[DayBand, ...] = ()

    @property
    def capacity_ratio(self) -> float | None:
        return self.capacity_bps / self.promised_bps if self.capacity_bps is not None and self.promised_bps else None


@dataclass(frozen=True, kw_only=True, slots=True)
class PathFigures:
    """One line as the poller's own packets saw it."""

    line: str
    coverage_ratio: float
    polls: int
    rtt_median_ms: float | None
    rtt_p95_ms: float | None
    lost_ratio: float | None
    """Polls without an answer, outside outages."""
    outages: tuple[tuple[datetime, datetime], ...]
    availability_ratio: float | None
    """Of the time that is known."""
    least_down_ratio: float
    """Outages over all of the time, as if what is not known had been up: what is proven."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Evenness:
    """One direction of all lines together: delivered over entitled, of the `judged` of `lines` lines."""

    direction: Direction
    jain_ratio: float | None
    least_ratio: float | None
    """The least over the median."""
    judged: int
    lines: int
    least_line: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Judgement:
    """One clause: the figure, what it has to be, and how complete the data under it are."""

    clause: Clause
    verdict: Verdict
    figure: float | None
    threshold: float
    completeness_ratio: float
    worst: str = ""
    """Id of the line that decided."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrialResult:
    """All of it; `as_of` is the end of what was measured."""

    trial: Trial
    as_of: datetime
    lines: tuple[LineFigures, ...]
    paths: tuple[PathFigures, ...]
    evenness: tuple[Evenness, ...] = ()
    judgements: tuple[Judgement, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """Not met where one clause is not; met where all are; unknown otherwise."""
        found = {one.verdict for one in self.judgements}
        if Verdict.NOT_MET in found:
            return Verdict.NOT_MET
        return Verdict.MET if found == {Verdict.MET} else Verdict.UNKNOWN
