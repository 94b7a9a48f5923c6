"""What was recommended in a month and what had become of it; which links have a quota.

Owns which recommendations belong to a month: those made in it, but for those to hold, which ask for nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from bwmgr.model.decision import Action, Recommendation
from bwmgr.model.monthly import MonthAdvice
from policies.selection import chosen

if TYPE_CHECKING:
    from bwmgr.daemon.application import Application
    from bwmgr.stores.state import StateStore

_GIGABYTE = 10**9


def advice_by_link(state: StateStore, start: datetime, end: datetime) -> Mapping[str, tuple[MonthAdvice, ...]]:
    """Link -> its recommendations of the month, oldest first."""
    found: dict[str, list[MonthAdvice]] = {}
    for made in state.recommendations():
        if start <= made.created_at < end and made.action is not Action.HOLD:
            found.setdefault(made.link, []).insert(0, _advice(state, made))
    return {link: tuple(advice) for link, advice in found.items()}


def quotas(application: Application) -> Mapping[str, int]:
    """Link -> octets of download and upload that are fair in a month, where the policy `quota` says so."""
    found: dict[str, int] = {}
    for choice in application.settings.policies:
        given = choice.parameters
        gigabytes = getattr(given, "quota_gigabytes", 0.0)
        if choice.name != "quota" or not gigabytes:
            continue
        names = {name: getattr(given, name) for name in ("links", "kinds", "classes", "except_links")}
        for link in chosen(application.inventory, **names):
            found[link.id] = min(found.get(link.id, 2**63), round(gigabytes * _GIGABYTE))
    return found


def _advice(state: StateStore, made: Recommendation) -> MonthAdvice:
    changes = state.changes(made.id)
    last = changes[-1] if changes else None
    return MonthAdvice(
        id=made.id,
        created_at=made.created_at,
        direction=made.direction,
        action=made.action,
        policy=made.policy,
        status=made.status,
        current_bps=made.current.mir_bps,
        proposed_bps=made.proposed.mir_bps,
        reason=made.reason,
        last_at=last.at if last else None,
        last_by=last.by if last else "",
        last_note=last.note if last else "",
    )
