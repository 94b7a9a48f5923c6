"""Names in InfluxDB: measurements, tags and fields, and which column of a row each field holds.

Owns the schema that dashboards and other tools read; a field never changes its type. What people rename is never a tag but an
inventory id. Rendering is `lines`, reading back is `reading`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntFlag

from bwmgr.errors import StoreRejected
from bwmgr.model.inventory import Inventory, Link
from bwmgr.model.said import Said
from bwmgr.stores import FLOW_USAGE, LINK_RATE, PROVIDER_RATE, UPLINK_RATE

LINK_STATE = "link_state"
DIRECTIONS = ("down", "up")
FLOW_TAGS = ("link", "direction", "application", "traffic_class")

SeriesTags = Mapping[tuple[str, str], Mapping[str, str]]
"""(measurement, series name) -> the tags that the inventory adds to it."""


class Holds(IntFlag):
    """Field `holds` of a rate or gap: which optional fields the last write set. InfluxDB keeps the fields that a rewritten point
    leaves out, so their being there says nothing."""

    LIMIT = 1
    DISCARDS = 2
    ERRORS = 4


class FlowFlags(IntFlag):
    """Field `flags` of flow_usage."""

    SAMPLED = 1
    OVER = 2
    """`octets` stand at the largest signed 64-bit integer; they are 2^63 and `octets_over` more: 1.x has no unsigned fields."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """Where the rows of a measurement are: rates (or sums) in one, gaps in another, None where there are none."""

    measurement: str
    gaps: str | None = None
    state: str | None = None


KEPT = {
    LINK_RATE: Kept(measurement=LINK_RATE, gaps="link_gap", state=LINK_STATE),
    UPLINK_RATE: Kept(measurement=UPLINK_RATE, gaps="uplink_gap"),
    PROVIDER_RATE: Kept(measurement=PROVIDER_RATE, gaps="provider_gap"),
    FLOW_USAGE: Kept(measurement=FLOW_USAGE),
}

_RATE_TAGS = ("link", "direction", "kind", "node", "device", "opd")
TABLES: Mapping[str, tuple[str, ...]] = {
    LINK_RATE: _RATE_TAGS,
    UPLINK_RATE: _RATE_TAGS,
    PROVIDER_RATE: _RATE_TAGS,
    "link_rate_1h": _RATE_TAGS,
    "uplink_rate_1h": _RATE_TAGS,
    LINK_STATE: ("link", "device"),
    "link_gap": ("link", "direction"),
    "uplink_gap": ("link", "direction"),
    "provider_gap": ("link", "direction"),
    FLOW_USAGE: FLOW_TAGS,
    "recommendation": ("link", "direction", "policy", "action", "status"),
    "allocation": ("link", "direction"),
    "interface": ("source", "ifName", "ifDescr", "ifIndex", "link"),
    "node_usage": ("node", "direction"),
    "poller": ("job",),
    "collector": ("job",),
}
"""Every measurement with all the tags that it may bear: InfluxDB 3 wants to know them before the first point."""

BOTH = {"bps": "rate_bps", "limit_bps": "limit_bps", "discards_ps": "discards_ps", "errors_ps": "errors_ps"}
"""Columns that exist as `down_...` and `up_...` -> their field in the point of that direction."""
OPTIONAL = {"limit_bps": Holds.LIMIT, "discards_ps": Holds.DISCARDS, "errors_ps": Holds.ERRORS}
SINGLE = {
    "quality": "quality_flags",
    "interval_ticks": "interval_ticks",
    "rtt_us": "rtt_us",
    "if_high_speed_mbps": "if_high_speed_mbps",
}
"""Columns that a row has once -> their field, in the point of direction down only."""


def flow_parts(name: str) -> list[str]:
    """The tag values of a flow key, in the order of `FLOW_TAGS`. Raises: StoreRejected for a name that is no such key."""
    parts = name.rsplit("|", len(FLOW_TAGS) - 1)
    if len(parts) != len(FLOW_TAGS) or not all(parts):
        raise StoreRejected(Said("{name!r} is no key of flows; write link|direction|application|class", name=name))
    return parts


def series_tags(inventory: Inventory) -> SeriesTags:
    """What the inventory says of each link and uplink."""
    return dict(_links(inventory)) | dict(_uplinks(inventory))


def _links(inventory: Inventory) -> Iterator[tuple[tuple[str, str], dict[str, str]]]:
    for link in inventory.links.values():
        yield (LINK_RATE, link.id), _present(kind=link.kind.value, node=link.parent, device=_device(link), opd=link.opd)


def _uplinks(inventory: Inventory) -> Iterator[tuple[tuple[str, str], dict[str, str]]]:
    for name, node, uplink in inventory.uplinks():
        yield (UPLINK_RATE, name), _present(kind="uplink", node=node.id, device=uplink.interface.device)


def _device(link: Link) -> str | None:
    return link.interface.device if link.interface is not None else None


def _present(**tags: str | None) -> dict[str, str]:
    return {name: value for name, value in tags.items() if value}
