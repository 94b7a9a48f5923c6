"""The sum of several links: by cells, weighted by time, with what is missing said by its coverage."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from bwmgr.measure.columns import RATE, RateBatch
from bwmgr.measure.sums import Sum, sum_batches, summed_usage
from bwmgr.model.inventory import PerDirection
from bwmgr.model.samples import GapReason, Quality

START = datetime(2026, 3, 2, tzinfo=UTC)
START_MS = int(START.timestamp()) * 1000


def batch(**series: list[tuple[float, float, float]]) -> RateBatch:
    """Rows of (end in seconds after START, interval in seconds, download in bit/s) by series; upload is half of it."""
    rows = np.zeros(sum(map(len, series.values())), RATE)
    flat = [(position, *row) for position, each in enumerate(series.values()) for row in each]
    for row, (position, end, interval, rate) in zip(rows, flat, strict=True):
        row["series"], row["end_ms"], row["interval_ticks"] = position, START_MS + end * 1000, interval * 100
        row["down_bps"], row["up_bps"] = rate, rate / 2
    return RateBatch(series=tuple(series), rows=rows)


def summed(*batches: RateBatch, members: tuple[str, ...] = ("a", "b"), seconds: int = 1200, **options: object) -> Sum:
    end = START + timedelta(seconds=seconds)
    return sum_batches(batches, {"node": members}, start=START, end=end, grid_seconds=300, **options)["node"]  # type: ignore[arg-type]


def test_links_polled_on_the_grid_add_up_row_by_row() -> None:
    """Where every link's rows are cells already, the sum of a cell is the sum of the rows that end with it."""
    total = summed(batch(a=[(0, 300, 8e6), (300, 300, 1e6)], b=[(0, 300, 2e6), (300, 300, 3e6)]))
    assert total.batch.series == ("node",)
    assert total.batch.rows["end_ms"].tolist() == [START_MS, START_MS + 300_000]
    assert total.batch.rows["down_bps"].tolist() == [10e6, 4e6]
    assert total.batch.rows["up_bps"].tolist() == [5e6, 2e6]
    assert total.coverage_ratio.tolist() == [1.0, 1.0]
    assert not total.batch.rows["quality"].any()


def test_octets_are_spread_by_the_time_they_took() -> None:
    """A row that ends 100 s into a cell gives a third of its octets to that cell and the rest to the one before."""
    total = summed(batch(a=[(400, 300, 3e6)]), members=("a",))
    assert total.batch.rows["end_ms"].tolist() == [START_MS + 300_000, START_MS + 600_000]
    assert total.batch.rows["down_bps"] == pytest.approx([2e6, 1e6])
    assert total.coverage_ratio == pytest.approx([2 / 3, 1 / 3])


def test_a_missing_link_is_a_partial_sum_and_says_so() -> None:
    """Nothing is made up for a link without data: the sum holds the others, with half the coverage and PARTIAL."""
    gap = batch(a=[(300, 300, 4e6)], b=[(300, 300, 0)])
    gap.rows["reason"][1] = GapReason.TIMEOUT
    total = summed(gap)
    assert total.batch.rows["down_bps"].tolist() == [4e6]
    assert total.coverage_ratio.tolist() == [0.5]
    assert total.batch.rows["quality"].tolist() == [Quality.PARTIAL]


def test_a_long_interval_covers_the_cells_of_the_lost_polls() -> None:
    """A rate over three intervals, after two lost polls, is the same rate in three cells."""
    total = summed(batch(a=[(900, 900, 6e6)]), members=("a",))
    assert total.batch.rows["down_bps"] == pytest.approx([6e6, 6e6, 6e6])


def test_intervals_that_overlap_by_our_clock_lose_no_octet() -> None:
    """A device whose clock runs 1 % fast says 303 s for 300 s of ours: octets are kept, coverage stays at most 1."""
    total = summed(batch(a=[(300, 303, 8e6), (600, 303, 8e6), (900, 303, 8e6)]), members=("a",))
    octets = (total.batch.rows["down_bps"] * 300 / 8).sum()
    assert octets == pytest.approx(3 * 303 * 1e6)
    assert total.coverage_ratio.max() <= 1


def test_chunks_and_nested_groups_need_one_pass() -> None:
    """A link counts in its node and in the node above; batches may hold any part of the links."""
    groups = {"top": ("a", "b", "c"), "below": ("b", "c"), "empty": ()}
    chunks = [batch(a=[(300, 300, 1e6)]), batch(b=[(300, 300, 2e6)], stranger=[(300, 300, 9e6)]), batch(c=[(300, 300, 4e6)])]
    found = sum_batches(iter(chunks), groups, start=START, end=START + timedelta(hours=1), grid_seconds=300)
    assert {name: total.batch.rows["down_bps"].tolist() for name, total in found.items()} == {
        "top": [7e6],
        "below": [6e6],
        "empty": [],
    }


def test_usage_of_a_sum_has_the_members_coverage_and_the_nodes_saturation() -> None:
    """Percentile over cells, coverage over all members' time, saturation against the node's capacity."""
    rows_a = [(at, 300, 6e6) for at in (0, 300, 600, 900)]
    total = summed(batch(a=rows_a, b=rows_a[:2]), capacities={"node": PerDirection(down=12_000_000, up=None)})
    spans = np.array([[START_MS, START_MS + 1_200_000]])
    down, up = summed_usage(total, start=START, end=START + timedelta(minutes=20), calendar="always", spans=spans)
    assert (down.samples, down.max_bps, down.p95_bps) == (4, 12e6, 12e6)
    assert down.octets == 6 * 300 * 6_000_000 // 8
    assert down.coverage_ratio == up.coverage_ratio == pytest.approx(0.75)
    assert (down.saturated_ratio, up.saturated_ratio) == (0.5, None)


def test_a_window_without_cells_or_data_is_empty() -> None:
    """No data, or a window shorter than a cell that holds no cell's end: a sum without rows, usage without figures."""
    total = summed(batch(a=[]))
    down, _ = summed_usage(total, start=START, end=START, calendar="always", spans=np.empty((0, 2), np.int64))
    assert (down.samples, down.mean_bps, down.coverage_ratio) == (0, None, 0.0)
    moment = START + timedelta(seconds=10)
    short = sum_batches([], {"node": ("a",)}, start=moment, end=moment + timedelta(seconds=20), grid_seconds=300)
    assert len(short["node"].batch.rows) == 0
