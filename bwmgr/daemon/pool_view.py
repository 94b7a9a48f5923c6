"""`pool`: public WiFi that shares one pool: the pool, its points, and both per kelurahan.

Owns which nodes are pools and what is read of them; the arithmetic is `bwmgr.measure.pools`'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from bwmgr.allocate.tree import node_capacity
from bwmgr.daemon.polling import is_polled
from bwmgr.daemon.status import rfc3339
from bwmgr.errors import UsageError
from bwmgr.measure.alignment import CELL_MS, on_grid
from bwmgr.measure.calendars import instant_ms
from bwmgr.measure.pools import PointFigures, PointState, PoolCells, PoolFigures, pool_figures
from bwmgr.model.inventory import Direction, Link, LinkKind, Node
from bwmgr.model.said import Said
from bwmgr.model.samples import GapReason, Quality
from bwmgr.stores import LINK_RATE

if TYPE_CHECKING:
    from bwmgr.daemon.application import Application

ENOUGH = 0.7
"""Below this share of the window read, a point's figures say that there are not enough data."""
_PROBED = 10
_COLUMNS = ("series", "end_ms", "reason", "quality", "down_bps", "up_bps", "down_discards_ps", "up_discards_ps")
_NOT_THERE = PointFigures(
    state=PointState.PLANNED, coverage_ratio=0.0, octets=0, mean_bps=None, p95_bps=None, max_bps=None, starved_seconds=None
)


@dataclass(frozen=True, kw_only=True)
class Point:
    link: Link
    figures: PointFigures


@dataclass(frozen=True, kw_only=True)
class Place:
    """A kelurahan's part of a pool; empty names where the site does not say."""

    kecamatan: str
    kelurahan: str
    points: tuple[Point, ...]

    def count(self, state: PointState) -> int:
        return sum(point.figures.state is state for point in self.points)

    @property
    def starved(self) -> int:
        return sum(bool(point.figures.starved_seconds) for point in self.points)

    @property
    def octets(self) -> int:
        return sum(point.figures.octets for point in self.points)

    @property
    def p95_bps(self) -> float | None:
        """Mean of the active points' 95th percentiles."""
        known = [point.figures.p95_bps for point in self.points if point.figures.state is PointState.ACTIVE]
        return float(np.mean([one for one in known if one is not None])) if known else None


@dataclass(frozen=True, kw_only=True)
class Pool:
    node: Node
    direction: Direction
    start: datetime
    end: datetime
    figures: PoolFigures
    points: tuple[Point, ...]

    @property
    def places(self) -> tuple[Place, ...]:
        """By kecamatan and kelurahan."""
        groups: dict[tuple[str, str], list[Point]] = {}
        for point in self.points:
            site = point.link.site
            groups.setdefault((site.kecamatan or "", site.kelurahan or ""), []).append(point)
        return tuple(Place(kecamatan=key[0], kelurahan=key[1], points=tuple(groups[key])) for key in sorted(groups))

    @property
    def equal_share_bps(self) -> float | None:
        """The capacity by the points that are there."""
        there = sum(point.figures.state is not PointState.PLANNED for point in self.points)
        return self.figures.capacity_bps / there if there else None

    def place_share(self, place: Place) -> float | None:
        """Its share of all octets over its share of the points that are there: 1 where it gets as much as the others."""
        octets = sum(point.figures.octets for point in self.points)
        there = sum(point.figures.state is not PointState.PLANNED for point in self.points)
        own = len(place.points) - place.count(PointState.PLANNED)
        return (place.octets / octets) / (own / there) if octets and own else None


def choose_pools(application: Application, name: str | None) -> list[Node]:
    """The node, or every one whose own links are all public WiFi. Raises: UsageError where there is none."""
    inventory = application.inventory
    if name is not None:
        if name not in inventory.nodes:
            raise UsageError(Said("no node {name!r} in the configuration", name=name))
        if not inventory.links_of[name]:
            raise UsageError(Said("node {name} has no links of its own: it is no pool", name=name))
        return [inventory.nodes[name]]
    kinds = {node: {inventory.links[link].kind for link in links} for node, links in inventory.links_of.items() if links}
    found = [inventory.nodes[node] for node, known in kinds.items() if known == {LinkKind.WIFI}]
    if not found:
        raise UsageError(Said("no node's links are all of kind wifi: name the node that is the pool"))
    return found


def look(application: Application, node: Node, direction: Direction, start: datetime, end: datetime) -> Pool:
    """Over [start, end). Raises: UsageError where the node has no capacity."""
    inventory = application.inventory
    capacity = node_capacity(inventory, node, direction)
    if capacity is None:
        raise UsageError(
            Said("node {node} has no capacity: {direction} of the pool is not known", node=node.id, direction=direction)
        )
    links = [inventory.links[name] for name in inventory.links_of[node.id]]
    polled = [link for link in links if is_polled(link)]
    figures, made = pool_figures(_cells(application, polled, direction, start, end), float(capacity))
    known = {link.id: point for link, point in zip(polled, made, strict=True)}
    points = tuple(Point(link=link, figures=known.get(link.id, _NOT_THERE)) for link in links)
    return Pool(node=node, direction=direction, start=start, end=end, figures=figures, points=points)


def _cells(application: Application, links: Sequence[Link], direction: Direction, start: datetime, end: datetime) -> PoolCells:
    late, names = timedelta(milliseconds=1), [link.id for link in links]
    cell_ms = _cell_ms(application, names, start, end)
    first = instant_ms(start) // cell_ms
    count = -(-instant_ms(end) // cell_ms) - first
    rates, discards = np.full((len(links), count), np.nan), np.full((len(links), count), np.nan)
    up, place = np.zeros(len(links), np.bool_), {name: position for position, name in enumerate(names)}
    read = (
        application.store.chunks(LINK_RATE, start=start + late, end=end + late, series=names, columns=_COLUMNS) if names else ()
    )
    for batch in read:
        bounds = np.searchsorted(batch.rows["series"], np.arange(len(batch.series) + 1))
        for position, name in enumerate(batch.series):
            rows = batch.rows[bounds[position] : bounds[position + 1]]
            known, at = rows[rows["reason"] == GapReason.NONE], place[name]
            rates[at] = on_grid(known["end_ms"], known[f"{direction}_bps"], first, count, cell_ms)
            discards[at] = on_grid(known["end_ms"], known[f"{direction}_discards_ps"].astype(np.float64), first, count, cell_ms)
            up[at] = bool(((known["quality"] & np.uint8(Quality.OPER_DOWN)) == 0).any())
    limits = np.array([np.inf if link.limit[direction] is None else link.limit[direction] for link in links], np.float64)
    return PoolCells(rates=rates, discards=discards, up=up, limits=limits, seconds=cell_ms / 1000)


def _cell_ms(application: Application, names: Sequence[str], start: datetime, end: datetime) -> int:
    """Five minutes, or the fewest of them that the usual interval fits into: imported history may be coarser."""
    for name in names[:_PROBED]:
        rows = application.store.read(LINK_RATE, start=start, end=end, series=[name], columns=("reason", "interval_ticks")).rows
        ticks = rows["interval_ticks"][rows["reason"] == GapReason.NONE]
        if len(ticks):
            return CELL_MS * max(-(-int(np.median(ticks)) * 10 // CELL_MS), 1)
    return CELL_MS


def document(pools: Sequence[Pool]) -> dict[str, Any]:
    """`pool --format json`."""
    return {"pools": [_pool(one) for one in pools]}


def rows(pools: Sequence[Pool]) -> Iterator[dict[str, Any]]:
    """`pool --format csv`: a row for each point."""
    for pool in pools:
        for point in pool.points:
            yield {"pool": pool.node.id, "direction": str(pool.direction), **_point(point)}


def _pool(pool: Pool) -> dict[str, Any]:
    found = pool.figures
    return {
        "pool": pool.node.id,
        "direction": str(pool.direction),
        "start": rfc3339(pool.start),
        "end": rfc3339(pool.end),
        "capacity_bps": round(found.capacity_bps),
        "points": len(pool.points),
        "states": {str(state): sum(point.figures.state is state for point in pool.points) for state in PointState},
        "limits_bps": round(found.limits_bps) if np.isfinite(found.limits_bps) else None,
        "oversubscription": _rounded(found.oversubscription),
        "equal_share_bps": _whole(pool.equal_share_bps),
        "fair_share_bps": _whole(found.fair_share_bps),
        "mean_bps": _whole(found.mean_bps),
        "p95_bps": _whole(found.p95_bps),
        "max_bps": _whole(found.max_bps),
        "diversity_factor": _rounded(found.diversity_factor),
        "full_seconds": round(found.full_seconds),
        "jain_ratio": _rounded(found.jain_ratio),
        "completeness_ratio": _rounded(found.completeness_ratio),
        "places": [_place(pool, place) for place in pool.places],
        "point_figures": [_point(point) for point in pool.points],
    }


def _place(pool: Pool, place: Place) -> dict[str, Any]:
    return {
        "kecamatan": place.kecamatan or None,
        "kelurahan": place.kelurahan or None,
        "points": len(place.points),
        **{str(state): place.count(state) for state in PointState},
        "starved": place.starved,
        "octets": place.octets,
        "p95_bps": _whole(place.p95_bps),
        "share": _rounded(pool.place_share(place)),
    }


def _point(point: Point) -> dict[str, Any]:
    link, found = point.link, point.figures
    return {
        "link": link.id,
        "name": link.name,
        "kecamatan": link.site.kecamatan,
        "kelurahan": link.site.kelurahan,
        "state": str(found.state),
        "mean_bps": _whole(found.mean_bps),
        "p95_bps": _whole(found.p95_bps),
        "max_bps": _whole(found.max_bps),
        "octets": found.octets,
        "starved_seconds": _whole(found.starved_seconds),
        "coverage_ratio": round(found.coverage_ratio, 6),
    }


def _whole(figure: float | None) -> int | None:
    return None if figure is None else round(figure)


def _rounded(figure: float | None) -> float | None:
    return None if figure is None else round(figure, 4)
