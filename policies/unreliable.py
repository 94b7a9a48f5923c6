"""unreliable: mend the line, do not buy bandwidth for it.

A link that flaps, is down for long, has errors, or whose counters cannot be trusted is reported for repair, and no policy
changes its limits while that lasts: what it "uses" says nothing of what it needs. The first of these that holds is the
reason:

- `flapping`: it went down `most_flaps_per_day` times a day or more;
- `down`: it was down for more than `most_down_ratio` of the readings;
- `errors`: more than `most_errors_ps` errors a second;
- `counters`: for more than `most_bad_ratio` of the readings its counters stood still while it was up, jumped, or were 32 bits
  wide and may have wrapped more than once.

Parameters: `most_flaps_per_day` (4), `most_down_ratio` (0.1), `most_errors_ps` (1.0), `most_bad_ratio` (0.05).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bwmgr.model.decision import Action, Reason
from bwmgr.model.inventory import Direction, Link
from bwmgr.model.policy import PolicyInput, Proposal
from bwmgr.model.samples import GapReason
from bwmgr.model.usage import LinkHealth, UsageWindow

NAME = "unreliable"

_BAD_COUNTERS = (GapReason.RESET, GapReason.DISCONTINUITY, GapReason.AMBIGUOUS_WRAP, GapReason.IMPLAUSIBLE)


@dataclass(frozen=True, kw_only=True)
class Parameters:
    most_flaps_per_day: float = 4.0
    """Changes from up to down a day from which on a link flaps."""
    most_down_ratio: float = 0.1
    """Share of readings at which a link may be down."""
    most_errors_ps: float = 1.0
    """Errors a second that a healthy line may have."""
    most_bad_ratio: float = 0.05
    """Share of readings at which the counters may be useless."""


def propose(given: PolicyInput, parameters: Parameters) -> Iterator[Proposal]:
    """One repair a link (its download stands for both directions)."""
    for link in given.inventory.links.values():
        health, window = given.health.get(link.id), given.usage.get(link.id, {}).get(Direction.DOWN)
        if health is None or window is None or not health.readings:
            continue
        reason = _reason(link, health, _days(given, window), parameters)
        if reason is not None:
            more = {
                "flaps": health.flaps,
                "down_ratio": health.down_ratio,
                "errors_ps": health.errors_ps,
                "bad_ratio": _bad(health),
            }
            yield Proposal(link=link.id, direction=Direction.DOWN, action=Action.FIX, reason=reason, more=more)


def _reason(link: Link, health: LinkHealth, days: float, parameters: Parameters) -> Reason | None:
    if health.flaps / days >= parameters.most_flaps_per_day:
        return Reason(
            code="flapping",
            message="{link_name} went down {flaps} times in {watched_seconds}: look at its last mile and power, "
            "more bandwidth would not help.",
            values={"link_name": link.name, "flaps": health.flaps, "watched_seconds": days * 86400},
        )
    if health.down_ratio > parameters.most_down_ratio:
        return Reason(
            code="down",
            message="{link_name} was down {down_ratio} of the time: mend the line, more bandwidth would not help.",
            values={"link_name": link.name, "down_ratio": health.down_ratio},
        )
    if health.errors_ps > parameters.most_errors_ps:
        return Reason(
            code="errors",
            message="{link_name} has {errors} errors a second: check cable, port and modem, more bandwidth would not help.",
            values={"link_name": link.name, "errors": health.errors_ps},
        )
    if _bad(health) > parameters.most_bad_ratio:
        return Reason(
            code="counters",
            message="The counters of {link_name} cannot be trusted {bad_ratio} of the time: mend that before changing its limit.",
            values={"link_name": link.name, "bad_ratio": _bad(health)},
        )
    return None


def _days(given: PolicyInput, window: UsageWindow) -> float:
    """How long the link has been watched, at least a day, so that one bad hour of a new link does not count for twenty-four."""
    return max(min((window.end - window.start).total_seconds(), given.health_seconds) / 86400, 1.0)


def _bad(health: LinkHealth) -> float:
    """Share of readings, those that gave no rate included, at which the counters were of no use."""
    jumps = sum(health.gaps.get(reason, 0) for reason in _BAD_COUNTERS)
    return min(1.0, health.stuck_ratio + jumps / (health.readings + jumps))
