"""The pictures of a report."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bwmgr.reports.charts import Axis, Series, bar_chart, line_chart, meter, round_ticks, sparkline

_AXIS = Axis(ticks=[(0, "0"), (10, "10")])


def test_a_line_breaks_where_nothing_is_known() -> None:
    """Two stretches are two polylines; nothing is drawn through the gap."""
    series = Series(style="down", heights=[1, 2, None, 3, 4])
    picture = line_chart([series], x=_AXIS, y=_AXIS, title="t", description="d")
    assert picture.count("<polyline") == 2


def test_a_picture_says_what_it_shows() -> None:
    """A title and a description for those who do not see it, with special characters escaped."""
    picture = bar_chart([1, None, 3], x=_AXIS, y=_AXIS, marked=2, title="a < b", description='"c" & d')
    root = ET.fromstring(picture)
    assert (root[0].text, root[1].text) == ("a < b", '"c" & d')
    assert picture.count('class="bar marked"') == 1


def test_a_sparkline_of_nothing_is_an_empty_picture() -> None:
    """All unknown, or all zero, divides by nothing."""
    assert "<polyline" not in sparkline([None] * 24, description="x")
    assert "nan" not in sparkline([0.0] * 24, description="x")


@pytest.mark.parametrize(("ratio", "style"), [(0.97, "high"), (0.5, ""), (0.05, "low"), (1.4, "high")])
def test_a_meter_shows_full_and_empty(ratio: float, style: str) -> None:
    """From 95 % on it is full, under 10 % nearly empty; it is never wider than its frame."""
    bar = meter(ratio)
    assert f'class="meter {style}"' in bar
    assert f"width:{min(ratio, 1):.1%}" in bar
    assert meter(None) == ""


@given(st.floats(min_value=1e-3, max_value=1e13))
def test_ticks_are_few_and_reach_the_top(highest: float) -> None:
    """From 0 in even steps to the first at or above the highest value; at most five steps."""
    ticks = round_ticks(highest)
    assert ticks[0] == 0
    assert ticks[-1] >= highest * (1 - 1e-6)
    assert 2 <= len(ticks) <= 6
