"""From names to ifIndexes: a walk over ifName and ifAlias of one device, one request after the other.

Owns the walk's state, so that thousands of them share one socket; who sends the requests is not known here. An agent without
ifXTable is searched by ifDescr. Only what is looked for is kept, so the size of a table costs time, not memory. Where `describe`
says so, the ifDescr of what was found is asked for at the end; an agent that has none, or objects, goes without.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from bwmgr.errors import DeviceProtocolError
from bwmgr.model.said import Said
from bwmgr.model.samples import GapReason
from collectors.snmp.ber import ErrorStatus, decode_oid
from collectors.snmp.objects import OBJECTS, Column, instance
from collectors.snmp.plan import Place
from collectors.snmp.reference import Reply, Variable

MOST_ROWS = 200_000
"""More than any router has: an agent that gives more goes in circles."""
_VALUES_AT_ONCE = 24
_DESCRIPTIONS_AT_ONCE = 4
"""ifDescr may be 255 octets (RFC 2863): four of those fit a datagram."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """Where one interface is, or why it is not known where."""

    if_index: int | None = None
    identity: Column = Column.NAME
    reason: GapReason = GapReason.NONE
    detail: str = ""
    description: str = ""
    """ifDescr, where it was asked for and given."""


@dataclass
class _Track:
    """The walk of one column."""

    column: Column
    next_name: bytes
    last_index: int = -1
    done: bool = False
    rows: int = 0
    matches: dict[bytes, list[int]] = field(default_factory=dict)


class NameWalk:
    """Looks for the interfaces of `places` on one device. Ask what `names` says, `feed` the reply, until `done`.

    `bulk` allows GETBULK; `repetitions` is what the device is known to bear, and is lowered where it answers tooBig.
    """

    def __init__(
        self, device: str, places: Sequence[Place], *, bulk: bool, repetitions: int | None = None, describe: bool = False
    ) -> None:
        self.device = device
        self.places = places
        self.bulk = bulk
        by_name = any(place.interface.if_name is not None for place in places)
        by_alias = any(place.interface.if_name is None for place in places)
        self._tracks = [_track(Column.NAME)] if by_name or by_alias else []
        self._tracks += [_track(Column.ALIAS)] if by_alias else []
        self.repetitions = repetitions or _VALUES_AT_ONCE // max(len(self._tracks), 1)
        self._wanted = {place.text for place in places}
        self._names_by_alias = by_alias
        self._if_names: dict[int, bytes] = {}
        self._describe = describe
        self._undescribed: list[int] = []
        self._descriptions: dict[int, str] = {}

    @property
    def done(self) -> bool:
        return self._all_seen and not self._undescribed

    @property
    def rows_at_once(self) -> int:
        """What to write into max-repetitions."""
        return self.repetitions if not self._all_seen else 1

    @property
    def describing(self) -> bool:
        """All is found, and only descriptions are still asked for: nothing is lost by giving those up."""
        return bool(self._undescribed)

    @property
    def _all_seen(self) -> bool:
        return all(track.done for track in self._tracks)

    @property
    def rows(self) -> int:
        """How many rows of the table have been seen."""
        return max((track.rows for track in self._tracks), default=0)

    @property
    def names(self) -> tuple[bytes, ...]:
        """Encoded OIDs to ask for what follows them."""
        if self._undescribed:  # what follows the instance before is this one: a GET would be another kind of request
            return tuple(instance(Column.DESCR, if_index - 1) for if_index in self._undescribed[:_DESCRIPTIONS_AT_ONCE])
        return tuple(track.next_name for track in self._tracks if not track.done)

    def feed(self, reply: Reply) -> None:
        """Take the reply to what `names` said. Raises: DeviceProtocolError for an agent that goes in circles or only errs."""
        if self._undescribed:
            self._take_descriptions(reply)
            return
        if reply.error_status:
            self._take_error(reply)
            return
        if not reply.variables:
            self._halve("answers nothing to one repetition")
            return
        open_tracks = [track for track in self._tracks if not track.done]
        for position, variable in enumerate(reply.variables):
            self._take(open_tracks[position % len(open_tracks)], variable)
        self._look_further()

    def found(self) -> list[Found]:
        """One for each of the places, in order."""
        return [self._find(place) for place in self.places]

    def _take_error(self, reply: Reply) -> None:
        if reply.error_status == ErrorStatus.NO_SUCH_NAME:  # how version 1 says that nothing follows (RFC 1157 section 4.1.3)
            open_tracks = [track for track in self._tracks if not track.done]
            open_tracks[min(max(reply.error_index, 1), len(open_tracks)) - 1].done = True
            self._look_further()
        else:
            self._halve(Said("error-status {status}", status=reply.error_status))

    def _halve(self, problem: str) -> None:
        """Ask for less at once: RFC 3416 section 4.2.3 leaves it to the agent how much it returns."""
        if self.repetitions == 1 or not self.bulk:
            raise DeviceProtocolError(self.device, Said("the table of interfaces cannot be read: {problem}", problem=problem))
        self.repetitions = max(self.repetitions // 2, 1)

    def _take(self, track: _Track, variable: Variable) -> None:
        prefix = OBJECTS[track.column].prefix
        if track.done:
            return
        if not variable.absent and variable.name < prefix:  # octets compare like arcs here: the prefix has none above 127
            raise DeviceProtocolError(self.device, Said("its OIDs do not increase"))
        if variable.absent or not variable.name.startswith(prefix):
            track.done = True
            return
        if_index = _last_arc(variable.name[len(prefix) :])
        if if_index <= track.last_index:
            raise DeviceProtocolError(self.device, Said("its OIDs do not increase"))
        track.next_name, track.last_index = variable.name, if_index
        track.rows += 1
        if track.rows > MOST_ROWS:
            raise DeviceProtocolError(self.device, Said("more than {rows} interfaces", rows=MOST_ROWS))
        if track.column is not Column.ALIAS and self._names_by_alias:
            self._if_names[if_index] = variable.content
        if variable.content in self._wanted:
            track.matches.setdefault(variable.content, []).append(if_index)

    def _look_further(self) -> None:
        """What comes after a table's end: another table, or the descriptions of what was found."""
        if self._all_seen:
            self._fall_back_to_descr()
        if self._all_seen and self._describe:
            self._undescribed = sorted({found.if_index for found in self.found() if found.if_index is not None})

    def _take_descriptions(self, reply: Reply) -> None:
        if reply.error_status or not reply.variables:
            self._undescribed = []
            return
        asked = self._undescribed[:_DESCRIPTIONS_AT_ONCE]
        for if_index, variable in zip(asked, reply.variables, strict=False):  # a reply may hold less than was asked for
            if not variable.absent and variable.name == instance(Column.DESCR, if_index):
                self._descriptions[if_index] = _readable(variable.content)
        del self._undescribed[: min(len(asked), len(reply.variables))]

    def _fall_back_to_descr(self) -> None:
        """No ifName at all: an agent of before RFC 2233, which has ifDescr only."""
        by_name = next((track for track in self._tracks if track.column is not Column.ALIAS), None)
        if by_name is not None and by_name.column is Column.NAME and by_name.rows == 0:
            self._tracks[self._tracks.index(by_name)] = _track(Column.DESCR)

    def _find(self, place: Place) -> Found:
        alias = place.interface.if_name is None
        track = next((track for track in self._tracks if (track.column is Column.ALIAS) is alias), None)
        matches = track.matches.get(place.text, []) if track else []
        if track is not None and len(matches) == 1:
            return Found(if_index=matches[0], identity=track.column, description=self._descriptions.get(matches[0], ""))
        what = "ifAlias" if alias else "ifName"
        text = place.text.decode(errors="replace")
        if not matches:
            return Found(
                reason=GapReason.UNRESOLVED,
                detail=Said("no interface with {what} {name} among {rows}", what=what, name=repr(text), rows=self.rows),
            )
        return Found(
            reason=GapReason.AMBIGUOUS_NAME,
            detail=Said("{what} {name} is borne by {others}", what=what, name=repr(text), others=self._listed(matches)),
        )

    def _listed(self, matches: Sequence[int]) -> str:
        names = (self._if_names.get(if_index, b"").decode(errors="replace") or f"ifIndex {if_index}" for if_index in matches)
        return " and ".join(names)


def _readable(content: bytes) -> str:
    """A DisplayString as people read it: Windows ends it with a NUL, some agents break the line."""
    return "".join(letter for letter in content.decode(errors="replace") if letter.isprintable()).strip()


def _last_arc(suffix: bytes) -> int:
    """The ifIndex behind a column's OID; -1 where there is none, or more than one arc."""
    arcs = decode_oid(b"\x2b" + suffix)
    return arcs[-1] if len(arcs) == 3 else -1


def _track(column: Column) -> _Track:
    return _Track(column, OBJECTS[column].prefix)
