"""Approval by rule: small steps that can be taken back, within the bounds that the office wrote down; off unless it did.

Owns the counting of a day and the record of who decided: the rule, by name, with its bounds in the note. Applies nothing.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from bwmgr.engine.importance import by_importance
from bwmgr.model.decision import Recommendation, Status, StatusChange
from bwmgr.model.people import PreApproval
from bwmgr.model.units import rate_text

if TYPE_CHECKING:
    from bwmgr.daemon.application import Application

RULE = "pre-approval"
"""Who is written down for an approval that no person gave."""
_DAY = timedelta(hours=24)


def pre_approve(application: Application, now: datetime) -> tuple[Recommendation, ...]:
    """Approves what the rule allows, the most important first, and returns it. Raises: StoreUnavailable."""
    rule = application.settings.approval.pre_approval
    if rule is None:
        return ()
    today = application.state.changes_by(RULE, now - _DAY)
    room = rule.most_per_day - sum(change.status is Status.APPROVED for change in today)
    allowed = [entry for entry in _waiting(application, now) if _allows(application, rule, entry)][: max(room, 0)]
    note = (
        f"by rule: {', '.join(rule.policies)}; at most {rule.most_step_ratio:.0%} and {rate_text(rule.most_bps)}bit/s, "
        f"{rule.most_per_day} a day"
    )
    application.state.change_statuses(
        [StatusChange(recommendation=entry.id, at=now, status=Status.APPROVED, by=RULE, note=note) for entry in allowed]
    )
    return tuple(allowed)


def _waiting(application: Application, now: datetime) -> list[Recommendation]:
    found = application.state.recommendations(status=Status.PROPOSED)
    return [entry for entry in by_importance(found) if entry.valid_from <= now < entry.valid_until]


def _allows(application: Application, rule: PreApproval, entry: Recommendation) -> bool:
    link = application.inventory.links.get(entry.link)
    return link is not None and rule.allows(entry, link)
