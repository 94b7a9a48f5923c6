"""One device looked at closely, for `doctor`: does it answer, what of the interfaces that it is polled for is wrong.

Owns what is measured; what it means and what to do about it is said by `bwmgr.daemon.doctor`. Never raises for a device.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

from bwmgr.errors import DeviceAuthenticationError, DeviceError, DeviceTimeout
from bwmgr.model.inventory import Credential, Device, Interface
from bwmgr.model.samples import GapReason
from collectors.snmp.ber import Tag, encode_oid
from collectors.snmp.discovery import Table, read_scalars, read_table, speed_bps, text
from collectors.snmp.objects import OBJECTS, SYS_NAME, SYS_UPTIME, Column, instance
from collectors.snmp.reference import Variable
from collectors.snmp.session import NameLookupError, Session, open_session
from collectors.snmp.settings import SnmpSettings

ENGINE_ID = encode_oid((1, 3, 6, 1, 6, 3, 10, 2, 1, 1, 0))
"""snmpEngineID.0 (RFC 3411): what v1 and v2c agents say of their engine, where they say it."""
SYSTEM_DATE = encode_oid((1, 3, 6, 1, 2, 1, 25, 1, 2, 0))
"""hrSystemDate.0 (RFC 2790), a DateAndTime (RFC 2579)."""
_LOOKS_PER_SECOND = 4
_READ = (
    Column.IN_OCTETS,
    Column.OUT_OCTETS,
    Column.IN_OCTETS_32,
    Column.OUT_OCTETS_32,
    Column.OPER_STATUS,
    Column.ADMIN_STATUS,
    Column.HIGH_SPEED,
    Column.SPEED,
    Column.DISCONTINUITY,
)


@dataclass(frozen=True, kw_only=True)
class ProbedInterface:
    """One interface of the inventory on its device. Facts beyond `matches` are only there when exactly one matches."""

    interface: Interface
    matches: tuple[int, ...]
    """ifIndexes that bear its name or alias."""
    counter_bits: int = 0
    oper_up: bool | None = None
    admin_up: bool | None = None
    if_high_speed_mbps: int | None = None
    speed_bps: int | None = None
    has_discontinuity: bool = False


@dataclass(frozen=True, kw_only=True)
class Probe:
    """A device as it showed itself. `reason` NONE: it answered, and `interfaces` has one entry per interface asked about."""

    device: Device
    reason: GapReason
    detail: str = ""
    """What the device said, or what failed."""
    rtt_seconds: float | None = None
    sys_name: str = ""
    engine_id: bytes = b""
    clock_offset_seconds: float | None = None
    """How far its clock is ahead of ours; None where it does not tell the time."""
    refresh_seconds: float | None = None
    """The longest time that its moving counters stood still while it was watched; None: not watched, or nothing moved twice."""
    foreign_replies: int = 0
    """Replies that came from another address or port, and were not taken."""
    interfaces: tuple[ProbedInterface, ...] = field(default=())


def probe(
    device: Device,
    credential: Credential,
    interfaces: Sequence[Interface],
    settings: SnmpSettings,
    *,
    watch_seconds: float = 0.0,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Probe:
    """Asks a device about the interfaces that it is polled for; `watch_seconds` > 0 also watches its counters move so long."""
    try:
        session = open_session(device, credential, settings)
    except NameLookupError as error:
        return Probe(device=device, reason=GapReason.NAME_LOOKUP, detail=error.problem)
    with session:
        try:
            return _examine(session, interfaces, watch_seconds, now)
        except DeviceError as error:
            return Probe(device=device, reason=_reason(error), detail=error.problem, foreign_replies=session.drops["foreign"])


def _reason(error: DeviceError) -> GapReason:
    if isinstance(error, DeviceTimeout):
        return GapReason.TIMEOUT
    return GapReason.AUTHENTICATION if isinstance(error, DeviceAuthenticationError) else GapReason.PROTOCOL


def _examine(session: Session, interfaces: Sequence[Interface], watch_seconds: float, now: Callable[[], datetime]) -> Probe:
    scalars = read_scalars(session, (SYS_UPTIME, SYS_NAME, ENGINE_ID, SYSTEM_DATE))
    rtt_seconds = session.rtt_seconds
    there = date_and_time(scalars.get(SYSTEM_DATE))
    offset = None if there is None else (there - now()).total_seconds()
    probed = _interfaces(session, interfaces)
    engine_id = session.engine_id or (scalars[ENGINE_ID].content if ENGINE_ID in scalars else b"")
    return Probe(
        device=session.device,
        reason=GapReason.NONE,
        rtt_seconds=rtt_seconds,
        sys_name=text(scalars.get(SYS_NAME)),
        engine_id=engine_id,
        clock_offset_seconds=offset,
        refresh_seconds=_refresh_seconds(session, probed, watch_seconds),
        foreign_replies=session.drops["foreign"],
        interfaces=probed,
    )


def _interfaces(session: Session, interfaces: Sequence[Interface]) -> tuple[ProbedInterface, ...]:
    """Names and aliases by a walk of what is asked for by, then each interface by GET."""
    columns = tuple(
        column
        for column, wanted in (
            (Column.NAME, any(interface.if_name is not None for interface in interfaces)),
            (Column.DESCR, any(interface.if_name is not None for interface in interfaces)),
            (Column.ALIAS, any(interface.if_alias is not None for interface in interfaces)),
        )
        if wanted
    )
    table = read_table(session, columns)
    return tuple(_probed(session, interface, _matches(table, interface)) for interface in interfaces)


def _matches(table: Table, interface: Interface) -> tuple[int, ...]:
    """ifIndexes whose ifName (ifDescr, where the agent has no ifName at all) or ifAlias is the interface's."""
    if interface.if_name is None:
        column, wanted = Column.ALIAS, interface.if_alias
    else:
        column, wanted = Column.NAME if table[Column.NAME] else Column.DESCR, interface.if_name
    return tuple(sorted(index for index, variable in table[column].items() if text(variable) == wanted))


def _probed(session: Session, interface: Interface, matches: tuple[int, ...]) -> ProbedInterface:
    if len(matches) != 1:
        return ProbedInterface(interface=interface, matches=matches)
    found = read_scalars(session, tuple(instance(column, matches[0]) for column in _READ))

    def number(column: Column) -> int | None:
        variable = found.get(instance(column, matches[0]))
        return variable.number if variable is not None and variable.tag in OBJECTS[column].tags else None

    def status(column: Column) -> bool | None:
        return None if number(column) is None else number(column) == 1

    wide = number(Column.IN_OCTETS) is not None and number(Column.OUT_OCTETS) is not None
    narrow = number(Column.IN_OCTETS_32) is not None and number(Column.OUT_OCTETS_32) is not None
    return ProbedInterface(
        interface=interface,
        matches=matches,
        counter_bits=64 if wide else 32 if narrow else 0,
        oper_up=status(Column.OPER_STATUS),
        admin_up=status(Column.ADMIN_STATUS),
        if_high_speed_mbps=number(Column.HIGH_SPEED),
        speed_bps=speed_bps(number(Column.HIGH_SPEED), number(Column.SPEED)),
        has_discontinuity=number(Column.DISCONTINUITY) is not None,
    )


def _refresh_seconds(session: Session, probed: Sequence[ProbedInterface], watch_seconds: float) -> float | None:
    """Looks at the octets of up to eight interfaces some times a second, and notes when any of them move."""
    up = [one for one in probed if one.counter_bits and one.oper_up is not False][:8]
    names = tuple(
        instance(column, one.matches[0])
        for one in up
        for column in (
            (Column.IN_OCTETS, Column.OUT_OCTETS) if one.counter_bits == 64 else (Column.IN_OCTETS_32, Column.OUT_OCTETS_32)
        )
    )
    moved: list[float] = []
    before: dict[bytes, Variable] | None = None
    until = time.monotonic() + watch_seconds
    while names and time.monotonic() < until:
        seen = read_scalars(session, names)
        if before is not None and seen != before:
            moved.append(time.monotonic())
        before = seen
        time.sleep(1 / _LOOKS_PER_SECOND)
    return max((later - earlier for earlier, later in pairwise(moved)), default=None)


def date_and_time(variable: Variable | None) -> datetime | None:
    """A DateAndTime as an instant; None without its time zone, or where it is no date (RFC 2579)."""
    if variable is None or variable.tag != Tag.OCTET_STRING or len(variable.content) != 11:
        return None
    octets = variable.content
    sign = -1 if octets[8:9] == b"-" else 1
    try:
        zone = timezone(sign * timedelta(hours=octets[9], minutes=octets[10]))
        year = int.from_bytes(octets[:2], "big")
        return datetime(year, octets[2], octets[3], octets[4], octets[5], min(octets[6], 59), octets[7] * 100_000, zone)
    except ValueError:
        return None
