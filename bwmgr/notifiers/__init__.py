"""Telling people: one file per channel, each a function that sends one message or says why not.

Owns transports and what their answers mean. What is told, to whom and when is decided by the caller, who keeps what could not be
delivered. No address, token or password is ever part of an error: a bot's token stands in its URL.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from bwmgr.errors import NotifyError, NotifyUnavailable
from bwmgr.model.notice import Receiver, Severity, Telegram, Webhook, secrets_in
from bwmgr.model.said import Said

if TYPE_CHECKING:
    from tenacity import RetryCallState

TIMEOUT_SECONDS = 10.0
_TRIES = 3
_LONGEST_PROBLEM = 300
_LONGEST_WAIT_SECONDS = 5.0
"""A longer one is left to the next round: the others wait meanwhile."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Attachment:
    """A file that goes with an e-mail; `kind` is its media type, such as application/pdf."""

    name: str
    content: bytes
    kind: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """One message in the receiver's language. `id` is the same where it is sent again; `text` has the link in it already.

    `attachments` go by e-mail only.
    """

    id: str
    at: datetime
    severity: Severity
    kind: str
    subject: str
    text: str
    link: str | None = None
    organisation: str = ""
    attachments: tuple[Attachment, ...] = ()


def send(receiver: Receiver, message: Message, *, sleep: Callable[[float], None] | None = None) -> str:
    """Sends it now, trying again for some seconds where that may help. Gives a remark, empty where all is well.

    Raises: NotifyUnavailable, NotifyRefused.
    """
    import time

    from tenacity import Retrying, retry_if_exception, stop_after_attempt

    tries = Retrying(
        stop=stop_after_attempt(_TRIES), retry=retry_if_exception(_is_soon_over), wait=_wait_seconds, sleep=sleep or time.sleep,
        reraise=True,
    )  # fmt: skip
    try:
        return tries(_sent, receiver, message)
    except NotifyError as error:
        raise _masked(error, receiver) from None  # what it came from knows the URL


def _sent(receiver: Receiver, message: Message) -> str:
    channel = receiver.channel
    if isinstance(channel, Telegram):
        from bwmgr.notifiers.telegram import send_telegram

        return send_telegram(receiver.id, channel, message)
    if isinstance(channel, Webhook):
        from bwmgr.notifiers.webhook import send_webhook

        return send_webhook(receiver.id, channel, message)
    from bwmgr.notifiers.email import send_email

    return send_email(receiver.id, channel, message)


def _is_soon_over(error: BaseException) -> bool:
    return isinstance(error, NotifyUnavailable) and (error.retry_after_seconds or 0) <= _LONGEST_WAIT_SECONDS


def _wait_seconds(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    said = error.retry_after_seconds if isinstance(error, NotifyUnavailable) else None
    return 0.5 * 2 ** (state.attempt_number - 1) if said is None else said


def _masked(error: NotifyError, receiver: Receiver) -> NotifyError:
    """The same without any secret of the channel, whatever a server repeated of it."""
    problem = _without([found for secret in secrets_in(receiver.channel) if (found := secret.reveal())], error.problem)
    if isinstance(error, NotifyUnavailable):
        return NotifyUnavailable(error.receiver, problem, error.retry_after_seconds)
    return type(error)(error.receiver, problem)


def _without(secrets: Sequence[str], said: str) -> str:
    """In one line, no longer than need be; a `Said` stays one, and what it has from others is masked."""
    if isinstance(said, Said):
        kept = {name: _without(secrets, value) if isinstance(value, str) else value for name, value in said.values.items()}
        masked = Said(said.pattern, **kept)
        return masked if not any(secret in masked for secret in secrets) else _without(secrets, str(masked))
    for secret in secrets:
        said = said.replace(secret, "***")
    return " ".join(said.split())[:_LONGEST_PROBLEM]
