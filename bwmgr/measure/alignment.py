"""Two recordings of one line: how far their clocks are apart, how well they agree, and by how much one says more.

Pure. Both are put on a grid of five minutes; a cell nobody measured is missing. For every lag within `MOST_LAG_MS` Pearson's
correlation over the cells that both have is computed exactly, by six cross-correlations (FFT) of values, squares and masks
(Padfield, "Masked object registration in the Fourier domain", 2012); the lag of the highest is the clocks' distance. Directions
count alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import correlate, correlation_lags

CELL_MS = 300_000
MOST_LAG_MS = 26 * 3_600_000
"""A zone mistaken by half the world and two hours of drift."""
LEAST_CELLS = 576
"""Two days that both have: fewer fit anything."""
ACCEPTED = 0.6
_ALIKE = 0.1

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """`lag_ms` is what to add to the other's times. Correlations None: constant, so nothing can be said.

    `bias_ratio`: its mean over ours, less one, over the `cells` that both have, down and up.
    """

    lag_ms: int
    cells: int
    correlations: tuple[float | None, float | None]
    bias_ratios: tuple[float | None, float | None]
    swapped: bool
    """Its in and out are our up and down."""

    @property
    def accepted(self) -> bool:
        return all(one is not None and one >= ACCEPTED for one in self.correlations)


def on_grid(end_ms: NDArray[np.int64], rates: Floats, first_cell: int, cells: int, cell_ms: int = CELL_MS) -> Floats:
    """Means of the samples whose instants fall into each cell, NaN where there is none; `end_ms` is the end of a sample."""
    place = (end_ms - 1) // cell_ms - first_cell
    inside = (place >= 0) & (place < cells) & np.isfinite(rates)
    counts = np.bincount(place[inside], minlength=cells)
    sums = np.bincount(place[inside], rates[inside], minlength=cells)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def agreement(ours: tuple[Floats, Floats], theirs: tuple[Floats, Floats]) -> Agreement | None:
    """(down, up) of ours and of theirs on grids of the same first cell; the better of both assignments of directions.

    Where both correlate alike (upload may follow download closely) the one whose amounts are nearer to ours.

    None where no lag leaves enough cells that both have.
    """
    found = [_aligned(ours, pair, swapped=swapped) for pair, swapped in ((theirs, False), (theirs[::-1], True))]
    known = [one for one in found if one is not None]
    best = max((_goodness(one) for one in known), default=0.0)
    alike = [one for one in known if _goodness(one) >= best - _ALIKE]
    return min(alike, key=_distance) if alike else None


def _goodness(one: Agreement) -> float:
    return sum(correlation or 0.0 for correlation in one.correlations)


def _distance(one: Agreement) -> float:
    """Of the amounts, in powers of e, both directions together."""
    return sum(abs(float(np.log1p(bias))) for bias in one.bias_ratios if bias is not None and bias > -1)


def _aligned(ours: tuple[Floats, Floats], theirs: tuple[Floats, Floats], *, swapped: bool) -> Agreement | None:
    lags, counts = _counts(ours[0], theirs[0])
    curves = [_pearson(one, other) for one, other in zip(ours, theirs, strict=True)]
    usable = (np.abs(lags) * CELL_MS <= MOST_LAG_MS) & (counts >= LEAST_CELLS)
    if not usable.any():
        return None
    total = np.where(usable, np.nansum(curves, axis=0), -np.inf)
    at = int(total.argmax())
    pairs = [_overlap(one, other, int(lags[at])) for one, other in zip(ours, theirs, strict=True)]
    return Agreement(
        lag_ms=int(lags[at]) * CELL_MS,
        cells=int(counts[at]),
        correlations=(_known(curves[0][at]), _known(curves[1][at])),
        bias_ratios=(_bias(*pairs[0]), _bias(*pairs[1])),
        swapped=swapped,
    )


def _counts(one: Floats, other: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Lags in cells, and of each how many cells both have."""
    shared = correlate(np.isfinite(one).astype(float), np.isfinite(other).astype(float), method="fft")
    return correlation_lags(len(one), len(other)), np.rint(shared).astype(np.int64)


def _pearson(one: Floats, other: Floats) -> Floats:
    """Of each lag; NaN where either is constant over the cells that both have."""
    mask_a, mask_b = np.isfinite(one).astype(float), np.isfinite(other).astype(float)
    # correlation does not change when both are shifted and scaled, and sums of squares of bit/s would lose their digits
    a, b = _scaled(one), _scaled(other)
    count = np.maximum(np.rint(correlate(mask_a, mask_b, method="fft")), 1.0)
    sum_a, sum_b = correlate(a, mask_b, method="fft"), correlate(mask_a, b, method="fft")
    square_a = correlate(a * a, mask_b, method="fft") - sum_a**2 / count
    square_b = correlate(mask_a, b * b, method="fft") - sum_b**2 / count
    product = correlate(a, b, method="fft") - sum_a * sum_b / count
    varied = (square_a > 1e-6) & (square_b > 1e-6)
    return np.where(varied, product / np.sqrt(np.where(varied, square_a * square_b, 1.0)), np.nan)


def _scaled(series: Floats) -> Floats:
    known = np.isfinite(series)
    if not known.any():
        return np.zeros(len(series))
    middle, spread = float(series[known].mean()), float(series[known].std()) or 1.0
    return np.where(known, (series - middle) / spread, 0.0)


def _overlap(one: Floats, other: Floats, lag: int) -> tuple[Floats, Floats]:
    """The cells that both have, the other moved by `lag` cells."""
    moved = np.full(len(one), np.nan)
    start, end = max(lag, 0), min(len(one), len(other) + lag)
    if end > start:
        moved[start:end] = other[start - lag : end - lag]
    both = np.isfinite(one) & np.isfinite(moved)
    return one[both], moved[both]


def _bias(ours: Floats, theirs: Floats) -> float | None:
    return float(theirs.mean() / ours.mean() - 1) if len(ours) and ours.mean() > 0 else None


def _known(correlation: float) -> float | None:
    return None if np.isnan(correlation) else float(np.clip(correlation, -1.0, 1.0))
