"""Who and what uses a link most: hosts, conversations, applications and networks by link, direction, interval; memory is bounded.

Owns how exact that is, and says it. Exact up to `most` hosts and `most` conversations in an interval. Beyond that the smaller
half is forgotten: then any figure may be too low by at most `error_octets`, never too high. Above `ROWS_PER_SECOND` flows only
every k-th is looked at and counts k times: `sampled` is k. A flow counts in the interval in which it was reported.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from ipaddress import IPv6Address

import numpy as np
from numpy.typing import NDArray

from collectors.netflow.attribution import Sides
from collectors.netflow.columns import Column, Flows
from collectors.netflow.sums import Keys, Sums

ROWS_PER_SECOND = 5_000
"""A million and a half flows in five minutes: a share of 1 % is then known to within 1 part in 100."""
_AT_ONCE = 20_000
"""Rows that wait, 1 MiB of them, to be added together."""
_MAPPED = np.uint64(0xFFFF_0000_0000)  # an IPv4 address as IPv6 has it, ::ffff:0:0/96
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))  # splitmix64 (Steele, Lea, Flood, 2014)

Integers = NDArray[np.int64]


class By(IntEnum):
    HOST = 0
    CONVERSATION = 1
    APPLICATION = 2
    ASN = 3
    """The network (autonomous system) at the other end, where the exporter tells it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TopRow:
    """One of a link's largest: addresses as text, `number` an application's or an AS's; `share_ratio` is of the link's octets
    that way."""

    host: str = ""
    remote: str = ""
    number: int = 0
    octets: int
    share_ratio: float


@dataclass(frozen=True, kw_only=True)
class TopSnapshot:
    """The largest of each link and direction in [start, end), columns aligned, the largest of each group first.

    `host` and `remote` have shape (n, 2): an IPv6 address as two words, IPv4 mapped; 0 where they do not apply.
    """

    start_ms: int
    end_ms: int
    by: NDArray[np.uint8]
    link: NDArray[np.uint32]
    direction: NDArray[np.uint8]
    host: Keys
    remote: Keys
    number: NDArray[np.uint32]
    octets: Integers
    share_ratio: NDArray[np.float64]
    sampled: int
    error_octets: int

    @property
    def approximate(self) -> bool:
        """Were flows left out, or hosts and conversations forgotten?"""
        return self.sampled > 1 or self.error_octets > 0

    def top(self, link: int, by: By, direction: int) -> list[TopRow]:
        """The largest of a link (by number) in a direction (0 down), largest first."""
        chosen = np.flatnonzero((self.link == link) & (self.by == by) & (self.direction == direction))
        return [
            TopRow(
                host=address_text(self.host[at]),
                remote=address_text(self.remote[at]),
                number=int(self.number[at]),
                octets=int(self.octets[at]),
                share_ratio=float(self.share_ratio[at]),
            )
            for at in chosen.tolist()
        ]


def address_text(words: Keys) -> str:
    """An address of two words as people write it; empty for none."""
    address = IPv6Address((int(words[0]) << 64) | int(words[1]))
    return str(address.ipv4_mapped or address) if int(address) else ""


class Top:
    """Adds up what attributed flows say, one interval after the other."""

    def __init__(self, *, interval_seconds: int = 300, most: int = 1 << 17, rows: int = 20) -> None:
        self._interval_ms = interval_seconds * 1000
        self._rows = rows
        self._hosts = _Largest(3, most)
        self._conversations = _Largest(5, most)
        self._applications = Sums(1, most=1 << 20)
        self._networks = Sums(1, most=1 << 20)
        self._finished: list[TopSnapshot] = []
        self._waiting: list[tuple[Keys, ...]] = []
        self._rows_waiting = 0
        self._start_ms = 0
        self._second, self._of_second, self._before = 0, 0, 0
        self._sampled = 1
        self._offset = 0

    def add(self, flows: Flows, side: Sides, now_ms: int) -> None:
        """Takes in flows that belong to links."""
        self._begin_interval(now_ms)
        every = self._step(len(side.link), now_ms)
        octets = flows.octets if side.row is None else flows.octets[side.row]
        rate = flows.rate if side.row is None else flows.rate[side.row]
        chosen = slice(self._offset % every, None, every)
        self._offset += 1
        place = (side.link[chosen].astype(np.uint64) << np.uint64(1)) | side.direction[chosen]
        octets = octets[chosen] * np.maximum(rate[chosen], 1) * every
        host, remote = _words(side.host[chosen], flows.family), _words(side.remote[chosen], flows.family)
        application = side.application[chosen].astype(np.uint64)
        network = np.zeros_like(place) if side.remote_as is None else side.remote_as[chosen].astype(np.uint64)
        self._waiting.append((place, *host, *remote, application, network, octets.view(np.uint64)))
        self._rows_waiting += len(place)
        if self._rows_waiting >= _AT_ONCE:
            self._add_waiting()

    def _add_waiting(self) -> None:
        """Into the sums with what was taken in: for a few hundred rows a batch they would cost as much as for ten thousand."""
        if not self._waiting:
            return
        place, *addresses, application, network, octets = (
            np.concatenate(columns) for columns in zip(*self._waiting, strict=True)
        )
        amounts = octets.view(np.int64)
        self._waiting, self._rows_waiting = [], 0
        self._applications.add(_numbered(place, application), amounts)
        told = network > 0
        if told.any():
            self._networks.add(_numbered(place[told], network[told]), amounts[told])
        self._hosts.add((place, *addresses[:2]), amounts)
        self._conversations.add((place, *addresses), amounts)

    def snapshot(self, now_ms: int) -> TopSnapshot:
        """The interval that runs, as far as it has come."""
        self._add_waiting()
        place, applications, octets = _of_numbers(self._applications)
        totals: NDArray[np.float64] = np.bincount(place.astype(np.int64), octets.astype(np.float64), 1).astype(np.float64)
        (host_place, *host), host_octets = self._hosts.rows()
        (pair_place, *pair), pair_octets = self._conversations.rows()
        networks = _of_numbers(self._networks)
        parts = [
            (By.HOST, host_place, np.stack(host, 1), None, None, host_octets),
            (By.CONVERSATION, pair_place, np.stack(pair[:2], 1), np.stack(pair[2:], 1), None, pair_octets),
            (By.APPLICATION, place, None, None, applications, octets),
            (By.ASN, networks[0], None, None, *networks[1:]),
        ]
        columns = [self._largest_of(*part, totals) for part in parts]
        joined = {name: np.concatenate([column[name] for column in columns]) for name in columns[0]}
        error = max(self._hosts.error_octets, self._conversations.error_octets)
        return TopSnapshot(start_ms=self._start_ms, end_ms=now_ms, sampled=self._sampled, error_octets=error, **joined)

    def close(self, now_ms: int) -> list[TopSnapshot]:
        """The intervals that ended since the last call."""
        self._begin_interval(now_ms)
        finished, self._finished = self._finished, []
        return finished

    def _begin_interval(self, now_ms: int) -> None:
        start = now_ms - now_ms % self._interval_ms
        if start == self._start_ms:
            return
        if self._applications.count or self._waiting:
            self._finished = [*self._finished[-11:], self.snapshot(self._start_ms + self._interval_ms)]
            self._applications.clear()
            self._networks.clear()
            self._hosts.clear()
            self._conversations.clear()
        self._start_ms, self._sampled = start, 1

    def _step(self, rows: int, now_ms: int) -> int:
        """Every how many-th row is looked at, by the rate of the second before."""
        second = now_ms // 1000
        if second != self._second:
            self._before = self._of_second if second == self._second + 1 else 0
            self._second, self._of_second = second, 0
        self._of_second += rows
        every = -(-max(self._before, self._of_second) // ROWS_PER_SECOND)
        self._sampled = max(self._sampled, every)
        return max(every, 1)

    def _largest_of(
        self,
        by: By,
        place: Keys,
        host: Keys | None,
        remote: Keys | None,
        number: Keys | None,
        octets: Integers,
        totals: NDArray[np.float64],
    ) -> dict[str, NDArray[np.generic]]:
        order = np.lexsort((-octets, place))
        of = place[order]
        first = np.flatnonzero(np.append(True, of[1:] != of[:-1])[: len(of)])
        rank = np.arange(len(of)) - np.repeat(first, np.diff(np.append(first, len(of))))
        order = order[rank < self._rows]
        where = place[order].astype(np.int64)
        return {
            "by": np.full(len(order), by, np.uint8),
            "link": (where >> 1).astype(np.uint32),
            "direction": (where & 1).astype(np.uint8),
            "host": np.zeros((len(order), 2), np.uint64) if host is None else host[order],
            "remote": np.zeros((len(order), 2), np.uint64) if remote is None else remote[order],
            "number": np.zeros(len(order), np.uint32) if number is None else number[order].astype(np.uint32),
            "octets": octets[order],
            "share_ratio": octets[order] / np.maximum(totals[where], 1) if len(order) else np.zeros(0),
        }


class _Largest:
    """Octets by labels, at most `most`: when there are more, the smaller half is forgotten."""

    def __init__(self, labels: int, most: int) -> None:
        self.error_octets = 0
        """What a label's octets may lack: the sum of the largest that was forgotten each time."""
        self._sums = Sums(1, labels=labels, most=most)

    def add(self, labels: tuple[Keys, ...], octets: Integers) -> None:
        keys = _hashed(labels)
        refused = self._sums.add(keys, octets, labels=labels)
        while refused is not None:
            self._forget_half()
            keys, octets, labels = keys[refused], octets[refused], tuple(label[refused] for label in labels)
            refused = self._sums.add(keys, octets, labels=labels)

    def rows(self) -> tuple[tuple[Keys, ...], Integers]:
        """Labels and octets, aligned."""
        return self._sums.labels(), self._sums.rows()[1][0]

    def clear(self) -> None:
        """A new interval begins."""
        self.error_octets = 0
        self._sums.clear()

    def _forget_half(self) -> None:
        _, (octets,) = self._sums.rows()
        kept = np.zeros(len(octets), np.bool_)
        order = np.argpartition(octets, len(octets) // 2)
        kept[order[len(octets) // 2 + 1 :]] = True
        self.error_octets += int(octets[~kept].max())
        self._sums.keep(kept)


def _numbered(place: Keys, number: Keys) -> Keys:
    """Keys of (link and direction, a number of 32 bits), never 0."""
    return ((place << np.uint64(32)) | number) + np.uint64(1)


def _of_numbers(sums: Sums) -> tuple[Keys, Keys, Integers]:
    """Places, numbers and octets, aligned."""
    keys, (octets,) = sums.rows()
    keys = keys - np.uint64(1)
    return keys >> np.uint64(32), keys & np.uint64(0xFFFF_FFFF), octets


def _words(addresses: Column, family: int) -> tuple[Keys, Keys]:
    if family == 4:
        return np.zeros(len(addresses), np.uint64), addresses.astype(np.uint64) | _MAPPED
    words = np.frombuffer(np.ascontiguousarray(addresses).tobytes(), ">u8").reshape(-1, 2)
    return words[:, 0].astype(np.uint64), words[:, 1].astype(np.uint64)


def _hashed(labels: tuple[Keys, ...]) -> Keys:
    """64 bits, never 0: two of 100,000 labels share them once in 3 billion intervals."""
    mixed = np.zeros(len(labels[0]), np.uint64)
    for label in labels:
        mixed ^= label
        mixed ^= mixed >> np.uint64(30)
        mixed *= _MIX[0]
        mixed ^= mixed >> np.uint64(27)
        mixed *= _MIX[1]
        mixed ^= mixed >> np.uint64(31)
    return np.maximum(mixed, np.uint64(1))
