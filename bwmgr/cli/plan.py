"""`plan`: the optimum figure, the offers beside it, and each link's right size."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bwmgr.cli.instants import window
from bwmgr.cli.output import Column, console, emit, format_option, note, print_table
from bwmgr.cli.session import Session
from bwmgr.language import UNKNOWN, Words, mark

if TYPE_CHECKING:
    from bwmgr.daemon.plan_figures import LinkNeed, Money, OfferView, Plan, RootPlan
    from bwmgr.measure.dimension import Mix
    from bwmgr.measure.optimum import Optimum
    from bwmgr.model.demand import DemandInterval
    from bwmgr.model.inventory import Direction

_QUARTER_SECONDS = 13 * 7 * 86400
_DONE_IN_PART = 3
_KINDS = {"measured": mark("measured"), "estimated": mark("estimated"), "at least": mark("at least; probe")}

_PARTS = {
    "domestic": mark("Domestic, {direction}: optimum {optimum_bps}, contract {contract_limit}."),
    "international": mark("International, {direction}: optimum {optimum_bps}, contract {contract_limit}."),
}


@click.command()
@click.option("--target", type=click.FloatRange(0, 0.5), default=0.01, show_default=True,
              help="Share of the demanded volume that may stay unmet.")  # fmt: skip
@click.option("--start", help="From this time on (default: 13 weeks before the end); without a zone, the organisation's.")
@click.option("--end", help="Up to, not including, this time (default: now).")
@click.option("--requests", type=click.Path(dir_okay=False, path_type=Path),
              help="CSV `link,down,up` of what agencies asked for, shown beside what was measured.")  # fmt: skip
@click.option("--chart", type=click.Path(dir_okay=False, path_type=Path), help="Write the cost curve as SVG.")
@format_option
@click.pass_obj
def plan(
    session: Session, target: float, start: str | None, end: str | None, requests: Path | None, chart: Path | None, form: str
) -> None:
    """The optimum figure: the smallest capacity that leaves at most the target unmet, from stored history.

    With its interval, what today's contract costs used and idle, the configuration's contracts as offers, the cheapest of them
    that suffices, and each link's right size over its own calendar. Exit code 3 where a root has no history.
    """
    from bwmgr.daemon.plan_document import document, rows
    from bwmgr.daemon.plan_requests import read_requests
    from bwmgr.daemon.planning import make_plan

    asked = read_requests(requests) if requests else None
    with session.application() as application:
        zone = session.settings.inventory.organisation.timezone
        first, last = window(start, end, zone, application.clock.now(), _QUARTER_SECONDS)
        made = make_plan(application, first, last, target_ratio=target, requests=asked)
    words = session.words
    if chart is not None:
        _draw(made, words, chart)
    emit(form, document(made), rows(made), lambda: _print(words, made, requests is not None))
    _notes(words, made)
    if made.problems:
        sys.exit(_DONE_IN_PART)


def _notes(words: Words, made: Plan) -> None:
    """On stderr: what the figures lack."""
    for node, problem in made.problems.items():
        note(f"{node}: {words.said(problem)}")
    for root in made.roots:
        weeks = min(found.figure.weeks for found in root.directions.values())
        if any(found.figure.short_history for found in root.directions.values()):
            note(words.text("{node}: {weeks} whole weeks of history; 13 are asked for, take the figure with care.",
                            node=root.node.id, weeks=weeks))  # fmt: skip
        if root.silent:
            note(words.text("{node}: without history and in no figure: {links}", node=root.node.id, links=", ".join(root.silent)))
        at_least = [need.link.id for need in root.links if any(d is not None and d.probe_bps for d in need.demand.values())]
        if at_least:
            note(words.text("{node}: held back too often to tell what they want; try a quarter more for 3 busy hours: {links}",
                            node=root.node.id, links=", ".join(at_least)))  # fmt: skip


def _draw(made: Plan, words: Words, path: Path) -> None:
    from bwmgr.reports.plan_chart import Panel, draw

    panels = [
        Panel(
            title=root.node.name,
            direction=way,
            curve=found.curve,
            figure=found.figure,
            bought_bps=found.capacity_bps,
            knee_bps=found.knee_bps,
            price=root.money.price if root.money else None,
        )
        for root in made.roots
        for way, found in root.directions.items()
    ]
    draw(panels, made.target_ratio, words, path)
    note(words.text("Wrote {path}", path=str(path)))


def _print(words: Words, made: Plan, with_requests: bool) -> None:
    out = console()
    out.print(words.text("{start_at} to {end_at}; at most {target_ratio} of the volume may stay unmet", start_at=made.start,
                         end_at=made.end, target_ratio=made.target_ratio))  # fmt: skip
    for root in made.roots:
        out.print()
        _print_figures(words, root)
        if root.money:
            _print_money(words, root.money)
        if root.offers:
            out.print()
            _print_offers(words, root)
        out.print()
        _print_links(words, root, with_requests)


def _print_figures(words: Words, root: RootPlan) -> None:
    columns = [
        Column(heading=words.text("Direction"), cell=lambda row: words.direction(row["way"])),
        Column(heading=words.text("Optimum"), right=True, cell=lambda row: words.rate(row["of"].figure.capacity_bps)),
        Column(heading=words.text("90% interval"), right=True, cell=lambda row: _between(words, row["of"].figure.low_bps,
                                                                                       row["of"].figure.high_bps)),
        Column(heading="P95", right=True, cell=lambda row: words.rate(row["of"].p95_bps)),
        Column(heading=words.text("Diversity factor"), right=True, cell=lambda row: words.number(row["of"].diversity_factor)),
        Column(heading=words.text("Knee"), right=True, cell=lambda row: words.rate(row["of"].knee_bps)),
        Column(heading=words.text("Contract"), right=True, cell=lambda row: words.rate(row["of"].capacity_bps)),
        Column(heading=words.text("Unmet"), right=True, cell=lambda row: words.ratio(row["of"].unmet_ratio)),
        Column(heading=words.text("Right sizes together"), right=True, cell=lambda row: words.rate(row["of"].right_sizes_bps)),
        Column(heading=words.text("Full in"), right=True, cell=lambda row: _full_in(words, row["of"].growth)),
        Column(heading=words.text("Complete"), right=True, cell=lambda row: words.ratio(row["of"].coverage_ratio)),
    ]  # fmt: skip
    title = words.text("Optimum figure of {node_name}", node_name=root.node.name)
    print_table(title, columns, [{"way": str(way), "of": found} for way, found in root.directions.items()])
    for way, found in root.directions.items():
        if found.capacity_bps is not None:
            console().print(_answer(words, str(way), found.figure, found.capacity_bps))
        if found.burst_bps is not None:
            console().print(words.text("Bursts below five minutes: {burst_bps} for the busiest hour ({direction}).",
                                       burst_bps=found.burst_bps, direction=str(way)))  # fmt: skip
    for part in root.parts:
        console().print(words.text(_PARTS[part.part], direction=str(part.direction), optimum_bps=part.optimum_bps,
                                   contract_limit=words.rate(part.contract_bps)))  # fmt: skip


def _answer(words: Words, direction: str, figure: Optimum, contract_bps: int) -> str:
    """The question of the head of the office, in a sentence: is it too much, too little, or right?"""
    if contract_bps > (figure.high_bps or figure.capacity_bps):
        return words.text(
            "Answer for {direction}: {optimum_bps} suffice; the contract gives {contract_bps}, {spare_bps} more than is needed.",
            direction=direction, optimum_bps=figure.capacity_bps, contract_bps=contract_bps,
            spare_bps=contract_bps - figure.capacity_bps,
        )  # fmt: skip
    if contract_bps < (figure.low_bps or figure.capacity_bps):
        return words.text(
            "Answer for {direction}: {optimum_bps} are needed; the contract gives {contract_bps}, {lacking_bps} too little.",
            direction=direction, optimum_bps=figure.capacity_bps, contract_bps=contract_bps,
            lacking_bps=figure.capacity_bps - contract_bps,
        )  # fmt: skip
    return words.text("Answer for {direction}: {optimum_bps} are needed and the contract gives {contract_bps}: it fits.",
                      direction=direction, optimum_bps=figure.capacity_bps, contract_bps=contract_bps)  # fmt: skip


def _print_money(words: Words, money: Money) -> None:
    console().print(words.text(
        "A year costs {year_price}: {used_price} for {used_bps} used ({direction}, P95), {idle_price} for {idle_bps} idle.",
        year_price=money.price, used_price=money.used_price, used_bps=money.used_bps, direction=str(money.direction),
        idle_price=money.idle_price, idle_bps=money.idle_bps,
    ))  # fmt: skip


def _print_offers(words: Words, root: RootPlan) -> None:
    chosen = {offer.id for offer in root.mix.offers} if root.mix else set()
    columns = [
        Column(heading=words.text("Contract"), cell=lambda row: row["of"].offer.id),
        Column(heading=words.text("Capacity"), right=True, cell=lambda row: _capacity(words, row["of"])),
        Column(heading=words.text("Price a year"), right=True, cell=lambda row: words.money(row["of"].offer.price)),
        Column(heading=words.text("per Mbps"), right=True, cell=lambda row: words.money(row["of"].price_per_mbps)),
        Column(heading=words.text("Unmet"), right=True, cell=lambda row: words.ratio(max(row["of"].unmet_ratio.values()))),
        Column(heading=words.text("Verdict"), cell=lambda row: _verdict(words, row["of"], chosen)),
    ]
    print_table(words.text("Offers on the measured demand"), columns, [{"of": view} for view in root.offers])
    console().print(_mix_text(words, root.mix))
    if (cheaper := _cheaper_by_size(root)) is not None:
        console().print(words.text("{contract} is cheaper for each Mbps ({mbps_price}), but the office does not need so many.",
                                   contract=cheaper.offer.id, mbps_price=round(cheaper.price_per_mbps)))  # fmt: skip
    if root.safe_mix is not None:
        console().print(words.text("Safe against the loss of any one provider: {contracts}, {year_price} a year.",
                                   contracts=_names(root.safe_mix), year_price=root.safe_mix.price))  # fmt: skip


def _cheaper_by_size(root: RootPlan) -> OfferView | None:
    """The offer whose Mbps costs least, where it is not in the cheapest choice, which is one offer."""
    suiting = [view for view in root.offers if view.meets]
    if root.mix is None or len(root.mix.offers) != 1 or not suiting:
        return None
    least = min(suiting, key=lambda view: view.price_per_mbps)
    return None if least.offer.id == root.mix.offers[0].id or least.offer.price <= root.mix.price else least


def _mix_text(words: Words, mix: Mix | None) -> str:
    if mix is None:
        return words.text("No choice of these offers meets the target.")
    return words.text("Most efficient: {contracts}, {year_price} a year.", contracts=_names(mix), year_price=mix.price)


def _names(mix: Mix) -> str:
    return " + ".join(offer.id for offer in mix.offers)


def _print_links(words: Words, root: RootPlan, with_requests: bool) -> None:
    columns = [
        Column(heading=words.text("Link"), cell=lambda row: row["need"].link.id),
        Column(heading=words.text("Direction"), cell=lambda row: words.direction(row["way"])),
        Column(heading=words.text("Demand (P95)"), right=True, cell=lambda row: _demand(words, row["demand"])),
        Column(heading=words.text("Known how"), cell=lambda row: _known(words, row["demand"])),
        Column(heading=words.text("Limit"), right=True, cell=lambda row: words.limit(row["need"].link.limit[row["way"]])),
        Column(heading=words.text("Right size"), right=True, cell=lambda row: words.rate(_size(row["need"], row["way"]))),
    ]
    if with_requests:
        columns.append(
            Column(heading=words.text("Asked for"), right=True, cell=lambda row: words.rate(row["need"].requested[row["way"]]))
        )
    if root.money:
        columns.append(
            Column(heading=words.text("Cost a year"), right=True, cell=lambda row: _cost(words, row["need"], row["way"]))
        )
    print_table(words.text("Links, each over its own calendar"), columns, [
        {"need": need, "way": way, "demand": demand} for need in root.links for way, demand in need.demand.items()
    ])  # fmt: skip


def _size(need: LinkNeed, way: Direction) -> int | None:
    return need.right_size_bps[way]


def _cost(words: Words, need: LinkNeed, way: Direction) -> str:
    return words.money(need.used_price) if str(way) == "down" else ""


def _demand(words: Words, demand: DemandInterval | None) -> str:
    if demand is None:
        return UNKNOWN
    if demand.high_bps is None:
        return f"≥ {words.rate(demand.low_bps)}"
    return words.rate(demand.low_bps) if demand.kind == "measured" else _between(words, demand.low_bps, demand.high_bps)


def _known(words: Words, demand: DemandInterval | None) -> str:
    return UNKNOWN if demand is None else words.text(_KINDS[demand.kind])


def _between(words: Words, low_bps: float | None, high_bps: float | None) -> str:
    return UNKNOWN if low_bps is None else f"{words.rate(low_bps)} - {words.rate(high_bps)}"


def _capacity(words: Words, view: OfferView) -> str:
    down, up = (words.rate(rate) for rate in view.offer.capacity_bps.values())
    return down if down == up else f"{down} / {up}"


def _verdict(words: Words, view: OfferView, chosen: set[str]) -> str:
    said = words.text("meets the target") if view.meets else words.text("does not meet the target")
    if view.offer.id in chosen:
        said += f" · {words.text('most efficient')}"
    return f"{said} · {words.text('in force')}" if view.current else said


def _full_in(words: Words, growth: object) -> str:
    from bwmgr.measure.forecast import Growth

    if not isinstance(growth, Growth) or growth.days_until_full is None:
        return UNKNOWN
    return words.text("{days} days", days=round(growth.days_until_full))
