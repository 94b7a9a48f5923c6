"""Times as people type them: RFC 3339, or a date with or without a time in the organisation's zone."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from bwmgr.config.reasons import reason
from bwmgr.errors import UsageError
from bwmgr.model.said import Said


def instant(text: str, timezone: str) -> datetime:
    """Aware UTC of `2026-02-01`, `2026-02-01T07:30`, `2026-02-01 07:30:00` (in `timezone`) or `2026-02-01T00:30:00Z`.

    Raises: UsageError that says what would be right.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise UsageError(
            Said(
                "not a time: {text!r} ({why}); write 2026-02-01, 2026-02-01T07:30 or 2026-02-01T00:30:00Z",
                text=text,
                why=reason(str(error)),
            )
        ) from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(timezone))
    return moment.astimezone(UTC)


def window(start: str | None, end: str | None, timezone: str, now: datetime, default_seconds: float) -> tuple[datetime, datetime]:
    """[start, end): end defaults to now, start to `default_seconds` before the end.

    Raises: UsageError where the end is not after the start.
    """
    last = instant(end, timezone) if end else now
    first = instant(start, timezone) if start else datetime.fromtimestamp(last.timestamp() - default_seconds, UTC)
    if last <= first:
        raise UsageError(Said("the end ({end}) is not after the start ({start})", end=last.isoformat(), start=first.isoformat()))
    return first, last
