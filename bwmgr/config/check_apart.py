"""What may exist once: a device's address, an interface, a network.

Two names of one interface, one link by if_name and another by if_alias, are not seen here: only the device knows that.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bwmgr.config.named import Named
from bwmgr.config.reading import Record
from bwmgr.model.inventory import Network
from bwmgr.model.said import Said


class ApartChecks(Named):
    def check_apart(self) -> None:
        self._addresses_once()
        self._interfaces_once()
        self._networks_apart()

    def _addresses_once(self) -> None:
        taken: dict[tuple[str, int], Record] = {}
        for device in self.devices.values():
            if "address" not in device.values or ("port" in device.source.entries and "port" not in device.values):
                continue
            place = (device.get("address"), device.get("port", 161))
            if place in taken:
                other = taken[place]
                problem = Said(
                    "{address} port {port} is device {device} already, at {where}; correct one",
                    address=place[0],
                    port=str(place[1]),
                    device=other.get("id"),
                    where=self.place(other, "address"),
                )
                self.blame(device, "address", problem)
            taken.setdefault(place, device)

    def _interfaces(self) -> Iterator[Record]:
        for node in self.nodes.values():
            yield from (uplink.get("interface") for uplink in node.get("uplinks", []) if uplink.get("interface"))
        yield from (link.get("interface") for link in self.links.values() if link.get("interface"))

    def _interfaces_once(self) -> None:
        taken: dict[tuple[Any, ...], Record] = {}
        for interface in self._interfaces():
            self.refer(interface, "device", self.devices, Said("device"))
            keys = interface.source.entries
            if ("if_name" in keys) == ("if_alias" in keys):
                both, neither = Said("given beside if_alias; keep one"), Said("missing; write if_name (or if_alias)")
                self.blame(interface, "if_name", both if "if_name" in keys else neither)
            key = (interface.get("device"), interface.get("if_name"), interface.get("if_alias"))
            if key[0] is None or key[1:] == (None, None):
                continue
            if key in taken:
                other = taken[key]
                problem = Said(
                    "{interface} of {device} is {user}'s already, at {where}; an interface has one user",
                    interface=key[1] or key[2],
                    device=key[0],
                    user=other.path.removesuffix(".interface"),
                    where=f"{other.source.file}:{other.source.line}",
                )
                self.blame(interface, "", problem)
            taken.setdefault(key, interface)

    def _networks_apart(self) -> None:
        """Sorted, a network that overlaps another is nested in it: one pass with the enclosing ones on a stack."""
        every = [
            (network.version, int(network.network_address), network.prefixlen, place, network, link)
            for place, link in enumerate(self.links.values())
            for network in link.get("networks", [])
        ]
        open_: list[tuple[int, Network, Record]] = []
        for version, address, _, place, network, link in sorted(every, key=lambda entry: entry[:4]):
            while open_ and (open_[-1][1].version != version or int(open_[-1][1].broadcast_address) < address):
                open_.pop()
            if open_:
                self._overlap(open_[-1], (place, network, link))
            open_.append((place, network, link))

    def _overlap(self, one: tuple[int, Network, Record], two: tuple[int, Network, Record]) -> None:
        first, second = sorted((one, two), key=lambda entry: entry[0])
        owner = first[2]
        problem = Said(
            "{network} overlaps {other} of link {link} at {where}; an address belongs to one link",
            network=second[1],
            other=first[1],
            link=owner.get("id"),
            where=self.place(owner, "networks"),
        )
        self.blame(second[2], "networks", problem)
