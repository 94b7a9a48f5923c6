"""A link's rates as a browser draws them: at most some hundred points, each the mean of its share of the window.

Owns the thinning only; the figures that count are usage windows, shown beside the chart.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bwmgr.measure.calendars import instant_ms
from bwmgr.measure.columns import Rows
from bwmgr.model.inventory import Direction
from bwmgr.stores import LINK_RATE, RateStore

POINTS = 480
_COLUMNS = ("interval_ticks", "down_bps", "up_bps", "down_limit_bps", "up_limit_bps")
_ROUND_SECONDS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)


@dataclass(frozen=True, kw_only=True)
class Curves:
    """`at`: the middle of each step, seconds since 1970 UTC. Rates bit/s, None where there is none, which is no 0."""

    step_seconds: int
    at: Sequence[int]
    rates: dict[Direction, Sequence[float | None]]
    limits: dict[Direction, Sequence[float | None]]

    def document(self) -> dict[str, Any]:
        """As the page's script reads it."""
        rates = {str(direction): found for direction, found in self.rates.items()}
        limits = {str(direction): found for direction, found in self.limits.items()}
        return {"step_seconds": self.step_seconds, "at": self.at, "rates": rates, "limits": limits}


def curves(store: RateStore, link: str, start: datetime, end: datetime, *, interval_seconds: float) -> Curves:
    """Means over equal steps of [start, end), weighted by how long each rate held; a step without any has None.

    Raises: StoreError.
    """
    step = step_seconds((end - start).total_seconds(), interval_seconds)
    rows = store.read(LINK_RATE, start=start, end=end, series=[link], columns=_COLUMNS).rows
    count = math.ceil((end - start).total_seconds() / step)
    place = (rows["end_ms"] - instant_ms(start)) // (step * 1000)
    first = round(start.timestamp())
    return Curves(
        step_seconds=step,
        at=[first + step * number + step // 2 for number in range(count)],
        rates={direction: _means(rows, f"{direction}_bps", place, count) for direction in Direction},
        limits={direction: _means(rows, f"{direction}_limit_bps", place, count) for direction in Direction},
    )


def step_seconds(window_seconds: float, interval_seconds: float) -> int:
    """A round step of at least the polling interval that cuts the window into at most about `POINTS`."""
    least = max(window_seconds / POINTS, interval_seconds)
    return next((step for step in _ROUND_SECONDS if step >= least), math.ceil(least / 86400) * 86400)


def _means(rows: Rows, column: str, place: NDArray[np.int64], count: int) -> list[float | None]:
    known = np.isfinite(rows[column]) & (rows["interval_ticks"] > 0)
    weights = rows["interval_ticks"][known].astype(float)
    sums = np.bincount(place[known], weights=rows[column][known] * weights, minlength=count)
    times = np.bincount(place[known], weights=weights, minlength=count)
    return [round(total / time) if time else None for total, time in zip(sums.tolist(), times.tolist(), strict=True)]
