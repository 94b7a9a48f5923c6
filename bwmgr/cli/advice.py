"""`recommend`, `recommendations` and `allocate`: what should change, who decides on it, and what-if."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bwmgr.cli.instants import instant
from bwmgr.cli.output import Column, console, emit, format_option, note, print_table
from bwmgr.cli.session import Session
from bwmgr.daemon.labels import ACTIONS, EVIDENCE, EVIDENCE_WORDS, PHASES, STATUSES
from bwmgr.errors import UsageError
from bwmgr.language import Words, mark
from bwmgr.model.said import Said

if TYPE_CHECKING:
    from bwmgr.model.decision import Recommendation, Status


_SHOWN_ALIKE = 4
"""So many links that are held for the same reason are shown one by one."""
_ALIKE = {
    "generous": mark("limits that are generous, but nobody lacks the little that lowering them would free"),
    "no_data": mark("no measurements"),
    "silent": mark("silent for hours"),
    "low_coverage": mark("too little of the time is measured"),
    "short_history": mark("measured for too short a time"),
    "cooldown": mark("changed or decided on recently"),
    "approved": mark("an approved change is not applied yet"),
    "at_ceiling": mark("would use more, but their limits can hardly rise"),
    "at_floor": mark("need little, but their limits can hardly fall"),
    "no_capacity": mark("would use more, but a node above has no capacity left"),
    "temporary": mark("set for a time, or by hand"),
    "later": mark("their turn comes later"),
    "fix_first": mark("have a fault to be mended first"),
}
_OTHERWISE = mark("left as they are ({code})")


@click.command()
@click.option("--at", help="As of this time, from nothing newer (default: now); without a zone, the organisation's.")
@click.option("--dry-run", is_flag=True, help="Print only: store nothing.")
@format_option
@click.pass_obj
def recommend(session: Session, at: str | None, dry_run: bool, form: str) -> None:
    """Run the policies now (or as of --at): recommendations and holds, each with its reason; recommendations are stored."""
    from bwmgr.daemon.advice import advise
    from bwmgr.model.people import Role

    author = session.acting(None, None if dry_run else Role.OPERATOR).name
    with session.application() as application:
        timezone = session.settings.inventory.organisation.timezone
        now = instant(at, timezone) if at else application.clock.now()
        advice = advise(application, now, author=author, keep=not dry_run)
    everything = [*advice.recommendations, *advice.holds]

    def table() -> None:
        words = session.words
        print_queue(words, advice.recommendations)
        if advice.holds:
            console().print()
            _print_holds(words, advice.holds)

    documents = recommendation_documents(session.words, everything)
    emit(form, documents, documents, table)


@click.group()
def recommendations() -> None:
    """The queue: what the policies recommend, and who decided what."""


@recommendations.command("list")
@click.option("--status", type=click.Choice([*STATUSES, "all"]), default="proposed", show_default=True)
@click.option("--link", help="Only this link's.")
@format_option
@click.pass_obj
def list_recommendations(session: Session, status: str, link: str | None, form: str) -> None:
    """The queue, in every format: what waits for a decision by importance, anything else newest first.

    By importance: fix, raise, reserve, restore, buy, sell, lower; inside each the most at stake first.
    """
    from bwmgr.daemon.status import choose_links
    from bwmgr.engine.importance import by_importance

    with session.application() as application:
        found = application.state.recommendations(status=None if status == "all" else status, link=link)
        if link and link not in application.inventory.nodes and not application.state.recommendations(link=link):
            choose_links(application.inventory, [link])  # names the nearest where there is no such link
    if status == "proposed":
        found = by_importance(found)
    documents = recommendation_documents(session.words, found)
    emit(form, documents, documents, lambda: print_queue(session.words, found))


@recommendations.command()
@click.argument("name", metavar="ID")
@click.option("--evidence", "folder", type=click.Path(file_okay=False, path_type=Path),
              help="Write samples, parameters and intermediate values into this folder, for docs/recompute.py.")  # fmt: skip
@format_option
@click.pass_obj
def show(session: Session, name: str, folder: Path | None, form: str) -> None:
    """One recommendation: its sentence, evidence, expected effect and history."""
    from bwmgr.daemon.advice import find
    from bwmgr.daemon.apply_records import record_document
    from bwmgr.daemon.evidence import write_evidence
    from bwmgr.engine.document import change_document

    with session.application() as application:
        found = find(application.state, name)
        changes = [change_document(change) for change in application.state.changes(found.id)]
        written = write_evidence(application, found, folder) if folder else None
        apply_record = record_document(application.state, found.id)
    if written is not None:
        note(session.words.text("Wrote {files}", files=", ".join(str(path) for path in written.files)))
        if not written.reproduced:
            note(session.words.text("Repeated now, the run says something else: history or configuration changed since."))
    document = {**_document(session.words, found), "history": changes, "apply": apply_record}
    emit(form, document, [document], lambda: _print_one(session.words, found, document))


@recommendations.command()
@click.argument("name", metavar="ID")
@click.option("--by", help="Who approves (default: the system user); not the author.")
@click.option("--note", "remark", default="", help="A remark for the record.")
@format_option
@click.pass_obj
def approve(session: Session, name: str, by: str | None, remark: str, form: str) -> None:
    """Approve a recommendation. The approver is not the author."""
    from bwmgr.model.decision import Status

    _decide(session, name, Status.APPROVED, by, remark, form)


@recommendations.command()
@click.argument("name", metavar="ID")
@click.option("--by", help="Who rejects (default: the system user).")
@click.option("--note", "remark", default="", help="A remark for the record.")
@format_option
@click.pass_obj
def reject(session: Session, name: str, by: str | None, remark: str, form: str) -> None:
    """Reject a recommendation."""
    from bwmgr.model.decision import Status

    _decide(session, name, Status.REJECTED, by, remark, form)


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path, allow_dash=True))
@format_option
@click.pass_obj
def allocate(session: Session, file: Path, form: str) -> None:
    """What-if: share the capacity tree in FILE (YAML or JSON; `-` is standard input) out among its links.

    Whole bit/s by the largest remainder, so that the sums stay within every capacity. Warnings also go to stderr.
    """
    from bwmgr.daemon.what_if import share_out

    answer = share_out(_text_of(file), str(file))
    for warning in answer["warnings"]:
        note(_words(session).said(warning))
    emit(form, answer, answer["allocations"], lambda: _print_allocations(_words(session), answer["allocations"]))


def _text_of(file: Path) -> str:
    try:
        with click.open_file(str(file), encoding="utf-8-sig") as stream:
            return str(stream.read())
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(Said("{file}: cannot be read: {why}", file=file, why=str(error))) from error


def _words(session: Session) -> Words:
    """What-if needs no configuration, so the language is that of `--lang`, else English."""
    return Words(session.language or "en")


def _decide(session: Session, name: str, status: Status, by: str | None, remark: str, form: str) -> None:
    from bwmgr.daemon.advice import decide
    from bwmgr.model.people import Role

    name_of = session.acting(by, Role.APPROVER).name
    with session.application() as application:
        people, now = session.settings.people, application.clock.now()
        found = decide(application.state, name, status, by=name_of, note=remark, at=now, people=people)
    document = _document(session.words, found)
    emit(form, document, [document], lambda: print_queue(session.words, [found]))


def recommendation_documents(words: Words, found: Sequence[Recommendation]) -> list[dict[str, Any]]:
    """As programs read them, their sentences in words."""
    return [_document(words, entry) for entry in found]


def _document(words: Words, recommendation: Recommendation) -> dict[str, Any]:
    from bwmgr.engine.document import recommendation_document

    return recommendation_document(recommendation, words.reason(recommendation.reason))


def print_queue(words: Words, found: Sequence[Recommendation]) -> None:
    """A table of recommendations."""
    if not found:
        console().print(words.text("No recommendations."))
        return
    columns = [
        Column(heading="ID", cell=lambda row: row["of"].id),
        Column(heading=words.text("Link"), cell=lambda row: row["of"].link),
        Column(heading=words.text("Direction"), cell=lambda row: words.direction(row["of"].direction)),
        Column(heading=words.text("Action"), cell=lambda row: words.text(ACTIONS[row["of"].action])),
        Column(heading=words.text("Limit"), right=True, cell=lambda row: words.limit(row["of"].current.mir_bps)),
        Column(heading=words.text("Proposed"), right=True, cell=lambda row: words.limit(row["of"].proposed.mir_bps)),
        Column(heading=words.text("Status"), cell=lambda row: words.text(STATUSES[row["of"].status])),
        Column(heading=words.text("Reason"), cell=lambda row: words.reason(row["of"].reason)),
    ]
    print_table(None, columns, [{"of": entry} for entry in found])


def _print_holds(words: Words, found: Sequence[Recommendation]) -> None:
    """One line each; of many with the same reason only how many, and for whom."""
    alike: dict[str, list[Recommendation]] = {}
    for entry in found:
        alike.setdefault(entry.reason.code, []).append(entry)
    single = [entry for entries in alike.values() if len(entries) <= _SHOWN_ALIKE for entry in entries]
    if single:
        _print_single_holds(words, single)
    for code, entries in alike.items():
        if len(entries) > _SHOWN_ALIKE:
            links = list(dict.fromkeys(entry.link for entry in entries))
            names = ", ".join(links[:_SHOWN_ALIKE]) + (" ..." if len(links) > _SHOWN_ALIKE else "")
            summary = words.text(_ALIKE.get(code, _OTHERWISE), code=code)
            console().print(words.text("{count} links: {summary} ({names})", count=len(links), summary=summary, names=names))


def _print_single_holds(words: Words, found: Sequence[Recommendation]) -> None:
    columns = [
        Column(heading=words.text("Link"), cell=lambda row: row["of"].link),
        Column(heading=words.text("Direction"), cell=lambda row: words.direction(row["of"].direction)),
        Column(heading=words.text("Reason"), cell=lambda row: words.reason(row["of"].reason)),
    ]
    print_table(words.text("Left as they are"), columns, [{"of": entry} for entry in found])


def _print_one(words: Words, found: Recommendation, document: dict[str, Any]) -> None:
    out = console()
    out.print(words.reason(found.reason), style="bold")
    out.print()
    facts = {
        "ID": found.id,
        words.text("Link"): f"{found.link} ({words.direction(found.direction)})",
        words.text("Action"): words.text(ACTIONS[found.action]),
        words.text("Status"): words.text(STATUSES[found.status]),
        words.text("Limit"): f"{words.limit(found.current.mir_bps)} -> {words.limit(found.proposed.mir_bps)}",
        words.text("Guaranteed"): words.rate(found.proposed.cir_bps),
        words.text("Policy"): f"{found.policy} ({found.author})",
        words.text("Valid"): f"{words.instant(found.valid_from)} – {words.instant(found.valid_until)}",
        words.text("Expected satisfaction"): words.ratio(found.expected.satisfaction_ratio),
    }
    _print_facts(facts)
    out.print()
    out.print(words.text("Evidence"), style="bold")
    _print_facts(dict(_evidence(words, document["evidence"])))
    for change in document["history"]:
        at = _figure(words, "changed_at", change["at"])
        out.print(f"{at}  {words.text(STATUSES[change['status']])}  {change['by']}  {change['note']}")
    if (sent := document["apply"]) is not None:
        out.print(words.text("On {device}: {phase}. {remark}", device=sent["device"], phase=words.text(PHASES[sent["phase"]]),
                             remark=sent["trouble"] or sent["note"]))  # fmt: skip


def _evidence(words: Words, evidence: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What the recommendation rests on, each figure written by its name's unit."""
    for key, figure in evidence.items():
        label = words.text(EVIDENCE[key]) if key in EVIDENCE else key
        yield label, _figure(words, EVIDENCE_WORDS.get(key, key), figure)


def _figure(words: Words, name: str, figure: str | int | float | None) -> str:
    return words.text(f"{{{name}}}", **{name: figure})


def _print_facts(facts: dict[str, str]) -> None:
    columns = [Column(heading="", cell=lambda row: row["name"]), Column(heading="", cell=lambda row: row["fact"])]
    print_table(None, columns, [{"name": name, "fact": fact} for name, fact in facts.items()])


def _print_allocations(words: Words, allocations: Sequence[dict[str, Any]]) -> None:
    columns = [
        Column(heading=words.text("Link"), cell=lambda row: row["id"]),
        Column(heading=words.text("Allocation"), right=True, cell=lambda row: words.rate(row["allocation_bps"])),
        Column(heading=words.text("Bound by"), cell=lambda row: row["bottleneck"]),
    ]
    print_table(None, columns, allocations)
