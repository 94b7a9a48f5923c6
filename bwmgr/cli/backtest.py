"""`backtest`: history replayed under the policies, beside simpler rules."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from bwmgr.cli.instants import window
from bwmgr.cli.output import Column, console, emit, format_option, note, print_table
from bwmgr.cli.session import Session
from bwmgr.language import UNKNOWN, Words, mark

if TYPE_CHECKING:
    from bwmgr.daemon.backtesting import Backtest

_FOUR_WEEKS_SECONDS = 28 * 86400
_DONE_IN_PART = 3
RULES = {
    "no_limits": mark("no limits"),
    "contract": mark("contract as it is"),
    "recent_maximum": mark("1.1 x recent maximum"),
    "water_level": mark("fair share every step"),
    "common_level": mark("one limit for all large links"),
    "policies": mark("the policies"),
    "oracle": mark("oracle (knows all)"),
}


@click.command()
@click.option("--start", help="From this time on (default: four weeks before the end); without a zone, the organisation's.")
@click.option("--end", help="Up to, not including, this time (default: now).")
@click.option("--policy", help="Only this policy, not all that are configured.")
@click.option("--bottleneck", type=click.Choice(["shared", "fifo"]), default="shared", show_default=True,
              help="A full node shares by class, CIR and weight (as HTB does), or drops from all in proportion.")  # fmt: skip
@click.option("--chart", type=click.Path(dir_okay=False, path_type=Path), help="Write the comparison as SVG.")
@format_option
@click.pass_obj
def backtest(
    session: Session,
    start: str | None,
    end: str | None,
    policy: str | None,
    bottleneck: Literal["shared", "fifo"],
    chart: Path | None,
    form: str,
) -> None:
    """Replay stored history under the policies, and score it beside simpler rules and an oracle.

    Nothing is stored or changed. All recommendations are taken to be approved at once. Exit code 3 where links have no history.
    """
    from bwmgr.daemon.backtest_document import document, rows
    from bwmgr.daemon.backtesting import backtest as replay_history

    with session.application() as application:
        zone = session.settings.inventory.organisation.timezone
        first, last = window(start, end, zone, application.clock.now(), _FOUR_WEEKS_SECONDS)
        made = replay_history(application, first, last, policy=policy, bottleneck=bottleneck)
    words = session.words
    if chart is not None:
        _draw(made, words, chart)
    emit(form, document(made), rows(made), lambda: _print(words, made))
    if made.silent:
        note(words.text("Without history and demanding nothing here: {links}", links=", ".join(made.silent)))
        sys.exit(_DONE_IN_PART)


def _draw(made: Backtest, words: Words, path: Path) -> None:
    from bwmgr.backtest.scores import satisfaction
    from bwmgr.reports.backtest_chart import Bar, draw

    bars = [
        Bar(
            direction=entry.direction,
            label=words.text(RULES[entry.name]),
            unmet_ratio=entry.scores.unmet_ratio,
            small_satisfaction_ratio=entry.scores.small_satisfaction_ratio,
            satisfaction=satisfaction(entry.outcome),
        )
        for entry in made.replays
    ]
    draw(bars, words, path)
    note(words.text("Wrote {path}", path=str(path)))


def _print(words: Words, made: Backtest) -> None:
    from bwmgr.model.inventory import Direction

    kind = words.text("a bottleneck that shares") if made.bottleneck == "shared" else words.text("a bottleneck that cannot share")
    console().print(words.text("[{start_at}, {end_at}), {kind}, {coverage_ratio} of the time known; policies: {policies}",
                               start_at=made.start, end_at=made.end, kind=kind, coverage_ratio=made.coverage_ratio,
                               policies=", ".join(made.policies)))  # fmt: skip
    for direction in Direction:
        console().print()
        _print_direction(words, made, str(direction))


def _print_direction(words: Words, made: Backtest, direction: str) -> None:
    columns = [
        Column(heading=words.text("Rule"), cell=lambda row: words.text(RULES[row["rule"]])),
        _ratios(words, words.text("Unmet"), "unmet_ratio"),
        _ratios(words, words.text("Satisfied"), "satisfaction_ratio"),
        _ratios(words, words.text("worst 5%"), "satisfaction_p5_ratio"),
        _ratios(words, words.text("small links"), "small_satisfaction_ratio"),
        _numbers(words, words.text("below CIR (min)"), "cir_minutes", 0),
        _numbers(words, words.text("Jain"), "jain_index", 3),
        _numbers(words, words.text("Changes a day"), "changes_per_link_day", 2),
        _numbers(words, words.text("Reversals"), "reversals_per_link_day", 2),
        _ratios(words, words.text("Utilisation"), "utilisation_ratio"),
        _ratios(words, words.text("Regret"), "regret_ratio"),
        Column(heading=words.text("Cost per GB"), right=True, cell=lambda row: _money(words, row["scores"].price_per_gigabyte)),
    ]
    found = [entry for entry in made.replays if str(entry.direction) == direction]
    print_table(words.direction(direction), columns, [{"rule": entry.name, "scores": entry.scores} for entry in found])
    for entry in found:
        for policy, count in entry.applied.items():
            console().print(words.text("{policy}: {count} changes", policy=policy, count=count))


def _ratios(words: Words, heading: str, name: str) -> Column:
    return Column(heading=heading, right=True, cell=lambda row: words.ratio(getattr(row["scores"], name)))


def _numbers(words: Words, heading: str, name: str, digits: int) -> Column:
    def cell(row: Any) -> str:
        figure = getattr(row["scores"], name)
        return UNKNOWN if figure is None else words.number(round(figure, digits))

    return Column(heading=heading, right=True, cell=cell)


def _money(words: Words, price: float | None) -> str:
    return UNKNOWN if price is None else words.money(price)
