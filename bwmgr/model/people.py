"""Who may do what: people, their roles, and the rules of approval that an office sets.

Owns the nouns and the arithmetic of a rule. Knows no system users and no clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bwmgr.model.decision import Action, Recommendation
from bwmgr.model.inventory import Link
from bwmgr.model.secret import Secret


class Role(StrEnum):
    OPERATOR = "operator"
    """Proposes (recommend, lift, override, import) and applies (apply, rollback)."""
    APPROVER = "approver"
    """Approves and rejects what others proposed."""
    AUDITOR = "auditor"
    """Reads."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Person:
    """One of the office. `users`: names on this machine; `token`: proves who it is where those do not."""

    id: str
    name: str
    users: tuple[str, ...] = ()
    roles: tuple[Role, ...] = ()
    token: Secret | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class PreApproval:
    """What may be approved by rule: small steps of these policies and classes that can be taken back.

    `most_step_ratio`: of the limit in force; `most_bps`: the largest step; `most_per_day`: of the whole office, in 24 hours.
    """

    policies: tuple[str, ...]
    most_step_ratio: float
    most_bps: int
    most_per_day: int
    classes: tuple[str, ...] = ()
    """Empty: all."""

    def allows(self, recommendation: Recommendation, link: Link) -> bool:
        """Is it within the rule, whatever was approved today? Only a raise or lowering of a limit that there is, held by a device
        that bwmgr changes and so can put back, with its guarantee untouched."""
        current, proposed = recommendation.current.mir_bps, recommendation.proposed.mir_bps
        if current is None or proposed is None or link.shaper is None or recommendation.policy not in self.policies:
            return False
        if recommendation.action not in (Action.RAISE, Action.LOWER):
            return False
        if recommendation.current.cir_bps != recommendation.proposed.cir_bps:
            return False
        if self.classes and link.service_class not in self.classes:
            return False
        step = abs(proposed - current)
        return step <= self.most_bps and step <= self.most_step_ratio * current


@dataclass(frozen=True, kw_only=True, slots=True)
class Freeze:
    """A time in which nothing is applied: from `start` to `end`, or as often as the calendar of this id is open."""

    reason: str
    start: datetime | None = None
    end: datetime | None = None
    calendar: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ApprovalRules:
    """`pre_approval` None: every recommendation waits for a person."""

    pre_approval: PreApproval | None = None
    freezes: tuple[Freeze, ...] = ()
