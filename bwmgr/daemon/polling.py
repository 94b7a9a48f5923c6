"""One cycle: ask the devices, turn readings into rates and gaps, commit them, remember the baseline.

The order is what makes kill -9 harmless: rates are committed first, the baseline they were made from second. A baseline
older than what is already committed is dropped at start, so no interval is ever counted twice; while the store takes nothing the
baseline on disk stays where it is, so that none is left out either. Does not decide when to poll: `bwmgr.daemon.service` does.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from bwmgr.daemon.limits import Limit, in_force, record_configured
from bwmgr.daemon.spool import Spool
from bwmgr.errors import DecodeError, StoreUnavailable
from bwmgr.measure.columns import RateBatch, Rows
from bwmgr.measure.keeper import RateEvent, RateKeeper
from bwmgr.model.clock import Clock
from bwmgr.model.inventory import Interface, Inventory, Link, SiteStatus
from bwmgr.model.said import said_by
from bwmgr.model.samples import GapReason
from bwmgr.stores import LINK_RATE, UPLINK_RATE, RateStore

if TYPE_CHECKING:
    from bwmgr.stores.state import StateStore
    from collectors.snmp.outcome import Cycle, Outcomes, Whereabouts

_BASELINE = "poller.baseline"
_COLLECTOR = "poller.collector"
_NO_ROW = np.iinfo(np.int64).min

Key = tuple[str, str]
"""An interface's identity: device and name."""


class Collector(Protocol):
    """What a poller needs of a collector; `collectors.snmp.collector.SnmpCollector` is one."""

    @property
    def interfaces(self) -> Sequence[Interface]: ...
    def collect(self, *, paced: bool = False) -> Cycle: ...
    def hurry(self) -> None: ...
    def state(self) -> bytes: ...
    def restore(self, state: bytes) -> None: ...
    def close(self) -> None: ...


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
    devices: Outcomes
    links_ok: int
    gaps: tuple[LinkGap, ...]
    worked_seconds: float = 0.0
    """Of the duration, what was not spent waiting for devices: work, or want of a processor."""
    drops: Mapping[str, int] = field(default_factory=dict)
    events: tuple[RateEvent, ...] = ()
    requests: int = 0
    replies: int = 0
    unwritten: int = 0
    """Batches that wait in memory for the store to take them."""
    lost: int = 0
    """Batches given up in this cycle because the store took none for too long, or called them wrong."""
    trouble: str = ""
    """Why the store took nothing."""
    rates: RateBatch | None = None
    """Rates and gaps of the polled links, as they were handed to the store."""
    readings: Rows | None = None
    """What the rates were made of, by interface (layout READING)."""
    whereabouts: Whereabouts | None = None
    """Which interfaces those are, and where the collector found them."""

    @property
    def answered(self) -> int:
        return self.devices.answered

    @property
    def missing(self) -> tuple[LinkGap, ...]:
        """The gaps that ought not to be: neither a first reading nor a link that is not polled at all."""
        return tuple(gap for gap in self.gaps if gap.reason not in {GapReason.FIRST_READING, GapReason.NO_COUNTERS})


@dataclass(frozen=True, kw_only=True)
class Handover:
    """What a poller leaves to the one that takes its place within a process."""

    baseline: bytes
    collector: bytes
    spool: Spool


@dataclass(frozen=True, kw_only=True)
class _Series:
    """Which collector row feeds which series."""

    measurement: str
    names: tuple[str, ...]
    rows: NDArray[np.int64]


class Poller:
    """Polls an inventory with one collector. `cycle` is not reentrant: the schedule sees to it."""

    def __init__(
        self,
        inventory: Inventory,
        collector: Collector,
        store: RateStore,
        state: StateStore,
        clock: Clock,
        *,
        interval_seconds: float,
        handover: Handover | None = None,
    ) -> None:
        """Goes on where `handover`, or else the last poller on this state, stopped. Raises: StoreUnavailable."""
        self.inventory = inventory
        self.restart_problem = ""
        """Why the state of the last run could not be used: every link then starts with a first reading."""
        self._collector, self._store, self._state, self._clock = collector, store, state, clock
        self._spool = handover.spool if handover else Spool(store)
        position = {_key(interface): row for row, interface in enumerate(collector.interfaces)}
        self._links = _link_series(inventory, position)
        self._uplinks = _uplink_series(inventory, position)
        record_configured(state, inventory, clock.now())
        self._limits = self._limit_rows(in_force(state, inventory))
        self._keeper = self._restored_keeper(handover.baseline if handover else state.get(_BASELINE), interval_seconds)
        remembered = handover.collector if handover else state.get(_COLLECTOR)
        if remembered is not None:
            collector.restore(remembered)

    def cycle(self, *, paced: bool = False) -> CycleReport:
        """Polls once and commits. A store that is unavailable costs nothing but memory: the cycle waits for the next one."""
        polled = self._collector.collect(paced=paced)
        rates = self._keeper.step(polled.readings, limits=self._limits)
        began, given_up = time.monotonic(), self._given_up()
        self._commit(rates)
        return CycleReport(
            started_at=polled.started_at,
            duration_seconds=polled.duration_seconds,
            worked_seconds=polled.worked_seconds,
            write_seconds=time.monotonic() - began,
            devices=polled.devices,
            gaps=self._gaps(rates, polled),
            links_ok=int(np.count_nonzero(rates["reason"][self._links.rows] == GapReason.NONE)),
            drops=polled.drops,
            events=self._keeper.events,
            requests=polled.requests,
            replies=polled.replies,
            unwritten=len(self._spool),
            lost=self._given_up() - given_up,
            trouble=self._spool.trouble,
            rates=_batch(self._links, rates),
            readings=polled.readings,
            whereabouts=polled.whereabouts,
        )

    def hurry(self) -> None:
        """Lets a paced cycle that is under way send the rest at once. Call from any thread."""
        self._collector.hurry()

    def flush(self) -> int:
        """Writes what still waits; returns how many batches still do."""
        if len(self._spool) and self._spool.drain():
            self._remember()
        return len(self._spool)

    def close(self) -> None:
        self._collector.close()

    def hand_over(self) -> Handover:
        """Ends this poller and gives what the next one goes on from: also rows that no store has taken yet."""
        self.flush()
        self.close()
        return Handover(baseline=self._keeper.state(), collector=self._collector.state(), spool=self._spool)

    def _given_up(self) -> int:
        return self._spool.lost + self._spool.rejected

    def _commit(self, rates: Rows) -> None:
        for series in (self._links, self._uplinks):
            if series.names:
                self._spool.add(series.measurement, _batch(series, rates))
        if self._spool.drain():
            self._remember()

    def _remember(self) -> None:
        try:
            self._state.put_many({_BASELINE: self._keeper.state(), _COLLECTOR: self._collector.state()})
        except StoreUnavailable as error:
            # the next cycle tries again; until then a restart costs a first reading, never a wrong one
            self._spool.trouble = said_by(error)

    def _restored_keeper(self, remembered: bytes | None, interval_seconds: float) -> RateKeeper:
        """The keeper of the last run, less what the store has gone beyond: those series start with a first reading."""
        interfaces = self._collector.interfaces
        try:
            keeper = RateKeeper.restored(remembered, interfaces, interval_seconds=interval_seconds)
        except DecodeError as error:
            self.restart_problem = str(error)
            keeper = RateKeeper(interfaces, interval_seconds=interval_seconds)
        if remembered is not None:  # else there is nothing to forget, and the store's server may be away
            keeper.forget_before(self._newest_stored())
        return keeper

    def _newest_stored(self) -> NDArray[np.int64]:
        """By interface: time of the newest stored row of the series that it feeds, in ms; far in the past where there is none."""
        newest = np.full(len(self._collector.interfaces), _NO_ROW)
        for series in (self._links, self._uplinks):
            if series.names:
                latest = self._store.latest(series.measurement, series=series.names).rows
                np.maximum.at(newest, series.rows[latest["series"]], latest["end_ms"])
        return newest

    def _limit_rows(self, limits: Mapping[str, Limit]) -> NDArray[np.float64]:
        """(down, up) limit in force of each interface, infinity where there is none; an uplink's is its contract's capacity."""
        rows = np.full((len(self._collector.interfaces), 2), np.inf)
        for name, row in zip(self._links.names, self._links.rows, strict=True):
            rows[row] = [np.inf if rate is None else rate for rate in (limits[name].down, limits[name].up)]
        contracts = self.inventory.uplink_contracts
        for name, row in zip(self._uplinks.names, self._uplinks.rows, strict=True):
            if (contract := contracts.get(name)) is not None:
                rows[row] = contract.capacity.down, contract.capacity.up
        return rows

    def _gaps(self, rates: Rows, polled: Cycle) -> tuple[LinkGap, ...]:
        details = polled.devices.told()
        reasons = dict(zip(self._links.names, rates["reason"][self._links.rows].tolist(), strict=True))
        gaps = ((link, GapReason(reasons.get(link.id, GapReason.NO_COUNTERS))) for link in self.inventory.links.values())
        return tuple(_gap(link, reason, details) for link, reason in gaps if reason is not GapReason.NONE)


def is_polled(link: Link) -> bool:
    """Has the link counters to read? Planned sites have none yet, and some links are known by their flows only."""
    return link.interface is not None and link.site.status is not SiteStatus.PLANNED


def gap_counts(report: CycleReport) -> Counter[GapReason]:
    """How many links have no rate, by reason."""
    return Counter(gap.reason for gap in report.gaps)


def _gap(link: Link, reason: GapReason, details: Mapping[str, str]) -> LinkGap:
    detail = details.get(link.interface.device, "") if link.interface and reason is not GapReason.NO_COUNTERS else ""
    return LinkGap(link=link.id, reason=reason, detail=detail)


def _key(interface: Interface) -> Key:
    return interface.device, interface.name


def _link_series(inventory: Inventory, position: Mapping[Key, int]) -> _Series:
    polled = [link for link in inventory.links.values() if is_polled(link)]
    return _series(LINK_RATE, [(link.id, position[_key(link.interface)]) for link in polled if link.interface is not None])


def _uplink_series(inventory: Inventory, position: Mapping[Key, int]) -> _Series:
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
