"""The plain decoder of sFlow v5: flow and counter samples, compact and expanded, and discarded packets.

Owns the datagram's structure (sFlow version 5, section 5). Structures that it does not know are skipped by their length. A flow
sample becomes a record with RFC 7011 element names: it is one packet of `samplingInterval`, its octets are the frame's on the
wire.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Hashable, Iterator

from bwmgr.errors import DecodeError
from collectors.netflow import frames
from collectors.netflow.elements import SFLOW_PEN
from collectors.netflow.records import Context, Decoded, Kind, Record
from collectors.netflow.templates import Field, Template, field_of

SFLOW = 1005
"""Context.version of sFlow v5; not on the wire, where its 5 would look like NetFlow's."""
MOST_HEADER_OCTETS = 40
"""With the address of an IPv6 agent."""
_MOST_SAMPLES = 512
"""More than a 64 KiB datagram of the smallest real samples holds."""
_FLOW, _COUNTERS, _EXPANDED_FLOW, _EXPANDED_COUNTERS, _DISCARD = 1, 2, 3, 4, 5
_RAW_HEADER, _ETHERNET_FRAME, _IPV4, _IPV6 = 1, 2, 3, 4
_EXTENDED_SWITCH, _EXTENDED_ROUTER, _EXTENDED_GATEWAY = 1001, 1002, 1003
_HEADER_ETHERNET, _HEADER_IPV4, _HEADER_IPV6 = 1, 11, 12
_UNKNOWN_INTERFACE = 0x3FFF_FFFF

_Fields = list[tuple[Field, bytes]]

# generic interface counters: (number in the pseudo enterprise, octets), in the order of the structure
_IF_COUNTERS = ((1, 4), (2, 4), (3, 8), (4, 4), (5, 4), (6, 8), (7, 4), (8, 4), (9, 4), (10, 4), (11, 4), (12, 4), (13, 8),
                (14, 4), (15, 4), (16, 4), (17, 4), (18, 4), (19, 4))  # fmt: skip


def is_sflow(datagram: bytes) -> bool:
    """sFlow's version is a 32-bit 5, where NetFlow's is a 16-bit one: the first two octets are 0."""
    return datagram[:4] == b"\0\0\0\x05"


def decode(datagram: bytes, exporter: Hashable, received_ms: int) -> Decoded:
    """All records of one datagram. Samples before a malformed one count.

    Raises: DecodeError where not even the header holds.
    """
    context, count, at = read_header(datagram, exporter, received_ms)
    decoded = Decoded(contexts=[context], counts=[1])
    try:
        for kind, body in _structures(datagram, at, count):
            reader = _SAMPLES.get(kind)
            if reader is not None:
                decoded.records.extend(reader(body, context))
    except (DecodeError, struct.error) as error:
        decoded.problems.append(error.reason if isinstance(error, DecodeError) else "sflow_truncated")
    return decoded


def read_header(datagram: bytes, exporter: Hashable, received_ms: int) -> tuple[Context, int, int]:
    """The context, the number of samples, and where they begin."""
    if not is_sflow(datagram) or len(datagram) < 8:
        raise DecodeError("sflow_version", datagram[:4].hex())
    (address_type,) = struct.unpack_from(">I", datagram, 4)
    address_octets = {1: 4, 2: 16}.get(address_type)
    if address_octets is None:
        raise DecodeError("sflow_address_type", str(address_type))
    at = 8 + address_octets
    if len(datagram) < at + 16:
        raise DecodeError("truncated", f"{len(datagram)} octets of an sFlow header")
    sub_agent, sequence, uptime, count = struct.unpack_from(">IIII", datagram, at)
    context = Context(
        version=SFLOW,
        exporter=exporter,
        domain=sub_agent,
        sequence=sequence,
        export_ms=received_ms,
        uptime_ms=uptime,
        received_ms=received_ms,
    )
    return context, min(count, _MOST_SAMPLES), at + 16


def _structures(octets: bytes, at: int, count: int) -> Iterator[tuple[int, bytes]]:
    """(format, body) of `count` structures; those of other enterprises are left out. Raises: DecodeError, after the good ones."""
    for _ in range(count):
        if at == len(octets):
            return
        if at + 8 > len(octets):
            raise DecodeError("sflow_truncated", f"at {at}")
        kind, length = struct.unpack_from(">II", octets, at)
        if at + 8 + length > len(octets):
            raise DecodeError("sflow_truncated", f"{length} octets at {at}")
        if kind >> 12 == 0:
            yield kind, octets[at + 8 : at + 8 + length]
        at += 8 + length + (-length % 4)


def _flow_sample(body: bytes, context: Context) -> Iterator[Record]:
    _, source, rate, _, drops, ingress, egress, count = struct.unpack_from(">IIIIIIII", body)
    yield from _sampled(body, 32, count, context, rate, drops, source & 0xFFFFFF, _compact(ingress), _compact(egress))


def _expanded_flow_sample(body: bytes, context: Context) -> Iterator[Record]:
    numbers = struct.unpack_from(">IIIIIIIIIII", body)
    _, _, source, rate, _, drops, in_kind, ingress, out_kind, egress, count = numbers
    yield from _sampled(
        body, 44, count, context, rate, drops, source, ingress if in_kind == 0 else 0, egress if out_kind == 0 else 0
    )


def _compact(interface: int) -> int:
    """The ifIndex in an interface of the compact form; 0 for a reason of discard, for several interfaces, for unknown."""
    return 0 if interface >> 30 or interface == _UNKNOWN_INTERFACE else interface


def _sampled(
    body: bytes, at: int, count: int, context: Context, rate: int, drops: int, source: int, ingress: int, egress: int
) -> Iterator[Record]:
    fields: _Fields = [
        _number(34, rate, 4),
        _number(10, ingress, 4),
        _number(14, egress, 4),
        _number(2, 1, 4),
        (field_of(SFLOW_PEN, 100, 4), drops.to_bytes(4, "big")),
        (field_of(SFLOW_PEN, 101, 4), source.to_bytes(4, "big")),
    ]
    for kind, structure in _structures(body, at, count):
        reader = _FLOW_RECORDS.get(kind)
        if reader is not None:
            fields += reader(structure)
    yield _record(Kind.FLOW, context, fields)


def _raw_header(body: bytes) -> _Fields:
    protocol, frame_octets, _, length = struct.unpack_from(">IIII", body)
    header = body[16 : 16 + length]
    fields: _Fields = [_number(1, frame_octets, 4), (field_of(0, 315, len(header)), header)]
    if protocol == _HEADER_ETHERNET:
        return fields + frames.ethernet(header)
    return fields + (frames.packet(header) if protocol in (_HEADER_IPV4, _HEADER_IPV6) else [])


def _ethernet_frame(body: bytes) -> _Fields:
    length, source, destination, kind = struct.unpack_from(">I6s2x6s2xI", body)
    return [
        _number(1, length, 4),
        (field_of(0, 56, 6), source),
        (field_of(0, 80, 6), destination),
        _number(256, kind & 0xFFFF, 2),
    ]


def _ip_packet(address_octets: int, source_element: int, destination_element: int, version: int) -> Callable[[bytes], _Fields]:
    layout = struct.Struct(f">II{address_octets}s{address_octets}sIIII")

    def read(body: bytes) -> _Fields:
        length, protocol, source, destination, source_port, destination_port, flags, tos = layout.unpack_from(body)
        return [
            _number(1, length, 4),
            _number(60, version, 1),
            (field_of(0, source_element, address_octets), source),
            (field_of(0, destination_element, address_octets), destination),
            _number(4, protocol & 0xFF, 1),
            _number(7, source_port & 0xFFFF, 2),
            _number(11, destination_port & 0xFFFF, 2),
            _number(6, flags & 0xFF, 1),
            _number(5, tos & 0xFF, 1),
        ]

    return read


def _extended_switch(body: bytes) -> _Fields:
    source_vlan, _, destination_vlan, _ = struct.unpack_from(">IIII", body)
    return [_number(58, source_vlan & 0xFFFF, 2), _number(59, destination_vlan & 0xFFFF, 2)]


def _extended_router(body: bytes) -> _Fields:
    (address_type,) = struct.unpack_from(">I", body)
    octets = {1: 4, 2: 16}.get(address_type, 0)
    source_mask, destination_mask = struct.unpack_from(">II", body, 4 + octets)
    next_hop, source, destination = (15, 9, 13) if octets == 4 else (62, 29, 30)
    hop: _Fields = [(field_of(0, next_hop, octets), body[4 : 4 + octets])] if octets else []
    return [*hop, _number(source, source_mask & 0xFF, 1), _number(destination, destination_mask & 0xFF, 1)]


def _extended_gateway(body: bytes) -> _Fields:
    """The sampled packet's source AS, and the last AS of the path to its destination."""
    (address_type,) = struct.unpack_from(">I", body)
    at = 4 + {1: 4, 2: 16}.get(address_type, 0)
    _, source, _, segments = struct.unpack_from(">IIII", body, at)
    fields: _Fields = [_number(16, source, 4)]
    at += 16
    last = None
    for _ in range(min(segments, 16)):
        _, length = struct.unpack_from(">II", body, at)
        if length:
            (last,) = struct.unpack_from(">I", body, at + 4 + 4 * length)
        at += 8 + 4 * length
    return fields if last is None else [*fields, _number(17, last, 4)]


def _counter_sample(body: bytes, context: Context) -> Iterator[Record]:
    (count,) = struct.unpack_from(">I", body, 8)
    yield from _counters(body, 12, count, context)


def _expanded_counter_sample(body: bytes, context: Context) -> Iterator[Record]:
    (count,) = struct.unpack_from(">I", body, 12)
    yield from _counters(body, 16, count, context)


def _counters(body: bytes, at: int, count: int, context: Context) -> Iterator[Record]:
    for kind, structure in _structures(body, at, count):
        if kind == 1 and len(structure) >= sum(octets for _, octets in _IF_COUNTERS):
            yield _record(Kind.COUNTERS, context, list(_if_counters(structure)))


def _if_counters(structure: bytes) -> Iterator[tuple[Field, bytes]]:
    at = 0
    for number, octets in _IF_COUNTERS:
        yield field_of(SFLOW_PEN, number, octets), structure[at : at + octets]
        at += octets


def _discarded(body: bytes, context: Context) -> Iterator[Record]:
    """Discarded packet notification (sFlow Discarded Packets Notification Structures): one packet, not sampled traffic."""
    _, _, source, drops, ingress, egress, reason, _ = struct.unpack_from(">IIIIIIII", body)
    yield _record(
        Kind.COUNTERS,
        context,
        [
            (field_of(SFLOW_PEN, 101, 4), source.to_bytes(4, "big")),
            (field_of(SFLOW_PEN, 100, 4), drops.to_bytes(4, "big")),
            _number(10, _compact(ingress), 4),
            _number(14, _compact(egress), 4),
            (field_of(SFLOW_PEN, 102, 4), reason.to_bytes(4, "big")),
        ],
    )


def _number(element: int, number: int, octets: int) -> tuple[Field, bytes]:
    return field_of(0, element, octets), number.to_bytes(octets, "big")


def _record(kind: Kind, context: Context, fields: _Fields) -> Record:
    template = Template(0, tuple(specifier for specifier, _ in fields))
    return Record(kind=kind, context=context, template=template, octets=tuple(octets for _, octets in fields))


_SAMPLES: dict[int, Callable[[bytes, Context], Iterator[Record]]] = {
    _FLOW: _flow_sample,
    _COUNTERS: _counter_sample,
    _EXPANDED_FLOW: _expanded_flow_sample,
    _EXPANDED_COUNTERS: _expanded_counter_sample,
    _DISCARD: _discarded,
}
_FLOW_RECORDS: dict[int, Callable[[bytes], _Fields]] = {
    _RAW_HEADER: _raw_header,
    _ETHERNET_FRAME: _ethernet_frame,
    _IPV4: _ip_packet(4, 8, 12, 4),
    _IPV6: _ip_packet(16, 27, 28, 6),
    _EXTENDED_SWITCH: _extended_switch,
    _EXTENDED_ROUTER: _extended_router,
    _EXTENDED_GATEWAY: _extended_gateway,
}
