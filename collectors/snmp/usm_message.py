"""The message of SNMPv3 on the wire (RFC 3412 section 6, RFC 3414 section 2.4), taken apart into its headers.

Owns no key and no judgement: whether a message is what it claims to be is `usm`'s to say.
"""

from __future__ import annotations

from dataclasses import dataclass

from bwmgr.errors import DecodeError
from collectors.snmp.ber import Tag

AUTH, PRIV, REPORTABLE = 1, 2, 4
"""msgFlags."""
USM_MODEL = 3


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message as it came; `mac_at` is where its digest stands."""

    datagram: bytes
    message_id: int
    flags: int
    engine_id: bytes
    boots: int
    time: int
    mac_at: tuple[int, int]
    salt: bytes
    data: bytes
    """The scoped PDU, encrypted or not, with its header."""


def read(datagram: bytes) -> Incoming:
    """Headers of a message (RFC 3412 section 6, RFC 3414 section 2.4). Raises: DecodeError."""
    outer = Reader(datagram)
    start, stop = outer.element(Tag.SEQUENCE)
    message = Reader(datagram[:stop], start)
    if message.integer() != 3:
        raise DecodeError("version")
    header = message.inside(Tag.SEQUENCE)
    message_id, _, flags, model = header.integer(), header.integer(), header.octets_of(), header.integer()
    if model != USM_MODEL or len(flags) != 1:
        raise DecodeError("security_model")
    security = message.inside(Tag.OCTET_STRING).inside(Tag.SEQUENCE)
    engine_id, boots, engine_time, _ = security.octets_of(), security.integer(), security.integer(), security.octets_of()
    mac_at = security.element(Tag.OCTET_STRING)
    salt = security.octets_of()
    return Incoming(
        datagram[:stop], message_id, flags[0], engine_id, boots, engine_time, mac_at, salt, datagram[message.at : stop]
    )


class Reader:
    """Steps over elements; positions are those of the whole datagram."""

    def __init__(self, octets: bytes, at: int = 0) -> None:
        self.octets = octets
        self.at = at

    def element(self, tag: int) -> tuple[int, int]:
        """Content start and end of the next element, which must have this tag. Raises: DecodeError."""
        octets, at = self.octets, self.at
        if len(octets) - at < 2:
            raise DecodeError("truncated")
        if octets[at] != tag:
            raise DecodeError("tag")
        length, start = octets[at + 1], at + 2
        if length & 0x80:
            count = length & 0x7F
            if not 1 <= count <= 4:
                raise DecodeError("length")
            length, start = int.from_bytes(octets[start : start + count], "big"), start + count
        if start + length > len(octets):
            raise DecodeError("truncated")
        self.at = start + length
        return start, self.at

    def inside(self, tag: int) -> Reader:
        start, stop = self.element(tag)
        return Reader(self.octets[:stop], start)

    def octets_of(self) -> bytes:
        start, stop = self.element(Tag.OCTET_STRING)
        return self.octets[start:stop]

    def integer(self) -> int:
        start, stop = self.element(Tag.INTEGER)
        if not 1 <= stop - start <= 8:
            raise DecodeError("integer")
        return int.from_bytes(self.octets[start:stop], "big", signed=True)
