"""The keys `enforce:` of a device and `shaper:` of a link: where limits are held, and how bwmgr changes them.

Owns what they come to, how they are shown, and what must hold between them. Their names and kinds are in `bwmgr.config.shapes`.
"""

from __future__ import annotations

from typing import Any

from bwmgr.config.named import DIRECTIONS, Named
from bwmgr.config.reading import Record
from bwmgr.errors import UsageError
from bwmgr.model.inventory import Enforcer, Shaper, ShaperPort
from bwmgr.model.said import Said, said_by
from bwmgr.model.secret import Secret
from bwmgr.renderers.names import linux_interface, tc_handle

_NEEDED = {
    "linux": (),
    "routeros": ("user", "password"),
    "routeros-rest": ("user", "password"),
    "ios": ("user", "password"),
    "junos": ("user", "password"),
    "radius": ("secret",),
}
"""Keys that each driver needs of who it logs in as; IOS takes `secret` too, and no other has a use for what is not here."""
_OWN = {"namespace": ("linux",), "ca": ("routeros", "routeros-rest"), "host_keys": ("ios", "junos")}
_OPTIONAL = {"ios": ("secret",)}


def enforcer(record: Record) -> Enforcer:
    values = dict(record.values)
    if "timeout" in values:
        values["timeout_seconds"] = values.pop("timeout")
    return Enforcer(**values)


def shaper(record: Record) -> Shaper:
    ports = {way: _port(record.get(way)) for way in DIRECTIONS}
    return Shaper(device=record.get("device"), user=record.get("user"), **ports)


def shown_enforcer(known: Enforcer | None) -> dict[str, Any] | None:
    """In the configuration's words; a password as where it comes from."""
    if known is None:
        return None
    keys = {key: getattr(known, key) for key in ("driver", "namespace", "user", "port", "ca", "host_keys")}
    secrets = {"password": _source(known.password), "secret": _source(known.secret)}
    return _given(**keys, **secrets, timeout=f"{known.timeout_seconds:g}s")


def shown_shaper(known: Shaper | None) -> dict[str, Any] | None:
    if known is None:
        return None
    ports = {"down": known.down, "up": known.up}
    shown = {
        way: _given(interface=port.interface, parent=port.parent, **{"class": port.class_id})
        for way, port in ports.items()
        if port
    }
    return {"device": known.device, **shown, **_given(user=known.user)}


_ACCOUNT = Said("missing; write user: and password: {{file: PATH}} of an account that may write")
_MISSING = {"secret": Said("missing; write secret: {{file: PATH}}, what the router's `radius incoming` is set to")}


class EnforceChecks(Named):
    def check_enforcing(self) -> None:
        for device in self.devices.values():
            if (how := device.get("enforce")) is not None:
                self._enforcer(how)
        taken: dict[tuple[str, str, str], Record] = {}
        for link in self.links.values():
            if (place := link.get("shaper")) is not None:
                self._shaper(place, taken)

    def _enforcer(self, how: Record) -> None:
        driver, entries = how.get("driver"), how.source.entries
        if driver not in _NEEDED:
            return
        needed = _NEEDED[driver]
        for key in ("user", "password", "secret"):
            if key in needed and key not in entries:
                self.blame(how, key, _MISSING.get(key, _ACCOUNT))
            if key not in (*needed, *_OPTIONAL.get(driver, ())) and key in entries:
                self.blame(how, key, Said("the driver {driver} needs none; take it away", driver=driver))
        for key, drivers in _OWN.items():
            if key in entries and driver not in drivers:
                known = Said("{one} or {other}", one=drivers[0], other=drivers[1]) if len(drivers) > 1 else drivers[0]
                self.blame(how, key, Said("only the driver {known} has a use for it; take it away", known=known))

    def _shaper(self, place: Record, taken: dict[tuple[str, str, str], Record]) -> None:
        self.refer(place, "device", self.devices, Said("device"))
        device = self.devices.get(place.get("device"))
        how = device.get("enforce") if device is not None else None
        if device is not None and "enforce" not in device.source.entries:
            self.blame(
                place,
                "device",
                Said("device {device} has no enforce: that says how its limits are changed; add it", device=device.get("id")),
            )
        if "user" in place.source.entries and how is not None and how.get("driver") != "radius":
            self.blame(place, "user", Said("only a device with the driver radius has sessions of users; take it away"))
        for way in DIRECTIONS:
            port = place.get(way)
            if port is not None and how is not None and how.get("driver") == "linux":
                self._port(port, (place.get("device"), port.get("interface"), port.get("class", "1:10")), taken)

    def _port(self, port: Record, key: tuple[str, str, str], taken: dict[tuple[str, str, str], Record]) -> None:
        for name, check in (("interface", linux_interface), ("class", tc_handle), ("parent", tc_handle)):
            try:
                check(port.get(name, "1:10"))
            except UsageError as error:
                self.blame(port, name, said_by(error))
        if key in taken:
            other = taken[key].source
            problem = Said(
                "class {class_id} of {interface} is another link's, at {where}; give each its own",
                class_id=key[2],
                interface=key[1],
                where=f"{other.file}:{other.line}",
            )
            self.blame(port, "", problem)
        taken.setdefault(key, port)


def _port(record: Record | None) -> ShaperPort | None:
    if record is None:
        return None
    values = dict(record.values)
    if "class" in values:
        values["class_id"] = values.pop("class")
    return ShaperPort(**values)


def _source(secret: Secret | None) -> dict[str, str] | None:
    """Where a secret comes from, as it was written."""
    if secret is None:
        return None
    kind, _, name = secret.source.partition(":")
    return {kind: name}


def _given(**keys: Any) -> dict[str, Any]:
    return {key: value for key, value in keys.items() if value is not None}
