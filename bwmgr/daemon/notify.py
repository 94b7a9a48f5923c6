"""One round of telling people: look, put what is new into the outbox, deliver what is due. Who fails harms no other receiver.

Owns which notices become one, when a receiver gets its messages (digest, quiet hours, rate, retries), and how much is too much.
The facts are `bwmgr.daemon.notify_watch`'s, the words `bwmgr.daemon.notify_words`', the channels `bwmgr.notifiers`'.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from bwmgr.daemon.notify_watch import Look, Standing
from bwmgr.daemon.notify_words import message
from bwmgr.errors import NotifyError, NotifyRefused, NotifyUnavailable
from bwmgr.language import Words, mark
from bwmgr.model.notice import Kind, Notice, Receiver, Severity
from bwmgr.notifiers import Message, send
from bwmgr.stores.lock import Lock
from bwmgr.stores.notices import Change, Outbox

if TYPE_CHECKING:
    from bwmgr.daemon.application import Application

Sender = Callable[[Receiver, Message], str]

MOST_APART = 3
"""More notices of one kind in one look, or more messages at once, become one."""
_AT_ONCE = 8
_HOUR = timedelta(hours=1)
_FIRST_WAIT_SECONDS = 60.0
_LONGEST_WAIT_SECONDS = 3600.0
_PROVIDERS_EVERY = timedelta(hours=1)
_MANY = {
    Kind.RECOMMENDATION: mark("{count} recommendations wait for a decision; the most important: {first}"),
    Kind.SATURATION: mark("{count} lines are at their limit, among them: {first}"),
    Kind.SILENCE: mark("{count} routers and links are silent, among them: {first}"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Round:
    """What one round came to, by receiver where it is about messages."""

    new: int
    sent: Mapping[str, int]
    failed: Mapping[str, str]
    """The problem of each receiver that could not be told."""


def tell(application: Application, *, sender: Sender = send) -> Round:
    """One round. Raises: StoreError, StoreLocked where another process is at it."""
    with Lock(application.folder / "notify"):
        outbox = Outbox(application.folder)
        try:
            new = collect(application, outbox)
            return deliver(application, outbox, new=new, sender=sender)
        finally:
            outbox.close()


def collect(application: Application, outbox: Outbox) -> int:
    """Puts what is new into the outbox; gives how many notices that made."""
    telling, now = application.settings.notify, application.clock.now()
    look = Look(application=application, now=now)
    outbox.tidy([one.id for one in telling.receivers], now)
    patience = timedelta(seconds=telling.silent_seconds)
    new = _told(application, outbox, Kind.RECOMMENDATION, look.recommendations())
    new += _told(application, outbox, Kind.SILENCE, look.silence(), patience)
    new += _told(application, outbox, Kind.SATURATION, look.saturation(telling.saturated_seconds))
    new += _told(application, outbox, Kind.EVENT, look.events(telling.event_seconds))
    new += _told(application, outbox, Kind.ENFORCEMENT, look.enforcement())
    new += _told(application, outbox, Kind.TRAIL, look.trail())
    looked = outbox.looked_at(Kind.PROVIDER)
    if looked is None or now - looked >= _PROVIDERS_EVERY:
        new += _told(application, outbox, Kind.PROVIDER, look.providers())
    return new


def deliver(application: Application, outbox: Outbox, *, new: int = 0, sender: Sender = send) -> Round:
    """Sends what is due, to all receivers at once."""
    receivers = application.settings.notify.receivers
    if not receivers:
        return Round(new=new, sent={}, failed={})
    with ThreadPoolExecutor(min(_AT_ONCE, len(receivers)), thread_name_prefix="notify") as pool:
        results = list(pool.map(lambda one: _Delivery(application, outbox, one, sender).run(), receivers))
    return Round(
        new=new,
        sent={one.id: sent for one, (sent, _) in zip(receivers, results, strict=True)},
        failed={one.id: problem for one, (_, problem) in zip(receivers, results, strict=True) if problem},
    )


def _told(
    application: Application, outbox: Outbox, kind: Kind, standing: Standing, patience: timedelta = timedelta()
) -> int:  # fmt: skip
    receivers, now = application.settings.notify.receivers, application.clock.now()

    def addressed(change: Change) -> Sequence[tuple[Notice, Sequence[str]]]:
        made = [_stamped(standing[key], kind, key, now, stood) for key, stood in change.told.items()]
        made += _over(kind, change.over, now)
        words = _words(application, None)
        return [(one, [who.id for who in receivers if who.wants(one)]) for one in _merged(kind, made, words, now)]

    return outbox.look(str(kind), list(standing), now, patience, addressed)


def _stamped(notice: Notice, kind: Kind, key: str, now: datetime, stood: timedelta) -> Notice:
    values = {**notice.values, "stood_seconds": stood.total_seconds()}
    return replace(notice, id=_id(kind, key, now.isoformat()), values=values)


def _over(kind: Kind, over: Mapping[str, timedelta], now: datetime) -> list[Notice]:
    """Who was silent answers again; of other kinds nobody needs to be told that they are over."""
    if kind is not Kind.SILENCE:
        return []
    return [
        Notice(
            id=_id(kind, key, "over", now.isoformat()), kind=kind, severity=Severity.INFO, at=now, page="/links",
            message=mark("{what} answers again, after {stood_seconds}."),
            values={"what": key.partition(" ")[2], "stood_seconds": stood.total_seconds()},
        )
        for key, stood in over.items()
    ]  # fmt: skip


def _merged(kind: Kind, notices: Sequence[Notice], words: Words, now: datetime) -> list[Notice]:
    """More than a few of one look and severity are one notice: a core router that dies silences hundreds."""
    kept: list[Notice] = []
    for severity in Severity:
        alike = [one for one in notices if one.severity is severity]
        if len(alike) <= MOST_APART or kind not in _MANY:
            kept += alike
            continue
        first = alike[0]
        said = words.text(first.message, **first.values)
        names = first.values.get("link_name") or first.values.get("device") or said
        kept.append(
            Notice(
                id=_id(kind, *(one.id for one in alike)), kind=kind, severity=severity, at=now, message=_MANY[kind],
                values={"count": len(alike), "first": str(names)},
                page="/recommendations" if kind is Kind.RECOMMENDATION else "/links",
            )
        )  # fmt: skip
    return kept


class _Delivery:
    """To one receiver, in one round."""

    def __init__(self, application: Application, outbox: Outbox, receiver: Receiver, sender: Sender) -> None:
        self._application = application
        self._outbox = outbox
        self._receiver = receiver
        self._sender = sender
        self._now = application.clock.now()
        self._zone = ZoneInfo(application.inventory.organisation.timezone)

    def run(self) -> tuple[int, str]:
        """(messages that arrived, the problem of one that did not). Raises: StoreError."""
        name, telling = self._receiver.id, self._application.settings.notify
        self._outbox.give_up(name, self._now - timedelta(seconds=telling.keep_trying_seconds))
        room = self._receiver.most_per_hour - self._outbox.messages_since(name, self._now - _HOUR)
        sent = 0
        for group in self._groups(room):
            try:
                self._send(group)
            except NotifyError as error:
                self._again(group, error)
                return sent, error.problem
            sent += 1
        return sent, ""

    def _groups(self, room: int) -> list[list[Notice]]:
        """What goes now, a message each; none where the hour's room is used up."""
        waiting = self._outbox.waiting(self._receiver.id, self._now)
        if self._receiver.is_quiet(self._now.astimezone(self._zone).time()):
            waiting = [one for one in waiting if one.severity is Severity.CRITICAL]
        held = [one for one in waiting if self._receiver.waits_for_digest(one.severity)]
        ready = [one for one in waiting if one not in held]
        groups = [[one] for one in ready] if len(ready) <= min(MOST_APART, room) else [ready]
        if digest := [one for one in held if self._digest_after(one.at) <= self._now]:
            groups.append(digest)
        return groups[: max(room, 0)]

    def _digest_after(self, at: datetime) -> datetime:
        """The first time of the digest after an instant."""
        local = at.astimezone(self._zone)
        moment = datetime.combine(local.date(), self._receiver.digest or time(0), self._zone)
        return moment if moment > local else datetime.combine(local.date() + timedelta(days=1), moment.time(), self._zone)

    def _send(self, notices: Sequence[Notice]) -> None:
        settings = self._application.settings
        words = _words(self._application, self._receiver.language)
        made = message(words, settings.inventory.organisation.name, notices, settings.notify.pages, self._now)
        self._sender(self._receiver, made)
        self._outbox.sent(self._receiver.id, [one.id for one in notices], self._now)

    def _again(self, notices: Sequence[Notice], error: NotifyError) -> None:
        seconds = min(_FIRST_WAIT_SECONDS * 2 ** min(self._outbox.failures(self._receiver.id), 10), _LONGEST_WAIT_SECONDS)
        if isinstance(error, NotifyRefused):
            seconds = _LONGEST_WAIT_SECONDS  # a person must mend it: do not hammer
        elif isinstance(error, NotifyUnavailable) and error.retry_after_seconds is not None:
            seconds = max(error.retry_after_seconds, 1.0)
        ids = [one.id for one in notices]
        self._outbox.failed(self._receiver.id, ids, error.problem, self._now, self._now + timedelta(seconds=seconds))


def _words(application: Application, language: str | None) -> Words:
    organisation = application.inventory.organisation
    return Words(language or organisation.language, organisation.timezone, organisation.currency)


def _id(*parts: object) -> str:
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:24]
