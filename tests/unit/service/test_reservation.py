"""What an event's reservation came to, sample by sample."""

from __future__ import annotations

import numpy as np

from bwmgr.measure.columns import RATE, Rows
from bwmgr.measure.reservation import delivered, starved_seconds
from bwmgr.model.inventory import Direction
from bwmgr.model.samples import GapReason, Quality

M = 1_000_000


def rows(*samples: tuple[float, float, float]) -> Rows:
    """Minutes of (Mbit/s, limit in Mbit/s, discards a second)."""
    made = np.zeros(len(samples), RATE)
    made["end_ms"], made["interval_ticks"] = 60_000 * np.arange(1, len(samples) + 1), 6000
    for row, (rate, limit, discards) in zip(made, samples, strict=True):
        row["down_bps"], row["down_limit_bps"], row["down_discards_ps"] = rate * M, limit * M, discards
    return made


def test_low_use_breaks_no_promise() -> None:
    """Whoever asks for little gets what he asks for: kept, though the promise was never shown."""
    found = delivered(rows((20, 400, 0), (30, np.inf, 0)), Direction.DOWN, 400 * M)
    assert (found.kept_seconds, found.shortfall_seconds, found.at_promise_seconds) == (120, 0, 0)
    assert (found.max_bps, found.p95_bps, found.mean_bps) == (30 * M, 30 * M, 25 * M)


def test_twenty_of_four_hundred_is_a_shortfall() -> None:
    """At a limit of 20 it is short while that is reached, and limited while it is not."""
    found = delivered(rows((20, 20, 0), (5, 20, 0), (390, 400, 0)), Direction.DOWN, 400 * M)
    assert (found.short_seconds, found.limited_seconds, found.kept_seconds, found.at_promise_seconds) == (60, 60, 60, 60)


def test_a_backlog_that_lasts_is_a_shortfall() -> None:
    """Discards before, in and after a minute at 150 of 400: a line that gives no more. One burst at its edge proves nothing."""
    lasting = delivered(rows((150, 400, 5), (150, 400, 5), (150, 400, 5), (150, 400, 5)), Direction.DOWN, 400 * M)
    assert lasting.short_seconds == 240
    burst = delivered(rows((100, 400, 0), (150, 400, 5), (100, 400, 0)), Direction.DOWN, 400 * M)
    assert burst.short_seconds == 0


def test_down_is_down_and_a_gap_is_unknown() -> None:
    """Neither is counted twice: seconds add up to what is known."""
    made = rows((0, 20, 0), (20, 20, 0), (10, 400, 0))
    made["quality"][0] = Quality.OPER_DOWN
    made["reason"][2] = GapReason.TIMEOUT
    found = delivered(made, Direction.DOWN, 400 * M)
    assert (found.known_seconds, found.down_seconds, found.short_seconds, found.kept_seconds) == (120, 60, 60, 0)
    nothing = delivered(made[:0], Direction.DOWN, 400 * M)
    assert (nothing.known_seconds, nothing.max_bps) == (0, None)


def test_a_neighbour_is_starved_below_its_guarantee() -> None:
    """It discarded and carried less than 0.9 of its CIR; a full link above it, or an idle one, is not starved."""
    made = rows((4, 10, 3), (9, 10, 3), (1, 10, 0))
    assert starved_seconds(made, Direction.DOWN, 5 * M) == 60
