"""Changes for a stated time begin and end by the clock: an approved reservation, lift or schedule is applied when its time comes.

Owns when that is, and who is written down for it. A person has approved change and time; what is sent, and how it is verified, is
`bwmgr.daemon.apply`'s as for any other. A device that is away at that time is tried again each cycle while the time lasts.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from bwmgr.daemon.advice import is_dated
from bwmgr.daemon.apply import apply, look_at
from bwmgr.daemon.apply_records import Late, last_applied, read_record, remember_late
from bwmgr.errors import DeviceError, StoreLocked, UsageError
from bwmgr.model.decision import Recommendation, Status

if TYPE_CHECKING:
    from bwmgr.daemon.application import Application
    from bwmgr.model.inventory import Inventory
    from bwmgr.stores.state import StateStore

CLOCK = "timetable"
"""Who is written down for a change that the clock began."""
LEAD = timedelta(seconds=12)
"""A round starts so early, since one may be under way and its own process takes a moment; it then waits for the very time."""


def due(state: StateStore, inventory: Inventory, now: datetime) -> list[Recommendation]:
    """Approved for a time that has come and is not over, on a device that bwmgr may change; the earliest first."""
    found = [one for one in _approved(state, inventory) if one.valid_from <= now < one.valid_until]
    return sorted(found, key=lambda one: one.valid_from)


def begin(application: Application) -> int:
    """Applies what is due; gives how many. What could not be is remembered with its reason. Raises: StoreUnavailable."""
    state, now, begun, late = application.state, application.clock.now(), 0, []
    for found in due(state, application.inventory, now):
        link = application.inventory.links[found.link]
        try:
            apply(application, found.id, by=CLOCK)
        except (DeviceError, UsageError) as error:
            device = link.shaper.device if link.shaper is not None else ""
            late.append(Late(recommendation=found.id, link=found.link, device=device, trouble=str(error), since=found.valid_from))
        except StoreLocked:
            continue
        else:
            begun += 1
    remember_late(state, late)
    return begun


def await_instant(application: Application) -> None:
    """Where something begins or ends within `LEAD`: returns at that very time, with all ready for it."""
    state, inventory, now = application.state, application.inventory, application.clock.now()
    instant = next_instant(state, inventory, now)
    if instant is None or instant - now > LEAD:
        return
    for found in (*_approved(state, inventory), *_ending(state)):
        if instant in (found.valid_from, found.valid_until):
            with suppress(DeviceError, UsageError):  # whatever is wrong is told when it is due
                look_at(application, found)
    time.sleep(max(0.0, (instant - application.clock.now()).total_seconds()))


def next_instant(state: StateStore, inventory: Inventory, now: datetime) -> datetime | None:
    """When the next change for a stated time begins or ends; None: none is known."""
    begins = (one.valid_from for one in _approved(state, inventory))
    ends = (one.valid_until for one in _ending(state))
    return min((instant for instant in (*begins, *ends) if instant > now), default=None)


class Timetable:
    """Starts a round in time for the next instant. `look` and `tick` are cheap; `run` is the round."""

    def __init__(self, run: Callable[[], None]) -> None:
        self._run = run
        self._next: datetime | None = None
        self._thread: threading.Thread | None = None

    def look(self, state: StateStore, inventory: Inventory, now: datetime) -> None:
        """What is next, as the state says it now."""
        self._next = next_instant(state, inventory, now)

    def tick(self, now: datetime) -> None:
        """Called every second or so."""
        if self._next is None or now < self._next - LEAD or (self._thread is not None and self._thread.is_alive()):
            return
        self._next = None
        self._thread = threading.Thread(target=self._run, name="timetable", daemon=True)
        self._thread.start()


def _approved(state: StateStore, inventory: Inventory) -> Iterator[Recommendation]:
    for one in state.recommendations(status=Status.APPROVED):
        link = inventory.links.get(one.link)
        if is_dated(one) and link is not None and link.shaper is not None and inventory.devices[link.shaper.device].enforce:
            yield one


def _ending(state: StateStore) -> Iterator[Recommendation]:
    """What is in force for a time."""
    for status in (Status.APPLIED, Status.VERIFIED):
        for one in state.recommendations(status=status):
            record = read_record(state, one.id) if is_dated(one) else None
            if record is not None and dict(last_applied(state, one.link, one.direction) or {}) == record.after:
                yield one
