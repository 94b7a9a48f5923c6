"""What a router has: its system group and all of its interfaces, by walks of IF-MIB.

Owns which columns are read and what their absence means. Writes no configuration (`bwmgr.daemon.discovery` does).
"""

from __future__ import annotations

from dataclasses import dataclass

from bwmgr.model.inventory import Credential, Device
from collectors.snmp.ber import Tag, decode_oid
from collectors.snmp.objects import OBJECTS, SYS_DESCR, SYS_NAME, SYS_UPTIME, Column
from collectors.snmp.reference import Variable
from collectors.snmp.session import Session, open_session
from collectors.snmp.settings import SnmpSettings
from collectors.snmp.walk import walk_columns

_SPEED_MAX = 2**32 - 1
_UP = 1
_ALWAYS_READ = (
    Column.DESCR,
    Column.TYPE,
    Column.SPEED,
    Column.ADMIN_STATUS,
    Column.OPER_STATUS,
    Column.NAME,
    Column.ALIAS,
    Column.HIGH_SPEED,
)
_PER_REQUEST = 4
"""Columns asked for side by side: more would leave few rows in a reply of one frame."""

Table = dict[Column, dict[int, Variable]]


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundInterface:
    """One interface as it says of itself; None where it does not say."""

    if_index: int
    if_name: str | None
    if_descr: str
    if_alias: str
    if_type: int | None
    """IANAifType: 6 Ethernet, 24 loopback, 131 tunnel, 135 VLAN, 161 aggregate ..."""
    speed_bps: int | None
    oper_up: bool | None
    admin_up: bool | None
    counter_bits: int
    """64, 32, or 0 where there are no octet counters at all."""
    has_discontinuity: bool = False

    @property
    def name(self) -> str:
        """ifName; where an agent has none (it came with ifXTable) ifDescr."""
        return self.if_name or self.if_descr


@dataclass(frozen=True, kw_only=True, slots=True)
class Discovery:
    """A router as found. Interfaces in the order of their ifIndex."""

    device: Device
    sys_name: str
    sys_descr: str
    sys_uptime_ticks: int | None
    interfaces: tuple[FoundInterface, ...]
    engine_id: str | None = None
    """Of a v3 agent, as hexadecimal digits."""


def discover(device: Device, credential: Credential, settings: SnmpSettings) -> Discovery:
    """Walks a device. Values that it does not have are absent, not 0.

    Raises: DeviceTimeout, DeviceAuthenticationError, DeviceProtocolError, NameLookupError.
    """
    with open_session(device, credential, settings) as session:
        system = read_scalars(session, (SYS_NAME, SYS_DESCR, SYS_UPTIME))
        table = read_table(session, _ALWAYS_READ)
        counters = read_table(session, _counter_columns(credential))
        uptime = system.get(SYS_UPTIME)
        return Discovery(
            device=device,
            sys_name=text(system.get(SYS_NAME)),
            sys_descr=text(system.get(SYS_DESCR)),
            sys_uptime_ticks=None if uptime is None else uptime.number,
            interfaces=tuple(_interface(index, table, counters) for index in _indexes(table)),
            engine_id=session.engine_id.hex() or None,
        )


def read_scalars(session: Session, names: tuple[bytes, ...]) -> dict[bytes, Variable]:
    """Those of the objects that there are. v1 answers noSuchName for all when one is missing, so there each is asked alone."""
    found: dict[bytes, Variable] = {}
    for group in (names,) if session.bulk else tuple((name,) for name in names):
        reply = session.ask(Tag.GET, group)
        if not reply.error_status:
            found.update(
                {variable.name: variable for variable in reply.variables if variable.name in group and not variable.absent}
            )
    return found


def read_table(session: Session, columns: tuple[Column, ...]) -> Table:
    """The columns of all interfaces by ifIndex. Columns that the agent lacks are empty.

    Raises: DeviceProtocolError for values of impossible form.
    """
    table: Table = {column: {} for column in columns}
    prefixes = {decode_oid(OBJECTS[column].prefix): column for column in columns}
    roots = list(prefixes)
    for start in range(0, len(roots), _PER_REQUEST):
        for found in walk_columns(session, roots[start : start + _PER_REQUEST]):
            for oid, variable in found:
                column = prefixes.get(oid[:-1])
                if column is not None and variable.tag in OBJECTS[column].tags:
                    table[column][oid[-1]] = variable
    return table


def text(variable: Variable | None) -> str:
    """A DisplayString as text: UTF-8, else Latin-1; control characters, which agents do send, become spaces."""
    if variable is None or variable.tag != Tag.OCTET_STRING:
        return ""
    try:
        decoded = variable.content.decode()
    except UnicodeDecodeError:
        decoded = variable.content.decode("latin-1")
    return "".join(letter if letter.isprintable() else " " for letter in decoded).strip()


def speed_bps(high_speed_mbps: int | None, if_speed_bps: int | None) -> int | None:
    """Speed by RFC 2863: ifSpeed unless it is at its top, then ifHighSpeed; 0 in both: it does not know."""
    if if_speed_bps and if_speed_bps != _SPEED_MAX:
        return if_speed_bps
    return (high_speed_mbps or 0) * 1_000_000 or None


def _counter_columns(credential: Credential) -> tuple[Column, ...]:
    wide = () if credential.version == "1" else (Column.IN_OCTETS, Column.OUT_OCTETS)
    return (*wide, Column.IN_OCTETS_32, Column.DISCONTINUITY)


def _indexes(table: Table) -> list[int]:
    return sorted({index for column in (Column.NAME, Column.DESCR, Column.TYPE) for index in table[column]})


def _interface(index: int, table: Table, counters: Table) -> FoundInterface:
    def number(column: Column) -> int | None:
        variable = table[column].get(index)
        return None if variable is None else variable.number

    def up(column: Column) -> bool | None:
        status = number(column)
        return None if status is None else status == _UP

    wide = index in counters.get(Column.IN_OCTETS, {}) and index in counters.get(Column.OUT_OCTETS, {})
    narrow = index in counters[Column.IN_OCTETS_32]
    return FoundInterface(
        if_index=index,
        if_name=text(table[Column.NAME].get(index)) or None,
        if_descr=text(table[Column.DESCR].get(index)),
        if_alias=text(table[Column.ALIAS].get(index)),
        if_type=number(Column.TYPE),
        speed_bps=speed_bps(number(Column.HIGH_SPEED), number(Column.SPEED)),
        oper_up=up(Column.OPER_STATUS),
        admin_up=up(Column.ADMIN_STATUS),
        counter_bits=64 if wide else 32 if narrow else 0,
        has_discontinuity=index in counters[Column.DISCONTINUITY],
    )
