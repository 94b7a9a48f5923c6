"""Did a change of a limit do what it should, and no harm? Judged by what was measured after it, beside what was measured before.

Pure. Owns the verdict; what follows from it (a status, a rollback) is the caller's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

ENOUGH = 2
"""Readings wholly after the change that a verdict takes: one alone can be an agent's stale counter (snmpd caches)."""
SETTLED = 3
"""Readings that a good verdict on a raise takes: senders that share a bottleneck need some seconds to squeeze each other out, and
a neighbour that still holds its share one reading after the change may have lost it at the next."""
LEAST_PATIENCE_SECONDS = 1800.0
"""An effect that is not proven within so long is taken back, where readings come often enough to prove it."""
SLACK = 1.10
"""Frame headers, the shaper's burst and the agent's cache lift a counter above the limit by so much."""
BELOW_CIR = 0.9
"""Others lose their guarantee below this share of it."""
_DISCARDS_PS = 1.0
_WORSE = 2.0


class Outcome(StrEnum):
    PENDING = "pending"
    GOOD = "good"
    HARM = "harm"


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """One link and direction over one polling interval. `rate_bps` None: a gap, so the router or link was not reached."""

    rate_bps: float | None
    discards_ps: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """A link before and after, oldest first; `cir_bps` 0: it has no guarantee."""

    cir_bps: int
    before: Sequence[Reading]
    after: Sequence[Reading]


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    outcome: Outcome
    note: str = ""


def patience_seconds(interval_seconds: float) -> float:
    """How long a change waits for its proof: half an hour, or as long as a polling interval needs for enough readings.

    The first reading that begins after a change begins up to an interval later, so `SETTLED` of them take one interval more.
    """
    return max(LEAST_PATIENCE_SECONDS, (SETTLED + 1) * interval_seconds)


def judge(link: str, limit_bps: int | None, lowered: bool, measured: Mapping[str, Measured], *, last_call: bool) -> Verdict:
    """The verdict on `link`, whose limit became `limit_bps`; `measured`: it and those that share a bottleneck with it.

    `last_call`: no more time; what is not proven then is harm. Silence is harm as soon as there are enough silent readings.
    """
    own = measured[link]
    after = own.after[-ENOUGH:]
    if len(after) == ENOUGH and _silent(after) and not _silent(own.before):
        return Verdict(outcome=Outcome.HARM, note=f"{link} is not reached since the change")
    rates = _rates(after)
    if len(own.after) < ENOUGH or len(rates) < ENOUGH:
        note = "too few readings since the change"
        return Verdict(outcome=Outcome.HARM if last_call else Outcome.PENDING, note=note)
    if limit_bps is not None and min(rates) > limit_bps * SLACK:
        return Verdict(outcome=Outcome.HARM, note=f"{link} carries {min(rates):.0f} bit/s, above its new limit of {limit_bps}")
    if trouble := _worse(link, own, lowered) or _others(link, measured):
        return Verdict(outcome=Outcome.HARM, note=trouble)
    if not lowered and len(own.after) < SETTLED and not last_call:
        return Verdict(outcome=Outcome.PENDING, note="no harm yet; too few readings since the change")
    return Verdict(outcome=Outcome.GOOD)


def _worse(link: str, own: Measured, lowered: bool) -> str:
    """Harm to the link itself. A lower limit discards more: that is how a sender learns of it."""
    if lowered and _lost_guarantee(own):
        return f"{link} is below its own guarantee of {own.cir_bps} bit/s since the change"
    before, after = _discards(own.before), _discards(own.after[-ENOUGH:])
    if not lowered and before is not None and after is not None and after > _WORSE * before + _DISCARDS_PS:
        return f"{link} discards {after:.1f} packets/s, {before:.1f} before the change"
    return ""


def _others(link: str, measured: Mapping[str, Measured]) -> str:
    """Whoever fell below his guarantee while this link took at least half of what he lost."""
    own = measured[link]
    gained = _mean(_rates(own.after[-ENOUGH:])) - _mean(_rates(own.before))
    for other, figures in measured.items():
        lost = _mean(_rates(figures.before)) - _mean(_rates(figures.after[-ENOUGH:]))
        if other != link and _lost_guarantee(figures) and gained >= lost / 2:
            return f"{other} fell below its guarantee of {figures.cir_bps} bit/s as {link} took more"
    return ""


def _lost_guarantee(figures: Measured) -> bool:
    before, after = _rates(figures.before), _rates(figures.after[-ENOUGH:])
    had = bool(before) and _mean(before) >= figures.cir_bps * BELOW_CIR
    return had and len(after) == ENOUGH and figures.cir_bps > 0 and max(after) < figures.cir_bps * BELOW_CIR


def _silent(readings: Sequence[Reading]) -> bool:
    return all(reading.rate_bps is None for reading in readings)


def _rates(readings: Sequence[Reading]) -> list[float]:
    return [reading.rate_bps for reading in readings if reading.rate_bps is not None]


def _discards(readings: Sequence[Reading]) -> float | None:
    known = [reading.discards_ps for reading in readings if reading.discards_ps is not None]
    return _mean(known) if known else None


def _mean(rates: Sequence[float]) -> float:
    return sum(rates) / len(rates) if rates else 0.0
