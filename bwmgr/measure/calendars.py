"""When an office is open: a calendar's hours in a window, as instants; and where local days and months begin.

Owns time zones, working hours and public holidays (the only user of the `holidays` library). Does not own what was used in that
time: that is `bwmgr.measure.windows`. How local hours become instants:

- An end at or before its start lies on the next day (`22:00-06:00`). Such a span belongs to the day on which it begins: it is
  worked through to its end though the next day be closed, and not begun on a closed day though the next one be open.
- Hours that summer time repeats begin and end at their first time; hours that it skips mean as much later (PEP 495, fold=0). So
  spans that meet on the wall clock meet in time, and whole days are as long as they really are.
- Overlapping and touching spans become one.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from bwmgr.errors import UsageError
from bwmgr.model.inventory import Calendar
from bwmgr.model.said import Said

Spans = NDArray[np.int64]
"""Shape (n, 2): start and end in ms since 1970 UTC, sorted, disjoint, each [start, end)."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_DAY = timedelta(days=1)
_ALL_DAY: tuple[tuple[time, time | None], ...] = ((time(0), None),)


def spans(calendar: Calendar, timezone: str, start: datetime, end: datetime) -> Spans:
    """The calendar's open time within [start, end); shape (0, 2) where there is none.

    `calendar.weekly` None: every day, all day; holidays and closed days are taken out all the same.

    Raises: UsageError where the window touches a year whose public holidays the library does not know, so that a missing table
    is never taken for a year without holidays.
    """
    first_ms, last_ms = instant_ms(start), instant_ms(end)
    if last_ms <= first_ms:
        return np.empty((0, 2), np.int64)
    if calendar.weekly is None and not calendar.holidays and not calendar.closed:
        return np.array([[first_ms, last_ms]], np.int64)
    found = [(instant_ms(opens), instant_ms(closes)) for opens, closes in _opening(calendar, ZoneInfo(timezone), start, end)]
    return _united(np.clip(np.array(found, np.int64).reshape(-1, 2), first_ms, last_ms))


def open_seconds(spans: Spans) -> float:
    """The length of all spans together."""
    return float((spans[:, 1] - spans[:, 0]).sum()) / 1000


def clipped(spans: Spans, start: datetime, end: datetime) -> Spans:
    """What of the spans lies within [start, end)."""
    cut = np.clip(spans, instant_ms(start), instant_ms(end))
    return cut[cut[:, 0] < cut[:, 1]]


def inside(spans: Spans, at_ms: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of the instants lie in one of the spans."""
    within: NDArray[np.bool_]
    if len(spans) == 1:
        within = (at_ms >= spans[0, 0]) & (at_ms < spans[0, 1])
    elif len(at_ms) > _MANY_INSTANTS and _on_minutes(spans):
        within = _inside_by_minute(spans, at_ms)
    else:
        within = np.searchsorted(spans.ravel(), at_ms, side="right") % 2 == 1
    return within


_MINUTE_MS = 60_000
_MANY_INSTANTS = 10_000
_MOST_MINUTES = 4 * 366 * 1440


def _on_minutes(spans: Spans) -> bool:
    """Do all bounds fall on whole minutes, as opening hours do, and do they lie within some years?"""
    return len(spans) > 0 and not (spans % _MINUTE_MS).any() and spans[-1, 1] - spans[0, 0] <= _MOST_MINUTES * _MINUTE_MS


def _inside_by_minute(spans: Spans, at_ms: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Looked up in a table of minutes: ten times as fast as searching, for millions of instants."""
    first, last = int(spans[0, 0]), int(spans[-1, 1])
    changes = np.zeros((last - first) // _MINUTE_MS + 2, np.int8)
    changes[1 + (spans[:, 0] - first) // _MINUTE_MS] += 1
    np.subtract.at(changes, 1 + (spans[:, 1] - first) // _MINUTE_MS, 1)  # one span may begin where another ends
    open_ = np.cumsum(changes, dtype=np.int8).view(np.bool_)  # entry 0: before the first span
    minute = np.clip(at_ms - (first - _MINUTE_MS), 0, last - first + _MINUTE_MS) // _MINUTE_MS
    found: NDArray[np.bool_] = open_[minute]
    return found


def day(timezone: str, local: date) -> tuple[datetime, datetime]:
    """A local day as [start, end) in UTC: 24 hours, or 23 or 25 where summer time begins or ends."""
    zone = ZoneInfo(timezone)
    return _midnight(local, zone), _midnight(local + _DAY, zone)


def month(timezone: str, year: int, month: int) -> tuple[datetime, datetime]:
    """A local month as [start, end) in UTC: January 2026 in Asia/Jayapura starts on 31 December at 15:00Z."""
    zone = ZoneInfo(timezone)
    following = date(year + month // 12, month % 12 + 1, 1)
    return _midnight(date(year, month, 1), zone), _midnight(following, zone)


def instant_ms(instant: datetime) -> int:
    """Milliseconds since 1970 UTC of an aware instant, rounded up: what is not before it is not before its millisecond."""
    return -((_EPOCH - instant) // _MILLISECOND)


def knows_holidays(country: str) -> bool:
    """Whether public holidays are known for an ISO 3166-1 code (`ID`), or one with a subdivision (`DE-BE`)."""
    import holidays

    name, _, subdivision = country.partition("-")
    known = holidays.list_supported_countries(include_aliases=True)
    return name in known and (not subdivision or subdivision in known[name])


@lru_cache(maxsize=256)
def public_holidays(country: str, year: int) -> frozenset[date]:
    """The days of a year that are public holidays of the country (no collective leave: an office lists that as closed days).

    Raises: UsageError where the country or the year is not known.
    """
    import holidays

    if not knows_holidays(country):
        raise UsageError(
            Said("no public holidays are known for {country!r}; write an ISO 3166-1 code such as ID", country=country)
        )
    name, _, subdivision = country.partition("-")
    table = holidays.country_holidays(name, subdiv=subdivision or None, years=year)
    if not table.start_year <= year <= table.end_year:
        raise UsageError(
            Said(
                "public holidays of {country} are known from {first} to {last}, not for {year}",
                country=country,
                first=str(table.start_year),
                last=str(table.end_year),
                year=str(year),
            )
        )
    return frozenset(table)


def _opening(calendar: Calendar, zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The open spans of all local days that may reach into [start, end): from the day before, which may last overnight."""
    local, last = start.astimezone(zone).date() - _DAY, end.astimezone(zone).date()
    while local <= last:
        hours = _ALL_DAY if calendar.weekly is None else calendar.weekly[local.weekday()]
        if hours and not _is_closed(calendar, local):
            for opens, closes in hours:
                overnight = closes is None or closes <= opens
                yield _instant(local, opens, zone), _instant(local + _DAY if overnight else local, closes or time(0), zone)
        local += _DAY


def _is_closed(calendar: Calendar, local: date) -> bool:
    if local in calendar.closed:
        return True
    return bool(calendar.holidays) and local in public_holidays(calendar.holidays or "", local.year)


def _midnight(local: date, zone: ZoneInfo) -> datetime:
    return _instant(local, time(0), zone)


def _instant(local: date, at: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(local, at, zone).astimezone(UTC)


def _united(found: Spans) -> Spans:
    """Sorted and disjoint: empty spans dropped, those that overlap or touch made one."""
    rising = found[found[:, 0] < found[:, 1]]
    if not len(rising):
        return rising
    ordered = rising[np.argsort(rising[:, 0], kind="stable")]
    reach = np.maximum.accumulate(ordered[:, 1])
    begins = np.flatnonzero(np.concatenate(([True], ordered[1:, 0] > reach[:-1])))
    ends = np.concatenate((begins[1:] - 1, [len(ordered) - 1]))
    return np.stack((ordered[begins, 0], reach[ends]), axis=1)
