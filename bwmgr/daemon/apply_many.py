"""Several recommendations applied in one go: each for itself, so that one device's trouble is a value beside the others' success.

Owns the order and what is left out: after a device did not answer, nothing more is tried on it in this run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bwmgr.daemon.advice import find
from bwmgr.daemon.apply import apply, plan_apply
from bwmgr.daemon.apply_records import as_document
from bwmgr.errors import DeviceAuthenticationError, DeviceError, DeviceTimeout, StoreLocked, UsageError
from bwmgr.model.said import Said

if TYPE_CHECKING:
    from bwmgr.daemon.application import Application


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """Of one recommendation: a document of what was (or would be) sent, or the error that it came to."""

    recommendation: str
    document: dict[str, Any] | None = None
    error: DeviceError | UsageError | StoreLocked | None = None

    def as_document(self) -> dict[str, Any]:
        return self.document if self.document is not None else {"id": self.recommendation, "error": str(self.error)}


def apply_many(application: Application, names: Sequence[str], *, by: str, dry_run: bool) -> list[Outcome]:
    """In the given order, each once. What is one device's or one recommendation's trouble is a value.

    Raises: StoreUnavailable.
    """
    outcomes: list[Outcome] = []
    away: dict[str, str] = {}
    for name in dict.fromkeys(names):
        try:
            device = _device(application, name)
            if device in away:
                raise DeviceError(device, Said("not tried again: {why}", why=away[device]))
            document = _planned(application, name) if dry_run else as_document(apply(application, name, by=by))
        except (DeviceError, UsageError, StoreLocked) as error:
            if isinstance(error, DeviceTimeout | DeviceAuthenticationError):
                away[error.device] = error.problem
            outcomes.append(Outcome(recommendation=name, error=error))
        else:
            outcomes.append(Outcome(recommendation=name, document=document))
    return outcomes


def exit_code(outcomes: Sequence[Outcome]) -> int:
    """0 all, 3 some, none: 2 where each was asked wrongly, else 1."""
    failed = [outcome.error for outcome in outcomes if outcome.error is not None]
    if not failed:
        return 0
    if len(failed) < len(outcomes):
        return 3
    return 2 if all(isinstance(error, UsageError) for error in failed) else 1


def _device(application: Application, name: str) -> str:
    """The device that a recommendation would be applied on; empty where its link has none, which `apply` tells."""
    link = application.inventory.links.get(find(application.state, name).link)
    return link.shaper.device if link is not None and link.shaper is not None else ""


def _planned(application: Application, name: str) -> dict[str, Any]:
    """What would be sent."""
    plan = plan_apply(application, name)
    return {
        "id": plan.recommendation.id, "device": plan.device, "dry_run": True, "lines": list(plan.lines),
        "before": dict(plan.before), "after": dict(plan.after),
    }  # fmt: skip
