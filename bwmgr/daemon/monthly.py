"""Closing a month: its figures are gathered once and kept, so that its report stays what it was.

Owns where closed months stand (the state store), when a month may be closed and how it is opened again: never silently. What is
gathered for it is `bwmgr.daemon.monthly_figures`; what is printed of it is `bwmgr.reports.monthly`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING
from uuid import uuid4

from bwmgr.daemon.monthly_due import SETTLED, done_key
from bwmgr.daemon.monthly_figures import gather
from bwmgr.errors import UsageError
from bwmgr.measure.calendars import month as month_bounds
from bwmgr.model.journal import Actor, Note
from bwmgr.model.monthly import Month
from bwmgr.model.said import Said
from bwmgr.stores import LINK_RATE, UPLINK_RATE

if TYPE_CHECKING:
    from pydantic import TypeAdapter

    from bwmgr.daemon.application import Application
    from bwmgr.stores.state import StateStore

Progress = Callable[[float], None]


def bounds(name: str, timezone: str) -> tuple[datetime, datetime]:
    """[start, end) of a local month. Raises: UsageError where it is not written as 2026-01."""
    match = re.fullmatch(r"(\d{4})-(0[1-9]|1[0-2])", name)
    if match is None or match[1] == "0000":
        raise UsageError(Said("not a month: {text!r}; write such as 2026-01", text=name))
    return month_bounds(timezone, int(match[1]), int(match[2]))


def kept_month(state: StateStore, name: str) -> Month | None:
    """The month as it was closed last; None where it never was. Raises: StoreUnavailable."""
    content = state.get(_key(name))
    return None if content is None else _adapter().validate_json(content)


def kept_revision(state: StateStore, name: str, revision: int) -> Month | None:
    """The month as it was closed the so-many-th time."""
    content = state.get(f"{_key(name)}:{revision}")
    return None if content is None else _adapter().validate_json(content)


def kept_content(state: StateStore, name: str, revision: int) -> bytes | None:
    """What the journal's `figures_sha256` is of."""
    return state.get(f"{_key(name)}:{revision}")


def the_month(application: Application, name: str, *, by: str, progress: Progress = lambda _: None) -> Month:
    """The closed month; one that is over and not closed yet is closed now; one that still runs is gathered and not kept.

    Raises: UsageError for a month that has not begun, or nothing was measured in.
    """
    kept = kept_month(application.state, name)
    if kept is not None:
        return kept
    start, end = bounds(name, application.inventory.organisation.timezone)
    now = application.clock.now()
    if now <= start:
        raise UsageError(Said("{month} has not begun", month=name))
    if not was_measured(application, name):
        raise UsageError(Said("nothing was measured in {month}", month=name))
    made = gather(application, name, start, min(end, now), by=by, progress=progress)
    if now < end + SETTLED:
        return made
    return _keep(application, replace(made, closed_at=_whole_seconds(now)), "month.closed")


def was_measured(application: Application, name: str) -> bool:
    """Is there any row of the month?"""
    start, end = bounds(name, application.inventory.organisation.timezone)
    known = [*application.store.spans(LINK_RATE).values(), *application.store.spans(UPLINK_RATE).values()]
    return any(span.first < end and span.last >= start for span in known)


def reopen(application: Application, name: str, *, by: str, why: str, progress: Progress = lambda _: None) -> Month:
    """Gathers a closed month anew as its next revision. What it was before is kept beside it.

    Raises: UsageError where it was never closed, or no reason is given.
    """
    kept = kept_month(application.state, name)
    if kept is None:
        raise UsageError(Said("{month} was not closed yet, so there is nothing to reopen", month=name))
    if not why.strip():
        raise UsageError(Said("a month is reopened for a reason, which its report prints: give one with --note"))
    made = gather(application, name, kept.start, kept.end, by=by, progress=progress)
    now = _whole_seconds(application.clock.now())
    return _keep(application, replace(made, closed_at=now, revision=kept.revision + 1, why=why.strip()), "month.reopened")


def _keep(application: Application, made: Month, action: str) -> Month:
    content = _adapter().dump_json(made)
    details = {"revision": made.revision, "links": len(made.links), "figures_sha256": hashlib.sha256(content).hexdigest(),
               "note": made.why}  # fmt: skip
    actor = Actor(name=made.closed_by, user=application.state.user)
    note = Note(id=uuid4().hex, at=made.closed_at or made.end, actor=actor, action=action, subject=made.month, details=details)
    kept = {_key(made.month): content, f"{_key(made.month)}:{made.revision}": content, done_key(made.month): b""}
    application.state.put_many(kept, [note])
    return _adapter().validate_json(content)  # what the next run reads, to the last bit


def _key(name: str) -> str:
    return f"month:{name}"


def _whole_seconds(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(microsecond=0)


@cache
def _adapter() -> TypeAdapter[Month]:
    from pydantic import TypeAdapter

    return TypeAdapter(Month)
