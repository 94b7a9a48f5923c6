"""`rollout`: how far the points of a roll-out are, and lists of them from a spreadsheet."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from bwmgr.cli.output import Column, console, emit, format_option, note, print_table
from bwmgr.cli.session import Session
from bwmgr.errors import ConfigurationError, UsageError
from bwmgr.language import UNKNOWN, Words, mark
from bwmgr.model.said import Said

if TYPE_CHECKING:
    from bwmgr.daemon.rollout import Place
    from bwmgr.daemon.rollout_plan import Planned, RolloutPlan

_DONE_IN_PART = 3
_SHOWN = 40
_STATES = {"planned": mark("planned"), "installed": mark("installed"), "trial": mark("trial"), "active": mark("active")}
_WHATS = {
    "add": mark("added"), "change": mark("changed"), "same": mark("unchanged"), "conflict": mark("conflict"),
    "mistake": mark("mistake"),
}  # fmt: skip
_KINDS = ["opd", "facility", "village", "wifi", "event"]


@click.group()
def rollout() -> None:
    """Roll-out: points planned, installed, on trial and active, by kelurahan, with dates."""


@rollout.command("status")
@click.option("--kind", "kinds", type=click.Choice(_KINDS), multiple=True, help="Only points of this kind; may be given again.")
@format_option
@click.pass_obj
def rollout_status(session: Session, kinds: tuple[str, ...], form: str) -> None:
    """How many points of each kelurahan are planned, installed, on trial and active, and since when."""
    from bwmgr.daemon.rollout import all_steps, history, places, progress
    from bwmgr.daemon.rollout_plan import ORDER

    inventory = session.settings.inventory
    links = [link for link in inventory.links.values() if not kinds or link.kind in kinds]
    with session.application() as application:
        steps = all_steps(inventory, history(application.state))
    names = {link.id for link in links}
    steps = [step for step in steps if step.link in names]
    found = places(links, steps)
    document: dict[str, Any] = {
        "totals": {str(status): sum(place.counts[status] for place in found) for status in ORDER},
        "places": [place.document() for place in found],
        "progress": [
            {"date": day.isoformat(), **{str(status): totals[status] for status in ORDER}} for day, totals in progress(steps)
        ],
    }
    emit(form, document, document["places"], lambda: _print_places(session.words, found))


@rollout.command("import")
@click.argument("path", metavar="FILE.xlsx|csv", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path),
              help="Include file to write (default: rollout.yaml beside the configuration).")  # fmt: skip
@click.option("--yes", "agreed", is_flag=True, help="Apply the plan; without it nothing is changed.")
@click.option("--skip-bad", is_flag=True, help="Apply the good rows though others are conflicts or mistakes; exit 3 then.")
@format_option
@click.pass_obj
def rollout_import(session: Session, path: Path, out: Path | None, agreed: bool, skip_bad: bool, form: str) -> None:
    """Show what a list of points would add and change, by row number; with --yes write it to an include file.

    The first row names the columns, in Indonesian or English: id and status are needed (planned, installed, trial, active, or
    rencana, terpasang, uji coba, aktif); name, kind, parent, kecamatan, kelurahan, code, lat, lon, medium, since (tanggal),
    address and if_name may be there. Importing the same list again changes nothing.
    """
    from bwmgr.daemon.rollout_plan import plan_rollout
    from bwmgr.daemon.rollout_sheet import read_sheet

    inventory, words = session.settings.inventory, session.words
    rows = read_sheet(path)
    with session.application() as application:
        now = application.clock.now()
    plan = plan_rollout(inventory, rows, now.astimezone(ZoneInfo(inventory.organisation.timezone)).date())
    listed = [_row(words, row) for row in plan.rows if row.what != "same"]
    document = {"counts": plan.counts, "applied": False, "rows": listed}
    bad, wanted = plan.of("conflict", "mistake"), plan.of("add", "change")
    applied = agreed and bool(wanted) and (skip_bad or not bad)
    said = _apply(session, plan, path, out) if applied else ""
    emit(form, document | {"applied": applied}, listed, lambda: _print_plan(words, plan))
    if said:
        note(said)
    elif not wanted:
        note(words.text("nothing to change"))
    elif not agreed:
        note(words.text("nothing was changed; --yes applies this"))
    elif bad:
        note(words.text("nothing was changed: correct the conflicts and mistakes, or apply the rest with --skip-bad"))
    if bad:
        sys.exit(_DONE_IN_PART if applied else 1)


def _apply(session: Session, plan: RolloutPlan, source: Path, out: Path | None) -> str:
    """Writes the file, loads the configuration with it, and takes it back where that refuses it."""
    import hashlib

    from bwmgr.daemon.acting import acting
    from bwmgr.daemon.rollout import COMMENT, FILE_NAME, is_included, keep_steps, replace_file, steps_of, write_changes

    settings, words = session.settings, session.words
    target = out or Path(session.path).parent / FILE_NAME
    accepted = plan.of("add", "change")
    actor = acting(settings, None, None)
    before = write_changes(target, accepted)
    try:
        after = session.load()
    except ConfigurationError:
        replace_file(target, before)
        raise
    if not is_included(settings.inventory, after.inventory, accepted):
        replace_file(target, before or COMMENT)  # there, so that it can be included
        raise UsageError(
            Said(
                "{path} does not include {target}: add include: [{target}] to it and run this again",
                path=session.path,
                target=target.name,
            )
        )
    with session.application() as application:
        keep_steps(application.state, steps_of(accepted, settings.inventory))
        details = {"file": source.name, "sha256": hashlib.sha256(source.read_bytes()).hexdigest(), **plan.counts}
        application.trail.record("rollout.imported", target.name, details, by=actor)
    return words.text("written: {path}", path=str(target))


def _row(words: Words, row: Planned) -> dict[str, Any]:
    return {
        "row": row.row,
        "link": row.link,
        "what": row.what,
        "changes": {key: {"now": _plain(now), "then": _plain(then)} for key, (now, then) in row.changes.items()},
        "problems": [words.said(said) for said in row.said],
    }


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, int | float) else str(value)


def _print_plan(words: Words, plan: RolloutPlan) -> None:
    columns = [
        Column(heading=words.text("Row"), right=True, cell=lambda row: words.number(row["of"].row)),
        Column(heading=words.text("Point"), cell=lambda row: row["of"].link),
        Column(heading=words.text("Outcome"), cell=lambda row: words.text(_WHATS[row["of"].what])),
        Column(heading=words.text("Why"), cell=lambda row: _why(words, row["of"])),
    ]
    bad, good = plan.of("conflict", "mistake"), plan.of("add", "change")
    print_table(None, columns, [{"of": row} for row in [*bad, *good][:_SHOWN]])
    if (more := len(bad) + len(good) - _SHOWN) > 0:
        console().print(words.plural("and {count} more row; --format json shows all",
                                     "and {count} more rows; --format json shows all",
                                     count=more))  # fmt: skip
    counts = plan.counts
    console().print(", ".join(f"{words.text(_WHATS[what])}: {words.number(counts[what])}" for what in _WHATS))


def _why(words: Words, row: Planned) -> str:
    if row.said:
        return "; ".join(words.said(said) for said in row.said)
    return ", ".join(
        f"{key}: {_value(words, key, then)}" if now is None else f"{key}: {_value(words, key, now)} → {_value(words, key, then)}"
        for key, (now, then) in row.changes.items()
    )


def _value(words: Words, key: str, value: Any) -> str:
    if value is None:
        return UNKNOWN
    return words.text(_STATES[str(value)]) if key == "status" else str(value)


def _print_places(words: Words, found: list[Place]) -> None:
    columns = [
        Column(heading=words.text("Code"), cell=lambda row: row["of"].code or UNKNOWN),
        Column(heading="Kecamatan", cell=lambda row: row["of"].kecamatan or UNKNOWN),
        Column(heading="Kelurahan", cell=lambda row: row["of"].kelurahan or UNKNOWN),
    ]
    columns += [_state_column(words, state) for state in _STATES]
    columns += [
        Column(heading=words.text("Points"), right=True, cell=lambda row: words.number(row["of"].total)),
        Column(heading=words.text("Last step"), cell=lambda row: words.date(row["of"].latest) if row["of"].latest else UNKNOWN),
    ]
    print_table(None, columns, [{"of": place} for place in found])
    totals = {state: sum(place.counts[state] for place in found) for state in found[0].counts} if found else {}
    console().print(", ".join(f"{words.text(_STATES[state])}: {words.number(count)}" for state, count in totals.items()))


def _state_column(words: Words, state: str) -> Column:
    from bwmgr.model.inventory import SiteStatus

    status = SiteStatus(state)
    heading = words.text(_STATES[state])
    return Column(heading=heading.capitalize(), right=True, cell=lambda row: words.number(row["of"].counts[status]))
