"""Rows of a poller as a line of letters, one a minute: what these tests are written in."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from bwmgr.measure.columns import RATE, RateBatch
from bwmgr.model.samples import GapReason, Quality

START = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
MINUTE_MS = 60_000
M = 1_000_000
_REASONS = {
    "t": GapReason.TIMEOUT,
    "s": GapReason.SUSPENDED,
    "b": GapReason.REBOOT,
    "f": GapReason.FIRST_READING,
    "l": GapReason.LATE,
    "r": GapReason.RESET,
    "a": GapReason.AUTHENTICATION,
}


def batch(*, start: datetime = START, step_ms: int = MINUTE_MS, rate_bps: float = 5 * M, **series: str) -> RateBatch:
    """`u` up, `d` down, `0` up with nothing carried, `t s b f l r a` a gap of that reason, `.` no row at all.

    The first letter ends one step after `start`; a rate after a silence covers it, as the poller's do. Names: `_` for `-`.
    """
    names = tuple(name.replace("_", "-") for name in series)
    rows = [_rows(number, letters, start, step_ms, rate_bps) for number, letters in enumerate(series.values())]
    return RateBatch(series=names, rows=np.concatenate(rows))


def _rows(number: int, letters: str, start: datetime, step_ms: int, rate_bps: float) -> np.ndarray:
    rows = np.zeros(len(letters), RATE)
    rows["series"] = number
    rows["end_ms"] = round(start.timestamp() * 1000) + step_ms * np.arange(1, len(letters) + 1)
    rows["down_limit_bps"] = rows["up_limit_bps"] = 10 * M
    since = 1
    for row, letter in zip(rows, letters, strict=True):
        row["reason"] = _REASONS.get(letter, GapReason.NONE)
        row["quality"] = Quality.OPER_DOWN if letter == "d" else 0
        row["interval_ticks"] = since * step_ms // 10
        rate = rate_bps / since if letter == "u" else 0.0  # what flowed after a silence, spread over all of it
        row["down_bps"] = row["up_bps"] = np.nan if letter in _REASONS else rate
        since = since + 1 if letter in "ts." else 1
    return rows[[letter != "." for letter in letters]]
