"""What is to be said of a rate that an agency asks for, beside what its link was measured to need.

Owns the verdict and its two thresholds. With a quarter more for bursts a request is within the need, or above it. Where usage
only says "at least", a request beyond the probe (1.25 times the limit) cannot be judged; without enough data none can.
"""

from __future__ import annotations

from typing import Literal

from bwmgr.model.demand import DemandInterval

ENOUGH_RATIO = 0.7
"""From this share of the time on a figure is no guess; below it the answer is that there is not enough data."""
HEADROOM = 1.25
"""Of a request over the need: the percentile leaves out the highest twentieth of the time."""

Verdict = Literal["within", "above", "unknown", "no data", "not asked"]


def judged_by(need: DemandInterval) -> float | None:
    """What a request is compared with: the upper end of the need, or the probe where that is not known."""
    return need.high_bps if need.high_bps is not None else need.probe_bps


def verdict_of(requested: int | None, need: DemandInterval | None, coverage: float) -> Verdict:
    """`coverage`: of the link's own calendar."""
    if requested is None:
        return "not asked"
    if need is None or coverage < ENOUGH_RATIO:
        return "no data"
    most = judged_by(need)
    if need.high_bps is None:
        return "within" if most is not None and requested <= most else "unknown"
    return "within" if requested <= HEADROOM * need.high_bps else "above"
