"""After an apply: what the daemon does each cycle about changes that are not proven yet, or whose time has ended.

Owns which readings are put before the judge (`bwmgr.engine.verify`) and what follows: verified, or taken back with the reason in
the recommendation's history. A person's rollback is `bwmgr.daemon.apply`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from bwmgr.daemon.advice import is_dated
from bwmgr.daemon.apply import confirm, recover, rollback
from bwmgr.daemon.apply_records import ApplyRecord, Phase, last_applied, late, mark_stuck, read_record, stuck
from bwmgr.daemon.timetable import begin, due
from bwmgr.engine.verify import Measured, Outcome, Reading, Verdict, judge
from bwmgr.errors import DeviceError, StoreLocked, UsageError
from bwmgr.model.decision import Action, Recommendation, Status, StatusChange
from bwmgr.model.inventory import Direction, Inventory
from bwmgr.stores import LINK_RATE

if TYPE_CHECKING:
    from bwmgr.daemon.application import Application
    from bwmgr.stores.state import StateStore

WATCHER = "verification"
"""Who is written down for a verdict that no person gave."""
_BEFORE_INTERVALS = 4
"""Few: of two changes that follow one another, the later is compared with what the earlier one had come to."""
_IN_FORCE = (Status.APPLIED, Status.VERIFIED)


def waits(state: StateStore, inventory: Inventory, now: datetime) -> bool:
    """Is there anything for `tend`? Cheap: asked each cycle."""
    if state.recommendations(status=Status.APPLIED) or due(state, inventory, now) or late(state):
        return True
    if any(_has_ended(state, entry, now) for entry in state.recommendations(status=Status.VERIFIED)):
        return True
    left = (Status.APPROVED, Status.VERIFIED)
    records = (read_record(state, entry.id) for status in left for entry in state.recommendations(status=status))
    return any(record is not None and record.phase in (Phase.SENDING, Phase.UNDOING) for record in records)


def tend(application: Application) -> Mapping[str, float]:
    """One round; gives how many were settled after a crash, begun by the clock, verified, taken back, pending still, and stuck.

    Raises: StoreUnavailable.
    """
    counts = {"settled": float(len(recover(application))), "verified": 0.0, "rolled_back": 0.0, "pending": 0.0}
    counts["begun"] = float(begin(application))
    now = application.clock.now()
    for found in [entry for status in _IN_FORCE for entry in application.state.recommendations(status=status)]:
        record = read_record(application.state, found.id)
        if record is not None and record.phase is Phase.SENT and (outcome := _tend_one(application, found, record, now)):
            counts[outcome] += 1
    counts["stuck"] = float(len(stuck(application.state)) + len(late(application.state)))
    return counts


def _tend_one(application: Application, found: Recommendation, record: ApplyRecord, now: datetime) -> str:
    if _has_ended(application.state, found, now):
        return _take_back(application, found, "its time has ended")
    if found.status is Status.VERIFIED:
        return ""  # nothing is due
    verdict = _verdict(application, found, record, now)
    if verdict.outcome is Outcome.HARM:
        return _take_back(application, found, verdict.note)
    if verdict.outcome is Outcome.GOOD:
        return _proven(application, found, now)
    return "pending"


def _proven(application: Application, found: Recommendation, now: datetime) -> str:
    """Verified, once the device knows that it is not to take it back; by then it may have done so."""
    try:
        if not confirm(application, found.id):
            return "rolled_back"
    except (DeviceError, UsageError) as error:
        mark_stuck(application.state, found.id, f"proven, but not confirmed: {error}", now)
        return ""
    except StoreLocked:
        return "pending"
    change = StatusChange(recommendation=found.id, at=now, status=Status.VERIFIED, by=WATCHER, note="the counters obey the limit")
    application.state.change_status(change)
    mark_stuck(application.state, found.id, "", now)
    return "verified"


def _has_ended(state: StateStore, found: Recommendation, now: datetime) -> bool:
    """Was it for a time that is over, and is it in force still? Where a later change took its place, nothing is left of it."""
    if not is_dated(found) or found.valid_until > now:
        return False
    record = read_record(state, found.id)
    return record is not None and dict(last_applied(state, found.link, found.direction) or {}) == record.after


def _take_back(application: Application, found: Recommendation, note: str) -> str:
    try:
        rollback(application, found.id, by=WATCHER, note=note)
    except (DeviceError, UsageError) as error:  # the device is away or somebody else changed it: the next round tries again
        mark_stuck(application.state, found.id, f"{note}; taking it back: {error}", application.clock.now())
        return ""
    except StoreLocked:  # somebody is at this device now
        return "pending"
    return "rolled_back"


def _verdict(application: Application, found: Recommendation, record: ApplyRecord, now: datetime) -> Verdict:
    sent_at = record.sent_at or record.started_at
    interval = timedelta(seconds=application.settings.snmp.interval_seconds)
    measured = _measured(
        application, _neighbours(application.inventory, found.link), found.direction,
        start=record.started_at - _BEFORE_INTERVALS * interval, changed=(record.started_at, sent_at), end=now,
    )  # fmt: skip
    if found.link not in measured:
        return Verdict(outcome=Outcome.HARM if now >= record.deadline else Outcome.PENDING, note=f"{found.link} is not measured")
    lowered = found.action is Action.LOWER or _is_less(found.proposed.mir_bps, record.limit_before_bps)
    return judge(found.link, found.proposed.mir_bps, lowered, measured, last_call=now >= record.deadline)


def _neighbours(inventory: Inventory, link: str) -> Sequence[str]:
    """The link and all that share its root, so a bottleneck."""
    tops = {name: [node.id for node in inventory.ancestors(one.parent)][-1:] for name, one in inventory.links.items()}
    return [name for name, top in tops.items() if name == link or (top and top == tops[link])]


def _measured(
    application: Application,
    links: Sequence[str],
    way: Direction,
    *,
    start: datetime,
    changed: tuple[datetime, datetime],
    end: datetime,
) -> Mapping[str, Measured]:
    """Readings that ended before the change began, and those that began after it was sent."""
    columns = ["reason", "interval_ticks", f"{way}_bps", f"{way}_discards_ps"]
    batch = application.store.read(LINK_RATE, start=start, end=end + timedelta(seconds=1), series=links, columns=columns)
    began_ms = batch.rows["end_ms"] - batch.rows["interval_ticks"].astype(np.int64) * 10
    first, last = (_ms(at) for at in changed)
    found = {}
    for position, link in enumerate(batch.series):
        mine = batch.rows["series"] == position
        found[link] = Measured(
            cir_bps=application.inventory.links[link].cir[way],
            before=_readings(batch.rows[mine & (batch.rows["end_ms"] <= first)], way),
            after=_readings(batch.rows[mine & (began_ms >= last)], way),
        )
    return {link: figures for link, figures in found.items() if figures.before or figures.after}


def _readings(rows: Any, way: Direction) -> Sequence[Reading]:
    return [
        Reading(
            rate_bps=None if row["reason"] else float(row[f"{way}_bps"]),
            discards_ps=None if np.isnan(row[f"{way}_discards_ps"]) else float(row[f"{way}_discards_ps"]),
        )
        for row in rows
    ]


def _is_less(one_bps: int | None, other_bps: int | None) -> bool:
    """None is unlimited: more than any rate."""
    return one_bps is not None and (other_bps is None or one_bps < other_bps)


def _ms(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
