"""`discover` for people: whom an address means, and a router's interfaces as a document and as YAML ready to paste.

Owns the words of the YAML; the walk is `collectors.snmp.discovery`'s.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from bwmgr.errors import UsageError
from bwmgr.model.inventory import Credential, Device, Inventory
from bwmgr.model.said import Said
from bwmgr.model.units import rate_text

if TYPE_CHECKING:
    from bwmgr.config.settings import Settings
    from collectors.snmp.discovery import Discovery, FoundInterface
    from collectors.snmp.settings import SnmpSettings

DEFAULT_PORT = 161


def snmp_settings(settings: Settings) -> SnmpSettings:
    """The collector's own settings from the section `snmp`."""
    from collectors.snmp.settings import SnmpSettings

    section = settings.snmp
    return SnmpSettings(
        interval_seconds=section.interval_seconds, timeout_seconds=section.timeout_seconds, retries=section.retries
    )


def device_at(inventory: Inventory, address: str) -> Device:
    """The device that `address` means: an id or address of the configuration, else a new one at ADDRESS[:PORT] or [IPv6]:PORT.

    Raises: UsageError for what is none of these.
    """
    if address in inventory.devices:
        return inventory.devices[address]
    host, port = split_address(address)
    for device in inventory.devices.values():
        if (device.address, device.port) == (host, port):
            return device
    return Device(id=_slug(host), address=host, port=port)


def split_address(address: str) -> tuple[str, int]:
    """Host and port of `10.0.0.1`, `10.0.0.1:1161`, `fd00::1`, `[fd00::1]:1161`, `router.example:161`. Raises: UsageError."""
    bracketed = re.fullmatch(r"\[([^\]]+)\](?::(\d+))?", address)
    if bracketed:
        host, port = bracketed[1], bracketed[2]
    elif address.count(":") > 1:
        host, port = address, None
    else:
        host, _, port = address.partition(":")
        if ":" in address and not port.isdigit():
            raise _no_address(address)
    number = int(port) if port else DEFAULT_PORT
    if not (_is_ipv6(host) or re.fullmatch(r"[\w.-]+", host)) or not 1 <= number <= 65535:
        raise _no_address(address)
    return host, number


def _no_address(text: str) -> UsageError:
    return UsageError(
        Said("not an address: {text!r}; write 10.0.0.1, 10.0.0.1:161, [fd00::1]:161, a name, or a device's id", text=text)
    )


def credential_for(inventory: Inventory, device: Device, credential_id: str | None) -> Credential:
    """The one asked for, else the device's own. Raises: UsageError that lists those there are."""
    wanted = credential_id or device.credentials
    if wanted not in inventory.credentials:
        raise UsageError(
            Said(
                "no credentials {name!r}; there are {known}",
                name=wanted,
                known=", ".join(inventory.credentials) or Said("none"),
            )
        )
    return inventory.credentials[wanted]


def discover_address(settings: Settings, address: str, credential_id: str | None = None) -> Discovery:
    """Walks the router at an address, whether it is in the configuration or not. Raises: UsageError, DeviceError."""
    from collectors.snmp.discovery import discover

    device = device_at(settings.inventory, address)
    credential = credential_for(settings.inventory, device, credential_id)
    return discover(replace(device, credentials=credential.id), credential, snmp_settings(settings))


def discovery_document(found: Discovery, vendor: str | None = None) -> dict[str, Any]:
    """As `discover --format json` prints it."""
    return {
        "device": {
            "id": device_id(found),
            "address": found.device.address,
            "port": found.device.port,
            "credentials": found.device.credentials,
            "sys_name": found.sys_name,
            "sys_descr": found.sys_descr,
            "sys_uptime_seconds": None if found.sys_uptime_ticks is None else found.sys_uptime_ticks / 100,
            "engine_id": found.engine_id,
        },
        "interfaces": [_interface_row(interface) for interface in found.interfaces],
        "yaml": discovery_yaml(found, vendor),
    }


def _interface_row(interface: FoundInterface) -> dict[str, Any]:
    return {
        "if_index": interface.if_index,
        "if_name": interface.name,
        "if_descr": interface.if_descr,
        "if_alias": interface.if_alias,
        "if_type": interface.if_type,
        "speed_bps": interface.speed_bps,
        "admin_up": interface.admin_up,
        "oper_up": interface.oper_up,
        "counter_bits": interface.counter_bits,
    }


def discovery_yaml(found: Discovery, vendor: str | None = None) -> str:
    """The device, and a link for each interface that is up: valid configuration, whose kinds and parents are to be set."""
    device = found.device
    port = f", port: {device.port}" if device.port != DEFAULT_PORT else ""
    described = f"  # {found.sys_descr}\n" if found.sys_descr else ""
    kind = f", vendor: {_text(vendor or device.vendor or '')}" if vendor or device.vendor else ""
    asked = f"address: {_text(device.address)}{port}, credentials: {_text(device.credentials)}"
    head = f"devices:\n{described}  - {{id: {device_id(found)}, {asked}{kind}}}\n"
    links = "".join(_link_yaml(found, *named) for named in _named(found))
    return f"{head}links:\n{links}" if links else f"{head}links: []\n"


def device_id(found: Discovery) -> str:
    """The configuration's id, or one made of what the router calls itself."""
    if found.device.id != _slug(found.device.address):
        return found.device.id
    return _slug(found.sys_name) if found.sys_name else found.device.id


def _named(found: Discovery) -> Iterator[tuple[str, FoundInterface, str]]:
    """(link id, interface, key that identifies it) of those that are up and can be told apart by name or alias."""
    up = [interface for interface in found.interfaces if interface.oper_up and interface.counter_bits]
    names = Counter(interface.name for interface in found.interfaces)
    aliases = Counter(interface.if_alias for interface in found.interfaces)
    taken: Counter[str] = Counter()
    for interface in up:
        if interface.name and names[interface.name] == 1:
            key = f"if_name: {_text(interface.name)}"
        elif interface.if_alias and aliases[interface.if_alias] == 1:
            key = f"if_alias: {_text(interface.if_alias)}"
        else:
            continue
        yield _unique(_slug(f"{device_id(found)}-{interface.name or interface.if_alias}"), taken), interface, key


def _unique(slug: str, taken: Counter[str]) -> str:
    taken[slug] += 1
    return slug if taken[slug] == 1 else _unique(f"{slug}-{taken[slug]}", taken)


def _link_yaml(found: Discovery, link: str, interface: FoundInterface, key: str) -> str:
    lines = [
        f"  - id: {link}",
        f"    name: {_text(interface.if_alias or f'{found.sys_name or found.device.address} {interface.name}')}",
        "    kind: opd",
        f"    interface: {{device: {device_id(found)}, {key}, faces: subscriber}}",
    ]
    if interface.speed_bps:
        rate = rate_text(interface.speed_bps)
        lines.append(f"    mir: {{down: {rate}, up: {rate}}}")
    return "\n".join(lines) + "\n"


def _text(text: str) -> str:
    """A YAML double-quoted scalar, which JSON's strings are; plain where nothing can be mistaken."""
    plain = re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", text) and text.lower() not in _YAML_WORDS
    return text if plain else json.dumps(text, ensure_ascii=False)


_YAML_WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}


def _slug(text: str) -> str:
    """Lower-case letters, digits and single hyphens, beginning with a letter."""
    slug = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "device"
    return slug if slug[0].isalpha() and slug not in _YAML_WORDS else f"r-{slug}"


def _is_ipv6(host: str) -> bool:
    try:
        return ip_address(host.partition("%")[0]).version == 6
    except ValueError:
        return False
