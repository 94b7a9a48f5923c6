"""Windows of any rows are what a plain reading of their definition gives."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bwmgr.measure.columns import RATE, RateBatch, Rows
from bwmgr.measure.windows import usage_windows
from bwmgr.model.usage import UsageWindow

START = datetime(2026, 3, 2, tzinfo=UTC)
START_MS = int(START.timestamp()) * 1000
END = START + timedelta(seconds=100)

row = st.tuples(
    st.integers(0, 2),  # series
    st.integers(-5, 110),  # end, seconds after START
    st.integers(1, 3000),  # ticks
    st.sampled_from((0, 0, 0, 2)),  # reason
    st.integers(0, 20).map(lambda rate: rate * 1e6),
    st.sampled_from((math.inf, 10e6, 4e6)),
)
cut = st.integers(0, 100)


def rows_of(found: list[tuple[int, int, int, int, float, float]]) -> Rows:
    """Sorted, one row a series and instant."""
    unique = {(each[0], each[1]): each for each in found}
    rows = np.zeros(len(unique), RATE)
    for target, key in zip(rows, sorted(unique), strict=True):
        series, end, ticks, reason, rate, limit = unique[key]
        target["series"], target["end_ms"], target["interval_ticks"] = series, START_MS + end * 1000, ticks
        target["reason"], target["down_bps"], target["down_limit_bps"] = reason, math.nan if reason else rate, limit
        target["up_bps"], target["up_limit_bps"] = target["down_bps"], math.inf
    return rows


def plain(rows: Rows, series: int, spans: list[tuple[int, int]], percentile: float) -> dict[str, object]:
    """The definition, one row at a time."""
    samples = [
        each
        for each in rows
        if each["series"] == series and each["reason"] == 0 and any(first <= each["end_ms"] < last for first, last in spans)
    ]
    rates = sorted(float(each["down_bps"]) for each in samples)
    covered = sum(Fraction(int(each["interval_ticks"]), 100) for each in samples)
    octets = sum(Fraction(float(each["down_bps"])) * int(each["interval_ticks"]) / 800 for each in samples)
    full = sum(int(each["interval_ticks"]) for each in samples if each["down_bps"] >= 0.95 * each["down_limit_bps"])
    opened = Fraction(sum(last - first for first, last in spans), 1000)
    limited = any(math.isfinite(each["down_limit_bps"]) for each in samples)
    return {
        "samples": len(samples),
        "octets": pytest.approx(float(octets), abs=1),
        "mean_bps": pytest.approx(float(octets * 8 / covered)) if samples else None,
        "p95_bps": rates[math.ceil(Fraction(str(percentile)) * len(rates) / 100) - 1] if samples else None,
        "max_bps": rates[-1] if samples else None,
        "coverage_ratio": pytest.approx(float(min(covered / opened, 1))) if opened else 0.0,
        "saturated_ratio": pytest.approx(float(full / 100 / covered)) if limited else None,
    }


def figures(window: UsageWindow) -> dict[str, object]:
    names = ("samples", "octets", "mean_bps", "p95_bps", "max_bps", "coverage_ratio", "saturated_ratio")
    return {name: getattr(window, name) for name in names}


@given(st.lists(row, max_size=40), st.sets(cut, max_size=6), st.sampled_from((95.0, 50.0, 99.9, 100.0, 1.0)))
def test_windows_equal_a_plain_reading_of_their_definition(
    found: list[tuple[int, int, int, int, float, float]], cuts: set[int], percentile: float
) -> None:
    """Any rows, any spans: the vectorised windows are those of the loop over rows, series by series."""
    rows, edges = rows_of(found), sorted(START_MS + each * 1000 for each in cuts)
    spans = list(zip(edges[::2], edges[1::2], strict=False))
    batch = RateBatch(series=("a", "b", "c"), rows=rows)
    opened = np.array(spans, np.int64).reshape(-1, 2)
    windows = usage_windows(batch, start=START, end=END, calendar="any", spans=opened, percentile=percentile)
    for series, down in enumerate(windows[::2]):
        assert figures(down) == plain(rows, series, spans, percentile)


@given(st.lists(row, max_size=40), cut)
def test_windows_that_meet_share_out_the_samples(found: list[tuple[int, int, int, int, float, float]], at: int) -> None:
    """fault 60: cut a window in two anywhere: samples and octets add up, so that none is counted twice or lost."""
    batch = RateBatch(series=("a", "b", "c"), rows=rows_of(found))
    middle = START + timedelta(seconds=at)
    everything = np.array([[START_MS, START_MS + 100_000]])
    whole, first, second = (
        usage_windows(batch, start=start, end=end, calendar="always", spans=everything)
        for start, end in ((START, END), (START, middle), (middle, END))
    )
    for together, one, other in zip(whole, first, second, strict=True):
        assert together.samples == one.samples + other.samples
        assert abs(together.octets - one.octets - other.octets) <= 1
