"""Who exports: source addresses to small numbers, an allow-list, and what became of each exporter's datagrams.

Owns the bound on how many there may be and the figures by exporter that operators see.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bwmgr.model.inventory import Network

MOST_EXPORTERS = 1 << 14
_REFUSED_REMEMBERED = 4096


@dataclass(slots=True)
class ExporterFigures:
    """What one exporter sent. `lost` is in units of its protocol's sequence number (flows, datagrams or records)."""

    address: str
    datagrams: int = 0
    octets: int = 0
    lost: int = 0
    problems: Counter[str] = field(default_factory=Counter)
    last_ms: int = 0


class Exporters:
    """Numbers in the order of first appearance. `allowed` None: anybody may send."""

    def __init__(self, allowed: Sequence[Network] | None = None) -> None:
        self.names: list[str] = []
        self.figures: list[ExporterFigures] = []
        self.refused = 0
        """Datagrams from addresses that are not allowed, or that came when there were too many exporters."""
        self._allowed = allowed
        self._numbers: dict[bytes, int] = {}

    def number(self, name: str) -> int:
        """The number of an exporter by its address, made if it is new."""
        return self._number(_key(ip_address(name)))

    def numbers(self, sources: NDArray[np.uint64], lengths: NDArray[np.int64], now_ms: int) -> NDArray[np.int64]:
        """The exporter of each datagram by its socket address (words of 8 octets, shape (n, 4)), -1 where it is refused."""
        if not len(sources):
            return np.empty(0, np.int64)
        distinct, inverse = _distinct_rows(sources)
        numbers = np.array([self._number(_address(row)) for row in distinct], np.int64)
        datagrams = np.bincount(inverse, minlength=len(distinct))
        octets = np.bincount(inverse, lengths, len(distinct))
        for number, count, amount in zip(numbers.tolist(), datagrams.tolist(), octets.tolist(), strict=True):
            if number < 0:
                self.refused += count
                continue
            figures = self.figures[number]
            figures.datagrams += count
            figures.octets += int(amount)
            figures.last_ms = now_ms
        result: NDArray[np.int64] = numbers[inverse]
        return result

    def add_lost(self, lost: Counter[int]) -> None:
        """Takes in newly lost units by exporter; negative where they came after all."""
        for number, units in lost.items():
            self.figures[number].lost = max(0, self.figures[number].lost + units)

    def _number(self, key: bytes) -> int:
        known = self._numbers.get(key)
        if known is not None:
            return known
        address = ip_address(key)
        if len(self.names) >= MOST_EXPORTERS or not self._may_send(address):
            if len(self._numbers) < MOST_EXPORTERS + _REFUSED_REMEMBERED:
                self._numbers[key] = -1
            return -1
        number = self._numbers[key] = len(self.names)
        self.names.append(str(address))
        self.figures.append(ExporterFigures(str(address)))
        return number

    def _may_send(self, address: IPv4Address | IPv6Address) -> bool:
        if self._allowed is None:
            return True
        return any(address in network for network in self._allowed if network.version == address.version)


def allowed_networks(addresses: Iterable[str]) -> list[Network]:
    """Networks of single addresses, for devices that may send."""
    return [_network(ip_address(address)) for address in addresses]


def _network(address: IPv4Address | IPv6Address) -> Network:
    from ipaddress import IPv4Network

    return IPv4Network(address) if address.version == 4 else IPv6Network(address)


def _key(address: IPv4Address | IPv6Address) -> bytes:
    return address.packed


def _address(row: NDArray[np.uint64]) -> bytes:
    """The IP address in a struct sockaddr_in or sockaddr_in6 (ip(7), ipv6(7)); a mapped IPv4 address is one of IPv4."""
    octets = row.tobytes()
    family = int.from_bytes(octets[:2], "little")
    if family == 2:
        return octets[4:8]
    packed = octets[8:24]
    mapped = IPv6Address(packed).ipv4_mapped
    return packed if mapped is None else mapped.packed


def _distinct_rows(sources: NDArray[np.uint64]) -> tuple[list[NDArray[Any]], NDArray[np.int64]]:
    """Distinct addresses without their ports, and which one each datagram has. IPv4 alone, the common case, is one word."""
    first = sources[:, 0] & np.uint64(0xFFFF_FFFF_0000_FFFF)  # the port stands in octets 2 and 3
    if not sources[:, 1:3].any():
        _, index, inverse = np.unique(first, return_index=True, return_inverse=True)
    else:
        plain = np.ascontiguousarray(np.stack([first, sources[:, 1], sources[:, 2]], axis=1))
        _, index, inverse = np.unique(plain.view("V24")[:, 0], return_index=True, return_inverse=True)
    return [sources[position] for position in index], inverse.astype(np.int64)
