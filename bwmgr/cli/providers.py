"""`providers`: contracts and offers by the same measurements; a provider's own recording beside ours."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bwmgr.cli.files import sha256_of
from bwmgr.cli.instants import window
from bwmgr.cli.output import Column, console, emit, format_option, note, print_table
from bwmgr.cli.service_levels import availability_text
from bwmgr.cli.session import Session
from bwmgr.errors import UsageError
from bwmgr.language import UNKNOWN, Words, mark
from bwmgr.model.said import Said

if TYPE_CHECKING:
    from bwmgr.daemon.comparing import Comparison, Supplier
    from bwmgr.measure.ranking import Criterion, Ranking
    from bwmgr.measure.suppliers import Reached

_MONTH_SECONDS = 30 * 86400
_DEDICATED = {
    "dedicated": mark("as dedicated"),
    "not dedicated": mark("not as dedicated"),
    "ceiling suspected": mark("ceiling suspected"),
    "not enough data": mark("not enough data"),
}
_CRITERIA = {
    "availability": mark("availability"),
    "delivered": mark("delivered over promised"),
    "stability": mark("stability"),
    "latency": mark("latency"),
    "price": mark("price per Mbps"),
}
_HOURS = {"busy": mark("working hours"), "night": mark("night, 22-06"), "other": mark("other hours")}


@click.group()
def providers() -> None:
    """Contracts and offers beside each other, and what providers themselves recorded."""


@providers.command()
@click.argument("contracts", nargs=-1, metavar="[CONTRACT]...")
@click.option("--start", help="From this time on (default: 30 days before the end); without a zone, the organisation's.")
@click.option("--end", help="Up to, not including, this time (default: now).")
@click.option("--weights", help="Of the score, such as availability=40,price=60; what is not named counts nothing.")
@format_option
@click.pass_obj
def compare(
    session: Session, contracts: tuple[str, ...], start: str | None, end: str | None, weights: str | None, form: str
) -> None:
    """The same measurements of every contract and offer: availability, capacity when asked for, stability, latency, price.

    The score is by stated weights, over criteria that are known of all; how the order hangs on the weights stands below. What was
    not measured well enough is not ranked.
    """
    from bwmgr.daemon.comparing import compare as compared
    from bwmgr.daemon.comparing_documents import document, rows
    from bwmgr.daemon.service_levels import choose_contracts

    with session.application() as application:
        chosen = choose_contracts(application, None, None)
        if contracts:
            chosen = [choose_contracts(application, None, name)[0] for name in contracts]
        zone = session.settings.inventory.organisation.timezone
        first, last = window(start, end, zone, application.clock.now(), _MONTH_SECONDS)
        made = compared(application, chosen, first, last, _weights(weights))
    emit(form, document(made), rows(made), lambda: _print(session.words, made))


@providers.command(name="import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--format", "form", required=True, type=click.Choice(["mrtg", "csv"]), help="MRTG's log, or a CSV with time and two rates."
)
@click.option("--contract", required=True, help="Whose line it is.")
@click.option("--unit", type=click.Choice(["bits", "octets"]), help="A second (default: octets in an MRTG log, bits in a CSV).")
@click.option("--by", help="Who imports it (default: the system user).")
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as JSON.")
@click.pass_obj
def import_(session: Session, file: Path, form: str, contract: str, unit: str | None, by: str | None, as_json: bool) -> None:
    """Compare the provider's own recording of a line with ours, and keep it where they agree.

    Clocks are aligned by cross-correlation. A correlation below 0.6 in either direction is another line, or nothing that can be
    used: exit code 1, and nothing is kept.
    """
    from bwmgr.daemon.provider_import import compare as compared
    from bwmgr.daemon.provider_import import document, keep
    from bwmgr.daemon.provider_log import read_log
    from bwmgr.model.people import Role

    words = session.words
    person = session.acting(by, Role.OPERATOR)
    log = read_log(file, form, unit=unit, timezone=session.settings.inventory.organisation.timezone)
    with session.application() as application:
        made = compared(application, contract, log)
        found = document(made)
        if made.accepted:
            keep(application, made, file=file.name, by=person.name, at=application.clock.now())
            about = {"contract": contract, "file": file.name, "sha256": sha256_of(file)}
            application.trail.record("provider.imported", contract, about, by=person)
    emit("json" if as_json else "table", found, (), lambda: _print_import(words, found))
    if not made.accepted:
        note(words.text(_refusal(found)))
        raise SystemExit(1)


def _weights(text: str | None) -> dict[Criterion, float]:
    from bwmgr.measure.ranking import DEFAULT_WEIGHTS, Criterion

    if text is None:
        return dict(DEFAULT_WEIGHTS)
    found: dict[Criterion, float] = {}
    for part in text.split(","):
        name, _, weight = part.partition("=")
        try:
            found[Criterion(name.strip())] = float(weight)
        except ValueError as error:
            known = ", ".join(Criterion)
            raise UsageError(
                Said("not a weight: {text!r}; write such as availability=40,price=60 (known: {known})", text=part, known=known)
            ) from error
    if min(found.values()) < 0 or sum(found.values()) <= 0:
        raise UsageError(Said("weights must not be below 0, and not all be 0"))
    return found


def _print(words: Words, made: Comparison) -> None:
    console().print(words.text("[{start_at}, {end_at})", start_at=made.start, end_at=made.end))
    columns = [
        Column(heading=words.text("Contract"), cell=lambda row: row["of"].contract.id),
        Column(heading=words.text("Promised"), right=True, cell=lambda row: words.rate(row["of"].promised_bps)),
        Column(heading=words.text("Available"), right=True, cell=lambda row: _available(words, row["of"])),
        Column(heading=words.text("Complete"), right=True, cell=lambda row: words.ratio(row["of"].completeness_ratio)),
        Column(heading=words.text("Reached when asked"), right=True, cell=lambda row: _reached(words, row["of"])),
        Column(heading=words.text("Varies by"), right=True, cell=lambda row: _varies(words, row["of"])),
        Column(heading=words.text("Behaves"), cell=lambda row: _behaves(words, row["of"])),
        Column(heading="RTT", right=True, cell=lambda row: _milliseconds(words, row["of"].rtt_median_ms)),
        Column(heading=words.text("Price a month per Mbps"), right=True, cell=lambda row: words.money(row["of"].price_per_mbps)),
        Column(
            heading=words.text("per Mbps reached"), right=True, cell=lambda row: words.money(row["of"].price_per_reached_mbps)
        ),
        Column(heading=words.text("Score"), right=True, cell=lambda row: _score(words, row["of"], made.ranking)),
    ]
    print_table(words.text("Providers"), columns, [{"of": one} for one in made.suppliers])
    _print_ceilings(words, made)
    _print_distributions(words, made)
    _print_claims(words, made)
    if made.ranking is None:
        console().print(words.text("No ranking: fewer than two were measured for 70 % of the time."))
    else:
        _print_sensitivity(words, made, made.ranking)


def _print_ceilings(words: Words, made: Comparison) -> None:
    for one in made.suppliers:
        for way, line in one.lines.items():
            if str(line.dedicated) == "ceiling suspected":
                console().print(words.text(
                    "{contract}: in working hours {direction} is cut off at about {ceiling_ratio} of the promise on several "
                    "days: test it then (`bwmgr trial`).",
                    contract=one.contract.id, direction=str(way), ceiling_ratio=line.ceiling_ratio,
                ))  # fmt: skip


def _print_distributions(words: Words, made: Comparison) -> None:
    """Where anything was asked of a line: what it gave in which hours."""
    rows: list[dict[str, Any]] = [
        {"of": one, "way": way, "hours": hours, "found": found}
        for one in made.suppliers
        for way, line in one.lines.items()
        for hours, found in line.by_hours.items()
        if found.cells
    ]
    if not rows:
        return
    columns = [
        Column(heading=words.text("Contract"), cell=lambda row: row["of"].contract.id),
        Column(heading=words.text("Direction"), cell=lambda row: words.direction(str(row["way"]))),
        Column(heading=words.text("Hours"), cell=lambda row: words.text(_HOURS[str(row["hours"])])),
        Column(heading=words.text("All asked for"), right=True, cell=lambda row: words.duration(300 * row["found"].cells)),
        Column(heading=words.text("10th percentile"), right=True, cell=lambda row: words.ratio(row["found"].low_ratio)),
        Column(heading=words.text("median"), right=True, cell=lambda row: words.ratio(row["found"].median_ratio)),
        Column(heading=words.text("90th percentile"), right=True, cell=lambda row: words.ratio(_high(row["found"]))),
    ]
    console().print()
    print_table(words.text("What was reached of the promise when everything was asked for"), columns, rows)


def _print_claims(words: Words, made: Comparison) -> None:
    for one in made.suppliers:
        record = one.import_record
        if record is None:
            continue
        console().print(words.text(
            "{contract}: the provider's own recording ({file}, imported by {by}) correlates {correlation} with ours; it says "
            "{bias_ratio} more.",
            contract=one.contract.id, file=str(record["file"]), by=str(record["by"]),
            correlation=words.number(record["down_correlation"]), bias_ratio=float(record["down_bias_ratio"]),
        ))  # fmt: skip


def _print_sensitivity(words: Words, made: Comparison, order: Ranking) -> None:
    console().print()
    weights = ", ".join(f"{words.text(_CRITERIA[str(one)])} {words.number(made.weights.get(one, 0.0))}" for one in order.criteria)
    console().print(words.text("Order: {order}. Weights: {weights}.", order=" > ".join(order.order), weights=weights))
    missing = [words.text(_CRITERIA[str(one)]) for one in made.weights if one not in order.criteria]
    if missing:
        console().print(words.text("Not in the score, since not known of all: {criteria}.", criteria=", ".join(missing)))
    columns = [
        Column(heading=words.text("Criterion"), cell=lambda row: words.text(_CRITERIA[str(row["criterion"])])),
        Column(heading=words.text("Its weight"), right=True, cell=lambda row: f"x {words.number(row['factor'])}"),
        Column(heading=words.text("Order then"), cell=lambda row: " > ".join(row["order"])),
        Column(heading="", cell=lambda row: words.text("changes") if row["order"] != order.order else ""),
    ]
    rows = [{"criterion": one, "factor": factor, "order": found} for (one, factor), found in order.changed.items()]
    print_table(words.text("How the order hangs on the weights"), columns, rows)
    shares = ", ".join(f"{name} {words.ratio(share)}" for name, share in order.first_ratio.items())
    console().print(words.text("First in so many of all weightings: {shares}.", shares=shares))


def _print_import(words: Words, found: dict[str, Any]) -> None:
    def correlation(way: str) -> str:
        return words.number(found.get(f"{way}_correlation"))

    out = console()
    out.print(words.text("{contract}: {rows} rows, {cells} cells of five minutes that both have", contract=found["contract"],
                         rows=found["rows"], cells=found["cells"]))  # fmt: skip
    if found["lag_seconds"] is None:
        return
    ahead = found["lag_seconds"] < 0
    clock = words.text("ahead of ours") if ahead else words.text("behind ours")
    out.print(words.text("Its clock is {lag_seconds} {clock}.", lag_seconds=abs(found["lag_seconds"]), clock=clock))
    if found["swapped"]:
        out.print(words.text("Its in and out are our upload and download."))
    out.print(words.text("Correlation: download {down}, upload {up}", down=correlation("down"), up=correlation("up")))
    out.print(words.text("It says more than we measured by: download {down}, upload {up}",
                         down=words.ratio(found["down_bias_ratio"]), up=words.ratio(found["up_bias_ratio"])))  # fmt: skip


def _refusal(found: dict[str, Any]) -> str:
    if found["lag_seconds"] is None:
        return mark("Not accepted: there are not two days that both have measured.")
    bias = found["down_bias_ratio"]
    if bias is not None and (abs(bias + 7 / 8) < 0.02 or abs(bias - 7) < 0.2):
        return mark("Not accepted: the correlation is below 0.6. It says eight times as much or as little: see --unit.")
    return mark("Not accepted: the correlation is below 0.6.")


def _available(words: Words, one: Supplier) -> str:
    return words.text("not measured") if one.time is None else availability_text(words, one.time)


def _reached(words: Words, one: Supplier) -> str:
    return words.text("not enough data") if one.reached_ratio is None else words.ratio(one.reached_ratio)


def _varies(words: Words, one: Supplier) -> str:
    from bwmgr.model.inventory import Direction

    line = one.lines.get(Direction.DOWN)
    return words.ratio(line.variation_ratio) if line else UNKNOWN


def _behaves(words: Words, one: Supplier) -> str:
    from bwmgr.model.inventory import Direction

    line = one.lines.get(Direction.DOWN)
    return words.text(_DEDICATED[str(line.dedicated)]) if line else words.text("not enough data")


def _score(words: Words, one: Supplier, order: Ranking | None) -> str:
    return words.number(100 * order.scores[one.contract.id], decimals=1) if order and one.contract.id in order.scores else UNKNOWN


def _milliseconds(words: Words, figure: float | None) -> str:
    return UNKNOWN if figure is None else f"{words.number(figure, decimals=1)} ms"


def _high(found: Reached) -> float | None:
    return found.deciles[-1] if found.deciles else None
