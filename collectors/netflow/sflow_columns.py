"""Flow samples of many sFlow datagrams at once: structures are walked in step, all of them, and sampled frames become columns.

Means exactly what `sflow` and `frames` say of each datagram alone, which a property test holds it to. Takes the datagrams in
which every sample is what switches and routers send all day: a raw header with IPv4, or IPv6 without extension headers, up to
four VLAN tags, switch, router and gateway data beside it. The others (malformed ones, counters, MPLS, ARP, another form of a
packet) are named and left to the plain decoder.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collectors.netflow.batch import Datagrams, Integers, Octets, words_at
from collectors.netflow.canonical import template_of
from collectors.netflow.columns import Layout, layout_of

_MOST_SAMPLES = 512
_FLOW, _EXPANDED_FLOW = 1, 3
_SAMPLE_HEADER = {_FLOW: 32, _EXPANDED_FLOW: 44}
_PLAIN_SAMPLES = (2, 4, 5)
_RAW_HEADER, _SWITCH, _ROUTER, _GATEWAY = 1, 1001, 1002, 1003
_PLAIN_RECORDS = (2, 3, 4)
_ETHERNET, _IPV4_HEADER, _IPV6_HEADER = 1, 11, 12
_UNKNOWN_INTERFACE = 0x3FFF_FFFF
_VLAN_TAGS = (0x8100, 0x88A8, 0x9100)
_MOST_TAGS = 4
_IPV4, _IPV6 = 0x0800, 0x86DD
_WITH_PORTS = (6, 17, 33, 132, 136)
_EXTENSIONS = (0, 43, 44, 60, 135, 139, 140)
_SOURCE_AS, _DESTINATION_AS = 16, 17
_SOURCE_ADDRESS = {4: 8, 6: 27}


@dataclass(frozen=True, kw_only=True)
class SampledRows:
    """Samples with the same elements: rows of a layout, as `canonical` makes them of records; `datagram` is each one's place in
    the batch."""

    layout: Layout
    rows: Octets
    datagram: Integers


@dataclass(kw_only=True)
class _Structures:
    """Structures of one kind of walk: body [start, end) of the buffer; `owner` numbers what each stands in."""

    owner: Integers
    kind: Integers
    start: Integers
    end: Integers

    def where(self, chosen: NDArray[np.bool_]) -> _Structures:
        return _Structures(owner=self.owner[chosen], kind=self.kind[chosen], start=self.start[chosen], end=self.end[chosen])


def read_samples(datagrams: Datagrams, positions: Integers) -> tuple[list[SampledRows], Integers]:
    """The flow samples of those of the sFlow datagrams at `positions` that are plain sailing, and the positions of the others."""
    reading = _Reading(datagrams, positions)
    rows = list(reading.rows())
    return rows, positions[reading.left]


class _Reading:
    """One batch: `left[i]` says that datagram i is not for columns."""

    def __init__(self, datagrams: Datagrams, positions: Integers) -> None:
        self._buffer = datagrams.buffer
        self._positions = positions
        start = datagrams.start[positions]
        self._end = start + datagrams.length[positions]
        self.left = self._end - start < 8
        address = self._word(np.where(self.left, 0, start), 4)
        body = start + np.where(address == 2, 24, 12)
        self.left |= ~np.isin(address, (1, 2)) | (self._end - body < 16)
        count = self._word(np.where(self.left, 0, body), 12)
        samples = self._walk(np.flatnonzero(~self.left), body + 16, self._end, np.minimum(count, _MOST_SAMPLES), self.left)
        self._leave(samples.owner[np.isin(samples.kind, _PLAIN_SAMPLES)])
        self._samples = samples.where(np.isin(samples.kind, (_FLOW, _EXPANDED_FLOW)))

    def rows(self) -> Iterator[SampledRows]:
        """Rows of the datagrams that are not left."""
        samples = self._samples
        header = np.where(samples.kind == _FLOW, *_SAMPLE_HEADER.values())
        self._leave(samples.owner[samples.end - samples.start < header])
        samples = samples.where(~self.left[samples.owner])
        numbers = self._sample_numbers(samples)
        spoilt = np.zeros(len(samples.owner), np.bool_)
        header = np.where(samples.kind == _FLOW, *_SAMPLE_HEADER.values())
        records = self._walk(np.arange(len(samples.owner)), samples.start + header, samples.end, numbers.pop("records"), spoilt)
        spoilt[records.owner[np.isin(records.kind, _PLAIN_RECORDS)]] = True
        raw = records.where(records.kind == _RAW_HEADER)
        spoilt |= np.bincount(raw.owner, minlength=len(spoilt)) != 1
        spoilt[records.owner[self._too_short(records)]] = True
        systems = self._systems(records.where((records.kind == _GATEWAY) & ~spoilt[records.owner]), spoilt)
        frame = _Frame(self._buffer, raw.where(~spoilt[raw.owner]), spoilt)
        self._leave(samples.owner[spoilt])
        yield from self._grouped(samples, numbers, systems, frame)

    def _walk(
        self, walking: Integers, cursor: Integers, end: Integers, count: Integers, spoilt: NDArray[np.bool_]
    ) -> _Structures:
        """`count` structures from `cursor` on in each of `walking`, or fewer where they end exactly; else it is spoilt. Those of
        other enterprises are left out."""
        cursor, end, count = cursor[walking], end[walking], count[walking]
        parts: list[tuple[Integers, ...]] = []
        while len(walking):
            going = (count > 0) & (cursor != end)
            walking, cursor, end, count = (column[going] for column in (walking, cursor, end, count))
            inside = cursor + 8 <= end
            spoilt[walking[~inside]] = True
            walking, cursor, end, count = (column[inside] for column in (walking, cursor, end, count))
            kind, length = self._word(cursor, 0), self._word(cursor, 4)
            whole = cursor + 8 + length <= end
            spoilt[walking[~whole]] = True
            walking, cursor, end, count, kind, length = (column[whole] for column in (walking, cursor, end, count, kind, length))
            parts.append((walking, kind, cursor + 8, cursor + 8 + length))
            cursor, count = cursor + 8 + length + -length % 4, count - 1
        owner, kind, start, stop = (np.concatenate(columns) for columns in zip(*parts, strict=True)) if parts else [_NONE] * 4
        return _Structures(owner=owner, kind=kind, start=start, end=stop).where(kind >> 12 == 0)

    def _sample_numbers(self, samples: _Structures) -> dict[str, Integers]:
        """Sampling rate, interfaces and the number of records of each sample."""
        expanded = samples.kind == _EXPANDED_FLOW
        words = self._words(samples.start, 8)
        last = self._words(samples.start + np.where(expanded, 12, 0), 8)  # where the compact form has its last eight words
        compact = np.where((words >> 30 != 0) | (words == _UNKNOWN_INTERFACE), 0, words)
        return {
            "rate": np.where(expanded, words[:, 3], words[:, 2]),
            "ingress": np.where(expanded, np.where(last[:, 3] == 0, last[:, 4], 0), compact[:, 5]),
            "egress": np.where(expanded, np.where(last[:, 5] == 0, last[:, 6], 0), compact[:, 6]),
            "records": np.where(expanded, last[:, 7], words[:, 7]),
        }

    def _too_short(self, records: _Structures) -> NDArray[np.bool_]:
        """Records of a known kind that lack what the plain decoder reads of them, or may."""
        octets = records.end - records.start
        least = np.select([records.kind == _RAW_HEADER, records.kind == _SWITCH, records.kind == _ROUTER], [16, 16, 28], 0)
        return octets < least

    def _systems(self, gateways: _Structures, spoilt: NDArray[np.bool_]) -> dict[int, Integers]:
        """Source and last destination AS of samples that have gateway data, -1 where there is none of that."""
        found = {element: np.full(len(spoilt), -1, np.int64) for element in (_SOURCE_AS, _DESTINATION_AS)}
        octets = gateways.end - gateways.start
        fit = octets >= 24
        fit &= np.bincount(gateways.owner, minlength=len(spoilt))[gateways.owner] == 1
        address = self._word(np.where(fit, gateways.start, 0), 0)
        at = gateways.start + np.select([address == 1, address == 2], [8, 20], 4)
        fit &= (at + 16 <= gateways.end) & (address <= 2)
        words = self._words(np.where(fit, at, 0), 4)
        path = fit & (words[:, 3] == 1)
        fit &= (words[:, 3] == 0) | (path & (at + 24 <= gateways.end))
        length = self._word(np.where(path & fit, at, 0), 20)
        path &= fit & (length > 0)
        fit &= ~path | (at + 24 + 4 * length <= gateways.end)
        path &= fit
        spoilt[gateways.owner[~fit]] = True
        found[_SOURCE_AS][gateways.owner[fit]] = words[fit, 1]
        last = (at + 20 + 4 * length)[path]
        found[_DESTINATION_AS][gateways.owner[path]] = self._word(last, 0)
        return found

    def _grouped(
        self, samples: _Structures, numbers: dict[str, Integers], systems: dict[int, Integers], frame: _Frame
    ) -> Iterator[SampledRows]:
        """A group for each family and each set of AS numbers that there is."""
        with_as = (systems[_SOURCE_AS] >= 0) + (systems[_DESTINATION_AS] >= 0).astype(np.int64)
        order = frame.owner  # a frame's place among the samples
        alive = ~self.left[samples.owner[order]]
        group = frame.family * 4 + with_as[order]
        for key in np.unique(group[alive]).tolist():
            chosen = alive & (group == key)
            of = order[chosen]
            columns = {
                1: frame.octets[chosen], 2: np.ones(len(of), np.int64), 4: frame.protocol[chosen],
                7: frame.source_port[chosen], 10: numbers["ingress"][of], 11: frame.destination_port[chosen],
                14: numbers["egress"][of], 34: numbers["rate"][of], 60: np.full(len(of), key // 4, np.int64),
            }  # fmt: skip
            for element in (_SOURCE_AS, _DESTINATION_AS)[: key % 4]:
                columns[element] = systems[element][of]
            addresses = frame.addresses(chosen, key // 4)
            yield self._rows_of(columns, key // 4, addresses, self._positions[samples.owner[of]])

    def _rows_of(
        self, columns: dict[int, Integers], family: int, addresses: tuple[Octets, Octets], datagram: Integers
    ) -> SampledRows:
        source = _SOURCE_ADDRESS[family]
        both = dict(zip((source, source + 4 if family == 4 else source + 1), addresses, strict=True))
        elements = sorted((*columns, *both))
        layout = layout_of(template_of(tuple((0, element) for element in elements)))
        assert layout is not None
        rows = np.empty((len(datagram), layout.octets), np.uint8)
        at = 0
        for element in elements:
            field = both.get(element)
            if field is None:
                field = columns[element].astype(">u8").view(np.uint8).reshape(-1, 8)
            rows[:, at : at + field.shape[1]] = field
            at += field.shape[1]
        return SampledRows(layout=layout, rows=rows, datagram=datagram)

    def _leave(self, datagrams: Integers) -> None:
        self.left[datagrams] = True

    def _word(self, at: Integers, offset: int) -> Integers:
        return self._words(at + offset, 1)[:, 0]

    def _words(self, at: Integers, count: int) -> Integers:
        return words_at(self._buffer, at, ">u4", count)


class _Frame:
    """What the raw headers hold: columns, a row each; `owner` is the sample. What is no plain IP packet is spoilt."""

    def __init__(self, buffer: Octets, raw: _Structures, spoilt: NDArray[np.bool_]) -> None:
        self._buffer = buffer
        words = words_at(buffer, raw.start, ">u4", 4)
        start = raw.start + 16
        end = np.minimum(start + words[:, 3], raw.end)
        ethernet = words[:, 0] == _ETHERNET
        good = ethernet & (end - start >= 14) | np.isin(words[:, 0], (_IPV4_HEADER, _IPV6_HEADER))
        packet, is_ip = self._behind_ethernet(start, end, good & ethernet)
        packet = np.where(ethernet, packet, start)
        good &= (is_ip | ~ethernet) & (packet < end)
        version = self._octet(packet, good) >> 4
        left = end - packet
        good &= ((version == 4) & (left >= 20)) | ((version == 6) & (left >= 40))
        protocol = self._octet(packet + np.where(version == 4, 9, 6), good)
        good &= (version == 4) | ~np.isin(protocol, _EXTENSIONS)
        spoilt[raw.owner[~good]] = True
        self.owner, self.octets = raw.owner[good], words[good, 1]
        self._packet, self.family, self.protocol = packet[good], version[good], protocol[good]
        self.source_port, self.destination_port = self._ports(left[good])

    def addresses(self, chosen: NDArray[np.bool_], family: int) -> tuple[Octets, Octets]:
        """Source and destination as octets, of rows that are all of one family."""
        size = {4: 4, 6: 16}[family]
        at = self._packet[chosen, None] + {4: 12, 6: 8}[family] + np.arange(2 * size)
        both = self._buffer[at]
        return both[:, :size], both[:, size:]

    def _behind_ethernet(self, start: Integers, end: Integers, good: NDArray[np.bool_]) -> tuple[Integers, NDArray[np.bool_]]:
        """Where the packet begins, and whether it says that it is one of IP."""
        at = start + 14
        kind = self._pair(at - 2, good)
        for _ in range(_MOST_TAGS):
            tagged = good & np.isin(kind, _VLAN_TAGS) & (at + 4 <= end)
            if not tagged.any():
                break
            kind = np.where(tagged, self._pair(at + 2, tagged), kind)
            at = np.where(tagged, at + 4, at)
        return at, good & np.isin(kind, (_IPV4, _IPV6))

    def _ports(self, left: Integers) -> tuple[Integers, Integers]:
        """0 where the protocol has none, in later fragments, and where the frame was cut before them."""
        fourth = self.family == 4
        header = np.where(fourth, (self._octet(self._packet, fourth) & 15) * 4, 40)
        later = (self._pair(self._packet + 6, fourth) & 0x1FFF) != 0
        there = np.isin(self.protocol, _WITH_PORTS) & (left - header >= 4) & (header >= 20) & ~(fourth & later)
        return self._pair(self._packet + header, there), self._pair(self._packet + header + 2, there)

    def _octet(self, at: Integers, there: NDArray[np.bool_]) -> Integers:
        """0 where it is not there."""
        return np.where(there, self._buffer[np.where(there, at, 0)], 0).astype(np.int64)

    def _pair(self, at: Integers, there: NDArray[np.bool_]) -> Integers:
        return self._octet(at, there) << 8 | self._octet(at + 1, there)


_NONE: Integers = np.empty(0, np.int64)
