"""The MIB objects that are read, and what each of them becomes in a reading.

Owns their OIDs (RFC 2863 IF-MIB, RFC 3418 SNMPv2-MIB), types, fallbacks and columns of `READING`. Asks nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from bwmgr.measure.columns import Present
from collectors.snmp.ber import Tag, encode_oid

SYS_DESCR = encode_oid((1, 3, 6, 1, 2, 1, 1, 1, 0))
SYS_UPTIME = encode_oid((1, 3, 6, 1, 2, 1, 1, 3, 0))
SYS_NAME = encode_oid((1, 3, 6, 1, 2, 1, 1, 5, 0))
IF_TABLE = (1, 3, 6, 1, 2, 1, 2, 2, 1)
IF_X_TABLE = (1, 3, 6, 1, 2, 1, 31, 1, 1, 1)


class Column(IntEnum):
    """A column of IF-MIB's two tables; the numbers are positions in `OBJECTS`."""

    NAME = 0
    ALIAS = 1
    DESCR = 2
    IN_OCTETS = 3
    OUT_OCTETS = 4
    IN_OCTETS_32 = 5
    OUT_OCTETS_32 = 6
    IN_PACKETS = 7
    OUT_PACKETS = 8
    IN_PACKETS_32 = 9
    OUT_PACKETS_32 = 10
    IN_DISCARDS = 11
    OUT_DISCARDS = 12
    IN_ERRORS = 13
    OUT_ERRORS = 14
    OPER_STATUS = 15
    ADMIN_STATUS = 16
    HIGH_SPEED = 17
    SPEED = 18
    DISCONTINUITY = 19
    TYPE = 20


NOTHING = Present(0)


@dataclass(frozen=True, kw_only=True)
class ObjectType:
    """One column: its OID without the ifIndex, the tags its values may bear, where they go and what replaces it.

    `worst_octets` is the longest content of a value. `fallback` is asked for instead where an agent lacks the column.
    """

    prefix: bytes
    tags: tuple[int, ...]
    worst_octets: int
    field: str | None = None
    present: Present = NOTHING
    fallback: Column | None = None


def _text(table: tuple[int, ...], number: int) -> ObjectType:
    return ObjectType(prefix=encode_oid((*table, number)), tags=(Tag.OCTET_STRING,), worst_octets=64)


def _number(
    table: tuple[int, ...],
    number: int,
    tag: int,
    field: str | None = None,
    present: Present = NOTHING,
    fallback: Column | None = None,
) -> ObjectType:
    worst = {Tag.COUNTER64: 9, Tag.INTEGER: 4}.get(Tag(tag), 5)
    return ObjectType(
        prefix=encode_oid((*table, number)),
        tags=_LENIENT[tag],
        worst_octets=worst,
        field=field,
        present=present,
        fallback=fallback,
    )


# Agents are lax about the unsigned 32-bit types among themselves (Gauge32 for Counter32 ...); the value is the same.
_UNSIGNED_32 = (Tag.COUNTER32, Tag.GAUGE32, Tag.TIME_TICKS, Tag.INTEGER)
_LENIENT: dict[int, tuple[int, ...]] = {
    Tag.INTEGER: (Tag.INTEGER, Tag.GAUGE32),
    Tag.COUNTER32: _UNSIGNED_32,
    Tag.GAUGE32: _UNSIGNED_32,
    Tag.TIME_TICKS: _UNSIGNED_32,
    Tag.COUNTER64: (Tag.COUNTER64,),
}

OBJECTS: dict[Column, ObjectType] = {
    Column.NAME: _text(IF_X_TABLE, 1),
    Column.ALIAS: _text(IF_X_TABLE, 18),
    Column.DESCR: _text(IF_TABLE, 2),
    Column.IN_OCTETS: _number(IF_X_TABLE, 6, Tag.COUNTER64, "in_octets", fallback=Column.IN_OCTETS_32),
    Column.OUT_OCTETS: _number(IF_X_TABLE, 10, Tag.COUNTER64, "out_octets", fallback=Column.OUT_OCTETS_32),
    Column.IN_OCTETS_32: _number(IF_TABLE, 10, Tag.COUNTER32, "in_octets"),
    Column.OUT_OCTETS_32: _number(IF_TABLE, 16, Tag.COUNTER32, "out_octets"),
    Column.IN_PACKETS: _number(IF_X_TABLE, 7, Tag.COUNTER64, "in_packets", Present.PACKETS, Column.IN_PACKETS_32),
    Column.OUT_PACKETS: _number(IF_X_TABLE, 11, Tag.COUNTER64, "out_packets", Present.PACKETS, Column.OUT_PACKETS_32),
    Column.IN_PACKETS_32: _number(IF_TABLE, 11, Tag.COUNTER32, "in_packets", Present.PACKETS | Present.PACKETS_32),
    Column.OUT_PACKETS_32: _number(IF_TABLE, 17, Tag.COUNTER32, "out_packets", Present.PACKETS | Present.PACKETS_32),
    Column.IN_DISCARDS: _number(IF_TABLE, 13, Tag.COUNTER32, "in_discards", Present.DISCARDS),
    Column.OUT_DISCARDS: _number(IF_TABLE, 19, Tag.COUNTER32, "out_discards", Present.DISCARDS),
    Column.IN_ERRORS: _number(IF_TABLE, 14, Tag.COUNTER32, "in_errors", Present.ERRORS),
    Column.OUT_ERRORS: _number(IF_TABLE, 20, Tag.COUNTER32, "out_errors", Present.ERRORS),
    Column.OPER_STATUS: _number(IF_TABLE, 8, Tag.INTEGER, "oper_status", Present.OPER_STATUS),
    Column.ADMIN_STATUS: _number(IF_TABLE, 7, Tag.INTEGER, "admin_status", Present.ADMIN_STATUS),
    # ifHighSpeed 0 means nothing (RFC 2863); ifSpeed then says more, save for its 4294967295 "look at ifHighSpeed".
    Column.HIGH_SPEED: _number(IF_X_TABLE, 15, Tag.GAUGE32, "if_high_speed_mbps", Present.HIGH_SPEED, Column.SPEED),
    Column.SPEED: _number(IF_TABLE, 5, Tag.GAUGE32, "if_speed_bps", Present.SPEED),
    Column.DISCONTINUITY: _number(IF_X_TABLE, 19, Tag.TIME_TICKS, "discontinuity_ticks", Present.DISCONTINUITY),
    Column.TYPE: _number(IF_TABLE, 3, Tag.INTEGER),
}

POLLED: tuple[Column, ...] = (
    Column.IN_OCTETS,
    Column.OUT_OCTETS,
    Column.IN_DISCARDS,
    Column.OUT_DISCARDS,
    Column.IN_ERRORS,
    Column.OUT_ERRORS,
    Column.IN_PACKETS,
    Column.OUT_PACKETS,
    Column.OPER_STATUS,
    Column.ADMIN_STATUS,
    Column.HIGH_SPEED,
    Column.DISCONTINUITY,
)
"""What a cycle reads of each interface, besides its name or alias and sysUpTime."""

OCTETS = frozenset({Column.IN_OCTETS, Column.OUT_OCTETS, Column.IN_OCTETS_32, Column.OUT_OCTETS_32})
"""Without these there is no reading at all."""

NO_COUNTER64: dict[Column, Column] = {
    column: found.fallback for column, found in OBJECTS.items() if found.fallback is not None and Tag.COUNTER64 in found.tags
}
"""What SNMPv1, which has no Counter64 (RFC 2576 section 2.1), asks for in their place."""


def instance(column: Column, if_index: int) -> bytes:
    """Encoded OID of a column for one interface."""
    return OBJECTS[column].prefix + encode_oid_arc(if_index)


def encode_oid_arc(arc: int) -> bytes:
    """One sub-identifier in base 128, high group first (X.690 section 8.19.2)."""
    groups = [arc & 0x7F]
    while arc := arc >> 7:
        groups.append(0x80 | arc & 0x7F)
    return bytes(reversed(groups))
