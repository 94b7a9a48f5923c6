"""The berita acara of a trial: its figures as words, tables and charts for the template `trial`.

Owns what is said of a result and in which order; the figures are `bwmgr.measure.trial`, the paper is `documents`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from bwmgr.language import UNKNOWN, Words, mark
from bwmgr.model.inventory import Organisation
from bwmgr.model.trial import Asked, Clause, Clauses, Judgement, LineFigures, TrialResult, Verdict
from bwmgr.reports.documents import figures
from bwmgr.reports.documents.rendering import render_pdf

if TYPE_CHECKING:
    from collections.abc import Iterable

CHARTED_LINES = 8
"""Beyond that bands come as tables only: a berita acara of 32 charts is read by nobody."""

CLAUSES = {
    Clause.CAPACITY: mark("Capacity reached"),
    Clause.REACHED: mark("Samples that reach the promise"),
    Clause.EVENNESS: mark("Evenness (Jain's index)"),
    Clause.STABILITY: mark("Stability (coefficient of variation)"),
    Clause.AVAILABILITY: mark("Availability"),
    Clause.LATENCY: mark("Round-trip time (95th percentile)"),
    Clause.LOSS: mark("Packets lost"),
}
VERDICTS = {
    Verdict.MET: mark("met"),
    Verdict.NOT_MET: mark("not met"),
    Verdict.UNKNOWN: mark("not enough data"),
}
EVIDENCE = {
    Asked.ACTIVE: mark("test"),
    Asked.DECLARED: mark("filled by the office"),
    Asked.BACKLOG: mark("backlog"),
    Asked.SATURATED: mark("limit reached"),
}


class Signs(Protocol):
    """Who signs, as the configuration names him."""

    @property
    def party(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def number(self) -> str: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Paper:
    """What the office adds to the figures."""

    organisation: Organisation
    signers: Sequence[Signs]
    place: str = ""
    number: str = ""
    """The document's, as the office counts them; empty: room for it."""
    day: date
    templates: Path | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ClauseRow:
    """One clause as it is printed."""

    name: str
    wanted: str
    figure: str
    verdict: str
    worst: str
    completeness: str


def berita_acara(result: TrialResult, paper: Paper, words: Words) -> bytes:
    """The PDF; the same result and paper give the same bytes. Raises: UsageError where a template is wrong."""
    return render_pdf("trial", context(result, paper, words), words=words, templates_folder=paper.templates)


def context(result: TrialResult, paper: Paper, words: Words) -> Mapping[str, Any]:
    """What the template may name."""
    names = {line.id: line.name for line in result.trial.lines}
    return {
        "organisation": paper.organisation,
        "paper": paper,
        "result": result,
        "trial": result.trial,
        "final": result.as_of >= (result.trial.stopped_at or result.trial.end),
        "days": (result.as_of - result.trial.start).total_seconds() / 86400,
        "names": names,
        "clauses": [clause_row(judgement, result.trial.clauses, names, words) for judgement in result.judgements],
        "verdict": words.text(VERDICTS[result.verdict]),
        "said": _said(result, words),
        "evidence": lambda line: ", ".join(_evidence(line, words)),
        "asked_lines": [line for line in result.lines if line.asked_samples],
        "charts": _charts(result, names, words),
        "outages": [(names[path.line], start, end) for path in result.paths for start, end in path.outages],
        "no_failed_tests": all(not test.problem for test in result.trial.tests),
        "day_of": date.fromisoformat,
        "UNKNOWN": UNKNOWN,
    }


def clause_row(judgement: Judgement, clauses: Clauses, names: Mapping[str, str], words: Words) -> ClauseRow:
    """A judgement in words: `not met (5 %)`."""
    write = _writer(judgement.clause, words)
    figure = write(judgement.figure)
    verdict = words.text(VERDICTS[judgement.verdict])
    if judgement.verdict is Verdict.UNKNOWN:
        said = words.text("{verdict} ({coverage_ratio} complete)", verdict=verdict, coverage_ratio=judgement.completeness_ratio)
    else:
        said = f"{verdict} ({figure})"
    return ClauseRow(
        name=words.text(CLAUSES[judgement.clause]),
        wanted=_wanted(judgement, clauses, write(judgement.threshold), words),
        figure=figure,
        verdict=said,
        worst=names.get(judgement.worst, "") if judgement.verdict is Verdict.NOT_MET else "",
        completeness=words.ratio(judgement.completeness_ratio),
    )


def _writer(clause: Clause, words: Words) -> Callable[[float | None], str]:
    if clause is Clause.LATENCY:
        return lambda seconds: UNKNOWN if seconds is None else f"{words.number(seconds * 1000, decimals=1)} ms"
    if clause is Clause.EVENNESS:
        return lambda figure: words.number(figure, decimals=3)
    return words.ratio


def _wanted(judgement: Judgement, clauses: Clauses, threshold: str, words: Words) -> str:
    if judgement.clause is Clause.EVENNESS:
        return words.text("at least {threshold}, and each line {least_ratio} of the median", threshold=threshold,
                          least_ratio=clauses.least_ratio)  # fmt: skip
    if judgement.clause in (Clause.STABILITY, Clause.LATENCY, Clause.LOSS):
        return words.text("at most {threshold}", threshold=threshold)
    return words.text("at least {threshold}", threshold=threshold)


def _said(result: TrialResult, words: Words) -> str:
    """The conclusion in a sentence."""
    failed = [words.text(CLAUSES[one.clause]) for one in result.judgements if one.verdict is Verdict.NOT_MET]
    open_ = [words.text(CLAUSES[one.clause]) for one in result.judgements if one.verdict is Verdict.UNKNOWN]
    if failed:
        return words.text("The trial does not meet what was promised: {clauses}.", clauses=", ".join(failed))
    if open_:
        return words.text("Nothing failed, but there are not enough data to judge: {clauses}.", clauses=", ".join(open_))
    return words.text("The trial meets all clauses.")


def _evidence(line: LineFigures, words: Words) -> Iterable[str]:
    for how, seconds in line.asked_by.items():
        yield f"{words.text(EVIDENCE[how])} {words.duration(seconds)}"


def _charts(result: TrialResult, names: Mapping[str, str], words: Words) -> list[tuple[str, str]]:
    """(picture, caption) of the daily bands of each direction that was asked for."""
    asked = [line for line in result.lines if any(day.samples for day in line.days)]
    if len({line.line for line in asked}) > CHARTED_LINES:
        return []
    return [(_band_chart(line, words), _caption(line, names, words)) for line in asked]


def _caption(line: LineFigures, names: Mapping[str, str], words: Words) -> str:
    return words.text(
        "{link_name}, {direction}: asked-for rates by day", link_name=names[line.line], direction=str(line.direction)
    )


def _band_chart(line: LineFigures, words: Words) -> str:
    bars = [
        figures.Bars(label=words.text("10th percentile"), heights=[day.low_bps for day in line.days]),
        figures.Bars(label=words.text("median"), heights=[day.median_bps for day in line.days]),
        figures.Bars(label=words.text("90th percentile"), heights=[day.high_bps for day in line.days]),
    ]
    promised = [figures.Level(label=words.text("promised"), height=line.promised_bps)] if line.promised_bps else []
    days = [datetime.fromisoformat(day.day) for day in line.days]
    ticks = [(float(place), f"{day.day}/{day.month}") for place, day in enumerate(days)]
    return figures.bar_figure(bars, ticks=ticks, written=words.rate, levels=promised)
