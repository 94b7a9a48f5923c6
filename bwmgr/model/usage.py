"""What was used over a window, together with how well it is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from bwmgr.model.inventory import Direction
from bwmgr.model.samples import GapReason


@dataclass(frozen=True, kw_only=True, slots=True)
class UsageWindow:
    """One link, one direction, [start, end), only the time inside `calendar`.

    Rates in bit/s, None where there is no sample. A sample belongs to the time of its later reading. `coverage_ratio` is
    the share of the calendar's seconds in the window that samples cover; `saturated_ratio` the share of covered time at
    95 % or more of the limit in force then, None where no limit was in force at any time.
    """

    link: str
    direction: Direction
    start: datetime
    end: datetime
    calendar: str
    samples: int
    octets: int
    mean_bps: float | None
    p95_bps: float | None
    max_bps: float | None
    coverage_ratio: float
    saturated_ratio: float | None
    percentile: float = 95.0
    """The percentile that `p95_bps` holds; 95 unless another was asked for."""
    method: str = "nearest-rank"


@dataclass(frozen=True, kw_only=True, slots=True)
class LinkHealth:
    """What a window says of the link itself rather than of its use. Ratios are of readings (down, gaps) or per second."""

    link: str
    readings: int
    down_ratio: float = 0.0
    flaps: int = 0
    """Changes from up to down."""
    errors_ps: float = 0.0
    discards_ps: Mapping[Direction, float] = field(default_factory=dict)
    counter32_ratio: float = 0.0
    stuck_ratio: float = 0.0
    gaps: Mapping[GapReason, int] = field(default_factory=dict)
    rtt_ms: float | None = None
    """Median round-trip time."""
