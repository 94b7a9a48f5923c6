"""What the flow collector has to know of a configuration: where to listen, who may send, whose traffic is whose.

Owns the way from settings to something that can be sent to another process; no secret is in it. Names of devices are looked up
here; ifIndexes come from what the SNMP collector has found.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from bwmgr.model.inventory import Inventory, Network
from bwmgr.stores import LINK_RATE, UPLINK_RATE, RateStore
from collectors.netflow.exporters import allowed_networks
from collectors.netflow.settings import FlowSettings, RawSettings
from collectors.snmp.memory import known_indexes

if TYPE_CHECKING:
    from bwmgr.config.settings import Settings

RAW_FOLDER = "raw-flows"
_MARGIN = 2.0
_LEAST_BELIEVABLE_BPS = 100e6


@dataclass(frozen=True, kw_only=True)
class FlowPlan:
    """`inventory` is without credentials; its devices have addresses instead of names where these resolve."""

    settings: FlowSettings
    inventory: Inventory
    indexes: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """ifIndex by (device, interface name) for links without networks."""
    devices: Mapping[str, str] = field(default_factory=dict)
    """Device id by address."""
    speeds: Mapping[str, float] = field(default_factory=dict)
    """Bit/s by exporter address beyond which no flow is believed, where its interfaces are polled."""
    domestic: Path | None = None
    services: Path | None = None
    processes: int = 1
    """How many work by it side by side."""


def make_plan(settings: Settings, collector_state: bytes | None, mbps: Mapping[str, int] = MappingProxyType({})) -> FlowPlan:
    """The plan of a configuration with a `netflow` section. A device whose name does not resolve may not send.

    `mbps`: the fastest ifHighSpeed that was polled, by device.
    """
    section, inventory = settings.netflow, settings.inventory
    assert section is not None
    addresses = {device.id: tuple(_addresses(device.address)) for device in inventory.devices.values()}
    if section.exporters is None:
        allowed: tuple[Network, ...] | None = tuple(allowed_networks(each for found in addresses.values() for each in found))
    else:
        allowed = section.exporters or None
    resolved = {
        device.id: replace(device, address=addresses[device.id][0] if addresses[device.id] else device.address)
        for device in inventory.devices.values()
    }
    return FlowPlan(
        settings=FlowSettings(
            listen=section.listen,
            allowed=allowed,
            sampling=dict(section.sampling),
            sharers=section.processes,
            raw=_raw(settings),
        ),
        inventory=replace(inventory, credentials={}, devices=resolved),
        indexes=_indexes(inventory, collector_state),
        devices={address: device for device, found in addresses.items() for address in found},
        speeds={address: believable_bps(mbps[device]) for device in mbps for address in addresses.get(device, ())},
        domestic=section.domestic,
        services=section.services,
        processes=section.processes,
    )


def believable_bps(fastest_mbps: int) -> float:
    """Twice the fastest interface that is polled: one that is not may be faster, and a Cisco tunnel may say less."""
    return max(_LEAST_BELIEVABLE_BPS, _MARGIN * fastest_mbps * 1e6)


def fastest_mbps(inventory: Inventory, store: RateStore) -> dict[str, int]:
    """The fastest ifHighSpeed of each device's interfaces, of links and uplinks, in their newest rows; without those that do not
    know it. Raises: StoreError."""
    links = {link.id: link.interface.device for link in inventory.links.values() if link.interface is not None}
    uplinks = {name: uplink.interface.device for name, _, uplink in inventory.uplinks()}
    found: dict[str, int] = {}
    for measurement, devices in ((LINK_RATE, links), (UPLINK_RATE, uplinks)):
        if not devices:
            continue
        newest = store.latest(measurement, series=list(devices))
        for row in newest.rows[newest.rows["if_high_speed_mbps"] > 0]:
            device = devices[newest.series[row["series"]]]
            found[device] = max(found.get(device, 0), int(row["if_high_speed_mbps"]))
    return found


def _raw(settings: Settings) -> RawSettings | None:
    raw = settings.netflow.raw if settings.netflow is not None else None
    if raw is None:
        return None
    return RawSettings(folder=settings.store.path / RAW_FOLDER, age_seconds=raw.keep_seconds, octets=raw.most_octets)


def _indexes(inventory: Inventory, state: bytes | None) -> dict[tuple[str, str], int]:
    """Those that matter, so that a plan changes only where one of them does."""
    known = known_indexes(state) if state is not None else {}
    wanted = [link.interface for link in inventory.links.values() if link.interface is not None and not link.networks]
    keys = [(interface.device, interface.name) for interface in wanted]
    return {key: known[key] for key in keys if key in known}


def _addresses(host: str) -> Iterable[str]:
    """The IP addresses of a device; none where its name does not resolve now."""
    try:
        return (str(ip_address(host)),)
    except ValueError:
        pass
    try:
        return dict.fromkeys(str(found[4][0]).partition("%")[0] for found in socket.getaddrinfo(host, None))
    except OSError:
        return ()
