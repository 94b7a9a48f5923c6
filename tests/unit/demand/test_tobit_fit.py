"""The Tobit model against its definition, against lifelines, and where it has no answer."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import approx_fprime

from bwmgr.measure import tobit
from bwmgr.measure.tobit import Flags, Floats


def censored(seed: int = 1, rows: int = 1500) -> tuple[Floats, Floats, Flags, Flags, Floats]:
    """Design, y, right, left and the truth: 3 + 2 x1 - x2 + 1.5 e, cut at 4.5 from above and 2 from below."""
    rng = np.random.default_rng(seed)
    design = np.column_stack((np.ones(rows), rng.normal(size=rows), rng.uniform(-1, 1, rows)))
    truth = design @ np.array([3.0, 2.0, -1.0]) + 1.5 * rng.normal(size=rows)
    return design, np.clip(truth, 2.0, 4.5), truth >= 4.5, truth <= 2.0, truth


def test_what_was_cut_off_does_not_bend_the_line() -> None:
    """With three of five figures cut off the coefficients and the spread are found all the same."""
    design, y, right, left, _ = censored(rows=20_000)
    found = tobit.fit(design, y, right, left)
    assert found.converged
    assert (right | left).mean() > 0.5
    assert found.beta == pytest.approx([3, 2, -1], abs=0.08)
    assert found.sigma == pytest.approx(1.5, rel=0.03)


def test_the_gradient_is_that_of_the_likelihood() -> None:
    """Slope and curvature against differences of the likelihood and of the slope."""
    design, y, right, left, _ = censored(rows=200)
    weights = np.random.default_rng(2).uniform(1, 3, len(y))
    rows = tobit._Rows(design=design, y=y, right=right, left=left, known=~(right | left), weights=weights, within=40.0)
    at = np.array([1.8, 1.1, -0.4, 0.6])
    slope, curvature = rows.derivatives(at)
    assert slope == pytest.approx(approx_fprime(at, rows.log_likelihood, 1e-7), rel=1e-4, abs=1e-3)
    for column in range(len(at)):
        moved = at.copy()
        moved[column] += 1e-6
        assert -(rows.derivatives(moved)[0] - slope) / 1e-6 == pytest.approx(curvature[column], rel=1e-3, abs=1e-2)


def test_the_same_answer_as_lifelines() -> None:
    """Interval-censored log-normal regression of lifelines is this model on logarithms."""
    lifelines = pytest.importorskip("lifelines")
    import pandas as pd

    design, y, right, left, _ = censored()
    table = pd.DataFrame(design[:, 1:], columns=["x1", "x2"])
    table["low"] = np.where(left, 1e-9, np.exp(y))  # its optimiser stumbles over 0
    table["high"] = np.where(right, np.inf, np.exp(y))
    oracle = lifelines.LogNormalAFTFitter().fit_interval_censoring(table, "low", "high")
    found = tobit.fit(design, y, right, left)
    expected = oracle.params_["mu_"]
    assert found.beta == pytest.approx([expected["Intercept"], expected["x1"], expected["x2"]], abs=2e-3)
    assert found.sigma == pytest.approx(np.exp(oracle.params_["sigma_"]["Intercept"]), rel=2e-3)


def test_without_censoring_it_is_least_squares() -> None:
    """Nothing cut off: the coefficients are those of least squares, sigma the root of the mean square."""
    design, _, _, _, truth = censored()
    none = np.zeros(len(truth), bool)
    expected = np.linalg.lstsq(design, truth, rcond=None)[0]
    found = tobit.fit(design, truth, none, none)
    assert found.beta == pytest.approx(expected, abs=1e-4)
    assert found.sigma == pytest.approx(np.sqrt(np.mean((truth - design @ expected) ** 2)), rel=1e-4)


def test_a_far_start_and_wild_units_are_no_matter() -> None:
    """The likelihood is concave, so figures of 1e8 bit/s with an outlier of 1e11 are fitted too."""
    design, y, right, left, _ = censored()
    y = 1e8 * y
    y[np.flatnonzero(~right & ~left)[0]] = 1e11
    assert tobit.fit(design, y, right, left).converged


@pytest.mark.parametrize("known", [0, 2, 3])
def test_too_little_to_fit_is_said(known: int) -> None:
    """With no more known figures than parameters there is no fit, rather than any number."""
    design, y, *_ = censored(rows=50)
    right = np.arange(50) >= known
    with pytest.raises(ValueError, match="too few"):
        tobit.fit(design, y, right, np.zeros(50, bool))


def test_the_tail_of_a_held_back_figure_begins_at_its_floor() -> None:
    """What is at least its floor is surely above anything lower, and ever less surely above what is higher."""
    design, y, right, left, _ = censored()
    found = tobit.fit(design, y, right, left)
    floor = np.full(len(y), 4.5)
    tails = [found.upper_tail(design, floor, np.full(len(y), at)) for at in (3.0, 4.5, 5.0, 50.0)]
    assert (tails[0] == 1).all()
    assert (tails[1] == 1).all()
    assert ((tails[2] > 0) & (tails[2] < 1)).all()
    assert (tails[3] < 1e-12).all()


def test_merged_rows_are_the_same_likelihood() -> None:
    """Rows of one design given once, with number, mean and squares, lead to the same fit."""
    rng = np.random.default_rng(6)
    which = rng.integers(0, 8, 4000)
    levels = np.column_stack((np.ones(8), np.arange(8.0)))
    truth = levels[which] @ np.array([2.0, 0.5]) + rng.normal(size=4000)
    y = np.clip(truth, 2.5, 5.0)
    right, left = truth >= 5.0, truth <= 2.5
    _, first, group = np.unique(which * 3 + 2 * right + left, return_index=True, return_inverse=True)
    counts = np.bincount(group).astype(float)
    means = np.bincount(group, y) / counts
    squares = float(((y - means[group])[~(right | left)] ** 2).sum())
    merged = tobit.fit(levels[which][first], means, right[first], left[first], weights=counts, within_squares=squares)
    plain = tobit.fit(levels[which], y, right, left)
    assert merged.beta == pytest.approx(plain.beta, abs=1e-6)
    assert merged.sigma == pytest.approx(plain.sigma, abs=1e-6)


def test_the_mean_above_a_floor() -> None:
    """E[y^2 | y >= floor] against a million draws."""
    found = tobit.Fit(beta=np.array([3.0]), sigma=1.5, log_likelihood=0.0, converged=True)
    draws = 3 + 1.5 * np.random.default_rng(8).normal(size=1_000_000)
    expected = np.mean(draws[draws >= 4.5] ** 2)
    assert found.mean_square_above(np.ones((1, 1)), np.array([4.5]))[0] == pytest.approx(expected, rel=0.005)
