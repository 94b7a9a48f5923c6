"""What to buy, and what it costs: offers chosen by an integer program, prices shared out to the last rupiah.

Owns choice and money; knows nothing of how demand was found. Money is whole units of the organisation's currency.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from bwmgr.model.inventory import Contract, Direction

BINS = 400
"""A series of demand is taken as a histogram of so many bins, each counted at its upper edge."""

_MEGA = 1e6
_MONTHS = 12
_DAYS = Fraction(36525, 100)

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Offer:
    """One size that a provider sells; of each provider at most one is bought."""

    id: str
    provider: str
    capacity_bps: Mapping[Direction, float]
    price: int
    """For a time that is the same for all offers."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Mix:
    """The cheapest choice that meets the target; among equally cheap ones the one with the most capacity."""

    offers: tuple[Offer, ...]

    @property
    def price(self) -> int:
        return sum(offer.price for offer in self.offers)

    def capacity_bps(self, direction: Direction) -> float:
        return sum(offer.capacity_bps[direction] for offer in self.offers)


@dataclass(frozen=True, kw_only=True, slots=True)
class Load:
    """Demand in one direction: `demand_bps` with a share of time each, and what must remain when any one provider fails."""

    demand_bps: Floats
    shares: Floats
    essential_bps: float = 0.0


def histogram(demand_bps: Floats, essential_bps: float = 0.0) -> Load:
    """At most BINS levels; exact where there are no more than that many different figures."""
    levels, counts = np.unique(demand_bps, return_counts=True)
    if len(levels) > BINS:
        edges = np.linspace(levels[0], levels[-1], BINS + 1)
        which = np.clip(np.searchsorted(edges, levels, side="left") - 1, 0, BINS - 1)
        counts = np.bincount(which, counts, BINS)
        levels = edges[1:]
    used = counts > 0
    return Load(demand_bps=levels[used], shares=counts[used] / counts.sum(), essential_bps=essential_bps)


def cheapest_mix(offers: Sequence[Offer], loads: Mapping[Direction, Load], target_ratio: float) -> Mix | None:
    """The cheapest offers that leave at most `target_ratio` of the volume unmet in each direction; None where none do.

    With an essential load, what is left without any one provider must carry it. Solved by HiGHS: a binary for each offer and an
    unmet rate for each level of demand.
    """
    if not offers:
        return None
    problem = _Problem(offers, loads, target_ratio)
    prices = np.array([offer.price for offer in offers], np.float64)
    scale = max(prices.max(), 1.0)
    cheapest = problem.solve(prices / scale)
    if cheapest is None:
        return None
    least = sum(offer.price for offer in cheapest)
    roomy = problem.solve(-problem.megabits.sum(axis=0), most=(prices / scale, least / scale * (1 + 1e-9)))
    return Mix(offers=tuple(roomy if roomy is not None and sum(offer.price for offer in roomy) <= least else cheapest))


def yearly_price(contract: Contract) -> int | None:
    """What a contract costs in a year of 365.25 days, to the nearest whole unit; None without a price, or without an end."""
    if contract.price is None:
        return None
    if contract.per == "year":
        return contract.price
    if contract.per == "month":
        return contract.price * _MONTHS
    if contract.start is None or contract.end is None:
        return None
    return round(contract.price * _DAYS / ((contract.end - contract.start).days + 1))


def shared_out(amount: int, weights: Sequence[float]) -> list[int]:
    """`amount` in whole units by weight, adding up exactly: the largest remainders get one more, ties in order.

    All to nobody (all zeros) is shared equally. Raises: ValueError for a negative weight or no weight at all.
    """
    if not weights or min(weights) < 0:
        raise ValueError("money is shared out by weights of 0 or more")
    exact = [Fraction(weight) for weight in weights]
    total = sum(exact)
    parts = [amount * weight / total for weight in exact] if total else [Fraction(amount, len(exact))] * len(exact)
    whole = [part.numerator // part.denominator for part in parts]
    by_remainder = sorted(range(len(parts)), key=lambda at: (whole[at] - parts[at], at))
    for at in by_remainder[: amount - sum(whole)]:
        whole[at] += 1
    return whole


class _Problem:
    """The constraints, in Mbit/s: columns are the offers' binaries, then the unmet rates of each direction's levels."""

    def __init__(self, offers: Sequence[Offer], loads: Mapping[Direction, Load], target: float) -> None:
        self.offers = offers
        self.megabits = np.array([[offer.capacity_bps[way] / _MEGA for offer in offers] for way in loads])
        self._levels = sum(len(load.demand_bps) for load in loads.values())
        self._rows: list[Floats] = []
        self._least: list[float] = []
        providers = list(dict.fromkeys(offer.provider for offer in offers))
        member = np.array([[offer.provider == provider for offer in offers] for provider in providers], np.float64)
        for of_provider in member:
            self._at_least(-of_provider, -1.0)
        first = len(offers)
        for capacity, load in zip(self.megabits, loads.values(), strict=True):
            self._direction(capacity, load, target, first)
            for of_provider in member if load.essential_bps else ():
                self._at_least(capacity * (1 - of_provider), load.essential_bps / _MEGA)
            first += len(load.demand_bps)

    def solve(self, costs: Floats, most: tuple[Floats, float] | None = None) -> list[Offer] | None:
        """The offers that cost least; `most` bounds a second cost."""
        from scipy.optimize import Bounds, LinearConstraint, milp

        rows, least = np.array(self._rows), np.array(self._least)
        if most is not None:
            rows, least = np.vstack((rows, self._row(-most[0]))), np.append(least, -most[1])
        whole = np.arange(rows.shape[1]) < len(self.offers)
        found = milp(
            np.pad(costs, (0, self._levels)),
            integrality=whole.astype(int),
            bounds=Bounds(0, np.where(whole, 1, np.inf)),
            constraints=LinearConstraint(rows, least, np.inf),
        )
        if found.x is None:
            return None
        return [offer for offer, taken in zip(self.offers, found.x, strict=False) if taken > 0.5]

    def _direction(self, capacity: Floats, load: Load, target: float, first: int) -> None:
        demand = load.demand_bps / _MEGA
        for number, level in enumerate(demand):
            row = self._row(capacity)
            row[first + number] = 1.0
            self._append(row, level)
        row = self._row(np.zeros(len(capacity)))
        row[first : first + len(demand)] = -load.shares
        self._append(row, -target * float(load.shares @ demand) - 1e-9)

    def _at_least(self, of_offers: Floats, least: float) -> None:
        self._append(self._row(of_offers), least)

    def _row(self, of_offers: Floats) -> Floats:
        return np.pad(of_offers, (0, self._levels))

    def _append(self, row: Floats, least: float) -> None:
        self._rows.append(row)
        self._least.append(least)
