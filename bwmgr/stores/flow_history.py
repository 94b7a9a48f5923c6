"""What the stored minutes of flows say: who uses a link for what, domestic or international, and whether counters agree.

Owns the questions that commands and reports ask of FLOW_USAGE. The largest hosts come from the daemon's newest view instead.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bwmgr.measure.columns import RateBatch
from bwmgr.measure.reconcile import (
    COUNTER_COLUMNS,
    FLOW_COLUMNS,
    HOUR_MS,
    HOUR_SECONDS,
    Comparison,
    counter_hours,
    flow_hours,
    reconcile,
)
from bwmgr.model.inventory import Direction
from bwmgr.stores import FLOW_USAGE, LINK_RATE, RateStore

if TYPE_CHECKING:
    from bwmgr.model.inventory import Inventory

SERIES_PARTS = 4
_MILLISECOND = timedelta(milliseconds=1)
CLASSES = ("domestic", "international")


@dataclass(frozen=True, kw_only=True, slots=True)
class Used:
    """Octets, packets and flows of one key over a window; `share_ratio` of all that the same link carried in that direction."""

    link: str
    direction: str
    name: str
    octets: int
    packets: int
    flows: int
    share_ratio: float
    sampled: bool

    def mean_bps(self, seconds: float) -> float:
        return self.octets * 8 / seconds if seconds else 0.0


def used(
    store: RateStore,
    start: datetime,
    end: datetime,
    *,
    by: str,
    links: Sequence[str] | None = None,
    together: bool = False,
    within: NDArray[np.int64] | None = None,
) -> list[Used]:
    """By `application` or `class` in the minutes of [start, end): each link and direction, the most octets first; `together`: all
    links as one, whose id is empty. Only minutes in one of the spans of `within` (`calendars.spans`), unless that is None."""
    place = {"application": 2, "class": 3}[by]
    wanted = None if links is None else frozenset(links)
    sums: dict[tuple[str, str, str], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    within = None if within is None else within + 1  # a row bears the end of its minute, which may be when the span ends
    for batch in store.chunks(FLOW_USAGE, start=start + _MILLISECOND, end=end + _MILLISECOND, within=within):
        for parts, figures in _by_series(batch):
            if wanted is None or parts[0] in wanted:
                row = sums["" if together else parts[0], parts[1], parts[place]]
                for position, figure in enumerate(figures):
                    row[position] += figure
    totals: dict[tuple[str, str], int] = defaultdict(int)
    for (link, direction, _), (octets, *_) in sums.items():
        totals[link, direction] += octets
    found = [
        Used(
            link=link,
            direction=direction,
            name=name,
            octets=octets,
            packets=packets,
            flows=flows,
            share_ratio=octets / totals[link, direction] if totals[link, direction] else 0.0,
            sampled=bool(sampled),
        )
        for (link, direction, name), (octets, packets, flows, sampled) in sums.items()
    ]
    return sorted(found, key=lambda one: (one.link, one.direction, -one.octets, one.name))


def _by_series(batch: RateBatch) -> Iterable[tuple[list[str], tuple[int, ...]]]:
    """Parts of each series' name with (octets, packets, flows, rows that are scaled)."""
    if not len(batch.rows):
        return
    bounds = np.searchsorted(batch.rows["series"], np.arange(len(batch.series) + 1))
    for position, name in enumerate(batch.series):
        rows = batch.rows[bounds[position] : bounds[position + 1]]
        parts = name.split("|")
        if len(rows) and len(parts) == SERIES_PARTS:
            yield parts, tuple(int(rows[column].sum()) for column in ("octets", "packets", "flows", "sampled"))


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassRate:
    """What all links together carry of one traffic class, against what the contracts promise for it (None: nothing is said)."""

    traffic_class: str
    rates: Mapping[str, float]
    """Mean bit/s by direction."""
    contracted_bps: int | None

    def document(self) -> dict[str, Any]:
        """As `status --format json` prints it."""
        known = self.contracted_bps
        return {
            "traffic_class": self.traffic_class,
            **{f"{direction}_bps": round(rate) for direction, rate in self.rates.items()},
            "contracted_bps": known,
            "utilisation_ratio": round(max(self.rates.values()) / known, 6) if known else None,
        }


def class_rates(store: RateStore, inventory: Inventory, start: datetime, end: datetime) -> list[ClassRate]:
    """Domestic and international in the minutes of [start, end); empty where no flows are stored."""
    found = used(store, start, end, by="class", together=True)
    seconds = (end - start).total_seconds()
    if not found or seconds <= 0:
        return []
    contracted = {
        "domestic": [contract.domestic_bps for contract in inventory.contracts.values()],
        "international": [contract.international_bps for contract in inventory.contracts.values()],
    }
    return [
        ClassRate(
            traffic_class=name,
            rates={
                str(direction): sum(
                    one.mean_bps(seconds) for one in found if one.name == name and one.direction == str(direction)
                )
                for direction in Direction
            },
            contracted_bps=sum(known) if (known := [bps for bps in contracted[name] if bps]) else None,
        )
        for name in CLASSES
    ]


@dataclass(frozen=True, kw_only=True)
class ClassHours:
    """`down_bps`, shape (2, hours): mean download of all links, domestic and international, by hour; NaN without any flows."""

    starts_ms: NDArray[np.int64]
    down_bps: NDArray[np.float64]


def class_hours(store: RateStore, start: datetime, end: datetime) -> ClassHours | None:
    """From the hour of the first flow in [start, end) on; None where there is none. A last hour that is not over counts as far as
    it has come."""
    first, end_ms = round(start.timestamp() * 1000) // HOUR_MS, round(end.timestamp() * 1000)
    hours = -(-end_ms // HOUR_MS) - first
    octets = np.zeros((2, max(hours, 0)))
    for batch in store.chunks(FLOW_USAGE, start=start, end=end, columns=("series", "end_ms", "octets")):
        if not len(batch.rows):
            continue
        parts = [name.split("|") for name in batch.series]
        kind = np.array(
            [CLASSES.index(part[3]) if len(part) == SERIES_PARTS and part[1] == Direction.DOWN else -1 for part in parts]
        )
        rows = batch.rows[kind[batch.rows["series"]] >= 0] if parts else batch.rows
        np.add.at(octets, (kind[rows["series"]], (rows["end_ms"] - 1) // HOUR_MS - first), rows["octets"].astype(np.float64))
    present = np.flatnonzero(octets.sum(axis=0))
    if not len(present):
        return None
    starts_ms = (first + np.arange(hours)) * HOUR_MS
    seconds = np.minimum(end_ms - starts_ms, HOUR_MS) / 1000
    down_bps = np.where(octets.sum(axis=0) > 0, octets * 8 / seconds, np.nan)
    return ClassHours(starts_ms=starts_ms[present[0] :], down_bps=down_bps[:, present[0] :])


def newest_minute(store: RateStore) -> datetime | None:
    """End of the newest minute of flows that is stored."""
    rows = store.latest(FLOW_USAGE).rows
    return datetime.fromtimestamp(int(rows["end_ms"].max()) / 1000, UTC) if len(rows) else None


def compare(
    inventory: Inventory,
    store: RateStore,
    start: datetime,
    end: datetime,
    strays: Callable[[int, int], NDArray[np.float64]] | None = None,
) -> list[Comparison]:
    """Counters against flows for each link and whole hour of [start, end); links without counters are left out.

    `strays`: octets of flows of no link, by (start in ms, hours) one an hour.
    """
    links = [link.id for link in inventory.links.values() if link.interface is not None]
    first_ms = -(-round(start.timestamp() * 1000) // HOUR_MS) * HOUR_MS
    hours = (round(end.timestamp() * 1000) - first_ms) // HOUR_MS
    if hours <= 0 or not links:
        return []
    first = datetime.fromtimestamp(first_ms / 1000, UTC)
    last = first + timedelta(seconds=HOUR_SECONDS * hours)
    counters = counter_hours(
        store.chunks(LINK_RATE, start=first, end=last + timedelta(hours=1), series=links, columns=COUNTER_COLUMNS),
        links,
        first_ms,
        hours,
    )
    flows = flow_hours(
        store.chunks(FLOW_USAGE, start=first, end=last + timedelta(minutes=1), columns=FLOW_COLUMNS), links, first_ms, hours
    )
    return reconcile(links, first_ms, counters, flows, None if strays is None else strays(first_ms, hours))
