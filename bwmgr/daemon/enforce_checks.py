"""What `doctor` says of applied changes: those that are stuck, those that nobody watches, and a polling too slow to prove them.

Reads the state store; asks no device and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from bwmgr.daemon.application import STATE_FILE
from bwmgr.daemon.apply_records import ApplyRecord, Late, Phase, late, read_record, stuck
from bwmgr.daemon.findings import Finding, Severity
from bwmgr.engine.verify import LEAST_PATIENCE_SECONDS, patience_seconds
from bwmgr.errors import StoreError
from bwmgr.language import mark
from bwmgr.model.decision import Status
from bwmgr.model.said import said_by
from bwmgr.stores.state import StateStore

if TYPE_CHECKING:
    from bwmgr.config.settings import Settings

_UNWATCHED_INTERVALS = 3


def check_enforcement(settings: Settings, now: datetime) -> Iterator[Finding]:
    """All findings; none where bwmgr changes no device."""
    if not any(device.enforce for device in settings.inventory.devices.values()):
        return
    yield from _slow(settings.snmp.interval_seconds)
    path = settings.store.path / STATE_FILE
    if not path.exists():
        return
    try:
        with closing(StateStore(path)) as state:
            yield from map(_stuck, stuck(state))
            yield from map(_late, late(state))
            yield from _unwatched(state, now - timedelta(seconds=_UNWATCHED_INTERVALS * settings.snmp.interval_seconds))
    except StoreError as error:
        yield Finding(
            severity=Severity.ERROR,
            subject=str(path),
            code="state_unreadable",
            finding=mark("cannot be read: {problem}"),
            advice=mark("see whether the disk is full or the file belongs to another user"),
            values={"problem": said_by(error)},
        )


def _stuck(record: ApplyRecord) -> Finding:
    return Finding(
        severity=Severity.ERROR,
        subject=record.device,
        code="change_stuck",
        finding=mark("the change {id} of {link} is stuck since {since_at}: {trouble}"),
        advice=mark("put right on the device what that says; the daemon tries again each cycle, `bwmgr rollback {id}` at once"),
        values={
            "id": record.recommendation,
            "link": record.link,
            "since_at": record.trouble_since,
            "trouble": record.trouble,
        },
    )


def _late(one: Late) -> Finding:
    return Finding(
        severity=Severity.ERROR,
        subject=one.device,
        code="change_late",
        finding=mark("the change {id} of {link} ought to have begun {since_at}: {trouble}"),
        advice=mark("put right what that says; the daemon tries again each cycle, `bwmgr apply {id}` at once"),
        values={"id": one.recommendation, "link": one.link, "since_at": one.since, "trouble": one.trouble},
    )


def _unwatched(state: StateStore, before: datetime) -> Iterator[Finding]:
    """Not verified and not taken back, though its time is long over: no daemon is there to do it."""
    for entry in state.recommendations(status=Status.APPLIED):
        record = read_record(state, entry.id)
        if record is not None and record.phase is Phase.SENT and not record.trouble and record.deadline < before:
            yield Finding(
                severity=Severity.ERROR,
                subject=record.device,
                code="change_unwatched",
                finding=mark("the change {id} of {link} ought to have been verified or taken back by {deadline_at}"),
                advice=mark("start `bwmgr daemon`: it verifies changes, and takes back what is not proven"),
                values={"id": entry.id, "link": entry.link, "deadline_at": record.deadline},
            )


def _slow(interval_seconds: float) -> Iterator[Finding]:
    patience = patience_seconds(interval_seconds)
    if patience > LEAST_PATIENCE_SECONDS:
        yield Finding(
            severity=Severity.INFO,
            subject="snmp.interval",
            code="verification_slow",
            finding=mark(
                "with a reading every {interval_seconds}, a change that is not proven is taken back after {patience_seconds}"
            ),
            advice=mark("poll at least every 7 minutes where that should be half an hour"),
            values={"interval_seconds": interval_seconds, "patience_seconds": patience},
        )
