"""What a collector knows of where each interface was found, for others, and over a restart. Owns the format; `collector` says
when.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from bwmgr.model.samples import GapReason
from collectors.snmp.device import DeviceState
from collectors.snmp.objects import Column
from collectors.snmp.outcome import Whereabouts
from collectors.snmp.plan import Place

_VERSION = 1


def state_of(devices: Sequence[DeviceState]) -> bytes:
    """The resolved interfaces of all devices."""
    known = {device.target.device.id: _device(device) for device in devices if device.resolved}
    return json.dumps({"version": _VERSION, "devices": known}, separators=(",", ":")).encode()


def whereabouts(devices: Sequence[DeviceState]) -> Whereabouts:
    """Of all interfaces, in the devices' order."""
    places = [place for device in devices for place in device.places]
    return Whereabouts(
        interfaces=[place.interface for place in places],
        if_indexes=np.array([place.if_index or 0 for place in places], np.int64),
        descriptions=[place.description for place in places],
    )


def restore_state(state: bytes, devices: Sequence[DeviceState]) -> Iterator[DeviceState]:
    """Those of `devices` of which all interfaces were known then, with what was known put into them.

    Only at the same address: a device that was replaced is looked up. Anything that is not right is left out.
    """
    try:
        content = json.loads(state)
        known = content["devices"] if content["version"] == _VERSION else {}
    except (ValueError, TypeError, KeyError, RecursionError):
        return
    for device in devices:
        remembered = known.get(device.target.device.id) if isinstance(known, dict) else None
        if isinstance(remembered, dict) and _restore(device, remembered):
            yield device


def _device(device: DeviceState) -> dict[str, Any]:
    places = [
        [place.interface.name, place.if_index, int(place.identity), sorted(map(int, place.lacking)), place.description]
        for place in device.places
        if place.if_index is not None
    ]
    return {
        "address": [device.target.device.address, device.target.device.port, device.target.credential.version],
        "max_variables": device.max_variables,
        "repetitions": device.repetitions,
        "places": places,
    }


def _restore(device: DeviceState, remembered: dict[str, Any]) -> bool:
    here = [device.target.device.address, device.target.device.port, device.target.credential.version]
    try:
        if remembered["address"] != here:
            return False
        found = {str(name): (int(if_index), Column(identity), set(map(Column, lacking)), "".join(map(str, described)))
                 for name, if_index, identity, lacking, *described in remembered["places"]}  # fmt: skip
        limits = [_optional(remembered[name]) for name in ("max_variables", "repetitions")]
    except (ValueError, TypeError, KeyError):
        return False
    if any(place.interface.name not in found or not 0 < found[place.interface.name][0] < 2**31 for place in device.places):
        return False
    for place in device.places:
        _put(place, found[place.interface.name])
    device.max_variables, device.repetitions = limits
    device.reasons = [GapReason.NONE] * len(device.places)
    device.resolved, device.resolve_due = True, False
    return True


def _put(place: Place, found: tuple[int, Column, set[Column], str]) -> None:
    place.if_index, place.identity, place.lacking, place.description = found


def _optional(number: object) -> int | None:
    """A limit of at least 1, or none. Raises: ValueError, TypeError."""
    if number is None:
        return None
    if not isinstance(number, int) or not 1 <= number <= 4096:
        raise ValueError(number)
    return number


def known_indexes(state: bytes) -> dict[tuple[str, str], int]:
    """ifIndex by (device, interface name) as a collector remembered it; nothing where `state` is not right."""
    try:
        devices = json.loads(state)["devices"]
        return {(str(device), str(place[0])): int(place[1]) for device, known in devices.items() for place in known["places"]}
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        return {}
