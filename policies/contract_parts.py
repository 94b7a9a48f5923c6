"""contract_parts: which part of a contract is full, domestic or international, and what to do about it.

A contract may promise two figures (350 Mbit/s domestic through the exchange, 350 international). Offices then suffer from a full
international part while the other one idles, and the total looks fine. Flows tell the parts apart, by the list of networks in
`netflow.domestic`; counters cannot. At each root whose contracts state a part, a part is full where the 95th percentile of its
flows, scaled up by what the counters saw and the flows did not, reaches `full_ratio` of it in either direction. It then needs
that percentile plus `headroom_ratio`, in steps that people buy in:

- the other part can spare as much and keep its own headroom: have it converted, which costs a letter, not bandwidth;
- otherwise: buy it.

No link's limit is touched: a limit cannot tell domestic from international. Nothing is said where flows are missing: on less than
`least_days` of them, where less than `least_coverage_ratio` of the time since then had flows, or where they tell of less than
`least_counted_ratio` of what counters saw. What would be needed of the total is the business of `market` and `bwmgr plan`.

Parameters: `full_ratio` (0.9), `headroom_ratio` (0.25), `least_days` (7), `least_coverage_ratio` (0.9), `least_counted_ratio`
(0.7).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bwmgr.model.decision import Action, Reason
from bwmgr.model.inventory import Node
from bwmgr.model.policy import PartLoad, PolicyInput, Proposal
from policies.selection import observed_days

NAME = "contract_parts"
USES_PARTS = True
"""The daemon reads days of flows for this policy alone."""
_STEP_BPS = 10_000_000
_OTHER = {"domestic": "international", "international": "domestic"}


@dataclass(frozen=True, kw_only=True)
class Parameters:
    full_ratio: float = 0.9
    """From this share of a part on its 95th percentile makes it full."""
    headroom_ratio: float = 0.25
    """Kept free above the percentile, in the part that is full and in the one that gives."""
    least_days: float = 7.0
    """Flows of fewer days say nothing."""
    least_coverage_ratio: float = 0.9
    """Share of that time in which there were flows at all; with less nothing is said."""
    least_counted_ratio: float = 0.7
    """Share of the counters' octets that flows tell of; with less flows are missing, and nothing is said."""


def propose(given: PolicyInput, parameters: Parameters) -> Iterator[Proposal]:
    """One statement for each full part of each root."""
    for node in given.inventory.roots():
        loads = [load for load in given.part_load.get(node.id, ()) if load.contract_bps]
        if not loads or not all(_known(load, parameters) for load in loads):
            continue
        fullest: dict[str, PartLoad] = {}
        for load in sorted(loads, key=_filled):
            fullest[load.part] = load
        for part, load in fullest.items():
            if _filled(load) >= parameters.full_ratio:
                yield _statement(node, load, fullest.get(_OTHER[part]), parameters)


def _known(load: PartLoad, parameters: Parameters) -> bool:
    return (
        observed_days(load.window) >= parameters.least_days - 0.1
        and load.window.coverage_ratio >= parameters.least_coverage_ratio
        and load.counted_ratio is not None
        and load.counted_ratio >= parameters.least_counted_ratio
    )


def _filled(load: PartLoad) -> float:
    return load.rate_bps / (load.contract_bps or 1)


def _stepped(rate_bps: float) -> int:
    return -int(-rate_bps // _STEP_BPS) * _STEP_BPS


def _statement(node: Node, load: PartLoad, other: PartLoad | None, parameters: Parameters) -> Proposal:
    contract = load.contract_bps or 0
    needed = _stepped(load.rate_bps * (1 + parameters.headroom_ratio))
    lacking = max(needed - contract, _STEP_BPS)
    keeps = None if other is None else _stepped(other.rate_bps * (1 + parameters.headroom_ratio))
    spare = 0 if other is None or keeps is None else (other.contract_bps or 0) - keeps
    values: dict[str, str | int | float] = {
        "node_name": node.name,
        "direction": str(load.window.direction),
        "load_bps": load.rate_bps,
        "contract_bps": contract,
        "lacking_bps": lacking,
        "other_bps": 0 if other is None else other.rate_bps,
        "other_contract_bps": 0 if other is None else other.contract_bps or 0,
    }
    return Proposal(
        link=node.id,
        node=True,
        direction=load.window.direction,
        action=Action.BUY,
        reason=_reason(load.part, values, convert=spare >= lacking),
        current_bps=contract,
        window=load.window,
        mir_bps=contract + lacking,
        demand_bps=load.rate_bps,
        monthly_price=0 if spare >= lacking else None,
        more=_evidence(load, other, spare),
    )


def _evidence(load: PartLoad, other: PartLoad | None, spare_bps: int) -> Mapping[str, str | int | float | None]:
    return {
        "part": load.part,
        "contract_bps": load.contract_bps,
        "counted_ratio": load.counted_ratio,
        "other_part_p95_bps": None if other is None else other.window.p95_bps,
        "other_contract_bps": None if other is None else other.contract_bps,
        "spare_bps": spare_bps,
    }


def _reason(part: str, values: Mapping[str, str | int | float], *, convert: bool) -> Reason:
    if part == "international":
        if convert:
            return Reason(
                code="international_full",
                message="{node_name}: international capacity is full, {load_bps} of {contract_bps} ({direction}, 95th percentile "
                "of flows), while domestic uses {other_bps} of {other_contract_bps}: have {lacking_bps} of domestic converted.",
                values=values,
            )
        return Reason(
            code="international_full",
            message="{node_name}: international capacity is full, {load_bps} of {contract_bps} ({direction}, 95th percentile of "
            "flows), and domestic has none to give: buy {lacking_bps} of international.",
            values=values,
        )
    if convert:
        return Reason(
            code="domestic_full",
            message="{node_name}: domestic capacity is full, {load_bps} of {contract_bps} ({direction}, 95th percentile of "
            "flows), while international uses {other_bps} of {other_contract_bps}: have {lacking_bps} of international "
            "converted.",
            values=values,
        )
    return Reason(
        code="domestic_full",
        message="{node_name}: domestic capacity is full, {load_bps} of {contract_bps} ({direction}, 95th percentile of "
        "flows), and international has none to give: buy {lacking_bps} of domestic.",
        values=values,
    )
