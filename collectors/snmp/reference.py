"""The plain decoder of SNMP replies: one datagram, one step after the other, as RFC 1157, RFC 3416 and X.690 say it.

Owns the meaning of a reply. Used for walks, where replies are few and fat, and as the truth that the batch decoder
(`batch`) is compared with; both refuse the same bytes for the same reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from bwmgr.errors import DecodeError
from collectors.snmp.ber import Tag


class Malformed(IntEnum):
    """Why bytes are no reply; the names in lower case are the reasons of `DecodeError` and of the drop counters."""

    TRUNCATED = 1
    """Something claims to be longer than what encloses it."""
    TAG = 2
    """Another type than the protocol has in this place."""
    LENGTH = 3
    """The indefinite form, or a length of more than four octets."""
    INTEGER = 4
    """An integer of no octets, or of more than its type can have."""
    RANGE = 5
    """A 32-bit type with a value of 2^32 or more."""
    NESTING = 6
    """Something ends before what encloses it does."""
    VARIABLES = 7
    """More variables than were ever asked for."""


INTEGERS_32 = frozenset({Tag.COUNTER32, Tag.GAUGE32, Tag.TIME_TICKS})
MAX_VARIABLES = 4096


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable binding as it came: encoded OID, tag and content octets."""

    name: bytes
    tag: int
    content: bytes

    @property
    def number(self) -> int:
        """The value of an INTEGER (signed) or unsigned type; 0 for types that are no numbers. Raises: DecodeError."""
        return _number(self.tag, self.content)

    @property
    def absent(self) -> bool:
        """noSuchObject, noSuchInstance or endOfMibView: there is no value, which is not a value of 0."""
        return self.tag in (Tag.NO_SUCH_OBJECT, Tag.NO_SUCH_INSTANCE, Tag.END_OF_MIB_VIEW)


@dataclass(frozen=True, slots=True)
class Reply:
    """A decoded Response-PDU of SNMPv1 (`version` 0) or v2c (1)."""

    version: int
    request_id: int
    error_status: int
    error_index: int
    variables: tuple[Variable, ...]


@dataclass(frozen=True, slots=True)
class Located:
    """A reply as places in its datagram.

    `header` is version, request-id, error-status, error-index; a variable is name start, name stop, tag, content start, content
    stop and number, as `Variable.number` gives it.
    """

    header: tuple[int, int, int, int]
    variables: tuple[tuple[int, int, int, int, int, int], ...]


def decode_reply(datagram: bytes, max_variables: int = MAX_VARIABLES) -> Reply:
    """Decode one datagram; octets after the message's end are ignored, as other managers do.

    Raises: DecodeError with the lower-case name of a `Malformed` as its reason, whatever the bytes are.
    """
    located = locate_reply(datagram, max_variables)
    variables = (
        Variable(datagram[name:name_stop], tag, datagram[start:stop])
        for name, name_stop, tag, start, stop, _ in located.variables
    )
    return Reply(*located.header, tuple(variables))


def locate_reply(datagram: bytes, max_variables: int = MAX_VARIABLES) -> Located:
    """As `decode_reply`, but says where things are. Raises: DecodeError."""
    start, end, _ = _element(datagram, 0, len(datagram), Tag.SEQUENCE)
    start, stop, _ = _element(datagram, start, end, Tag.INTEGER)
    version = _signed(datagram[start:stop])
    _, stop, _ = _element(datagram, stop, end, Tag.OCTET_STRING)
    start, stop, _ = _element(datagram, stop, end, Tag.RESPONSE)
    _exactly(stop, end)
    numbers = []
    for _ in range(3):
        start, stop, _ = _element(datagram, start, end, Tag.INTEGER)
        numbers.append(_signed(datagram[start:stop]))
        start = stop
    start, stop, _ = _element(datagram, start, end, Tag.SEQUENCE)
    _exactly(stop, end)
    variables: list[tuple[int, int, int, int, int]] = []
    while start < end:
        if len(variables) == max_variables:
            raise _malformed(Malformed.VARIABLES)
        variables.append(_variable(datagram, start, end))
        start = variables[-1][4]
    located = tuple((*places, _number(places[2], datagram[places[3] : places[4]])) for places in variables)
    return Located((version, numbers[0], numbers[1], numbers[2]), located)


def _variable(datagram: bytes, start: int, end: int) -> tuple[int, int, int, int, int]:
    start, stop, _ = _element(datagram, start, end, Tag.SEQUENCE)
    name_start, name_stop, _ = _element(datagram, start, stop, Tag.OBJECT_IDENTIFIER)
    value_start, value_stop, tag = _element(datagram, name_stop, stop, None)
    _exactly(value_stop, stop)
    return name_start, name_stop, tag, value_start, value_stop


def _element(datagram: bytes, position: int, end: int, wanted: int | None) -> tuple[int, int, int]:
    """(content start, content end, tag) of the element at `position` inside what ends at `end`."""
    if end - position < 2:
        raise _malformed(Malformed.TRUNCATED)
    tag, length = datagram[position], datagram[position + 1]
    if wanted is not None and tag != wanted:
        raise _malformed(Malformed.TAG)
    start = position + 2
    if length & 0x80:
        octets = length & 0x7F
        if not 1 <= octets <= 4:
            raise _malformed(Malformed.LENGTH)
        if end - start < octets:
            raise _malformed(Malformed.TRUNCATED)
        length = int.from_bytes(datagram[start : start + octets], "big")
        start += octets
    if length > end - start:
        raise _malformed(Malformed.TRUNCATED)
    return start, start + length, tag


def _number(tag: int, content: bytes) -> int:
    if tag == Tag.INTEGER:
        return _signed(content)
    if tag in INTEGERS_32 or tag == Tag.COUNTER64:
        return _unsigned(tag, content)
    return 0


def _signed(content: bytes) -> int:
    if not 1 <= len(content) <= 8:
        raise _malformed(Malformed.INTEGER)
    return int.from_bytes(content, "big", signed=True)


def _unsigned(tag: int, content: bytes) -> int:
    """Agents send Counter32 of four octets with the top bit set, and Counter64 of eight: both are read as unsigned."""
    if not 1 <= len(content) <= 9 or (len(content) == 9 and content[0]):
        raise _malformed(Malformed.INTEGER)
    number = int.from_bytes(content, "big")
    if tag in INTEGERS_32 and number >> 32:
        raise _malformed(Malformed.RANGE)
    return number


def _exactly(stop: int, end: int) -> None:
    if stop != end:
        raise _malformed(Malformed.NESTING)


def _malformed(reason: Malformed) -> DecodeError:
    return DecodeError(reason.name.lower())
