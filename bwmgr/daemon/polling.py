"""One cycle: ask the devices, turn readings into rates and gaps, commit them, remember the baseline.

The order is what makes kill -9 harmless: rates are committed first, the baseline they were made from second. A baseline
older than what is already committed is dropped at start (`Poller`), so no interval is ever counted twice.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from bwmgr.errors import StoreUnavailable
from bwmgr.measure.columns import RateBatch, Rows
from bwmgr.measure.rates import RateKeeper
from bwmgr.model.clock import Clock
from bwmgr.model.inventory import Faces, Interface, Inventory
from bwmgr.model.samples import GapReason
from bwmgr.stores import LINK_RATE, UPLINK_RATE, RateStore
from bwmgr.stores.state import StateStore
from collectors.snmp.collector import Cycle, DeviceOutcome, SnmpCollector

_BASELINE = "poller.baseline"
_COLLECTOR = "poller.collector"
_SPOOL_CYCLES = 120
"""Cycles kept in memory while the store takes none; the oldest go first, and are counted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LinkGap:
    """A link without a rate in a cycle; `detail` is what the device said, where it said anything."""

    link: str
    reason: GapReason
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class CycleReport:
    """What one cycle came to. `links_ok` counts links with a rate; every other link of the inventory is in `gaps`."""

    started_at: datetime
    duration_seconds: float
    write_seconds: float
    devices: tuple[DeviceOutcome, ...]
    links_ok: int
    gaps: tuple[LinkGap, ...]
    drops: Mapping[str, int] = field(default_factory=dict)
    events: Mapping[str, int] = field(default_factory=dict)
    requests: int = 0
    replies: int = 0
    unwritten: int = 0
    """Cycles that wait in memory for the store to take them."""
    lost: int = 0
    """Cycles given up since the last report because the store took none for too long."""

    @property
    def answered(self) -> int:
        return sum(outcome.answered for outcome in self.devices)


@dataclass(frozen=True, kw_only=True)
class _Series:
    """Which collector row feeds which series."""

    measurement: str
    names: tuple[str, ...]
    rows: np.ndarray[tuple[int], np.dtype[np.int64]]


class Poller:
    """Polls an inventory with one collector. `cycle` is not reentrant: the schedule sees to it."""

    def __init__(self, inventory: Inventory, collector: SnmpCollector, store: RateStore, state: StateStore, clock: Clock) -> None:
        self.inventory = inventory
        self._collector, self._store, self._state, self._clock = collector, store, state, clock
        position = {_key(interface): row for row, interface in enumerate(collector.interfaces)}
        self._links = _link_series(inventory, position)
        self._uplinks = _uplink_series(inventory, position)
        self._keeper = self._restored_keeper()
        self._unwritten: deque[tuple[str, RateBatch]] = deque()
        if (remembered := state.get(_COLLECTOR)) is not None:
            collector.restore(remembered)

    def cycle(self, *, paced: bool = False) -> CycleReport:
        """Polls once and commits. A store that is unavailable costs nothing but memory: the cycle waits for the next one."""
        polled = self._collector.collect(paced=paced)
        rates = self._keeper.step(polled.readings)
        began = time.monotonic()
        lost = self._commit(rates)
        return CycleReport(
            started_at=polled.started_at,
            duration_seconds=polled.duration_seconds,
            write_seconds=time.monotonic() - began,
            devices=polled.devices,
            gaps=self._gaps(rates, polled),
            links_ok=int(np.count_nonzero(rates["reason"][self._links.rows] == GapReason.NONE)),
            drops=polled.drops,
            events=dict(self._keeper.events),
            requests=polled.requests,
            replies=polled.replies,
            unwritten=len(self._unwritten),
            lost=lost,
        )

    def flush(self) -> int:
        """Writes what still waits; returns how many batches still do."""
        self._drain()
        return len(self._unwritten)

    def close(self) -> None:
        self._collector.close()

    def _commit(self, rates: Rows) -> int:
        for series in (self._links, self._uplinks):
            if series.names:
                self._unwritten.append((series.measurement, _batch(series, rates)))
        lost = 0
        while len(self._unwritten) > _SPOOL_CYCLES:
            self._unwritten.popleft()
            lost += 1
        if self._drain():
            self._remember()
        return lost

    def _drain(self) -> bool:
        try:
            while self._unwritten:
                self._store.write(*self._unwritten[0])
                self._unwritten.popleft()
        except StoreUnavailable:
            return False
        return True

    def _remember(self) -> None:
        try:
            self._state.put(_BASELINE, self._keeper.state())
            self._state.put(_COLLECTOR, self._collector.state())
        except StoreUnavailable:
            return  # the next cycle tries again; until then a restart costs a first reading, never a wrong one

    def _restored_keeper(self) -> RateKeeper:
        """The keeper of the last run, less what the store has gone beyond: those series start with a first reading."""
        interfaces = self._collector.interfaces
        keys = tuple(_key(interface) for interface in interfaces)
        faces = np.array([interface.faces is Faces.PROVIDER for interface in interfaces], bool)
        newest = np.full(len(interfaces), np.iinfo(np.int64).min)
        for series in (self._links, self._uplinks):
            latest = self._store.latest(series.measurement, series=series.names) if series.names else None
            if latest is not None and len(latest.rows):
                newest[series.rows[latest.rows["series"]]] = latest.rows["end_ms"]
        return RateKeeper.restored(
            self._state.get(_BASELINE),
            keys=keys,
            faces_provider=faces,
            limits=self._limits(),
            committed_ms=newest,
        )

    def _limits(self) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
        """(down, up) limit in force of each interface, infinity where there is none."""
        limits = np.full((len(self._collector.interfaces), 2), np.inf)
        for name, row in zip(self._links.names, self._links.rows, strict=True):
            limit = self.inventory.links[name].limit
            limits[row] = [np.inf if rate is None else rate for rate in (limit.down, limit.up)]
        contracts = self.inventory.contracts
        for name, row in zip(self._uplinks.names, self._uplinks.rows, strict=True):
            if (contract := contracts.get(name)) is not None:
                limits[row] = contract.capacity.down, contract.capacity.up
        return limits

    def _gaps(self, rates: Rows, polled: Cycle) -> tuple[LinkGap, ...]:
        details = {outcome.device: outcome.detail for outcome in polled.devices if outcome.detail}
        reasons = dict(zip(self._links.names, rates["reason"][self._links.rows].tolist(), strict=True))
        return tuple(
            _gap(link.id, GapReason(reasons.get(link.id, GapReason.NO_COUNTERS)), link.interface, details)
            for link in self.inventory.links.values()
            if reasons.get(link.id, GapReason.NO_COUNTERS) != GapReason.NONE
        )


def gap_counts(report: CycleReport) -> Counter[GapReason]:
    """How many links have no rate, by reason."""
    return Counter(gap.reason for gap in report.gaps)


def _gap(link: str, reason: GapReason, interface: Interface | None, details: Mapping[str, str]) -> LinkGap:
    return LinkGap(link=link, reason=reason, detail=details.get(interface.device, "") if interface else "")


def _key(interface: Interface) -> tuple[str, str]:
    return interface.device, interface.name


def _link_series(inventory: Inventory, position: Mapping[tuple[str, str], int]) -> _Series:
    links = [(link.id, position[_key(link.interface)]) for link in inventory.links.values() if link.interface is not None]
    return _series(LINK_RATE, links)


def _uplink_series(inventory: Inventory, position: Mapping[tuple[str, str], int]) -> _Series:
    return _series(UPLINK_RATE, [(name, position[_key(uplink.interface)]) for name, _, uplink in inventory.uplinks()])


def _series(measurement: str, pairs: list[tuple[str, int]]) -> _Series:
    return _Series(
        measurement=measurement,
        names=tuple(name for name, _ in pairs),
        rows=np.array([row for _, row in pairs], np.int64),
    )


def _batch(series: _Series, rates: Rows) -> RateBatch:
    rows = rates[series.rows]
    rows["series"] = np.arange(len(series.names))
    return RateBatch(series=series.names, rows=rows)
