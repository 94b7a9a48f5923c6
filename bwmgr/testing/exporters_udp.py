"""The regency's routers as flow exporters: each sends what its links carried, from its own address, over UDP.

Owns which router speaks which dialect, and that every minute is sent once, after its end. What is in it belongs to `exporters`.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from ipaddress import IPv4Address

import numpy as np

from bwmgr.testing.exporters import FLOW, LinkFlows, has_flows
from bwmgr.testing.exporters_wire import Exporter
from bwmgr.testing.regency import Regency
from bwmgr.testing.traffic import CELL_MS

SAMPLING = {"v5": 50, "sflow": 256}
_UPLINK_INDEX = 1000
"""The ifIndex of a router's way out, where nothing is polled."""


class RegencyExporters:
    """Exporters of every router of `regency` whose links have networks, sending to `collector` (host, port)."""

    def __init__(self, regency: Regency, collector: tuple[str, int]) -> None:
        """Raises: OSError where a router's address cannot be sent from."""
        self._regency, self._collector = regency, collector
        self.octets = 0
        """Octets of datagrams sent."""
        self.datagrams = 0
        self._next = regency.begins_ms // CELL_MS
        self._links: dict[str, list[LinkFlows]] = {}
        for link, traffic in regency.links.items():
            interface = regency.inventory.links[link].interface
            if interface is not None and has_flows(traffic.link):
                self._links.setdefault(interface.device, []).append(LinkFlows(traffic, seed=regency.seed))
        self.dialects = dict(_dialects(sorted(self._links)))
        self._sockets: dict[str, socket.socket] = {}
        self._exporters: dict[str, tuple[int, Exporter]] = {}
        for device in self._links:
            self._sockets[device] = one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            one.bind((regency.inventory.devices[device].address, 0))

    def close(self) -> None:
        for one in self._sockets.values():
            one.close()
        self._sockets.clear()

    def export(self) -> int:
        """Sends every minute that has ended and was not sent; returns how many datagrams that were."""
        before = self.datagrams
        for _ in self.each():
            pass
        return self.datagrams - before

    def each(self) -> Iterator[str]:
        """As `export`, one router at a time, so that a small receive buffer can be emptied in between; gives their ids."""
        now_ms = self._regency.now_ms()
        for cell in range(self._next, now_ms // CELL_MS):
            self._next = cell + 1
            for device in self._links:
                self._export(device, cell, self._regency.now_ms())  # a router stamps what it sends when it sends it
                yield device

    def _export(self, device: str, cell: int, now_ms: int) -> None:
        exporter = self._exporter(device, now_ms)
        if exporter is None:
            return
        indexes = dict(self._indexes(device))
        parts = [
            flows.minute(cell, link_index=indexes[flows.link.id], uplink_index=_UPLINK_INDEX) for flows in self._links[device]
        ]
        every = np.concatenate(parts) if parts else np.empty(0, FLOW)
        for datagram in exporter.datagrams(every, now_ms):
            self._sockets[device].sendto(datagram, self._collector)
            self.datagrams += 1
            self.octets += len(datagram)

    def _exporter(self, device: str, now_ms: int) -> Exporter | None:
        """The export process since the router's last boot; None while it is off."""
        booted_ms = self._regency.life(device).booted_ms(now_ms)
        if booted_ms is None:
            return None
        running = self._exporters.get(device)
        if running is None or running[0] != booted_ms:
            dialect = self.dialects[device]
            address = int(IPv4Address(self._regency.inventory.devices[device].address))
            exporter = Exporter(dialect, booted_ms=booted_ms, sampling=SAMPLING.get(dialect, 1), address=address)
            running = self._exporters[device] = (booted_ms, exporter)
        return running[1]

    def _indexes(self, device: str) -> Iterator[tuple[str, int]]:
        """(link, ifIndex) of the links on a device, as its agent numbers them at present."""
        ports = {port.if_name: port.if_index for port in self._regency.ports(device)}
        for flows in self._links[device]:
            interface = flows.link.interface
            if interface is not None:
                yield flows.link.id, ports.get(interface.if_name or "", 0)


def _dialects(devices: list[str]) -> Iterator[tuple[str, str]]:
    """Mostly v9, every third IPFIX; one old router with v5, one switch with sFlow."""
    switches = [device for device in devices if device.startswith("sw-")]
    others = [device for device in devices if device not in switches]
    for number, device in enumerate(devices):
        if switches and device == switches[-1]:
            yield device, "sflow"
        elif others and device == others[-1]:
            yield device, "v5"
        else:
            yield device, "ipfix" if number % 3 == 2 else "v9"
