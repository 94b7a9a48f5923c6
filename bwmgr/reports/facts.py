"""What the overview says, as figures: gathered from the history in one pass over the links' rows.

Owns which figures there are and when a link is called saturated, idle, silent or unreliable; every threshold is printed in the
report. Words and pictures are made by `overview` and `charts`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from bwmgr.measure.calendars import instant_ms
from bwmgr.measure.columns import RateBatch
from bwmgr.measure.sums import COLUMNS, Sum, sum_batches, summed_usage
from bwmgr.model.decision import Recommendation
from bwmgr.model.inventory import Contract, Direction, Inventory, Link
from bwmgr.model.samples import GapReason
from bwmgr.model.usage import LinkHealth, UsageWindow
from bwmgr.stores import LINK_RATE, UPLINK_RATE, RateStore
from bwmgr.stores.flow_history import Used, class_hours, used

if TYPE_CHECKING:
    from bwmgr.stores.history import History

SATURATED_TIME_RATIO = 0.05
IDLE_LIMIT_RATIO = 0.10
SILENT_SECONDS = 3600
DOWN_TIME_RATIO = 0.01
FLAPS = 4
ERRORS_PS = 1.0
FLOW_DAYS = 7
FULLEST_LINKS = 5

_HOUR_MS = 3_600_000
_TOTAL = "total"
_GRID_SECONDS = 300

Floats = NDArray[np.float64]
Windows = Mapping[Direction, UsageWindow]


@dataclass(frozen=True, kw_only=True)
class LinkFacts:
    """One link over the window. `profile_bps`: mean download in each local hour of the day, NaN where nothing is known."""

    link: Link
    usage: Windows
    health: LinkHealth
    profile_bps: Floats
    last_rate_at: datetime | None
    end: datetime

    def utilisation(self, direction: Direction) -> float | None:
        """The percentile over today's limit; None where either is unknown."""
        p95_bps, limit_bps = self.usage[direction].p95_bps, self.link.limit[direction]
        return p95_bps / limit_bps if p95_bps is not None and limit_bps else None

    @property
    def worst_utilisation(self) -> float:
        return max(self.utilisation(direction) or 0.0 for direction in Direction)

    @property
    def coverage_ratio(self) -> float:
        return self.usage[Direction.DOWN].coverage_ratio

    @property
    def polled(self) -> bool:
        return self.link.interface is not None

    @property
    def saturated(self) -> bool:
        return any((self.usage[direction].saturated_ratio or 0.0) >= SATURATED_TIME_RATIO for direction in Direction)

    @property
    def idle(self) -> bool:
        known = [ratio for direction in Direction if (ratio := self.utilisation(direction)) is not None]
        return bool(known) and max(known) < IDLE_LIMIT_RATIO

    @property
    def silent(self) -> bool:
        if not self.polled:
            return False
        return self.last_rate_at is None or (self.end - self.last_rate_at).total_seconds() > SILENT_SECONDS

    @property
    def unreliable(self) -> bool:
        health = self.health
        return bool(
            health.down_ratio >= DOWN_TIME_RATIO
            or health.flaps >= FLAPS
            or health.errors_ps >= ERRORS_PS
            or health.counter32_ratio
            or health.stuck_ratio >= DOWN_TIME_RATIO
        )


@dataclass(frozen=True, kw_only=True)
class UplinkFacts:
    """One uplink over the window, all hours; `contract` None: it has none."""

    name: str
    provider: str
    contract: Contract | None
    usage: Windows


@dataclass(frozen=True, kw_only=True)
class FlowFacts:
    """What flows say of [start, end), the part of the window that has any. `classes`, shape (2, hours): mean download of domestic
    and of international traffic in each hour from `hours_ms` on; `fullest`: the links closest to their limits."""

    start: datetime
    end: datetime
    applications: tuple[Used, ...]
    fullest: tuple[tuple[LinkFacts, tuple[Used, ...]], ...]
    hours_ms: NDArray[np.int64]
    classes: Floats


@dataclass(frozen=True, kw_only=True)
class Facts:
    """The whole overview. `hours_ms`: where its hours start; `hourly_bps`: shape (2, hours), the links together, NaN: unknown."""

    inventory: Inventory
    start: datetime
    end: datetime
    created_at: datetime
    links: tuple[LinkFacts, ...]
    uplinks: tuple[UplinkFacts, ...]
    total: Windows
    hours_ms: NDArray[np.int64]
    hourly_bps: Floats
    recommendations: tuple[Recommendation, ...]
    flows: FlowFacts | None = None
    """None: no flows were stored in the window."""

    @cached_property
    def polled(self) -> tuple[LinkFacts, ...]:
        return tuple(link for link in self.links if link.polled)

    @property
    def completeness_ratio(self) -> float | None:
        """Mean coverage of the polled links, each over its own calendar; None where none is polled."""
        return sum(link.coverage_ratio for link in self.polled) / len(self.polled) if self.polled else None

    def contracted_bps(self, direction: Direction) -> int | None:
        """What all uplinks' contracts promise together, each once; None where there is none."""
        found = {
            uplink.contract.id: uplink.contract.capacity[direction] for uplink in self.uplinks if uplink.contract is not None
        }
        return sum(found.values()) if found else None

    def top(self, count: int) -> list[LinkFacts]:
        """The links that use most of their limits."""
        return sorted(self.polled, key=lambda link: (-link.worst_utilisation, link.link.id))[:count]

    @cached_property
    def profile_bps(self) -> Floats:
        """Mean of the links' sum (download) in each local hour of the days from Monday to Friday; NaN where unknown."""
        zone = ZoneInfo(self.inventory.organisation.timezone)
        local = [datetime.fromtimestamp(hour_ms / 1000, zone) for hour_ms in self.hours_ms.tolist()]
        hours = np.array([moment.hour if moment.weekday() < 5 else -1 for moment in local])
        known = ~np.isnan(self.hourly_bps[0])
        return np.array([_mean(self.hourly_bps[0][known & (hours == hour)]) for hour in range(24)])

    @property
    def busy_hour(self) -> int | None:
        """The local hour of a weekday with the highest mean download."""
        return None if np.isnan(self.profile_bps).all() else int(np.nanargmax(self.profile_bps))

    @property
    def gaps(self) -> Counter[GapReason]:
        """Readings without a rate, by reason, over all links."""
        found: Counter[GapReason] = Counter()
        for link in self.links:
            found.update(link.health.gaps)
        return found


def gather(
    inventory: Inventory,
    store: RateStore,
    history: History,
    recommendations: Sequence[Recommendation],
    *,
    start: datetime,
    end: datetime,
    created_at: datetime,
) -> Facts:
    """All figures of [start, end): links over their own calendars, uplinks and the total over all hours."""
    names = list(inventory.links)
    calendars = {link.id: link.calendar for link in inventory.links.values()}
    usage = _paired(history.usage(names, start=start, end=end, calendar=calendars))
    health = {entry.link: entry for entry in history.health(names, start=start, end=end)}
    hours = _Hours(inventory.organisation.timezone, start, end)
    total = _total(inventory, store, hours, start=start, end=end)
    links = tuple(
        LinkFacts(
            link=link,
            usage=usage[link.id],
            health=health.get(link.id, LinkHealth(link=link.id, readings=0)),
            profile_bps=hours.profile(link.id),
            last_rate_at=hours.last_rate.get(link.id),
            end=end,
        )
        for link in inventory.links.values()
    )
    return Facts(
        inventory=inventory,
        start=start,
        end=end,
        created_at=created_at,
        links=links,
        uplinks=_uplinks(inventory, history, start, end),
        total=_total_usage(total, start, end),
        hours_ms=hours.starts_ms,
        hourly_bps=hours.hourly(total),
        recommendations=tuple(recommendations),
        flows=_flows(store, links, start, end),
    )


def _flows(store: RateStore, links: Sequence[LinkFacts], start: datetime, end: datetime) -> FlowFacts | None:
    hours = class_hours(store, max(start, end - timedelta(days=FLOW_DAYS)), end)
    if hours is None:
        return None
    first = datetime.fromtimestamp(int(hours.starts_ms[0]) / 1000, UTC)
    together = used(store, first, end, by="application", together=True)
    full = sorted((link for link in links if link.polled), key=lambda link: -link.worst_utilisation)[:FULLEST_LINKS]
    by_link = used(store, first, end, by="application", links=[link.link.id for link in full])
    return FlowFacts(
        start=first,
        end=end,
        applications=tuple(one for one in together if one.direction == Direction.DOWN),
        fullest=tuple(
            (link, tuple(one for one in by_link if (one.link, one.direction) == (link.link.id, Direction.DOWN))) for link in full
        ),
        hours_ms=hours.starts_ms,
        classes=hours.down_bps,
    )


class _Hours:
    """What a pass over the links' rows leaves behind by hour: each link's daily profile, its last rate."""

    def __init__(self, timezone: str, start: datetime, end: datetime) -> None:
        zone = ZoneInfo(timezone)
        first, last = instant_ms(start) // _HOUR_MS, -(-instant_ms(end) // _HOUR_MS)
        self.starts_ms = np.arange(first, last, dtype=np.int64) * _HOUR_MS
        self._local = np.array([datetime.fromtimestamp(at / 1000, zone).hour for at in self.starts_ms.tolist()], np.int64)
        self._profiles: dict[str, Floats] = {}
        self.last_rate: dict[str, datetime] = {}

    def watched(self, batches: Iterator[RateBatch]) -> Iterator[RateBatch]:
        """The same batches, noted on their way."""
        for batch in batches:
            bounds = np.searchsorted(batch.rows["series"], np.arange(len(batch.series) + 1))
            for position, name in enumerate(batch.series):
                rows = batch.rows[bounds[position] : bounds[position + 1]]
                rows = rows[rows["reason"] == GapReason.NONE]
                if len(rows):
                    hour = self._local[(rows["end_ms"] - 1 - self.starts_ms[0]).clip(0) // _HOUR_MS]
                    ticks = np.bincount(hour, rows["interval_ticks"], 24)
                    carried = np.bincount(hour, rows["down_bps"] * rows["interval_ticks"], 24)
                    self._profiles[name] = np.where(ticks > 0, carried / np.where(ticks > 0, ticks, 1), np.nan)
                    self.last_rate[name] = datetime.fromtimestamp(int(rows["end_ms"][-1]) / 1000, UTC)
            yield batch

    def profile(self, link: str) -> Floats:
        return self._profiles.get(link, np.full(24, np.nan))

    def hourly(self, total: Sum) -> Floats:
        """Shape (2, hours): the mean of the sum's cells in each hour, NaN where there are none."""
        rows = total.batch.rows
        hour = (rows["end_ms"] - 1 - self.starts_ms[0]).clip(0) // _HOUR_MS
        cells = np.bincount(hour, minlength=len(self.starts_ms))
        sums = [np.bincount(hour, rows[f"{direction}_bps"], len(self.starts_ms)) for direction in Direction]
        return np.array([np.where(cells > 0, column / np.where(cells > 0, cells, 1), np.nan) for column in sums])


def _total(inventory: Inventory, store: RateStore, hours: _Hours, *, start: datetime, end: datetime) -> Sum:
    polled = [link.id for link in inventory.links.values() if link.interface is not None]
    batches = store.chunks(LINK_RATE, start=start, end=end, series=polled, columns=COLUMNS)
    groups = {_TOTAL: polled}
    return sum_batches(hours.watched(batches), groups, start=start, end=end, grid_seconds=_GRID_SECONDS)[_TOTAL]


def _total_usage(total: Sum, start: datetime, end: datetime) -> Windows:
    everything = np.array([[instant_ms(start), instant_ms(end)]], np.int64)
    found = summed_usage(total, start=start, end=end, calendar="always", spans=everything)
    return {window.direction: window for window in found}


def _uplinks(inventory: Inventory, history: History, start: datetime, end: datetime) -> tuple[UplinkFacts, ...]:
    names = [name for name, _, _ in inventory.uplinks()]
    if not names:
        return ()
    usage = _paired(history.usage(names, start=start, end=end, calendar="always", measurement=UPLINK_RATE))
    contracts = inventory.uplink_contracts
    return tuple(
        UplinkFacts(
            name=name, provider=_provider(inventory, contracts.get(name)), contract=contracts.get(name), usage=usage[name]
        )
        for name in names
    )


def _provider(inventory: Inventory, contract: Contract | None) -> str:
    provider = inventory.providers.get(contract.provider) if contract is not None else None
    return provider.name if provider is not None else ""


def _paired(found: Sequence[UsageWindow]) -> dict[str, dict[Direction, UsageWindow]]:
    paired: dict[str, dict[Direction, UsageWindow]] = {}
    for window in found:
        paired.setdefault(window.link, {})[window.direction] = window
    return paired


def _mean(figures: Floats) -> float:
    return float(figures.mean()) if len(figures) else float("nan")
