"""What `doctor` says of the trail, of people and of telling them: altered journals, roles nobody has, receivers not reached.

Reads the files; asks no device and no receiver, and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

from bwmgr.daemon.application import STATE_FILE
from bwmgr.daemon.findings import Finding, Severity
from bwmgr.daemon.journal_trail import trouble
from bwmgr.errors import StoreError
from bwmgr.language import mark
from bwmgr.model.notice import Receiver
from bwmgr.model.people import Role
from bwmgr.model.said import said_by
from bwmgr.model.secret import Secret
from bwmgr.stores.journal import FILE_NAME as JOURNAL_FILE
from bwmgr.stores.journal import Journal
from bwmgr.stores.notices import FILE_NAME as NOTICES_FILE
from bwmgr.stores.notices import Outbox, Tally
from bwmgr.stores.state import StateStore

if TYPE_CHECKING:
    from bwmgr.config.settings import Settings

_TOO_MANY_WAITING = 100


def check_trust(settings: Settings) -> Iterator[Finding]:
    """All findings."""
    yield from _journal(settings)
    yield from _people(settings)
    yield from _receivers(settings)


def trusted_secrets(settings: Settings) -> list[Secret]:
    """Whose files only bwmgr may read: the key of the journal, people's tokens, what receivers are reached by."""
    from bwmgr.model.notice import secrets_in

    found = [settings.journal.key, *(one.token for one in settings.people)]
    found += [secret for one in settings.notify.receivers for secret in secrets_in(one.channel)]
    return [secret for secret in found if secret is not None]


def _journal(settings: Settings) -> Iterator[Finding]:
    if settings.journal.key is None:
        yield Finding(
            severity=Severity.INFO,
            subject="journal",
            code="journal_unsigned",
            finding=mark("entries of the audit trail are chained, but not signed"),
            advice=mark("`bwmgr audit key FILE` makes a key of the organisation and says what to write"),
        )
    folder = settings.store.path
    if not (folder / STATE_FILE).exists():
        return
    try:
        with closing(StateStore(folder / STATE_FILE)) as state:
            problem = trouble(state, Journal(folder))
            waiting = len(state.unentered(_TOO_MANY_WAITING))
    except StoreError as error:
        yield _unreadable(str(folder / JOURNAL_FILE), error)
        return
    if problem:
        yield Finding(
            severity=Severity.ERROR,
            subject=str(folder / JOURNAL_FILE),
            code="journal_altered",
            finding=mark("the journal was shortened or exchanged: {problem}"),
            advice=mark("keep a copy of the file as it is, run `bwmgr audit verify`, and find out who could write to it"),
            values={"problem": problem},
        )
    if waiting >= _TOO_MANY_WAITING:
        yield Finding(
            severity=Severity.WARNING,
            subject=str(folder / JOURNAL_FILE),
            code="journal_behind",
            finding=mark("{count} acts or more wait for their entry in the journal"),
            advice=mark("see whether the disk is full or the file belongs to another user"),
            values={"count": waiting},
        )


def _people(settings: Settings) -> Iterator[Finding]:
    if not settings.people:
        return
    for role in (Role.OPERATOR, Role.APPROVER):
        holders = {one.id for one in settings.people if role in one.roles}
        if not holders:
            yield Finding(
                severity=Severity.WARNING,
                subject="people",
                code="role_empty",
                finding=mark("nobody has the role {role}"),
                advice=mark("give it to somebody in people: of the configuration"),
                values={"role": str(role)},
            )
    if len({one.id for one in settings.people if {Role.OPERATOR, Role.APPROVER} & set(one.roles)}) == 1:
        yield Finding(
            severity=Severity.WARNING,
            subject="people",
            code="second_person_missing",
            finding=mark("only one person proposes and approves: what that person proposes nobody may approve"),
            advice=mark("add a second person to people: of the configuration"),
        )


def _receivers(settings: Settings) -> Iterator[Finding]:
    folder, receivers = settings.store.path, settings.notify.receivers
    if not receivers or not (folder / NOTICES_FILE).exists():
        return
    try:
        with closing(Outbox(folder)) as outbox:
            tallies = outbox.tallies()
    except StoreError as error:
        yield _unreadable(str(folder / NOTICES_FILE), error)
        return
    for one in receivers:
        yield from _receiver(one, tallies.get(one.id, Tally()))


def _receiver(receiver: Receiver, tally: Tally) -> Iterator[Finding]:
    if tally.error:
        yield Finding(
            severity=Severity.ERROR,
            subject=f"receiver {receiver.id}",
            code="receiver_unreached",
            finding=mark("could not be told since {error_at}, {waiting} notices wait: {problem}"),
            advice=mark("put right what that says; `bwmgr notify test {receiver}` tries it"),
            values={"error_at": tally.error_at, "waiting": tally.waiting, "problem": tally.error, "receiver": receiver.id},
        )
    if tally.dropped:
        yield Finding(
            severity=Severity.WARNING,
            subject=f"receiver {receiver.id}",
            code="notices_dropped",
            finding=mark("{count} notices were given up: too old, or too many waited"),
            advice=mark("raise its severity or most_per_hour, or give it a digest"),
            values={"count": tally.dropped},
        )


def _unreadable(subject: str, error: StoreError) -> Finding:
    return Finding(
        severity=Severity.ERROR,
        subject=subject,
        code="trail_unreadable",
        finding=mark("cannot be read: {problem}"),
        advice=mark("see whether the disk is full or the file belongs to another user"),
        values={"problem": said_by(error)},
    )
