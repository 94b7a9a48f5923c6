"""Where an instant stands in the local day and week: hour, weekday, days off, Ramadan.

Owns what the weekly pattern of usage depends on, and is the only user of `hijridate`. Office hours are `calendars`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from bwmgr.measure.calendars import public_holidays
from bwmgr.model.inventory import ALWAYS, Calendar

HOUR_MS = 3_600_000
HOURS_OF_WEEK = 168
_RAMADAN = 9
_MONDAY_1970 = 4 * 24
"""Hours from 1 January 1970, a Thursday, to the first Monday."""

Instants = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Season:
    """Aligned with the instants asked for; local time throughout."""

    hour: NDArray[np.float64]
    """Hour of the day, 0 to 24, with its fraction."""
    hour_of_week: NDArray[np.int64]
    """0 is Monday 00:00 to 01:00; a day off of the calendar counts as the same hour of a Sunday."""
    off: NDArray[np.bool_]
    """Weekend (or the weekday on which the calendar never opens), public holiday or closed day."""
    ramadan: NDArray[np.bool_]


def season(at_ms: Instants, timezone: str, calendar: Calendar = ALWAYS) -> Season:
    """The local hour and kind of day of each instant, ms since 1970 UTC.

    Where the calendar has no weekly hours, Saturday and Sunday are off; its holidays and closed days count in any case.
    Raises: UsageError for years of which the calendar's holidays are not known.
    """
    local_ms = at_ms + _offsets_ms(at_ms, timezone)
    days, day_of = np.unique(local_ms // (24 * HOUR_MS), return_inverse=True)
    dates = [date(1970, 1, 1) + timedelta(days=int(number)) for number in days]
    holiday = np.array([_is_holiday(calendar, each) for each in dates], bool)[day_of]
    resting = np.array([_never_opens(calendar, each.weekday()) for each in dates], bool)[day_of]
    ramadan = np.array([is_ramadan(each) for each in dates], bool)[day_of]
    hour_of_week = (local_ms // HOUR_MS - _MONDAY_1970) % HOURS_OF_WEEK
    hour_of_week = np.where(holiday, 6 * 24 + hour_of_week % 24, hour_of_week)
    return Season(hour=(local_ms % (24 * HOUR_MS)) / HOUR_MS, hour_of_week=hour_of_week, off=resting | holiday, ramadan=ramadan)


@lru_cache(maxsize=4096)
def is_ramadan(day: date) -> bool:
    """Whether the day lies in Ramadan by the Umm al-Qura calendar; Indonesia's own sighting may differ by a day.

    False outside the years that the table knows (1924 to 2077).
    """
    from hijridate import Gregorian

    try:
        return bool(Gregorian.fromdate(day).to_hijri().month == _RAMADAN)
    except OverflowError:
        return False


def _offsets_ms(at_ms: Instants, timezone: str) -> Instants:
    """Offset from UTC of each instant, looked up once an hour (zones change on whole quarters; an hour's blur is harmless)."""
    zone = ZoneInfo(timezone)
    hours, hour_of = np.unique(at_ms // HOUR_MS, return_inverse=True)
    offsets = [datetime.fromtimestamp(int(hour) * 3600, UTC).astimezone(zone).utcoffset() or timedelta() for hour in hours]
    return np.array([round(offset.total_seconds() * 1000) for offset in offsets], np.int64)[hour_of]


def _is_holiday(calendar: Calendar, day: date) -> bool:
    if day in calendar.closed:
        return True
    return bool(calendar.holidays) and day in public_holidays(calendar.holidays or "", day.year)


def _never_opens(calendar: Calendar, weekday: int) -> bool:
    return weekday >= 5 if calendar.weekly is None else not calendar.weekly[weekday]
