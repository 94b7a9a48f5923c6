"""What a cycle gives back: readings in columns, and how each device fared, in columns too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from bwmgr.measure.columns import Rows
from bwmgr.model.inventory import Interface
from bwmgr.model.samples import GapReason


class DeviceOutcome(NamedTuple):
    """How one device fared. `reason` is why it did not answer, or NONE; `detail` says more, also of one that did answer."""

    device: str
    answered: bool
    reason: GapReason
    detail: str = ""
    rtt_ms: float | None = None


@dataclass(frozen=True, kw_only=True)
class Outcomes(Sequence[DeviceOutcome]):
    """The outcomes of a cycle's devices, in order; each becomes an object only when it is looked at, since most never are."""

    ids: Sequence[str]
    answers: NDArray[np.bool_]
    reasons: NDArray[np.uint8]
    rtt_ms: NDArray[np.float64]
    """NaN where there is none."""
    details: Mapping[int, str]
    """By position: what there is to say of a device, where there is anything."""

    @classmethod
    def of(cls, outcomes: Iterable[DeviceOutcome]) -> Outcomes:
        """The same in columns."""
        rows = list(outcomes)
        return cls(
            ids=[row.device for row in rows],
            answers=np.array([row.answered for row in rows], np.bool_),
            reasons=np.array([row.reason for row in rows], np.uint8),
            rtt_ms=np.array([np.nan if row.rtt_ms is None else row.rtt_ms for row in rows], np.float64),
            details={position: row.detail for position, row in enumerate(rows) if row.detail},
        )

    @property
    def answered(self) -> int:
        """How many devices answered."""
        return int(np.count_nonzero(self.answers))

    def silent(self) -> list[DeviceOutcome]:
        """Those that did not answer."""
        return [self._at(position) for position in np.flatnonzero(~self.answers).tolist()]

    def told(self) -> dict[str, str]:
        """What there is to say of devices, by their ids."""
        return {self.ids[position]: detail for position, detail in self.details.items()}

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, at: int) -> DeviceOutcome: ...
    @overload
    def __getitem__(self, at: slice) -> list[DeviceOutcome]: ...
    def __getitem__(self, at: int | slice) -> DeviceOutcome | list[DeviceOutcome]:
        chosen = range(len(self.ids))[at]
        return self._at(chosen) if isinstance(chosen, int) else [self._at(position) for position in chosen]

    def __iter__(self) -> Iterator[DeviceOutcome]:
        return map(self._at, range(len(self.ids)))

    def _at(self, position: int) -> DeviceOutcome:
        rtt = float(self.rtt_ms[position])
        return DeviceOutcome(
            self.ids[position],
            bool(self.answers[position]),
            GapReason(int(self.reasons[position])),
            self.details.get(position, ""),
            None if np.isnan(rtt) else rtt,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Whereabouts:
    """Where each of the collector's interfaces was found, in its order: for telling people, never for identity, which is
    (device, if_name). The same object until something was found elsewhere.
    """

    interfaces: Sequence[Interface]
    if_indexes: NDArray[np.int64]
    """0: not found."""
    descriptions: Sequence[str]
    """ifDescr; empty where it is not known."""

    def says_as(self, other: Whereabouts) -> bool:
        """Whether both found all at the same place."""
        return np.array_equal(self.if_indexes, other.if_indexes) and self.descriptions == other.descriptions


@dataclass(frozen=True, kw_only=True)
class Cycle:
    """One cycle. `readings` has layout READING, one row per interface, in the collector's order."""

    started_at: datetime
    duration_seconds: float
    worked_seconds: float = 0.0
    """Of the duration, what was not spent waiting for devices: work, or want of a processor."""
    readings: Rows
    devices: Outcomes
    drops: Mapping[str, int]
    """Datagrams that were received and not used, by reason; `receive_buffer`: those that the kernel had no room for."""
    requests: int
    replies: int
    whereabouts: Whereabouts | None = None
