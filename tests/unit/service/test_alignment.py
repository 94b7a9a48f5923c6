"""A provider's recording beside ours: lag, correlation, bias, and what is not accepted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bwmgr.measure.alignment import CELL_MS, LEAST_CELLS, agreement, on_grid

DAY = 288


def traffic(days: int, seed: int = 1) -> np.ndarray:
    """Bit/s that follow the hours of the day, with noise that is each moment's own."""
    noise = np.random.default_rng(seed)
    cells = np.arange(days * DAY)
    return 1e8 * (1 + 0.8 * np.sin(2 * np.pi * cells / DAY)) + 2e7 * noise.standard_normal(len(cells)).cumsum() / 50


def pair(days: int = 7) -> tuple[np.ndarray, np.ndarray]:
    return traffic(days), traffic(days, seed=2) / 3


def moved(series: np.ndarray, cells: int) -> np.ndarray:
    """The same, told `cells` later by its clock."""
    found = np.full(len(series), np.nan)
    if cells >= 0:
        found[cells:] = series[: len(series) - cells]
    else:
        found[:cells] = series[-cells:]
    return found


@pytest.mark.parametrize("lag", [0, 1, -3, 84, -84, 300])
def test_clocks_are_aligned(lag: int) -> None:
    """Minutes of drift, a zone of seven hours, more than a day: the lag is found to the cell, and said as what to add."""
    ours = pair()
    found = agreement(ours, (moved(ours[0], lag), moved(ours[1], lag)))
    assert found is not None
    assert found.lag_ms == -lag * CELL_MS
    assert found.accepted
    assert found.correlations == (pytest.approx(1, abs=1e-6), pytest.approx(1, abs=1e-6))
    assert found.bias_ratios == (pytest.approx(0, abs=1e-9), pytest.approx(0, abs=1e-9))


def test_bias_is_what_it_says_more() -> None:
    """Seven percent more down (headers, say), three less up; the correlation does not care."""
    ours = pair()
    found = agreement(ours, (1.07 * moved(ours[0], 12), 0.97 * moved(ours[1], 12)))
    assert found is not None
    assert found.bias_ratios == (pytest.approx(0.07, abs=1e-9), pytest.approx(-0.03, abs=1e-9))
    assert found.accepted


def test_in_and_out_may_be_the_other_way_round() -> None:
    """Its port faces us: its out is our down. Seen from the figures, and said."""
    ours = pair()
    found = agreement(ours, (ours[1], ours[0]))
    assert found is not None
    assert (found.swapped, found.accepted) == (True, True)


def test_another_line_is_not_accepted() -> None:
    """Noise agrees with nothing: below 0.6."""
    noise = np.random.default_rng(7)
    found = agreement(pair(), (noise.random(7 * DAY), noise.random(7 * DAY)))
    assert found is not None
    assert not found.accepted


def test_a_constant_agrees_with_nothing() -> None:
    """A drawn line has no correlation at all, so it is not accepted either."""
    found = agreement(pair(), (np.full(7 * DAY, 5e7), np.full(7 * DAY, 5e7)))
    assert found is not None
    assert (found.correlations, found.accepted) == ((None, None), False)


def test_two_days_in_common_are_needed() -> None:
    """Fewer fit anything, so nothing is said."""
    ours = pair(1)
    assert agreement(ours, ours) is None
    assert agreement(pair(2), pair(2)) is not None
    assert LEAST_CELLS == 2 * DAY


def test_cells_are_means_of_what_ends_in_them() -> None:
    """A sample that ends on a cell's end belongs to it; a cell without samples is missing, not 0."""
    ends = np.array([60_000, 300_000, 300_001, 900_000])
    found = on_grid(ends, np.array([1.0, 3.0, 5.0, 7.0]), 0, 4)
    np.testing.assert_array_equal(found, [2.0, 5.0, 7.0, np.nan])


@settings(max_examples=30, deadline=None)
@given(st.integers(-200, 200), st.floats(0.5, 2), st.lists(st.integers(0, 6 * DAY), max_size=200))
def test_holes_and_scale_do_not_move_the_lag(lag: int, scale: float, holes: list[int]) -> None:
    """Each side misses cells of its own; the lag stays, the bias is the scale's."""
    ours, theirs = pair(6), [scale * moved(series, lag) for series in pair(6)]
    for series in ours:
        series[[hole for hole in holes if hole < len(series)]] = np.nan
    found = agreement(ours, (theirs[0], theirs[1]))
    assert found is not None
    assert found.lag_ms == -lag * CELL_MS
    assert found.bias_ratios[0] == pytest.approx(scale - 1, abs=1e-6)
