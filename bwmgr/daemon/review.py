"""What a person sees before deciding on a recommendation: its link's rates, what would be sent, what is expected. Reads only.

Owns no screen and no decision: `bwmgr.cli.review` shows this, `bwmgr.daemon.advice` decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bwmgr.daemon.apply import preview
from bwmgr.daemon.rendering import render_for_device
from bwmgr.daemon.web.curves import Curves, curves
from bwmgr.engine.importance import by_importance
from bwmgr.errors import BwmgrError
from bwmgr.model.decision import Recommendation, Status
from bwmgr.model.said import said_by

if TYPE_CHECKING:
    from bwmgr.daemon.application import Application


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One recommendation with what it rests on. `rates` None: it is about a node, or its link is gone."""

    recommendation: Recommendation
    rates: Curves | None
    lines: Sequence[str]
    """As they would be sent to a device that is as bwmgr takes it to be; empty: bwmgr sends nothing."""
    device: str = ""
    problem: str = ""
    """Why nothing can be said of the device."""


def waiting(application: Application) -> list[Recommendation]:
    """What waits for a decision, the most important first."""
    return by_importance(application.state.recommendations(status=Status.PROPOSED))


def case_of(application: Application, found: Recommendation) -> Case:
    """Asks no device. Raises: StoreError."""
    rates = None
    if found.link in application.inventory.links:
        interval = application.settings.snmp.interval_seconds
        rates = curves(application.store, found.link, found.evidence.start, found.evidence.end, interval_seconds=interval)
    device, lines, problem = render_for_device(application, found)
    return Case(recommendation=found, rates=rates, lines=lines, device=device, problem=problem)


def read_case(application: Application, case: Case) -> Case:
    """The same with the lines that the device, asked now, would really get. A problem is a value."""
    try:
        plan = preview(application, case.recommendation.id)
    except BwmgrError as error:
        return Case(recommendation=case.recommendation, rates=case.rates, lines=(), device=case.device, problem=said_by(error))
    return Case(recommendation=case.recommendation, rates=case.rates, lines=plan.lines, device=plan.device)
