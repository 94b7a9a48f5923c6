"""How a link's download lay over a month: by hour of the day, by day, and its peaks.

Pure. A sample belongs to the local hour and day in which its later reading lies; means are weighted by time. The busy hour is the
local hour with the highest mean from Monday to Friday.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from bwmgr.measure.calendars import instant_ms
from bwmgr.measure.columns import Rows
from bwmgr.model.monthly import DayUse, Peak, Shape
from bwmgr.model.samples import GapReason

COLUMNS: tuple[str, ...] = ("series", "end_ms", "reason", "interval_ticks", "down_bps")
PEAKS = 3
_HOUR_MS = 3_600_000

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


class LocalHours:
    """The hours from `start` to `end`, each with its local hour, day and weekday: worked out once for all links."""

    def __init__(self, start: datetime, end: datetime, timezone: str) -> None:
        zone = ZoneInfo(timezone)
        first, last = instant_ms(start) // _HOUR_MS, -(-instant_ms(end) // _HOUR_MS)
        self.first_ms = first * _HOUR_MS
        local = [datetime.fromtimestamp(hour * _HOUR_MS / 1000, UTC).astimezone(zone) for hour in range(first, last)]
        self.first_day: date = start.astimezone(zone).date()
        self.hour: Indices = np.array([moment.hour for moment in local], np.int64)
        self.day: Indices = np.array([(moment.date() - self.first_day).days for moment in local], np.int64)
        self.weekday = np.array([moment.weekday() < 5 for moment in local], np.bool_)
        self.days = ((end - timedelta(milliseconds=1)).astimezone(zone).date() - self.first_day).days + 1

    def place(self, end_ms: Indices) -> Indices:
        """Index of the hour in which each instant lies; one on the hour belongs to the hour that it ends."""
        return np.clip((end_ms - 1 - self.first_ms) // _HOUR_MS, 0, len(self.hour) - 1)


def shape(rows: Rows, hours: LocalHours) -> Shape:
    """Of one link's rows (COLUMNS) within the hours, sorted by `end_ms`; all unknown where there is no sample."""
    read = rows[rows["reason"] == GapReason.NONE]
    rates, ticks = read["down_bps"], read["interval_ticks"].astype(np.float64)
    place = hours.place(read["end_ms"])
    working = hours.weekday[place]
    profile = _means(hours.hour[place][working], rates[working], ticks[working], 24)
    days = hours.day[place].clip(0, hours.days - 1)
    means, highest = _means(days, rates, ticks, hours.days), _maxima(days, rates, hours.days)
    known = [(rate, hour) for hour, rate in enumerate(profile) if rate is not None]
    return Shape(
        profile_bps=tuple(profile),
        busy_hour=max(known, key=lambda one: (one[0], -one[1]))[1] if known else None,
        peaks=_peaks(read, days, rates),
        days=tuple(
            DayUse(day=(hours.first_day + timedelta(days=number)).isoformat(), mean_bps=mean, max_bps=high)
            for number, (mean, high) in enumerate(zip(means, highest, strict=True))
        ),
    )


def _means(place: Indices, rates: Floats, ticks: Floats, count: int) -> list[float | None]:
    carried, seconds = np.bincount(place, rates * ticks, count), np.bincount(place, ticks, count)
    return [float(sum_) / float(time) if time else None for sum_, time in zip(carried, seconds, strict=True)]


def _maxima(place: Indices, rates: Floats, count: int) -> list[float | None]:
    found = np.full(count, -np.inf)
    np.maximum.at(found, place, rates)
    return [None if np.isinf(rate) else float(rate) for rate in found]


def _peaks(read: Rows, days: Indices, rates: Floats) -> tuple[Peak, ...]:
    """The highest sample of each day, the highest days first; the earlier one where two are alike."""
    found: list[Peak] = []
    seen: set[int] = set()
    for position in np.argsort(-rates, kind="stable"):
        if int(days[position]) not in seen:
            seen.add(int(days[position]))
            at = datetime.fromtimestamp(int(read["end_ms"][position]) / 1000, UTC)
            found.append(Peak(at=at, rate_bps=float(rates[position])))
        if len(found) == PEAKS:
            break
    return tuple(found)
