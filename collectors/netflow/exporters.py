"""Who exports: source addresses to small numbers, an allow-list, and what became of each exporter's datagrams.

Owns the bound on how many there may be and the figures by exporter that operators see.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bwmgr.model.inventory import Network
from collectors.netflow.work import Batch

MOST_EXPORTERS = 1 << 14
_WITHOUT_PORT = np.uint64(0xFFFF_FFFF_0000_FFFF)
"""Of the first word of a socket address, little-endian: the port stands in octets 2 and 3."""
_REFUSED_REMEMBERED = 4096
_FIRST_ROOM = 256
_A_MINUTE_MS = 60_000

Integers = NDArray[np.int64]


@dataclass(kw_only=True)
class ExporterFigures:
    """What one exporter sent. `lost` is in units of its protocol's sequence number (flows, datagrams or records)."""

    address: str
    datagrams: int = 0
    octets: int = 0
    flows: int = 0
    unknown_sampling_flows: int = 0
    """Flows of which nobody said whether they are sampled: counted as they came."""
    lost: int = 0
    early: int = 0
    """Data sets that came before their template."""
    templates: int = 0
    restarts: int = 0
    longest_seconds: float = 0.0
    """Longest flow above 60 s since the last minute was closed: then its active timeout is too long for graphs. 0: none."""
    clock_seconds: float = 0.0
    """Its clock less ours, by its last message; 0 where none told."""
    last_ms: int = 0
    """When it last sent anything, ms since 1970 UTC; 0: never."""
    problems: Counter[str] = field(default_factory=Counter)
    """Datagrams, sets and flows that were dropped, by reason."""


class Exporters:
    """Numbers in the order of first appearance. `allowed` None: anybody may send."""

    def __init__(self, allowed: Sequence[Network] | None = None) -> None:
        self.names: list[str] = []
        self.refused = 0
        """Datagrams from addresses that are not allowed, or that came when there were too many exporters."""
        self._allowed = allowed
        self._numbers: dict[bytes, int] = {}
        self._words: dict[int, int] = {}
        self._columns = np.zeros((len(_COLUMNS), _FIRST_ROOM), np.int64)
        self._problems: dict[int, Counter[str]] = {}

    def number(self, name: str) -> int:
        """The number of an exporter by its address, made if it is new; -1 where it may not send."""
        return self._number(ip_address(name).packed)

    def numbers(self, sources: NDArray[np.uint64], lengths: Integers, now_ms: int) -> Integers:
        """The exporter of each datagram by its socket address (words of 8 octets, shape (n, 4)), -1 where it is refused."""
        if not len(sources):
            return np.empty(0, np.int64)
        if sources[:, 1:3].any():
            distinct, inverse = _distinct_rows(sources)
            numbers = np.array([self._number(_address(row)) for row in distinct], np.int64)
        else:  # IPv4 alone: one word holds family, port and address
            words, inverse = np.unique(sources[:, 0] & _WITHOUT_PORT, return_inverse=True)
            distinct = words.tolist()
            numbers = np.array([self._number_of_word(word) for word in distinct], np.int64)
        datagrams = np.bincount(inverse, minlength=len(distinct))
        octets = np.bincount(inverse, lengths, len(distinct)).astype(np.int64)
        known = numbers >= 0
        self.refused += int(datagrams[~known].sum())
        np.add.at(self._column("datagrams"), numbers[known], datagrams[known])
        np.add.at(self._column("octets"), numbers[known], octets[known])
        self._column("last_ms")[numbers[known]] = now_ms
        result: Integers = numbers[inverse]
        return result

    def take(self, batch: Batch) -> None:
        """Counts what a batch says of its exporters."""
        for name, amounts in (
            ("lost", batch.lost),
            ("early", batch.early),
            ("templates", batch.templates),
            ("restarts", batch.restarts),
        ):
            for number, amount in amounts.items():
                self._column(name)[number] += amount
        for number, reasons in batch.of_exporter.items():
            self._problems.setdefault(number, Counter()).update(reasons)
        for numbers, clocks in batch.clocks:
            self._column("clock_ms")[numbers] = clocks

    def take_flows(self, exporter: NDArray[np.uint32], rate: Integers, duration_ms: Integers) -> None:
        """Counts flows, how many of them nobody said the sampling of, and how long they lasted."""
        room = self._columns.shape[1]
        counts = np.bincount(exporter, minlength=room)
        self._columns[_COLUMNS["flows"]] += counts
        unknown = counts if not rate.any() else np.bincount(exporter[rate == 0], minlength=room)
        self._columns[_COLUMNS["unknown_sampling"]] += unknown
        if int(duration_ms.max(initial=0)) > _A_MINUTE_MS:
            long = np.flatnonzero(duration_ms > _A_MINUTE_MS)
            np.maximum.at(self._column("longest_ms"), exporter[long], duration_ms[long])

    def problem(self, reason: str, exporter: NDArray[np.uint32]) -> None:
        """Counts one for each of these exporters' numbers."""
        for number, times in Counter(exporter.tolist()).items():
            self._problems.setdefault(number, Counter())[reason] += times

    def begin_minute(self) -> None:
        """Forgets how long flows were: a figure that should fall when a router is configured better."""
        self._column("longest_ms")[:] = 0

    def figures(self) -> list[ExporterFigures]:
        """Of every exporter, by number."""
        return [self._figures_of(number, name) for number, name in enumerate(self.names)]

    def _figures_of(self, number: int, name: str) -> ExporterFigures:
        figures = dict(zip(_COLUMNS, self._columns[:, number].tolist(), strict=True))
        return ExporterFigures(
            address=name,
            datagrams=figures["datagrams"],
            octets=figures["octets"],
            flows=figures["flows"],
            unknown_sampling_flows=figures["unknown_sampling"],
            lost=max(0, figures["lost"]),
            early=figures["early"],
            templates=figures["templates"],
            restarts=figures["restarts"],
            longest_seconds=figures["longest_ms"] / 1000,
            clock_seconds=figures["clock_ms"] / 1000,
            last_ms=figures["last_ms"],
            problems=Counter(self._problems.get(number, {})),
        )

    def _column(self, name: str) -> Integers:
        column: Integers = self._columns[_COLUMNS[name]]
        return column

    def _number_of_word(self, word: int) -> int:
        number = self._words.get(word)
        if number is None:
            number = self._number(word.to_bytes(8, "little")[4:])
            if len(self._words) < MOST_EXPORTERS + _REFUSED_REMEMBERED:
                self._words[word] = number
        return number

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
        if number >= self._columns.shape[1]:
            self._columns = np.concatenate([self._columns, np.zeros_like(self._columns)], axis=1)
        return number

    def _may_send(self, address: IPv4Address | IPv6Address) -> bool:
        if self._allowed is None:
            return True
        return any(address in network for network in self._allowed if network.version == address.version)


_COLUMNS = {
    name: place
    for place, name in enumerate(
        ("datagrams", "octets", "flows", "unknown_sampling", "lost", "early", "templates", "restarts", "longest_ms", "clock_ms",
         "last_ms")
    )
}  # fmt: skip


def allowed_networks(addresses: Iterable[str]) -> list[Network]:
    """Networks of single addresses, for devices that may send."""
    return [_network(ip_address(address)) for address in addresses]


def _network(address: IPv4Address | IPv6Address) -> Network:
    return IPv4Network(address) if isinstance(address, IPv4Address) else IPv6Network(address)


def _address(row: NDArray[np.uint64]) -> bytes:
    """The IP address in a struct sockaddr_in or sockaddr_in6 (ip(7), ipv6(7)); a mapped IPv4 address is one of IPv4."""
    octets = row.tobytes()
    family = int.from_bytes(octets[:2], "little")
    if family == 2:
        return octets[4:8]
    packed = octets[8:24]
    mapped = IPv6Address(packed).ipv4_mapped
    return packed if mapped is None else mapped.packed


def _distinct_rows(sources: NDArray[np.uint64]) -> tuple[list[NDArray[Any]], Integers]:
    """Distinct addresses without their ports, and which one each datagram has."""
    plain = np.ascontiguousarray(np.stack([sources[:, 0] & _WITHOUT_PORT, sources[:, 1], sources[:, 2]], axis=1))
    _, index, inverse = np.unique(plain.view("V24")[:, 0], return_index=True, return_inverse=True)
    return [sources[position] for position in index], inverse.astype(np.int64)
