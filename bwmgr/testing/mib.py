"""The MIB objects of a virtual router: system group (RFC 3418), ifTable and ifXTable (RFC 2863).

Owns which objects there are, in which order they are walked, and how a port's state becomes their values. What the
counters count belongs to whoever makes the ports (`bwmgr.testing.regency`).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from bwmgr.testing import ber
from bwmgr.testing.ber import Oid

_SYSTEM = (1, 3, 6, 1, 2, 1, 1)
_INTERFACES = (1, 3, 6, 1, 2, 1, 2)
_IF_ENTRY = (*_INTERFACES, 2, 1)
_IF_X_ENTRY = (1, 3, 6, 1, 2, 1, 31, 1, 1, 1)
ETHERNET_CSMACD = 6  # IANAifType
UP, DOWN = 1, 2


@dataclass(frozen=True, kw_only=True, slots=True)
class PortState:
    """What a port has counted since its router's boot; never negative, never falling, of any size."""

    in_octets: int = 0
    out_octets: int = 0
    in_packets: int = 0
    out_packets: int = 0
    in_discards: int = 0
    out_discards: int = 0
    in_errors: int = 0
    out_errors: int = 0
    oper_up: bool = True
    admin_up: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Port:
    """One interface; `read(now_ms)` gives its state at that instant, ms since 1970 UTC."""

    if_index: int
    if_name: str
    read: Callable[[int], PortState]
    if_descr: str = ""
    """Empty: as `if_name`."""
    if_alias: str = ""
    speed_bps: int = 1_000_000_000
    counter64: bool = True
    """False: no ifHC* columns, as on old or cheap devices."""


@dataclass(frozen=True, kw_only=True)
class System:
    """The scalars of the system group that do not move."""

    name: str
    descr: str = "bwmgr virtual router"
    object_id: Oid = (1, 3, 6, 1, 4, 1, 8072, 3, 2, 10)  # net-snmp's linux: no enterprise number of our own
    contact: str = ""
    location: str = ""


class PortTable:
    """A router's ports in the order of their ifIndex. Raises ValueError where two share one."""

    def __init__(self, ports: Iterable[Port]) -> None:
        self.ports = tuple(sorted(ports, key=lambda port: port.if_index))
        self.by_index = {port.if_index: port for port in self.ports}
        self.instances: list[Oid] = [(port.if_index,) for port in self.ports]
        if len(self.by_index) != len(self.ports):
            raise ValueError("two ports have one ifIndex")


class Snapshot:
    """All objects of one router at one instant; a PDU is answered from one snapshot, so its values belong together."""

    def __init__(self, system: System, table: PortTable, *, now_ms: int, uptime_ms: int) -> None:
        self.system = system
        self.table = table
        self.now_ms = now_ms
        self.sys_uptime_ticks = uptime_ms // 10 % 2**32
        self._states: dict[int, PortState] = {}

    def state(self, port: Port) -> PortState:
        """The port's counters, read once however many of them are asked for."""
        if port.if_index not in self._states:
            self._states[port.if_index] = port.read(self.now_ms)
        return self._states[port.if_index]

    def get(self, oid: Oid) -> bytes:
        """The value in BER, or noSuchObject or noSuchInstance (RFC 3416 section 4.2.1)."""
        position = bisect_right(_PREFIXES, oid) - 1
        if position < 0 or oid[: len(_PREFIXES[position])] != _PREFIXES[position]:
            return ber.NO_SUCH_OBJECT
        value = _OBJECTS[position].read(self, oid[len(_PREFIXES[position]) :])
        return ber.NO_SUCH_INSTANCE if value is None else value

    def following(self, oid: Oid) -> tuple[Oid, bytes] | None:
        """The lexicographically next instance and its value; None at the end of the MIB view."""
        position = max(bisect_right(_PREFIXES, oid) - 1, 0)
        for prefix, managed in zip(_PREFIXES[position:], _OBJECTS[position:], strict=True):
            suffix = oid[len(prefix) :] if oid[: len(prefix)] == prefix else ()
            if suffix or prefix >= oid:
                for instance in managed.after(self, suffix):
                    if (value := managed.read(self, instance)) is not None:
                        return (*prefix, *instance), value
        return None


class _Scalar:
    """One object with the single instance 0."""

    def __init__(self, value: Callable[[Snapshot], bytes]) -> None:
        self.value = value

    def after(self, _: Snapshot, suffix: Oid) -> Sequence[Oid]:
        return () if suffix >= (0,) else ((0,),)

    def read(self, snapshot: Snapshot, instance: Oid) -> bytes | None:
        return self.value(snapshot) if instance == (0,) else None


class _Column:
    """One column of ifTable or ifXTable, an instance per ifIndex; `counter64`: only where the port has 64-bit counters."""

    def __init__(self, value: Callable[[Port, PortState], bytes], *, counter64: bool = False) -> None:
        self.value = value
        self.counter64 = counter64

    def after(self, snapshot: Snapshot, suffix: Oid) -> Iterator[Oid]:
        instances = snapshot.table.instances
        return islice(instances, bisect_right(instances, suffix), None)

    def read(self, snapshot: Snapshot, instance: Oid) -> bytes | None:
        port = snapshot.table.by_index.get(instance[0]) if len(instance) == 1 else None
        if port is None or (self.counter64 and not port.counter64):
            return None
        return self.value(port, snapshot.state(port))


def _counter32(number: int) -> bytes:
    return ber.integer(number % 2**32, ber.COUNTER32)


def _counter64(number: int) -> bytes:
    return ber.integer(number % 2**64, ber.COUNTER64)


def _gauge(number: int) -> bytes:
    return ber.integer(min(number, 2**32 - 1), ber.GAUGE32)


def _status(up: bool) -> bytes:
    return ber.integer(UP if up else DOWN)


def _mac_address(port: Port) -> bytes:
    """Locally administered, so that it is nobody's."""
    return ber.octets(bytes((0x02, 0, 0, 0)) + (port.if_index % 65536).to_bytes(2, "big"))


_CONSTANT_ZERO = _Column(lambda _port, _state: _counter32(0))

_TABLE: dict[Oid, _Scalar | _Column] = {
    (*_SYSTEM, 1): _Scalar(lambda s: ber.octets(s.system.descr)),
    (*_SYSTEM, 2): _Scalar(lambda s: ber.object_identifier(s.system.object_id)),
    (*_SYSTEM, 3): _Scalar(lambda s: ber.integer(s.sys_uptime_ticks, ber.TIMETICKS)),
    (*_SYSTEM, 4): _Scalar(lambda s: ber.octets(s.system.contact)),
    (*_SYSTEM, 5): _Scalar(lambda s: ber.octets(s.system.name)),
    (*_SYSTEM, 6): _Scalar(lambda s: ber.octets(s.system.location)),
    (*_SYSTEM, 7): _Scalar(lambda _: ber.integer(4)),  # RFC 3418 sysServices: layer 3
    (*_INTERFACES, 1): _Scalar(lambda s: ber.integer(len(s.table.ports))),
    (*_IF_ENTRY, 1): _Column(lambda p, _: ber.integer(p.if_index)),
    (*_IF_ENTRY, 2): _Column(lambda p, _: ber.octets(p.if_descr or p.if_name)),
    (*_IF_ENTRY, 3): _Column(lambda _p, _s: ber.integer(ETHERNET_CSMACD)),
    (*_IF_ENTRY, 4): _Column(lambda _p, _s: ber.integer(1500)),
    (*_IF_ENTRY, 5): _Column(lambda p, _: _gauge(p.speed_bps)),
    (*_IF_ENTRY, 6): _Column(lambda p, _: _mac_address(p)),
    (*_IF_ENTRY, 7): _Column(lambda _, s: _status(s.admin_up)),
    (*_IF_ENTRY, 8): _Column(lambda _, s: _status(s.oper_up)),
    (*_IF_ENTRY, 9): _Column(lambda _p, _s: ber.integer(0, ber.TIMETICKS)),  # in this state since before the last restart
    (*_IF_ENTRY, 10): _Column(lambda _, s: _counter32(s.in_octets)),
    (*_IF_ENTRY, 11): _Column(lambda _, s: _counter32(s.in_packets)),
    (*_IF_ENTRY, 13): _Column(lambda _, s: _counter32(s.in_discards)),
    (*_IF_ENTRY, 14): _Column(lambda _, s: _counter32(s.in_errors)),
    (*_IF_ENTRY, 15): _CONSTANT_ZERO,  # ifInUnknownProtos
    (*_IF_ENTRY, 16): _Column(lambda _, s: _counter32(s.out_octets)),
    (*_IF_ENTRY, 17): _Column(lambda _, s: _counter32(s.out_packets)),
    (*_IF_ENTRY, 19): _Column(lambda _, s: _counter32(s.out_discards)),
    (*_IF_ENTRY, 20): _Column(lambda _, s: _counter32(s.out_errors)),
    (*_IF_X_ENTRY, 1): _Column(lambda p, _: ber.octets(p.if_name)),
    (*_IF_X_ENTRY, 6): _Column(lambda _, s: _counter64(s.in_octets), counter64=True),
    (*_IF_X_ENTRY, 7): _Column(lambda _, s: _counter64(s.in_packets), counter64=True),
    (*_IF_X_ENTRY, 10): _Column(lambda _, s: _counter64(s.out_octets), counter64=True),
    (*_IF_X_ENTRY, 11): _Column(lambda _, s: _counter64(s.out_packets), counter64=True),
    (*_IF_X_ENTRY, 15): _Column(lambda p, _: _gauge((p.speed_bps + 500_000) // 1_000_000)),  # rounded, RFC 2863
    (*_IF_X_ENTRY, 18): _Column(lambda p, _: ber.octets(p.if_alias)),
    (*_IF_X_ENTRY, 19): _Column(lambda _p, _s: ber.integer(0, ber.TIMETICKS)),  # no discontinuity since the boot
}
_PREFIXES = sorted(_TABLE)
_OBJECTS = [_TABLE[prefix] for prefix in _PREFIXES]
