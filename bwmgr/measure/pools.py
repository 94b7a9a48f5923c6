"""A pool that many points share: how far it is oversold, what a fair share is, which points are dead or starved.

Pure. Owns these definitions, on cells (of five minutes, or as coarse as the readings) in which nearly all points that ever
answered were read:

- Oversubscription is the sum of the points' limits over the capacity. Full is a cell in which they together carried 0.95 of it.
- A point wants its limit where it discarded (a packet a second or more), else what it carried. The fair share of a full cell is
  the level that max-min fairness gives: no point gets more, and who wants less gets all that he wants.
- Starved is a point in a full cell in which it discarded and carried less than half of the fair share (or of its limit, if that
  is lower).
- Dead is a point that was read, whose port was up, and that carried less than 1 kbit/s at any time, while half of its neighbours
  carried more: look at the access point. Down: its port was down at every reading. Silent: it never answered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from bwmgr.measure.alignment import Floats
from bwmgr.measure.trial import jain
from bwmgr.measure.windows import nearest_rank

DEAD_BPS = 1000.0
FULL_RATIO = 0.95
KNOWN_RATIO = 0.95
"""A cell counts where this share of the points that ever answered was read in it."""
_DISCARDS_PS = 1.0
_STARVED_RATIO = 0.5


class PointState(StrEnum):
    ACTIVE = "active"
    DEAD = "dead"
    DOWN = "down"
    SILENT = "silent"
    PLANNED = "planned"
    """Not there yet: not polled."""


@dataclass(frozen=True, kw_only=True)
class PoolCells:
    """Points by row, cells by column; NaN: not read. `limits` bit/s by point, infinity for none."""

    rates: Floats
    discards: Floats
    up: NDArray[np.bool_]
    """By point: its port was up at some reading."""
    limits: Floats
    seconds: float
    """Of a cell."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PointFigures:
    """Rates in bit/s, None where it was never read."""

    state: PointState
    coverage_ratio: float
    octets: int
    mean_bps: float | None
    p95_bps: float | None
    max_bps: float | None
    starved_seconds: float | None
    """None: its router tells no discards, so nobody knows."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PoolFigures:
    capacity_bps: float
    limits_bps: float
    """Of all points together; infinite where one has none."""
    oversubscription: float | None
    cells: int
    """That count."""
    completeness_ratio: float
    mean_bps: float | None
    p95_bps: float | None
    max_bps: float | None
    diversity_factor: float | None
    """Sum of the points' 95th percentiles over that of their sum."""
    full_seconds: float
    fair_share_bps: float | None
    """Median of the full cells'; None where it was never full: nobody was short."""
    jain_ratio: float | None
    """Of the means of the active points."""


def pool_figures(cells: PoolCells, capacity_bps: float) -> tuple[PoolFigures, tuple[PointFigures, ...]]:
    """Of the pool and of each point, in order."""
    read = np.isfinite(cells.rates)
    answered = read.any(axis=1)
    counted = read[answered].mean(axis=0) >= KNOWN_RATIO if answered.any() else np.zeros(cells.rates.shape[1], np.bool_)
    sums = np.nansum(cells.rates[:, counted], axis=0)
    levels, starved = _shortage(cells, counted, sums, capacity_bps)
    points = tuple(_points(cells, starved))
    limits = float(cells.limits.sum())
    p95 = nearest_rank(sums, 95.0) if len(sums) else None
    own = sum(point.p95_bps or 0.0 for point in points)
    means = [point.mean_bps for point in points if point.state is PointState.ACTIVE and point.mean_bps]
    figures = PoolFigures(
        capacity_bps=capacity_bps,
        limits_bps=limits,
        oversubscription=limits / capacity_bps if capacity_bps > 0 and np.isfinite(limits) else None,
        cells=int(counted.sum()),
        completeness_ratio=float(read.mean()) if read.size else 0.0,
        mean_bps=float(sums.mean()) if len(sums) else None,
        p95_bps=p95,
        max_bps=float(sums.max()) if len(sums) else None,
        diversity_factor=own / p95 if p95 else None,
        full_seconds=len(levels) * cells.seconds,
        fair_share_bps=float(np.median(levels)) if len(levels) else None,
        jain_ratio=jain(means) if means else None,
    )
    return figures, points


def fair_level(wants: Floats, capacity_bps: float) -> float:
    """The max-min share: the level at which all that is wanted below it and the level itself for the others fill the capacity.

    The highest want where all fits.
    """
    rising = np.sort(wants)
    if not len(rising) or rising.sum() <= capacity_bps:
        return float(rising[-1]) if len(rising) else 0.0
    before = np.concatenate(([0.0], np.cumsum(rising)[:-1]))
    levels = (capacity_bps - before) / np.arange(len(rising), 0, -1)
    return float(levels[int(np.argmax(rising >= levels))])


def _shortage(cells: PoolCells, counted: NDArray[np.bool_], sums: Floats, capacity_bps: float) -> tuple[Sequence[float], Floats]:
    """The fair share of each full cell, and by point for how many cells it was starved (NaN: no discards are told)."""
    full = np.flatnonzero(counted)[sums >= FULL_RATIO * capacity_bps] if capacity_bps > 0 else np.empty(0, np.int64)
    starved = np.zeros(len(cells.limits))
    levels = []
    for cell in full.tolist():
        rates, refused = np.nan_to_num(cells.rates[:, cell]), np.nan_to_num(cells.discards[:, cell]) >= _DISCARDS_PS
        wants = np.where(refused, np.minimum(cells.limits, capacity_bps), rates)
        level = fair_level(wants, capacity_bps)
        starved += refused & (rates < _STARVED_RATIO * np.minimum(level, cells.limits))
        levels.append(level)
    told = np.isfinite(cells.discards).any(axis=1)
    return levels, np.where(told, starved, np.nan)


def _points(cells: PoolCells, starved: Floats) -> list[PointFigures]:
    found = []
    peaks = np.array([row[np.isfinite(row)].max() if np.isfinite(row).any() else np.nan for row in cells.rates])
    lively = np.isfinite(peaks).any() and float(np.nanmedian(peaks)) >= DEAD_BPS
    for position, row in enumerate(cells.rates):
        known = row[np.isfinite(row)]
        state = PointState.ACTIVE
        if not len(known):
            state = PointState.SILENT
        elif not cells.up[position]:
            state = PointState.DOWN
        elif lively and peaks[position] < DEAD_BPS:
            state = PointState.DEAD
        found.append(
            PointFigures(
                state=state,
                coverage_ratio=len(known) / max(len(row), 1),
                octets=round(float(known.sum()) * cells.seconds / 8),
                mean_bps=float(known.mean()) if len(known) else None,
                p95_bps=nearest_rank(known, 95.0) if len(known) else None,
                max_bps=float(known.max()) if len(known) else None,
                starved_seconds=None if np.isnan(starved[position]) else float(starved[position]) * cells.seconds,
            )
        )
    return found
