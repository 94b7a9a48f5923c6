"""What the office's receivers are and how they fare: for `notify list`, metrics, and trying a channel. Owns no message."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bwmgr.daemon.notify_words import test_message
from bwmgr.daemon.status import rfc3339
from bwmgr.errors import NotifyError, UsageError
from bwmgr.language import Words
from bwmgr.model.notice import Email, Receiver, Telegram
from bwmgr.model.said import Said
from bwmgr.notifiers import send
from bwmgr.stores.notices import FILE_NAME, Outbox, Tally

if TYPE_CHECKING:
    from bwmgr.daemon.application import Application
    from bwmgr.daemon.notify import Round

_DROPPED = "notify.dropped"


def tallies(application: Application) -> Mapping[str, Tally]:
    """By receiver; empty where nothing was ever told."""
    if not (application.folder / FILE_NAME).exists():
        return {}
    outbox = Outbox(application.folder)
    try:
        return outbox.tallies()
    finally:
        outbox.close()


def receivers(application: Application) -> list[dict[str, Any]]:
    """As programs read them; no address that is a secret is among it."""
    known = tallies(application)
    return [_document(one, known.get(one.id, Tally())) for one in application.settings.notify.receivers]


def try_out(application: Application, names: tuple[str, ...], language: str | None) -> list[dict[str, Any]]:
    """Sends a test to these receivers, or to all; gives what came of each. Raises: UsageError for an unknown one, or none."""
    telling, organisation = application.settings.notify, application.inventory.organisation
    unknown = [name for name in names if telling.receiver(name) is None]
    if unknown or not telling.receivers:
        known = ", ".join(one.id for one in telling.receivers) or Said("none: add notify: to the configuration")
        raise UsageError(
            Said("no receiver {name!r}; there are {known}", name=unknown[0], known=known)
            if unknown
            else Said("no receivers; there are {known}", known=known)
        )
    results = []
    for receiver in telling.receivers:
        if names and receiver.id not in names:
            continue
        words = Words(language or receiver.language or organisation.language, organisation.timezone, organisation.currency)
        message = test_message(words, organisation.name, receiver.id, telling.pages, application.clock.now())
        try:
            results.append({"receiver": receiver.id, "ok": True, "detail": send(receiver, message)})
        except NotifyError as error:
            results.append({"receiver": receiver.id, "ok": False, "detail": error.problem})
    return results


def figures(application: Application, done: Round) -> dict[str, float]:
    """Of one round, keys `what.receiver`: sent, failed and dropped in it, waiting in all."""
    import json

    known = tallies(application)
    before: dict[str, int] = json.loads(application.state.get(_DROPPED) or b"{}")
    dropped = {name: tally.dropped for name, tally in known.items()}
    if dropped != before:
        application.state.put(_DROPPED, json.dumps(dropped).encode())
    found: dict[str, float] = {}
    for one in application.settings.notify.receivers:
        found[f"waiting.{one.id}"] = float(known.get(one.id, Tally()).waiting)
        found[f"sent.{one.id}"] = float(done.sent.get(one.id, 0))
        found[f"failed.{one.id}"] = float(one.id in done.failed)
        found[f"dropped.{one.id}"] = float(max(0, dropped.get(one.id, 0) - before.get(one.id, 0)))
    return found


def place(receiver: Receiver) -> str:
    """Where it goes, as far as that is no secret."""
    channel = receiver.channel
    if isinstance(channel, Telegram):
        return f"chat {channel.chat}"
    if isinstance(channel, Email):
        return ", ".join(channel.recipients)
    return channel.url.partition("?")[0] if isinstance(channel.url, str) else channel.url.source


def _document(receiver: Receiver, tally: Tally) -> dict[str, Any]:
    return {
        "receiver": receiver.id,
        "channel": type(receiver.channel).__name__.lower(),
        "to": place(receiver),
        "severity": str(receiver.severity),
        "kinds": [str(kind) for kind in receiver.kinds],
        "digest": None if receiver.digest is None else f"{receiver.digest:%H:%M}",
        "waiting": tally.waiting,
        "sent": tally.sent,
        "failed": tally.failed,
        "dropped": tally.dropped,
        "sent_at": rfc3339(tally.sent_at) if tally.sent_at else None,
        "error": tally.error,
    }
