"""A needs analysis as one JSON document, as rows, and as sheets: names, units and order that scripts may rely on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bwmgr.daemon.needs import Ask, Needs, RootNeeds, Scenario
from bwmgr.daemon.request_verdicts import ENOUGH_RATIO
from bwmgr.daemon.status import rfc3339
from bwmgr.language import Words, mark
from bwmgr.measure.dimension import Mix
from bwmgr.model.inventory import Direction
from bwmgr.reports.documents.tables import Cell, Sheet, TableColumn

FUTURES = {
    "less": mark("{share_ratio} less than today"),
    "base": mark("as today"),
    "year": mark("with one year's growth"),
    "two years": mark("with two years' growth"),
    "requested": mark("as requested, others as measured: added up"),
    "requested together": mark("as requested, others as measured: not all at once"),
}
VERDICTS = {
    "within": mark("within the need"), "above": mark("above the need"),
    "unknown": mark("cannot be judged yet: try a higher limit"), "no data": mark("not enough data"),
    "not asked": mark("nothing asked for"),
}  # fmt: skip
KINDS = {"measured": mark("measured"), "estimated": mark("estimated"), "at least": mark("at least")}


def document(needs: Needs) -> dict[str, Any]:
    """`needs --format json`."""
    return {
        "start": rfc3339(needs.start),
        "end": rfc3339(needs.end),
        "target_ratio": needs.target_ratio,
        "enough_ratio": ENOUGH_RATIO,
        "roots": [_root(root) for root in needs.roots],
        "problems": dict(needs.problems),
    }


def rows(needs: Needs) -> Iterator[dict[str, Any]]:
    """`needs --format csv`: a row for each link and direction."""
    for root in needs.roots:
        yield from (ask_row(ask) for ask in root.asks)


def ask_row(ask: Ask) -> dict[str, Any]:
    """One link and direction; the need is empty where there is not enough data."""
    need = ask.need if ask.enough else None
    return {
        "link": ask.link.id, "name": ask.link.name, "direction": str(ask.direction), "calendar": ask.link.calendar,
        "requested_bps": ask.requested_bps, "limit_bps": ask.link.limit[ask.direction],
        "kind": need.kind if need else None, "low_bps": _whole(need.low_bps) if need else None,
        "high_bps": _whole(need.high_bps) if need else None, "probe_bps": _whole(need.probe_bps) if need else None,
        "saturated_ratio": round(need.saturated_ratio, 6) if need else None,
        "right_size_bps": ask.right_size_bps if need else None, "coverage_ratio": round(ask.coverage_ratio, 6),
        "samples": ask.need.samples if ask.need else 0,
        "times_need": None if ask.times_need is None else round(ask.times_need, 3), "verdict": ask.verdict,
    }  # fmt: skip


def future(scenario: Scenario, less_ratio: float, words: Words) -> str:
    """A scenario's name for people."""
    return words.text(FUTURES[scenario.future], share_ratio=less_ratio)


def sheets(needs: Needs, words: Words) -> list[Sheet]:
    """The workbook: requests beside needs, then the scenarios."""
    notes = [
        words.text("[{start_at}, {end_at}), at most {target_ratio} of the volume unmet", start_at=needs.start, end_at=needs.end,
                   target_ratio=needs.target_ratio),
        words.text("A figure of which less than {enough_ratio} of the time was measured is left out.", enough_ratio=ENOUGH_RATIO),
    ]  # fmt: skip
    return [
        Sheet(name=words.text("Requests and needs"), columns=_ask_columns(words), notes=notes,
              rows=[_ask_cells(ask, words) for root in needs.roots for ask in root.asks]),
        Sheet(name=words.text("Scenarios"), columns=_scenario_columns(words), notes=notes,
              rows=[_scenario_cells(root, one, needs, words) for root in needs.roots for one in root.scenarios]),
    ]  # fmt: skip


def _root(root: RootNeeds) -> dict[str, Any]:
    return {
        "node": root.plan.node.id,
        "coverage_ratio": round(root.coverage_ratio, 6),
        "enough": root.enough,
        "at_least": root.at_least,
        "price_per_mbps": None if root.price_per_mbps is None else round(root.price_per_mbps),
        "price_per_year": root.plan.money.price if root.plan.money else None,
        "directions": [_direction(root, way) for way in Direction],
        "scenarios": [_scenario(one) for one in root.scenarios],
        "links": [ask_row(ask) for ask in root.asks],
    }


def _direction(root: RootNeeds, way: Direction) -> dict[str, Any]:
    found = root.plan.directions[way]
    growth = found.growth
    enough = root.enough
    return {
        "direction": str(way),
        "requested_bps": root.requested_bps[way],
        "optimum_bps": _whole(found.figure.capacity_bps) if enough else None,
        "low_bps": _whole(found.figure.low_bps) if enough else None,
        "high_bps": _whole(found.figure.high_bps) if enough else None,
        "p95_bps": _whole(found.p95_bps) if enough else None,
        "sum_of_links_p95_bps": _whole(found.links_p95_bps) if enough else None,
        "diversity_factor": round(found.diversity_factor, 4) if enough and found.diversity_factor else None,
        "growth_bps_per_week": None if growth is None else round(growth.bps_per_week),
        "growth_weeks": None if growth is None else growth.weeks,
        "contract_bps": found.capacity_bps,
    }


def _scenario(one: Scenario) -> dict[str, Any]:
    capacity = one.capacity_bps or {}
    return {
        "scenario": one.future,
        "factor": None if one.factor is None else round(one.factor, 6),
        "down_bps": _whole(capacity.get(Direction.DOWN)),
        "up_bps": _whole(capacity.get(Direction.UP)),
        "mbps": one.mbps,
        "price_per_year": one.price,
        "contracts": None if one.mix is None else [offer.id for offer in one.mix.offers],
        "contracts_price_per_year": None if one.mix is None else one.mix.price,
    }


def _ask_columns(words: Words) -> list[TableColumn]:
    return [
        TableColumn(heading=words.text("Link"), width=18),
        TableColumn(heading=words.text("Name"), width=36),
        TableColumn(heading=words.text("Direction"), width=10),
        TableColumn(heading=words.text("Asked for, Mbps"), form="rate"),
        TableColumn(heading=words.text("Limit, Mbps"), form="rate"),
        TableColumn(heading=words.text("Need from, Mbps"), form="rate"),
        TableColumn(heading=words.text("Need to, Mbps"), form="rate"),
        TableColumn(heading=words.text("Known how"), width=18),
        TableColumn(heading=words.text("Right size, Mbps"), form="rate"),
        TableColumn(heading=words.text("Complete"), form="ratio", width=10),
        TableColumn(heading=words.text("Asked for over need"), form="rate", width=12),
        TableColumn(heading=words.text("Verdict"), width=32),
    ]


def _ask_cells(ask: Ask, words: Words) -> list[Cell]:
    need = ask.need if ask.enough else None
    return [
        ask.link.id, ask.link.name, words.direction(ask.direction), _mega(ask.requested_bps),
        _mega(ask.link.limit[ask.direction]), _mega(need.low_bps if need else None), _mega(need.high_bps if need else None),
        words.text(KINDS[need.kind]) if need else words.text("not enough data"),
        _mega(ask.right_size_bps) if need else None, ask.coverage_ratio, ask.times_need, words.text(VERDICTS[ask.verdict]),
    ]  # fmt: skip


def _scenario_columns(words: Words) -> list[TableColumn]:
    return [
        TableColumn(heading=words.text("Root"), width=16),
        TableColumn(heading=words.text("Scenario"), width=32),
        TableColumn(heading=words.text("Download, Mbps"), form="rate"),
        TableColumn(heading=words.text("Upload, Mbps"), form="rate"),
        TableColumn(heading=words.text("Cost a year at today's price"), form="money", width=20),
        TableColumn(heading=words.text("Contracts that carry it"), width=30),
        TableColumn(heading=words.text("Their cost a year"), form="money", width=20),
    ]


def _scenario_cells(root: RootNeeds, one: Scenario, needs: Needs, words: Words) -> list[Cell]:
    capacity = one.capacity_bps or {}
    return [
        root.plan.node.name, future(one, needs.less_ratio, words), _mega(capacity.get(Direction.DOWN)),
        _mega(capacity.get(Direction.UP)), one.price, named(one.mix) if capacity else words.text("not enough data"),
        one.mix.price if one.mix else None,
    ]  # fmt: skip


def named(mix: Mix | None) -> str:
    """The contracts of a mix; a dash where none suffice."""
    return "–" if mix is None else " + ".join(offer.id for offer in mix.offers)


def _mega(rate_bps: float | None) -> float | None:
    return None if rate_bps is None else round(rate_bps / 1e6, 3)


def _whole(figure: float | None) -> int | None:
    return None if figure is None else round(figure)
