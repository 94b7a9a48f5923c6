"""`pool` and `coverage`: public WiFi that shares a pool, and by which medium each place is reached."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bwmgr.cli.instants import window
from bwmgr.cli.output import Column, console, emit, format_option, print_table
from bwmgr.cli.session import Session
from bwmgr.language import UNKNOWN, Words, mark

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bwmgr.daemon.coverage_view import NotReached, PlaceCoverage
    from bwmgr.daemon.pool_view import Place, Point, Pool

_WEEK_SECONDS = 7 * 86400
STATES = {
    "active": mark("active"),
    "dead": mark("carries nobody"),
    "down": mark("port down"),
    "silent": mark("never answered"),
    "planned": mark("planned"),
}
_MEDIA = {"fibre": mark("fibre"), "radio": mark("radio"), "satellite": mark("satellite"), "": mark("not stated")}
_WHY = {
    "planned": mark("planned, not built yet"),
    "installed": mark("installed, not in service yet"),
    "trial": mark("on trial"),
    "other-medium": mark("by {medium}, not by {wanted}"),
    "no-medium": mark("its medium is not stated"),
}


@click.command()
@click.argument("node", required=False)
@click.option("--start", help="From this time on (default: 7 days before the end); without a zone, the organisation's.")
@click.option("--end", help="Up to, not including, this time (default: now).")
@click.option("--direction", type=click.Choice(["down", "up"]), default="down", show_default=True)
@click.option("--all", "everything", is_flag=True, help="Every point, not only those that want looking at.")
@format_option
@click.pass_obj
def pool(
    session: Session, node: str | None, start: str | None, end: str | None, direction: str, everything: bool, form: str
) -> None:
    """Public WiFi that shares one pool: how far it is oversold, the fair share, dead and starved points, per kelurahan.

    NODE: the pool; left out, every node whose links are all public WiFi.
    """
    from bwmgr.daemon.pool_view import choose_pools, document, look, rows
    from bwmgr.model.inventory import Direction

    with session.application() as application:
        chosen = choose_pools(application, node)
        zone = session.settings.inventory.organisation.timezone
        first, last = window(start, end, zone, application.clock.now(), _WEEK_SECONDS)
        pools = [look(application, one, Direction(direction), first, last) for one in chosen]
    emit(form, document(pools), rows(pools), lambda: _print(session.words, pools, everything))


@click.command()
@click.option(
    "--kind", "kinds", multiple=True, type=click.Choice(["opd", "facility", "village", "wifi"]), help="Only these points."
)
@click.option("--medium", default="fibre", show_default=True, help="By which a place has to be reached.")
@format_option
@click.pass_obj
def coverage(session: Session, kinds: tuple[str, ...], medium: str, form: str) -> None:
    """By which medium each kelurahan is reached, and what is not reached yet, with the reason.

    From `site:` of the configuration: medium, status, and reason where the office wrote one.
    """
    from bwmgr.daemon.coverage_view import coverage as covered
    from bwmgr.daemon.coverage_view import document, rows
    from bwmgr.model.inventory import LinkKind

    places = covered(session.settings.inventory, [LinkKind(kind) for kind in kinds], medium)
    emit(form, document(places), rows(places), lambda: _print_coverage(session.words, places, medium))


def _print(words: Words, pools: Sequence[Pool], everything: bool) -> None:
    for number, one in enumerate(pools):
        if number:
            console().print()
        _print_pool(words, one)
        console().print()
        _print_places(words, one)
        shown = [point for point in one.points if everything or _wants_a_look(point)]
        if shown:
            console().print()
            _print_points(words, one, shown, everything)


def _print_pool(words: Words, one: Pool) -> None:
    from bwmgr.daemon.pool_view import ENOUGH

    found, out = one.figures, console()
    out.print(f"{one.node.name} · {words.direction(str(one.direction))}", style="bold")
    out.print(words.text("[{start_at}, {end_at}): {complete_ratio} complete", start_at=one.start, end_at=one.end,
                         complete_ratio=found.completeness_ratio))  # fmt: skip
    factor = words.number(found.oversubscription)
    out.print(words.text("Pool {capacity_bps}; limits together {limits}: oversold {factor} times",
                         capacity_bps=found.capacity_bps, limits=words.rate(found.limits_bps), factor=factor))  # fmt: skip
    enough = found.completeness_ratio >= ENOUGH
    p95 = words.rate(found.p95_bps) if enough else words.text("not enough data")
    out.print(words.text("Used: P95 {p95}, highest {highest}; diversity factor {diversity}", p95=p95,
                         highest=words.rate(found.max_bps), diversity=words.number(found.diversity_factor)))  # fmt: skip
    equal = words.rate(one.equal_share_bps)
    if found.fair_share_bps is None:
        out.print(words.text("Never full: every point had what it asked for; an equal share would be {equal}", equal=equal))
    else:
        out.print(words.text("Full for {full_seconds}; the fair share then was {fair_bps} (equal: {equal})",
                             full_seconds=found.full_seconds, fair_bps=found.fair_share_bps, equal=equal))  # fmt: skip
    out.print(words.text("Evenness between active points (Jain): {jain}", jain=words.number(found.jain_ratio)))


def _print_places(words: Words, one: Pool) -> None:
    def count(state: str) -> Any:
        from bwmgr.measure.pools import PointState

        return lambda row: words.number(row["of"].count(PointState(state)))

    columns = [
        Column(heading=words.text("Kecamatan"), cell=lambda row: row["of"].kecamatan or UNKNOWN),
        Column(heading=words.text("Kelurahan"), cell=lambda row: row["of"].kelurahan or UNKNOWN),
        Column(heading=words.text("Points"), right=True, cell=lambda row: words.number(len(row["of"].points))),
        *(Column(heading=words.text(STATES[state]), right=True, cell=count(state)) for state in STATES),
        Column(heading=words.text("starved"), right=True, cell=lambda row: words.number(row["of"].starved)),
        Column(heading=words.text("P95 a point"), right=True, cell=lambda row: words.rate(row["of"].p95_bps)),
        Column(heading=words.text("Volume"), right=True, cell=lambda row: words.octets(row["of"].octets)),
        Column(heading=words.text("Share"), right=True, cell=lambda row: _share(words, one, row["of"])),
    ]
    print_table(
        words.text("Per kelurahan (share: of the volume over that of the points)"),
        columns,
        [{"of": place} for place in one.places],
    )


def _print_points(words: Words, one: Pool, shown: Sequence[Point], everything: bool) -> None:
    columns = [
        Column(heading=words.text("Link"), cell=lambda row: row["of"].link.id),
        Column(heading=words.text("Name"), cell=lambda row: row["of"].link.name),
        Column(heading=words.text("Kelurahan"), cell=lambda row: row["of"].link.site.kelurahan or UNKNOWN),
        Column(heading=words.text("State"), cell=lambda row: words.text(STATES[str(row["of"].figures.state)])),
        Column(heading="P95", right=True, cell=lambda row: _known(words, row["of"])),
        Column(heading=words.text("Highest"), right=True, cell=lambda row: words.rate(row["of"].figures.max_bps)),
        Column(heading=words.text("Starved"), right=True, cell=lambda row: words.duration(row["of"].figures.starved_seconds)),
        Column(heading=words.text("Complete"), right=True, cell=lambda row: words.ratio(row["of"].figures.coverage_ratio)),
    ]
    title = words.text("Points") if everything else words.text("Points that want looking at")
    print_table(title, columns, [{"of": point} for point in shown])


def _wants_a_look(point: Point) -> bool:
    from bwmgr.daemon.pool_view import ENOUGH
    from bwmgr.measure.pools import PointState

    found = point.figures
    if found.state is PointState.PLANNED:
        return False
    return found.state is not PointState.ACTIVE or bool(found.starved_seconds) or found.coverage_ratio < ENOUGH


def _known(words: Words, point: Point) -> str:
    from bwmgr.daemon.pool_view import ENOUGH
    from bwmgr.measure.pools import PointState

    found = point.figures
    if found.state is not PointState.PLANNED and found.coverage_ratio < ENOUGH:
        return words.text("not enough data")
    return words.rate(found.p95_bps)


def _share(words: Words, one: Pool, place: Place) -> str:
    return words.number(one.place_share(place))


def _print_coverage(words: Words, places: Sequence[PlaceCoverage], medium: str) -> None:
    reached = sum(place.reached for place in places)
    console().print(words.text("Reached by {medium}: {reached} of {places} places", medium=_medium(words, medium),
                               reached=reached, places=len(places)))  # fmt: skip
    columns = [
        Column(heading=words.text("Code"), cell=lambda row: row["of"].code or UNKNOWN),
        Column(heading=words.text("Kecamatan"), cell=lambda row: row["of"].kecamatan or UNKNOWN),
        Column(heading=words.text("Kelurahan"), cell=lambda row: row["of"].kelurahan or UNKNOWN),
        Column(heading=words.text("Active points by medium"), cell=lambda row: _media(words, row["of"])),
        Column(heading=words.text("Reached"), cell=lambda row: words.text("yes") if row["of"].reached else words.text("no")),
        Column(heading=words.text("Not reached yet, and why"), cell=lambda row: _missing(words, row["of"].missing, medium)),
    ]
    print_table(None, columns, [{"of": place} for place in places])


def _media(words: Words, place: PlaceCoverage) -> str:
    return ", ".join(f"{_medium(words, medium)} {words.number(count)}" for medium, count in place.media.items()) or UNKNOWN


def _missing(words: Words, missing: Sequence[NotReached], medium: str) -> str:
    said = []
    for one in missing:
        why = words.text(_WHY[one.why], medium=_medium(words, one.link.site.medium or ""), wanted=_medium(words, medium))
        said.append(f"{one.link.name}: {one.reason or why}")
    return "; ".join(said)


def _medium(words: Words, medium: str) -> str:
    from bwmgr.daemon.coverage_view import normal

    word = normal(medium)
    return words.text(_MEDIA[word]) if word in _MEDIA else medium
