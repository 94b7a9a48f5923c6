"""Flows as routers put them on the wire: NetFlow v5, v9, IPFIX and sFlow v5, written from the formats' own documents.

Owns octets and sequence numbers of one exporter; shares no code with `collectors.netflow`, which is tested against it. v9 and
IPFIX as RouterOS sends them: one template, repeated every 20 datagrams, sysUpTime times in v9 and absolute ones in IPFIX.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

Flows = NDArray[np.void]
"""Rows of `exporters.FLOW`."""

_V9, _IPFIX = 9, 10
_TEMPLATE_ID = 258
_TEMPLATE_EVERY = 20
_PER_DATAGRAM = 24
_SFLOW_SAMPLES = 7
_FIELDS_V9 = ((8, 4), (12, 4), (7, 2), (11, 2), (4, 1), (10, 4), (14, 4), (1, 4), (2, 4), (22, 4), (21, 4))
_FIELDS_IPFIX = ((8, 4), (12, 4), (7, 2), (11, 2), (4, 1), (10, 4), (14, 4), (1, 4), (2, 4), (152, 8), (153, 8))
_RECORD = [
    ("source", ">u4"),
    ("destination", ">u4"),
    ("source_port", ">u2"),
    ("destination_port", ">u2"),
    ("protocol", "u1"),
    ("ingress", ">u4"),
    ("egress", ">u4"),
    ("octets", ">u4"),
    ("packets", ">u4"),
]
_RECORD_V9 = np.dtype([*_RECORD, ("start", ">u4"), ("end", ">u4")])
_RECORD_IPFIX = np.dtype([*_RECORD, ("start", ">u8"), ("end", ">u8")])


class Exporter:
    """One router's export process. `booted_ms`: where its sysUpTime begins."""

    def __init__(self, dialect: str, *, booted_ms: int, sampling: int = 1, address: int = 0) -> None:
        """`dialect` is v5, v9, ipfix or sflow; the first and the last sample one packet in `sampling`."""
        self._write: Callable[[Flows, int], Iterator[bytes]] = getattr(self, f"_{dialect}")
        self.booted_ms, self.sampling, self.address = booted_ms, sampling, address
        self._sequence = self._datagrams = 0

    def datagrams(self, flows: Flows, now_ms: int) -> Iterable[bytes]:
        """The datagrams in which these flows are sent at an instant."""
        return self._write(flows, now_ms)

    def _v5(self, flows: Flows, now_ms: int) -> Iterator[bytes]:
        for part in _parts(_sampled(flows, self.sampling), 30):
            uptime, ingress, egress = self._uptime(now_ms), *_interfaces(part)
            seconds, left = divmod(now_ms, 1000)
            header = struct.pack(
                ">HHIIIIBBH", 5, len(part), uptime, seconds, left * 1_000_000, self._sequence, 0, 0, 1 << 14 | self.sampling
            )
            self._sequence = (self._sequence + len(part)) & 0xFFFF_FFFF
            body = b"".join(
                struct.pack(
                    ">IIIHHIIIIHHBBBBHHBBH",
                    row["source"], row["destination"], 0, ingress[at], egress[at], row["packets"], row["octets"],
                    self._uptime(int(row["start_ms"])), self._uptime(int(row["end_ms"])),
                    row["source_port"], row["destination_port"], 0, 0x18, row["protocol"], 0, 0, 0, 24, 24, 0,
                )
                for at, row in enumerate(part)
            )  # fmt: skip
            yield header + body

    def _v9(self, flows: Flows, now_ms: int) -> Iterator[bytes]:
        for part in _parts(flows, _PER_DATAGRAM):
            sets = [*self._template(_FIELDS_V9, 0), _set(_TEMPLATE_ID, self._records(part, _RECORD_V9))]
            count = len(part) + len(sets) - 1
            header = struct.pack(">HHIIII", _V9, count, self._uptime(now_ms), now_ms // 1000, self._sequence, 0)
            self._sequence = (self._sequence + 1) & 0xFFFF_FFFF
            yield header + b"".join(sets)

    def _ipfix(self, flows: Flows, now_ms: int) -> Iterator[bytes]:
        for part in _parts(flows, _PER_DATAGRAM):
            body = b"".join([*self._template(_FIELDS_IPFIX, 2), _set(_TEMPLATE_ID, self._records(part, _RECORD_IPFIX))])
            yield struct.pack(">HHIII", _IPFIX, 16 + len(body), now_ms // 1000, self._sequence, 0) + body
            self._sequence = (self._sequence + len(part)) & 0xFFFF_FFFF

    def _sflow(self, flows: Flows, now_ms: int) -> Iterator[bytes]:
        samples = [sample for row in flows for sample in self._samples(row)]
        for first in range(0, len(samples), _SFLOW_SAMPLES):
            part = samples[first : first + _SFLOW_SAMPLES]
            self._datagrams += 1
            header = struct.pack(">IIIIIII", 5, 1, self.address, 0, self._datagrams, self._uptime(now_ms), len(part))
            yield header + b"".join(part)

    def _samples(self, row: np.void) -> Iterator[bytes]:
        """As many sampled frames as the flow's octets are worth, rounded by its own chance."""
        frame = min(max(int(row["octets"] // max(row["packets"], 1)) + 18, 64), 1518)
        worth = row["octets"] / ((frame - 18) * self.sampling)
        count = int(worth) + ((int(row["source_port"]) + int(row["destination_port"])) % 1000 < worth % 1 * 1000)
        header = _frame_header(row, frame)
        raw = struct.pack(">IIIIII", 1, 16 + len(header) + -len(header) % 4, 1, frame, 4, len(header)) + header
        raw += bytes(-len(header) % 4)
        ingress, egress = (int(column[0]) for column in _interfaces(row.reshape(1)))
        for _ in range(count):
            self._sequence += 1
            pool = self._sequence * self.sampling & 0xFFFF_FFFF
            body = struct.pack(">IIIIIIII", self._sequence, ingress, self.sampling, pool, 0, ingress, egress, 1) + raw
            yield struct.pack(">II", 1, len(body)) + body

    def _template(self, fields: Iterable[tuple[int, int]], set_id: int) -> Iterator[bytes]:
        due = self._datagrams % _TEMPLATE_EVERY == 0
        self._datagrams += 1
        if due:
            pairs = [struct.pack(">HH", *field) for field in fields]
            yield _set(set_id, struct.pack(">HH", _TEMPLATE_ID, len(pairs)) + b"".join(pairs))

    def _records(self, part: Flows, dtype: np.dtype[np.void]) -> bytes:
        records = np.zeros(len(part), dtype)
        for name in ("source", "destination", "source_port", "destination_port", "protocol", "octets", "packets"):
            records[name] = part[name]
        records["ingress"], records["egress"] = _interfaces(part)
        base = self.booted_ms if dtype is _RECORD_V9 else 0
        records["start"], records["end"] = part["start_ms"] - base, part["end_ms"] - base
        return records.tobytes()

    def _uptime(self, at_ms: int) -> int:
        return (at_ms - self.booted_ms) & 0xFFFF_FFFF


def _set(set_id: int, body: bytes) -> bytes:
    padding = -len(body) % 4
    return struct.pack(">HH", set_id, 4 + len(body) + padding) + body + bytes(padding)


def _parts(flows: Flows, size: int) -> Iterator[Flows]:
    return (flows[first : first + size] for first in range(0, len(flows), size))


def _interfaces(flows: Flows) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """(ingress, egress): a download comes in from the uplink and leaves by the link's port."""
    ingress = np.where(flows["down"], flows["uplink_index"], flows["link_index"])
    egress = np.where(flows["down"], flows["link_index"], flows["uplink_index"])
    return ingress, egress


def _sampled(flows: Flows, rate: int) -> Flows:
    """What a router that looks at one packet in `rate` has seen."""
    seen = flows.copy()
    seen["octets"], seen["packets"] = np.round(flows["octets"] / rate), np.maximum(flows["packets"] // rate, 1)
    return seen[seen["octets"] > 0]


def _frame_header(row: np.void, frame: int) -> bytes:
    """Ethernet, IPv4 and the ports of a frame of that many octets."""
    ethernet = b"\x02\0\0\0\0\x01\x02\0\0\0\0\x02\x08\0"
    total = frame - 18
    ip = struct.pack(">BBHHHBBHII", 0x45, 0, total, 0, 0, 60, row["protocol"], 0, row["source"], row["destination"])
    if row["protocol"] == 17:
        return ethernet + ip + struct.pack(">HHHH", row["source_port"], row["destination_port"], total - 20, 0)
    return ethernet + ip + struct.pack(">HHIIBBHHH", row["source_port"], row["destination_port"], 0, 0, 0x50, 0x10, 0, 0, 0)
