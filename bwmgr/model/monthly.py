"""A month as it was closed: every figure that its report prints, so that the report needs nothing else.

Owns the nouns. How figures come about is `bwmgr.measure.monthly` and `bwmgr.daemon.monthly`. Rates in bit/s, shares 0-1, money in
whole units of the currency; instants are aware UTC, days ISO 8601 in the organisation's zone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from bwmgr.model.decision import Action, Reason, Status
from bwmgr.model.inventory import Direction, LinkKind, PerDirection
from bwmgr.model.service import Cause


@dataclass(frozen=True, kw_only=True, slots=True)
class Use:
    """One direction over one calendar; None where there is no sample."""

    calendar: str
    samples: int
    octets: int
    mean_bps: float | None
    p95_bps: float | None
    max_bps: float | None
    coverage_ratio: float
    saturated_ratio: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Peak:
    at: datetime
    rate_bps: float


@dataclass(frozen=True, kw_only=True, slots=True)
class DayUse:
    """One local day of download, around the clock."""

    day: str
    mean_bps: float | None
    max_bps: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """How a link's download lay over the month. `profile_bps`: mean by local hour of working weekdays (Monday to Friday)."""

    profile_bps: tuple[float | None, ...]
    busy_hour: int | None
    peaks: tuple[Peak, ...]
    """The highest sample of each of the three days with the highest ones."""
    days: tuple[DayUse, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class MonthOutage:
    start: datetime
    end: datetime
    cause: Cause
    judged_by: str = ""
    """Who determined the cause; empty: it is the rule's proposal."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MonthAdvice:
    """A recommendation made in the month, and what had become of it when the month was closed."""

    id: str
    created_at: datetime
    direction: Direction
    action: Action
    policy: str
    status: Status
    current_bps: int | None
    proposed_bps: int | None
    reason: Reason
    last_at: datetime | None = None
    last_by: str = ""
    last_note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class LimitChange:
    at: datetime
    limit: PerDirection[int | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class MonthLink:
    """One link. `known_ratio`: of how much of the month it is known whether it was up."""

    id: str
    name: str
    kind: LinkKind
    opd: str | None
    limit: PerDirection[int | None]
    """In force at the end of the month."""
    cir: PerDirection[int]
    mir: PerDirection[int | None]
    changes: tuple[LimitChange, ...]
    """Limits that came into force in the month."""
    office: Mapping[Direction, Use]
    """Over its own calendar."""
    always: Mapping[Direction, Use]
    shape: Shape
    quota_octets: int | None
    outages: tuple[MonthOutage, ...]
    known_ratio: float
    down_seconds: float
    availability_ratio: float | None
    """Of the time that is known."""
    advice: tuple[MonthAdvice, ...]
    right_size: PerDirection[int | None]
    used_price: int | None
    """Its part of the month's price of the capacity used, by its share of all octets."""

    @property
    def octets(self) -> int:
        return sum(use.octets for use in self.always.values())


@dataclass(frozen=True, kw_only=True, slots=True)
class MonthRoot:
    """A root of the tree: what was bought there and how much of it was used."""

    id: str
    name: str
    contracts: tuple[str, ...]
    capacity: PerDirection[int | None]
    p95: PerDirection[float | None]
    """95th percentile of the demand of the links together."""
    optimum: PerDirection[float | None]
    coverage_ratio: float
    price: int | None
    """Of the month."""
    tighter: Direction | None
    used_bps: float | None
    idle_bps: float | None
    used_price: int | None
    idle_price: int | None
    problem: str = ""
    """Why there are no figures."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MonthUplink:
    """An uplink against its contract, all hours."""

    series: str
    provider: str
    contract: str
    capacity: PerDirection[int | None]
    always: Mapping[Direction, Use]
    outages: tuple[MonthOutage, ...]
    known_ratio: float
    down_seconds: float
    availability_ratio: float | None
    promised_ratio: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Month:
    """`month` is `2026-01`. `revision` 1 unless it was reopened; `why` says why."""

    month: str
    start: datetime
    end: datetime
    organisation: str
    currency: str
    timezone: str
    complete_ratio: float
    """A figure from less of the time than this is not printed as one."""
    interval_seconds: float
    closed_at: datetime | None
    """None: the month still runs, and nothing is kept."""
    closed_by: str
    revision: int
    why: str
    links: tuple[MonthLink, ...]
    roots: tuple[MonthRoot, ...]
    uplinks: tuple[MonthUplink, ...]
    total: Mapping[Direction, Use]
    """All polled links together."""
