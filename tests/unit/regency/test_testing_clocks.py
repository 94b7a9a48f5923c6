"""Clocks that do not run with the wall's."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from bwmgr.testing.clock import FastClock, LeapClock, ManualClock
from bwmgr.testing.kabupaten import morning_before

_START = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)


def test_a_leap_costs_no_time() -> None:
    """An hour's wait moves the clock by an hour, at once; otherwise it keeps the wall's pace."""
    clock = LeapClock(_START)
    began = time.monotonic()
    clock.wait(3600)
    assert clock.now() - _START >= timedelta(hours=1)
    assert clock.monotonic() >= 3600
    assert time.monotonic() - began < 1
    clock.wait(-5)
    assert clock.now() - _START >= timedelta(hours=1)


def test_a_fast_clock_runs_by_its_factor() -> None:
    """A thousand times as fast: ten virtual seconds are a hundredth of a real one."""
    clock = FastClock(_START, 1000)
    began = time.monotonic()
    clock.wait(10)
    assert time.monotonic() - began < 5
    assert clock.now() >= _START + timedelta(seconds=10)


def test_a_manual_clock_moves_when_told() -> None:
    """`wait` advances at once, `step` moves the wall time alone, and nothing runs backwards."""
    clock = ManualClock(_START)
    clock.wait(5)
    clock.step(-3600)
    assert clock.now() == _START - timedelta(seconds=3595)
    assert clock.monotonic() == 5
    with pytest.raises(ValueError, match="backwards"):
        clock.advance(-1)


@pytest.mark.parametrize(
    ("now", "morning"),
    [
        (datetime(2026, 11, 25, 5, 0, tzinfo=UTC), datetime(2026, 11, 25, 3, 0, tzinfo=UTC)),  # Wednesday noon: this morning
        (datetime(2026, 11, 25, 3, 30, tzinfo=UTC), datetime(2026, 11, 24, 3, 0, tzinfo=UTC)),  # half past ten: not over yet
        (datetime(2026, 11, 22, 5, 0, tzinfo=UTC), datetime(2026, 11, 20, 3, 0, tzinfo=UTC)),  # Sunday: Friday
        (datetime(2026, 11, 23, 1, 0, tzinfo=UTC), datetime(2026, 11, 20, 3, 0, tzinfo=UTC)),  # Monday at eight: Friday
    ],
)
def test_the_demo_takes_place_on_a_working_morning(now: datetime, morning: datetime) -> None:
    """Ten o'clock local of the newest weekday that is over by an hour."""
    assert morning_before(now) == morning
