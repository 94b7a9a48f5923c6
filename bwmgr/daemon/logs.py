"""Structured logs: one event a line, constant lower-case text with fields, as text or JSON, on stderr.

Repeated warnings (one dead device every cycle) are limited: each (event, subject) is logged once per hour, with the number
left out in between. Secrets cannot appear: `bwmgr.model.secret.Secret` masks itself.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from typing import Any

import structlog

_REPEAT_SECONDS = 3600.0


def configure(form: str, level: str) -> None:
    """`form`: text or json; `level`: debug, info, warning, error. APScheduler's own logger stays quiet: `Schedule` reports."""
    renderer: Any = structlog.processors.JSONRenderer(ensure_ascii=False, default=str)
    if form == "text":
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.getLogger("apscheduler").setLevel(logging.CRITICAL)


class Repeats:
    """Says whether an event about a subject may be logged now, and how many were swallowed since."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._seen: dict[tuple[str, str], tuple[float, int]] = {}

    def due(self, event: str, subject: str) -> int | None:
        """Number of repeats left out since the last time it was due; None: not due now."""
        now = self._monotonic()
        since, swallowed = self._seen.get((event, subject), (-_REPEAT_SECONDS, 0))
        if now - since < _REPEAT_SECONDS:
            self._seen[event, subject] = (since, swallowed + 1)
            return None
        self._seen[event, subject] = (now, 0)
        return swallowed

    def forget(self, event: str, subject: str) -> bool:
        """The trouble is over: the next one is logged at once. True if there had been one."""
        return self._seen.pop((event, subject), None) is not None
