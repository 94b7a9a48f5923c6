"""What rows say of a link itself: down, flapping, errors, untrustworthy counters, gaps, round-trip time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from bwmgr.measure.columns import RATE, RateBatch, Rows
from bwmgr.measure.health import COLUMNS, link_health
from bwmgr.model.inventory import Direction
from bwmgr.model.samples import GapReason, Quality
from bwmgr.model.usage import LinkHealth

START = datetime(2026, 3, 2, tzinfo=UTC)
START_MS = int(START.timestamp()) * 1000
UP, DOWN = Quality.OK, Quality.OPER_DOWN


def rows_of(quality: list[int], series: int = 0) -> Rows:
    """One row a minute with these qualities, without errors, discards and round-trip times."""
    rows = np.zeros(len(quality), RATE)
    rows["series"], rows["quality"], rows["interval_ticks"] = series, quality, 6000
    rows["end_ms"] = START_MS + np.arange(len(rows)) * 60_000
    return rows


def health(*series: Rows, minutes: int = 60) -> list[LinkHealth]:
    names = tuple(f"link-{position}" for position in range(len(series)))
    batch = RateBatch(series=names, rows=np.concatenate(series))
    return link_health(batch, start=START, end=START + timedelta(minutes=minutes))


def test_a_link_without_rows_has_no_readings() -> None:
    """Nothing known is nothing claimed: no readings, no gaps, no round-trip time."""
    (nothing,) = health(rows_of([]))
    assert nothing == LinkHealth(link="link-0", readings=0, discards_ps={Direction.DOWN: 0.0, Direction.UP: 0.0})
    assert link_health(RateBatch(series=(), rows=rows_of([])), start=START, end=START) == []


def test_down_and_flaps_are_told_by_series() -> None:
    """A flap is a change from up to down within a series; beginning down, or another series' state, is none."""
    flapping, steady, down = health(rows_of([UP, DOWN, UP, DOWN, DOWN]), rows_of([UP] * 4, 1), rows_of([DOWN, DOWN], 2))
    assert (flapping.down_ratio, flapping.flaps, flapping.readings) == (0.6, 2, 5)
    assert (steady.down_ratio, steady.flaps) == (0.0, 0)
    assert (down.down_ratio, down.flaps) == (1.0, 0)


def test_a_gap_between_up_and_down_hides_no_flap() -> None:
    """Readings are compared with the reading before, whatever lies between; gaps are counted by reason."""
    rows = rows_of([UP, 0, 0, DOWN])
    rows["reason"][1:3] = GapReason.TIMEOUT, GapReason.REBOOT
    (link,) = health(rows)
    assert (link.flaps, link.readings, link.down_ratio) == (1, 2, 0.5)
    assert link.gaps == {GapReason.TIMEOUT: 1, GapReason.REBOOT: 1}


def test_counters_that_cannot_be_trusted() -> None:
    """Shares of readings from 32-bit counters, and of readings that were stuck."""
    (link,) = health(rows_of([Quality.COUNTER32, Quality.COUNTER32 | Quality.STUCK, Quality.COUNTER32, UP]))
    assert (link.counter32_ratio, link.stuck_ratio) == (0.75, 0.25)


def test_errors_and_discards_are_means_over_the_time_they_were_known() -> None:
    """Weighted by interval; a reading that could not tell (NaN) does not count as one without errors."""
    rows = rows_of([UP] * 3)
    rows["interval_ticks"] = [6000, 18_000, 6000]
    rows["down_errors_ps"], rows["up_errors_ps"] = [4, 0, np.nan], [2, 2, 2]
    rows["down_discards_ps"], rows["up_discards_ps"] = [0, 8, np.nan], [np.nan] * 3
    (link,) = health(rows)
    assert link.errors_ps == pytest.approx(1 + 2)
    assert link.discards_ps == pytest.approx({Direction.DOWN: 6.0, Direction.UP: 0.0})


def test_round_trip_time_is_the_median_of_what_is_known() -> None:
    """0 is unknown; one slow answer does not move it; a gap's answer counts too."""
    rows = rows_of([UP] * 4)
    rows["rtt_us"], rows["reason"][3] = [0, 2000, 900_000, 3000], GapReason.REBOOT
    (link,) = health(rows)
    assert link.rtt_ms == 3.0


def test_only_the_window_counts() -> None:
    """[start, end) of the row's time."""
    assert health(rows_of([UP] * 10), minutes=4)[0].readings == 4


def test_a_batch_with_just_the_named_columns_is_enough() -> None:
    """COLUMNS is all that is read: stores may leave out the rest."""
    rows = rows_of([UP, DOWN])
    few = np.zeros(2, [(name, RATE.fields[name][0]) for name in COLUMNS])  # type: ignore[index]
    for name in COLUMNS:
        few[name] = rows[name]
    assert health(few) == health(rows)
