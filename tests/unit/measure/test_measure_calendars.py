"""When an office is open: hours, time zones, holidays, overnight spans; and where local days and months begin."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import pytest

from bwmgr.errors import UsageError
from bwmgr.measure.calendars import (
    clipped,
    day,
    inside,
    instant_ms,
    knows_holidays,
    month,
    open_seconds,
    public_holidays,
    spans,
)
from bwmgr.model.inventory import ALWAYS, Calendar

OFFICE_DAY = ((time(7, 30), time(16)),)
FRIDAY = ((time(7, 30), time(16, 30)),)
OFFICE = Calendar(id="office", weekly=(OFFICE_DAY,) * 4 + (FRIDAY, (), ()), holidays="ID")
MONDAY = datetime(2026, 3, 2, tzinfo=UTC)


def every_day(*hours: tuple[time, time | None], closed: frozenset[date] = frozenset()) -> Calendar:
    return Calendar(id="test", weekly=(hours,) * 7, closed=closed)


def opened(calendar: Calendar, start: datetime, end: datetime, timezone: str = "UTC") -> list[tuple[str, str]]:
    """Spans as texts in UTC, to the minute."""
    found = spans(calendar, timezone, start, end)
    assert found.dtype == np.int64
    assert found.shape == (len(found), 2)
    texts = [[datetime.fromtimestamp(ms / 1000, UTC).strftime("%d %H:%M") for ms in span] for span in found.tolist()]
    return [(opens, closes) for opens, closes in texts]


def test_always_is_the_window_itself() -> None:
    """Without weekly hours, holidays and closed days the window is one span; an empty window has none."""
    assert opened(ALWAYS, MONDAY, MONDAY + timedelta(days=2)) == [("02 00:00", "04 00:00")]
    assert opened(ALWAYS, MONDAY, MONDAY) == []


def test_office_hours_are_local() -> None:
    """07:30-16:00 in Sampit (UTC+7) is 00:30-09:00 UTC; a weekend has no span; Friday has its own hours."""
    assert opened(OFFICE, MONDAY, MONDAY + timedelta(days=7), "Asia/Jakarta") == [
        ("02 00:30", "02 09:00"),
        ("03 00:30", "03 09:00"),
        ("04 00:30", "04 09:00"),
        ("05 00:30", "05 09:00"),
        ("06 00:30", "06 09:30"),
    ]


def test_spans_are_clipped_to_the_window() -> None:
    """A window that begins and ends within hours cuts its first and last span."""
    noon = MONDAY + timedelta(hours=3)
    assert opened(OFFICE, noon, noon + timedelta(days=1), "Asia/Jakarta") == [("02 03:00", "02 09:00"), ("03 00:30", "03 03:00")]


def test_public_holidays_and_listed_days_are_closed() -> None:
    """19 March 2026 (Nyepi) is closed by the country's table, 20 March by the office's list (collective leave)."""
    closed = Calendar(id="office", weekly=OFFICE.weekly, holidays="ID", closed=frozenset({date(2026, 3, 20)}))
    wednesday = datetime(2026, 3, 17, 17, tzinfo=UTC)
    assert opened(closed, wednesday, wednesday + timedelta(days=5), "Asia/Jakarta") == [("18 00:30", "18 09:00")]


def test_a_calendar_of_holidays_alone_is_open_on_all_other_days() -> None:
    """No weekly hours but a closed day: all day on every other day, in spans that meet at midnight made one."""
    calendar = Calendar(id="test", closed=frozenset({date(2026, 3, 4)}))
    assert opened(calendar, MONDAY, MONDAY + timedelta(days=5)) == [("02 00:00", "04 00:00"), ("05 00:00", "07 00:00")]


@pytest.mark.parametrize("country", ["XX", "id", "ID-ZZ", ""])
def test_an_unknown_country_is_no_country_without_holidays(country: str) -> None:
    """Codes are ISO 3166-1 in capitals, or with a known subdivision."""
    assert not knows_holidays(country)
    with pytest.raises(UsageError, match="ISO 3166-1"):
        public_holidays(country, 2026)


def test_a_year_without_a_table_is_refused() -> None:
    """Years that the library does not know raise, instead of being years without a holiday."""
    assert knows_holidays("ID")
    assert knows_holidays("DE-BE")
    assert date(2026, 8, 17) in public_holidays("ID", 2026)
    with pytest.raises(UsageError, match="known from 1946 to 2100, not for 2101"):
        spans(OFFICE, "Asia/Jakarta", datetime(2101, 3, 1, tzinfo=UTC), datetime(2101, 3, 2, tzinfo=UTC))


def test_overnight_hours_belong_to_the_day_on_which_they_begin() -> None:
    """22:00-06:00 ends on the next day; a closed day begins none, but the night before is worked to its end."""
    nights = every_day((time(22), time(6)), closed=frozenset({date(2026, 3, 3)}))
    assert opened(nights, MONDAY, MONDAY + timedelta(days=3)) == [
        ("02 00:00", "02 06:00"),
        ("02 22:00", "03 06:00"),
        ("04 22:00", "05 00:00"),
    ]


def test_hours_up_to_midnight() -> None:
    """None is 24:00; 20:00-24:00 and 00:00-04:00 meet in one span."""
    assert opened(every_day((time(0), time(4)), (time(20), None)), MONDAY, MONDAY + timedelta(days=1, hours=8)) == [
        ("02 00:00", "02 04:00"),
        ("02 20:00", "03 04:00"),
    ]


def test_hours_that_overlap_count_once() -> None:
    """Overlapping and nested hours, in any order, are one span."""
    calendar = every_day((time(12), time(16)), (time(8), time(13)), (time(9), time(10)))
    assert opened(calendar, MONDAY, MONDAY + timedelta(days=1)) == [("02 08:00", "02 16:00")]


@pytest.mark.parametrize(
    ("timezone", "local", "hours"),
    [
        ("Europe/Berlin", date(2026, 3, 29), 23),
        ("Europe/Berlin", date(2026, 10, 25), 25),
        ("Asia/Jakarta", date(2026, 3, 29), 24),
        ("Asia/Makassar", date(2026, 10, 25), 24),
        ("Asia/Jayapura", date(2026, 3, 29), 24),
    ],
)
def test_days_on_which_summer_time_changes(timezone: str, local: date, hours: int) -> None:
    """fault 57: Berlin has days of 23 and 25 hours, whole-day hours last as long; Indonesia has none."""
    start, end = day(timezone, local)
    assert end - start == timedelta(hours=hours)
    all_day = every_day((time(0), None))
    assert open_seconds(spans(all_day, timezone, start, end)) == hours * 3600
    split = every_day((time(0), time(2, 30)), (time(2, 30), None))
    assert open_seconds(spans(split, timezone, start, end)) == hours * 3600


def test_hours_after_the_change_keep_their_wall_clock_time() -> None:
    """fault 57: 08:00-16:00 in Berlin is 07:00-15:00 UTC before and 06:00-14:00 UTC after summer time begins."""
    saturday = datetime(2026, 3, 28, tzinfo=UTC)
    assert opened(every_day((time(8), time(16))), saturday, saturday + timedelta(days=2), "Europe/Berlin") == [
        ("28 07:00", "28 15:00"),
        ("29 06:00", "29 14:00"),
    ]


@pytest.mark.parametrize(
    ("timezone", "year", "number", "start", "end"),
    [
        ("Asia/Jayapura", 2026, 1, datetime(2025, 12, 31, 15, tzinfo=UTC), datetime(2026, 1, 31, 15, tzinfo=UTC)),
        ("Asia/Jakarta", 2026, 12, datetime(2026, 11, 30, 17, tzinfo=UTC), datetime(2026, 12, 31, 17, tzinfo=UTC)),
        ("Asia/Makassar", 2028, 2, datetime(2028, 1, 31, 16, tzinfo=UTC), datetime(2028, 2, 29, 16, tzinfo=UTC)),
        ("Europe/Berlin", 2026, 3, datetime(2026, 2, 28, 23, tzinfo=UTC), datetime(2026, 3, 31, 22, tzinfo=UTC)),
    ],
)
def test_month_bounds_are_local(timezone: str, year: int, number: int, start: datetime, end: datetime) -> None:
    """fault 58: a Jayapura month starts at 15:00Z of the day before; December and leap years end where they should."""
    assert month(timezone, year, number) == (start, end)


def test_inside_is_half_open() -> None:
    """The opening instant is inside, the closing one is not; clipping drops what falls out."""
    two = np.array([[1000, 2000], [3000, 4000]])
    assert inside(two, np.array([999, 1000, 1999, 2000, 3000, 4000])).tolist() == [False, True, True, False, True, False]
    assert inside(two[:1], np.array([999, 1000, 1999, 2000])).tolist() == [False, True, True, False]
    assert inside(two[:0], np.array([1000])).tolist() == [False]
    first, last = datetime.fromtimestamp(1.5, UTC), datetime.fromtimestamp(3, UTC)
    assert clipped(two, first, last).tolist() == [[1500, 2000]]


def test_instants_between_milliseconds_round_up() -> None:
    """What is not before an instant is not before its millisecond, also before 1970."""
    assert instant_ms(datetime(1970, 1, 1, 0, 0, 0, 1, tzinfo=UTC)) == 1
    assert instant_ms(datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)) == 0


def test_the_hours_of_a_year_are_those_counted_by_hand() -> None:
    """A year in Sampit has a span for each weekday that is no holiday: 8.5 h, on Fridays 9 h."""
    start, end = day("Asia/Jakarta", date(2026, 1, 1))[0], day("Asia/Jakarta", date(2027, 1, 1))[0]
    days = [date(2026, 1, 1) + timedelta(days=number) for number in range(365)]
    worked = [each for each in days if each.weekday() < 5 and each not in public_holidays("ID", 2026)]
    hours = sum(9.0 if each.weekday() == 4 else 8.5 for each in worked)
    found = spans(OFFICE, "Asia/Jakarta", start, end)
    assert (len(found), open_seconds(found)) == (len(worked), hours * 3600)
