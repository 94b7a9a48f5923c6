"""Times in which nothing is applied: is it one now, and until when?

Owns the question. What is undone (a rollback, the end of an event) is never held back by it: that makes things as they were.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from bwmgr.errors import UsageError
from bwmgr.model.people import Freeze
from bwmgr.model.said import Said

if TYPE_CHECKING:
    from bwmgr.config.settings import Settings
    from bwmgr.model.inventory import Inventory

_LOOKED_AHEAD = timedelta(days=8)
"""A calendar's week, and a day."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Frozen:
    """`until` None: for longer than is looked ahead."""

    reason: str
    until: datetime | None


def frozen(freezes: Sequence[Freeze], inventory: Inventory, now: datetime) -> Frozen | None:
    """The freeze that holds longest now; None: things may be applied."""
    holding = [found for freeze in freezes if (found := _holding(freeze, inventory, now)) is not None]
    far = datetime.max.replace(tzinfo=UTC)
    return max(holding, key=lambda found: found.until or far, default=None)


def require_thawed(settings: Settings, now: datetime) -> None:
    """Raises: UsageError inside a freeze, with its reason and end in the organisation's zone."""
    found = frozen(settings.approval.freezes, settings.inventory, now)
    if found is None:
        return
    if found.until is None:
        raise UsageError(
            Said(
                "nothing is applied until further notice ({reason}): approval.freeze of the configuration; rollback goes on",
                reason=found.reason,
            )
        )
    from zoneinfo import ZoneInfo

    until = f"{found.until.astimezone(ZoneInfo(settings.inventory.organisation.timezone)):%Y-%m-%d %H:%M %Z}"
    raise UsageError(
        Said(
            "nothing is applied until {until} ({reason}): approval.freeze of the configuration; rollback goes on",
            until=until,
            reason=found.reason,
        )
    )


def _holding(freeze: Freeze, inventory: Inventory, now: datetime) -> Frozen | None:
    if freeze.start is not None and freeze.end is not None:
        return Frozen(reason=freeze.reason, until=freeze.end) if freeze.start <= now < freeze.end else None
    from bwmgr.measure.calendars import spans

    calendar = inventory.calendars[freeze.calendar or "always"]
    open_now = spans(calendar, inventory.organisation.timezone, now, now + _LOOKED_AHEAD)
    if not len(open_now) or _instant(open_now[0][0]) > now:
        return None
    closes = _instant(open_now[0][1])
    return Frozen(reason=freeze.reason, until=closes if closes < now + _LOOKED_AHEAD else None)


def _instant(at_ms: int) -> datetime:
    return datetime.fromtimestamp(int(at_ms) / 1000, UTC)
