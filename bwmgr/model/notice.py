"""What people are told of by themselves, who is told, and how: notices, receivers, channels.

Owns the nouns and when a receiver wants a notice. Sends nothing; a notice's words are made in the receiver's language as it goes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time
from enum import StrEnum
from pathlib import Path

from bwmgr.model.decision import Reason
from bwmgr.model.secret import Secret

Hours = tuple[tuple[time, time | None], ...]
"""(from, to) of a day, in the organisation's zone; None: midnight; `to` before `from`: overnight."""


class Severity(StrEnum):
    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        return list(Severity).index(self)


class Kind(StrEnum):
    RECOMMENDATION = "recommendation"
    SATURATION = "saturation"
    SILENCE = "silence"
    PROVIDER = "provider"
    EVENT = "event"
    ENFORCEMENT = "enforcement"
    """A change that was taken back, or cannot be."""
    TRAIL = "trail"
    """The journal was altered."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """One thing to be told, once. `message` is an English sentence with {placeholders}, a key of the catalogues."""

    id: str
    kind: Kind
    severity: Severity
    at: datetime
    message: str
    values: Mapping[str, str | int | float | None] = field(default_factory=dict)
    reason: Reason | None = None
    """A sentence that comes first: of a recommendation, why."""
    page: str = "/"
    """Of the web pages, what there is to see about it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Telegram:
    """`api` is Telegram's own, or that of a Bot API server of the office."""

    token: Secret
    chat: str
    api: str = "https://api.telegram.org"


@dataclass(frozen=True, kw_only=True, slots=True)
class Email:
    """`security`: `starttls`, `tls`, or `none` for a relay on this machine."""

    host: str
    sender: str
    recipients: tuple[str, ...]
    port: int = 587
    security: str = "starttls"
    user: str | None = None
    password: Secret | None = None
    ca: Path | None = None
    """Of the authority that signed the server's certificate; None: one that the machine knows."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Webhook:
    """`url` is a secret where it has one in it. `template` None: a JSON object of all there is to say."""

    url: str | Secret
    headers: Mapping[str, Secret] = field(default_factory=dict)
    template: str | None = None
    content_type: str = "application/json"

    @property
    def address(self) -> str:
        return self.url.reveal() if isinstance(self.url, Secret) else self.url


Channel = Telegram | Email | Webhook


@dataclass(frozen=True, kw_only=True, slots=True)
class Receiver:
    """`severity`: the least that is told at all; `at_once`: the least that does not wait for the digest, where there is one."""

    id: str
    channel: Channel
    severity: Severity = Severity.INFO
    kinds: tuple[Kind, ...] = ()
    """Empty: all."""
    digest: time | None = None
    at_once: Severity = Severity.CRITICAL
    quiet: Hours = ()
    """Only what is critical is told in these hours; the rest waits for their end."""
    most_per_hour: int = 20
    language: str | None = None

    def wants(self, notice: Notice) -> bool:
        return notice.severity.rank >= self.severity.rank and (not self.kinds or notice.kind in self.kinds)

    def waits_for_digest(self, severity: Severity) -> bool:
        return self.digest is not None and severity.rank < self.at_once.rank

    def is_quiet(self, local: time) -> bool:
        """Is it within the quiet hours? `local`: the time of day in the organisation's zone."""
        return any(_within(local, opens, closes) for opens, closes in self.quiet)


@dataclass(frozen=True, kw_only=True, slots=True)
class Telling:
    """Who is told, and from when on something is worth it. `pages`: where the web pages are found, None: no links."""

    receivers: tuple[Receiver, ...] = ()
    pages: str | None = None
    every_seconds: float = 120.0
    """So often it is looked whether there is something to tell."""
    silent_seconds: float = 900.0
    saturated_seconds: float = 900.0
    event_seconds: float = 86400.0
    """So long before an event begins."""
    keep_trying_seconds: float = 172_800.0
    """What could not be delivered in so long is given up."""

    def receiver(self, name: str) -> Receiver | None:
        return next((one for one in self.receivers if one.id == name), None)


def _within(local: time, opens: time, closes: time | None) -> bool:
    if closes is None:
        return local >= opens
    return opens <= local < closes if opens < closes else local >= opens or local < closes


def secrets_in(channel: Channel) -> list[Secret]:
    """Everything of a channel that must never be seen."""
    if isinstance(channel, Telegram):
        return [channel.token]
    if isinstance(channel, Email):
        return [channel.password] if channel.password is not None else []
    return [*channel.headers.values(), *([channel.url] if isinstance(channel.url, Secret) else [])]
