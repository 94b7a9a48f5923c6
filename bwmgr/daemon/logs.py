"""Structured logs: one event a line, constant lower-case text with fields, as text or JSON, on stderr.

Repeated warnings (one dead device every cycle) are limited: each (event, subject) is logged once per hour, with the number
left out in between. Secrets cannot appear: `bwmgr.model.secret.Secret` masks itself, and where a library puts one into a
message it is masked here.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterable, MutableMapping
from typing import TYPE_CHECKING, Any

import structlog

from bwmgr.model.notice import secrets_in
from bwmgr.model.secret import Secret

if TYPE_CHECKING:
    from bwmgr.config.settings import Settings

MASK = "***"
_REPEAT_SECONDS = 3600.0
_SHORTEST_SECRET = 4
"""A shorter one is not searched for in texts: `a` would mask half of every line."""


def configure(form: str, level: str, secrets: Iterable[Secret] = ()) -> None:
    """`form`: text or json; `level`: debug, info, warning, error. APScheduler's own logger stays quiet: `Schedule` reports."""
    renderer: Any = structlog.processors.JSONRenderer(ensure_ascii=False, default=str)
    if form == "text":
        plain = structlog.dev.plain_traceback  # the rich one would print local variables
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            Cleaner(secrets, one_line=form == "text"),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.getLogger("apscheduler").setLevel(logging.CRITICAL)


def secrets_of(settings: Settings) -> tuple[Secret, ...]:
    """Every community, key, token and password of a configuration."""
    found: list[Secret | None] = [settings.store.token, settings.store.password]
    if settings.daemon.web is not None:
        found.append(settings.daemon.web.token)
    for credential in settings.inventory.credentials.values():
        keys = (credential.auth, credential.priv)
        found += [credential.community, *(key.key for key in keys if key is not None)]
    found += [settings.journal.key, *(person.token for person in settings.people)]
    for device in settings.inventory.devices.values():
        if device.enforce is not None:
            found += [device.enforce.password, device.enforce.secret]
    found += [secret for receiver in settings.notify.receivers for secret in secrets_in(receiver.channel)]
    return tuple(secret for secret in found if secret is not None)


def masked(text: str, secrets: Iterable[Secret]) -> str:
    """`text` with every known secret in it replaced by three stars."""
    for secret in sorted({secret.reveal() for secret in secrets}, key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, MASK)
    return text


class Cleaner:
    """A structlog processor: masks secrets; in text, keeps what a device says of itself from writing lines of its own."""

    def __init__(self, secrets: Iterable[Secret], *, one_line: bool) -> None:
        self._secrets = tuple(secrets)
        self._one_line = one_line

    def __call__(self, logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        for name, content in event.items():
            if isinstance(content, str):
                text = masked(content, self._secrets)
                event[name] = _one_line(text) if self._one_line and name != "exception" else text
        return event


class Repeats:
    """Says whether an event about a subject may be logged now, and how many were swallowed since."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._seen: dict[tuple[str, str], tuple[float, int]] = {}

    def due(self, event: str, subject: str) -> int | None:
        """Number of repeats left out since the last time it was due; None: not due now."""
        now = self._monotonic()
        since, swallowed = self._seen.get((event, subject), (now - _REPEAT_SECONDS, 0))
        if now - since < _REPEAT_SECONDS:
            self._seen[event, subject] = (since, swallowed + 1)
            return None
        self._seen[event, subject] = (now, 0)
        return swallowed

    def forget(self, event: str, subject: str) -> bool:
        """The trouble is over: the next one is logged at once. True if there had been one."""
        return self._seen.pop((event, subject), None) is not None


def _one_line(text: str) -> str:
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)
