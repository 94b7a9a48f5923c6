"""What a link needs, recomputed from its samples (docs/method-demand.md). The two fits are given; all else follows from them."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Any

from .samples import Sample, nearest_rank

Need = dict[str, float | str | None]


def held_back(counted: Sequence[Sample], direction: str) -> list[bool]:
    """Which samples say "at least this": the device discarded, or they stand where samples pile up under the limit."""
    near: dict[float, list[float]] = {}
    for sample in counted:
        if _is_near(sample, direction):
            near.setdefault(sample.limit(direction), []).append(sample.rate(direction))
    top = {limit: 0.99 * statistics.median(rates) for limit, rates in near.items()}
    return [
        sample.discards(direction) > 0 or (_is_near(sample, direction) and sample.rate(direction) >= top[sample.limit(direction)])
        for sample in counted
    ]


def _is_near(sample: Sample, direction: str) -> bool:
    return sample.rate(direction) >= 0.95 * sample.limit(direction)


def need(counted: Sequence[Sample], direction: str, given: dict[str, Any], percentile: float) -> Need:
    """A row of `needs.csv`; `given` holds the two fits, None where there is none."""
    if not counted:
        return {"kind": None, "samples": 0, "low_bps": None, "high_bps": None, "held_ratio": None}
    held = held_back(counted, direction)
    seen = nearest_rank((sample.rate(direction) for sample in counted), percentile)
    certain = nearest_rank(
        (math.inf if back else sample.rate(direction) for sample, back in zip(counted, held, strict=True)), percentile
    )
    share = sum(held) / len(held)
    found: Need = {"kind": "at least", "samples": len(counted), "low_bps": seen, "high_bps": None, "held_ratio": share}
    if certain == seen:
        found.update(kind="measured", high_bps=seen)
    elif share <= 0.30 and None not in (given.get("sqrt_bps"), given.get("log_bps")):
        limits = [sample.limit(direction) for sample in counted if math.isfinite(sample.limit(direction))]
        found.update(kind="estimated", **_widened(given, share, seen, max(limits) if limits else None))
    return found


def sized(found: Need, highest_limit: float | None) -> float | None:
    """What the sharing counts on: the middle of the interval, else a quarter above the limit; None without samples."""
    low, high = found["low_bps"], found["high_bps"]
    if not isinstance(low, (int, float)):
        return None
    return (low + high) / 2 if isinstance(high, (int, float)) else max(low, 1.25 * (highest_limit or 0.0))


def verdict(requested: float | None, found: Need, coverage: float, highest_limit: float | None, methods: dict[str, Any]) -> str:
    """Of a request beside the need: within it, above it, not to be judged, or not enough data (bwmgr.daemon.needs)."""
    if requested is None:
        return "not asked"
    if found["kind"] is None or coverage < methods["enough_ratio"]:
        return "no data"
    high = found["high_bps"]
    if isinstance(high, (int, float)):
        return "within" if requested <= methods["request_headroom"] * high else "above"
    probe = None if highest_limit is None else 1.25 * highest_limit
    return "within" if probe is not None and requested <= probe else "unknown"


def _widened(given: dict[str, Any], share: float, seen: float, limit: float | None) -> dict[str, float]:
    fits, most = (given["sqrt_bps"], given["log_bps"]), 2.5 * (limit or math.inf)
    low, high = min(fits) * (1 - 0.5 * share), max(fits) * (1 + 1.8 * share)
    return {"low_bps": min(max(low, seen), most), "high_bps": min(max(high, seen), most)}
