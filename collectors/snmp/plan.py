"""What one device is asked for in a cycle: the known OIDs of its interfaces, cut into PDUs that fit a datagram.

Pure. sysUpTime comes first in every PDU, and every interface in it brings its own name along, so that an ifIndex which now
means another port is seen in the very reply. Which ifIndex a name has is `resolve`'s business, the wire `ber`'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from bwmgr.model.inventory import Credential, Device, Interface
from collectors.snmp.objects import NO_COUNTER64, OBJECTS, OCTETS, SYS_UPTIME, Column, instance
from collectors.snmp.settings import SnmpSettings

UPTIME = 255
"""Stands for sysUpTime where a `Column` is stored."""

LEAST_VARIABLES = 4
"""sysUpTime, the name and both octet counters: less makes no reading."""

_TWINS = (
    {Column.IN_OCTETS, Column.OUT_OCTETS},
    {Column.IN_PACKETS, Column.OUT_PACKETS},
)
"""Where an agent lacks one of a pair, the other is not used either: both come from counters of one width."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """A device to be polled: how it is asked, and for which interfaces."""

    device: Device
    credential: Credential
    interfaces: tuple[Interface, ...]


@dataclass(frozen=True, slots=True)
class Item:
    """One variable of a PDU. `row` is the reading that it belongs to, -1 for sysUpTime; `text` is what a name must be."""

    name: bytes
    column: int
    row: int
    text: bytes | None = None


@dataclass(kw_only=True)
class Place:
    """Where one interface is found on its device, and what the device has of it."""

    row: int
    interface: Interface
    if_index: int | None = None
    identity: Column = Column.NAME
    description: str = ""
    """ifDescr, where it is asked for and known."""
    lacking: set[Column] = field(default_factory=set)
    """Columns that the agent did not have when it was asked; what replaces them is asked for since."""

    @property
    def text(self) -> bytes:
        """What the identity column must say."""
        return (self.interface.if_name or self.interface.if_alias or "").encode()

    def columns(self, settings: SnmpSettings, *, counter64: bool) -> list[Column]:
        """What to ask besides the name: octets first, fallbacks in the place of what is lacking."""
        wanted = sorted(settings.columns, key=lambda column: column not in OCTETS)
        chosen = (self._available(column, counter64=counter64) for column in wanted)
        return list(dict.fromkeys(column for column in chosen if column is not None))

    def lacks(self, column: Column) -> None:
        """Remember that the agent has no such column for this interface."""
        twins = next((pair for pair in _TWINS if column in pair), {column})
        self.lacking |= twins

    def _available(self, column: Column, *, counter64: bool) -> Column | None:
        if not counter64:
            column = NO_COUNTER64.get(column, column)
        fallback = OBJECTS[column].fallback
        if column in self.lacking:
            return fallback if fallback is not None and fallback not in self.lacking else None
        return column


def pdus(
    places: Sequence[Place], settings: SnmpSettings, *, counter64: bool, community_octets: int, max_variables: int | None = None
) -> list[tuple[Item, ...]]:
    """The PDUs for the places whose ifIndex is known, each within the limits on variables and on the reply's worst size.

    `max_variables` is what the device has proved to bear (tooBig), None: as the settings say. Interfaces are kept whole
    where a PDU can hold one; a longer one goes into several, its octets all in the first.
    """
    most = min(settings.max_variables, max_variables or settings.max_variables)
    room = settings.max_message_octets - _HEADER_OCTETS - community_octets - _worst_octets(_UPTIME_ITEM)
    done: list[tuple[Item, ...]] = []
    current: list[Item] = []
    for place in places:
        for piece in _pieces(place, settings, counter64=counter64, most=most - 1, room=room):
            if current and (len(current) + len(piece) > most - 1 or _worst(current) + _worst(piece) > room):
                done.append((_UPTIME_ITEM, *current))
                current = []
            current += piece
    if current:
        done.append((_UPTIME_ITEM, *current))
    return done


def _pieces(place: Place, settings: SnmpSettings, *, counter64: bool, most: int, room: int) -> Iterator[list[Item]]:
    """An interface's variables in as few pieces as fit, the name at the head of each."""
    if place.if_index is None:
        return
    name = Item(instance(place.identity, place.if_index), place.identity, place.row, place.text)
    piece = [name]
    for column in place.columns(settings, counter64=counter64):
        item = Item(instance(column, place.if_index), column, place.row)
        if len(piece) == most or _worst([*piece, item]) > room:
            yield piece
            piece = [name]
        piece.append(item)
    yield piece


def _worst(items: Sequence[Item]) -> int:
    return sum(map(_worst_octets, items))


def _worst_octets(item: Item) -> int:
    """Of one variable in a reply: its value at its longest, and the tags and lengths around."""
    if item.text is not None:
        value = max(len(item.text), _USUAL_TEXT_OCTETS)  # another port's name may be longer: tooBig would tell
    else:
        value = 5 if item.column == UPTIME else OBJECTS[Column(item.column)].worst_octets
    return 6 + len(item.name) + value + 2 * (value > 100)


_UPTIME_ITEM = Item(SYS_UPTIME, UPTIME, -1)
_USUAL_TEXT_OCTETS = 16
_HEADER_OCTETS = 36
"""Of a reply without its variables: lengths of three octets, and the request-id, status and index."""
