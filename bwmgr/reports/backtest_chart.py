"""A backtest as a picture: what each rule leaves unmet, and how satisfied the least satisfied were. Readable in black and white.

Owns the drawing; every word comes from `bwmgr.language` or the caller, every figure from the caller.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bwmgr.language import Words
from bwmgr.model.inventory import Direction

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_INK = "#1f2933"
_LINES = ("-", "--", "-.", ":", "-", "-", "--")
_GREYS = ("#000000", "#555555", "#777777", "#333333", "#888888", "#000000", "#999999")
_WIDTHS = (1.0, 1.2, 1.2, 1.6, 1.8, 2.6, 1.2)
_HATCHES = ("", "///", "xxx", "...", "|||", "", "\\\\\\")
_FACES = ("#ffffff", "#ffffff", "#ffffff", "#ffffff", "#ffffff", "#555555", "#dddddd")
_TAIL = np.linspace(0, 0.3, 61)
"""The least satisfied share of links and steps that is drawn."""


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One rule in one direction; `satisfaction` of every link and step."""

    direction: Direction
    label: str
    unmet_ratio: float
    small_satisfaction_ratio: float
    satisfaction: NDArray[np.float64]


def draw(bars: Sequence[Bar], words: Words, path: Path) -> None:
    """Writes an SVG with a row for each direction. Raises: OSError where it cannot be written."""
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    ways = [way for way in Direction if any(bar.direction is way for bar in bars)]
    with mpl.rc_context({"svg.hashsalt": "bwmgr", "svg.fonttype": "none", "font.size": 9, "text.color": _INK}):
        figure = Figure(figsize=(11, 3.4 * len(ways)), layout="constrained")
        FigureCanvasSVG(figure)
        for row, way in enumerate(ways):
            chosen = [bar for bar in bars if bar.direction is way]
            _bars(figure.add_subplot(len(ways), 2, 2 * row + 1), chosen, way, words)
            _tails(figure.add_subplot(len(ways), 2, 2 * row + 2), chosen, words)
        figure.savefig(path, format="svg", metadata={"Date": None})


def _bars(axes: Axes, bars: Sequence[Bar], way: Direction, words: Words) -> None:
    for at, bar in enumerate(bars):
        axes.barh(at, 100 * bar.unmet_ratio, color=_FACES[at % 7], hatch=_HATCHES[at % 7], edgecolor=_INK)
        axes.annotate(
            words.text("{unmet_ratio} unmet, small links {small_ratio}", unmet_ratio=bar.unmet_ratio,
                       small_ratio=bar.small_satisfaction_ratio),
            (100 * bar.unmet_ratio, at), xytext=(4, 0), textcoords="offset points", va="center", fontsize=8,
        )  # fmt: skip
    axes.set_yticks(range(len(bars)), [bar.label for bar in bars])
    axes.invert_yaxis()
    axes.set_xlim(0, 190 * max([bar.unmet_ratio for bar in bars] + [0.001]))
    axes.set_xlabel(words.text("unmet demand (%)"))
    axes.set_title(words.direction(way), loc="left", fontsize=10)
    axes.spines[["right", "top"]].set_visible(False)


def _tails(axes: Axes, bars: Sequence[Bar], words: Words) -> None:
    for at, bar in enumerate(bars):
        tail = np.quantile(bar.satisfaction, _TAIL)
        axes.plot(
            100 * _TAIL, 100 * tail, color=_GREYS[at % 7], linestyle=_LINES[at % 7], linewidth=_WIDTHS[at % 7], label=bar.label
        )
    axes.axvline(5, color=_INK, linewidth=0.6, linestyle=":")
    axes.set_xlabel(words.text("least satisfied links and steps (%)"))
    axes.set_ylabel(words.text("satisfaction (%)"))
    axes.set_ylim(0, 103)
    axes.legend(loc="lower right", fontsize=8, framealpha=0.9, edgecolor="none")
    axes.spines[["right", "top"]].set_visible(False)
