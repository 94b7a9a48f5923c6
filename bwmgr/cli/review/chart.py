"""The link's rates with its limits, drawn by textual-plotext. Owns which points are drawn, and how; not what they are."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, tzinfo
from itertools import groupby

from textual_plotext import PlotextPlot

from bwmgr.cli.review.colours import CIR, LIMIT, PROPOSED, RATE
from bwmgr.daemon.review import Case
from bwmgr.language import Words

_MEGABIT = 1e6
_TICKS = 5
Point = tuple[float, float]


class RateChart(PlotextPlot):
    """One direction of one link over the recommendation's evidence."""

    def draw(self, words: Words, case: Case) -> None:
        found, plot = case.recommendation, self.plt
        plot.clear_figure()
        self.display = case.rates is not None
        if case.rates is None:
            return
        rates = case.rates.rates[found.direction]
        for piece in pieces(case.rates.at, rates):
            plot.plot([at for at, _ in piece], [rate for _, rate in piece], color=RATE, marker="braille")
        for limit_bps, colour in (
            (found.proposed.cir_bps or None, CIR), (found.proposed.mir_bps, PROPOSED), (found.current.mir_bps, LIMIT),
        ):  # fmt: skip
            if limit_bps is not None:
                plot.hline(limit_bps / _MEGABIT, colour)
        highest = max([rate or 0 for rate in rates] + [found.current.mir_bps or 0, found.proposed.mir_bps or 0], default=0)
        top = max(1.0, 1.05 * highest / _MEGABIT)
        plot.ylim(0, top)
        plot.yticks(round_ticks(top))
        plot.xlim(found.evidence.start.timestamp(), found.evidence.end.timestamp())
        plot.xticks(*_ticks(found.evidence.start, found.evidence.end, words.zone))
        plot.ylabel("Mbps")
        self.refresh()


def pieces(at: Sequence[int], rates: Sequence[float | None]) -> Iterator[list[Point]]:
    """Runs of known rates in Mbit/s: a gap is a gap, no line is drawn across it."""
    for known, run in groupby(zip(at, rates, strict=True), key=lambda point: point[1] is not None):
        if known:
            yield [(float(moment), rate / _MEGABIT) for moment, rate in run if rate is not None]


def round_ticks(top: float) -> list[float]:
    """From 0 up to `top`, at steps of 1, 2 or 5 times a power of ten, six of them at the most."""
    power = 10.0 ** math.floor(math.log10(top / _TICKS))
    step = next(power * size for size in (1, 2, 5, 10) if power * size * _TICKS >= top)
    return [round(step * number, 6) for number in range(int(top / step) + 1)]


def _ticks(start: datetime, end: datetime, zone: tzinfo) -> tuple[list[float], list[str]]:
    """Days, or times of the day where the window is no longer than two."""
    seconds = (end - start).total_seconds()
    places = [start.timestamp() + seconds * number / _TICKS for number in range(_TICKS + 1)]
    form = "%d/%m" if seconds > 2 * 86400 else "%H:%M"
    return places, [datetime.fromtimestamp(place, UTC).astimezone(zone).strftime(form) for place in places]
