"""Rows of the poller -> what is known of a series at every instant, and its outages.

Pure. Owns these definitions; why an outage was is `bwmgr.measure.causes`, what it means for a contract
`bwmgr.measure.availability`.

- A row speaks for its slot: from the row before it to its own instant, but for no longer than 1.5 times what is usual around it.
  What no slot covers is unknown: nobody looked.
- A reading means up, or down where the interface said so, also one that could not be turned into a rate (counter reset, ambiguous
  wrap, implausible). No answer means silent. All other reasons, and the slot in which a device
  restarted, mean unknown.
- Silence counts against the series only where some other device answered meanwhile: where none did, the poller was cut off, and
  the time is unknown.
- A silence that a later rate proves to have carried traffic, more octets than the line takes in the rest of that rate's interval,
  was no outage: only the way to the device's agent was broken.
- `usual`: an interface that is up, receives less than 2 kbit/s (and 0.5 % of the median of its hour of the day, where that is
  1 Mbit/s or more), and no more than it sends, is dark: questions go out and nothing comes back. For uplinks alone: an office
  that is merely closed still receives more than that, and more than it sends.
- An outage is a run of down, silent or dark slots that touch. One shorter than the least duration is none; its time is kept apart
  (`short_ms`), so that it is neither lost nor counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from bwmgr.measure.columns import RateBatch, Rows
from bwmgr.model.samples import GapReason, Quality
from bwmgr.model.service import Outage, Sign

COLUMNS = (
    "series", "end_ms", "reason", "quality", "interval_ticks", "down_bps", "up_bps", "down_limit_bps", "if_high_speed_mbps",
)  # fmt: skip
"""What `timelines` reads of a batch's rows."""

DEFAULT_LEAST_SECONDS = 300.0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR_MS = 3_600_000
_TICK_MS = 10
_SLACK = 1.5
_AROUND = 9
"""Rows over which the usual distance of rows is the median."""
_DARK_RATIO = 0.005
_DARK_MOST_BPS = 2e3
_DARK_LEAST_BPS = 1e6
_LINE_MARGIN = 1.1

_TAKEN = (GapReason.RESET, GapReason.AMBIGUOUS_WRAP, GapReason.IMPLAUSIBLE, GapReason.DISCONTINUITY)
"""A reading was taken of an interface that was there; only its rate could not be made."""
_NO_ANSWER = (GapReason.TIMEOUT, GapReason.SUSPENDED)
_NOT_ASKED = (GapReason.LATE, GapReason.NOT_RECORDED, GapReason.NAME_LOOKUP, GapReason.NO_COUNTERS)

Instants = NDArray[np.int64]
Spans = NDArray[np.int64]


class Known(IntEnum):
    """What is known of a slot."""

    UNKNOWN = 0
    UP = 1
    DOWN = 2
    SILENT = 3
    DARK = 4


_SIGNS = {Known.DOWN: Sign.DOWN, Known.SILENT: Sign.SILENT, Known.DARK: Sign.DARK}


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """One series, slot by slot, rising and disjoint; what lies between slots is unknown. Instants are ms since 1970 UTC."""

    series: str
    start_ms: Instants
    end_ms: Instants
    known: NDArray[np.uint8]
    rebooted: NDArray[np.bool_]
    """Slots whose reading says that the device restarted in them."""

    def spans(self, *known: Known) -> Spans:
        """Slots of these kinds, touching ones joined; shape (n, 2)."""
        chosen = np.isin(self.known, known)
        return joined(np.stack((self.start_ms[chosen], self.end_ms[chosen]), axis=1))


def compacted(line: Timeline) -> Timeline:
    """The same knowledge in as few slots as it takes: alike ones that touch become one, but for those of a restart.

    A month of minutes in which nothing happened is one slot, so that thousands of lines fit into memory.
    """
    if not len(line.known):
        return line
    alike = (line.known[1:] == line.known[:-1]) & (line.start_ms[1:] == line.end_ms[:-1])
    alike &= ~line.rebooted[1:] & ~line.rebooted[:-1]
    begins = np.concatenate(([True], ~alike))
    ends = np.concatenate((~alike, [True]))
    return Timeline(
        series=line.series,
        start_ms=line.start_ms[begins],
        end_ms=line.end_ms[ends],
        known=line.known[begins],
        rebooted=line.rebooted[begins],
    )


def answered(batch: RateBatch) -> Instants:
    """Instants at which a device of the batch answered, rising: the witnesses of the poller's own health."""
    silent = np.isin(batch.rows["reason"], (*_NO_ANSWER, *_NOT_ASKED))
    return np.unique(batch.rows["end_ms"][~silent])


def timelines(batch: RateBatch, *, witnesses: Instants | None = None, usual: bool = False) -> Iterator[Timeline]:
    """One a series of the batch, in order; `batch.rows` holds COLUMNS, sorted by (series, end_ms).

    `witnesses`: `answered` of series on several devices; None where there is only one, so that nothing tells its silence from the
    poller's. `usual`: also look for what is dark.
    """
    bounds = np.searchsorted(batch.rows["series"], np.arange(len(batch.series) + 1))
    for position, name in enumerate(batch.series):
        yield _timeline(name, batch.rows[bounds[position] : bounds[position + 1]], witnesses, usual)


def outages(line: Timeline, *, least_seconds: float = DEFAULT_LEAST_SECONDS) -> tuple[Outage, ...]:
    """Runs without service of at least that long, oldest first, each without a proposed cause yet."""
    return tuple(
        _outage(line, first, last) for first, last in _runs(line) if _length_ms(line, first, last) >= least_seconds * 1000
    )


def short_ms(line: Timeline, *, least_seconds: float = DEFAULT_LEAST_SECONDS) -> Spans:
    """Runs without service that are too short to be outages; shape (n, 2)."""
    found = [
        (line.start_ms[first], line.end_ms[last])
        for first, last in _runs(line)
        if _length_ms(line, first, last) < least_seconds * 1000
    ]
    return np.array(found, np.int64).reshape(-1, 2)


def joined(spans: Spans) -> Spans:
    """Rising spans, those that touch or overlap made one."""
    if not len(spans):
        return np.empty((0, 2), np.int64)
    reach = np.maximum.accumulate(spans[:, 1])
    begins = np.flatnonzero(np.concatenate(([True], spans[1:, 0] > reach[:-1])))
    ends = np.concatenate((begins[1:] - 1, [len(spans) - 1]))
    return np.stack((spans[begins, 0], reach[ends]), axis=1)


def _timeline(name: str, rows: Rows, witnesses: Instants | None, usual: bool) -> Timeline:
    end_ms = rows["end_ms"].astype(np.int64)
    start_ms = _slot_starts(end_ms, rows)
    known = _known(rows)
    if usual:
        known[_dark(rows, known)] = Known.DARK
    if witnesses is not None:
        known[(known == Known.SILENT) & ~_witnessed(start_ms, end_ms, witnesses)] = Known.UNKNOWN
    line = Timeline(series=name, start_ms=start_ms, end_ms=end_ms, known=known, rebooted=rows["reason"] == GapReason.REBOOT)
    _clear_proven(line, rows)
    return line


def _slot_starts(end_ms: Instants, rows: Rows) -> Instants:
    """The row before, or less where rows usually stand closer; the first row speaks for its own interval."""
    if not len(end_ms):
        return end_ms
    own_ms = int(rows["interval_ticks"][0]) * _TICK_MS if rows["reason"][0] == GapReason.NONE else 0
    apart = np.diff(end_ms)
    if not len(apart):
        return end_ms - own_ms
    most = (median_filter(apart, size=_AROUND, mode="nearest") * _SLACK).astype(np.int64)
    return end_ms - np.concatenate(([min(own_ms, int(most[0]))], np.minimum(apart, most)))


def _known(rows: Rows) -> NDArray[np.uint8]:
    reason = rows["reason"]
    read = (reason == GapReason.NONE) | np.isin(reason, _TAKEN)
    down = (rows["quality"] & np.uint8(Quality.OPER_DOWN)) != 0
    return np.select(
        [read & down, read, np.isin(reason, _NO_ANSWER)], [Known.DOWN, Known.UP, Known.SILENT], default=Known.UNKNOWN
    ).astype(np.uint8)


def _dark(rows: Rows, known: NDArray[np.uint8]) -> NDArray[np.bool_]:
    rated = (rows["reason"] == GapReason.NONE) & (known == Known.UP)
    hours = rows["end_ms"] // _HOUR_MS % 24
    usually = np.zeros(24)
    for hour in np.unique(hours[rated]).tolist():
        usually[hour] = np.median(rows["down_bps"][rated & (hours == hour)])
    ordinary = usually[hours]
    silent = (rows["down_bps"] < np.minimum(_DARK_RATIO * ordinary, _DARK_MOST_BPS)) & (rows["down_bps"] <= rows["up_bps"])
    dark: NDArray[np.bool_] = rated & (ordinary >= _DARK_LEAST_BPS) & silent
    return dark


def _witnessed(start_ms: Instants, end_ms: Instants, witnesses: Instants) -> NDArray[np.bool_]:
    """Slots (start, end] in which somebody answered."""
    seen = np.searchsorted(witnesses, end_ms, side="right") > np.searchsorted(witnesses, start_ms, side="right")
    return np.asarray(seen, np.bool_)


def _clear_proven(line: Timeline, rows: Rows) -> None:
    """Makes up of each silence that the next rate proves to have carried traffic."""
    for first, last in _runs(line):
        after = last + 1
        if after == len(rows) or rows["reason"][after] != GapReason.NONE or (line.known[first:after] != Known.SILENT).any():
            continue
        interval_ms = int(rows["interval_ticks"][after]) * _TICK_MS
        outside_ms = interval_ms - _length_ms(line, first, last)
        line_bps = _line_bps(rows[after])
        if line_bps and outside_ms >= 0 and rows["down_bps"][after] * interval_ms > _LINE_MARGIN * line_bps * outside_ms:
            line.known[first:after] = Known.UP


def _line_bps(row: np.void) -> float:
    """The most it carries: the limit in force, else the line's speed; 0 where neither is known."""
    limit = float(row["down_limit_bps"])
    return limit if np.isfinite(limit) else float(row["if_high_speed_mbps"]) * 1e6


def _runs(line: Timeline) -> list[tuple[int, int]]:
    """(first, last) slot of each run without service: slots that touch, of any such kind."""
    out = np.flatnonzero(line.known >= Known.DOWN)
    if not len(out):
        return []
    apart = (np.diff(out) > 1) | (line.start_ms[out[1:]] > line.end_ms[out[:-1]])
    firsts = out[np.concatenate(([True], apart))]
    lasts = out[np.concatenate((apart, [True]))]
    return list(zip(firsts.tolist(), lasts.tolist(), strict=True))


def _length_ms(line: Timeline, first: int, last: int) -> int:
    return int(line.end_ms[last] - line.start_ms[first])


def _outage(line: Timeline, first: int, last: int) -> Outage:
    seconds = np.bincount(line.known[first : last + 1], line.end_ms[first : last + 1] - line.start_ms[first : last + 1])
    after = slice(first + 1, last + 2)
    return Outage(
        series=line.series,
        start=instant(int(line.start_ms[first])),
        end=instant(int(line.end_ms[last])),
        sign=_SIGNS[Known(int(seconds.argmax()))],
        is_open=last + 1 == len(line.known),
        rebooted=bool(line.rebooted[after].any()),
    )


def instant(at_ms: int) -> datetime:
    """Aware UTC of ms since 1970."""
    return _EPOCH + timedelta(milliseconds=at_ms)


def names_apart(devices: Sequence[str | None]) -> bool:
    """Whether series stand on several devices, so that one's silence can be told from the poller's."""
    return len({device for device in devices if device is not None}) > 1
