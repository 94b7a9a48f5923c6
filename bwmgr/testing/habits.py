"""When people use a connection: how busy a link is at each minute of a week, between 0 and 1.

Owns the shapes of days (office, hospital, evening WiFi). A link with a calendar follows it, holidays included, with a slow
start, a lunch break and a quick end; one without follows the sun. How much that is in bit/s belongs to `traffic`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from bwmgr.measure.calendars import Spans, spans
from bwmgr.model.inventory import Calendar, Link, LinkKind, ServiceClass
from bwmgr.testing.noise import Cells, Floats

CELL_SECONDS = 60
"""Traffic is constant within a cell; cells are counted from 1970 UTC."""
_CELL_MS = CELL_SECONDS * 1000
_WAKING_MINUTES, _LEAVING_MINUTES = 50, 25
_LUNCH = ((11.9, 13.1), (11.4, 13.4))
"""Hours of the break on other days, and on Friday, the day of the congregational prayer."""


@dataclass(frozen=True, kw_only=True)
class Habit:
    """Hours of the day and how busy they are; between them it is linear. `weekend_ratio` scales Saturday and Sunday."""

    hours: tuple[float, ...]
    levels: tuple[float, ...]
    weekend_ratio: float = 1.0
    night_ratio: float = 0.03
    """Of the busiest time, when the link's calendar is closed."""
    up_ratio: float = 0.24
    """Upload over download."""


OFFICE = Habit(hours=(0, 6, 8, 9.5, 11.5, 14, 15.5, 17, 24), levels=(0.04, 0.05, 0.6, 1, 0.95, 0.9, 0.8, 0.2, 0.04))
HOSPITAL = Habit(hours=(0, 5, 8, 10, 14, 18, 22, 24), levels=(0.35, 0.3, 0.8, 1, 0.85, 0.7, 0.5, 0.35))
EVENING = Habit(hours=(0, 2, 6, 10, 15, 19, 21, 23, 24), levels=(0.3, 0.1, 0.1, 0.4, 0.55, 1, 0.95, 0.5, 0.3), weekend_ratio=1.3)
LEISURE = Habit(hours=(0, 5, 8, 12, 16, 18, 21, 24), levels=(0.1, 0.05, 0.3, 0.4, 0.8, 1, 0.7, 0.1), weekend_ratio=1.4)
VILLAGE = Habit(hours=(0, 6, 8, 10, 14, 16, 19, 22, 24), levels=(0.1, 0.1, 0.6, 0.9, 0.8, 0.4, 1, 0.4, 0.1))

_BY_KIND = {LinkKind.FACILITY: LEISURE, LinkKind.VILLAGE: VILLAGE, LinkKind.WIFI: EVENING, LinkKind.EVENT: LEISURE}


def habit_of(link: Link) -> Habit:
    """What fits the kind of link; a critical one without closing time works round the clock."""
    if link.service_class is ServiceClass.CRITICAL and link.calendar == "always":
        return HOSPITAL
    return _BY_KIND.get(link.kind, OFFICE)


def activity(habit: Habit, calendar: Calendar, timezone: str, cells: Cells) -> Floats:
    """How busy each cell is, about 0 to 1 (weekends may be above)."""
    hours, weekday = _local(timezone, cells)
    level: Floats = np.interp(hours, habit.hours, habit.levels)
    if calendar.weekly is None:
        level *= np.where(weekday >= 5, habit.weekend_ratio, 1.0)
        return level
    presence = _presence(_open(calendar, timezone, int(cells[0]), int(cells[-1]) + 1), cells)
    start, end = np.where((weekday == 4)[:, None], _LUNCH[1], _LUNCH[0]).T
    lunch = np.where((hours >= start) & (hours < end), 0.5, 1.0)
    return np.maximum(level * presence * lunch, habit.night_ratio)


def mornings(timezone: str, cells: Cells) -> NDArray[np.bool_]:
    """Cells between 07:30 and 12:00 local."""
    hours, _ = _local(timezone, cells)
    return (hours >= 7.5) & (hours < 12)


def _presence(open_spans: Spans, cells: Cells) -> Floats:
    """0 while closed; while open it rises over the first minutes and falls over the last."""
    if not len(open_spans):
        return np.zeros(len(cells))
    at_ms = cells * _CELL_MS
    which = np.clip(np.searchsorted(open_spans[:, 0], at_ms, side="right") - 1, 0, None)
    since, left = (at_ms - open_spans[which, 0]) / 60_000, (open_spans[which, 1] - at_ms) / 60_000
    present: Floats = np.clip(np.minimum((since + 5) / _WAKING_MINUTES, left / _LEAVING_MINUTES), 0, 1) * (since >= 0)
    return present


def _local(timezone: str, cells: Cells) -> tuple[Floats, NDArray[np.int64]]:
    """(hour of the day, weekday with Monday 0); the zone's offset at the first cell holds for all of them."""
    offset = ZoneInfo(timezone).utcoffset(_instant(int(cells[0]))) or timedelta()
    minutes = cells * CELL_SECONDS // 60 + int(offset.total_seconds()) // 60
    days, minute = np.divmod(minutes, 1440)
    return minute / 60, (days + 3) % 7  # 1970-01-01 was a Thursday


@lru_cache(maxsize=64)
def _open_between(calendar: Calendar, timezone: str, first_day: int, last_day: int) -> Spans:
    start, end = _instant(first_day * 1440), _instant(last_day * 1440)
    return spans(calendar, timezone, start, end)


def _open(calendar: Calendar, timezone: str, first: int, last: int) -> Spans:
    """Whole days around the cells, so that an opening hour is seen whole and answers can be remembered."""
    return _open_between(calendar, timezone, first // 1440 - 1, last // 1440 + 2)


def _instant(cell: int) -> datetime:
    return datetime.fromtimestamp(cell * CELL_SECONDS, UTC)
