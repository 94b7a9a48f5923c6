"""What a link's rows say of the link itself rather than of its use: was it down, did it flap, can its counters be trusted.

Owns the definitions; what follows from them is a policy's matter. Errors, discards and round-trip times are means over what was
readable: a link whose router tells none of them shows zeros and no round-trip time.
"""

from __future__ import annotations

from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from bwmgr.measure.calendars import instant_ms
from bwmgr.measure.columns import RateBatch, Rows
from bwmgr.model.inventory import Direction
from bwmgr.model.samples import GapReason, Quality
from bwmgr.model.usage import LinkHealth

COLUMNS: tuple[str, ...] = (
    "series",
    "end_ms",
    "reason",
    "quality",
    "interval_ticks",
    "down_discards_ps",
    "up_discards_ps",
    "down_errors_ps",
    "up_errors_ps",
    "rtt_us",
)
"""What `link_health` reads of a batch's rows."""


def link_health(batch: RateBatch, *, start: datetime, end: datetime) -> list[LinkHealth]:
    """One a series, in the order of `batch.series`, of its rows in [start, end); a series without rows has no readings.

    `batch.rows` holds at least COLUMNS, sorted by (series, end_ms). A reading here is a row with a rate; ratios are shares of
    readings, flaps are changes from up to down between one reading and the next, whatever lies between them; errors and discards
    are per second, weighted by time, errors of both directions together.
    """
    at_ms = batch.rows["end_ms"]
    rows = batch.rows[(at_ms >= instant_ms(start)) & (at_ms < instant_ms(end))]
    bounds = np.searchsorted(rows["series"], np.arange(len(batch.series) + 1))
    return [_health(link, rows[bounds[at] : bounds[at + 1]]) for at, link in enumerate(batch.series)]


def _health(link: str, rows: Rows) -> LinkHealth:
    read = rows[rows["reason"] == GapReason.NONE]
    down = _has(read, Quality.OPER_DOWN)
    return LinkHealth(
        link=link,
        readings=len(read),
        down_ratio=_share(down),
        flaps=int(np.count_nonzero(down[1:] & ~down[:-1])),
        errors_ps=_mean_ps(read, "down_errors_ps") + _mean_ps(read, "up_errors_ps"),
        discards_ps={direction: _mean_ps(read, f"{direction}_discards_ps") for direction in Direction},
        counter32_ratio=_share(_has(read, Quality.COUNTER32)),
        stuck_ratio=_share(_has(read, Quality.STUCK)),
        gaps=_gaps(rows),
        rtt_ms=_median_rtt_ms(rows),
    )


def _has(rows: Rows, quality: Quality) -> NDArray[np.bool_]:
    flagged: NDArray[np.bool_] = (rows["quality"] & np.uint8(quality)) != 0
    return flagged


def _share(flagged: NDArray[np.bool_]) -> float:
    return float(flagged.mean()) if len(flagged) else 0.0


def _mean_ps(rows: Rows, column: str) -> float:
    known = ~np.isnan(rows[column])
    ticks = rows["interval_ticks"][known].astype(np.float64)
    return float((rows[column][known] * ticks).sum() / ticks.sum()) if ticks.any() else 0.0


def _gaps(rows: Rows) -> dict[GapReason, int]:
    counts = np.bincount(rows["reason"], minlength=1)
    return {GapReason(reason): count for reason, count in enumerate(counts.tolist()) if count and reason != GapReason.NONE}


def _median_rtt_ms(rows: Rows) -> float | None:
    known = rows["rtt_us"][rows["rtt_us"] > 0]
    return float(np.median(known)) / 1000 if len(known) else None
