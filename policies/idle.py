"""idle: a link that hardly uses its limit gives some back.

A link whose 95th percentile is below `used_ratio` of its limit, and whose maximum stayed below `peak_ratio` of it, is lowered
to its maximum times `spare_factor`, at least `least_bps`. The engine takes away no more than half at a time and never goes
below the CIR.

Parameters: `least_days` (7), `used_ratio` (0.1), `peak_ratio` (0.25), `spare_factor` (2.0), `least_bps` (1M).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bwmgr.model.decision import Action, Reason
from bwmgr.model.policy import PolicyInput, Proposal
from policies.selection import observed_days

NAME = "idle"


@dataclass(frozen=True, kw_only=True)
class Parameters:
    least_days: float = 7.0
    """Shorter history says nothing: a week has days of all kinds."""
    used_ratio: float = 0.1
    """A 95th percentile below this share of the limit counts as idle."""
    peak_ratio: float = 0.25
    """A maximum above this share of the limit does not."""
    spare_factor: float = 2.0
    """What is left to an idle link: so many times its maximum."""
    least_bps: int = 1_000_000
    """No link is lowered below this."""


def propose(given: PolicyInput, parameters: Parameters) -> Iterator[Proposal]:
    """A lower limit for every idle link and direction."""
    for link, direction, window, current in given.links():
        if observed_days(window) < parameters.least_days:
            continue
        if window.p95_bps is None or window.max_bps is None or not current.mir_bps or current.mir_bps <= parameters.least_bps:
            continue
        if window.p95_bps >= parameters.used_ratio * current.mir_bps or window.max_bps >= parameters.peak_ratio * current.mir_bps:
            continue
        values: dict[str, str | int | float] = {
            "link_name": link.name,
            "direction": str(direction),
            "limit_bps": current.mir_bps,
            "max_bps": window.max_bps,
            "used_ratio": window.max_bps / current.mir_bps,
        }
        yield Proposal(
            link=link.id,
            direction=direction,
            action=Action.LOWER,
            reason=Reason(
                code="idle",
                message="{link_name} never used more than {max_bps} of its {limit_bps} {direction} limit ({used_ratio}): "
                "lower to {proposed_bps}.",
                values=values,
            ),
            mir_bps=max(window.max_bps * parameters.spare_factor, parameters.least_bps),
            demand_bps=window.p95_bps,
            more={"max_bps": window.max_bps, "demand_kind": "measured"},
        )
