"""Regression on figures that are partly known only as "at least" or "at most": the two-sided Tobit model.

Owns the likelihood and its maximum; knows nothing of rates, limits or calendars (`bwmgr.measure.behind`).

The model: y = x beta + sigma e, e standard normal; of each row either y is known, or only that it is at least (right) or at most
(left) a bound. In Olsen's parameters (Econometrica 46, 1978) theta = 1 / sigma and gamma = beta / sigma the log-likelihood is
concave, so Newton's method finds its one maximum from anywhere:

    sum over known rows of (log theta - r^2 / 2) + sum over right ones of log Phi(-r) + sum over left ones of log Phi(r),
    r = theta y - x gamma

Rows that share their design and their kind may be given as one, with their number as its weight, their mean as its y (of censored
ones: their common bound) and, for the known ones together, the sum of squares about those means: the likelihood is the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtri

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

_STEPS, _HALVINGS = 100, 40
_GAIN = 1e-8
"""Log-likelihood that a step must still promise (half of its Newton decrement)."""
_RIDGE = 1e-3
"""A weak pull of gamma to 0, in rows: identifies the columns that only censored rows bear; moves a fit of 1,000 rows nowhere."""
_LOG_ROOT_TWO_PI = 0.9189385332046727


@dataclass(frozen=True, kw_only=True)
class Fit:
    """`beta` per column of the design and `sigma`, in the units of y. `converged`: the maximum was reached."""

    beta: Floats
    sigma: float
    log_likelihood: float
    converged: bool

    def upper_tail(self, design: Floats, floor: Floats, at: Floats) -> Floats:
        """P(y > at | y >= floor) of each row: 1 where `at` is not above the floor."""
        centre = design @ self.beta
        above = log_ndtr((centre - np.maximum(at, floor)) / self.sigma) - log_ndtr((centre - floor) / self.sigma)
        return np.asarray(np.exp(np.minimum(above, 0.0)), np.float64)

    def mean_square_above(self, design: Floats, floor: Floats) -> Floats:
        """E[y^2 | y >= floor] of each row: with a = (floor - m) / sigma, m^2 + sigma^2 + sigma (floor + m) phi(a) / Phi(-a)."""
        centre = design @ self.beta
        tail = _mills((centre - floor) / self.sigma)
        return np.asarray(centre**2 + self.sigma**2 + self.sigma * (floor + centre) * tail, np.float64)


def fit(
    design: Floats, y: Floats, right: Flags, left: Flags, *, weights: Floats | None = None, within_squares: float = 0.0
) -> Fit:
    """The maximum of the likelihood. `design` is (rows, columns); `y` the figure, or the bound where `right` or `left` is set.

    `weights` and `within_squares` describe merged rows (above). Raises: ValueError with no more known rows than columns, or
    where all known figures are one: then there is nothing to fit.
    """
    known = ~(right | left)
    if known.sum() <= design.shape[1] or np.ptp(y[known]) == 0:
        raise ValueError("too few known figures for a fit")
    counts = np.ones(len(y)) if weights is None else weights
    rows = _Rows(design=design, y=y, right=right, left=left, known=known, weights=counts, within=within_squares)
    parameters = _start(rows)
    best = rows.log_likelihood(parameters)
    converged = False
    for _ in range(_STEPS):
        slope, curvature = rows.derivatives(parameters)
        step = np.asarray(np.linalg.solve(curvature, slope), np.float64)
        if slope @ step < 2 * _GAIN:
            converged = True
            break
        parameters, best, moved = _searched(rows, parameters, step, best)
        if not moved:
            break
    theta = float(parameters[-1])
    return Fit(beta=parameters[:-1] / theta, sigma=1 / theta, log_likelihood=best, converged=converged)


@dataclass(frozen=True, kw_only=True)
class _Rows:
    design: Floats
    y: Floats
    right: Flags
    left: Flags
    known: Flags
    weights: Floats
    within: float

    def residuals(self, parameters: Floats) -> Floats:
        return np.asarray(parameters[-1] * self.y - self.design @ parameters[:-1], np.float64)

    def log_likelihood(self, parameters: Floats) -> float:
        theta = parameters[-1]
        if theta <= 0:
            return -np.inf
        r = self.residuals(parameters)
        squares = self.weights[self.known] @ r[self.known] ** 2 + theta**2 * self.within
        density = self.weights[self.known].sum() * (np.log(theta) - _LOG_ROOT_TWO_PI) - 0.5 * squares
        tails = self.weights[self.right] @ log_ndtr(-r[self.right]) + self.weights[self.left] @ log_ndtr(r[self.left])
        return float(density + tails - 0.5 * _RIDGE * (parameters[:-1] ** 2).sum())

    def derivatives(self, parameters: Floats) -> tuple[Floats, Floats]:
        """The gradient, and the negative of the Hessian, in (gamma, theta)."""
        r, theta, known = self.residuals(parameters), parameters[-1], self.weights[self.known].sum()
        pull, weight = -r, np.ones_like(r)  # d/dr and -d2/dr2 of each row's term
        right, left = _mills(-r[self.right]), _mills(r[self.left])
        pull[self.right], weight[self.right] = -right, right * (right - r[self.right])
        pull[self.left], weight[self.left] = left, left * (left + r[self.left])
        inner = np.column_stack((-self.design, self.y))  # dr by gamma and theta
        slope = inner.T @ (pull * self.weights)
        curvature = inner.T @ (inner * (weight * self.weights)[:, None])
        slope[-1] += known / theta - theta * self.within
        curvature[-1, -1] += known / theta**2 + self.within
        slope[:-1] -= _RIDGE * parameters[:-1]
        curvature[np.diag_indices(len(slope) - 1)] += _RIDGE
        return slope, curvature


def _mills(z: Floats) -> Floats:
    """phi(z) / Phi(z), without underflow in the far tail."""
    return np.asarray(np.exp(-0.5 * z**2 - _LOG_ROOT_TWO_PI - log_ndtr(z)), np.float64)


def _start(rows: _Rows) -> Floats:
    """One level for all, and the spread between two known order statistics: as for a normal sample cut at both ends."""
    order = np.argsort(rows.y[rows.known])
    ordered, counts = rows.y[rows.known][order], rows.weights[rows.known][order].cumsum()
    below, total = rows.weights[rows.left].sum(), rows.weights.sum()
    places = np.array([0.1, 0.9]) * counts[-1]
    low, high = ordered[np.searchsorted(counts, places)]
    z_low, z_high = ndtri(np.clip((below + places) / total, 0.01, 0.99))
    sigma = max((high - low) / max(z_high - z_low, 0.1), np.ptp(ordered) / 100)
    beta = np.linalg.lstsq(rows.design, np.full(len(rows.y), low - sigma * z_low), rcond=None)[0]
    return np.append(beta / sigma, 1 / sigma)


def _searched(rows: _Rows, parameters: Floats, step: Floats, best: float) -> tuple[Floats, float, bool]:
    """The longest of the halved steps that gains."""
    for halving in range(_HALVINGS):
        tried = parameters + step * 0.5**halving
        reached = rows.log_likelihood(tried)
        if reached > best:
            return tried, reached, True
    return parameters, best, False
