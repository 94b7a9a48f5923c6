"""The samples of one series, read from its CSV file, and the usage figures that follow from them.

Owns these definitions: nearest rank, mean weighted by time, coverage, saturation. Service and outages are `service`.
"""

from __future__ import annotations

import csv
import io
import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

NO_GAP = 0

Figures = dict[str, float | None]


COLUMNS = [
    *("end_ms", "reason", "quality", "interval_ticks", "down_bps", "up_bps", "down_limit_bps", "up_limit_bps"),
    *("down_discards_ps", "up_discards_ps", "if_high_speed_mbps"),
]
"""The header of a samples file."""


class Sample(NamedTuple):
    """One row: a rate, or a gap with its reason. Times in ms since 1970 UTC, rates in bit/s.

    A limit may be infinite: there was none. `line`: the interface's own speed; 0: unknown.
    """

    end_ms: int
    reason: int
    quality: int
    seconds: float
    down: float
    up: float
    down_limit: float
    up_limit: float
    down_discards: float
    up_discards: float
    line: float

    def rate(self, direction: str) -> float:
        return self.down if direction == "down" else self.up

    def limit(self, direction: str) -> float:
        return self.down_limit if direction == "down" else self.up_limit

    def discards(self, direction: str) -> float:
        return self.down_discards if direction == "down" else self.up_discards


def read(content: bytes) -> list[Sample]:
    """All rows of a samples file. Raises: ValueError where it is none."""
    rows = csv.reader(io.StringIO(content.decode("utf-8"), newline=""))
    if next(rows, []) != COLUMNS:
        raise ValueError(f"the first line must be {','.join(COLUMNS)}")
    return [_sample(row) for row in rows]


def _sample(row: list[str]) -> Sample:
    whole, rates, line = row[:4], row[4:10], row[10]
    end_ms, reason, quality, ticks = map(int, whole)
    down, up, down_limit, up_limit, down_discards, up_discards = map(_number, rates)
    return Sample(
        end_ms, reason, quality, ticks / 100, down, up, down_limit, up_limit, down_discards, up_discards, int(line) * 1e6
    )


def _number(cell: str) -> float:
    return float(cell) if cell else math.nan


class Spans:
    """The open time of a calendar within the period: [start, end) in ms, sorted and disjoint."""

    def __init__(self, spans: Sequence[Sequence[int]]) -> None:
        self._bounds = [bound for span in spans for bound in span]
        self.seconds = sum(end - start for start, end in spans) / 1000

    def holds(self, at_ms: int) -> bool:
        return bisect_right(self._bounds, at_ms) % 2 == 1


def rates(samples: Iterable[Sample], spans: Spans) -> list[Sample]:
    """The samples that count: those with a rate, whose later reading lies in the calendar's time."""
    return [sample for sample in samples if sample.reason == NO_GAP and spans.holds(sample.end_ms)]


def nearest_rank(figures: Iterable[float], percentile: float) -> float:
    """The figure at position ceil(percentile n / 100) of n in rising order; there is at least one."""
    ordered = sorted(figures)
    # rounded first: 99.9 * 1000 / 100 is 999.0000000000001 in binary, which would be one rank too high
    return ordered[max(math.ceil(round(percentile * len(ordered) / 100, 9)), 1) - 1]


def usage(counted: Sequence[Sample], direction: str, spans: Spans, methods: dict[str, Any]) -> Figures:
    """The figures of one row of `figures.csv` from the samples that count; None where there are none."""
    seconds = math.fsum(sample.seconds for sample in counted)
    octets = math.fsum(sample.rate(direction) * sample.seconds for sample in counted) / 8
    coverage = min(seconds / spans.seconds, 1.0) if spans.seconds else 0.0
    found: Figures = {
        "samples": len(counted),
        "octets": round(octets),
        "coverage_ratio": coverage,
        "enough": float(bool(counted) and coverage >= methods["enough_ratio"]),
    }
    some = [sample.rate(direction) for sample in counted]
    limits = [sample.limit(direction) for sample in counted]
    full = methods["saturated_from_ratio"]
    held = math.fsum(sample.seconds for sample in counted if sample.rate(direction) >= full * sample.limit(direction))
    found["mean_bps"] = octets * 8 / seconds if seconds else None
    found["p95_bps"] = nearest_rank(some, methods["percentile"]) if some else None
    found["max_bps"] = max(some) if some else None
    limited = any(math.isfinite(limit) for limit in limits)
    found["saturated_ratio"] = held / seconds if seconds and limited else None
    return found
