"""The interval in which a link's demand lies, and how that is known. How it is found is `bwmgr.measure.behind`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["measured", "estimated", "at least"]

PROBE_TIMES_LIMIT = 1.25
"""What to try where usage only says: more than the limit."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DemandInterval:
    """The percentile of the true demand lies in [low_bps, high_bps]; `high_bps` None: nothing is known of the upper end."""

    low_bps: float
    high_bps: float | None
    kind: Kind
    percentile: float
    samples: int
    saturated_ratio: float
    """Share of the samples that were held back."""
    limit_bps: float | None
    """The highest limit that was in force; None: there was none."""
    sqrt_bps: float | None = None
    log_bps: float | None = None
    """What the two fits said, before they were widened and capped."""

    @property
    def probe_bps(self) -> float | None:
        """The limit to try for three comparable busy hours where usage does not tell; None where it does."""
        return self.limit_bps * PROBE_TIMES_LIMIT if self.kind == "at least" and self.limit_bps is not None else None
