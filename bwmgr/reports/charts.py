"""Small pictures in SVG, made to stand inside a page: no scripts, no fonts, colours from the page's style sheet.

Owns geometry only. Every picture has a title and a description for those who do not see it. Drawn here rather than by a plotting
library because a chart's colours must follow the reader's light or dark theme, and a page holds a picture per link.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from markupsafe import Markup

_WIDTH, _HEIGHT = 960, 280
_LEFT, _RIGHT, _TOP, _BOTTOM = 78, 12, 14, 30

_CHART = Markup(
    '<svg class="chart" viewBox="0 0 {width} {height}" role="img"><title>{title}</title><desc>{description}</desc>{inside}</svg>'
)
_SPARK = Markup('<svg class="spark" viewBox="0 0 96 24" role="img" aria-label="{description}">{lines}</svg>')
_METER = Markup('<span class="meter {style}" aria-hidden="true"><i style="width:{width}"></i></span>')
_LEVEL = Markup('<line class="level {style}" x1="{left}" x2="{right}" y1="{y}" y2="{y}"/>')
_BAR = Markup('<rect class="{style}" x="{x}" y="{y}" width="{width}" height="{height}"/>')
_POLYLINE = Markup('<polyline class="{style}" points="{points}"/>')
_POLYGON = Markup('<polygon class="{style}" points="{points}"/>')
_ROW = Markup(
    '<line class="grid" x1="{left}" x2="{right}" y1="{y}" y2="{y}"/>'
    '<text class="tick" x="{at}" y="{below}" text-anchor="end">{word}</text>'
)
_COLUMN = Markup('<text class="tick" x="{x}" y="{y}" text-anchor="middle">{word}</text>')


@dataclass(frozen=True, kw_only=True)
class Series:
    """One line (or filled area) of a chart; None breaks the line. `style` is a class of the style sheet."""

    style: str
    heights: Sequence[float | None]
    filled: bool = False


@dataclass(frozen=True, kw_only=True)
class Axis:
    """Ticks and their words; positions on x count points from 0, on y they are heights."""

    ticks: Sequence[tuple[float, str]]


def line_chart(
    series: Sequence[Series], *, x: Axis, y: Axis, levels: Sequence[tuple[str, float]] = (), title: str, description: str
) -> Markup:
    """Lines over one x axis. `levels` are horizontal lines: (style, height). `y`'s highest tick is the top."""
    count = max((len(one.heights) for one in series), default=0)
    place = _Place(count=max(count - 1, 1), top=max(position for position, _ in y.ticks))
    runs = [_run(place, run, one) for one in series for run in _runs(one.heights)]
    lines = [_LEVEL.format(style=style, left=_LEFT, right=_WIDTH - _RIGHT, y=place.y(height)) for style, height in levels]
    return _svg([*_grid(place, x, y), *runs, *lines], title, description)


def bar_chart(heights: Sequence[float | None], *, x: Axis, y: Axis, marked: int | None, title: str, description: str) -> Markup:
    """One bar a position; the one at `marked` stands out."""
    place = _Place(count=len(heights), top=max(position for position, _ in y.ticks))
    width = round((place.x(1) - place.x(0)) * 0.76, 1)
    bars = [
        _BAR.format(
            style="bar marked" if position == marked else "bar",
            x=place.x(position + 0.12),
            y=place.y(height),
            width=width,
            height=round(_HEIGHT - _BOTTOM - place.y(height), 1),
        )
        for position, height in enumerate(heights)
        if height is not None
    ]
    return _svg([*_grid(place, x, y), *bars], title, description)


def sparkline(heights: Sequence[float | None], *, description: str) -> Markup:
    """A day's profile in the size of a word; its own highest point is its top."""
    top = max((height for height in heights if height is not None), default=0.0) or 1.0
    step = 96 / max(len(heights) - 1, 1)
    lines = [
        _POLYLINE.format(
            style="", points=" ".join(f"{position * step:.0f},{23 - 21 * height / top:.0f}" for position, height in run)
        )
        for run in _runs(heights)
    ]
    return _SPARK.format(description=description, lines=Markup("").join(lines))


def meter(ratio: float | None) -> Markup:
    """A bar of that share, hidden from screen readers since the figure stands beside it; empty where it is unknown."""
    if ratio is None:
        return Markup("")
    style = "high" if ratio >= 0.95 else "low" if ratio < 0.1 else ""
    return _METER.format(style=style, width=f"{min(ratio, 1):.1%}")


def round_ticks(highest: float, count: int = 4) -> list[float]:
    """From 0 in steps of 1, 2 or 5 times a power of ten, to the first at or above `highest`."""
    if highest <= 0:
        return [0.0, 1.0]
    rough = highest / count
    power = 10 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    return [number * step for number in range(math.ceil(highest / step - 1e-9) + 1)]


@dataclass(frozen=True, kw_only=True)
class _Place:
    """Where things are: `count` steps from left to right, `top` at the upper edge."""

    count: int
    top: float

    def x(self, position: float) -> float:
        return round(_LEFT + position * (_WIDTH - _LEFT - _RIGHT) / self.count, 1)

    def y(self, height: float) -> float:
        return round(_HEIGHT - _BOTTOM - height * (_HEIGHT - _TOP - _BOTTOM) / self.top, 1)


def _grid(place: _Place, x: Axis, y: Axis) -> list[Markup]:
    rows = [
        _ROW.format(left=_LEFT, right=_WIDTH - _RIGHT, y=place.y(height), at=_LEFT - 8, below=place.y(height) + 4, word=word)
        for height, word in y.ticks
    ]
    return [*rows, *(_COLUMN.format(x=place.x(position), y=_HEIGHT - 8, word=word) for position, word in x.ticks)]


def _runs(heights: Sequence[float | None]) -> list[list[tuple[int, float]]]:
    """The unbroken stretches, as (position, height)."""
    runs = []
    for known, points in groupby(enumerate(heights), key=lambda point: point[1] is not None):
        if known:
            runs.append([(position, height) for position, height in points if height is not None])
    return runs


def _run(place: _Place, run: Sequence[tuple[int, float]], series: Series) -> Markup:
    points = " ".join(f"{place.x(position):g},{place.y(height):g}" for position, height in run)
    if not series.filled:
        return _POLYLINE.format(style=f"line {series.style}", points=points)
    floor, first, last = place.y(0), place.x(run[0][0]), place.x(run[-1][0])
    return _POLYGON.format(style=f"area {series.style}", points=f"{first},{floor} {points} {last},{floor}")


def _svg(parts: Sequence[Markup], title: str, description: str) -> Markup:
    return _CHART.format(width=_WIDTH, height=_HEIGHT, title=title, description=description, inside=Markup("").join(parts))
