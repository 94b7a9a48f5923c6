"""An inventory as the YAML that `bwmgr.config` reads: so that a virtual regency can be used like any other.

Owns the way from nouns to keys. Secrets go into files of their own, readable by their owner alone, and are referred to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import time
from pathlib import Path
from typing import Any

from bwmgr.model.inventory import (
    Calendar,
    Contract,
    Credential,
    Device,
    Event,
    Interface,
    Inventory,
    Link,
    Node,
    PerDirection,
    Provider,
    Site,
    SiteStatus,
    UsmKey,
)
from bwmgr.model.secret import Secret
from bwmgr.model.units import duration_text, rate_text

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SECRETS = "secrets"
DOMESTIC_FILE, SERVICES_FILE = "domestic.txt", "services.txt"

Keys = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Polling:
    """What the file says of polling; durations are seconds."""

    interval_seconds: float = 60.0
    timeout_seconds: float = 1.0
    retries: int = 1
    flows: str = ""
    """host:port on which flows are received, with the two lists beside the file; empty: none are."""


def write_configuration(inventory: Inventory, folder: Path, *, polling: Polling, comment: str = "") -> Path:
    """Writes `bwmgr.yaml` and `secrets/` into the folder, and returns the file's path. The store is its subfolder `var`."""
    import yaml

    document = configuration(inventory, folder, polling)
    path = folder / "bwmgr.yaml"
    text = yaml.safe_dump(document, allow_unicode=True, sort_keys=False, default_flow_style=None, width=130)
    path.write_text("".join(f"# {line}\n" for line in comment.splitlines()) + text, encoding="utf-8")
    return path


def configuration(inventory: Inventory, folder: Path, polling: Polling) -> Keys:
    """The document; writes the secrets that it refers to below `folder`."""
    organisation = inventory.organisation
    return {
        "organisation": {
            "name": organisation.name,
            "timezone": organisation.timezone,
            "language": organisation.language,
            "currency": organisation.currency,
        },
        "calendars": {name: _calendar(calendar) for name, calendar in inventory.calendars.items() if name != "always"},
        "store": {"kind": "embedded", "path": "var"},
        "snmp": {
            "interval": duration_text(polling.interval_seconds),
            "timeout": duration_text(polling.timeout_seconds),
            "retries": polling.retries,
        },
        **(
            {"netflow": {"listen": [polling.flows], "domestic": DOMESTIC_FILE, "services": SERVICES_FILE}}
            if polling.flows
            else {}
        ),
        "credentials": {name: _credential(credential, folder) for name, credential in inventory.credentials.items()},
        "providers": [_provider(provider) for provider in inventory.providers.values()],
        "devices": [_device(device) for device in inventory.devices.values()],
        "nodes": [_node(node) for node in inventory.nodes.values()],
        "links": [_link(link) for link in inventory.links.values()],
        **({"events": [_event(event) for event in inventory.events.values()]} if inventory.events else {}),
    }


def _given(**keys: Any) -> Keys:
    """Only what says something; `class_` loses its underscore."""
    return {key.rstrip("_"): content for key, content in keys.items() if content not in (None, {}, [], "")}


def _calendar(calendar: Calendar) -> Keys:
    week = {day: _hours(hours) for day, hours in zip(_DAYS, calendar.weekly or (), strict=False) if hours}
    return _given(**week, holidays=calendar.holidays, closed=sorted(day.isoformat() for day in calendar.closed))


def _hours(hours: Iterable[tuple[time, time | None]]) -> str:
    return ", ".join(f"{opens:%H:%M}-{f'{closes:%H:%M}' if closes else '24:00'}" for opens, closes in hours)


def _credential(credential: Credential, folder: Path) -> Keys:
    version: int | str = credential.version if credential.version == "2c" else int(credential.version)
    return _given(
        version=version,
        community=_secret(credential.community, folder, f"{credential.id}-community"),
        user=credential.user,
        auth=_usm(credential.auth, folder, f"{credential.id}-auth"),
        priv=_usm(credential.priv, folder, f"{credential.id}-priv"),
        context=credential.context,
    )


def _usm(key: UsmKey | None, folder: Path, name: str) -> Keys | None:
    return None if key is None else {"protocol": key.protocol, "key": _secret(key.key, folder, name)}


def _secret(secret: Secret | None, folder: Path, name: str) -> Mapping[str, str] | None:
    if secret is None:
        return None
    path = folder / _SECRETS / name
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(secret.reveal(), encoding="utf-8")
    return {"file": f"{_SECRETS}/{name}"}


def _provider(provider: Provider) -> Keys:
    return _given(id=provider.id, name=provider.name, contracts=[_contract(contract) for contract in provider.contracts])


def _contract(contract: Contract) -> Keys:
    sla = _given(availability=contract.sla.availability_percent, restitution=contract.sla.restitution)
    return _given(
        id=contract.id,
        **_rates(contract.capacity),
        price=contract.price,
        per=contract.per,
        start=contract.start,
        end=contract.end,
        sla=sla,
        international=_rate(contract.international_bps),
        domestic=_rate(contract.domestic_bps),
    )


def _device(device: Device) -> Keys:
    return _given(
        id=device.id,
        address=device.address,
        port=device.port,
        credentials=device.credentials,
        vendor=device.vendor,
        unconnected=device.unconnected or None,
    )


def _node(node: Node) -> Keys:
    return _given(
        id=node.id,
        name=node.name,
        parent=node.parent,
        capacity=_rates(node.capacity),
        cir=_rates(node.cir),
        weight=None if node.weight == 1 else node.weight,
        fairness=None if node.fairness == "leaf" else node.fairness,
        oversubscription=node.oversubscription,
        uplinks=[_given(interface=_interface(one.interface), contract=one.contract) for one in node.uplinks],
    )


def _link(link: Link) -> Keys:
    return _given(
        id=link.id,
        name=link.name,
        kind=str(link.kind),
        parent=link.parent,
        interface=_interface(link.interface) if link.interface else None,
        limit=_rates(link.limit),
        cir=_rates(link.cir),
        mir=_rates(link.mir),
        weight=None if link.weight == 1 else link.weight,
        class_=str(link.service_class),
        calendar=link.calendar,
        networks=[str(network) for network in link.networks],
        site=_site(link.site),
        opd=link.opd,
    )


def _site(site: Site) -> Keys:
    keys = {key: getattr(site, key) for key in ("kecamatan", "kelurahan", "code", "lat", "lon", "medium")}
    return _given(**keys, status=None if site.status is SiteStatus.ACTIVE else str(site.status))


def _event(event: Event) -> Keys:
    return _given(
        id=event.id,
        links=list(event.links),
        down=_rate(event.down_bps),
        up=_rate(event.up_bps),
        start=event.start.isoformat(),
        end=event.end.isoformat(),
        class_=str(event.service_class),
    )


def _interface(interface: Interface) -> Keys:
    return _given(device=interface.device, if_name=interface.if_name, if_alias=interface.if_alias, faces=str(interface.faces))


def _rates(pair: PerDirection[int] | PerDirection[int | None]) -> Keys:
    """Empty where nothing is said; a guarantee of 0 is nothing."""
    return _given(down=_rate(pair.down), up=_rate(pair.up))


def _rate(rate_bps: int | None) -> str | None:
    return rate_text(rate_bps) if rate_bps else None
