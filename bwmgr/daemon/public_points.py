"""What may be told to everybody of the points of a network: where and how far, never how they are reached or called inside.

Owns the public ids and the sieve that texts go through. A public id is a keyed hash of the link's id: the same for ever, and from
it nobody can find the link's id, not even by trying all that are likely, without the key, which stays in the state store.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from bwmgr.errors import UsageError
from bwmgr.model.inventory import Inventory, Link, LinkKind, SiteStatus
from bwmgr.model.said import Said

if TYPE_CHECKING:
    from bwmgr.stores.state import StateStore

PUBLIC_KINDS = (LinkKind.WIFI, LinkKind.FACILITY, LinkKind.VILLAGE)
"""What the public may use, and village offices; agencies' own lines are nobody else's business unless asked for."""
MEDIA = ("fibre", "radio", "copper", "satellite", "cellular")
_KEY = "public-id-key"
_DIGITS = 12
_PLACES = 5
"""Decimals of a degree: about a metre."""
_ADDRESS = re.compile(
    r"(?<![\d.])\d{1,3}(\.\d{1,3}){3}(?![\d.])|([0-9a-f]{2}[:-]){5}[0-9a-f]{2}|([0-9a-f]{1,4}:){2,}[0-9a-f:]*|@|\w+://",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class PublicPoint:
    """One point as everybody may know it."""

    id: str
    kind: LinkKind
    status: SiteStatus
    since: date | None
    code: str | None
    kecamatan: str | None
    kelurahan: str | None
    lat: float | None
    lon: float | None
    medium: str | None


def public_points(inventory: Inventory, state: StateStore, kinds: Sequence[LinkKind] = PUBLIC_KINDS) -> list[PublicPoint]:
    """The points of these kinds in the order of their public ids, which says nothing of the configuration's."""
    key = _key(state)
    sieve = Sieve(inventory)
    found = [_point(link, public_id(key, link.id), sieve) for link in inventory.links.values() if link.kind in kinds]
    if len({point.id for point in found}) != len(found):
        raise UsageError(Said("two points have one public id; this happens once in millions of years: tell the makers"))
    return sorted(found, key=lambda point: point.id)


def public_id(key: bytes, link: str) -> str:
    """Twelve hexadecimal digits: among 100,000 points two are the same with a chance of one in 50,000."""
    return hmac.new(key, link.encode(), hashlib.sha256).hexdigest()[:_DIGITS]


class Sieve:
    """Lets no text through that names something internal: an address, a device, an interface, a link's or node's id."""

    def __init__(self, inventory: Inventory) -> None:
        self._internal = {word.lower() for word in _internal(inventory) if len(word) > 2}

    def passed(self, text: str | None) -> str | None:
        """The text, or None where there is anything internal in it."""
        if text is None or _ADDRESS.search(text) or text.lower() in self._internal:
            return None
        return None if self._internal.intersection(re.split(r"[\s,;()/]+", text.lower())) else text


def _internal(inventory: Inventory) -> Iterable[str]:
    for device in inventory.devices.values():
        yield from (device.id, device.address)
    for link in inventory.links.values():
        yield link.id
        if link.interface is not None:
            yield link.interface.name


def _point(link: Link, name: str, sieve: Sieve) -> PublicPoint:
    site = link.site
    return PublicPoint(
        id=name,
        kind=link.kind,
        status=site.status,
        since=site.since,
        code=site.code,
        kecamatan=sieve.passed(site.kecamatan),
        kelurahan=sieve.passed(site.kelurahan),
        lat=None if site.lat is None else round(site.lat, _PLACES),
        lon=None if site.lon is None else round(site.lon, _PLACES),
        medium=site.medium if site.medium in MEDIA else None,
    )


def _key(state: StateStore) -> bytes:
    kept = state.get(_KEY)
    if kept is None:
        kept = secrets.token_bytes(32)
        state.put(_KEY, kept)
    return kept
