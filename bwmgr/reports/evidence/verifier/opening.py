"""A calendar's open time in the period, again from its week, its closed days and the office's time zone.

An end at or before its start lies on the next day. Hours belong to the day on which they begin. Overlapping and touching hours
are one. Needs the machine's time zone table (Python's zoneinfo); without it the open time is taken as given.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_DAY = timedelta(days=1)

Span = list[int]


def zone(name: str) -> ZoneInfo | None:
    """None where this machine does not know it."""
    try:
        return ZoneInfo(name)
    except ZoneInfoNotFoundError:
        return None


def spans(rule: dict[str, Any], where: ZoneInfo, start_ms: int, end_ms: int) -> list[Span]:
    """[start, end) in ms, sorted and disjoint, within the period. `rule`: `week`, seven lists of [opens, closes]; `closed`."""
    day = datetime.fromtimestamp(start_ms / 1000, UTC).astimezone(where).date() - _DAY
    last = datetime.fromtimestamp(end_ms / 1000, UTC).astimezone(where).date()
    closed = set(rule["closed"])
    found: list[Span] = []
    while day <= last:
        for opens, closes in rule["week"][day.weekday()] if day.isoformat() not in closed else ():
            until = day + _DAY if closes <= opens else day
            found.append([_ms(day, opens, where), _ms(until, closes, where)])
        day += _DAY
    return _united([[max(a, start_ms), min(b, end_ms)] for a, b in found])


def _ms(day: date, clock: str, where: ZoneInfo) -> int:
    return round(datetime.combine(day, time.fromisoformat(clock), where).timestamp() * 1000)


def _united(found: list[Span]) -> list[Span]:
    united: list[Span] = []
    for start, end in sorted(span for span in found if span[0] < span[1]):
        if united and start <= united[-1][1]:
            united[-1][1] = max(united[-1][1], end)
        else:
            united.append([start, end])
    return united
