"""What a reservation came to: for how long what was promised could be had, and who else went without meanwhile.

Pure. Owns these definitions; of each sample of a link and direction, in this order:

- short: it was asked for more through all of the sample (0.95 of the limit in force reached, or a discard a second or more in it
  and in both its neighbours, since a backlog that begins or ends within a sample says nothing of its mean) and carried less than
  0.95 of the promise;
- limited: a limit below the promise was in force, whether or not anybody felt it;
- else kept: nobody was refused, however little was used.

Down is `bwmgr.measure.outages`' matter; what no sample covers is unknown. A neighbour is starved in a sample in which it
discarded and carried less than 0.9 of its guarantee.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bwmgr.measure.columns import Rows
from bwmgr.measure.windows import SATURATED_RATIO, nearest_rank
from bwmgr.model.inventory import Direction
from bwmgr.model.samples import GapReason, Quality

COLUMNS: tuple[str, ...] = (
    "series", "end_ms", "reason", "quality", "interval_ticks", "down_bps", "up_bps", "down_limit_bps", "up_limit_bps",
    "down_discards_ps", "up_discards_ps", "if_high_speed_mbps",
)  # fmt: skip
DISCARDS_PS = 1.0
_STARVED_RATIO = 0.9
_EXACT = 0.999


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivered:
    """Of one link and direction; seconds by the device's clock, rates in bit/s, None without samples."""

    known_seconds: float
    kept_seconds: float
    short_seconds: float
    limited_seconds: float
    down_seconds: float
    at_promise_seconds: float
    """In which 0.95 of the promise or more was carried: the promise was shown, not only not refused."""
    mean_bps: float | None
    p95_bps: float | None
    max_bps: float | None

    @property
    def shortfall_seconds(self) -> float:
        return self.short_seconds + self.limited_seconds + self.down_seconds


def delivered(rows: Rows, direction: Direction, promised_bps: float) -> Delivered:
    """`rows` hold COLUMNS of the reservation's time, of one link, sorted by `end_ms`."""
    read = rows[rows["reason"] == GapReason.NONE]
    seconds, rates = read["interval_ticks"] / 100.0, read[f"{direction}_bps"]
    limits = read[f"{direction}_limit_bps"]
    down = (read["quality"] & np.uint8(Quality.OPER_DOWN)) != 0
    asked = _asked(read, direction)
    short = ~down & asked & (rates < SATURATED_RATIO * promised_bps)
    limited = ~down & ~short & (limits < _EXACT * promised_bps)
    lengths = {name: float(seconds[flags].sum()) for name, flags in (("down", down), ("short", short), ("limited", limited))}
    known = float(seconds.sum())
    return Delivered(
        known_seconds=known,
        kept_seconds=known - sum(lengths.values()),
        short_seconds=lengths["short"],
        limited_seconds=lengths["limited"],
        down_seconds=lengths["down"],
        at_promise_seconds=float(seconds[rates >= SATURATED_RATIO * promised_bps].sum()),
        mean_bps=float((rates * seconds).sum() / known) if known else None,
        p95_bps=nearest_rank(rates, 95.0) if len(rates) else None,
        max_bps=float(rates.max()) if len(rates) else None,
    )


def starved_seconds(rows: Rows, direction: Direction, cir_bps: float) -> float:
    """For how long a neighbour was refused what it is guaranteed."""
    read = rows[rows["reason"] == GapReason.NONE]
    refused = read[f"{direction}_discards_ps"] >= DISCARDS_PS
    below = read[f"{direction}_bps"] < _STARVED_RATIO * cir_bps
    return float((read["interval_ticks"][refused & below] / 100.0).sum())


def _asked(read: Rows, direction: Direction) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    rates, limits = read[f"{direction}_bps"], read[f"{direction}_limit_bps"]
    at_limit = np.isfinite(limits) & (rates >= SATURATED_RATIO * limits)
    backlog = read[f"{direction}_discards_ps"] >= DISCARDS_PS
    lasting = backlog.copy()
    lasting[1:] &= backlog[:-1]
    lasting[:-1] &= backlog[1:]
    found: np.ndarray[tuple[int], np.dtype[np.bool_]] = at_limit | lasting
    return found
