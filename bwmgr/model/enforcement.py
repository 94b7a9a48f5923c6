"""What a limit is on a device: the queue that holds it, its settings as the device has them, and the steps between two settings.

Owns no dialect and no transport: renderers know the words, drivers send them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from bwmgr.model.bandwidth import Bandwidth
from bwmgr.model.inventory import Direction, Network, ServiceClass, ShaperPort

Settings = Mapping[str, str | int]
"""A queue's settings on its device, flat, by the device's own names; empty: there is no such queue. JSON keeps them exactly."""


OPEN = Bandwidth(cir_bps=0, mir_bps=None)
"""No guarantee and no limit."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Queue:
    """What one recommendation asks of one direction of one link. Rates bit/s; `mir_bps` None: unlimited."""

    recommendation: str
    link: str
    direction: Direction
    cir_bps: int
    mir_bps: int | None
    weight: float = 1.0
    service_class: ServiceClass = ServiceClass.OFFICE
    parent: str | None = None
    """The node above it in the capacity tree."""
    networks: tuple[Network, ...] = ()
    port: ShaperPort | None = None
    user: str | None = None
    """User-Name of the link's session, where RADIUS manages it."""
    other: Bandwidth = OPEN
    """The link's other direction, for devices that hold both in one place."""

    @property
    def comment(self) -> str:
        """What a device that keeps remarks keeps with it: whose it is, and by which recommendation."""
        return f"bwmgr {self.recommendation}"


class Step(Protocol):
    """One thing sent to a device."""

    @property
    def line(self) -> str:
        """As a person would type it, on one line."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class RenderedConfig:
    """Lines that bring a queue from its present settings to the wanted ones, and those that take it back."""

    dialect: str
    lines: tuple[str, ...]
    undo: tuple[str, ...]


def lines_of(steps: Sequence[Step]) -> tuple[str, ...]:
    return tuple(step.line for step in steps)
