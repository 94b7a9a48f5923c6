"""What the virtual regency's people do with their bandwidth: conversations of each link whose octets add up to its counters.

Owns who talks to what and how much of a minute's octets each conversation gets: a pure function of the link, a seed and the
minute. The wire formats are `exporters_wire`, the sending `exporters_udp`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Network

import numpy as np
from numpy.typing import NDArray

from bwmgr.model.inventory import Direction, Link, LinkKind
from bwmgr.testing.noise import key_of, uniform
from bwmgr.testing.traffic import CELL_MS, COLUMNS, LinkTraffic

FRAME_OCTETS = 22
"""What the counters of these routers have over IP: an Ethernet header, a VLAN tag and the FCS, for each packet."""
PACKET_OCTETS = 800
"""Mean frame, as the routers' packet counters have it."""
TCP, UDP = 6, 17

FLOW = np.dtype(
    [
        ("source", "u4"),
        ("destination", "u4"),
        ("source_port", "u2"),
        ("destination_port", "u2"),
        ("protocol", "u1"),
        ("down", "?"),
        ("octets", "i8"),
        ("packets", "i8"),
        ("start_ms", "i8"),
        ("end_ms", "i8"),
        ("link_index", "u4"),
        ("uplink_index", "u4"),
    ]
)
"""A flow as a router knows it; indexes are the router's ifIndexes of the link's port and of the way out."""


@dataclass(frozen=True, kw_only=True)
class Service:
    """Something that people use, by the name that a collector gives it.

    `weights` are its shares of (download, upload); `servers` are where it answers.
    """

    name: str
    servers: IPv4Network
    port: int
    protocol: int = TCP
    weights: tuple[float, float]
    domestic: bool


def _service(name: str, servers: str, port: int, weights: tuple[float, float], *, domestic: bool, protocol: int = TCP) -> Service:
    return Service(name=name, servers=IPv4Network(servers), port=port, protocol=protocol, weights=weights, domestic=domestic)


SERVICES = (
    _service("youtube", "142.250.4.0/24", 443, (30, 4), domestic=True, protocol=UDP),
    _service("zoom", "170.114.10.0/24", 8801, (13, 34), domestic=False, protocol=UDP),
    _service("whatsapp", "157.240.208.0/24", 443, (9, 12), domestic=False),
    _service("microsoft", "13.107.6.0/24", 443, (12, 5), domestic=False),
    _service("government", "103.14.44.0/24", 443, (8, 22), domestic=True),
    _service("tiktok", "103.136.220.0/24", 443, (14, 5), domestic=True, protocol=UDP),
    _service("https", "104.18.32.0/24", 443, (9, 10), domestic=False),
    _service("mail-imap", "103.30.180.0/24", 993, (3, 6), domestic=True),
    _service("dns", "8.8.8.0/24", 53, (0.2, 0.3), domestic=False, protocol=UDP),
    _service("bittorrent", "198.51.100.0/24", 51413, (1.8, 1.7), domestic=False),
)
_LISTED = frozenset({"youtube", "whatsapp", "microsoft", "government", "tiktok"})
_OFFICE_RATIO = {"youtube": 0.6, "tiktok": 0.4, "government": 2.0, "zoom": 1.6}
_LEISURE_RATIO = {"youtube": 1.4, "tiktok": 2.0, "government": 0.1, "zoom": 0.2, "mail-imap": 0.3}
_LEISURE = (LinkKind.WIFI, LinkKind.FACILITY)
_PARTNERS = 3
"""Conversations of each service at a time."""
_ROOM = 4096
"""More than a link has conversations: keeps their chances apart."""


class LinkFlows:
    """The flows of one link, minute by minute."""

    def __init__(self, traffic: LinkTraffic, *, seed: int, services: Sequence[Service] = SERVICES) -> None:
        self.traffic, self.link = traffic, traffic.link
        self._services = services
        self._key = key_of(seed, "flows", self.link.id)

    def minute(self, cell: int, *, link_index: int = 1, uplink_index: int = 2) -> NDArray[np.void]:
        """All flows (FLOW) of a cell; the octets of each direction are the counters' without frames, to the octet."""
        amounts = self.traffic.cells(cell, 1).counts
        parts = [
            self._one_way(cell, direction, int(amounts[COLUMNS.index(direction), 0]), link_index, uplink_index)
            for direction in Direction
        ]
        return np.concatenate(parts)

    def shares(self, direction: Direction, cells: NDArray[np.int64]) -> NDArray[np.float64]:
        """What part of the octets each service has in each cell: shape (services, cells)."""
        weight = self._weights(direction, cells)
        by_service: NDArray[np.float64] = weight.reshape(len(self._services), _PARTNERS, -1).sum(axis=1)
        shares: NDArray[np.float64] = by_service / by_service.sum(axis=0)
        return shares

    @cached_property
    def network(self) -> IPv4Network:
        """Where its hosts are. Raises: StopIteration for a link without IPv4 networks."""
        return next(network for network in self.link.networks if isinstance(network, IPv4Network))

    @cached_property
    def _hosts(self) -> NDArray[np.uint32]:
        """The own host of each conversation: few hosts have many of them."""
        hosts = min(self.network.num_addresses - 2, 40)
        skewed = uniform(self._key, np.arange(len(self._services) * _PARTNERS, dtype=np.int64)) ** 3
        return (int(self.network.network_address) + 10 + (skewed * (hosts - 10)).astype(np.int64)).astype(np.uint32)

    def _weights(self, direction: Direction, cells: NDArray[np.int64]) -> NDArray[np.float64]:
        """Shape (conversations, cells): what people like, and chance."""
        place = cells[None, :] * _ROOM + np.arange(len(self._services) * _PARTNERS, dtype=np.int64)[:, None]
        weights: NDArray[np.float64] = self._tastes[direction][:, None] * (0.7 + 0.6 * uniform(self._key + 11, place))
        return weights

    @cached_property
    def _tastes(self) -> dict[Direction, NDArray[np.float64]]:
        """The share of each conversation over a long time."""
        liked = _LEISURE_RATIO if self.link.kind in _LEISURE else _OFFICE_RATIO
        partners = 1 / (1 + 2 * np.arange(_PARTNERS))
        chance = 0.5 + uniform(self._key + 13, np.arange(len(self._services), dtype=np.int64))
        found = {}
        for side, direction in enumerate(Direction):
            base = np.array([service.weights[side] * liked.get(service.name, 1.0) for service in self._services])
            found[direction] = np.outer(base * chance, partners).reshape(-1)
        return found

    def _one_way(self, cell: int, direction: Direction, counted: int, link_index: int, uplink_index: int) -> NDArray[np.void]:
        down = direction is Direction.DOWN
        frames = -(-counted // PACKET_OCTETS)
        weight = self._weights(direction, np.array([cell], np.int64))[:, 0]
        octets = _shared_out(counted - FRAME_OCTETS * frames, weight)
        flows = np.zeros(len(octets), FLOW)
        own, port = ("destination", "destination_port") if down else ("source", "source_port")
        other, service_port = ("source", "source_port") if down else ("destination", "destination_port")
        flows[own], flows[port] = self._hosts, self._client_ports(cell)
        flows[other] = self._servers
        flows[service_port] = np.repeat([service.port for service in self._services], _PARTNERS)
        flows["protocol"] = np.repeat([service.protocol for service in self._services], _PARTNERS)
        flows["down"], flows["octets"], flows["packets"] = down, octets, _shared_out(frames, weight)
        flows["packets"] = np.maximum(flows["packets"], 1)
        flows["start_ms"], flows["end_ms"] = cell * CELL_MS, (cell + 1) * CELL_MS - 1
        flows["link_index"], flows["uplink_index"] = link_index, uplink_index
        return flows[flows["octets"] > 0]

    @cached_property
    def _servers(self) -> NDArray[np.uint32]:
        chance = uniform(self._key + 7, np.arange(len(self._services) * _PARTNERS, dtype=np.int64))
        first = np.repeat([int(service.servers.network_address) for service in self._services], _PARTNERS)
        room = np.repeat([service.servers.num_addresses - 2 for service in self._services], _PARTNERS)
        servers: NDArray[np.uint32] = (first + 1 + (chance * room).astype(np.int64)).astype(np.uint32)
        return servers

    def _client_ports(self, cell: int) -> NDArray[np.uint16]:
        """New connections every ten minutes; from ports after which no service is named, as 37777 (a camera's) would be."""
        place = np.arange(len(self._services) * _PARTNERS, dtype=np.int64) + cell // 10 * 1000
        return (52_000 + uniform(self._key + 3, place) * 12_000).astype(np.uint16)


def service_list(services: Sequence[Service] = SERVICES) -> str:
    """The file of networks with services' names that goes with them; others are known by their ports."""
    return "".join(f"{service.servers} {service.name}\n" for service in services if service.name in _LISTED)


def domestic_list(services: Sequence[Service] = SERVICES) -> str:
    """The file of domestic networks."""
    return "".join(f"{service.servers}\n" for service in services if service.domestic)


def _shared_out(amount: int, weight: NDArray[np.float64]) -> NDArray[np.int64]:
    """Whole parts of `amount` by weight that add up to it."""
    running = np.floor(max(amount, 0) * np.cumsum(weight) / weight.sum()).astype(np.int64)
    running[-1] = max(amount, 0)
    parts: NDArray[np.int64] = np.diff(running, prepend=0)
    return parts


def has_flows(link: Link) -> bool:
    """Whether the link has hosts to have flows of."""
    return any(isinstance(network, IPv4Network) for network in link.networks)
