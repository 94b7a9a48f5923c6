"""A comparison of suppliers as JSON and as rows: names, units and order that scripts may rely on. Rates are whole bit/s."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bwmgr.daemon.comparing import Comparison, Supplier
from bwmgr.daemon.service_levels import ratio
from bwmgr.daemon.status import rfc3339
from bwmgr.measure.ranking import Ranking
from bwmgr.measure.suppliers import LineDistribution, Reached
from bwmgr.model.inventory import Direction


def document(made: Comparison) -> dict[str, Any]:
    """`providers compare --format json`."""
    return {
        "start": rfc3339(made.start),
        "end": rfc3339(made.end),
        "weights": {str(criterion): weight for criterion, weight in made.weights.items()},
        "suppliers": [
            {
                **_supplier(one, made.ranking),
                "distribution": {str(way): _line(line) for way, line in one.lines.items()},
                "import": dict(one.import_record) if one.import_record else None,
            }
            for one in made.suppliers
        ],
        "ranking": _ranking(made.ranking),
    }


def rows(made: Comparison) -> Iterator[dict[str, Any]]:
    """`providers compare --format csv`."""
    for one in made.suppliers:
        yield _supplier(one, made.ranking)


def _supplier(one: Supplier, order: Ranking | None) -> dict[str, Any]:
    down = one.lines.get(Direction.DOWN)
    ranked = order is not None and one.contract.id in order.scores
    return {
        "contract": one.contract.id,
        "provider": one.contract.provider,
        "name": one.provider_name,
        "measured": one.time is not None and one.completeness_ratio > 0,
        "rank": order.order.index(one.contract.id) + 1 if order and ranked else None,
        "score": round(order.scores[one.contract.id], 4) if order and ranked else None,
        "promised_down_bps": one.contract.capacity.down,
        "promised_up_bps": one.contract.capacity.up,
        "price_per_year": one.price,
        "price_per_mbps_month": _whole(one.price_per_mbps),
        "price_per_reached_mbps_month": _whole(one.price_per_reached_mbps),
        "availability_low_ratio": ratio(one.time.low_ratio) if one.time else None,
        "availability_high_ratio": ratio(one.time.high_ratio) if one.time else None,
        "completeness_ratio": round(one.completeness_ratio, 6),
        "reached_ratio": _rounded(one.reached_ratio),
        "variation_ratio": _rounded(down.variation_ratio) if down else None,
        "dedicated": str(down.dedicated) if down else "not enough data",
        "p95_down_bps": _whole(one.p95_bps.get(Direction.DOWN)),
        "p95_up_bps": _whole(one.p95_bps.get(Direction.UP)),
        "claimed_p95_down_bps": _whole(one.claimed_p95_bps.get(Direction.DOWN)),
        "claimed_p95_up_bps": _whole(one.claimed_p95_bps.get(Direction.UP)),
        "rtt_median_ms": _rounded(one.rtt_median_ms),
        "rtt_p95_ms": _rounded(one.rtt_p95_ms),
    }


def _line(line: LineDistribution) -> dict[str, Any]:
    return {
        "measured_cells": line.measured_cells,
        "dedicated": str(line.dedicated),
        "ceiling_ratio": _rounded(line.ceiling_ratio),
        "variation_ratio": _rounded(line.variation_ratio),
        "all": _reached(line.all),
        **{str(hours): _reached(found) for hours, found in line.by_hours.items()},
    }


def _reached(found: Reached) -> dict[str, Any]:
    return {
        "full_cells": found.cells,
        "median_ratio": _rounded(found.median_ratio),
        "low_ratio": _rounded(found.low_ratio),
        "decile_ratios": [round(one, 4) for one in found.deciles],
    }


def _ranking(order: Ranking | None) -> dict[str, Any] | None:
    if order is None:
        return None
    return {
        "criteria": [str(one) for one in order.criteria],
        "order": list(order.order),
        "scores": {name: round(score, 4) for name, score in order.scores.items()},
        "parts": {name: {str(one): round(part, 4) for one, part in parts.items()} for name, parts in order.parts.items()},
        "first_ratio": {name: round(share, 4) for name, share in order.first_ratio.items()},
        "sensitivity": [
            {"criterion": str(criterion), "factor": factor, "order": list(found), "changes": found != order.order}
            for (criterion, factor), found in order.changed.items()
        ],
    }


def _whole(figure: float | None) -> int | None:
    return None if figure is None else round(figure)


def _rounded(figure: float | None) -> float | None:
    return None if figure is None else round(figure, 4)
