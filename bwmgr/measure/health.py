"""What a link's rows say of the link itself rather than of its use: was it down, did it flap, can its counters be trusted.

Owns the definitions; what follows from them is a policy's matter. Errors, discards and round-trip times are means over what was
readable: a link whose router tells none of them shows zeros and no round-trip time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from bwmgr.measure.calendars import instant_ms
from bwmgr.measure.columns import RateBatch, Rows
from bwmgr.measure.grouping import Groups, Mask, blocks
from bwmgr.model.inventory import Direction
from bwmgr.model.samples import GapReason, Quality
from bwmgr.model.usage import LinkHealth

_PER_SECOND = ("down_discards_ps", "up_discards_ps", "down_errors_ps", "up_errors_ps")

COLUMNS: tuple[str, ...] = ("series", "end_ms", "reason", "quality", "interval_ticks", *_PER_SECOND, "rtt_us")
"""What `link_health` reads of a batch's rows."""


def link_health(batch: RateBatch, *, start: datetime, end: datetime) -> list[LinkHealth]:
    """One a series, in the order of `batch.series`, of its rows in [start, end); a series without rows has no readings.

    `batch.rows` holds at least COLUMNS, sorted by (series, end_ms). A reading here is a row with a rate; ratios are shares of
    readings, flaps are changes from up to down between one reading and the next, whatever lies between them; errors and discards
    are per second, weighted by time, errors of both directions together.
    """
    first_ms, last_ms = instant_ms(start), instant_ms(end)
    found: list[LinkHealth] = []
    for names, rows, groups in blocks(batch):
        within = (rows["end_ms"] >= first_ms) & (rows["end_ms"] < last_ms)
        found += _block_health(names, rows, within, groups)
    return found


def _block_health(names: Sequence[str], rows: Rows, within: Mask, groups: Groups) -> Iterator[LinkHealth]:
    read = within & (rows["reason"] == GapReason.NONE)
    readings = groups.of(read)
    quality, ticks = rows["quality"][read], rows["interval_ticks"][read]
    down = _has(quality, Quality.OPER_DOWN)
    shares = {flag: _shares(_has(quality, flag), readings) for flag in (Quality.OPER_DOWN, Quality.COUNTER32, Quality.STUCK)}
    flaps = _flaps(down, readings)
    per_second = {column: _means_ps(rows[column][read], ticks, readings) for column in _PER_SECOND}
    gaps, round_trips = _gaps(rows, within & ~read, groups), _median_rtt_ms(rows, within, groups)
    for position, link in enumerate(names):
        yield LinkHealth(
            link=link,
            readings=int(readings.counts[position]),
            down_ratio=shares[Quality.OPER_DOWN][position],
            flaps=flaps[position],
            errors_ps=per_second["down_errors_ps"][position] + per_second["up_errors_ps"][position],
            discards_ps={direction: per_second[f"{direction}_discards_ps"][position] for direction in Direction},
            counter32_ratio=shares[Quality.COUNTER32][position],
            stuck_ratio=shares[Quality.STUCK][position],
            gaps=gaps.get(position, {}),
            rtt_ms=round_trips.get(position),
        )


def _has(quality: NDArray[np.uint8], flag: Quality) -> Mask:
    flagged: Mask = (quality & np.uint8(flag)) != 0
    return flagged


def _shares(flagged: Mask, groups: Groups) -> list[float]:
    shares: list[float] = (groups.sums(flagged) / np.maximum(groups.counts, 1)).tolist()
    return shares


def _flaps(down: Mask, groups: Groups) -> list[int]:
    """A series' first reading is no change, whatever the series before ended with."""
    went_down = down.copy()
    went_down[1:] &= ~down[:-1]
    for _, rows in groups.slices():
        went_down[rows.start] = False
    return [round(flaps) for flaps in groups.sums(went_down).tolist()]


def _means_ps(column: NDArray[np.float32], ticks: NDArray[np.uint32], groups: Groups) -> list[float]:
    known_ticks = np.where(np.isnan(column), 0.0, ticks)
    events = groups.sums(np.nan_to_num(column).astype(np.float64) * known_ticks)
    means: list[float] = (events / np.maximum(groups.sums(known_ticks), 1.0)).tolist()
    return means


def _gaps(rows: Rows, missing: Mask, groups: Groups) -> dict[int, dict[GapReason, int]]:
    """Gaps by reason, by position of the series that have any."""
    reasons = rows["reason"][missing]
    found: dict[int, dict[GapReason, int]] = {}
    for position, where in groups.of(missing).slices():
        counts = np.bincount(reasons[where]).tolist()
        found[position] = {GapReason(reason): count for reason, count in enumerate(counts) if count}
    return found


def _median_rtt_ms(rows: Rows, within: Mask, groups: Groups) -> dict[int, float]:
    """By position of the series that have any."""
    timed = within & (rows["rtt_us"] > 0)
    round_trips = rows["rtt_us"][timed]
    return {position: float(np.median(round_trips[where])) / 1000 for position, where in groups.of(timed).slices()}
