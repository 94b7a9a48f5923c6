"""Availability and restitution: bounds, exclusions, formulas, money to the unit; all exact."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bwmgr.measure import availability as reckoning
from bwmgr.measure.availability import Kept, Served, Spans
from bwmgr.model.inventory import Contract, PerDirection, ServiceLevel, Tier
from bwmgr.model.service import Cause

DAY_MS = 86_400_000
HOUR_MS = 3_600_000


def spans(*pairs: tuple[int, int]) -> Spans:
    return np.array(pairs, np.int64).reshape(-1, 2)


def time(down_ms: int = 0, unknown_ms: int = 0, base_ms: int = 30 * DAY_MS) -> Served:
    return Served(base_ms=base_ms, down_ms=down_ms, unknown_ms=unknown_ms)


def contract(**more: object) -> Contract:
    return Contract(**{"id": "c", "provider": "p", "capacity": PerDirection(down=1, up=1), **more})  # type: ignore[arg-type]


LEVEL = ServiceLevel(availability_percent=99.5, restitution="proportional")


def test_the_promise_is_taken_as_written() -> None:
    """99.5 is 199/200; binary floating point would miss it. 3.6 hours of 30 days are exactly half a percent."""
    assert reckoning.promised_ratio(LEVEL) == Fraction(199, 200)
    assert reckoning.kept(LEVEL, time(down_ms=36 * HOUR_MS // 10)) is Kept.YES
    assert reckoning.kept(LEVEL, time(down_ms=36 * HOUR_MS // 10 + 1)) is Kept.NO


def test_unknown_time_that_could_turn_it_leaves_it_undecided() -> None:
    """Two hours down keep it; two unknown ones more could break it; enough down breaks it whatever the rest was."""
    assert reckoning.kept(LEVEL, time(2 * HOUR_MS, HOUR_MS)) is Kept.YES
    assert reckoning.kept(LEVEL, time(2 * HOUR_MS, 2 * HOUR_MS)) is Kept.UNDECIDED
    assert reckoning.kept(LEVEL, time(4 * HOUR_MS, 20 * DAY_MS)) is Kept.NO
    assert reckoning.kept(LEVEL, time(base_ms=0)) is Kept.UNDECIDED
    assert reckoning.kept(ServiceLevel(), time()) is Kept.NOT_PROMISED


def test_excluded_time_leaves_the_base() -> None:
    """Of ten hours two are agreed maintenance; an outage of four, half of it in the maintenance, is two of eight."""
    found = reckoning.served(
        spans((0, 10)), excluded=spans((2, 4)), down=spans((3, 6)), unknown=spans((5, 7)), short=spans((6, 8))
    )
    assert found == Served(base_ms=8, down_ms=2, unknown_ms=1, excluded_ms=2, short_ms=2)
    assert (found.low_ratio, found.high_ratio, found.completeness_ratio) == (Fraction(5, 8), Fraction(6, 8), Fraction(7, 8))


@pytest.mark.parametrize(
    ("level", "down_hours", "amount"),
    [
        (LEVEL, 3, 0),
        (LEVEL, 7, 1_555_556),  # 160,000,000 x 7 / 720 = 1,555,555.56
        (ServiceLevel(availability_percent=99.5, restitution="shortfall"), 7, 755_556),  # 160,000,000 x (0.995 - 713/720)
        (ServiceLevel(restitution="proportional"), 3, 666_667),  # nothing promised: every hour is paid back
    ],
)
def test_formulas_to_the_rupiah(level: ServiceLevel, down_hours: int, amount: int) -> None:
    """Rounded once, half up; nothing while the promise is kept."""
    paid = reckoning.restitution(level, time(down_hours * HOUR_MS), Fraction(160_000_000))
    assert paid is not None
    assert (paid.amount, paid.most, paid.price) == (amount, amount, 160_000_000)


def test_a_table_gives_the_lowest_tier_it_is_below() -> None:
    """Below 99.5 %: 5 %; below 99: 10 %; below 95 all of it. On the limit is not below it."""
    tiers = (Tier(below_percent=99.5, percent=5), Tier(below_percent=95, percent=100), Tier(below_percent=99, percent=10))
    level = ServiceLevel(availability_percent=99.5, restitution="tiers", tiers=tiers)
    hours = {"36/10": 0, "7": 5, "72/10": 5, "8": 10, "36": 10, "37": 100}
    for length, percent in hours.items():
        paid = reckoning.restitution(level, time(int(Fraction(length) * HOUR_MS)), Fraction(1000))
        assert paid is not None
        assert paid.amount == 10 * percent


def test_restitution_counts_what_is_proven_and_says_what_it_could_be() -> None:
    """Seven hours proven and 13 unknown: both figures; with no formula or no base there is none."""
    paid = reckoning.restitution(LEVEL, time(7 * HOUR_MS, 13 * HOUR_MS), Fraction(72_000_000))
    assert paid is not None
    assert (paid.amount, paid.most) == (700_000, 2_000_000)
    assert reckoning.restitution(ServiceLevel(availability_percent=99), time(7 * HOUR_MS), Fraction(1)) is None
    assert reckoning.restitution(LEVEL, time(base_ms=0), Fraction(1)) is None


def test_half_goes_up() -> None:
    """The rule that documents state: 0.5 is 1, and a little less is 0."""
    assert [reckoning.half_up(Fraction(n, 10)) for n in (4, 5, 14, 15, 25)] == [0, 1, 1, 2, 3]


def test_price_of_a_month() -> None:
    """A month, a twelfth of a year, days of a term; a month that the term begins in counts by its days."""
    first, last = date(2026, 2, 1), date(2026, 2, 28)
    assert reckoning.period_price(contract(price=28), first, last) == 28
    assert reckoning.period_price(contract(price=28, start=date(2026, 2, 15)), first, last) == 14
    assert reckoning.period_price(contract(price=1_000_000_000, per="year"), first, last) == Fraction(1_000_000_000, 12)
    term = contract(price=365, per="contract", start=date(2026, 1, 1), end=date(2026, 12, 31))
    assert reckoning.period_price(term, first, last) == 28
    assert reckoning.period_price(contract(price=365, per="contract"), first, last) is None
    assert reckoning.period_price(contract(), first, last) is None


def test_prices_of_all_months_are_the_contracts() -> None:
    """No rupiah is lost at the month's boundaries, in a term that begins and ends within months."""
    term = contract(price=1_920_000_000, per="contract", start=date(2022, 2, 10), end=date(2022, 12, 20))
    ends = [date(2022, n, 31 if n in (1, 3, 5, 7, 8, 10, 12) else 28 if n == 2 else 30) for n in range(1, 13)]
    prices = [reckoning.period_price(term, end.replace(day=1), end) for end in ends]
    assert sum(price for price in prices if price is not None) == 1_920_000_000


def test_what_a_clause_excludes() -> None:
    """Silent clause: planned work, and at the uplink also the office's own power and device. Written: just that."""
    assert ServiceLevel(covers="links").excludes == {Cause.PLANNED}
    assert ServiceLevel().excludes == {Cause.PLANNED, Cause.POWER, Cause.OPD_DEVICE}
    assert ServiceLevel(exclude=()).excludes == set()


PAIRS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)).map(sorted).map(tuple), max_size=6)


def instants(found: Spans) -> set[int]:
    return {at for start, end in found.tolist() for at in range(start, end)}


@settings(max_examples=150, deadline=None)
@given(PAIRS, PAIRS, PAIRS)
def test_spans_are_sets_of_instants(
    one: list[tuple[int, int]], other: list[tuple[int, int]], third: list[tuple[int, int]]
) -> None:
    """Union, intersection and difference agree with sets; of a period, excluded, down, unknown and the rest add up to it."""
    first, second = spans(*one), spans(*other)
    assert instants(reckoning.union(first, second)) == instants(first) | instants(second)
    assert instants(reckoning.intersection(first, second)) == instants(first) & instants(second)
    assert instants(reckoning.without(first, second)) == instants(first) - instants(second)
    found = reckoning.served(spans((0, 60)), excluded=first, down=second, unknown=spans(*third))
    assert found.base_ms + found.excluded_ms == 60
    assert found.down_ms == len(instants(second) - instants(first))
    assert found.unknown_ms == len(instants(spans(*third)) - instants(second) - instants(first))
    assert found.low_ratio is None or 0 <= found.low_ratio <= (found.high_ratio or 0) <= 1
