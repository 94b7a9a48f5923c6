"""How long a series was up, down and unknown, and its outages, from its rows and the instants at which any device answered.

The rules, each of which has a line here: a row speaks for the time since the row before, for no longer than 1.5 times what is
usual around it. A reading means up, or down where the interface said so. No answer means silent, where some other device answered
meanwhile; all else is unknown. A silence that a later rate proves to have carried traffic was none. An uplink that receives less
than 2 kbit/s and 0.5 % of what is usual at its hour (1 Mbit/s or more), and no more than it sends, is dark. Runs of down, silent
or dark rows that touch are outages from a least length on.
"""

from __future__ import annotations

import statistics
from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from .samples import NO_GAP, Sample

UNKNOWN, UP, DOWN, SILENT, DARK = range(5)
SIGNS = {DOWN: "down", SILENT: "silent", DARK: "dark"}
_OPER_DOWN = 1  # a flag of `quality`
_TAKEN = (9, 10, 11, 8)  # a reading that could not become a rate: counter reset, ambiguous, implausible, discontinuity
_NO_ANSWER = (2, 13)  # no answer; not asked, since it failed too often
_NOT_ASKED = (14, 19, 17, 16)
UNHEARD = (*_NO_ANSWER, *_NOT_ASKED)
"""Reasons of rows that prove no answer."""
_AROUND, _SLACK = 9, 1.5
_HOUR_MS = 3_600_000


class Slot(NamedTuple):
    """What is known of (start, end], ms since 1970 UTC."""

    start: int
    end: int
    known: int


class Outage(NamedTuple):
    """A time without service; `sign` says how it showed for most of it."""

    start: int
    end: int
    sign: str


def slots(samples: Sequence[Sample], witnesses: Sequence[int] | None, *, usual: bool) -> list[Slot]:
    """One a row. `witnesses`: rising; None: there is but one device, whose silence nothing tells from the poller's own."""
    starts, known = _starts(samples), [_known(sample) for sample in samples]
    if usual:
        _darken(samples, known)
    if witnesses is not None:
        for number, sample in enumerate(samples):
            if known[number] == SILENT and not _between(witnesses, starts[number], sample.end_ms):
                known[number] = UNKNOWN
    found = [Slot(start, sample.end_ms, state) for start, sample, state in zip(starts, samples, known, strict=True)]
    _clear_proven(found, samples)
    return found


def seconds(found: Sequence[Slot], start_ms: int, end_ms: int) -> dict[str, float | None]:
    """Up, down (with silent and dark) and unknown seconds of [start, end), and up / (up + down)."""
    total = {UP: 0, DOWN: 0}
    for slot in found:
        length = max(min(slot.end, end_ms) - max(slot.start, start_ms), 0)
        if slot.known != UNKNOWN:
            total[UP if slot.known == UP else DOWN] += length
    known = total[UP] + total[DOWN]
    return {
        "up_seconds": total[UP] / 1000,
        "down_seconds": total[DOWN] / 1000,
        "unknown_seconds": (end_ms - start_ms - known) / 1000,
        "availability_ratio": total[UP] / known if known else None,
    }


def outages(found: Sequence[Slot], least_seconds: float) -> list[Outage]:
    """Of that length or more, oldest first."""
    return [_outage(run) for run in _runs(found) if run[-1].end - run[0].start >= least_seconds * 1000]


def _starts(samples: Sequence[Sample]) -> list[int]:
    if not samples:
        return []
    own = round(samples[0].seconds * 1000) if samples[0].reason == NO_GAP else 0
    apart = [later.end_ms - earlier.end_ms for earlier, later in pairwise(samples)]
    if not apart:
        return [samples[0].end_ms - own]
    most = [int(middle * _SLACK) for middle in _medians(apart)]
    spans = [min(own, most[0]), *(min(length, top) for length, top in zip(apart, most, strict=True))]
    return [sample.end_ms - span for sample, span in zip(samples, spans, strict=True)]


def _medians(figures: Sequence[int]) -> list[int]:
    """Of the nine around each; the first and last stand in for what lies beyond the ends."""
    half, last = _AROUND // 2, len(figures) - 1
    padded = [figures[0]] * half + list(figures) + [figures[last]] * half
    return [sorted(padded[place : place + _AROUND])[half] for place in range(len(figures))]


def _known(sample: Sample) -> int:
    if sample.reason == NO_GAP or sample.reason in _TAKEN:
        return DOWN if sample.quality & _OPER_DOWN else UP
    return SILENT if sample.reason in _NO_ANSWER else UNKNOWN


def _darken(samples: Sequence[Sample], known: list[int]) -> None:
    rated = [number for number, sample in enumerate(samples) if sample.reason == NO_GAP and known[number] == UP]
    hours: dict[int, list[float]] = {}
    for number in rated:
        hours.setdefault(_hour(samples[number]), []).append(samples[number].down)
    usually = {hour: statistics.median(some) for hour, some in hours.items()}
    for number in rated:
        ordinary, sample = usually[_hour(samples[number])], samples[number]
        if ordinary >= 1e6 and sample.down < min(0.005 * ordinary, 2e3) and sample.down <= sample.up:
            known[number] = DARK


def _hour(sample: Sample) -> int:
    return sample.end_ms // _HOUR_MS % 24


def _between(instants: Sequence[int], after: int, until: int) -> bool:
    return bisect_right(instants, until) > bisect_right(instants, after)


def _clear_proven(found: list[Slot], samples: Sequence[Sample]) -> None:
    """A silence is none where the next rate holds more octets than the line carries in the rest of that rate's interval."""
    place = {slot.end: number for number, slot in enumerate(found)}
    for run in _runs(found):
        after = place[run[-1].end] + 1
        if after == len(found) or samples[after].reason != NO_GAP or any(slot.known != SILENT for slot in run):
            continue
        later = samples[after]
        interval = round(later.seconds * 1000)
        outside = interval - (run[-1].end - run[0].start)
        line = later.down_limit if later.down_limit != float("inf") else later.line
        if line and outside >= 0 and later.down * interval > 1.1 * line * outside:
            for number in range(place[run[0].end], after):
                found[number] = found[number]._replace(known=UP)


def _runs(found: Sequence[Slot]) -> list[list[Slot]]:
    runs: list[list[Slot]] = []
    before: Slot | None = None
    for slot in found:
        if slot.known >= DOWN:
            if runs and before is runs[-1][-1] and slot.start <= before.end:
                runs[-1].append(slot)
            else:
                runs.append([slot])
        before = slot
    return runs


def _outage(run: Sequence[Slot]) -> Outage:
    lengths = {known: sum(slot.end - slot.start for slot in run if slot.known == known) for known in SIGNS}
    return Outage(run[0].start, run[-1].end, SIGNS[max(lengths, key=lambda known: lengths[known])])
