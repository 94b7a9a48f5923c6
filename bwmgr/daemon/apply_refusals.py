"""Why a change is not sent, taken back or confirmed, in whole sentences. Owns the words; when they apply is `apply`'s."""

from __future__ import annotations

from datetime import datetime

from bwmgr.errors import DeviceProtocolError, UsageError
from bwmgr.model.decision import Recommendation, Status
from bwmgr.model.enforcement import Settings
from bwmgr.model.said import Said

_INSTANT = "%Y-%m-%dT%H:%MZ"


def require_approved(found: Recommendation, now: datetime) -> None:
    """Raises: UsageError for one that is not approved, or not valid now."""
    if found.status is not Status.APPROVED:
        raise UsageError(
            Said("{id} is {status}: only an approved recommendation can be applied", id=found.id, status=Said(str(found.status)))
        )
    if found.valid_until <= now:
        until = found.valid_until.strftime(_INSTANT)
        raise UsageError(
            Said("{id} was valid until {until_at}; `bwmgr recommend` says what is right now", id=found.id, until_at=until)
        )
    if found.valid_from > now:
        begin = found.valid_from.strftime(_INSTANT)
        raise UsageError(Said("{id} is for later: it may be applied from {from_at} on", id=found.id, from_at=begin))


def changes_no_limit(found: Recommendation) -> UsageError:
    """It is not about a link's limits."""
    return UsageError(Said("{id} ({action} {link}) changes no link's limit", id=found.id, action=found.action, link=found.link))


def never_applied(found: Recommendation) -> UsageError:
    """Nothing of it ever reached the device."""
    status = Said(str(found.status))
    return UsageError(Said("{id} is {status} and was never applied: there is nothing to roll back", id=found.id, status=status))


def device_is_gone(found: Recommendation, device: str) -> UsageError:
    """It was applied on a device that nobody knows any more."""
    return UsageError(
        Said("{id} was applied on device {device}, which is not in the configuration any more", id=found.id, device=device)
    )


def overtaken(found: Recommendation) -> UsageError:
    """A later change is in force."""
    return UsageError(
        Said("a later change than {id} is in force on {link}: roll that one back first", id=found.id, link=found.link)
    )


def not_verified(other: Recommendation) -> UsageError:
    """The change before has not been proven."""
    return UsageError(
        Said("{id} was applied to {link} and is not verified yet: wait for that, or roll it back", id=other.id, link=other.link)
    )


def drifted(device: str, link: str, left: Settings, present: Settings) -> DeviceProtocolError:
    """The device is not as bwmgr left it."""
    return DeviceProtocolError(
        device,
        Said(
            "{link} was left as {before} and is {present} now: somebody else changed it; put it right, or undo theirs",
            link=link,
            before=_listed(left),
            present=_listed(present),
        ),
    )


def not_restored(link: str, present: Settings, wanted: Settings) -> DeviceProtocolError:
    """It reads back otherwise than what it was to go back to."""
    return DeviceProtocolError(
        link, Said("reads back {present} where {wanted} was restored", present=_listed(present), wanted=_listed(wanted))
    )


def unknown_now(device: str, trouble: str, problem: str) -> DeviceProtocolError:
    """Neither the change nor taking it back came to an end that was seen."""
    return DeviceProtocolError(
        device,
        Said(
            "{trouble}; then, taking it back: {problem}. Which settings it has is unknown: `bwmgr apply` again decides",
            trouble=trouble,
            problem=problem,
        ),
    )


def _listed(settings: Settings) -> str:
    return " ".join(f"{key}={settings[key]}" for key in sorted(settings)) or Said("(no queue)")
