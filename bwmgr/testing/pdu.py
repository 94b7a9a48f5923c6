"""What an agent answers to a PDU (RFC 3416 section 4.2; RFC 1157 section 4.1 for version 1).

Owns the semantics of GET, GETNEXT, GETBULK and the size limit. Communities, users and sockets are elsewhere. SET is
refused: nobody configures a virtual router over SNMP.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bwmgr.testing import ber
from bwmgr.testing.ber import Oid, Reader
from bwmgr.testing.mib import Snapshot

GET, GET_NEXT, RESPONSE, SET, GET_BULK, REPORT = 0xA0, 0xA1, 0xA2, 0xA3, 0xA5, 0xA8
TOO_BIG, NO_SUCH_NAME, NOT_WRITABLE = 1, 2, 17
READ_ONLY = 4
VERSION_1, VERSION_2C, VERSION_3 = 0, 1, 3
_UNKNOWN_TO_VERSION_1 = (0x80, 0x81, 0x82, ber.COUNTER64)  # exceptions and Counter64 came with version 2 (RFC 3584 4.2.2.1)
_MOST_REPETITIONS = 2048  # what one answer could never hold anyway


@dataclass(frozen=True, kw_only=True, slots=True)
class Pdu:
    """A request. `first` and `second` are error-status and error-index, in GETBULK non-repeaters and max-repetitions."""

    kind: int
    request_id: int
    first: int
    second: int
    oids: tuple[Oid, ...]


def read_pdu(reader: Reader) -> Pdu:
    """Raises: DecodeError."""
    kind, start, end = reader.content(GET, GET_NEXT, SET, GET_BULK)
    inside = Reader(reader.octets, start, end)
    request_id, first, second = inside.integer(), inside.integer(), inside.integer()
    bindings = inside.inner()
    oids = []
    while not bindings.done:
        binding = bindings.inner()
        oids.append(binding.oid())
        binding.content()
    return Pdu(kind=kind, request_id=request_id, first=first, second=second, oids=tuple(oids))


def binding(oid: Oid, value: bytes) -> bytes:
    return ber.tlv(ber.SEQUENCE, ber.object_identifier(oid) + value)


def write_pdu(kind: int, request_id: int, bindings: bytes, *, error: int = 0, index: int = 0) -> bytes:
    head = ber.integer(request_id) + ber.integer(error) + ber.integer(index)
    return ber.tlv(kind, head + ber.tlv(ber.SEQUENCE, bindings))


def answer(pdu: Pdu, snapshot: Snapshot, *, version: int, room: int) -> bytes:
    """The response PDU of at most `room` octets: GETBULK is cut to fit, anything else becomes tooBig."""
    if pdu.kind == SET:
        return _refused(pdu, READ_ONLY if version == VERSION_1 else NOT_WRITABLE, 1)
    if pdu.kind == GET_BULK:
        return _bulk(pdu, snapshot, room)
    pairs = [_read(pdu.kind, oid, snapshot) for oid in pdu.oids]
    if version == VERSION_1:
        pairs = [_without_counter64(pdu.kind, oid, value, snapshot) for oid, value in pairs]
        for index, (_, value) in enumerate(pairs, 1):
            if value[0] in _UNKNOWN_TO_VERSION_1:
                return _refused(pdu, NO_SUCH_NAME, index)
    response = write_pdu(RESPONSE, pdu.request_id, b"".join(binding(oid, value) for oid, value in pairs))
    if len(response) > room:
        return write_pdu(RESPONSE, pdu.request_id, b"", error=TOO_BIG)
    return response


def _read(kind: int, oid: Oid, snapshot: Snapshot) -> tuple[Oid, bytes]:
    if kind == GET:
        return oid, snapshot.get(oid)
    return snapshot.following(oid) or (oid, ber.END_OF_MIB_VIEW)


def _without_counter64(kind: int, oid: Oid, value: bytes, snapshot: Snapshot) -> tuple[Oid, bytes]:
    """A version 1 walk steps over Counter64 objects (RFC 3584 section 4.2.2.1)."""
    while kind == GET_NEXT and value[0] == ber.COUNTER64:
        oid, value = _read(kind, oid, snapshot)
    return oid, value


def _refused(pdu: Pdu, error: int, index: int) -> bytes:
    """The request's own bindings come back with the error (RFC 1157 section 4.1.2)."""
    echoed = b"".join(binding(oid, ber.EMPTY) for oid in pdu.oids)
    return write_pdu(RESPONSE, pdu.request_id, echoed, error=error, index=index)


def _bulk(pdu: Pdu, snapshot: Snapshot, room: int) -> bytes:
    """RFC 3416 section 4.2.3: as many bindings as fit, none at all if not even the first does."""
    bindings: list[bytes] = []
    left = room - 32  # headers of the PDU around the bindings, rounded up
    for oid, value in _bulk_pairs(pdu, snapshot):
        one = binding(oid, value)
        left -= len(one)
        if left < 0:
            break
        bindings.append(one)
    return write_pdu(RESPONSE, pdu.request_id, b"".join(bindings))


def _bulk_pairs(pdu: Pdu, snapshot: Snapshot) -> Iterator[tuple[Oid, bytes]]:
    once = max(min(pdu.first, len(pdu.oids)), 0)
    for oid in pdu.oids[:once]:
        yield _read(GET_NEXT, oid, snapshot)
    repeated = list(pdu.oids[once:])
    for _ in range(max(min(pdu.second, _MOST_REPETITIONS), 0) if repeated else 0):
        pairs = [_read(GET_NEXT, oid, snapshot) for oid in repeated]
        yield from pairs
        if all(value == ber.END_OF_MIB_VIEW for _, value in pairs):
            return
        repeated = [oid for oid, _ in pairs]
