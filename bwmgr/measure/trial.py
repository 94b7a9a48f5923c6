"""A trial's arithmetic: what a line delivered when it was asked to, and what the poller's own packets met on the way.

Pure. Owns these definitions; outages themselves are `bwmgr.measure.outages`.

- Low use says nothing of a line. Only asked-for samples count: those in which a test of ours filled it (iperf3), the office says
  that it did, the device discarded (backlog), or the limit in force was reached (saturated). At a limit of ours below the
  promise a sample is neither: it is `capped`.
- What was saturated proves that the line carries so much, but was picked by its own rate. So it counts for the capacity reached;
  the share that reached the promise, and the stability, are judged by the other evidence alone (`apart`).
- Capacity reached: the 95th percentile (nearest rank, weighted by time) of asked-for rates. A test counts with what arrived at
  the other end: a lower bound, since other traffic of that moment is not added.
- Evenness: x = mean asked-for rate over the promise of each line; Jain's index (sum x)^2 / (n sum x^2) (Jain, Chiu, Hawe 1984)
  and the least x over the median.
- Stability: standard deviation over mean of asked-for rates; and by local day their 10th, 50th and 90th percentile.
- Loss: polls without an answer outside outages, over all polls outside outages. A poll is asked again before it counts as lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from bwmgr.measure.calendars import instant_ms
from bwmgr.measure.columns import Rows
from bwmgr.model.inventory import Direction
from bwmgr.model.samples import GapReason
from bwmgr.model.trial import Asked, DayBand, Evenness, LineFigures, PathFigures, Promise, Trial

COLUMNS: tuple[str, ...] = (
    "series", "end_ms", "reason", "interval_ticks", "down_bps", "up_bps", "down_limit_bps", "up_limit_bps",
    "down_discards_ps", "up_discards_ps", "rtt_us",
)  # fmt: skip
"""What is read of a line's rows."""

CAPACITY_PERCENTILE = 95.0
DISCARDS_PS = 1.0
"""From so many discards a second on there was a backlog; below it, a broken cable drops as many."""

_NO_ANSWER = (GapReason.TIMEOUT, GapReason.SUSPENDED)

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Samples:
    """Asked-for samples of one direction: poller's and tests together. `apart`: by other evidence than the rate itself."""

    at_ms: NDArray[np.int64]
    rates: Floats
    seconds: Floats
    apart: Flags


def line_figures(trial: Trial, line: Promise, direction: Direction, rows: Rows, *, as_of: datetime, timezone: str) -> LineFigures:
    """One direction of one line over [trial.start, as_of); `rows` hold COLUMNS of that window, sorted by `end_ms`."""
    read = rows[rows["reason"] == GapReason.NONE]
    seconds = read["interval_ticks"] / 100.0
    rates, limits = read[f"{direction}_bps"], read[f"{direction}_limit_bps"]
    promised = line[direction]
    marks = _marks(trial, line, direction, read)
    asked = np.any(list(marks.values()), axis=0) if promised else np.zeros(len(read), np.bool_)
    tests = [test for test in trial.tests if (test.line, test.direction) == (line.id, direction) and test.rate_bps is not None]
    samples = _samples(trial, line, direction, read, marks, asked)
    capped = _at_limit(rates, limits, trial.clauses.at_ratio) & ~asked & (limits < trial.clauses.at_ratio * (promised or 0))
    known, apart = float(samples.seconds.sum()), float(samples.seconds[samples.apart].sum())
    enough_tests = len(tests) >= trial.clauses.tests
    return LineFigures(
        line=line.id,
        direction=direction,
        promised_bps=promised,
        samples=len(read),
        coverage_ratio=_coverage(seconds, trial.start, as_of),
        asked_samples=len(samples.rates),
        asked_seconds=known,
        asked_by=_by_evidence(marks, asked, seconds, tests_seconds=sum((t.end - t.start).total_seconds() for t in tests)),
        tests=len(tests),
        judged=bool(promised) and (known >= trial.clauses.asked_seconds or enough_tests),
        judged_apart=bool(promised) and (apart >= trial.clauses.asked_seconds or enough_tests),
        capped_seconds=float(seconds[capped].sum()),
        capacity_bps=weighted_percentile(samples.rates, samples.seconds, CAPACITY_PERCENTILE),
        reached_ratio=_reached(samples, trial.clauses.at_ratio * (promised or 0)),
        mean_bps=_mean(samples.rates, samples.seconds),
        variation_ratio=_variation(samples.rates[samples.apart], samples.seconds[samples.apart]),
        max_bps=float(rates.max()) if len(rates) else None,
        days=_days(samples, trial.start, as_of, ZoneInfo(timezone)),
    )


def path_figures(
    trial: Trial,
    line: Promise,
    rows: Rows,
    outages: Sequence[tuple[datetime, datetime]],
    known_seconds: float,
    *,
    as_of: datetime,
) -> PathFigures:
    """One line as its polls met it over [trial.start, as_of); `known_seconds`: for how long it is known whether it was up."""
    window = (as_of - trial.start).total_seconds()
    down = sum((end - start).total_seconds() for start, end in outages)
    polled = ~np.isin(rows["reason"], (GapReason.LATE, GapReason.NOT_RECORDED, GapReason.NO_COUNTERS, GapReason.NAME_LOOKUP))
    outside = polled & ~_within(rows["end_ms"], outages)
    round_trips = rows["rtt_us"][rows["rtt_us"] > 0] / 1000.0
    lost = np.isin(rows["reason"], _NO_ANSWER) & outside
    return PathFigures(
        line=line.id,
        coverage_ratio=min(known_seconds / window, 1.0) if window > 0 else 0.0,
        polls=int(polled.sum()),
        rtt_median_ms=weighted_percentile(round_trips, np.ones(len(round_trips)), 50.0),
        rtt_p95_ms=weighted_percentile(round_trips, np.ones(len(round_trips)), 95.0),
        lost_ratio=float(lost.sum() / outside.sum()) if outside.any() else None,
        outages=tuple(outages),
        availability_ratio=1.0 - down / known_seconds if known_seconds > 0 else None,
        least_down_ratio=down / window if window > 0 else 0.0,
    )


def evenness(lines: Sequence[LineFigures], direction: Direction) -> Evenness:
    """Delivered over entitled of the lines that were asked for enough."""
    promised = [one for one in lines if one.direction is direction and one.promised_bps]
    shares = {one.line: one.mean_bps / one.promised_bps for one in promised if one.judged and one.mean_bps and one.promised_bps}
    if len(shares) < 2:
        return Evenness(direction=direction, jain_ratio=None, least_ratio=None, judged=len(shares), lines=len(promised))
    least = min(shares, key=lambda name: (shares[name], name))
    return Evenness(
        direction=direction,
        jain_ratio=jain(list(shares.values())),
        least_ratio=shares[least] / float(np.median(list(shares.values()))),
        judged=len(shares),
        lines=len(promised),
        least_line=least,
    )


def jain(shares: Sequence[float]) -> float:
    """Jain's index of fairness: 1 where all are alike, 1/n where one has everything; at least one share is above 0."""
    found = np.asarray(shares, np.float64)
    return float(found.sum() ** 2 / (len(found) * (found**2).sum()))


def weighted_percentile(figures: Floats, weights: Floats, percentile: float) -> float | None:
    """Nearest rank by weight: the least figure up to which the weights come to that share of all; None of nothing."""
    if not len(figures):
        return None
    order = np.argsort(figures, kind="stable")
    reached = np.cumsum(weights[order])
    position = int(np.searchsorted(reached, reached[-1] * percentile / 100.0 * (1 - 1e-12)))
    return float(figures[order[min(position, len(figures) - 1)]])


def _marks(trial: Trial, line: Promise, direction: Direction, read: Rows) -> Mapping[Asked, Flags]:
    """By evidence, which of the poller's samples were asked for."""
    rates, limits = read[f"{direction}_bps"], read[f"{direction}_limit_bps"]
    promised = line[direction] or 0
    free = limits >= trial.clauses.at_ratio * promised
    return {
        Asked.DECLARED: _declared(trial, read),
        Asked.BACKLOG: (read[f"{direction}_discards_ps"] >= DISCARDS_PS) & free,
        Asked.SATURATED: free & (rates >= trial.clauses.at_ratio * np.minimum(limits, promised)) & (promised > 0),
    }


def _declared(trial: Trial, read: Rows) -> Flags:
    """Samples that lie within a declared time from their first to their last moment."""
    starts_ms, ends_ms = read["end_ms"] - read["interval_ticks"].astype(np.int64) * 10, read["end_ms"]
    found = np.zeros(len(read), np.bool_)
    for declared in trial.declared:
        found |= (starts_ms >= instant_ms(declared.start)) & (ends_ms <= instant_ms(declared.end))
    return found


def _samples(
    trial: Trial, line: Promise, direction: Direction, read: Rows, marks: Mapping[Asked, Flags], asked: Flags
) -> _Samples:
    tests = [test for test in trial.tests if (test.line, test.direction) == (line.id, direction) and line[direction]]
    arrived = [(test, test.rate_bps) for test in tests if test.rate_bps is not None]
    chosen = read[asked]
    apart = (marks[Asked.DECLARED] | marks[Asked.BACKLOG])[asked]
    return _Samples(
        at_ms=np.concatenate((chosen["end_ms"], [instant_ms(test.end) for test, _ in arrived])).astype(np.int64),
        rates=np.concatenate((chosen[f"{direction}_bps"], [rate for _, rate in arrived])),
        seconds=np.concatenate((chosen["interval_ticks"] / 100.0, [(t.end - t.start).total_seconds() for t, _ in arrived])),
        apart=np.concatenate((apart, np.ones(len(arrived), np.bool_))),
    )


def _by_evidence(marks: Mapping[Asked, Flags], asked: Flags, seconds: Floats, *, tests_seconds: float) -> Mapping[Asked, float]:
    """Each sample under the first evidence that it has, in the order of `Asked`."""
    left, found = asked.copy(), {Asked.ACTIVE: tests_seconds} if tests_seconds else {}
    for evidence in (Asked.DECLARED, Asked.BACKLOG, Asked.SATURATED):
        chosen = marks[evidence] & left
        left &= ~chosen
        if chosen.any():
            found[evidence] = float(seconds[chosen].sum())
    return found


def _at_limit(rates: Floats, limits: Floats, at_ratio: float) -> Flags:
    reached: Flags = np.isfinite(limits) & (rates >= at_ratio * limits)
    return reached


def _reached(samples: _Samples, least_bps: float) -> float | None:
    seconds = samples.seconds[samples.apart]
    if not len(seconds) or not seconds.sum():
        return None
    return float(seconds[samples.rates[samples.apart] >= least_bps].sum() / seconds.sum())


def _mean(rates: Floats, seconds: Floats) -> float | None:
    return float((rates * seconds).sum() / seconds.sum()) if len(rates) and seconds.sum() else None


def _variation(rates: Floats, seconds: Floats) -> float | None:
    mean = _mean(rates, seconds)
    if not mean:
        return None
    return float(np.sqrt(((rates - mean) ** 2 * seconds).sum() / seconds.sum()) / mean)


def _days(samples: _Samples, start: datetime, end: datetime, zone: ZoneInfo) -> tuple[DayBand, ...]:
    days = [datetime.fromtimestamp((at - 1) / 1000, UTC).astimezone(zone).date() for at in samples.at_ms.tolist()]
    first, last = start.astimezone(zone).date(), (end - timedelta(milliseconds=1)).astimezone(zone).date()
    found = []
    for ordinal in range(first.toordinal(), last.toordinal() + 1):
        chosen = np.array([day.toordinal() == ordinal for day in days], np.bool_)
        rates, seconds = samples.rates[chosen], samples.seconds[chosen]
        low, median, high = (weighted_percentile(rates, seconds, percentile) for percentile in (10.0, 50.0, 90.0))
        day = type(first).fromordinal(ordinal).isoformat()
        found.append(DayBand(day=day, samples=len(rates), low_bps=low, median_bps=median, high_bps=high))
    return tuple(found)


def _coverage(seconds: Floats, start: datetime, end: datetime) -> float:
    window = (end - start).total_seconds()
    return min(float(seconds.sum()) / window, 1.0) if window > 0 else 0.0


def _within(at_ms: NDArray[np.int64], spans: Sequence[tuple[datetime, datetime]]) -> Flags:
    found = np.zeros(len(at_ms), np.bool_)
    for start, end in spans:
        found |= (at_ms > instant_ms(start)) & (at_ms <= instant_ms(end))
    return found
