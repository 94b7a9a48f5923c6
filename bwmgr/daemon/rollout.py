"""The roll-out: applies a plan to an include file, keeps the dates of each step, and counts how far each place is.

Owns the file that `rollout import` writes (devices and links that it added, and `rollout:` entries for those it found), and the
history of states in the state store. What a row means is `rollout_plan`'s.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bwmgr.config.emit import emit
from bwmgr.daemon.rollout_plan import ORDER, SITE_KEYS, Planned
from bwmgr.daemon.unread import why_unread
from bwmgr.errors import BwmgrError, UsageError, unwritable
from bwmgr.model.inventory import Inventory, Link, SiteStatus
from bwmgr.model.said import Said

if TYPE_CHECKING:
    from bwmgr.stores.state import StateStore

FILE_NAME = "rollout.yaml"
COMMENT = "# Written by `bwmgr rollout import`: what it added, and how far each point is. The next import writes it anew.\n"
_SECTIONS = ("devices", "links", "rollout")
_HISTORY = "rollout-history"

Document = dict[str, list[dict[str, Any]]]


@dataclass(frozen=True, kw_only=True)
class Step:
    """A point reached a state on a day."""

    link: str
    status: SiteStatus
    on: date


@dataclass(frozen=True, kw_only=True)
class Place:
    """Points of one kelurahan by state; `latest`: the day of the last known step of any of them."""

    code: str | None
    kecamatan: str | None
    kelurahan: str | None
    counts: Mapping[SiteStatus, int]
    latest: date | None

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    def document(self) -> dict[str, Any]:
        """As `rollout status --format json` prints it."""
        return {
            "code": self.code, "kecamatan": self.kecamatan, "kelurahan": self.kelurahan,
            **{str(status): self.counts[status] for status in ORDER},
            "total": self.total, "latest": self.latest and self.latest.isoformat(),
        }  # fmt: skip


def write_changes(path: Path, accepted: Sequence[Planned]) -> str | None:
    """Adds the accepted rows to the include file, whole or not at all; returns what stood there before (None: nothing).

    Raises: UsageError where the file there is not one of these, BwmgrError where it cannot be written.
    """
    try:
        before = path.read_text(encoding="utf-8") if path.exists() else None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(Said("{path} cannot be read: {why}", path=path, why=why_unread(error))) from error
    replace_file(path, COMMENT + emit(_changed(_read(path, before or ""), accepted)))
    return before


def replace_file(path: Path, text: str | None) -> None:
    """Under its name only when it is whole on the disk; None takes the file away. Raises: BwmgrError."""
    part = path.with_name(f".{path.name}.part")
    try:
        if text is None:
            path.unlink(missing_ok=True)
            return
        with part.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise BwmgrError(unwritable(path, error)) from error


def _read(path: Path, text: str) -> Document:
    """All scalars stay text, as in the configuration's own reader."""
    import yaml

    try:
        found = yaml.load(text, Loader=yaml.CBaseLoader) or {}  # noqa: S506  # the base loader makes text, lists and mappings only
    except yaml.YAMLError as error:
        raise UsageError(Said("{path} is no YAML: {why}", path=path, why=str(error))) from error
    if (
        not isinstance(found, dict)
        or not found.keys() <= set(_SECTIONS)
        or not all(isinstance(one, list) for one in found.values())
    ):
        raise UsageError(
            Said(
                "{path} is not a file that `rollout import` wrote: it may hold {sections} only",
                path=path,
                sections=", ".join(_SECTIONS),
            )
        )
    return {section: found.get(section, []) for section in _SECTIONS}


def _changed(document: Document, accepted: Iterable[Planned]) -> dict[str, Any]:
    devices = {one["id"]: one for one in document["devices"]}
    links = {one["id"]: one for one in document["links"]}
    points = {one["link"]: one for one in document["rollout"]}
    for row in accepted:
        then = {key: _text(value) for key, (_, value) in row.changes.items()}
        site = {key: then[key] for key in SITE_KEYS if key in then}
        interface = {}
        if row.device is not None:
            devices[row.device] = {"id": row.device, "address": then["address"]}
            interface = {"interface": {"device": row.device, "if_name": then["if_name"], "faces": "subscriber"}}
        if row.what == "add":
            named: dict[str, Any] = {key: then[key] for key in ("name", "kind", "parent") if key in then}
            links[row.link] = {"id": row.link, **named, **interface, "class": "public", "site": site}
        elif row.link in links:
            links[row.link] = {**links[row.link], **interface, "site": {**links[row.link].get("site", {}), **site}}
        else:
            points[row.link] = {**points.get(row.link, {"link": row.link}), **interface, **site}
    sections = {"devices": devices, "links": links, "rollout": points}
    return {name: [found[key] for key in sorted(found)] for name, found in sections.items() if found}


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)


def is_included(before: Inventory, after: Inventory, accepted: Sequence[Planned]) -> bool:
    """Whether the configuration, loaded again, holds the changes: else it does not include the file."""
    for row in accepted:
        link = after.links.get(row.link)
        if link is None:
            return False
        for key in SITE_KEYS:
            if key in row.changes and getattr(link.site, key) != row.changes[key][1]:
                return False
    return after is not before


def steps_of(accepted: Iterable[Planned], inventory: Inventory) -> list[Step]:
    """The states that the accepted rows reach, and those that they leave where their day is known."""
    found = []
    for row in accepted:
        link = inventory.links.get(row.link)
        if link is not None and link.site.since is not None:
            found.append(Step(link=row.link, status=link.site.status, on=link.site.since))
        _, status = row.changes.get("status", (None, link.site.status if link is not None else SiteStatus.PLANNED))
        if "since" in row.changes:
            found.append(Step(link=row.link, status=status, on=row.changes["since"][1]))
    return found


def keep_steps(state: StateStore, steps: Iterable[Step]) -> None:
    """Adds to the history; the same step twice is one."""
    known = {(step.link, step.status, step.on): step for step in (*history(state), *steps)}
    ordered = sorted(known.values(), key=lambda step: (step.on, step.link, ORDER.index(step.status)))
    state.put(_HISTORY, json.dumps([[step.link, str(step.status), step.on.isoformat()] for step in ordered]).encode())


def history(state: StateStore) -> list[Step]:
    """Every step that imports brought, oldest first."""
    kept = json.loads(state.get(_HISTORY) or b"[]")
    return [Step(link=link, status=SiteStatus(status), on=date.fromisoformat(on)) for link, status, on in kept]


def all_steps(inventory: Inventory, kept: Iterable[Step]) -> list[Step]:
    """The history and the present states that the configuration dates, each once, oldest first; of present links only."""
    present = [
        Step(link=link.id, status=link.site.status, on=link.site.since) for link in inventory.links.values() if link.site.since
    ]
    known = {(step.link, step.status, step.on): step for step in (*kept, *present) if step.link in inventory.links}
    return sorted(known.values(), key=lambda step: (step.on, step.link, ORDER.index(step.status)))


def places(links: Iterable[Link], steps: Iterable[Step] = ()) -> list[Place]:
    """Counts by kelurahan, in the order of region codes, then names; points without a place come last."""
    last: dict[str, date] = {}
    for step in steps:
        last[step.link] = max(step.on, last.get(step.link, step.on))
    grouped: dict[tuple[str, str, str], list[Link]] = {}
    for link in links:
        site = link.site
        grouped.setdefault((site.code or "", site.kecamatan or "", site.kelurahan or ""), []).append(link)
    return [
        Place(
            code=code or None,
            kecamatan=kecamatan or None,
            kelurahan=kelurahan or None,
            counts={status: sum(link.site.status is status for link in members) for status in ORDER},
            latest=max((last[link.id] for link in members if link.id in last), default=None),
        )
        for (code, kecamatan, kelurahan), members in sorted(grouped.items(), key=lambda item: _place_order(item[0]))
    ]


def _place_order(place: tuple[str, str, str]) -> tuple[bool, bool, tuple[str, str, str]]:
    """By code; those without one by name after them, those without a place last."""
    return not any(place), not place[0], place


def progress(steps: Iterable[Step]) -> list[tuple[date, dict[SiteStatus, int]]]:
    """(day, points that had reached each state by its end), for each day of a step. A state counts from its first day on."""
    reached: dict[tuple[str, SiteStatus], date] = {}
    for step in sorted(steps, key=lambda one: one.on):
        reached.setdefault((step.link, step.status), step.on)
    found: list[tuple[date, dict[SiteStatus, int]]] = []
    totals = dict.fromkeys(ORDER, 0)
    for day in sorted(set(reached.values())):
        for (_, status), on in reached.items():
            totals[status] += on == day
        found.append((day, dict(totals)))
    return found
