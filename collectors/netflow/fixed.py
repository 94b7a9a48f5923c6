"""NetFlow v1 and v5, whose records have one form each: no templates, nothing to remember.

Sources: Cisco, "NetFlow Export Datagram Format" (tables B-1 to B-4). v1 has neither sequence numbers nor engines nor sampling;
its records have 52 octets, or 48, and only the datagram's length tells which.
"""

from __future__ import annotations

import struct
from collections.abc import Hashable

from bwmgr.errors import DecodeError
from collectors.netflow.records import V1, V1_SHORT_TEMPLATE, V1_TEMPLATE, V5, V5_TEMPLATE, Context, Decoded, Kind, Record
from collectors.netflow.templates import Template

_V1_HEADER = struct.Struct(">HHIII")
_V5_HEADER = struct.Struct(">HHIIIIBBH")
_V1_MOST, _V5_MOST = 24, 30
"""Records that fit a datagram of 1,500 octets, as routers send them."""


def decode_v1(datagram: bytes, exporter: Hashable, received_ms: int) -> Decoded:
    """All records of one datagram. Raises: DecodeError where its header does not hold."""
    if len(datagram) < _V1_HEADER.size:
        raise DecodeError("truncated", f"{len(datagram)} octets of a v1 header")
    _, count, uptime, seconds, nanoseconds = _V1_HEADER.unpack_from(datagram)
    context = Context(
        version=V1,
        exporter=exporter,
        domain=0,
        sequence=0,
        export_ms=seconds * 1000 + nanoseconds // 1_000_000,
        uptime_ms=uptime,
        received_ms=received_ms,
    )
    body = datagram[_V1_HEADER.size :]
    short = V1_TEMPLATE.octets * count > len(body) >= V1_SHORT_TEMPLATE.octets * count
    return _records(body, count, _V1_MOST, V1_SHORT_TEMPLATE if short else V1_TEMPLATE, context, advance=0)


def decode_v5(datagram: bytes, exporter: Hashable, received_ms: int) -> Decoded:
    """All records of one datagram. Raises: DecodeError where its header does not hold."""
    if len(datagram) < _V5_HEADER.size:
        raise DecodeError("truncated", f"{len(datagram)} octets of a v5 header")
    _, count, uptime, seconds, nanoseconds, sequence, engine_type, engine_id, sampling = _V5_HEADER.unpack_from(datagram)
    context = Context(
        version=V5,
        exporter=exporter,
        domain=engine_type << 8 | engine_id,
        sequence=sequence,
        export_ms=seconds * 1000 + nanoseconds // 1_000_000,
        uptime_ms=uptime,
        received_ms=received_ms,
        sampling=sampling & 0x3FFF,
        sampling_mode=sampling >> 14,
    )
    return _records(datagram[_V5_HEADER.size :], count, _V5_MOST, V5_TEMPLATE, context, advance=count)


def _records(body: bytes, count: int, most: int, template: Template, context: Context, *, advance: int) -> Decoded:
    """`advance`: how far the sequence number goes on."""
    there = len(body) // template.octets
    if not 0 < count <= most:
        raise DecodeError(f"v{context.version}_count", f"{count} records claimed, {there} there")
    decoded = Decoded(contexts=[context], counts=[advance])
    if count > there:
        decoded.problems.append(f"v{context.version}_truncated")
    for start in range(0, min(count, there) * template.octets, template.octets):
        decoded.records.append(_record(body, start, template, context))
    return decoded


def _record(body: bytes, start: int, template: Template, context: Context) -> Record:
    fields = []
    for each in template.fields:
        fields.append(body[start : start + each.octets])
        start += each.octets
    return Record(kind=Kind.FLOW, context=context, template=template, octets=tuple(fields))
