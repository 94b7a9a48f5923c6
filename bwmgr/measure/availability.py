"""How much of a period a service was there, with what is unknown as bounds, and what the contract pays back.

Pure. Owns this arithmetic, all of it on whole milliseconds and exact fractions:

- The base is the period inside the contract's term, up to now where it is not over, less what is excluded: agreed maintenance,
  and outages of a cause that the clause excludes.
- Down is what outages of all other causes take of the base. Unknown is where nobody looked, and outages whose cause nobody has
  determined yet. Availability lies between (base - down - unknown) / base and (base - down) / base.
- The promise is kept where the lower bound reaches it, broken where the upper one does not; between them the data do not suffice.
- A period's restitution is what its proven downtime gives by the contract's formula; with all unknown time down it would be the
  second figure. It is rounded once, half up, to whole currency units, and is never more than the period's price.
- `proportional`: price x down / base. `shortfall`: price x (promised - available). `tiers`: the percentage of the price that the
  lowest tier above the availability gives. All only where the promise is broken.
- A period's price: per month its days in the term / its days; per year a twelfth of that; per contract its days in the term / all
  days of the term.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from bwmgr.measure.outages import joined
from bwmgr.model.inventory import Contract, ServiceLevel

Spans = NDArray[np.int64]
"""Shape (n, 2), ms since 1970 UTC, each [start, end)."""

NO_SPANS: Spans = np.empty((0, 2), np.int64)


class Kept(StrEnum):
    """Whether a promise was kept."""

    YES = "met"
    NO = "not met"
    UNDECIDED = "not enough data"
    NOT_PROMISED = "nothing promised"


@dataclass(frozen=True, kw_only=True, slots=True)
class Served:
    """Milliseconds of a period: `base` = up + down + unknown; `excluded` is beside it."""

    base_ms: int
    down_ms: int
    unknown_ms: int
    excluded_ms: int = 0
    short_ms: int = 0
    """Runs too short to be outages: counted as up."""

    def __add__(self, other: Served) -> Served:
        return Served(**{name: getattr(self, name) + getattr(other, name) for name in self.__slots__})

    @property
    def low_ratio(self) -> Fraction | None:
        """Availability if it was down whenever nobody knows; None where there is no base."""
        return Fraction(self.base_ms - self.down_ms - self.unknown_ms, self.base_ms) if self.base_ms else None

    @property
    def high_ratio(self) -> Fraction | None:
        """Availability if it was up whenever nobody knows."""
        return Fraction(self.base_ms - self.down_ms, self.base_ms) if self.base_ms else None

    @property
    def completeness_ratio(self) -> Fraction | None:
        """Share of the base of which something is known."""
        return 1 - Fraction(self.unknown_ms, self.base_ms) if self.base_ms else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Restitution:
    """Whole currency units: proven, and the most that it could be."""

    amount: int
    most: int
    price: int
    """The period's price, of which it is a part."""


def served(period: Spans, *, excluded: Spans, down: Spans, unknown: Spans, short: Spans = NO_SPANS) -> Served:
    """Spans may overlap and reach beyond the period; where several hold, the first of excluded, down, unknown does."""
    base = without(period, excluded)
    known_down = intersection(base, down)
    return Served(
        base_ms=length_ms(base),
        down_ms=length_ms(known_down),
        unknown_ms=length_ms(without(intersection(base, unknown), known_down)),
        excluded_ms=length_ms(period) - length_ms(base),
        short_ms=length_ms(without(intersection(base, short), known_down)),
    )


def promised_ratio(level: ServiceLevel) -> Fraction | None:
    """As it is written: 99.5 is 199/200, whatever binary makes of it."""
    return None if level.availability_percent is None else Fraction(repr(level.availability_percent)) / 100


def kept(level: ServiceLevel, time: Served) -> Kept:
    promised, low, high = promised_ratio(level), time.low_ratio, time.high_ratio
    if promised is None:
        return Kept.NOT_PROMISED
    if low is None or high is None:
        return Kept.UNDECIDED
    return Kept.YES if low >= promised else Kept.NO if high < promised else Kept.UNDECIDED


def restitution(level: ServiceLevel, time: Served, price: Fraction) -> Restitution | None:
    """Of one period; None where the contract has no formula or nothing was to be served."""
    if level.restitution is None or time.high_ratio is None or time.low_ratio is None:
        return None
    least, most = (_owed(level, ratio, price) for ratio in (time.high_ratio, time.low_ratio))
    return Restitution(amount=half_up(least), most=half_up(most), price=half_up(price))


def period_price(contract: Contract, first: date, last: date) -> Fraction | None:
    """What the days of the term within a local month cost; `first` and `last` are the month's days. None: no price is stated."""
    if contract.price is None:
        return None
    inside = _days_inside(contract, first, last)
    if contract.per == "contract":
        if contract.start is None or contract.end is None:
            return None
        return Fraction(contract.price * inside, (contract.end - contract.start).days + 1)
    monthly = Fraction(contract.price, 12 if contract.per == "year" else 1)
    return monthly * Fraction(inside, (last - first).days + 1)


def half_up(amount: Fraction) -> int:
    """To whole units: halves go up."""
    return (2 * amount.numerator + amount.denominator) // (2 * amount.denominator)


def union(*spans: Spans) -> Spans:
    every = np.concatenate((NO_SPANS, *spans))
    every = every[every[:, 1] > every[:, 0]]
    return joined(every[np.argsort(every[:, 0], kind="stable")])


def intersection(one: Spans, other: Spans) -> Spans:
    """What lies in both; both are made rising and disjoint first."""
    one, other = union(one), union(other)
    pairs = [
        (max(start, other_start), min(end, other_end))
        for start, end in one.tolist()
        for other_start, other_end in _reaching(other, start, end)
    ]
    return np.array(pairs, np.int64).reshape(-1, 2)


def without(one: Spans, other: Spans) -> Spans:
    """What lies in `one` and not in `other`."""
    one = union(one)
    if not len(one):
        return one
    edges = union(intersection(one, other)).ravel()
    gaps = np.concatenate(([one[0, 0]], edges, [one[-1, 1]])).reshape(-1, 2)
    return intersection(one, gaps)


def length_ms(spans: Spans) -> int:
    return int((spans[:, 1] - spans[:, 0]).sum())


def _reaching(spans: Spans, start: int, end: int) -> Sequence[Sequence[int]]:
    """Those of the rising, disjoint spans that reach into [start, end)."""
    first, last = np.searchsorted(spans[:, 1], start, side="right"), np.searchsorted(spans[:, 0], end, side="left")
    found: list[list[int]] = spans[first:last].tolist()
    return found


def _owed(level: ServiceLevel, ratio: Fraction, price: Fraction) -> Fraction:
    promised = promised_ratio(level)
    if promised is not None and ratio >= promised:
        return Fraction(0)
    if level.restitution == "tiers":
        return price * _tier(level, ratio)
    if level.restitution == "shortfall":
        return price * ((promised or Fraction(1)) - ratio)
    return price * (1 - ratio)


def _tier(level: ServiceLevel, ratio: Fraction) -> Fraction:
    """The share of the lowest tier that the availability lies below; 0 where it lies below none."""
    reached = [(Fraction(repr(tier.below_percent)), tier.percent) for tier in level.tiers]
    shares = [(below, Fraction(repr(percent)) / 100) for below, percent in reached if ratio < below / 100]
    return min(min(shares)[1], Fraction(1)) if shares else Fraction(0)


def _days_inside(contract: Contract, first: date, last: date) -> int:
    start, end = max(first, contract.start or first), min(last, contract.end or last)
    return max((end - start).days + 1, 0)
