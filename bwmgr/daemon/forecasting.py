"""`forecast`: what each node and link will need, and in how many days it is full.

Owns which rows make a series: of a link its expected demand (`bwmgr.measure.behind`), of a node the sum of the links below it, in
cells of a quarter of an hour. The forecast and the growth are `bwmgr.measure.forecast`'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from bwmgr.allocate.tree import node_capacity
from bwmgr.errors import UsageError
from bwmgr.measure.behind import COLUMNS as DEMAND_COLUMNS
from bwmgr.measure.behind import expected_demand
from bwmgr.measure.columns import RateBatch, Rows
from bwmgr.measure.forecast import Growth, forecast, growth
from bwmgr.measure.sums import COLUMNS as SUM_COLUMNS
from bwmgr.measure.sums import sum_batches
from bwmgr.model.inventory import ALWAYS, Calendar, Direction, Link, Node
from bwmgr.model.said import Said
from bwmgr.model.samples import GapReason
from bwmgr.stores import LINK_RATE

if TYPE_CHECKING:
    from bwmgr.daemon.application import Application

GRID_SECONDS = 900
AHEAD_DAYS = 7
PERCENTILE = 95.0
_HOUR_MS = 3_600_000
_COMPLETE = 0.99
_COLUMNS = tuple(dict.fromkeys((*DEMAND_COLUMNS, *SUM_COLUMNS)))


@dataclass(frozen=True, kw_only=True, slots=True)
class Outlook:
    """One direction of a node or link, bit/s. None: the history is too short, or nothing is stated."""

    kind: Literal["node", "link"]
    id: str
    name: str
    direction: Direction
    limit_bps: int | None
    """Of a node its capacity, of a link its limit in force."""
    next_p95_bps: float | None
    """The 95th percentile of the hours of the next seven days as foretold."""
    champion: str | None
    """The method that foretold this series' last two weeks best."""
    growth: Growth | None
    """Of the weekly 95th percentile, and when it reaches `limit_bps`."""


def make_forecast(application: Application, start: datetime, end: datetime) -> tuple[Outlook, ...]:
    """Nodes, then links, in the configuration's order; those without history are left out.

    Raises: UsageError where no link has history in [start, end).
    """
    return _Forecasting(application, start, end).made()


def document(made: Sequence[Outlook], start: datetime, end: datetime) -> dict[str, Any]:
    """The JSON document."""
    from bwmgr.daemon.status import rfc3339

    return {"start": rfc3339(start), "end": rfc3339(end), "ahead_days": AHEAD_DAYS, "series": [row(entry) for entry in made]}


def row(entry: Outlook) -> dict[str, Any]:
    """One series with whole bit/s, as in CSV."""
    found = entry.growth
    days = None if found is None else found.days_until_full
    return {
        "kind": entry.kind,
        "id": entry.id,
        "name": entry.name,
        "direction": str(entry.direction),
        "limit_bps": entry.limit_bps,
        "next_p95_bps": None if entry.next_p95_bps is None else round(entry.next_p95_bps),
        "champion": entry.champion,
        "growth_bps_per_week": None if found is None else round(found.bps_per_week),
        "weeks": None if found is None else found.weeks,
        "days_until_full": None if days is None else round(days, 1),
    }


class _Forecasting:
    def __init__(self, application: Application, start: datetime, end: datetime) -> None:
        self.store, self.inventory = application.store, application.inventory
        self.start, self.end, self.zone = start, end, application.inventory.organisation.timezone
        self.grid = max(GRID_SECONDS, round(application.settings.snmp.interval_seconds))
        recorded = application.state.all_limits()
        self.limits = {name: entries[-1][1] for name, entries in recorded.items() if entries}
        self.links: dict[tuple[str, Direction], Outlook] = {}

    def made(self) -> tuple[Outlook, ...]:
        groups: dict[str, list[str]] = {}
        for link in self.inventory.links.values():
            for node in self.inventory.ancestors(link.parent):
                groups.setdefault(node.id, []).append(link.id)
        totals = sum_batches(self._batches(), groups, start=self.start, end=self.end, grid_seconds=self.grid)
        if not self.links:
            raise UsageError(
                Said(
                    "no link has history from {start_at} to {end_at}",
                    start_at=self.start.isoformat(),
                    end_at=self.end.isoformat(),
                )
            )
        nodes = []
        for node in self.inventory.nodes.values():
            if (total := totals.get(node.id)) is None:
                continue
            whole = total.batch.rows[total.coverage_ratio >= _COMPLETE]
            nodes += [self._outlook(node, way, whole[f"{way}_bps"], whole["end_ms"], ALWAYS) for way in Direction if len(whole)]
        known = [self.links.get((name, way)) for name in self.inventory.links for way in Direction]
        return (*nodes, *(entry for entry in known if entry is not None))

    def _batches(self) -> Iterator[RateBatch]:
        """Rows with the expected demand in place of usage; each link's outlook is made as it passes."""
        names = list(self.inventory.links)
        for batch in self.store.chunks(LINK_RATE, start=self.start, end=self.end, series=names, columns=_COLUMNS):
            bounds = np.searchsorted(batch.rows["series"], np.arange(len(batch.series) + 1))
            rows = batch.rows.copy()
            for position, name in enumerate(batch.series):
                self._take(self.inventory.links[name], rows[bounds[position] : bounds[position + 1]])
            yield RateBatch(series=batch.series, rows=rows)

    def _take(self, link: Link, rows: Rows) -> None:
        there = rows["reason"] == GapReason.NONE
        if not there.any():
            return
        calendar = self.inventory.calendars[link.calendar]
        demands = {way: expected_demand(rows, way, timezone=self.zone, calendar=calendar) for way in Direction}
        for way, demand in demands.items():
            rows[f"{way}_bps"] = demand
            self.links[link.id, way] = self._outlook(link, way, demand[there], rows["end_ms"][there], calendar)

    def _outlook(
        self, of: Node | Link, way: Direction, rates: NDArray[np.float64], ends: NDArray[np.int64], calendar: Calendar
    ) -> Outlook:
        limit = self._limit(of, way)
        hours, hourly = _hourly(np.asarray(rates, np.float64), ends)
        ahead = hours[-1] + _HOUR_MS * np.arange(1, AHEAD_DAYS * 24 + 1)
        said = forecast(hourly, hours, ahead, timezone=self.zone, calendar=calendar)
        return Outlook(
            kind="node" if isinstance(of, Node) else "link",
            id=of.id,
            name=of.name,
            direction=way,
            limit_bps=limit,
            next_p95_bps=None if said is None else float(np.percentile(said.rate_bps, PERCENTILE, method="inverted_cdf")),
            champion=None if said is None else said.champion,
            growth=growth(np.asarray(rates, np.float64), ends, limit, percentile=PERCENTILE),
        )

    def _limit(self, of: Node | Link, way: Direction) -> int | None:
        if isinstance(of, Node):
            return node_capacity(self.inventory, of, way)
        return self.limits.get(of.id, of.limit)[way]


def _hourly(rates: NDArray[np.float64], ends: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The end and the mean of each hour of which something is known."""
    hours, which = np.unique(-(-ends // _HOUR_MS) * _HOUR_MS, return_inverse=True)
    return hours, np.bincount(which, rates) / np.bincount(which)
