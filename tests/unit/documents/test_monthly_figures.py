"""How a link's month lay: by local hour and day, its peaks; a sample belongs to the hour that its later reading ends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from bwmgr.measure.calendars import instant_ms, month
from bwmgr.measure.columns import RATE, Rows
from bwmgr.measure.monthly import LocalHours, shape
from bwmgr.model.samples import GapReason

ZONE = "Asia/Jakarta"
START, END = month(ZONE, 2026, 1)


def rows(*samples: tuple[datetime, float]) -> Rows:
    """Samples of five minutes: (later reading, Mbit/s)."""
    made = np.zeros(len(samples), RATE)
    made["end_ms"] = [instant_ms(at) for at, _ in samples]
    made["interval_ticks"] = 30_000
    made["down_bps"] = [rate * 1e6 for _, rate in samples]
    return made


def local(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 1, day, hour, minute, tzinfo=UTC) - timedelta(hours=7)


def test_the_busy_hour_is_that_of_weekdays() -> None:
    """Saturday's peak at 20:00 does not count; of Monday's two hours the fuller one does."""
    found = shape(rows((local(3, 20, 5), 90.0), (local(5, 9, 5), 10.0), (local(5, 10, 5), 30.0)), LocalHours(START, END, ZONE))
    assert (found.busy_hour, found.profile_bps[10], found.profile_bps[20]) == (10, 30e6, None)


def test_a_reading_on_the_hour_ends_the_hour_before() -> None:
    """10:00 sharp is the end of nine o'clock's last sample; midnight's of the day before."""
    found = shape(rows((local(5, 10), 10.0), (local(6, 0), 20.0)), LocalHours(START, END, ZONE))
    assert found.profile_bps[9] == 10e6
    assert [day.max_bps for day in found.days][4:6] == [20e6, None]


def test_peaks_are_of_three_different_days() -> None:
    """Two high samples of one day are one peak; the highest comes first."""
    samples = [(local(5, 9), 50.0), (local(5, 10), 60.0), (local(6, 9), 40.0), (local(7, 9), 30.0), (local(8, 9), 20.0)]
    found = shape(rows(*samples), LocalHours(START, END, ZONE))
    assert [(peak.at, peak.rate_bps) for peak in found.peaks] == [
        (local(5, 10), 60e6), (local(6, 9), 40e6), (local(7, 9), 30e6)
    ]  # fmt: skip


def test_gaps_are_no_samples() -> None:
    """A month of gaps has a shape of nothing, with all its days."""
    made = rows((local(5, 9), 50.0))
    made["reason"] = GapReason.TIMEOUT
    found = shape(made, LocalHours(START, END, ZONE))
    assert (found.busy_hour, found.peaks) == (None, ())
    assert [day.day for day in found.days][::30] == ["2026-01-01", "2026-01-31"]
    assert {day.mean_bps for day in found.days} == {None}


def test_means_are_weighted_by_time() -> None:
    """Ten minutes at 10 and five at 40 Mbit/s are 20 in the mean."""
    made = rows((local(5, 9, 10), 10.0), (local(5, 9, 15), 40.0))
    made["interval_ticks"][0] = 60_000
    assert shape(made, LocalHours(START, END, ZONE)).days[4].mean_bps == pytest.approx(20e6)
