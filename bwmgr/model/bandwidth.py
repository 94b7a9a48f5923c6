"""Rates that are allotted: a link's present profile, and the capacity tree as the allocator sees it (one direction)."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Literal

from bwmgr.model.bandwidth_function import BandwidthFunction
from bwmgr.model.inventory import ServiceClass

Fairness = Literal["leaf", "hierarchical"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Bandwidth:
    """CIR and MIR of a link in one direction, bit/s; `mir_bps` None: unlimited."""

    cir_bps: int
    mir_bps: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class CapacityNode:
    """An inner node; `capacity_bps` None: not a constraint of its own."""

    id: str
    parent: str | None = None
    capacity_bps: float | None = None
    cir_bps: float = 0.0
    weight: float = 1.0
    fairness: Fairness = "leaf"
    oversubscription: float = 1.0
    """Leave for the CIRs below to add up to this many times the capacity without a warning."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CapacityLeaf:
    """A link; `demand_bps` None: unlimited; `mir_bps` None: no ceiling. With a `bandwidth_function` its weight says nothing."""

    id: str
    parent: str | None = None
    demand_bps: float | None = None
    cir_bps: float = 0.0
    mir_bps: float | None = None
    weight: float = 1.0
    service_class: ServiceClass = ServiceClass.OFFICE
    bandwidth_function: BandwidthFunction | None = None
    """What it gets on top of its CIR at which level."""

    @property
    def most_bps(self) -> float | None:
        """The most it may ever get: its MIR, or where its function ends; None: no ceiling."""
        if self.bandwidth_function is None:
            return self.mir_bps
        end_bps = self.cir_bps + self.bandwidth_function.most_bps
        return end_bps if self.mir_bps is None else min(self.mir_bps, end_bps)

    @property
    def ceiling_bps(self) -> float:
        """What it takes at most: of that what it wants; infinite where nothing bounds it."""
        return min(inf if bound is None else bound for bound in (self.demand_bps, self.most_bps))


@dataclass(frozen=True, kw_only=True, slots=True)
class Allocation:
    """What one leaf gets; `bottleneck` is the id of the full node that binds, or `demand` or `mir`."""

    id: str
    allocation_bps: float
    bottleneck: str


@dataclass(frozen=True, kw_only=True, slots=True)
class AllocationPlan:
    """Allocations in the order of the leaves given; warnings name what had to be scaled (over-committed CIR)."""

    allocations: tuple[Allocation, ...]
    warnings: tuple[str, ...] = ()
