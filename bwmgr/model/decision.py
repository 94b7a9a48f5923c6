"""Recommendations: what the engine says, why, on what evidence, and what became of it (INTERFACE: a recommendation)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from bwmgr.model.bandwidth import Bandwidth
from bwmgr.model.inventory import Direction

ENGINE = "policy"
"""The author of what the daemon recommends by itself."""


class Action(StrEnum):
    RAISE = "raise"
    LOWER = "lower"
    HOLD = "hold"
    RESERVE = "reserve"
    RESTORE = "restore"
    FIX = "fix"
    """The last mile, the access point, the counters: not the allocation."""
    BUY = "buy"
    SELL = "sell"


class Status(StrEnum):
    PROPOSED = "proposed"
    APPROVED = "approved"
    REJECTED = "rejected"
    APPLIED = "applied"
    VERIFIED = "verified"
    ROLLED_BACK = "rolled_back"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, kw_only=True, slots=True)
class Reason:
    """`code` is constant; `message` an English sentence with {placeholders} that is its key in the catalogues, `values` fill it.

    Values ending in `_bps`, `_ratio`, `_octets`, `_seconds` are numbers in those units; `bwmgr.language` words them for people.
    """

    code: str
    message: str
    values: Mapping[str, str | int | float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """What the recommendation rests on, enough to recompute it. Rates bit/s, None where unknown."""

    start: datetime
    end: datetime
    calendar: str
    p95_bps: float | None
    demand_bps: float | None
    saturated_ratio: float | None
    coverage_ratio: float
    samples: int
    more: Mapping[str, str | int | float | None] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Expected:
    """The effect to be expected if applied; None where it cannot be said."""

    satisfaction_ratio: float | None = None
    throttled_octets_per_day: int | None = None
    monthly_price: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Recommendation:
    """One link (or node, for buy and sell), one direction. Instants are aware UTC."""

    id: str
    created_at: datetime
    link: str
    direction: Direction
    action: Action
    policy: str
    status: Status = Status.PROPOSED
    current: Bandwidth
    proposed: Bandwidth
    valid_from: datetime
    valid_until: datetime
    reason: Reason
    evidence: Evidence
    expected: Expected = Expected()
    author: str = ENGINE
    """Who ran the policies: the daemon's engine, or the system user who said `recommend`; never its own approver."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StatusChange:
    """One step in a recommendation's life: who did it, when and why."""

    recommendation: str
    at: datetime
    status: Status
    by: str
    note: str = ""
