"""What a link would use if its limit did not hold it back, as far as its usage tells.

Owns what the policies size by: of the interval that the samples give (`bwmgr.measure.behind`) its middle, or the step to try
where it has no upper end. Where nobody gave an interval (a link just over the edge) the moments of the window give a figure.
Three kinds:

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

from bwmgr.model.demand import PROBE_TIMES_LIMIT, DemandInterval, Kind
from bwmgr.model.inventory import Direction
from bwmgr.model.policy import PolicyInput
from bwmgr.model.usage import LinkHealth, UsageWindow

AT_LEAST_RATIO = 0.30
"""Share of time at the limit above which usage no longer identifies demand."""
MOST_TIMES_LIMIT = 2.5

_NORMAL = NormalDist()
_DROPS_PS = 1.0
"""Fewer discards a second, on average of the days that the health looks at, hold nothing back to speak of."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Demand:
    """Bit/s at the window's percentile, and how it is known: `rate_bps` to size by, within [`low_bps`, `high_bps`]."""

    rate_bps: float
    kind: Kind
    low_bps: float
    high_bps: float | None
    """None: nothing is known of the upper end."""
    saturated_ratio: float = 0.0
    sqrt_bps: float | None = None
    log_bps: float | None = None
    """What the two fits said; None without a fit."""

    def evidence(self) -> dict[str, str | float | None]:
        """Enough to recompute `rate_bps` from the samples and the fits."""
        found: dict[str, str | float | None] = {"demand_kind": self.kind}
        if self.kind == "measured":
            return found
        interval = {"demand_low_bps": self.low_bps, "demand_high_bps": self.high_bps, "demand_held_ratio": self.saturated_ratio}
        return {**found, **interval, "demand_sqrt_bps": self.sqrt_bps, "demand_log_bps": self.log_bps}


def demand_of(given: PolicyInput, link: str, direction: Direction) -> Demand | None:
    """What a link would use; None where there is no sample."""
    interval = given.demand.get(link, {}).get(direction)
    if interval is not None:
        return _sized(interval)
    window = given.usage.get(link, {}).get(direction)
    return None if window is None else estimate(window, given.current[link][direction].mir_bps)


def may_be_held(window: UsageWindow, health: LinkHealth | None) -> bool:
    """Whether a limit or a queue may have hidden demand at the window's percentile: at the limit for longer than the percentile
    leaves out, or drops."""
    dropped = 0.0 if health is None else health.discards_ps.get(window.direction, 0.0)
    return (window.saturated_ratio or 0.0) > 1 - window.percentile / 100 or dropped >= _DROPS_PS


def estimate(window: UsageWindow, limit_bps: float | None) -> Demand | None:
    """Demand at the window's own percentile behind `limit_bps` (None: no limit); None where there is no sample."""
    if window.p95_bps is None or window.mean_bps is None:
        return None
    share = window.saturated_ratio or 0.0
    if limit_bps is None or share <= 1 - window.percentile / 100:
        return Demand(rate_bps=window.p95_bps, kind="measured", low_bps=window.p95_bps, high_bps=window.p95_bps)
    rate = max(window.p95_bps, _beyond(limit_bps, window.mean_bps, min(share, 0.98), window.percentile / 100))
    most = MOST_TIMES_LIMIT * limit_bps
    if share > AT_LEAST_RATIO:
        rate = min(max(rate, PROBE_TIMES_LIMIT * limit_bps), most)
        return Demand(rate_bps=rate, kind="at least", low_bps=window.p95_bps, high_bps=None, saturated_ratio=share)
    rate = min(rate, most)
    return Demand(rate_bps=rate, kind="estimated", low_bps=rate, high_bps=rate, saturated_ratio=share)


def _sized(interval: DemandInterval) -> Demand:
    rate = max(interval.low_bps, interval.probe_bps or 0.0)
    if interval.high_bps is not None:
        rate = (interval.low_bps + interval.high_bps) / 2
    return Demand(
        rate_bps=rate,
        kind=interval.kind,
        low_bps=interval.low_bps,
        high_bps=interval.high_bps,
        saturated_ratio=interval.saturated_ratio,
        sqrt_bps=interval.sqrt_bps,
        log_bps=interval.log_bps,
    )


def _beyond(limit_bps: float, mean_bps: float, share: float, percentile: float) -> float:
    z = _NORMAL.inv_cdf(1 - share)
    sigma = max(limit_bps - mean_bps, 0.0) / (_NORMAL.pdf(z) + z * _NORMAL.cdf(z))
    return limit_bps + sigma * (_NORMAL.inv_cdf(percentile) - z)
