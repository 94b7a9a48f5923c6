"""A plan as one JSON document and as rows: names, units and order that scripts may rely on. Rates are whole bit/s."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bwmgr.daemon.plan_figures import DirectionPlan, LinkNeed, Money, OfferView, Plan, RootPlan
from bwmgr.daemon.status import rfc3339
from bwmgr.measure.dimension import Mix
from bwmgr.measure.optimum import INTERVAL_LEVEL, WEEKS_ASKED
from bwmgr.model.demand import DemandInterval
from bwmgr.model.inventory import Direction


def document(plan: Plan) -> dict[str, Any]:
    """`plan --format json`."""
    return {
        "start": rfc3339(plan.start),
        "end": rfc3339(plan.end),
        "target_ratio": plan.target_ratio,
        "roots": [_root(root) for root in plan.roots],
        "problems": dict(plan.problems),
    }


def rows(plan: Plan) -> Iterator[dict[str, Any]]:
    """`plan --format csv`: the figure of each root and direction, then each link's."""
    for root in plan.roots:
        for way, found in root.directions.items():
            yield {
                "what": "root", "id": root.node.id, "direction": str(way), "kind": "optimum",
                "low_bps": _whole(found.figure.low_bps), "high_bps": _whole(found.figure.high_bps),
                "size_bps": _whole(found.figure.capacity_bps), "limit_bps": found.capacity_bps, "requested_bps": None,
                "saturated_ratio": None, "used_price_per_year": root.money.used_price if root.money else None,
            }  # fmt: skip
        for need in root.links:
            for way in Direction:
                demand = need.demand[way]
                yield {
                    "what": "link", "id": need.link.id, "direction": str(way), "kind": demand.kind if demand else None,
                    "low_bps": _whole(demand.low_bps) if demand else None,
                    "high_bps": _whole(demand.high_bps) if demand else None, "size_bps": need.right_size_bps[way],
                    "limit_bps": need.link.limit[way], "requested_bps": need.requested[way],
                    "saturated_ratio": round(demand.saturated_ratio, 6) if demand else None,
                    "used_price_per_year": need.used_price,
                }  # fmt: skip


def _root(root: RootPlan) -> dict[str, Any]:
    return {
        "node": root.node.id,
        "directions": [_direction(way, found) for way, found in root.directions.items()],
        "parts": [
            {
                "part": part.part, "direction": str(part.direction), "optimum_bps": _whole(part.optimum_bps),
                "contract_bps": part.contract_bps,
                "unmet_ratio": None if part.unmet_ratio is None else round(part.unmet_ratio, 8), "cells": part.cells,
            }
            for part in root.parts
        ],
        "money": _money(root.money) if root.money else None,
        "offers": [_offer(view) for view in root.offers],
        "mix": _mix(root.mix),
        "mix_without_any_one_provider": _mix(root.safe_mix),
        "links": [_link(need) for need in root.links],
        "links_without_history": list(root.silent),
    }  # fmt: skip


def _direction(way: Direction, found: DirectionPlan) -> dict[str, Any]:
    figure, growth = found.figure, found.growth
    return {
        "direction": str(way),
        "optimum_bps": _whole(figure.capacity_bps),
        "interval": None if figure.low_bps is None else {
            "level": INTERVAL_LEVEL, "low_bps": _whole(figure.low_bps), "high_bps": _whole(figure.high_bps),
        },
        "weeks": figure.weeks,
        "weeks_asked": WEEKS_ASKED,
        "optimum_of_usage_bps": _whole(found.usage_capacity_bps),
        "p95_bps": _whole(found.p95_bps),
        "sum_of_links_p95_bps": _whole(found.links_p95_bps),
        "diversity_factor": None if found.diversity_factor is None else round(found.diversity_factor, 4),
        "max_bps": _whole(found.max_bps),
        "coverage_ratio": round(found.coverage_ratio, 6),
        "contract_bps": found.capacity_bps,
        "unmet_ratio": None if found.unmet_ratio is None else round(found.unmet_ratio, 8),
        "right_sizes_bps": found.right_sizes_bps,
        "essential_bps": _whole(found.essential_bps),
        "knee_bps": _whole(found.knee_bps),
        "burst_bps": _whole(found.burst_bps),
        "growth": None if growth is None else {
            "bps_per_week": round(growth.bps_per_week), "weeks": growth.weeks,
            "days_until_full": None if growth.days_until_full is None else round(growth.days_until_full, 1),
        },
        "curve": [{"capacity_bps": _whole(at.capacity_bps), "unmet_ratio": round(at.unmet_ratio, 8)} for at in found.curve],
    }  # fmt: skip


def _money(money: Money) -> dict[str, Any]:
    return {
        "price_per_year": money.price,
        "direction": str(money.direction),
        "used_bps": _whole(money.used_bps),
        "idle_bps": _whole(money.idle_bps),
        "used_price_per_year": money.used_price,
        "idle_price_per_year": money.idle_price,
        "price_per_used_mbps": round(money.price / (money.used_bps / 1e6)) if money.used_bps else None,
    }


def _offer(view: OfferView) -> dict[str, Any]:
    return {
        "contract": view.offer.id,
        "provider": view.offer.provider,
        "current": view.current,
        "down_bps": _whole(view.offer.capacity_bps[Direction.DOWN]),
        "up_bps": _whole(view.offer.capacity_bps[Direction.UP]),
        "price_per_year": view.offer.price,
        "price_per_mbps": round(view.price_per_mbps),
        "unmet_down_ratio": round(view.unmet_ratio[Direction.DOWN], 8),
        "unmet_up_ratio": round(view.unmet_ratio[Direction.UP], 8),
        "meets_target": view.meets,
    }


def _mix(mix: Mix | None) -> dict[str, Any] | None:
    if mix is None:
        return None
    return {
        "contracts": [offer.id for offer in mix.offers],
        "price_per_year": mix.price,
        "down_bps": _whole(mix.capacity_bps(Direction.DOWN)),
        "up_bps": _whole(mix.capacity_bps(Direction.UP)),
    }


def _link(need: LinkNeed) -> dict[str, Any]:
    return {
        "link": need.link.id,
        "name": need.link.name,
        "calendar": need.link.calendar,
        "used_price_per_year": need.used_price,
        **{str(way): _need(need, way, need.demand[way]) for way in Direction},
    }


def _need(need: LinkNeed, way: Direction, demand: DemandInterval | None) -> dict[str, Any]:
    return {
        "kind": demand.kind if demand else None,
        "low_bps": _whole(demand.low_bps) if demand else None,
        "high_bps": _whole(demand.high_bps) if demand else None,
        "saturated_ratio": round(demand.saturated_ratio, 6) if demand else None,
        "samples": demand.samples if demand else 0,
        "right_size_bps": need.right_size_bps[way],
        "probe_bps": _whole(demand.probe_bps) if demand else None,
        "limit_bps": need.link.limit[way],
        "requested_bps": need.requested[way],
    }


def _whole(figure: float | None) -> int | None:
    return None if figure is None else round(figure)
