"""What the collector knows of one v1 or v2c device between cycles, and the requests that follow from it.

Owns resolved ifIndexes, columns that the agent lacks and sizes that it does not bear. Sends nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import reduce

from bwmgr.model.said import Said, both
from bwmgr.model.samples import GapReason
from collectors.snmp.ber import ErrorStatus, RequestMessage, Tag, encode_request
from collectors.snmp.matching import ALLOWED
from collectors.snmp.objects import OCTETS, Column
from collectors.snmp.plan import LEAST_VARIABLES, Item, Place, Target, pdus
from collectors.snmp.resolve import Found, NameWalk
from collectors.snmp.settings import SnmpSettings

MOST_ROUNDS = 40
"""Times that a device is asked afresh within one cycle, each for something that it turned out to lack."""
MOST_LOOKUPS = 3
"""Times that its names are looked up within one cycle."""
_UNRESOLVED_INTERVALS = 5
"""Cycles after which a name that was not found, or found twice, is looked up again."""


class Next(Enum):
    """What to do about an error."""

    NOTHING = 0
    ASK_AGAIN = 1
    ASK_NAMES = 2


@dataclass
class DeviceState:
    """One device; `position` is its place among the collector's targets, `places` its interfaces."""

    position: int
    target: Target
    settings: SnmpSettings
    places: list[Place]
    reasons: list[GapReason]
    """Why a place has no ifIndex, by place."""
    slots: list[int] = field(default_factory=list)
    items: dict[int, tuple[Item, ...]] = field(default_factory=dict)
    walk: NameWalk | None = None
    walk_slot: int = -1
    background: bool = False
    """The walk is a precaution: what it finds counts from the next cycle on."""
    resolved: bool = False
    resolve_due: bool = True
    resolve_at: float = 0.0
    """When the names are looked up again at the latest, in the clock's monotonic seconds."""
    dirty: bool = True
    """Something happened since its last cycle began: its reasons and details may have changed."""
    has_rebooted: bool = False
    note: str = ""
    """What the last look-up could not find, for people."""
    pending: list[Found] | None = None
    repetitions: int | None = None
    max_variables: int | None = None
    rounds: int = 0
    lookups: int = 0
    detail: str = ""
    failure: GapReason = GapReason.NONE
    """What went wrong with the whole device in this cycle, if more than silence."""

    @classmethod
    def of(cls, position: int, target: Target, first_row: int, settings: SnmpSettings) -> DeviceState:
        """A device of which nothing is known yet; its interfaces' rows begin at `first_row`."""
        places = [Place(row=first_row + number, interface=each) for number, each in enumerate(target.interfaces)]
        return cls(position, target, settings, places, [GapReason.UNRESOLVED] * len(places))

    @property
    def version(self) -> int:
        """On the wire: 0 is v1, 1 is v2c; v3 PDUs are those of v2c."""
        return 0 if self.target.credential.version == "1" else 1

    @property
    def community(self) -> bytes:
        secret = self.target.credential.community
        return secret.reveal().encode() if secret is not None else b""

    def begin_cycle(self) -> bool:
        """Forget what was of the last cycle; True if what was found meanwhile changes what is to be asked."""
        self.rounds = self.lookups = 0
        self.detail, self.failure, self.dirty = "", GapReason.NONE, False
        if self.pending is None:
            return False
        self.take(self.pending)
        return True

    def end_cycle(self, now: float, *, answered: bool, failed: bool) -> None:
        """`failed`: the walk got no answer to its last request; a device that answers else is asked for less next time."""
        if self.walk is None:
            return
        self.dirty = True
        if not answered:
            self.walk = None
        elif failed and self.walk.describing:
            self.background = True
            self.end_walk(now)
        elif failed:
            self.repetitions = self.walk.repetitions = max(self.walk.repetitions // 2, 1)
        if self.walk is not None and not self.background:
            self.detail = Said("its names are being looked up: {rows} interfaces so far", rows=self.walk.rows)

    def take(self, found: Sequence[Found]) -> None:
        """Remember where the names were found. An interface that moved, or was lost, may have other columns there."""
        for number, (place, result) in enumerate(zip(self.places, found, strict=True)):
            if place.if_index != result.if_index or self.has_rebooted or self.reasons[number] is GapReason.MISSING:
                place.lacking.clear()
            if result.description or place.if_index != result.if_index:
                place.description = result.description
            place.if_index, place.identity = result.if_index, result.identity
            self.reasons[number] = result.reason
        self.note = reduce(both, (result.detail for result in found), "")
        self.resolved = self.dirty = True
        self.resolve_due = self.has_rebooted = False
        self.pending = None

    def end_walk(self, now: float) -> bool:
        """The walk is over: take what it found, or keep it for the next cycle. True: ask for the counters (again)."""
        assert self.walk is not None
        found, self.repetitions, self.walk = self.walk.found(), self.walk.repetitions, None
        self.dirty = True
        self.look_up_later(now, found_all=not any(each.reason for each in found))
        if self.background:
            self.pending, self.resolve_due = found, False
            return False
        self.take(found)
        return True

    def look_up_later(self, now: float, *, found_all: bool = True) -> None:
        """Set when the names are looked up again: spread over devices, and soon where one of them was not found."""
        share = 0.5 + self.position * _GOLDEN % 1.0 / 2
        seconds = self.settings.resolve_every_seconds * share
        soon = _UNRESOLVED_INTERVALS * self.settings.interval_seconds
        self.resolve_at = now + (seconds if found_all else min(seconds, soon))

    def rebooted(self) -> None:
        """Its sysUpTime fell: indexes and columns may be others now."""
        self.has_rebooted = self.resolve_due = True

    def fail(self, reason: GapReason, detail: str) -> None:
        """Something is wrong with the device as a whole, in this cycle."""
        self.failure, self.detail, self.dirty = reason, detail, True

    def learn(self, items: Sequence[Item], tags: Sequence[int], numbers: Sequence[int]) -> bool:
        """What an odd answer says of the device: columns that it lacks. True if a name is not where it was.

        `numbers` holds 1 for a name that is the right one.
        """
        self.dirty = True
        lost = {item.row for item, number in zip(items, numbers, strict=True) if item.text is not None and number != 1}
        for row in lost:
            self.reasons[row - self.places[0].row] = GapReason.RENUMBERED
        for item, tag, number in zip(items, tags, numbers, strict=True):
            if item.text is not None or item.row < 0 or item.row in lost:
                continue
            column = Column(item.column)
            if not ALLOWED[column, tag] or (column is Column.HIGH_SPEED and number == 0):
                self._lacks(item.row, column)
        return bool(lost)

    def take_error(self, items: Sequence[Item], status: int, index: int) -> Next:
        """An error-status in answer to `items`; `index` counts from 1 (RFC 3416 section 4.2.1)."""
        self.dirty = True
        if status == ErrorStatus.TOO_BIG and self._halve(len(items)):
            return Next.ASK_AGAIN
        item = items[index - 1] if 1 < index <= len(items) else None
        if item is None or status not in (ErrorStatus.NO_SUCH_NAME, ErrorStatus.GEN_ERR):
            self.fail(
                GapReason.PROTOCOL, Said("answers with error-status {status} at variable {place}", status=status, place=index)
            )
            return Next.NOTHING
        if item.text is not None:
            self.reasons[item.row - self.places[0].row] = GapReason.RENUMBERED
            return Next.ASK_NAMES
        self._lacks(item.row, Column(item.column))
        return Next.ASK_AGAIN

    def _lacks(self, row: int, column: Column) -> None:
        """The agent has no such column; without octets in any width the interface cannot be read."""
        place = self.place_of(row)
        place.lacks(column)
        if not OCTETS & set(place.columns(self.settings, counter64=self.version > 0)):
            self.reasons[row - self.places[0].row] = GapReason.MISSING

    def start_walk(self, *, background: bool) -> None:
        """Begin to look up all names; a walk that the last cycle left unfinished goes on where it was."""
        if self.walk is None:
            bulk = self.target.credential.version != "1"
            self.walk = NameWalk(
                self.target.device.id,
                self.places,
                bulk=bulk,
                repetitions=self.repetitions,
                describe=self.settings.descriptions,
            )
        self.background = background

    def walk_message(self) -> RequestMessage:
        """The next request of the walk."""
        assert self.walk is not None
        bulk = self.walk.bulk
        return encode_request(
            version=self.version,
            community=self.community,
            pdu=Tag.GET_BULK if bulk else Tag.GET_NEXT,
            names=self.walk.names,
            second=self.walk.rows_at_once if bulk else 0,
        )

    def pdus(self) -> list[tuple[Item, ...]]:
        """What to ask in a cycle, by PDU."""
        return pdus(
            [place for place in self.places if place.if_index is not None],
            self.settings,
            counter64=self.version > 0,
            community_octets=len(self.community),
            max_variables=self.max_variables,
        )

    def message(self, items: Sequence[Item]) -> RequestMessage:
        names = (item.name for item in items)
        return encode_request(version=self.version, community=self.community, pdu=Tag.GET, names=names)

    def _halve(self, variables: int) -> bool:
        """Ask for less in one PDU after tooBig to so many; False if less makes no reading."""
        if variables <= LEAST_VARIABLES:
            return False
        self.max_variables = max(variables // 2, LEAST_VARIABLES)
        return True

    def place_of(self, row: int) -> Place:
        return self.places[row - self.places[0].row]


def is_v3(device: DeviceState) -> bool:
    return device.target.credential.version == "3"


_GOLDEN = 0.6180339887
