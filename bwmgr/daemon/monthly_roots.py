"""The money of a month: what was bought at each root of the tree, how much of it was used, and what idle capacity cost.

Owns which of the plan's figures a month takes and which part of a yearly price is its own. The arithmetic is the plan's.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from bwmgr.daemon.plan_figures import Plan, RootPlan
from bwmgr.daemon.planning import make_plan
from bwmgr.errors import UsageError
from bwmgr.measure.availability import half_up, period_price
from bwmgr.measure.dimension import shared_out
from bwmgr.model.inventory import Contract, Direction, Node, PerDirection
from bwmgr.model.monthly import MonthRoot

if TYPE_CHECKING:
    from bwmgr.daemon.application import Application

TARGET_RATIO = 0.01
"""The optimum figure's usual target: this share of the demanded volume may stay unmet."""


def plan_of(application: Application, start: datetime, end: datetime) -> Plan:
    """The plan over the month; one without roots where there is no history to plan from."""
    try:
        return make_plan(application, start, end, target_ratio=TARGET_RATIO)
    except UsageError as problem:
        problems = {node.id: str(problem) for node in application.inventory.roots()}
        return Plan(start=start, end=end, target_ratio=TARGET_RATIO, roots=(), problems=problems)


def month_roots(application: Application, plan: Plan, start: datetime, end: datetime) -> tuple[MonthRoot, ...]:
    """Every root of the tree, in the file's order."""
    inventory = application.inventory
    planned = {root.node.id: root for root in plan.roots}
    found = []
    for node in inventory.roots():
        contracts = [inventory.contracts[uplink.contract] for uplink in node.uplinks if uplink.contract]
        price = _price(list({one.id: one for one in contracts}.values()), start, end, ZoneInfo(inventory.organisation.timezone))
        if (root := planned.get(node.id)) is not None:
            found.append(_root(root, contracts, price))
        else:
            found.append(_unplanned(node, contracts, price, plan.problems.get(node.id, "")))
    return tuple(found)


def _root(root: RootPlan, contracts: Sequence[Contract], price: int | None) -> MonthRoot:
    plans, money = root.directions, root.money
    used, idle = (None, None) if money is None or price is None else shared_out(price, [money.used_price, money.idle_price])
    return MonthRoot(
        id=root.node.id,
        name=root.node.name,
        contracts=tuple(dict.fromkeys(one.id for one in contracts)),
        capacity=PerDirection(down=plans[Direction.DOWN].capacity_bps, up=plans[Direction.UP].capacity_bps),
        p95=PerDirection(down=plans[Direction.DOWN].p95_bps, up=plans[Direction.UP].p95_bps),
        optimum=PerDirection(down=plans[Direction.DOWN].figure.capacity_bps, up=plans[Direction.UP].figure.capacity_bps),
        coverage_ratio=min(plan.coverage_ratio for plan in plans.values()),
        price=price,
        tighter=money.direction if money else None,
        used_bps=money.used_bps if money else None,
        idle_bps=money.idle_bps if money else None,
        used_price=used,
        idle_price=idle,
    )


def _unplanned(node: Node, contracts: Sequence[Contract], price: int | None, problem: str) -> MonthRoot:
    nothing: PerDirection[float | None] = PerDirection(down=None, up=None)
    return MonthRoot(
        id=node.id, name=node.name, contracts=tuple(dict.fromkeys(one.id for one in contracts)), capacity=node.capacity,
        p95=nothing, optimum=nothing, coverage_ratio=0.0, price=price, tighter=None, used_bps=None, idle_bps=None,
        used_price=None, idle_price=None, problem=problem,
    )  # fmt: skip


def _price(contracts: Sequence[Contract], start: datetime, end: datetime, zone: ZoneInfo) -> int | None:
    """What the contracts cost in the local month, rounded once; None where one of them states no price."""
    first = start.astimezone(zone).date()
    last = (first.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
    prices = [period_price(contract, first, last) for contract in contracts]
    known = [price for price in prices if price is not None]
    if not known or len(known) < len(prices) or end <= start:
        return None
    return half_up(sum(known, Fraction(0)))
