"""What a link would use if its limit did not hold it back, as far as its usage tells.

Owns the first, moment-based estimate; a fit on the samples themselves takes its place behind the same `Demand`. Three kinds:

- measured: less than 1 - percentile of the time was at the limit, so the percentile itself was not touched by it;
- estimated: more than that. A normal distribution cut off at the limit L is fitted by two figures, the saturated share s and the
  mean m of what passed. With z the (1 - s) quantile of the standard normal, phi its density and Phi its distribution there,
  E[(L - D)+] = sigma (phi + z Phi) = L - m gives sigma, and the percentile is L + sigma (z_p - z);
- at least: where more than 30 % was at the limit, the same figure is only a lower bound, and 1.25 times the limit is worth a try.

The estimate is never more than 2.5 times the limit: usage says nothing about so far beyond it.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

from bwmgr.model.usage import UsageWindow

AT_LEAST_RATIO = 0.30
"""Share of time at the limit above which usage no longer identifies demand."""
MOST_TIMES_LIMIT = 2.5
PROBE_TIMES_LIMIT = 1.25
"""What to try where usage only says: more than the limit."""

_NORMAL = NormalDist()


@dataclass(frozen=True, kw_only=True, slots=True)
class Demand:
    """Bit/s at the window's percentile, and how it is known."""

    rate_bps: float
    kind: Literal["measured", "estimated", "at least"]


def estimate(window: UsageWindow, limit_bps: float | None) -> Demand | None:
    """Demand at the window's own percentile behind `limit_bps` (None: no limit); None where there is no sample."""
    if window.p95_bps is None or window.mean_bps is None:
        return None
    share = window.saturated_ratio or 0.0
    if limit_bps is None or share <= 1 - window.percentile / 100:
        return Demand(rate_bps=window.p95_bps, kind="measured")
    rate = max(window.p95_bps, _beyond(limit_bps, window.mean_bps, min(share, 0.98), window.percentile / 100))
    if share > AT_LEAST_RATIO:
        return Demand(rate_bps=min(max(rate, PROBE_TIMES_LIMIT * limit_bps), MOST_TIMES_LIMIT * limit_bps), kind="at least")
    return Demand(rate_bps=min(rate, MOST_TIMES_LIMIT * limit_bps), kind="estimated")


def _beyond(limit_bps: float, mean_bps: float, share: float, percentile: float) -> float:
    z = _NORMAL.inv_cdf(1 - share)
    sigma = max(limit_bps - mean_bps, 0.0) / (_NORMAL.pdf(z) + z * _NORMAL.cdf(z))
    return limit_bps + sigma * (_NORMAL.inv_cdf(percentile) - z)
