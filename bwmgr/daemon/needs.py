"""The needs analysis for a budget: what agencies ask for beside what was measured, and what it comes to in several futures.

Owns scenarios; verdicts are `request_verdicts`'. Measured need, optimum, growth and diversity are `planning`'s; offers are chosen
by `bwmgr.measure.dimension`. Nothing is guessed: a figure of which less than 70 % of the time was measured is None.

- A scenario multiplies all demand by one factor; the smallest capacity that leaves the target unmet grows by the same factor.
- What it costs: at the price per Mbps that is paid today, and the cheapest of the configuration's contracts that carry it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

import numpy as np

from bwmgr.daemon.plan_figures import LinkNeed, RootPlan
from bwmgr.daemon.planning import Requests, links_below, make_plan
from bwmgr.daemon.request_verdicts import ENOUGH_RATIO, Verdict, judged_by, verdict_of
from bwmgr.errors import UsageError
from bwmgr.measure.dimension import Load, Mix, Offer, cheapest_mix
from bwmgr.model.demand import DemandInterval
from bwmgr.model.inventory import Direction, Link
from bwmgr.model.said import Said
from bwmgr.stores import LINK_RATE

if TYPE_CHECKING:
    from bwmgr.daemon.application import Application

WEEKS_A_YEAR = 365.25 / 7
WEEKS_FOR_A_YEAR = 13
"""A line through fewer weeks is not drawn out to a year: a holiday or a fasting month would bend it."""
_MEGA = 1e6

Future = Literal["less", "base", "year", "two years", "requested", "requested together"]


@dataclass(frozen=True, kw_only=True)
class Ask:
    """One link and direction: asked for, limited to, needed. `coverage_ratio` of the link's own calendar."""

    link: Link
    direction: Direction
    requested_bps: int | None
    need: DemandInterval | None
    right_size_bps: int | None
    coverage_ratio: float
    verdict: Verdict

    @property
    def enough(self) -> bool:
        return self.need is not None and self.coverage_ratio >= ENOUGH_RATIO

    @property
    def times_need(self) -> float | None:
        """Requested over the upper end of the need."""
        most = judged_by(self.need) if self.enough and self.need else None
        return None if most is None or self.requested_bps is None else self.requested_bps / max(most, 1.0)


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One future. `factor` None: growth is not known; `capacity_bps` None with it. Prices are of a year."""

    future: Future
    factor: float | None
    capacity_bps: Mapping[Direction, float] | None
    price: int | None
    """At today's price per Mbps."""
    mix: Mix | None
    """The cheapest contracts of the configuration that carry it."""

    @property
    def mbps(self) -> int | None:
        """Whole Mbit/s of the tighter direction."""
        return None if self.capacity_bps is None else math.ceil(max(self.capacity_bps.values()) / _MEGA - 1e-9)


@dataclass(frozen=True, kw_only=True)
class RootNeeds:
    """One root of the tree. `plan` has the optimum, growth and diversity of each direction."""

    plan: RootPlan
    asks: Sequence[Ask]
    coverage_ratio: float
    at_least: bool
    """Some links were held back too often to tell: every capacity is a lower bound."""
    price_per_mbps: float | None
    scenarios: Sequence[Scenario]
    requested_bps: Mapping[Direction, int]

    @property
    def enough(self) -> bool:
        return self.coverage_ratio >= ENOUGH_RATIO


@dataclass(frozen=True, kw_only=True)
class Needs:
    start: datetime
    end: datetime
    target_ratio: float
    less_ratio: float
    roots: Sequence[RootNeeds]
    problems: Mapping[str, str]


def analyse(
    application: Application, start: datetime, end: datetime, requests: Requests, *, target_ratio: float, less_ratio: float = 0.1
) -> Needs:
    """The needs of every root with history in [start, end); the window begins no earlier than the history does.

    Raises: UsageError as `make_plan`.
    """
    spans = application.store.spans(LINK_RATE)
    known = [spans[link].first for link in application.inventory.links if link in spans]
    if not known:
        raise UsageError(Said("nothing was measured yet: a need cannot be told"))
    first = max(start, min(known).replace(minute=0, second=0, microsecond=0))
    if first >= end:
        raise UsageError(Said("the history begins after {end_at}", end_at=end.isoformat()))
    plan = make_plan(application, first, end, target_ratio=target_ratio, requests=requests)
    roots = [_Root(application, root, requests, first, end, less_ratio).needs() for root in plan.roots]
    return Needs(start=first, end=end, target_ratio=target_ratio, less_ratio=less_ratio, roots=roots, problems=plan.problems)


class _Root:
    def __init__(
        self, application: Application, plan: RootPlan, requests: Requests, start: datetime, end: datetime, less_ratio: float
    ) -> None:
        self.plan, self.requests, self.less = plan, requests, less_ratio
        self.links = list(links_below(application.inventory, plan.node))
        windows = application.usage([link.id for link in self.links], start, end)
        self.coverage = {(window.link, window.direction): window.coverage_ratio for window in windows}

    def needs(self) -> RootNeeds:
        plan = self.plan
        coverage = min(found.coverage_ratio for found in plan.directions.values())
        known = {need.link.id: need for need in plan.links}
        asks = [self._ask(link, way, known.get(link.id)) for link in self.links for way in Direction]
        totals = {way: sum(ask.requested_bps or 0 for ask in asks if ask.direction is way) for way in Direction}
        scenarios = self._scenarios(totals) if coverage >= ENOUGH_RATIO else [_unknown(future) for future in ("less", "base")]
        return RootNeeds(
            plan=plan,
            asks=asks,
            coverage_ratio=coverage,
            at_least=any(ask.need is not None and ask.need.kind == "at least" for ask in asks),
            price_per_mbps=self._per_mbps(),
            scenarios=scenarios,
            requested_bps=totals,
        )

    def _ask(self, link: Link, way: Direction, found: LinkNeed | None) -> Ask:
        asked = self.requests.get(link.id)
        requested = asked[way] if asked is not None else None
        need = found.demand[way] if found is not None else None
        coverage = self.coverage[link.id, way]
        return Ask(
            link=link,
            direction=way,
            requested_bps=requested,
            need=need,
            right_size_bps=found.right_size_bps[way] if found is not None else None,
            coverage_ratio=coverage,
            verdict=verdict_of(requested, need, coverage),
        )

    def _per_mbps(self) -> float | None:
        money, directions = self.plan.money, self.plan.directions.values()
        bought = max((found.capacity_bps or 0 for found in directions), default=0)
        return money.price / (bought / _MEGA) if money is not None and bought else None

    def _scenarios(self, requested: Mapping[Direction, int]) -> list[Scenario]:
        optimum = {way: found.figure.capacity_bps for way, found in self.plan.directions.items()}
        factors: dict[Future, float | None] = {"less": 1 - self.less, "base": 1.0}
        factors |= {"year": self._grown(1), "two years": self._grown(2)}
        found = [
            self._scenario(future, factor, None if factor is None else {way: rate * factor for way, rate in optimum.items()})
            for future, factor in factors.items()
        ]
        if any(requested.values()):
            added = {way: float(requested[way] + self._beside(way)) for way in Direction}
            found.append(self._scenario("requested", None, added))
            together = {way: rate / (self.plan.directions[way].diversity_factor or 1.0) for way, rate in added.items()}
            found.append(self._scenario("requested together", None, together))
        return found

    def _beside(self, way: Direction) -> int:
        """The right sizes of those who asked for nothing."""
        asked = {name for name, rates in self.requests.items() if rates[way] is not None}
        return sum(need.right_size_bps[way] or 0 for need in self.plan.links if need.link.id not in asked)

    def _grown(self, years: int) -> float | None:
        """By the line through the weeks' percentiles of the tighter direction; None with less than thirteen whole weeks."""
        tighter = self.plan.money.direction if self.plan.money is not None else Direction.DOWN
        line = self.plan.directions[tighter].growth
        if line is None or line.level_bps <= 0 or line.weeks < WEEKS_FOR_A_YEAR:
            return None
        return max(1 + line.bps_per_week * WEEKS_A_YEAR * years / line.level_bps, 0.0)

    def _scenario(self, future: Future, factor: float | None, capacity: Mapping[Direction, float] | None) -> Scenario:
        if capacity is None:
            return _unknown(future)
        whole = math.ceil(max(capacity.values()) / _MEGA - 1e-9)
        per_mbps = self._per_mbps()
        loads = {way: Load(demand_bps=np.array([rate]), shares=np.array([1.0])) for way, rate in capacity.items()}
        offers: list[Offer] = [view.offer for view in self.plan.offers]
        return Scenario(
            future=future,
            factor=factor,
            capacity_bps=capacity,
            price=None if per_mbps is None else round(per_mbps * whole),
            mix=cheapest_mix(offers, loads, 0.0),
        )


def _unknown(future: Future) -> Scenario:
    return Scenario(future=future, factor=None, capacity_bps=None, price=None, mix=None)
