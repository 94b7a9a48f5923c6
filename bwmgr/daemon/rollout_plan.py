"""What a roll-out list would change: each row beside the configuration, before anything is changed.

Owns the rules: an addition, a change key by key, nothing, a conflict (a person must look) or a mistake. Reads and writes no file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

from bwmgr.daemon.rollout_sheet import SheetRow
from bwmgr.model.inventory import Inventory, Link, LinkKind, SiteStatus
from bwmgr.model.said import Said

SITE_KEYS = ("kecamatan", "kelurahan", "code", "lat", "lon", "medium", "reason", "status", "since")
ORDER = tuple(SiteStatus)
_MEASURED = frozenset({SiteStatus.TRIAL, SiteStatus.ACTIVE})

What = Literal["add", "change", "same", "conflict", "mistake"]


@dataclass(frozen=True, kw_only=True)
class Planned:
    """What becomes of one row. `changes`: key -> (now, then); `said` why it is a conflict or mistake."""

    row: int
    link: str
    what: What
    changes: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    said: tuple[str, ...] = ()
    device: str | None = None
    """Id of a device to be added, with the address in `changes`."""


@dataclass(frozen=True, kw_only=True)
class RolloutPlan:
    """All rows, in the file's order."""

    rows: Sequence[Planned]

    def of(self, *what: What) -> list[Planned]:
        return [row for row in self.rows if row.what in what]

    @property
    def counts(self) -> dict[str, int]:
        kinds: tuple[What, ...] = ("add", "change", "same", "conflict", "mistake")
        return {what: sum(row.what == what for row in self.rows) for what in kinds}


def plan_rollout(inventory: Inventory, rows: Iterable[SheetRow], today: date) -> RolloutPlan:
    """Compares each row with the effective configuration. A state that changes without a date is dated today."""
    planner = _Planner(inventory, today)
    return RolloutPlan(rows=[planner.planned(row) for row in rows])


class _Planner:
    def __init__(self, inventory: Inventory, today: date) -> None:
        self._inventory, self._today = inventory, today
        self._rows: dict[str, int] = {}
        self._addresses = {device.address: device.id for device in inventory.devices.values()}
        self._places: dict[tuple[str, str], str] = {}
        self._parents: dict[str, str] = {}
        for link in inventory.links.values():
            self._places.setdefault((link.name.lower(), (link.site.kelurahan or "").lower()), link.id)
            if link.site.code and link.parent:
                self._parents.setdefault(link.site.code, link.parent)

    def planned(self, row: SheetRow) -> Planned:
        name = str(row.cells.get("link", ""))
        if row.mistakes:
            return Planned(row=row.number, link=name, what="mistake", said=tuple(row.mistakes))
        if (first := self._rows.setdefault(name, row.number)) != row.number:
            said = Said("row {first} is about the same point; keep one", first=first)
            return Planned(row=row.number, link=name, what="conflict", said=(said,))
        link = self._inventory.links.get(name)
        wanted, mistakes, conflicts = self._wanted(row, link)
        device = self._device(row, name, link, conflicts)
        if device is not None:
            wanted |= {"address": row.cells["address"], "if_name": row.cells.get("if_name", "ether1")}
        now = _now(link)
        changes = {key: (now.get(key), then) for key, then in wanted.items() if now.get(key) != then}
        mistakes += self._measurable(link, wanted, device)
        what: What = "same" if not changes else "add" if link is None else "change"
        return Planned(
            row=row.number,
            link=name,
            what="mistake" if mistakes else "conflict" if conflicts else what,
            changes=changes,
            said=tuple(mistakes or conflicts),
            device=device,
        )

    def _wanted(self, row: SheetRow, link: Link | None) -> tuple[dict[str, Any], list[str], list[str]]:
        wanted = {key: row.cells[key] for key in SITE_KEYS if key in row.cells}
        mistakes: list[str] = []
        conflicts: list[str] = []
        status: SiteStatus = row.cells["status"]
        since: date | None = wanted.get("since")
        if since is not None and since > self._today and status is not SiteStatus.PLANNED:
            mistakes.append(Said("since: {day} is still to come; only a planned point has such a date", day=since.isoformat()))
        if link is None:
            wanted |= self._new(row, mistakes, conflicts)
        elif status is not link.site.status:
            conflicts += _backwards(link, status, since)
        if since is None and (link is None or status is not link.site.status):
            wanted["since"] = self._today
        return wanted, mistakes, conflicts

    def _new(self, row: SheetRow, mistakes: list[str], conflicts: list[str]) -> dict[str, Any]:
        name = row.cells.get("name", row.cells["link"])
        code = row.cells.get("code", "")
        parent = row.cells.get("parent") or self._parents.get(code) or (code[:8] if code[:8] in self._inventory.nodes else None)
        if parent is not None and parent not in self._inventory.nodes:
            mistakes.append(Said("parent: there is no node {parent}", parent=parent))
        other = self._places.setdefault((name.lower(), str(row.cells.get("kelurahan", "")).lower()), row.cells["link"])
        if other != row.cells["link"]:
            conflicts.append(Said("{other} has the same name and place: is it the same point?", other=other))
        found = {"name": name, "kind": row.cells.get("kind", LinkKind.WIFI)}
        return found if parent is None else {**found, "parent": parent}

    def _device(self, row: SheetRow, name: str, link: Link | None, conflicts: list[str]) -> str | None:
        """Of a device to be added: where an address is given, and the link is not measured yet."""
        address = row.cells.get("address")
        if address is None:
            return None
        taken = self._addresses.get(address)
        if link is not None and link.interface is not None:
            if self._inventory.devices[link.interface.device].address != address:
                said = Said("address: it is measured at device {device}; change that in the configuration",
                            device=link.interface.device)  # fmt: skip
                conflicts.append(said)
            return None
        device = f"ap-{name}"
        if taken is not None or device in self._inventory.devices:
            conflicts.append(Said("address: {address} or its device {device} is there already", address=address, device=device))
            return None
        self._addresses[address] = device
        return device

    def _measurable(self, link: Link | None, wanted: Mapping[str, Any], device: str | None) -> list[str]:
        """A point that works is measured: else nobody knows whether it does."""
        status = wanted.get("status", SiteStatus.ACTIVE)
        measured = device is not None or (link is not None and (link.interface is not None or bool(link.networks)))
        if status not in _MEASURED or measured:
            return []
        return [
            Said("status: {status} without anything to measure; give address (and if_name), or installed", status=str(status))
        ]


def _now(link: Link | None) -> dict[str, Any]:
    if link is None:
        return {}
    return {key: getattr(link.site, key) for key in SITE_KEYS}


def _backwards(link: Link, status: SiteStatus, since: date | None) -> list[str]:
    before, known = link.site.status, link.site.since
    if ORDER.index(status) < ORDER.index(before):
        return [Said("status: it is {before} already; {after} would be a step back", before=str(before), after=str(status))]
    if before is not SiteStatus.PLANNED and since is not None and known is not None and since < known:  # a plan's day is a wish
        said = Said("since: {day} is before {before}, from when on it is {status}", day=since.isoformat(),
                    before=known.isoformat(), status=str(before))  # fmt: skip
        return [said]
    return []
