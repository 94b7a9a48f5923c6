"""What a plan consists of: the figures of each root, direction, link and offer. How they come about is `planning`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from bwmgr.daemon.plan_parts import PartPlan
from bwmgr.measure.dimension import Mix, Offer
from bwmgr.measure.forecast import Growth
from bwmgr.measure.optimum import CurvePoint, Optimum
from bwmgr.model.demand import DemandInterval
from bwmgr.model.inventory import Direction, Link, Node, PerDirection


@dataclass(frozen=True, kw_only=True)
class LinkNeed:
    """One link: demand over its own calendar and the limit that fits it; None where there are no samples."""

    link: Link
    demand: Mapping[Direction, DemandInterval | None]
    right_size_bps: Mapping[Direction, int | None]
    octets: float
    requested: PerDirection[int | None]
    used_price: int | None = None
    """Its part of what the used capacity costs, by its share of all octets."""


@dataclass(frozen=True, kw_only=True)
class DirectionPlan:
    """One root in one direction; rates in bit/s. `weeks` and the interval stand in `figure`."""

    figure: Optimum
    usage_capacity_bps: float
    """The same figure from usage as it was, limits and all."""
    p95_bps: float
    links_p95_bps: float
    """Sum of the links' own 95th percentiles, of the same demand over the same time."""
    max_bps: float
    coverage_ratio: float
    """Share of the window's cells that could be used."""
    capacity_bps: int | None
    """What the contracts give today."""
    unmet_ratio: float | None
    curve: tuple[CurvePoint, ...]
    knee_bps: float | None
    growth: Growth | None
    right_sizes_bps: int
    essential_bps: float
    burst_bps: float | None
    """What bursts below five minutes need, where samples of 10 s or less were taken of the uplink."""

    @property
    def diversity_factor(self) -> float | None:
        return self.links_p95_bps / self.p95_bps if self.p95_bps else None


@dataclass(frozen=True, kw_only=True)
class Money:
    """A year's price of a root's contracts, split by its tighter direction; used and idle add up to it exactly."""

    price: int
    direction: Direction
    used_bps: float
    idle_bps: float
    used_price: int
    idle_price: int


@dataclass(frozen=True, kw_only=True)
class OfferView:
    """One offer on the measured demand."""

    offer: Offer
    current: bool
    unmet_ratio: Mapping[Direction, float]
    meets: bool

    @property
    def price_per_mbps(self) -> float:
        return self.offer.price / (max(self.offer.capacity_bps.values()) / 1e6)


@dataclass(frozen=True, kw_only=True)
class RootPlan:
    node: Node
    directions: Mapping[Direction, DirectionPlan]
    parts: tuple[PartPlan, ...]
    links: tuple[LinkNeed, ...]
    silent: tuple[str, ...]
    """Links below the root without any sample: they are in no sum."""
    money: Money | None
    offers: tuple[OfferView, ...]
    mix: Mix | None
    """The cheapest choice of offers."""
    safe_mix: Mix | None
    """The cheapest that also carries the essential load when any one provider fails."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    start: datetime
    end: datetime
    target_ratio: float
    roots: tuple[RootPlan, ...]
    problems: Mapping[str, str] = field(default_factory=dict)
    """Root -> why there is no plan for it."""
