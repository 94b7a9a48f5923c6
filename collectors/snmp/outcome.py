"""What a cycle gives back: readings in columns, and one line per device that says how it went."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from bwmgr.measure.columns import Rows
from bwmgr.model.samples import GapReason


class DeviceOutcome(NamedTuple):
    """How one device fared. `reason` is why it did not answer, or NONE; `detail` says more, also of one that did answer.

    A named tuple, since a cycle makes one for each of 9,000 devices.
    """

    device: str
    answered: bool
    reason: GapReason
    detail: str = ""
    rtt_ms: float | None = None


@dataclass(frozen=True, kw_only=True)
class Cycle:
    """One cycle. `readings` has layout READING, one row per interface, in the collector's order."""

    started_at: datetime
    duration_seconds: float
    worked_seconds: float = 0.0
    """Of the duration, what was not spent waiting for devices: work, or want of a processor."""
    readings: Rows
    devices: tuple[DeviceOutcome, ...]
    drops: Mapping[str, int]
    """Datagrams that were received and not used, by reason; `receive_buffer`: those that the kernel had no room for."""
    requests: int
    replies: int
