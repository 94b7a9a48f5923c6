"""Stand-ins for the parts around a poller: a collector that counts by the clock, a store and a state that can fail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np
import pytest

from bwmgr.errors import StoreError, StoreUnavailable
from bwmgr.measure.columns import RATE, READING, Present, RateBatch, Rows
from bwmgr.model.inventory import Interface, Inventory, PerDirection
from bwmgr.model.samples import GapReason
from bwmgr.testing.clock import ManualClock
from collectors.snmp.outcome import Cycle, DeviceOutcome, Outcomes

OCTETS_PER_SECOND = 125_000
"""Each interface of a `CountingCollector` carries 1 Mbit/s both ways."""


class CountingCollector:
    """Reads counters that grow by `OCTETS_PER_SECOND` of the clock's time; `silent` names devices that say nothing."""

    def __init__(self, interfaces: Sequence[Interface], clock: ManualClock) -> None:
        self.interfaces = tuple(interfaces)
        self.silent: set[str] = set()
        self.hurried = self.closed = False
        self.restored: bytes | None = None
        self._clock = clock

    def collect(self, *, paced: bool = False) -> Cycle:
        rows = np.zeros(len(self.interfaces), READING)
        uptime = self._clock.monotonic() + 1000
        rows["interface"] = np.arange(len(rows))
        rows["reason"] = [GapReason.TIMEOUT if each.device in self.silent else GapReason.NONE for each in self.interfaces]
        rows["counter_bits"], rows["present"] = 64, Present.OPER_STATUS | Present.HIGH_SPEED
        rows["oper_status"], rows["if_high_speed_mbps"] = 1, 1000
        rows["at_ms"] = round(self._clock.now().timestamp() * 1000)
        rows["sys_uptime_ticks"] = round(uptime * 100)
        rows["in_octets"] = rows["out_octets"] = round(uptime * OCTETS_PER_SECOND)
        return self._cycle(rows)

    def _cycle(self, rows: Rows) -> Cycle:
        outcomes = Outcomes.of(
            DeviceOutcome(device, device not in self.silent, GapReason.TIMEOUT if device in self.silent else GapReason.NONE)
            for device in dict.fromkeys(each.device for each in self.interfaces)
        )
        return Cycle(
            started_at=self._clock.now(),
            duration_seconds=0.1,
            readings=rows,
            devices=outcomes,
            drops={"late": 1},
            requests=len(outcomes),
            replies=len(outcomes) - len(self.silent),
        )

    def hurry(self) -> None:
        self.hurried = True

    def state(self) -> bytes:
        return b"indexes"

    def restore(self, state: bytes) -> None:
        self.restored = state

    def close(self) -> None:
        self.closed = True


class MemoryStore:
    """Keeps rows by (measurement, series, end); `failing` makes every write raise it."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str, int], np.void] = {}
        self.failing: StoreError | None = None

    def write(self, measurement: str, batch: RateBatch) -> None:
        if self.failing is not None:
            raise self.failing
        for row in batch.rows:
            self.rows[measurement, batch.series[row["series"]], int(row["end_ms"])] = row.copy()

    def latest(self, measurement: str, *, series: Sequence[str] | None = None) -> RateBatch:
        names = tuple(series or sorted({name for kind, name, _ in self.rows if kind == measurement}))
        newest = []
        for position, name in enumerate(names):
            ends = [end for kind, each, end in self.rows if (kind, each) == (measurement, name)]
            if ends:
                row = self.rows[measurement, name, max(ends)].copy()
                row["series"] = position
                newest.append(row)
        return RateBatch(series=names, rows=np.array(newest, RATE) if newest else np.empty(0, RATE))

    def of(self, measurement: str, series: str) -> list[np.void]:
        """Its rows, oldest first."""
        keys = sorted(key for key in self.rows if key[:2] == (measurement, series))
        return [self.rows[key] for key in keys]


class MemoryState:
    """A state store in a dictionary; `failing` makes every write raise StoreUnavailable."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.history: dict[str, list[tuple[datetime, PerDirection[int | None]]]] = {}
        self.failing = False

    def get(self, key: str) -> bytes | None:
        return self.kept.get(key)

    def put(self, key: str, content: bytes) -> None:
        self.put_many({key: content})

    def put_many(self, contents: Mapping[str, bytes]) -> None:
        if self.failing:
            raise StoreUnavailable("no space left")
        self.kept.update(contents)

    def record_limits(self, at: datetime, limits: Mapping[str, PerDirection[int | None]]) -> None:
        for link, limit in limits.items():
            self.history.setdefault(link, []).append((at, limit))

    def limits(self, link: str) -> list[tuple[datetime, PerDirection[int | None]]]:
        return self.history.get(link, [])

    def all_limits(self) -> Mapping[str, list[tuple[datetime, PerDirection[int | None]]]]:
        return self.history


class Bench:
    """A store and a state that outlive pollers, and pollers over them."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock, self.store, self.state = clock, MemoryStore(), MemoryState()

    def collector(self, inventory: Inventory) -> CountingCollector:
        interfaces = [link.interface for link in inventory.links.values() if link.interface]
        interfaces += [uplink.interface for _, _, uplink in inventory.uplinks()]
        return CountingCollector(interfaces, self.clock)


@pytest.fixture
def bench(manual_clock: ManualClock) -> Bench:
    return Bench(manual_clock)
