"""What is known of each recommendation on its way to a device: settings before and after, how far it came, its deadline.

Owns the documents and their keys in the state store, so that any process, also one started after a crash, can go on or take back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING

from bwmgr.model.inventory import Direction

if TYPE_CHECKING:
    from pydantic import TypeAdapter

    from bwmgr.stores.state import StateStore


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


def read_record(state: StateStore, recommendation: str) -> ApplyRecord | None:
    content = state.get(_key(recommendation))
    return _adapter().validate_json(content) if content else None


def write_record(state: StateStore, record: ApplyRecord) -> None:
    state.put(_key(record.recommendation), _adapter().dump_json(record))


def move(state: StateStore, record: ApplyRecord, phase: Phase, note: str = "", *, sent_at: datetime | None = None) -> ApplyRecord:
    """The record in its next phase, on the disk."""
    moved = replace(record, phase=phase, note=note, sent_at=sent_at or record.sent_at)
    write_record(state, moved)
    return moved


def last_applied(state: StateStore, link: str, direction: Direction) -> Mapping[str, str | int] | None:
    """The settings that bwmgr left on the device for this link and direction; None: it never touched them."""
    content = state.get(_last(link, direction))
    return _settings().validate_json(content) if content else None


def remember_applied(state: StateStore, link: str, direction: Direction, settings: Mapping[str, str | int]) -> None:
    state.put(_last(link, direction), _settings().dump_json(dict(settings)))


def _key(recommendation: str) -> str:
    return f"apply.{recommendation}"


def _last(link: str, direction: Direction) -> str:
    return f"applied.{direction}.{link}"


@cache
def _adapter() -> TypeAdapter[ApplyRecord]:
    from pydantic import TypeAdapter

    return TypeAdapter(ApplyRecord)


@cache
def _settings() -> TypeAdapter[dict[str, str | int]]:
    from pydantic import TypeAdapter

    return TypeAdapter(dict[str, str | int])
