"""The few BER forms that an SNMP agent reads and writes (ITU-T X.690 as narrowed by RFC 3417 section 8).

Owns tags, lengths, integers and object identifiers. Deliberately shares nothing with `collectors.snmp`: a double that used
the collector's codec would hide the mistakes of both.
"""

from __future__ import annotations

from functools import lru_cache

from bwmgr.errors import DecodeError

INTEGER = 0x02
OCTET_STRING = 0x04
NULL = 0x05
OBJECT_IDENTIFIER = 0x06
SEQUENCE = 0x30
COUNTER32 = 0x41
GAUGE32 = 0x42
TIMETICKS = 0x43
COUNTER64 = 0x46
NO_SUCH_OBJECT = bytes((0x80, 0))
NO_SUCH_INSTANCE = bytes((0x81, 0))
END_OF_MIB_VIEW = bytes((0x82, 0))
EMPTY = bytes((NULL, 0))

Oid = tuple[int, ...]


def tlv(tag: int, content: bytes) -> bytes:
    """Tag, definite length, content."""
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def integer(number: int, tag: int = INTEGER) -> bytes:
    """The shortest two's complement form; unsigned application types only differ by their tag (a leading zero octet)."""
    size = (number + (number < 0)).bit_length() // 8 + 1
    return tlv(tag, number.to_bytes(size, "big", signed=True))


def octets(text: str | bytes) -> bytes:
    return tlv(OCTET_STRING, text.encode() if isinstance(text, str) else text)


@lru_cache(maxsize=65536)
def oid_octets(oid: Oid) -> bytes:
    """The content octets of an object identifier of two or more arcs."""
    content = bytearray()
    for arc in (oid[0] * 40 + oid[1], *oid[2:]):
        groups = [arc & 0x7F]
        while arc := arc >> 7:
            groups.append(arc & 0x7F | 0x80)
        content += bytes(reversed(groups))
    return bytes(content)


def object_identifier(oid: Oid) -> bytes:
    return tlv(OBJECT_IDENTIFIER, oid_octets(oid))


@lru_cache(maxsize=65536)
def parse_oid(content: bytes) -> Oid:
    """Arcs of an object identifier's content octets; cached, since a poller asks the same ones for ever.

    Raises: DecodeError.
    """
    if not content or content[-1] & 0x80:
        raise DecodeError("bad_oid", content.hex())
    arcs: list[int] = []
    arc = 0
    for octet in content:
        arc = arc << 7 | octet & 0x7F
        if not octet & 0x80:
            arcs.append(arc)
            arc = 0
    first = min(arcs[0] // 40, 2)
    return (first, arcs[0] - 40 * first, *arcs[1:])


class Reader:
    """Reads one TLV after the other from `[start, end)` of a datagram. Every method raises DecodeError on what does not fit."""

    def __init__(self, octets_: bytes, start: int = 0, end: int | None = None) -> None:
        self.octets = octets_
        self.at = start
        self.end = len(octets_) if end is None else end

    @property
    def done(self) -> bool:
        return self.at >= self.end

    def content(self, *tags: int) -> tuple[int, int, int]:
        """(tag, start, end) of the next TLV's content; moves behind it. `tags`: those allowed, none: any."""
        tag, size = self._octet(), self._length()
        start, self.at = self.at, self.at + size
        if self.at > self.end:
            raise DecodeError("truncated", f"{size} octets claimed at {start}")
        if tags and tag not in tags:
            raise DecodeError("unexpected_tag", f"{tag:#x} at {start}")
        return tag, start, self.at

    def inner(self, *tags: int) -> Reader:
        """A reader of the next TLV's content."""
        _, start, end = self.content(*(tags or (SEQUENCE,)))
        return Reader(self.octets, start, end)

    def raw(self, *tags: int) -> bytes:
        _, start, end = self.content(*tags)
        return self.octets[start:end]

    def integer(self) -> int:
        return int.from_bytes(self.raw(INTEGER), "big", signed=True)

    def string(self) -> bytes:
        return self.raw(OCTET_STRING)

    def oid(self) -> Oid:
        return parse_oid(self.raw(OBJECT_IDENTIFIER))

    def _octet(self) -> int:
        if self.at >= self.end:
            raise DecodeError("truncated", f"at {self.at}")
        self.at += 1
        return self.octets[self.at - 1]

    def _length(self) -> int:
        first = self._octet()
        if first < 0x80:
            return first
        count = first & 0x7F
        if not 1 <= count <= 4:  # RFC 3417 section 8: definite form only; 2^32 octets are more than any datagram
            raise DecodeError("bad_length", f"{first:#x}")
        return int.from_bytes(bytes(self._octet() for _ in range(count)), "big")
