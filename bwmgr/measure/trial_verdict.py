"""A trial's verdict, clause by clause: met, not met, or not enough data to say either.

Pure. One line that was judged and fails makes a clause not met, whatever is not known of the others; a clause is met only where
enough is known of every line. Figures are `bwmgr.measure.trial`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from bwmgr.measure.trial import evenness
from bwmgr.model.inventory import Direction
from bwmgr.model.trial import Clause, Clauses, Evenness, Judgement, LineFigures, PathFigures, Trial, TrialResult, Verdict

Entry = tuple[str, float | None, bool]
"""A line, its figure, and whether enough is known of it."""


def judged(trial: Trial, lines: Sequence[LineFigures], paths: Sequence[PathFigures], *, as_of: datetime) -> TrialResult:
    """The result with a judgement for every clause, in their order."""
    even = tuple(evenness(lines, direction) for direction in Direction)
    clauses = trial.clauses
    promised = [one for one in lines if one.promised_bps]
    return TrialResult(
        trial=trial,
        as_of=as_of,
        lines=tuple(lines),
        paths=tuple(paths),
        evenness=even,
        judgements=(
            _least(Clause.CAPACITY, clauses.capacity_ratio, [(one.line, one.capacity_ratio, one.judged) for one in promised]),
            _least(Clause.REACHED, clauses.reached_ratio, [(one.line, one.reached_ratio, one.judged_apart) for one in promised]),
            *([_even(clauses, even)] if len(trial.lines) > 1 else []),
            _most(Clause.STABILITY, clauses.variation_ratio,
                  [(one.line, one.variation_ratio, one.judged_apart) for one in promised]),
            _availability(clauses, paths),
            _most(Clause.LATENCY, clauses.rtt_seconds,
                  [(one.line, one.rtt_p95_ms and one.rtt_p95_ms / 1000, _complete(clauses, one)) for one in paths]),
            _most(Clause.LOSS, clauses.loss_ratio, [(one.line, one.lost_ratio, _complete(clauses, one)) for one in paths]),
        ),
    )  # fmt: skip


def _complete(clauses: Clauses, path: PathFigures) -> bool:
    return path.coverage_ratio >= clauses.completeness_ratio


def _least(clause: Clause, threshold: float, entries: Sequence[Entry]) -> Judgement:
    """A figure that must not be below."""
    return _judgement(clause, threshold, entries, lambda figure: figure >= threshold - 1e-12, min)


def _most(clause: Clause, threshold: float, entries: Sequence[Entry]) -> Judgement:
    """A figure that must not be above."""
    return _judgement(clause, threshold, entries, lambda figure: figure <= threshold + 1e-12, max)


def _judgement(
    clause: Clause,
    threshold: float,
    entries: Sequence[Entry],
    good: Callable[[float], bool],
    worst_of: Callable[..., tuple[float, str]],
) -> Judgement:
    known = [(figure, line) for line, figure, enough in entries if enough and figure is not None]
    figure, line = worst_of(known) if known else (None, "")
    verdict = Verdict.UNKNOWN
    if figure is not None and not good(figure):
        verdict = Verdict.NOT_MET
    elif known and len(known) == len(entries):
        verdict = Verdict.MET
    completeness = len(known) / len(entries) if entries else 0.0
    return Judgement(
        clause=clause, verdict=verdict, figure=figure, threshold=threshold, completeness_ratio=completeness, worst=line
    )


def _even(clauses: Clauses, found: Sequence[Evenness]) -> Judgement:
    """Jain's index and the least over the median must both hold, in each direction; the figure is Jain's index."""
    known = [one for one in found if one.jain_ratio is not None and one.least_ratio is not None]
    enough = [one for one in known if one.judged >= clauses.completeness_ratio * one.lines]
    bad = [one for one in known if (one.jain_ratio or 0) < clauses.jain_ratio or (one.least_ratio or 0) < clauses.least_ratio]
    worst = min(bad or known, key=lambda one: one.jain_ratio or 0, default=None)
    asked = [one for one in found if one.lines]
    whole = len(enough) == len(asked) > 0
    verdict = Verdict.NOT_MET if bad else Verdict.MET if whole else Verdict.UNKNOWN
    return Judgement(
        clause=Clause.EVENNESS,
        verdict=verdict,
        figure=worst.jain_ratio if worst else None,
        threshold=clauses.jain_ratio,
        completeness_ratio=sum(one.judged for one in asked) / total if (total := sum(one.lines for one in asked)) else 0.0,
        worst=worst.least_line if worst else "",
    )


def _availability(clauses: Clauses, paths: Sequence[PathFigures]) -> Judgement:
    """Down for longer than allowed even if all that is unknown was up: not met, however little is known."""
    entries = [
        (one.line, one.availability_ratio, _complete(clauses, one) or one.least_down_ratio > 1 - clauses.availability_ratio)
        for one in paths
    ]
    return _least(Clause.AVAILABILITY, clauses.availability_ratio, entries)
