"""Writing SNMP messages: the part of BER (X.690) and of RFC 1157 and RFC 3416 that a manager needs.

Owns tags and encoding. Reading is in `reference` (plain) and `batch` (fast), which must agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum


class Tag(IntEnum):
    """Identifier octets (RFC 2578 section 7.1, RFC 3416 section 3)."""

    INTEGER = 0x02
    OCTET_STRING = 0x04
    NULL = 0x05
    OBJECT_IDENTIFIER = 0x06
    SEQUENCE = 0x30
    IP_ADDRESS = 0x40
    COUNTER32 = 0x41
    GAUGE32 = 0x42
    TIME_TICKS = 0x43
    OPAQUE = 0x44
    COUNTER64 = 0x46
    NO_SUCH_OBJECT = 0x80
    NO_SUCH_INSTANCE = 0x81
    END_OF_MIB_VIEW = 0x82
    GET = 0xA0
    GET_NEXT = 0xA1
    RESPONSE = 0xA2
    GET_BULK = 0xA5


class ErrorStatus(IntEnum):
    """Those that a GET can meet (RFC 3416 section 3); others exist and are treated like GEN_ERR."""

    NO_ERROR = 0
    TOO_BIG = 1
    NO_SUCH_NAME = 2
    GEN_ERR = 5


REQUEST_ID_BASE = 0x4000_0000
REQUEST_ID_SPAN = 0x3FFF_FFFF
"""Every id lies in [base, base + span], so that it is always four content octets and can be patched in place."""


@dataclass(frozen=True, slots=True)
class RequestMessage:
    """A whole datagram; `id_offset` is where the four octets of its request-id stand."""

    octets: bytes
    id_offset: int


def encode_length(length: int) -> bytes:
    """Definite form, the shortest (X.690 section 8.1.3)."""
    if length < 0x80:
        return bytes((length,))
    content = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((0x80 | len(content),)) + content


def encode(tag: int, content: bytes) -> bytes:
    """One type-length-value."""
    return bytes((tag,)) + encode_length(len(content)) + content


def encode_integer(number: int) -> bytes:
    """INTEGER in the fewest octets (X.690 section 8.3.2)."""
    return encode(Tag.INTEGER, number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True))


def encode_oid(arcs: Sequence[int]) -> bytes:
    """Content octets of an OBJECT IDENTIFIER of two arcs or more (X.690 section 8.19)."""
    octets = bytearray()
    for arc in (arcs[0] * 40 + arcs[1], *arcs[2:]):
        groups = [arc & 0x7F]
        while arc := arc >> 7:
            groups.append(0x80 | arc & 0x7F)
        octets.extend(reversed(groups))
    return bytes(octets)


def decode_oid(content: bytes) -> tuple[int, ...]:
    """Arcs of an OBJECT IDENTIFIER's content; an unfinished last arc is dropped, empty content gives no arcs."""
    arcs: list[int] = []
    arc = 0
    for octet in content:
        arc = arc << 7 | octet & 0x7F
        if octet < 0x80:
            arcs.append(arc)
            arc = 0
    if not arcs:
        return ()
    first = min(arcs[0] // 40, 2)
    return (first, arcs[0] - 40 * first, *arcs[1:])


def encode_request(
    *, version: int, community: bytes, pdu: int, names: Iterable[bytes], first: int = 0, second: int = 0
) -> RequestMessage:
    """A GET, GETNEXT or GETBULK of these encoded OIDs.

    `version` is the wire's: 0 for v1, 1 for v2c. For GETBULK `first` is non-repeaters and `second` max-repetitions
    (RFC 3416 section 4.2.3); else both are 0.
    """
    null = encode(Tag.NULL, b"")
    variables = b"".join(encode(Tag.SEQUENCE, encode(Tag.OBJECT_IDENTIFIER, name) + null) for name in names)
    after_id = encode_integer(first) + encode_integer(second) + encode(Tag.SEQUENCE, variables)
    body = encode(pdu, encode_integer(REQUEST_ID_BASE) + after_id)
    message = encode(Tag.SEQUENCE, encode_integer(version) + encode(Tag.OCTET_STRING, community) + body)
    return RequestMessage(message, len(message) - len(after_id) - 4)
