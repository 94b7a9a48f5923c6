"""Usage windows: what counts as a sample, the percentile, octets, coverage and saturation."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import pytest

from bwmgr.measure.calendars import day, month, spans
from bwmgr.measure.columns import RATE, RateBatch, Rows
from bwmgr.measure.windows import COLUMNS, nearest_rank, rank_of, usage_windows
from bwmgr.model.inventory import ALWAYS, Calendar, Direction
from bwmgr.model.samples import GapReason
from bwmgr.model.usage import UsageWindow

START = datetime(2026, 3, 2, tzinfo=UTC)
START_MS = int(START.timestamp()) * 1000
INTERVAL_TICKS = 30_000


def rows_of(down_bps: list[float], *, start: datetime = START, series: int = 0) -> Rows:
    """A row every five minutes from `start` on, unlimited, upload half the download."""
    rows = np.zeros(len(down_bps), RATE)
    rows["series"] = series
    rows["end_ms"] = int(start.timestamp()) * 1000 + np.arange(len(rows)) * 300_000
    rows["interval_ticks"] = INTERVAL_TICKS
    rows["down_bps"] = down_bps
    rows["up_bps"] = rows["down_bps"] / 2
    rows["down_limit_bps"] = rows["up_limit_bps"] = np.inf
    return rows


def windows(rows: Rows, start: datetime, end: datetime, calendar: Calendar = ALWAYS, **options: float) -> list[UsageWindow]:
    batch = RateBatch(series=("a",), rows=rows)
    opened = spans(calendar, "Asia/Jakarta", start, end)
    return usage_windows(batch, start=start, end=end, calendar=calendar.id, spans=opened, **options)


def download(rows: Rows, minutes: int = 60, **options: float) -> UsageWindow:
    return windows(rows, START, START + timedelta(minutes=minutes), **options)[0]


def test_two_windows_a_series_in_order() -> None:
    """Down then up of each series in the batch's order; a series without rows has windows of nothing."""
    rows = np.concatenate([rows_of([2e6] * 12, series=0), rows_of([4e6] * 12, series=2)])
    batch = RateBatch(series=("a", "none", "c"), rows=rows)
    end = START + timedelta(hours=1)
    found = usage_windows(batch, start=START, end=end, calendar="always", spans=spans(ALWAYS, "UTC", START, end))
    assert [(window.link, window.direction) for window in found] == [
        (link, direction) for link in ("a", "none", "c") for direction in Direction
    ]
    assert [window.mean_bps for window in found] == [2e6, 1e6, None, None, 4e6, 2e6]
    assert (found[2].samples, found[2].octets, found[2].p95_bps, found[2].max_bps) == (0, 0, None, None)
    assert (found[2].coverage_ratio, found[2].saturated_ratio, found[2].method) == (0.0, None, "nearest-rank")


def test_an_empty_batch_has_no_windows() -> None:
    """No series, no windows; no open time, no coverage."""
    nothing = np.empty((0, 2), np.int64)
    empty = RateBatch(series=(), rows=rows_of([]))
    assert usage_windows(empty, start=START, end=START, calendar="always", spans=nothing) == []
    closed = usage_windows(RateBatch(series=("a",), rows=rows_of([1e6])), start=START, end=START, calendar="x", spans=nothing)
    assert [window.coverage_ratio for window in closed] == [0.0, 0.0]


@pytest.mark.parametrize(("count", "rank"), [(1, 1), (19, 19), (20, 19), (21, 20), (8640, 8208)])
def test_the_95th_percentile_is_by_nearest_rank(count: int, rank: int) -> None:
    """fault 63: position ceil(0.95 n) of the samples in rising order: the 19th of 20, the 20th of 21."""
    values = [float(value) for value in np.random.default_rng(count).permutation(count) + 1]
    window = download(rows_of(values), minutes=5 * count)
    assert (window.samples, window.p95_bps, window.max_bps) == (count, float(rank), float(count))


def test_no_sample_has_no_percentile() -> None:
    """fault 63: with 0 samples there is no figure, and never a 0."""
    window = download(rows_of([]))
    assert (window.samples, window.p95_bps, window.mean_bps, window.max_bps, window.coverage_ratio) == (0, None, None, None, 0.0)


def test_ties_and_gaps() -> None:
    """fault 63: equal samples each count; gaps are no samples, so they move no rank and lower the coverage."""
    rows = rows_of([1e6] * 10 + [3e6] * 10 + [9e6] * 4)
    rows["reason"][20:], rows["down_bps"][20:] = GapReason.TIMEOUT, np.nan
    window = download(rows, minutes=120)
    assert (window.samples, window.p95_bps, window.max_bps, window.mean_bps) == (20, 3e6, 3e6, 2e6)
    assert window.coverage_ratio == pytest.approx(20 / 24)


@pytest.mark.parametrize(("percentile", "count", "rank"), [(99.9, 1000, 999), (50, 4, 2), (100, 7, 7), (0.001, 5, 1), (95, 0, 1)])
def test_ranks_are_exact(percentile: float, count: int, rank: int) -> None:
    """A product that binary fractions put a hair above a whole number is not one rank higher."""
    assert rank_of(count, percentile) == rank


def test_other_percentiles_say_which_they_are() -> None:
    """`p95_bps` then holds that percentile, and `percentile` says so; one outside (0, 100] is refused."""
    window = download(rows_of([float(value) for value in range(1, 13)]), percentile=50.0)
    assert (window.p95_bps, window.percentile) == (6.0, 50.0)
    assert nearest_rank(np.array([3.0, 1.0, 2.0]), 100) == 3.0
    for wrong in (0.0, 100.1, -5.0, math.nan):
        with pytest.raises(ValueError, match="percentile"):
            download(rows_of([1.0]), percentile=wrong)


def test_a_sample_belongs_to_the_time_of_its_later_reading() -> None:
    """[start, end) of the later reading: the one at the start counts, the one at the end does not."""
    window = download(rows_of([float(value) for value in range(1, 25)]), minutes=60)
    assert (window.samples, window.max_bps) == (12, 12.0)


def test_a_sample_that_spans_midnight_belongs_to_the_day_after() -> None:
    """fault 58: an interval across a local midnight counts wholly where its later reading lies, so days add up to the month."""
    start, end = month("Asia/Jayapura", 2026, 3)
    midnight = day("Asia/Jayapura", date(2026, 3, 10))[1]
    rows = rows_of([8e6], start=midnight + timedelta(seconds=60))
    batch = RateBatch(series=("a",), rows=rows)

    def octets(first: datetime, last: datetime) -> int:
        opened = spans(ALWAYS, "Asia/Jayapura", first, last)
        return usage_windows(batch, start=first, end=last, calendar="always", spans=opened)[0].octets

    days = [day("Asia/Jayapura", date(2026, 3, 1) + timedelta(days=number)) for number in range(31)]
    by_day = [octets(*each) for each in days]
    assert by_day == [0] * 10 + [300_000_000] + [0] * 20
    assert sum(by_day) == octets(start, end)


def test_only_the_calendars_time_counts() -> None:
    """Rows outside the spans are ignored though they are in the batch; coverage is of open time."""
    calendar = Calendar(id="office", weekly=(((time(7, 30), time(16)),),) * 7)
    rows = rows_of([1e6] * 288, start=START - timedelta(hours=7))  # a whole day in Jakarta
    in_hours = (rows["end_ms"] >= START_MS + 1_800_000) & (rows["end_ms"] < START_MS + 9 * 3_600_000)
    rows["down_bps"][in_hours] = 5e6
    window = windows(rows, START - timedelta(hours=7), START + timedelta(hours=17), calendar)[0]
    assert (window.samples, window.mean_bps, window.coverage_ratio, window.calendar) == (102, 5e6, 1.0, "office")


def test_days_of_23_and_25_hours_have_right_sums() -> None:
    """fault 57: a constant rate over a Berlin day gives the octets of 23 or 25 hours, at full coverage."""
    for local, hours in ((date(2026, 3, 29), 23), (date(2026, 10, 25), 25)):
        start, end = day("Europe/Berlin", local)
        rows = rows_of([8e6] * 12 * 26, start=start)
        window = usage_windows(
            RateBatch(series=("a",), rows=rows),
            start=start,
            end=end,
            calendar="always",
            spans=spans(ALWAYS, "Europe/Berlin", start, end),
        )[0]
        assert (window.octets, window.coverage_ratio) == (hours * 3600 * 1_000_000, 1.0)


def test_means_and_octets_are_weighted_by_time() -> None:
    """A rate over three intervals weighs three times as much as one over one."""
    rows = rows_of([1e6, 5e6])
    rows["interval_ticks"][1] = 3 * INTERVAL_TICKS
    window = download(rows, minutes=20)
    assert (window.mean_bps, window.octets, window.samples, window.coverage_ratio) == (4e6, 600_000_000, 2, 1.0)


def test_octets_are_those_of_the_counters() -> None:
    """Rates were made of whole octets; their sum gives the octets back exactly."""
    generator = np.random.default_rng(7)
    octets, ticks = generator.integers(0, 10**10, 2000), generator.integers(29_000, 31_000, 2000)
    rows = rows_of([0.0] * 2000)
    rows["interval_ticks"], rows["down_bps"] = ticks, octets * 8 * 100 / ticks
    assert download(rows, minutes=5 * 2000).octets == octets.sum()


def test_coverage_is_at_most_one() -> None:
    """A first sample that reaches back before the window, or a device whose clock is fast, covers no more than there is."""
    rows = rows_of([1e6] * 12)
    rows["interval_ticks"] = 31_000
    assert download(rows).coverage_ratio == 1.0


def test_saturated_is_measured_against_the_limit_in_force_then() -> None:
    """0.95 of a row's own limit counts, by time; a changed limit judges only the rows after the change."""
    rows = rows_of([9.5e6, 9.4e6, 19e6, 9.5e6])
    rows["down_limit_bps"] = [10e6, 10e6, 20e6, 20e6]
    down, up = windows(rows, START, START + timedelta(minutes=20))
    assert down.saturated_ratio == 0.5
    assert up.saturated_ratio is None


def test_a_link_that_was_limited_for_a_part_of_the_window() -> None:
    """Covered time without a limit cannot be saturated but counts as covered time."""
    rows = rows_of([10e6] * 4)
    rows["down_limit_bps"][0] = 10e6
    assert download(rows, minutes=20).saturated_ratio == 0.25


def test_a_batch_with_just_the_named_columns_will_do() -> None:
    """COLUMNS is all that is read: stores may leave out the rest."""
    rows = rows_of([1e6] * 12)
    few = np.zeros(12, [(name, RATE.fields[name][0]) for name in COLUMNS])  # type: ignore[index]
    for name in COLUMNS:
        few[name] = rows[name]
    assert download(few) == download(rows)


def test_many_series_are_cut_into_blocks_at_their_bounds() -> None:
    """More rows than a block holds, empty and huge series among them: the same as each series by itself."""
    counts = [0, 70_000, 3, 0, 40_000, 40_000, 1, 0]
    generator = np.random.default_rng(3)
    parts = [rows_of(generator.random(count).tolist(), series=position) for position, count in enumerate(counts)]
    names = tuple(f"link-{position}" for position in range(len(counts)))
    end = START + timedelta(days=400)
    opened = spans(ALWAYS, "UTC", START, end)
    together = usage_windows(
        RateBatch(series=names, rows=np.concatenate(parts)), start=START, end=end, calendar="x", spans=opened
    )
    alone: list[UsageWindow] = []
    for name, part in zip(names, parts, strict=True):
        part["series"] = 0
        alone += usage_windows(RateBatch(series=(name,), rows=part), start=START, end=end, calendar="x", spans=opened)
    assert together == alone
