"""market: buy before the root is full, sell what it never needs.

Looks at each root of the tree whose load is measured (the series of the sum, not a sum of percentiles) over at least
`least_weeks` weeks, in the direction that fills it most: a contract is bought for both. What it needs is the 95th percentile of
its busiest calendar plus `headroom_ratio`. More than the capacity: buy the difference. Less than `sell_below_ratio` of the
capacity: sell, in steps that people buy in. The price is that of the root's own contracts per bit/s. `bwmgr plan` is the
thorough answer, with intervals and offers; this raises the question.

Parameters: `headroom_ratio` (0.25), `sell_below_ratio` (0.6), `least_weeks` (4).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bwmgr.allocate.tree import node_capacity
from bwmgr.model.decision import Action, Reason
from bwmgr.model.inventory import Direction, Node
from bwmgr.model.policy import NodeLoad, PolicyInput, Proposal

NAME = "market"
_STEP_BPS = 50_000_000
_MONTHS = {"month": 1, "year": 12}
_WEEK_SECONDS = 7 * 86400.0


@dataclass(frozen=True, kw_only=True)
class Parameters:
    headroom_ratio: float = 0.25
    """Kept free above the 95th percentile of the sum."""
    sell_below_ratio: float = 0.6
    """Sell where less than this share of the capacity is needed, headroom included."""
    least_weeks: float = 4.0
    """With a shorter history nothing is said."""


def propose(given: PolicyInput, parameters: Parameters) -> Iterator[Proposal]:
    """One statement for each root whose capacity does not fit."""
    for node in given.inventory.roots():
        filled = [
            (load.rate_bps / capacity, capacity, load)
            for direction in Direction
            if (capacity := node_capacity(given.inventory, node, direction))
            and (load := _known(given, parameters, node, direction))
        ]
        if len(filled) < len(Direction):
            continue
        _, capacity, load = max(filled, key=lambda entry: entry[0])
        needed = load.rate_bps * (1 + parameters.headroom_ratio)
        stepped = -int(-needed // _STEP_BPS) * _STEP_BPS
        if needed > capacity:
            yield _statement(given, node, Action.BUY, capacity, stepped, load)
        elif needed < parameters.sell_below_ratio * capacity and stepped < capacity:
            yield _statement(given, node, Action.SELL, capacity, stepped, load)


def _known(given: PolicyInput, parameters: Parameters, node: Node, direction: Direction) -> NodeLoad | None:
    """The root's load where it is known well and long enough."""
    load = given.node_load.get(node.id, {}).get(direction)
    return None if load is None or load.beside or _weeks(load) < parameters.least_weeks - 0.1 else load


def _weeks(load: NodeLoad) -> float:
    return (load.window.end - load.window.start).total_seconds() / _WEEK_SECONDS


def _statement(given: PolicyInput, node: Node, action: Action, capacity_bps: int, needed_bps: int, load: NodeLoad) -> Proposal:
    direction = load.window.direction
    values: dict[str, str | int | float] = {
        "node_name": node.name,
        "direction": str(direction),
        "capacity_bps": capacity_bps,
        "load_bps": load.rate_bps,
        "needed_bps": needed_bps,
    }
    buy = Reason(
        code="buy",
        message="{node_name} carries {load_bps} of {direction} (95th percentile of the sum) of {capacity_bps}: buy up to "
        "{needed_bps}; `bwmgr plan` says which.",
        values=values,
    )
    sell = Reason(
        code="sell",
        message="{node_name} carries only {load_bps} of {direction} (95th percentile of the sum) of {capacity_bps}: "
        "{needed_bps} would do; `bwmgr plan` says which contract.",
        values=values,
    )
    price = _price_per_bps(given, node, direction)
    monthly = None if price is None else round(price * (needed_bps - capacity_bps))
    return Proposal(
        link=node.id,
        node=True,
        direction=direction,
        action=action,
        reason=buy if action is Action.BUY else sell,
        mir_bps=needed_bps,
        demand_bps=load.rate_bps,
        monthly_price=monthly,
        more={"load_bps": load.rate_bps, "capacity_bps": capacity_bps},
    )


def _price_per_bps(given: PolicyInput, node: Node, direction: Direction) -> float | None:
    """Currency a month and bit/s over the root's contracts; None where one has no price by the month or year."""
    contracts = {uplink.contract: given.inventory.contracts[uplink.contract] for uplink in node.uplinks if uplink.contract}
    if not contracts or any(one.price is None or one.per not in _MONTHS for one in contracts.values()):
        return None
    paid = sum((one.price or 0) / _MONTHS[one.per] for one in contracts.values())
    return paid / sum(one.capacity[direction] for one in contracts.values())
