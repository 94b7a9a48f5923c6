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
                what = f"{place[0]} port {place[1]} is device {other.get('id')} already, at {self.place(other, 'address')}"
                self.blame(device, "address", Said("{what}; correct one", what=what))
            taken.setdefault(place, device)

    def _interfaces(self) -> Iterator[Record]:
        for node in self.nodes.values():
            yield from (uplink.get("interface") for uplink in node.get("uplinks", []) if uplink.get("interface"))
        yield from (link.get("interface") for link in self.links.values() if link.get("interface"))

    def _interfaces_once(self) -> None:
        taken: dict[tuple[Any, ...], Record] = {}
        for interface in self._interfaces():
            self.refer(interface, "device", self.devices, "device")
            keys = interface.source.entries
            if ("if_name" in keys) == ("if_alias" in keys):
                problem = "given beside if_alias; keep one" if "if_name" in keys else "missing; write if_name (or if_alias)"
                self.blame(interface, "if_name", problem)
            key = (interface.get("device"), interface.get("if_name"), interface.get("if_alias"))
            if key[0] is None or key[1:] == (None, None):
                continue
            if key in taken:
                other = taken[key]
                problem = f"{key[1] or key[2]} of {key[0]} is {other.path.removesuffix('.interface')}'s already, at "
                self.blame(
                    interface,
                    "",
                    Said(
                        "{problem}{file}:{line}; an interface has one user",
                        problem=problem,
                        file=other.source.file,
                        line=other.source.line,
                    ),
                )
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
        where = f"{first[1]} of link {owner.get('id')} at {owner.source.file}:{owner.line('networks')}"
        self.blame(
            second[2],
            "networks",
            Said("{second} overlaps {where}; an address belongs to one link", second=second[1], where=where),
        )
