"""What is known of each recommendation on its way to a device: settings before and after, how far it came, its deadline.

Owns the documents and their keys in the state store, so that any process, also one started after a crash, can go on or take back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any

from bwmgr.daemon.status import rfc3339
from bwmgr.model.decision import Status
from bwmgr.model.inventory import Direction

if TYPE_CHECKING:
    from pydantic import TypeAdapter

    from bwmgr.stores.state import StateStore


_LATE = "apply-late"


class Phase(StrEnum):
    """How far a device has come; the recommendation's status is the people's side of it."""

    SENDING = "sending"
    """Written before the first octet is sent: whoever finds it does not know how much arrived."""
    SENT = "sent"
    """Read back and found as wanted."""
    UNDOING = "undoing"
    UNDONE = "undone"


@dataclass(frozen=True, kw_only=True, slots=True)
class ApplyRecord:
    """One recommendation on its device. `deadline`: not verified by then, it is taken back."""

    recommendation: str
    link: str
    direction: Direction
    device: str
    phase: Phase
    by: str
    before: dict[str, str | int]
    after: dict[str, str | int]
    lines: tuple[str, ...]
    started_at: datetime
    deadline: datetime
    sent_at: datetime | None = None
    limit_before_bps: int | None = None
    note: str = ""
    guarded_until: datetime | None = None
    """Then the device takes it back by itself, unless it was confirmed before; None: it cannot."""
    trouble: str = ""
    """Why it is stuck: the last try to settle it or to take it back failed, and the next round tries again."""
    trouble_since: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Late:
    """A change for a stated time that could not begin at it, with why; `since`: when it ought to have begun."""

    recommendation: str
    link: str
    device: str
    trouble: str
    since: datetime


def read_record(state: StateStore, recommendation: str) -> ApplyRecord | None:
    content = state.get(_key(recommendation))
    return _adapter().validate_json(content) if content else None


def write_record(state: StateStore, record: ApplyRecord) -> None:
    state.put(_key(record.recommendation), _adapter().dump_json(record))


def move(state: StateStore, record: ApplyRecord, phase: Phase, note: str = "", *, sent_at: datetime | None = None) -> ApplyRecord:
    """The record in its next phase, on the disk."""
    moved = replace(record, phase=phase, note=note, sent_at=sent_at or record.sent_at)
    if phase in (Phase.SENT, Phase.UNDONE):
        moved = replace(moved, trouble="", trouble_since=None)
    write_record(state, moved)
    return moved


def stuck(state: StateStore) -> list[ApplyRecord]:
    """Changes that could neither be settled nor taken back when that was last tried."""
    statuses = (Status.APPROVED, Status.APPLIED, Status.VERIFIED)
    records = (read_record(state, entry.id) for status in statuses for entry in state.recommendations(status=status))
    return [record for record in records if record is not None and record.trouble]


def stuck_documents(state: StateStore) -> list[dict[str, str]]:
    """As `status --format json` prints them."""
    found: list[ApplyRecord | Late] = [*stuck(state), *late(state)]
    return [{"id": one.recommendation, "link": one.link, "device": one.device, "trouble": one.trouble} for one in found]


def late(state: StateStore) -> list[Late]:
    """Changes for a stated time that could not begin when that was last tried."""
    content = state.get(_LATE)
    return _late().validate_json(content) if content else []


def remember_late(state: StateStore, found: Sequence[Late]) -> None:
    """All of them as of this round."""
    if found or state.get(_LATE):
        state.put(_LATE, _late().dump_json(list(found)))


def mark_stuck(state: StateStore, recommendation: str, trouble: str, at: datetime) -> None:
    """What the last try came to, empty for no trouble any more; `at` is kept of the first one."""
    record = read_record(state, recommendation)
    if record is not None and record.trouble != trouble:
        write_record(state, replace(record, trouble=trouble, trouble_since=(record.trouble_since or at) if trouble else None))


def last_applied(state: StateStore, link: str, direction: Direction) -> Mapping[str, str | int] | None:
    """The settings that bwmgr left on the device for this link and direction; None: it never touched them."""
    content = state.get(_last(link, direction))
    return _settings().validate_json(content) if content else None


def remember_applied(state: StateStore, link: str, direction: Direction, settings: Mapping[str, str | int]) -> None:
    state.put(_last(link, direction), _settings().dump_json(dict(settings)))


def as_document(record: ApplyRecord) -> dict[str, Any]:
    """An apply as programs read it."""
    return {
        "id": record.recommendation,
        "link": record.link,
        "direction": str(record.direction),
        "device": record.device,
        "phase": str(record.phase),
        "by": record.by,
        "lines": list(record.lines),
        "before": record.before,
        "after": record.after,
        "sent_at": rfc3339(record.sent_at) if record.sent_at else None,
        "deadline": rfc3339(record.deadline),
        "note": record.note,
        "trouble": record.trouble,
    }


def record_document(state: StateStore, recommendation: str) -> dict[str, Any] | None:
    """As `as_document`; None: it was never sent."""
    record = read_record(state, recommendation)
    return None if record is None else as_document(record)


def _key(recommendation: str) -> str:
    return f"apply.{recommendation}"


def _last(link: str, direction: Direction) -> str:
    return f"applied.{direction}.{link}"


@cache
def _late() -> TypeAdapter[list[Late]]:
    from pydantic import TypeAdapter

    return TypeAdapter(list[Late])


@cache
def _adapter() -> TypeAdapter[ApplyRecord]:
    from pydantic import TypeAdapter

    return TypeAdapter(ApplyRecord)


@cache
def _settings() -> TypeAdapter[dict[str, str | int]]:
    from pydantic import TypeAdapter

    return TypeAdapter(dict[str, str | int])
