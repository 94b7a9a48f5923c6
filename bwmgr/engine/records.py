"""From a proposal that stands to the recommendation that is kept: identity, validity, evidence, expected effect.

Owns no decision."""

from __future__ import annotations

import hashlib
from datetime import timedelta

from bwmgr.allocate.tree import node_capacity
from bwmgr.model.bandwidth import Bandwidth
from bwmgr.model.decision import Action, Evidence, Expected, Recommendation
from bwmgr.model.policy import PolicyInput, Proposal

_SIZES = {Action.RAISE, Action.LOWER}


def recommendation(
    given: PolicyInput, policy: str, proposal: Proposal, mir_bps: int | None, valid_seconds: float, author: str
) -> Recommendation:
    """The same input gives the same id. `mir_bps`: the limit that the proposal came to."""
    current = _current(given, proposal)
    proposed = Bandwidth(cir_bps=current.cir_bps if proposal.cir_bps is None else proposal.cir_bps, mir_bps=mir_bps)
    began = proposal.start or given.now
    parts = (given.now.isoformat(), proposal.link, proposal.direction, policy, proposal.action, current.mir_bps, mir_bps)
    dated = () if proposal.start is None else (proposal.start.isoformat(),)
    return Recommendation(
        id=_identity(*parts, proposal.reason.code, *dated),
        created_at=given.now,
        link=proposal.link,
        direction=proposal.direction,
        action=proposal.action,
        policy=policy,
        current=current,
        proposed=proposed,
        valid_from=began,
        valid_until=proposal.end or began + timedelta(seconds=valid_seconds),
        reason=proposal.reason,
        evidence=_evidence(given, proposal),
        expected=_expected(proposal, mir_bps),
        author=author,
    )


def _current(given: PolicyInput, proposal: Proposal) -> Bandwidth:
    if not proposal.node:
        return given.current[proposal.link][proposal.direction]
    node = given.inventory.nodes[proposal.link]
    if proposal.current_bps is not None:
        return Bandwidth(cir_bps=0, mir_bps=proposal.current_bps)
    return Bandwidth(cir_bps=node.cir[proposal.direction], mir_bps=node_capacity(given.inventory, node, proposal.direction))


def _evidence(given: PolicyInput, proposal: Proposal) -> Evidence:
    window = given.usage.get(proposal.link, {}).get(proposal.direction)
    if proposal.node and (load := given.node_load.get(proposal.link, {}).get(proposal.direction)):
        window = load.window
    window = proposal.window or window
    if window is None:
        link = given.inventory.links.get(proposal.link)
        calendar = "always" if link is None else link.calendar
        return Evidence(start=given.now, end=given.now, calendar=calendar, p95_bps=None, demand_bps=None, saturated_ratio=None,
                        coverage_ratio=0.0, samples=0, more=proposal.more)  # fmt: skip
    return Evidence(
        start=window.start,
        end=window.end,
        calendar=window.calendar,
        p95_bps=window.p95_bps,
        demand_bps=proposal.demand_bps,
        saturated_ratio=window.saturated_ratio,
        coverage_ratio=window.coverage_ratio,
        samples=window.samples,
        more=proposal.more,
    )


def _expected(proposal: Proposal, mir_bps: int | None) -> Expected:
    """More of what was bought already costs nothing; what stays unmet behind a limit below demand is not known."""
    if proposal.node:
        return Expected(monthly_price=proposal.monthly_price)
    if proposal.action not in _SIZES or mir_bps is None or not proposal.demand_bps:
        return Expected()
    met = min(1.0, mir_bps / proposal.demand_bps)
    return Expected(satisfaction_ratio=met, throttled_octets_per_day=0 if met == 1.0 else None, monthly_price=0)


def _identity(*parts: object) -> str:
    """Twelve hexadecimal digits that depend on the content alone, so a run can be repeated and compared."""
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:12]
