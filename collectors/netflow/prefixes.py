"""Longest-prefix match of whole columns of addresses.

Owns one immutable table for IPv4 and IPv6 prefixes with a small number behind each. IPv4 goes through three gathers (16, 8 and 8
bits) whatever the number of prefixes; blocks that are alike are stored once, so that a table of 9,000 networks takes a few MiB.
IPv6 is searched in the sorted bounds of its prefixes.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network

import numpy as np
from numpy.typing import NDArray

NONE = 0
"""What an address under no prefix gives: numbers begin at 1."""
Numbers = NDArray[np.uint32]
_BLOCK = 256


class PrefixTable:
    """Made of (prefix, number) pairs; of several numbers for one prefix the last holds."""

    def __init__(self, prefixes: Iterable[tuple[IPv4Network | IPv6Network, int]]) -> None:
        """Raises: ValueError for a number below 1."""
        pairs = list(prefixes)
        if any(number < 1 for _, number in pairs):
            raise ValueError("numbers of prefixes begin at 1: 0 means that there is none")
        self.size = len(pairs)
        self._first, self._second, self._third = _tables4([pair for pair in pairs if pair[0].version == 4])
        self._starts6, self._numbers6 = _bounds6([pair for pair in pairs if pair[0].version == 6])

    def of4(self, addresses: NDArray[np.uint32]) -> Numbers:
        """The number of the longest prefix of each IPv4 address."""
        second = self._first[addresses >> np.uint32(16)] + ((addresses >> np.uint32(8)) & np.uint32(0xFF))
        third: Numbers = self._second[second]
        if self._third is None:
            return third
        numbers: Numbers = self._third[third + (addresses & np.uint32(0xFF))]
        return numbers

    def of6(self, addresses: NDArray[np.bytes_]) -> Numbers:
        """The number of the longest prefix of each IPv6 address (dtype S16)."""
        if len(self._starts6) == 1:
            return np.zeros(len(addresses), np.uint32)
        numbers: Numbers = self._numbers6[np.searchsorted(self._starts6, addresses, "right") - 1]
        return numbers

    def of(self, addresses: NDArray[np.uint32] | NDArray[np.bytes_], family: int) -> Numbers:
        """As `of4` or `of6`."""
        return self.of4(addresses) if family == 4 else self.of6(addresses)  # type: ignore[arg-type]


def _tables4(pairs: list[tuple[IPv4Network | IPv6Network, int]]) -> tuple[Numbers, Numbers, Numbers | None]:
    """(first, second, third): entries of the first two are offsets of blocks; without prefixes beyond /24 the second has the
    numbers."""
    starts, numbers = _bounds(pairs, 32)
    deep = any(network.prefixlen > 24 for network, _ in pairs)
    edges = np.append(starts, 1 << 32)
    third = _Blocks()
    second = _Blocks()
    first = np.empty(1 << 16, np.uint32)
    at = 0
    while at < 1 << 32:
        run = int(np.searchsorted(edges, at, "right")) - 1
        whole = min(int(edges[run + 1]), 1 << 32) - at >> 16
        if at % (1 << 16) == 0 and whole:  # whole blocks of one number
            number = int(numbers[run])
            entry = third.uniform(number) if deep else number
            first[at >> 16 : (at >> 16) + whole] = second.uniform(entry)
            at += whole << 16
            continue
        first[at >> 16] = second.of(_second_block(at, starts, numbers, third if deep else None))
        at += 1 << 16
    return first, second.table(), third.table() if deep else None


def _second_block(base: int, starts: NDArray[np.int64], numbers: Numbers, third: _Blocks | None) -> Numbers:
    """256 entries for the /24s of one /16."""
    if third is None:
        return _looked_up(base + (np.arange(_BLOCK) << 8), starts, numbers)
    numbers_of_24s = _looked_up(base + (np.arange(_BLOCK) << 8), starts, numbers)
    entries = np.array([third.uniform(number) for number in numbers_of_24s.tolist()], np.uint32)
    inside = starts[np.searchsorted(starts, base) : np.searchsorted(starts, base + (1 << 16))]
    for block in np.unique(inside >> 8).tolist():  # only these can hold more than one number
        entries[block & 0xFF] = third.of(_looked_up((block << 8) + np.arange(_BLOCK), starts, numbers))
    return entries


def _looked_up(addresses: NDArray[np.int64], starts: NDArray[np.int64], numbers: Numbers) -> Numbers:
    found: Numbers = numbers[np.searchsorted(starts, addresses, "right") - 1]
    return found


class _Blocks:
    """Blocks of 256 entries, each kept once; gives their offsets."""

    def __init__(self) -> None:
        self._offsets: dict[bytes, int] = {}
        self._uniform: dict[int, int] = {}
        self._blocks: list[Numbers] = []

    def of(self, block: Numbers) -> int:
        key = block.tobytes()
        if key not in self._offsets:
            self._offsets[key] = len(self._blocks) * _BLOCK
            self._blocks.append(block)
        return self._offsets[key]

    def uniform(self, entry: int) -> int:
        """The offset of a block that holds one entry throughout."""
        if entry not in self._uniform:
            self._uniform[entry] = self.of(np.full(_BLOCK, entry, np.uint32))
        return self._uniform[entry]

    def table(self) -> Numbers:
        return np.concatenate(self._blocks)


def _bounds(pairs: list[tuple[IPv4Network | IPv6Network, int]], bits: int) -> tuple[NDArray[np.int64], Numbers]:
    """Where the longest prefix changes, from 0 on, and the number that holds from there."""
    starts, numbers = _changes(pairs, bits)
    return np.array(starts, np.int64), np.array(numbers, np.uint32)


def _changes(pairs: list[tuple[IPv4Network | IPv6Network, int]], bits: int) -> tuple[list[int], list[int]]:
    """Prefixes are nested or apart, so a stack of open ones gives the longest at any place."""
    unique = dict(pairs)
    ordered = sorted(unique.items(), key=lambda pair: (int(pair[0].network_address), pair[0].prefixlen))
    starts, numbers = [0], [NONE]
    open_: list[tuple[int, int]] = []  # (end, number)

    def change(at: int, number: int) -> None:
        if starts[-1] == at:
            numbers[-1] = number
        else:
            starts.append(at)
            numbers.append(number)

    def close_until(at: int) -> None:
        while open_ and open_[-1][0] <= at:
            end, _ = open_.pop()
            if end < 1 << bits:
                change(end, open_[-1][1] if open_ else NONE)

    for network, number in ordered:
        begin = int(network.network_address)
        close_until(begin)
        change(begin, number)
        open_.append((begin + network.num_addresses, number))
    close_until(1 << bits)
    return starts, numbers


def _bounds6(pairs: list[tuple[IPv4Network | IPv6Network, int]]) -> tuple[NDArray[np.bytes_], Numbers]:
    starts, numbers = _changes(pairs, 128)
    return np.array([start.to_bytes(16, "big") for start in starts], "S16"), np.array(numbers, np.uint32)
