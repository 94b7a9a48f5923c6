"""The cost curve of a plan as a picture: what each capacity leaves unmet, where the figure lies, and what is bought today.

Owns the drawing; every word comes from `bwmgr.language`, every figure from the caller.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bwmgr.language import Words
from bwmgr.measure.optimum import CurvePoint, Optimum
from bwmgr.model.inventory import Direction

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_INK, _LINE, _GOOD, _BOUGHT, _KNEE = "#1f2933", "#2266aa", "#2f7d4f", "#b4432e", "#8a6d1a"
_MEGA = 1e6


@dataclass(frozen=True, kw_only=True, slots=True)
class Panel:
    """One direction of one root; rates in bit/s, the price is a year's for all of the capacity bought."""

    title: str
    direction: Direction
    curve: Sequence[CurvePoint]
    figure: Optimum
    bought_bps: int | None
    knee_bps: float | None
    price: int | None


def draw(panels: Sequence[Panel], target_ratio: float, words: Words, path: Path) -> None:
    """Writes an SVG with a panel below the other. Raises: OSError where it cannot be written."""
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with mpl.rc_context({"svg.hashsalt": "bwmgr", "svg.fonttype": "none", "font.size": 9, "text.color": _INK}):
        figure = Figure(figsize=(9, 3.4 * len(panels)), layout="constrained")
        FigureCanvasSVG(figure)
        for number, panel in enumerate(panels, 1):
            _panel(figure.add_subplot(len(panels), 1, number), panel, target_ratio, words)
        figure.savefig(path, format="svg", metadata={"Date": None})


def _panel(axes: Axes, panel: Panel, target_ratio: float, words: Words) -> None:
    at = [point.capacity_bps / _MEGA for point in panel.curve]
    axes.plot(at, [100 * point.unmet_ratio for point in panel.curve], color=_LINE, linewidth=2)
    axes.axhline(100 * target_ratio, color=_GOOD, linewidth=0.8, linestyle=":")
    if panel.figure.low_bps is not None and panel.figure.high_bps is not None:
        axes.axvspan(panel.figure.low_bps / _MEGA, panel.figure.high_bps / _MEGA, color=_GOOD, alpha=0.15)
    marks = [
        (panel.figure.capacity_bps, _GOOD, "-", words.text("optimum {capacity_bps}", capacity_bps=panel.figure.capacity_bps))
    ]
    if panel.knee_bps is not None:
        marks.append((panel.knee_bps, _KNEE, "--", words.text("knee {capacity_bps}", capacity_bps=panel.knee_bps)))
    if panel.bought_bps is not None:
        marks.append((panel.bought_bps, _BOUGHT, "-.", words.text("bought {capacity_bps}", capacity_bps=panel.bought_bps)))
    for capacity, colour, style, label in marks:
        axes.axvline(capacity / _MEGA, color=colour, linestyle=style, linewidth=1.4, label=label)
    axes.set_title(f"{panel.title} · {words.direction(panel.direction)}", loc="left", fontsize=10)
    axes.set_xlabel(words.text("capacity (Mbps)"))
    axes.set_ylabel(words.text("unmet demand (%)"))
    axes.set_ylim(bottom=0)
    axes.legend(loc="upper right", framealpha=0.9, edgecolor="none")
    axes.spines[["right", "top"]].set_visible(False)
    if panel.price is not None and panel.bought_bps:
        _price_axis(axes, panel.price / (panel.bought_bps / _MEGA), words)


def _price_axis(axes: Axes, price_per_mbps: float, words: Words) -> None:
    """Above: the yearly price of each capacity at what a Mbit/s costs today."""

    def price_of(mbps: ArrayLike) -> NDArray[np.float64]:
        return np.asarray(mbps, np.float64) * price_per_mbps

    def mbps_for(price: ArrayLike) -> NDArray[np.float64]:
        return np.asarray(price, np.float64) / price_per_mbps

    above = axes.secondary_xaxis("top", functions=(price_of, mbps_for))
    above.xaxis.set_major_formatter(lambda price, _: words.money(price))
    above.tick_params(labelsize=7)
