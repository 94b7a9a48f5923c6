"""Charts for paper: lines and bars that can be told apart without colour, as data: addresses of SVG for a template's <img>.

Owns the drawing; every word and figure comes from the caller. Pages for screens have their own (`bwmgr.reports.charts`): those
follow the reader's theme by the page's style sheet, which does not reach into a document's pictures.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INK = "#222222"
_LINES = (("#1a1a1a", "-", 1.3), ("#6b6b6b", "--", 1.1), ("#9a9a9a", "-.", 1.1), ("#444444", ":", 1.3))
_FILLS = (("#4d4d4d", ""), ("#ffffff", "////"), ("#bdbdbd", ""), ("#ffffff", "...."))


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One line; None breaks it."""

    label: str
    heights: Sequence[float | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Bars:
    """One bar at each place; None: no bar."""

    label: str
    heights: Sequence[float | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Level:
    """A horizontal line, such as what is promised."""

    label: str
    height: float


def line_figure(
    lines: Sequence[Line],
    *,
    at: Sequence[float],
    ticks: Sequence[tuple[float, str]],
    written: Callable[[float], str],
    levels: Sequence[Level] = (),
    size: tuple[float, float] = (7.0, 2.4),
) -> str:
    """Lines over positions `at`; `ticks` are positions with their words, `written` says a height. Size in inches."""
    with _drawn(size) as (figure, axes):
        for (colour, style, width), line in zip(cycle(_LINES), lines, strict=False):
            heights = [math.nan if height is None else height for height in line.heights]
            axes.plot(list(at), heights, color=colour, linestyle=style, linewidth=width, label=line.label)
        _dress(axes, ticks, levels, written)
        return _address(figure)


def bar_figure(
    bars: Sequence[Bars],
    *,
    ticks: Sequence[tuple[float, str]],
    written: Callable[[float], str],
    levels: Sequence[Level] = (),
    size: tuple[float, float] = (7.0, 2.2),
) -> str:
    """Bars beside each other at 0, 1, ...; told apart by fill and hatching."""
    with _drawn(size) as (figure, axes):
        width = 0.8 / max(len(bars), 1)
        for number, ((fill, hatch), one) in enumerate(zip(cycle(_FILLS), bars, strict=False)):
            at = [place + (number + 0.5) * width - 0.4 for place in range(len(one.heights))]
            heights = [height or 0.0 for height in one.heights]
            axes.bar(at, heights, width, color=fill, hatch=hatch, edgecolor=_INK, linewidth=0.4, label=one.label)
        _dress(axes, ticks, levels, written)
        return _address(figure)


@contextmanager
def _drawn(size: tuple[float, float]) -> Iterator[tuple[Figure, Axes]]:
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with mpl.rc_context({"svg.hashsalt": "bwmgr", "svg.fonttype": "none", "font.size": 7, "hatch.linewidth": 0.4}):
        figure = Figure(figsize=size)
        FigureCanvasSVG(figure)
        figure.subplots_adjust(left=0.11, right=0.985, bottom=0.13, top=0.87)
        yield figure, figure.add_subplot()


def _dress(axes: Axes, ticks: Sequence[tuple[float, str]], levels: Sequence[Level], written: Callable[[float], str]) -> None:
    for number, level in enumerate(levels):
        axes.axhline(level.height, color=_INK, linewidth=0.9, linestyle=((0, (6, 2)), (0, (1, 1)))[number % 2], label=level.label)
    axes.set_xticks([place for place, _ in ticks], [word for _, word in ticks])
    axes.yaxis.set_major_formatter(lambda height, _: written(height))
    axes.set_ylim(bottom=0)
    axes.margins(x=0.01)
    axes.grid(axis="y", color="#d0d0d0", linewidth=0.4)
    axes.set_axisbelow(True)
    axes.spines[["right", "top"]].set_visible(False)
    if axes.get_legend_handles_labels()[1]:
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=4, frameon=False, borderaxespad=0.2, handlelength=2.6)


def _address(figure: Figure) -> str:
    stream = io.BytesIO()
    figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    return "data:image/svg+xml;base64," + base64.b64encode(stream.getvalue()).decode()
