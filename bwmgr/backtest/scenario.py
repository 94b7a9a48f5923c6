"""What is replayed: the demand that nobody sees, and the tree that it meets."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Literal

import numpy as np

from bwmgr.allocate.arrays import Flags, Floats
from bwmgr.allocate.shape import Shape, build
from bwmgr.allocate.tree import capacity_leaf, capacity_nodes
from bwmgr.errors import UsageError
from bwmgr.measure.calendars import inside, spans
from bwmgr.model.inventory import Direction, Inventory

Bottleneck = Literal["shared", "fifo"]
"""How a full node treats its links: `shared` by class, CIR and weight (HTB, a RouterOS queue tree), `fifo` all in proportion."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Scenario:
    """One direction. `demand_bps` has shape (links, steps): what the links of the inventory, in its order, want by themselves."""

    inventory: Inventory
    direction: Direction
    start: datetime
    step_seconds: int
    demand_bps: Floats = field(repr=False)
    bottleneck: Bottleneck = "shared"
    retry_ratio: float = 0.6
    """Share of what was not carried that is asked for again in the next step; the rest is given up."""
    delay_steps: int = 1
    """Whole steps between a decision and its effect."""

    def __post_init__(self) -> None:
        """Raises: UsageError for demand of another shape, or that is no number of at least 0."""
        if self.demand_bps.ndim != 2 or len(self.demand_bps) != len(self.inventory.links) or not self.demand_bps.shape[1]:
            raise UsageError(f"demand of shape {self.demand_bps.shape}; one row for each of {len(self.inventory.links)} links")
        if not (np.isfinite(self.demand_bps).all() and (self.demand_bps >= 0).all()):
            raise UsageError("demand must be finite and at least 0 bit/s")
        if not 0 <= self.retry_ratio < 1:
            raise UsageError(f"retry_ratio {self.retry_ratio:g}; at least 0 and less than 1, or the backlog never ends")

    @property
    def links(self) -> tuple[str, ...]:
        return tuple(self.inventory.links)

    @property
    def steps(self) -> int:
        return int(self.demand_bps.shape[1])

    @property
    def days(self) -> float:
        return self.steps * self.step_seconds / 86400

    def at(self, step: int) -> datetime:
        """When a step begins; `at(steps)` is the end."""
        return self.start + timedelta(seconds=step * self.step_seconds)

    @cached_property
    def shape(self) -> Shape:
        """The tree with its links in the inventory's order, nobody wanting anything yet."""
        leaves = [
            capacity_leaf(link, wants_bps=0.0, has_bps=float(link.cir[self.direction])) for link in self.inventory.links.values()
        ]
        return build(capacity_nodes(self.inventory, self.direction), leaves)

    @cached_property
    def contract_bps(self) -> Floats:
        """The limits of the configuration; `inf` where there is none."""
        limits = [link.limit[self.direction] for link in self.inventory.links.values()]
        return np.array([np.inf if limit is None else limit for limit in limits], np.float64)

    @cached_property
    def end_ms(self) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """When each step ends, ms since 1970 UTC: the time of its sample."""
        first = round(self.start.astimezone(UTC).timestamp() * 1000)
        return first + (np.arange(self.steps, dtype=np.int64) + 1) * self.step_seconds * 1000

    @cached_property
    def open_steps(self) -> dict[str, Flags]:
        """For each calendar: which steps lie in it."""
        zone, end = self.inventory.organisation.timezone, self.at(self.steps) + timedelta(seconds=1)
        return {
            name: inside(spans(calendar, zone, self.start, end), self.end_ms)
            for name, calendar in self.inventory.calendars.items()
        }
