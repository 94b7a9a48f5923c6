"""What each node of the capacity tree was measured to carry: the sum of its links, and of its uplinks where it has them.

Owns which series make a node's sum, and over which calendar it counts; the sum is made by `bwmgr.measure.sums`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from bwmgr.measure import calendars, sums
from bwmgr.model.inventory import Direction, Inventory
from bwmgr.model.policy import NodeLoad, Usage
from bwmgr.model.usage import UsageWindow
from bwmgr.stores import LINK_RATE, UPLINK_RATE

if TYPE_CHECKING:
    from bwmgr.daemon.application import Application

GRID_SECONDS = 900
"""Longer than polling intervals are; dimensioning looks at no shorter peaks."""
_RECENT_GRID_SECONDS = 300
LEAST_COVERAGE = 0.7
"""A link or sum of which less is known is not taken for measured."""
_LINK = "link "
"""Before a link's id where it stands among nodes."""
_LATE = timedelta(days=1)
"""A link whose history begins so much later than the sum's is not in it."""

Loads = Mapping[str, Mapping[Direction, NodeLoad]]


def node_loads(application: Application, usage: Usage, *, start: datetime, end: datetime) -> Loads:
    """By node id, where enough of its links is known (`usage`), or of its uplinks; the larger of the two at a node with both."""
    inventory = application.inventory
    began = min((windows[Direction.DOWN].start for windows in usage.values()), default=start)
    start = max(start, began)
    groups, beside = _members(inventory, usage, start)
    of_links = _summed(application, LINK_RATE, groups, _calendars_below(inventory), start, end)
    uplinks = _uplinks(inventory)
    of_uplinks = _summed(application, UPLINK_RATE, uplinks, _calendars_below(inventory), start, end)
    found: dict[str, dict[Direction, NodeLoad]] = {}
    for node in inventory.nodes:
        for direction in Direction:
            seen = [NodeLoad(window=window, beside=beside[node]) for window in of_links.get((node, direction), [])]
            seen += [NodeLoad(window=window) for window in of_uplinks.get((node, direction), [])]
            if known := [load for load in seen if load.window.samples and load.window.coverage_ratio >= LEAST_COVERAGE]:
                found.setdefault(node, {})[direction] = max(known, key=lambda load: load.rate_bps)
    return found


@dataclass(frozen=True, kw_only=True)
class LastHour:
    """Bit/s in steps of five minutes, oldest first: `sums` of the links below each node; `latest`, each link's newest step."""

    sums: Mapping[str, Mapping[Direction, tuple[float, ...]]] = field(default_factory=dict)
    latest: Mapping[str, Mapping[Direction, float]] = field(default_factory=dict)


def last_hour(application: Application, now: datetime) -> LastHour:
    """What is known of the last hour."""
    inventory, groups = application.inventory, {f"{_LINK}{name}": [name] for name in application.inventory.links}
    for link in inventory.links.values():
        for node in inventory.ancestors(link.parent):
            groups.setdefault(node.id, []).append(link.id)
    if not groups:
        return LastHour()
    start = now - timedelta(hours=1)
    batches = application.store.chunks(LINK_RATE, start=start, end=now, series=list(inventory.links), columns=sums.COLUMNS)
    totals = sums.sum_batches(batches, groups, start=start, end=now, grid_seconds=_RECENT_GRID_SECONDS)
    return LastHour(
        sums={
            node: {way: tuple(total.batch.rows[f"{way}_bps"].astype(float).tolist()) for way in Direction}
            for node, total in totals.items()
            if not node.startswith(_LINK)
        },
        latest={
            name.removeprefix(_LINK): {way: float(total.batch.rows[f"{way}_bps"][-1]) for way in Direction}
            for name, total in totals.items()
            if name.startswith(_LINK) and len(total.batch.rows)
        },
    )


def _members(
    inventory: Inventory, usage: Usage, start: datetime
) -> tuple[Mapping[str, Sequence[str]], Mapping[str, frozenset[str]]]:
    """Node -> the links of its sum, and the links below it that cannot be."""
    known: dict[str, list[str]] = {node: [] for node in inventory.nodes}
    unknown: dict[str, set[str]] = {node: set() for node in inventory.nodes}
    for link in inventory.links.values():
        window = usage.get(link.id, {}).get(Direction.DOWN)
        seen = window is not None and window.start <= start + _LATE and window.coverage_ratio >= LEAST_COVERAGE
        for node in inventory.ancestors(link.parent):
            known[node.id].append(link.id) if seen else unknown[node.id].add(link.id)
    return known, {node: frozenset(links) for node, links in unknown.items()}


def _uplinks(inventory: Inventory) -> Mapping[str, Sequence[str]]:
    found: dict[str, list[str]] = {}
    for name, node, _ in inventory.uplinks():
        found.setdefault(node.id, []).append(name)
    return found


def _calendars_below(inventory: Inventory) -> Mapping[str, frozenset[str]]:
    """Node -> the calendars by which its links are judged: in each of them a raise must have room."""
    found: dict[str, set[str]] = {node: set() for node in inventory.nodes}
    for link in inventory.links.values():
        for node in inventory.ancestors(link.parent):
            found[node.id].add(link.calendar)
    return {node: frozenset(names or {"always"}) for node, names in found.items()}


def _summed(
    application: Application,
    measurement: str,
    groups: Mapping[str, Sequence[str]],
    wanted: Mapping[str, frozenset[str]],
    start: datetime,
    end: datetime,
) -> dict[tuple[str, Direction], list[UsageWindow]]:
    """(node, direction) -> the sum's usage in each calendar wanted."""
    groups = {node: series for node, series in groups.items() if series}
    if not groups or start >= end:
        return {}
    series = sorted({name for members in groups.values() for name in members})
    batches = application.store.chunks(measurement, start=start, end=end, series=series, columns=sums.COLUMNS)
    totals = sums.sum_batches(batches, groups, start=start, end=end, grid_seconds=GRID_SECONDS)
    timezone, found = application.inventory.organisation.timezone, dict[tuple[str, Direction], list[UsageWindow]]()
    spans = {
        name: calendars.spans(application.inventory.calendars[name], timezone, start, end)
        for name in sorted(set[str]().union(*wanted.values()))
    }
    for node, total in totals.items():
        for name in sorted(wanted[node]):
            for window in sums.summed_usage(total, start=start, end=end, calendar=name, spans=spans[name]):
                found.setdefault((node, window.direction), []).append(window)
    return found
