"""Is the month before to be closed, written and sent now? Asked by the daemon every quarter of an hour, so nothing heavy is here.

Owns when that is, and the mark that all of it is done. The work is `bwmgr.daemon.monthly_sending`.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from bwmgr.config.settings import MonthlySection
    from bwmgr.daemon.application import Application

SETTLED = timedelta(hours=1)
"""So long after its end a month may be closed: the last readings, and what a spool held, are there by then."""


def previous_month(now: datetime, timezone: str) -> str:
    """The local month before this one, as `2026-01`."""
    first = now.astimezone(ZoneInfo(timezone)).replace(day=1)
    return f"{first - timedelta(days=1):%Y-%m}"


def due_month(application: Application) -> str | None:
    """The month before, where its day and hour have come; None before that, and where the configuration asks for none."""
    monthly, zone = application.settings.documents.monthly, application.inventory.organisation.timezone
    now = application.clock.now()
    local = now.astimezone(ZoneInfo(zone))
    if monthly is None or (local.day, local.time()) < (monthly.day, monthly.at):
        return None
    midnight = local.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return previous_month(now, zone) if now - midnight >= SETTLED else None


def waits(application: Application) -> bool:
    """Has the day come, and is something of it not done yet?"""
    name, monthly = due_month(application), application.settings.documents.monthly
    return name is not None and monthly is not None and application.state.get(done_key(name)) != done_mark(monthly)


def done_key(month: str) -> str:
    return f"month-done:{month}"


def done_mark(monthly: MonthlySection) -> bytes:
    """Of all that is asked for: another receiver makes it undone."""
    return json.dumps([list(monthly.email), dict(monthly.pages)], sort_keys=True).encode()
