"""Why an outage was, as far as the evidence tells: a proposal by rule, which a person confirms or corrects.

Pure. The first rule that fits proposes:

1. `maintenance`: half of it or more lies in an agreed window: planned.
2. `own-router`: an uplink whose router, the office's own, restarted in it: power; whose router was merely silent: undetermined.
3. `uplink`: an uplink whose router answered: the provider; so is a link's that was out mostly while every uplink of its root was.
4. `restarted`: the site's device restarted in it: power.
5. `many-at-once`: it began within five minutes of those of half of the root's links or more (three at least): the provider.
6. `same-site`: so did another device's at the same place (kelurahan and kecamatan, or the same coordinates): power.
7. `port-down`: the device answered, its port was down. A device of one link stands at the agency: its device; one of several
   links is where lines end: the last mile.
8. `unreached`: silent, and back without a restart: the last mile.
9. `unclear`: still silent, so whether it restarted is not known yet: undetermined.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bwmgr.model.inventory import Inventory, Link, Site
from bwmgr.model.service import Cause, Maintenance, Outage, Sign

TOGETHER = timedelta(minutes=5)
MANY_RATIO = 0.5
MANY_LEAST = 3
_MOSTLY = 0.5

Proposal = tuple[Cause, str]


def with_causes(inventory: Inventory, outages: Sequence[Outage], maintenance: Sequence[Maintenance] = ()) -> tuple[Outage, ...]:
    """The same in the same order, each with its proposed cause. `outages` of links and uplinks, all of the time looked at."""
    rules = _Rules(inventory, outages, maintenance)
    return tuple(_proposed(outage, *rules.cause(outage)) for outage in outages)


class _Rules:
    def __init__(self, inventory: Inventory, outages: Sequence[Outage], maintenance: Sequence[Maintenance]) -> None:
        self.inventory, self.maintenance = inventory, maintenance
        self.roots = {name: node.id for name, node, _ in inventory.uplinks()}
        self.contracts = {name: uplink.contract for name, _, uplink in inventory.uplinks()}
        self.root_of = {link.id: root for link in inventory.links.values() if (root := _root(inventory, link)) is not None}
        self.below = Counter(self.root_of.values())
        self.on_device = Counter(link.interface.device for link in inventory.links.values() if link.interface is not None)
        self.of_uplinks = [outage for outage in outages if outage.series in self.roots]
        self.of_links = sorted((outage for outage in outages if outage.series not in self.roots), key=_start)

    def cause(self, outage: Outage) -> Proposal:
        if self._is_planned(outage):
            return Cause.PLANNED, "maintenance"
        if outage.series in self.roots:
            return _of_uplink(outage)
        link = self.inventory.links.get(outage.series)
        return (Cause.UNDETERMINED, "unclear") if link is None else self._of_link(outage, link)

    def _is_planned(self, outage: Outage) -> bool:
        windows = [one for one in self.maintenance if concerns(one, outage.series, self.contracts.get(outage.series))]
        return _mostly(outage, [(one.start, one.end) for one in windows])

    def _of_link(self, outage: Outage, link: Link) -> Proposal:
        if self._without_uplink(outage, link):
            return Cause.PROVIDER, "uplink"
        if outage.rebooted:
            return Cause.POWER, "restarted"
        beside = [other for other in self._together(outage) if other.id in self.root_of]
        root = self.root_of.get(link.id)
        alike = sum(self.root_of[other.id] == root for other in beside) + 1
        if root is not None and alike >= max(MANY_LEAST, MANY_RATIO * self.below[root]):
            return Cause.PROVIDER, "many-at-once"
        if any(_same_place(link, other) for other in beside):
            return Cause.POWER, "same-site"
        return self._alone(outage, link)

    def _alone(self, outage: Outage, link: Link) -> Proposal:
        if outage.sign is not Sign.SILENT:
            shared = link.interface is not None and self.on_device[link.interface.device] > 1
            return Cause.LAST_MILE if shared else Cause.OPD_DEVICE, "port-down"
        return (Cause.UNDETERMINED, "unclear") if outage.is_open else (Cause.LAST_MILE, "unreached")

    def _without_uplink(self, outage: Outage, link: Link) -> bool:
        """Whether it was out mostly while all uplinks of its root were, not by their router's own silence."""
        root = self.root_of.get(link.id)
        names = [name for name, node in self.roots.items() if node == root]
        dark = {name: [one for one in self.of_uplinks if one.series == name and one.sign is not Sign.SILENT] for name in names}
        return bool(names) and all(_mostly(outage, [(one.start, one.end) for one in found]) for found in dark.values())

    def _together(self, outage: Outage) -> list[Link]:
        """Other links whose outages began about then."""
        first = bisect_left(self.of_links, outage.start - TOGETHER, key=_start)
        last = bisect_right(self.of_links, outage.start + TOGETHER, key=_start)
        near = {one.series for one in self.of_links[first:last]} - {outage.series}
        return [self.inventory.links[name] for name in sorted(near) if name in self.inventory.links]


def concerns(window: Maintenance, series: str, contract: str | None) -> bool:
    """Whether an agreed window is about this link, or uplink of this contract; one that names nothing is about everything."""
    return (
        not (window.links or window.contracts)
        or series in window.links
        or (contract is not None and contract in window.contracts)
    )


def _start(outage: Outage) -> datetime:
    return outage.start


def _of_uplink(outage: Outage) -> Proposal:
    if outage.sign is not Sign.SILENT:
        return Cause.PROVIDER, "uplink"
    return Cause.POWER if outage.rebooted else Cause.UNDETERMINED, "own-router"


def _proposed(outage: Outage, cause: Cause, rule: str) -> Outage:
    return replace(outage, proposed=cause, rule=rule)


def _root(inventory: Inventory, link: Link) -> str | None:
    above: Iterable[str] = (node.id for node in inventory.ancestors(link.parent) if node.parent is None)
    return next(iter(above), None)


def _same_place(one: Link, other: Link) -> bool:
    """On different devices, at places that are known to be one."""
    if one.interface is not None and other.interface is not None and one.interface.device == other.interface.device:
        return False
    place = _place(one.site)
    return place is not None and place == _place(other.site)


def _place(site: Site) -> Mapping[str, object] | None:
    if site.lat is not None and site.lon is not None:
        return {"lat": site.lat, "lon": site.lon}
    return None if site.kelurahan is None else {"kecamatan": site.kecamatan, "kelurahan": site.kelurahan}


def _mostly(outage: Outage, spans: Sequence[tuple[datetime, datetime]]) -> bool:
    inside = sum(max((min(outage.end, end) - max(outage.start, start)).total_seconds(), 0.0) for start, end in spans)
    return inside > 0 and inside >= _MOSTLY * outage.seconds
