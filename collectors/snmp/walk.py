"""Reading whole tables: GETBULK (v2c, v3) or GETNEXT (v1), several columns side by side, until each has ended.

Owns what an agent may do wrong on the way: answers too big or cut short, OIDs that do not increase, endless tables.
Sockets and tries are `session`'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bwmgr.errors import DeviceProtocolError, DeviceTimeout
from bwmgr.model.said import Said
from collectors.snmp.ber import ErrorStatus, Tag, decode_oid, encode_oid
from collectors.snmp.reference import Reply, Variable
from collectors.snmp.session import Session

Oid = tuple[int, ...]
MAX_VARIABLES = 5_000_000
"""Of one walk: an agent that invents ever larger OIDs must end some time."""


@dataclass
class _Column:
    """A column on its way: `prefix` and `at` are encoded, for the wire."""

    root: Oid
    at: bytes
    last: Oid
    done: bool = False


def walk(session: Session, root: Oid) -> Iterator[tuple[Oid, Variable]]:
    """Every instance below `root` in order; values that are no values (noSuchInstance ...) are left out.

    Raises: DeviceProtocolError (OIDs that do not increase, an error other than tooBig), DeviceTimeout and the session's others.
    """
    for row in walk_columns(session, (root,)):
        yield from row


def walk_columns(session: Session, roots: Sequence[Oid]) -> Iterator[list[tuple[Oid, Variable]]]:
    """As `walk` over several columns at once: yields what each reply brought, column after column mixed.

    A table of n rows costs about n * columns / (what fits a reply) requests, and columns that end early are asked no longer.
    """
    columns = [_Column(root, encode_oid(root), root) for root in roots]
    seen = 0
    while active := [column for column in columns if not column.done]:
        found = _step(session, active)
        seen += len(found)
        if seen > MAX_VARIABLES:
            raise DeviceProtocolError(session.device.id, Said("its table has no end ({values} values)", values=MAX_VARIABLES))
        if found:
            yield found


def _step(session: Session, active: list[_Column]) -> list[tuple[Oid, Variable]]:
    """One request for what follows in each of the columns."""
    names = [column.at for column in active]
    reply = _ask_bulk(session, names) if session.bulk else _ask_next(session, active)
    if reply is None:
        return []
    if not reply.variables:
        raise DeviceProtocolError(session.device.id, Said("it answers a walk with nothing"))
    found: list[tuple[Oid, Variable]] = []
    for position, variable in enumerate(reply.variables):
        column = active[position % len(active)]
        if not column.done:
            _take(session, column, variable, found)
    return found


def _take(session: Session, column: _Column, variable: Variable, found: list[tuple[Oid, Variable]]) -> None:
    """Moves a column on by one variable, or ends it."""
    oid = decode_oid(variable.name)
    if variable.tag == Tag.END_OF_MIB_VIEW or oid[: len(column.root)] != column.root:
        column.done = True
        return
    if oid <= column.last:
        dotted = ".".join(map(str, oid))
        raise DeviceProtocolError(
            session.device.id,
            Said("its OIDs do not increase: {oid} after {last}", oid=dotted, last=".".join(map(str, column.last))),
        )
    column.last, column.at = oid, variable.name
    if not variable.absent:
        found.append((oid, variable))


def _ask_bulk(session: Session, names: list[bytes]) -> Reply:
    """GETBULK with as many repetitions as the device bears: doubled while answers are whole, halved on tooBig or loss.

    RFC 3416 section 4.2.3 lets an agent cut an answer short; some answer tooBig instead, or send fragments that nobody gets.
    """
    while True:
        repetitions = max(1, session.repetitions // len(names))
        try:
            reply = session.ask(Tag.GET_BULK, names, 0, repetitions)
        except DeviceTimeout:
            if repetitions == 1 or not _answers_small(session, names):
                raise
            reply = None
        if reply is not None and reply.error_status not in (ErrorStatus.NO_ERROR, ErrorStatus.TOO_BIG):
            raise _error(session, reply)
        if reply is not None and reply.error_status == ErrorStatus.NO_ERROR and reply.variables:
            if len(reply.variables) == repetitions * len(names):
                session.repetitions = min(session.ceiling, 2 * len(reply.variables))
            return reply
        if repetitions == 1:
            return _one_by_one(session, names)
        session.ceiling = session.repetitions = repetitions // 2 * len(names)


def _answers_small(session: Session, names: list[bytes]) -> bool:
    """Whether the device is there at all, and only its big answer got lost."""
    try:
        session.ask(Tag.GET_NEXT, names[:1])
    except DeviceTimeout:
        return False
    return True


def _one_by_one(session: Session, names: list[bytes]) -> Reply:
    """The columns' next instances by a GETNEXT each, for an agent to which even one row is too big."""
    variables: list[Variable] = []
    for name in names:
        reply = session.ask(Tag.GET_NEXT, (name,))
        if reply.error_status != ErrorStatus.NO_ERROR or not reply.variables:
            raise _error(session, reply)
        variables.append(reply.variables[0])
    return Reply(reply.version, reply.request_id, 0, 0, tuple(variables))


def _ask_next(session: Session, active: list[_Column]) -> Reply | None:
    """GETNEXT; noSuchName is v1's end of the MIB for the column that it points at (RFC 1157 section 4.1.3)."""
    reply = session.ask(Tag.GET_NEXT, [column.at for column in active])
    if reply.error_status == ErrorStatus.NO_ERROR:
        return reply
    if reply.error_status == ErrorStatus.NO_SUCH_NAME and 1 <= reply.error_index <= len(active):
        active[reply.error_index - 1].done = True
        return None
    if reply.error_status == ErrorStatus.TOO_BIG and len(active) > 1:
        return _one_by_one(session, [column.at for column in active])
    raise _error(session, reply)


def _error(session: Session, reply: Reply) -> DeviceProtocolError:
    known = {int(status): status.name for status in ErrorStatus}
    name = known.get(reply.error_status, str(reply.error_status))
    return DeviceProtocolError(
        session.device.id, Said("it answers a walk with error {error} at variable {place}", error=name, place=reply.error_index)
    )
