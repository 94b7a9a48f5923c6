"""What a policy is given and what it gives back: the contract that a third party's policy is written against.

A policy is a module with `NAME`, `Parameters` (a frozen dataclass whose field names carry units; a class variable `NEEDED` may
name those without which it does nothing) and
`propose(given: PolicyInput, parameters) -> Iterable[Proposal]`: pure, one direction of one link a proposal. It need not care for
missing data, ceilings, guarantees, rounding, cooldown or capacity: the engine does, for all policies alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

from bwmgr.model.bandwidth import Bandwidth
from bwmgr.model.decision import Action, Reason, Recommendation
from bwmgr.model.demand import DemandInterval
from bwmgr.model.inventory import Direction, Inventory, Link
from bwmgr.model.usage import LinkHealth, UsageWindow

Usage = Mapping[str, Mapping[Direction, UsageWindow]]
Key = tuple[str, Direction]

RESTORE_BPS = "restore_mir_bps"
"""Evidence of a change for a time: the limit to give back."""
ENDS_AT = "ends_at"
"""Evidence of a change with a date: its end."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeLoad:
    """What was measured to pass a node in one direction: the series of the sum, not a sum of percentiles.

    `window` is over that calendar of the links below in which its percentile is the highest. `beside`: links below the node that
    are not in the sum, since too little of them is known.
    """

    window: UsageWindow
    beside: frozenset[str] = frozenset()

    @property
    def rate_bps(self) -> float:
        """The percentile, scaled up for the time of members that is not known."""
        return (self.window.p95_bps or 0.0) / (self.window.coverage_ratio or 1.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class PartLoad:
    """What flows tell of one part of a root's contracts (domestic, international) in one direction, in steps of five minutes.

    `window` is of the root, from the first flow on: over the steps that had flows of any part, its coverage the share of them.
    """

    part: str
    window: UsageWindow
    contract_bps: int | None
    counted_ratio: float | None
    """Octets of flows beside those of counters, both parts together; None: not known."""

    @property
    def rate_bps(self) -> float:
        """The percentile, scaled up by what counters saw and flows did not."""
        return (self.window.p95_bps or 0.0) / min(self.counted_ratio or 1.0, 1.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """What a person asked for: a lift for some time, or an override above all policies. Instants are aware UTC, [start, end)."""

    link: str
    direction: Direction
    kind: Literal["lift", "override"]
    mir_bps: int
    start: datetime
    end: datetime | None = None
    """None: until a person ends it (overrides alone)."""
    by: str
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class PolicyInput:
    """Everything that is known at `now`, nothing newer. Mappings go by link id; what is not known is not in them.

    `usage` is over each link's own calendar and the long window, `recent` over the last hours whatever the calendar. `node_load`
    goes by node id: what the node carried.
    """

    now: datetime
    inventory: Inventory
    current: Mapping[str, Mapping[Direction, Bandwidth]]
    """CIR and the limit in force."""
    usage: Usage = field(default_factory=dict)
    recent: Usage = field(default_factory=dict)
    demand: Mapping[str, Mapping[Direction, DemandInterval]] = field(default_factory=dict)
    """Of links that were held back, what their samples tell over the window of `usage` (`bwmgr.measure.demand.demand_of`)."""
    health: Mapping[str, LinkHealth] = field(default_factory=dict)
    health_seconds: float = 3 * 86400.0
    """The time up to `now` that `health` tells of."""
    node_load: Mapping[str, Mapping[Direction, NodeLoad]] = field(default_factory=dict)
    node_recent: Mapping[str, Mapping[Direction, tuple[float, ...]]] = field(default_factory=dict)
    """The sum at each node in steps of five minutes of the last hour, oldest first, bit/s."""
    part_load: Mapping[str, tuple[PartLoad, ...]] = field(default_factory=dict)
    """By root: the parts of its contracts, where these state any and flows tell them apart."""
    latest: Mapping[str, Mapping[Direction, float]] = field(default_factory=dict)
    """What each link used in the newest five minutes of the last hour that are known, bit/s."""
    standing: Mapping[Key, Recommendation] = field(default_factory=dict)
    """The newest recommendation that waits for a decision, or is approved and not yet applied."""
    changed_at: Mapping[Key, datetime] = field(default_factory=dict)
    """When the limit last changed, or a recommendation was last decided."""

    month: Usage = field(default_factory=dict)
    """Use since the local month began, whatever the calendar."""
    orders: tuple[Order, ...] = ()
    """What people asked for and what has not ended, newest first."""
    set_by: Mapping[Key, Recommendation] = field(default_factory=dict)
    """The applied recommendation that put the present limit in force, where one did."""

    def lent(self, key: Key) -> int | None:
        """The limit to give back where the present one was set for a time only; None: it was not, or there was no limit."""
        setter = self.set_by.get(key)
        restored = None if setter is None else setter.evidence.more.get(RESTORE_BPS)
        return restored if isinstance(restored, int) else None

    def usual_mir(self, key: Key) -> int | None:
        """The limit in force but for what is set for a time only."""
        lent = self.lent(key)
        return self.current[key[0]][key[1]].mir_bps if lent is None else lent

    def links(self) -> Iterator[tuple[Link, Direction, UsageWindow, Bandwidth]]:
        """Every link and direction with samples in the long window, in the inventory's order."""
        for link in self.inventory.links.values():
            for direction, window in self.usage.get(link.id, {}).items():
                if window.samples:
                    yield link, direction, window, self.current[link.id][direction]


@dataclass(frozen=True, kw_only=True, slots=True)
class Proposal:
    """What a policy would do about one direction of a link. `mir_bps`: the limit it wants, before any guard; None: unchanged.

    With `node` True, `link` is a node's id and `mir_bps` the capacity it should have (buy, sell).
    """

    link: str
    node: bool = False
    direction: Direction
    action: Action
    reason: Reason
    mir_bps: float | None = None
    demand_bps: float | None = None
    current_bps: int | None = None
    """What a node has of what it is about, where that is not its capacity (a part of its contracts)."""
    window: UsageWindow | None = None
    """The evidence, where it is not what was measured of the link or node as a whole."""
    monthly_price: int | None = None
    """What it costs a month in whole currency units (negative: saves); for buy and sell."""
    cir_bps: int | None = None
    """The guarantee it wants; None: unchanged."""
    exact: bool = False
    """As it stands: no rounding, dead band, cooldown or missing data keep it off (orders, schedules, events)."""
    dynamic: bool = False
    """Answers a congestion of now: it may be small, and waits an hour after a change instead of a day."""
    start: datetime | None = None
    """From when on; None: at once."""
    end: datetime | None = None
    """Until when; None: for good. The limit of before is given back then."""
    more: Mapping[str, str | int | float | None] = field(default_factory=dict)
    """More evidence: intermediate figures, enough to recompute `mir_bps`."""


class Policy(Protocol):
    """The function of a policy's module."""

    def __call__(self, given: PolicyInput, parameters: Any, /) -> Iterable[Proposal]: ...
