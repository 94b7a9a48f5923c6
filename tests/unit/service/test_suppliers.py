"""Dedicated or not by the distribution, and the order of suppliers by stated weights."""

from __future__ import annotations

import numpy as np
import pytest

from bwmgr.measure.ranking import DEFAULT_WEIGHTS, Criterion, ranking
from bwmgr.measure.suppliers import Cells, Dedicated, Hours, full_cells, line_distribution

M = 1_000_000
DAY = 288


def cells(days: int = 5, *, busy: float | None, night: float | None) -> Cells:
    """A line that carries `busy` Mbit/s at most all working day and `night` in the night, and otherwise what comes (None)."""
    noise = np.random.default_rng(1)
    rates = M * noise.uniform(40, 120, days * DAY)
    hours = np.tile(np.array([Hours.NIGHT] * 72 + [Hours.OTHER] * 24 + [Hours.BUSY] * 96 + [Hours.OTHER] * 96), days)
    for part, level in ((Hours.NIGHT, night), (Hours.BUSY, busy)):
        if level is not None:
            rates[hours == part] = M * level * noise.uniform(0.995, 1, int((hours == part).sum()))
    count, days_of = len(rates), np.arange(len(rates)) // DAY
    asked, follows = np.zeros(count, np.bool_), np.zeros(count, np.bool_)
    return Cells(rates=rates, discards=np.zeros(count), hours=hours, days=days_of, asked=asked, follows=follows)


def few(rates: np.ndarray, discards: np.ndarray) -> Cells:
    none, count = np.zeros(len(rates), np.bool_), len(rates)
    hours, days = np.full(count, Hours.BUSY), np.zeros(count, np.int64)
    return Cells(rates=rates, discards=discards, hours=hours, days=days, asked=none, follows=none)


def test_a_dedicated_line_reaches_the_same_by_day_and_by_night() -> None:
    """Full at 298 of 300 both times."""
    found = line_distribution(cells(busy=298, night=298), 300.0 * M)
    assert found.dedicated is Dedicated.YES
    assert found.by_hours[Hours.BUSY].median_ratio == pytest.approx(0.99, abs=0.01)
    assert found.variation_ratio == pytest.approx(0, abs=0.01)


def test_a_shared_line_goes_up_and_down() -> None:
    """300 in the night, 180 with a backlog when others are busy: not dedicated, whatever the contract calls it."""
    shared = cells(busy=180, night=299)
    shared.discards[shared.hours == Hours.BUSY] = 4
    found = line_distribution(shared, 300.0 * M)
    assert found.dedicated is Dedicated.NO
    assert found.by_hours[Hours.BUSY].median_ratio == pytest.approx(0.6, abs=0.01)
    assert found.by_hours[Hours.NIGHT].median_ratio == pytest.approx(1, abs=0.01)
    assert (found.variation_ratio or 0) > 0.2


def test_tests_and_declared_times_prove_what_counters_cannot() -> None:
    """The same without discards, which the provider's side keeps to itself: cells that were filled on purpose count."""
    filled = cells(busy=180, night=None)
    filled.asked[filled.hours == Hours.BUSY] = True
    assert line_distribution(filled, 300.0 * M).dedicated is Dedicated.NO


def test_a_flat_top_is_a_suspicion_and_no_verdict() -> None:
    """Cut off at 180 on five working days: when to test. On two days only, or at the promise, nothing is suspected."""
    found = line_distribution(cells(busy=180, night=299), 300.0 * M)
    assert (found.dedicated, found.ceiling_ratio) == (Dedicated.SUSPECTED, pytest.approx(0.6, abs=0.01))
    assert line_distribution(cells(2, busy=180, night=None), 300.0 * M).dedicated is Dedicated.UNKNOWN
    assert line_distribution(cells(busy=298, night=None), 300.0 * M).ceiling_ratio is None


def test_what_follows_the_other_direction_is_not_suspected() -> None:
    """Acknowledgements of downloads that are cut off are flat too."""
    acknowledging = cells(busy=60, night=None)
    assert line_distribution(acknowledging, 300.0 * M).ceiling_ratio is not None
    acknowledging.follows[:] = True
    assert line_distribution(acknowledging, 300.0 * M).ceiling_ratio is None


def test_low_use_says_nothing_of_a_line() -> None:
    """40 to 120 of 300, never cut off: not enough data, not a verdict. A steady trickle at 20 is idling."""
    found = line_distribution(cells(busy=None, night=None), 300.0 * M)
    assert found.dedicated is Dedicated.UNKNOWN
    assert (found.all.cells, found.all.median_ratio, found.variation_ratio, found.ceiling_ratio) == (0, None, None, None)
    assert line_distribution(cells(busy=20, night=20), 300.0 * M).ceiling_ratio is None


def test_lasting_discards_show_that_more_was_asked_for() -> None:
    """Three cells with discards: the middle one counts whatever its rate is, edges do not; holes break it."""
    rates, discards = np.full(9, 150.0 * M), np.zeros(9)
    discards[3:6] = 5
    assert np.flatnonzero(full_cells(few(rates, discards), 300.0 * M)).tolist() == [4]
    rates[3] = np.nan
    assert not full_cells(few(rates, discards), 300.0 * M).any()


def test_nothing_measured_is_no_verdict() -> None:
    """Only holes."""
    found = line_distribution(few(np.full(9, np.nan), np.full(9, np.nan)), 1.0)
    assert (found.measured_cells, found.dedicated) == (0, Dedicated.UNKNOWN)


A = {Criterion.AVAILABILITY: 0.999, Criterion.PRICE: 400_000.0}
B = {Criterion.AVAILABILITY: 0.98, Criterion.PRICE: 200_000.0}


def test_scores_by_stated_weights() -> None:
    """98 and 60 % of the way from 95 to 100; half and all of the least price. By 30 to 25: 0.762 and 0.782."""
    found = ranking({"a": A, "b": B}, DEFAULT_WEIGHTS)
    assert found.criteria == (Criterion.AVAILABILITY, Criterion.PRICE)
    assert found.scores == {"a": pytest.approx((30 * 0.98 + 25 * 0.5) / 55), "b": pytest.approx((30 * 0.6 + 25) / 55)}
    assert found.order == ("b", "a")


def test_the_order_depends_on_weights_and_says_so() -> None:
    """Twice the weight on availability, or none on price, turns it; of all weightings a is first in 5 of 11."""
    found = ranking({"a": A, "b": B}, DEFAULT_WEIGHTS)
    assert found.changed[Criterion.AVAILABILITY, 2.0] == ("a", "b")
    assert found.changed[Criterion.PRICE, 0.0] == ("a", "b")
    assert found.changed[Criterion.PRICE, 2.0] == ("b", "a")
    assert found.first_ratio == {"a": pytest.approx(5 / 11), "b": pytest.approx(6 / 11)}


def test_all_are_judged_by_the_same_measurements() -> None:
    """What is not known of one counts for none."""
    found = ranking({"a": {**A, Criterion.DELIVERED: 0.9}, "b": B}, DEFAULT_WEIGHTS)
    assert Criterion.DELIVERED not in found.criteria
    with pytest.raises(ValueError, match="no criterion"):
        ranking({"a": {Criterion.PRICE: 1.0}, "b": {Criterion.LATENCY: 1.0}}, DEFAULT_WEIGHTS)


def test_alike_suppliers_share_the_first_place() -> None:
    """A tie is no victory; and nothing is divided by a price of 0."""
    free = {Criterion.PRICE: 0.0, Criterion.DELIVERED: 1.5, Criterion.STABILITY: 0.05, Criterion.LATENCY: 2.0}
    found = ranking({"a": free, "b": free}, DEFAULT_WEIGHTS)
    assert found.first_ratio == {"a": 0.5, "b": 0.5}
    assert found.parts["a"] == {
        Criterion.DELIVERED: 1.0,
        Criterion.STABILITY: pytest.approx(0.75),
        Criterion.LATENCY: 1.0,
        Criterion.PRICE: 1.0,
    }
