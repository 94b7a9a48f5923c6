"""Suppliers in order: a score of several criteria with stated weights, and how far the order depends on those weights.

Pure. Only criteria that are known of every supplier ranked count, so that all are judged by the same measurements. Each is
brought to 0..1: availability (its lower bound) from 95 % to 100 %; delivered over promised up to 1; stability from a coefficient
of variation of 0.2 down to 0; latency and price as the least of all over the own. The score is their mean by weight.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations, pairwise

_AVAILABLE_FROM = 0.95
_VARIES_FROM = 0.2
_GRID = 10
"""Weightings tried: all that share out 100 % in steps of 10 %."""


class Criterion(StrEnum):
    AVAILABILITY = "availability"
    DELIVERED = "delivered"
    STABILITY = "stability"
    LATENCY = "latency"
    PRICE = "price"


DEFAULT_WEIGHTS: Mapping[Criterion, float] = {
    Criterion.AVAILABILITY: 30.0,
    Criterion.DELIVERED: 25.0,
    Criterion.STABILITY: 10.0,
    Criterion.LATENCY: 10.0,
    Criterion.PRICE: 25.0,
}
Figures = Mapping[Criterion, float]
"""Of one supplier: availability and delivered as ratios, stability as coefficient of variation, latency in ms, price per Mbps."""


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """`order`: suppliers, the best first. Scores are 0..1; `parts` each criterion's 0..1 before weighting."""

    criteria: tuple[Criterion, ...]
    order: tuple[str, ...]
    scores: Mapping[str, float]
    parts: Mapping[str, Mapping[Criterion, float]]
    changed: Mapping[tuple[Criterion, float], tuple[str, ...]]
    """(criterion, factor on its weight) -> the order that results."""
    first_ratio: Mapping[str, float]
    """Share of all weightings (steps of 10 %) in which each comes first; ties share."""


def ranking(figures: Mapping[str, Figures], weights: Mapping[Criterion, float]) -> Ranking:
    """Of one supplier or more; a tie keeps the order. Raises: ValueError where no criterion with a weight is known of all."""
    criteria = tuple(one for one in Criterion if all(one in known for known in figures.values()))
    parts = _parts(figures, criteria)
    scores = _scores(parts, weights)
    factors = (0.0, 0.5, 2.0)
    changed = {
        (one, factor): _order(_scores(parts, {**weights, one: weights.get(one, 0.0) * factor}))
        for one in criteria
        for factor in factors
        if _total(criteria, {**weights, one: weights.get(one, 0.0) * factor}) > 0
    }
    return Ranking(
        criteria=criteria,
        order=_order(scores),
        scores=scores,
        parts=parts,
        changed=changed,
        first_ratio=_first_ratio(parts, criteria),
    )


def _parts(figures: Mapping[str, Figures], criteria: Sequence[Criterion]) -> dict[str, dict[Criterion, float]]:
    least = {one: min(known[one] for known in figures.values()) for one in criteria}
    return {name: {one: _part(one, known[one], least[one]) for one in criteria} for name, known in figures.items()}


def _part(criterion: Criterion, figure: float, least: float) -> float:
    if criterion is Criterion.AVAILABILITY:
        return _clipped((figure - _AVAILABLE_FROM) / (1 - _AVAILABLE_FROM))
    if criterion is Criterion.DELIVERED:
        return _clipped(figure)
    if criterion is Criterion.STABILITY:
        return _clipped(1 - figure / _VARIES_FROM)
    return _clipped(least / figure) if figure > 0 else 1.0


def _scores(parts: Mapping[str, Mapping[Criterion, float]], weights: Mapping[Criterion, float]) -> dict[str, float]:
    found = {}
    for name, known in parts.items():
        total = _total(tuple(known), weights)
        if total <= 0:
            raise ValueError("no criterion with a weight is known of every supplier")
        found[name] = sum(weights.get(one, 0.0) * part for one, part in known.items()) / total
    return found


def _total(criteria: Sequence[Criterion], weights: Mapping[Criterion, float]) -> float:
    return sum(weights.get(one, 0.0) for one in criteria)


def _order(scores: Mapping[str, float]) -> tuple[str, ...]:
    return tuple(sorted(scores, key=lambda name: -round(scores[name], 12)))


def _first_ratio(parts: Mapping[str, Mapping[Criterion, float]], criteria: Sequence[Criterion]) -> dict[str, float]:
    wins, tried = dict.fromkeys(parts, 0.0), 0
    for weighting in _weightings(len(criteria)):
        scores = _scores(parts, dict(zip(criteria, weighting, strict=True)))
        best = max(round(score, 12) for score in scores.values())
        winners = [name for name, score in scores.items() if round(score, 12) == best]
        tried += 1
        for name in winners:
            wins[name] += 1 / len(winners)
    return {name: count / tried for name, count in wins.items()}


def _weightings(count: int) -> Iterator[tuple[float, ...]]:
    """All ways to share out `_GRID` steps over so many criteria: stars and bars."""
    for bars in combinations(range(_GRID + count - 1), count - 1):
        edges = (-1, *bars, _GRID + count - 1)
        yield tuple(float(end - start - 1) for start, end in pairwise(edges))


def _clipped(part: float) -> float:
    return min(max(part, 0.0), 1.0)
