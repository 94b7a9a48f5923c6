"""Builds flow datagrams for tests, octet by octet, as RFC 3954 and RFC 7011 say; shares no code with the decoders."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

FieldSpec = tuple[int, int] | tuple[int, int, int]
"""(element, octets) or (element, octets, enterprise)."""


def v1(records: Iterable[bytes], *, uptime: int = 100_000, seconds: int = 1_700_000_000) -> bytes:
    """Of 52 octets each."""
    body = list(records)
    return struct.pack(">HHIII", 1, len(body), uptime, seconds, 0) + b"".join(body)


def v5(
    records: Iterable[bytes],
    *,
    uptime: int = 100_000,
    seconds: int = 1_700_000_000,
    sequence: int = 0,
    sampling: int = 0,
    engine: int = 0,
) -> bytes:
    body = list(records)
    return struct.pack(">HHIIIIBBH", 5, len(body), uptime, seconds, 0, sequence, 0, engine, sampling) + b"".join(body)


def v5_record(
    *,
    source: bytes = b"\x0a\0\0\1",
    destination: bytes = b"\x08\x08\x08\x08",
    octets: int = 1000,
    packets: int = 2,
    first: int = 90_000,
    last: int = 99_000,
    source_port: int = 40_000,
    destination_port: int = 443,
    protocol: int = 6,
    ingress: int = 1,
    egress: int = 2,
    source_as: int = 0,
    destination_as: int = 0,
) -> bytes:
    return struct.pack(
        ">4s4s4sHHIIIIHHBBBBHHBBH",
        source, destination, b"\0\0\0\0", ingress, egress, packets, octets, first, last,
        source_port, destination_port, 0, 0x18, protocol, 0, source_as, destination_as, 24, 24, 0,
    )  # fmt: skip


def v9(
    sets: Iterable[bytes], *, uptime: int = 100_000, seconds: int = 1_700_000_000, sequence: int = 0, source: int = 0
) -> bytes:
    body = list(sets)
    return struct.pack(">HHIIII", 9, len(body), uptime, seconds, sequence, source) + b"".join(body)


def ipfix(sets: Iterable[bytes], *, seconds: int = 1_700_000_000, sequence: int = 0, domain: int = 0) -> bytes:
    body = b"".join(sets)
    return struct.pack(">HHIII", 10, 16 + len(body), seconds, sequence, domain) + body


def a_set(identity: int, body: bytes, *, padding: int = 0) -> bytes:
    return struct.pack(">HH", identity, 4 + len(body) + padding) + body + bytes(padding)


def template(identity: int, fields: Sequence[FieldSpec]) -> bytes:
    """A template record; put it into set 0 (v9) or 2 (IPFIX)."""
    return struct.pack(">HH", identity, len(fields)) + b"".join(map(_specifier, fields))


def ipfix_options(identity: int, scopes: Sequence[FieldSpec], fields: Sequence[FieldSpec]) -> bytes:
    """An options template record of IPFIX, for set 3."""
    every = (*scopes, *fields)
    return struct.pack(">HHH", identity, len(every), len(scopes)) + b"".join(map(_specifier, every))


def v9_options(identity: int, scopes: Sequence[FieldSpec], fields: Sequence[FieldSpec]) -> bytes:
    """An options template record of v9, for set 1."""
    head = struct.pack(">HHH", identity, 4 * len(scopes), 4 * len(fields))
    return head + b"".join(map(_specifier, (*scopes, *fields)))


def _specifier(field: FieldSpec) -> bytes:
    if len(field) == 3:
        return struct.pack(">HHI", field[0] | 0x8000, field[1], field[2])
    return struct.pack(">HH", *field)
