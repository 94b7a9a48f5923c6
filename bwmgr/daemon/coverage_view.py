"""`coverage`: by which medium each kelurahan is reached, and what is not reached yet, with the reason.

From the inventory alone: what is planned has no measurements. Owns what counts as reached: an active point on the wanted medium.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from bwmgr.model.inventory import Inventory, Link, LinkKind, SiteStatus

FIBRE = "fibre"
_ALIKE = {"fibre": FIBRE, "fiber": FIBRE, "serat optik": FIBRE, "fo": FIBRE}

Why = Literal["planned", "installed", "trial", "other-medium", "no-medium"]


@dataclass(frozen=True, kw_only=True)
class NotReached:
    """A point that is not in service, or not on the wanted medium; `reason` is the office's own word, where it wrote one."""

    link: Link
    why: Why
    reason: str | None


@dataclass(frozen=True, kw_only=True)
class PlaceCoverage:
    """A kelurahan, or a kecamatan where points say no more. Counts are of points."""

    kecamatan: str | None
    kelurahan: str | None
    code: str | None
    media: Mapping[str, int]
    """Medium -> active points; an empty word where none is written."""
    statuses: Mapping[SiteStatus, int]
    reached: bool
    """All its points other than access points are active on the wanted medium (all points, where it has only those)."""
    missing: tuple[NotReached, ...]


def coverage(inventory: Inventory, kinds: Sequence[LinkKind] = (), medium: str = FIBRE) -> tuple[PlaceCoverage, ...]:
    """Of points of these kinds (none given: all) whose site says where they are, in the order of region codes and names."""
    groups: dict[tuple[str | None, str | None], list[Link]] = {}
    for link in inventory.links.values():
        if (not kinds or link.kind in kinds) and (link.site.kecamatan or link.site.kelurahan):
            groups.setdefault((link.site.kecamatan, link.site.kelurahan), []).append(link)
    wanted = normal(medium)
    places = [_place(kecamatan, kelurahan, links, wanted) for (kecamatan, kelurahan), links in groups.items()]
    return tuple(sorted(places, key=lambda place: (place.code or "~", place.kecamatan or "", place.kelurahan or "")))


def normal(medium: str | None) -> str:
    """One word for each medium; empty where none is written."""
    word = (medium or "").strip().lower()
    return _ALIKE.get(word, word)


def document(places: Sequence[PlaceCoverage]) -> dict[str, Any]:
    """`coverage --format json`."""
    return {"places": len(places), "reached": sum(place.reached for place in places), "coverage": [_row(one) for one in places]}


def rows(places: Sequence[PlaceCoverage]) -> Iterator[dict[str, Any]]:
    """`coverage --format csv`."""
    return map(_row, places)


def _row(place: PlaceCoverage) -> dict[str, Any]:
    return {
        "code": place.code,
        "kecamatan": place.kecamatan,
        "kelurahan": place.kelurahan,
        "reached": place.reached,
        "media": dict(place.media),
        **{str(status): place.statuses.get(status, 0) for status in SiteStatus},
        "not_reached": [{"link": one.link.id, "why": one.why, "reason": one.reason} for one in place.missing],
    }


def _place(kecamatan: str | None, kelurahan: str | None, links: Sequence[Link], wanted: str) -> PlaceCoverage:
    active = [link for link in links if link.site.status is SiteStatus.ACTIVE]
    missing = tuple(_missing(links, wanted))
    offices = {link.id for link in links if link.kind is not LinkKind.WIFI} or {link.id for link in links}
    codes = sorted({link.site.code for link in links if link.site.code}, key=len)
    return PlaceCoverage(
        kecamatan=kecamatan,
        kelurahan=kelurahan,
        code=codes[0] if codes else None,
        media=dict(sorted(Counter(normal(link.site.medium) for link in active).items())),
        statuses=Counter(link.site.status for link in links),
        reached=not any(one.link.id in offices for one in missing),
        missing=missing,
    )


def _missing(links: Sequence[Link], wanted: str) -> Iterator[NotReached]:
    steps: dict[SiteStatus, Why] = {SiteStatus.PLANNED: "planned", SiteStatus.INSTALLED: "installed", SiteStatus.TRIAL: "trial"}
    for link in links:
        site = link.site
        if site.status in steps:
            yield NotReached(link=link, why=steps[site.status], reason=site.reason)
        elif normal(site.medium) != wanted:
            yield NotReached(link=link, why="other-medium" if site.medium else "no-medium", reason=site.reason)
