"""`plan`: the optimum figure of each root of the tree, what to buy for it, and each link's right size, from stored history.

Owns which rows enter which figure. All arithmetic is `bwmgr.measure`: demand behind limits (`behind`), the series of the sum
(`sums`), the smallest capacity (`optimum`), offers and money (`dimension`), days until it is full (`forecast`).

The series of a root is the sum of the links below it, cell by cell, each link's usage with its expected demand put in where its
limit held it back. Cells in which less than nine tenths of the links' time is known are left out: they would be too low.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bwmgr.daemon.plan_bursts import burst_capacities
from bwmgr.daemon.plan_figures import DirectionPlan, LinkNeed, Money, OfferView, Plan, RootPlan
from bwmgr.daemon.plan_parts import part_plans
from bwmgr.errors import UsageError
from bwmgr.measure.behind import COLUMNS as DEMAND_COLUMNS
from bwmgr.measure.behind import demand_behind, expected_demand
from bwmgr.measure.calendars import inside, spans
from bwmgr.measure.columns import RateBatch
from bwmgr.measure.dimension import Load, Offer, cheapest_mix, histogram, shared_out, yearly_price
from bwmgr.measure.forecast import growth
from bwmgr.measure.optimum import curve, knee, optimum, smallest_capacity, unmet_ratio
from bwmgr.measure.sums import COLUMNS as SUM_COLUMNS
from bwmgr.measure.sums import Sum, sum_batches
from bwmgr.model.demand import DemandInterval
from bwmgr.model.inventory import Direction, Inventory, Link, Node, PerDirection, ServiceClass
from bwmgr.model.said import Said, both, said_by
from bwmgr.model.samples import GapReason
from bwmgr.stores import LINK_RATE

if TYPE_CHECKING:
    from bwmgr.daemon.application import Application

GRID_SECONDS = 300
PERCENTILE = 95.0
_COMPLETE = 0.9
_STEP_BPS = 1_000_000
"""Right sizes are whole Mbit/s, as offices write limits."""
_COLUMNS = tuple(dict.fromkeys((*DEMAND_COLUMNS, *SUM_COLUMNS)))

Floats = NDArray[np.float64]
Requests = Mapping[str, PerDirection[int | None]]


def make_plan(
    application: Application, start: datetime, end: datetime, *, target_ratio: float, requests: Requests | None = None
) -> Plan:
    """The plan of every root with history in [start, end).

    Raises: UsageError for requests of unknown links, for a strict target on a short history, and where no root has history.
    """
    inventory = application.inventory
    asked = requests or {}
    if unknown := sorted(set(asked) - set(inventory.links)):
        raise UsageError(Said("requests for links that are not in the configuration: {links}", links=", ".join(unknown)))
    roots, problems = [], {}
    for node in inventory.roots():
        try:
            roots.append(_Root(application, node, start, end, target_ratio, asked).plan())
        except UsageError as problem:
            problems[node.id] = said_by(problem)
    if not roots:
        found: list[str] = [Said("{node}: {problem}", node=node, problem=problem) for node, problem in problems.items()]
        raise UsageError(reduce(both, found) if found else Said("the configuration has no nodes"))
    return Plan(start=start, end=end, target_ratio=target_ratio, roots=tuple(roots), problems=problems)


class _Root:
    """Gathers one root's figures."""

    def __init__(
        self, application: Application, node: Node, start: datetime, end: datetime, target_ratio: float, asked: Requests
    ) -> None:
        self.inventory, self.store = application.inventory, application.store
        self.node, self.start, self.end, self.target, self.asked = node, start, end, target_ratio, asked
        self.zone = self.inventory.organisation.timezone
        self.grid = max(GRID_SECONDS, round(application.settings.snmp.interval_seconds))
        self.below = [link.id for link in links_below(self.inventory, node)]
        self.needs: dict[str, LinkNeed] = {}
        self.own_p95: dict[Direction, float] = dict.fromkeys(Direction, 0.0)

    def plan(self) -> RootPlan:
        present = self._present()
        essential = [name for name in present if self.inventory.links[name].service_class is ServiceClass.CRITICAL]
        groups = {"usage": present, "demand": [_demanded(name) for name in present]}
        groups["essential"] = [_demanded(name) for name in essential]
        totals = sum_batches(self._batches(present), groups, start=self.start, end=self.end, grid_seconds=self.grid)
        capacity = self._capacity()
        bursts = burst_capacities(self.store, self.inventory, self.node, self.end, self.target)
        directions = {way: self._direction(way, totals, capacity[way], bursts[way]) for way in Direction}
        money = self._money(directions)
        offers = self._offers()
        loads = {way: histogram(_series(totals["demand"], way)) for way in Direction}
        safe = {way: replace(load, essential_bps=directions[way].essential_bps) for way, load in loads.items()}
        return RootPlan(
            node=self.node,
            directions=directions,
            parts=part_plans(self.store, self.inventory, self.node, self.below, self.start, self.end, self.target),
            links=self._priced(money),
            silent=tuple(name for name in self.below if name not in self.needs),
            money=money,
            offers=tuple(self._viewed(offer, totals["demand"]) for offer in offers),
            mix=cheapest_mix(offers, loads, self.target),
            safe_mix=cheapest_mix(offers, safe, self.target) if _has_essential(safe) else None,
        )

    def _present(self) -> list[str]:
        """Links with history in the window."""
        known = self.store.spans(LINK_RATE)
        found = [name for name in self.below if name in known and known[name].first < self.end and known[name].last >= self.start]
        if not found:
            raise UsageError(
                Said(
                    "no link below {node} has history from {start_at} to {end_at}",
                    node=self.node.id,
                    start_at=self.start.isoformat(),
                    end_at=self.end.isoformat(),
                )
            )
        return found

    def _batches(self, names: Sequence[str]) -> Iterator[RateBatch]:
        """The rows as they are, then those with expected demand under the name of `_demanded`."""
        for batch in self.store.chunks(LINK_RATE, start=self.start, end=self.end, series=names, columns=_COLUMNS):
            bounds = np.searchsorted(batch.rows["series"], np.arange(len(batch.series) + 1))
            rows = batch.rows.copy()
            for position, name in enumerate(batch.series):
                of_link = rows[bounds[position] : bounds[position + 1]]
                if (of_link["reason"] == GapReason.NONE).any():
                    self._take(self.inventory.links[name], of_link)
            yield batch
            yield RateBatch(series=tuple(map(_demanded, batch.series)), rows=rows)

    def _take(self, link: Link, rows: NDArray[np.void]) -> None:
        """One link's need; writes its expected demand into `rows`."""
        calendar = self.inventory.calendars[link.calendar]
        open_rows = rows[inside(spans(calendar, self.zone, self.start, self.end), rows["end_ms"])]
        demand = {way: demand_behind(open_rows, way, timezone=self.zone, calendar=calendar) for way in Direction}
        there = rows["reason"] == GapReason.NONE
        seconds = rows["interval_ticks"][there] / 100
        octets = float(((rows["down_bps"] + rows["up_bps"])[there] * seconds).sum() / 8)
        for way in Direction:
            rows[f"{way}_bps"] = expected_demand(rows, way, timezone=self.zone, calendar=calendar)
            self.own_p95[way] += _percentile(rows[f"{way}_bps"][there])
        self.needs[link.id] = LinkNeed(
            link=link,
            demand=demand,
            right_size_bps={way: right_size(link, way, demand[way]) for way in Direction},
            octets=octets,
            requested=self.asked.get(link.id, PerDirection(down=None, up=None)),
        )

    def _direction(
        self, way: Direction, totals: Mapping[str, Sum], capacity: int | None, burst_bps: float | None
    ) -> DirectionPlan:
        total = totals["demand"]
        demand, ends = _series(total, way), _ends(total)
        points = curve(demand)
        figure = optimum(demand, ends, self.target)
        cells = max((self.end - self.start).total_seconds() / self.grid, 1)
        essential = _series(totals["essential"], way)
        return DirectionPlan(
            figure=figure,
            usage_capacity_bps=smallest_capacity(_series(totals["usage"], way), self.target),
            p95_bps=_percentile(demand),
            links_p95_bps=self.own_p95[way],
            max_bps=float(demand.max()),
            coverage_ratio=min(len(demand) / cells, 1.0),
            capacity_bps=capacity,
            unmet_ratio=None if capacity is None else unmet_ratio(demand, capacity),
            curve=tuple(points),
            knee_bps=knee(points),
            growth=growth(demand, ends, capacity, percentile=PERCENTILE),
            right_sizes_bps=sum(need.right_size_bps[way] or 0 for need in self.needs.values()),
            essential_bps=smallest_capacity(essential, self.target) if len(essential) else 0.0,
            burst_bps=burst_bps,
        )

    def _capacity(self) -> PerDirection[int | None]:
        """Of the root's contracts together; without contracts, the node's own."""
        bought = [self.inventory.contracts[uplink.contract].capacity for uplink in self.node.uplinks if uplink.contract]
        if not bought:
            return self.node.capacity
        return PerDirection(down=sum(each.down for each in bought), up=sum(each.up for each in bought))

    def _money(self, directions: Mapping[Direction, DirectionPlan]) -> Money | None:
        prices = [yearly_price(self.inventory.contracts[uplink.contract]) for uplink in self.node.uplinks if uplink.contract]
        known = [price for price in prices if price is not None]
        used = {
            way: min(plan.p95_bps, plan.capacity_bps) / plan.capacity_bps for way, plan in directions.items() if plan.capacity_bps
        }
        if not known or len(known) < len(prices) or not used:
            return None
        tighter = max(used, key=lambda way: used[way])
        capacity, price = float(directions[tighter].capacity_bps or 0), sum(known)
        used_price, idle_price = shared_out(price, [used[tighter], 1 - used[tighter]])
        return Money(
            price=price,
            direction=tighter,
            used_bps=capacity * used[tighter],
            idle_bps=capacity * (1 - used[tighter]),
            used_price=used_price,
            idle_price=idle_price,
        )

    def _priced(self, money: Money | None) -> tuple[LinkNeed, ...]:
        needs = [self.needs[name] for name in self.below if name in self.needs]
        if money is None:
            return tuple(needs)
        parts = shared_out(money.used_price, [need.octets for need in needs])
        return tuple(replace(need, used_price=part) for need, part in zip(needs, parts, strict=True))

    def _offers(self) -> list[Offer]:
        """Every contract of the configuration whose yearly price is known, as an offer."""
        found = []
        for contract in self.inventory.contracts.values():
            if (price := yearly_price(contract)) is not None:
                capacity = {way: float(contract.capacity[way]) for way in Direction}
                found.append(Offer(id=contract.id, provider=contract.provider, capacity_bps=capacity, price=price))
        return found

    def _viewed(self, offer: Offer, total: Sum) -> OfferView:
        unmet = {way: unmet_ratio(_series(total, way), offer.capacity_bps[way]) for way in Direction}
        current = any(uplink.contract == offer.id for uplink in self.node.uplinks)
        return OfferView(offer=offer, current=current, unmet_ratio=unmet, meets=max(unmet.values()) <= self.target)


def links_below(inventory: Inventory, node: Node) -> Iterable[Link]:
    """The links anywhere below a node, in the file's order."""
    return [link for link in inventory.links.values() if any(each.id == node.id for each in inventory.ancestors(link.parent))]


def right_size(link: Link, direction: Direction, demand: DemandInterval | None) -> int | None:
    """The limit that fits: the upper end of the demand (a probe where that is unknown) in whole Mbit/s, never below the CIR.

    The MIR is no bound here: a need above it is what the medium must be changed for.
    """
    if demand is None:
        return None
    wanted = demand.high_bps if demand.high_bps is not None else demand.probe_bps or demand.low_bps
    whole = -int(-wanted // _STEP_BPS) * _STEP_BPS
    return max(whole, link.cir[direction], _STEP_BPS)


def _demanded(name: str) -> str:
    return f"demand of {name}"


def _has_essential(loads: Mapping[Direction, Load]) -> bool:
    return any(load.essential_bps for load in loads.values())


def _complete(total: Sum) -> NDArray[np.bool_]:
    complete = total.coverage_ratio >= _COMPLETE
    return complete if complete.any() else np.ones(len(complete), bool)


def _series(total: Sum, direction: Direction) -> Floats:
    return np.asarray(total.batch.rows[f"{direction}_bps"][_complete(total)], np.float64)


def _ends(total: Sum) -> NDArray[np.int64]:
    return np.asarray(total.batch.rows["end_ms"][_complete(total)], np.int64)


def _percentile(figures: Floats) -> float:
    rank = max(int(np.ceil(PERCENTILE / 100 * len(figures) - 1e-9)), 1) if len(figures) else 0
    return float(np.partition(figures, rank - 1)[rank - 1]) if rank else 0.0
