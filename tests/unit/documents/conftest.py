"""A trial of one or more lines, and the rows a poller would have written of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np

from bwmgr.measure.calendars import instant_ms
from bwmgr.measure.columns import RATE, Rows
from bwmgr.model.samples import GapReason
from bwmgr.model.trial import Clauses, Promise, Trial
from bwmgr.stores import LINK_RATE

START = datetime(2026, 1, 19, 17, 0, tzinfo=UTC)  # midnight in Jakarta
DAYS = 10
MEGA = 10**6


def promise(name: str = "dinkes", mbps: int | None = 400) -> Promise:
    rate = mbps * MEGA if mbps is not None else None
    return Promise(id=name, name=name, measurement=LINK_RATE, series=name, device=f"rtr-{name}", down_bps=rate, up_bps=rate)


def make_trial(*lines: Promise, **other: object) -> Trial:
    told = {"end": START + timedelta(days=DAYS), **other}
    return Trial(
        id="uji",
        title="Uji coba",
        lines=lines or (promise(),),
        start=START,
        clauses=told.pop("clauses", Clauses()),
        interval_seconds=60.0,
        created_at=START,
        created_by="budi",
        **told,
    )  # type: ignore[arg-type]  # the tests say which fields


def rows(
    rate_mbps: Callable[[int], float] | float,
    *,
    count: int = DAYS * 1440,
    limit_mbps: float = np.inf,
    discards_ps: float = 0.0,
    rtt_ms: float = 4.0,
) -> Rows:
    """A minute a row from START on."""
    made = np.zeros(count, RATE)
    made["end_ms"] = instant_ms(START) + 60_000 * np.arange(1, count + 1)
    made["interval_ticks"] = 6000
    rates = [rate_mbps(minute) if callable(rate_mbps) else rate_mbps for minute in range(count)]
    made["down_bps"] = made["up_bps"] = np.array(rates) * MEGA
    made["down_limit_bps"] = made["up_limit_bps"] = limit_mbps * MEGA
    made["down_discards_ps"] = made["up_discards_ps"] = discards_ps
    made["rtt_us"] = rtt_ms * 1000
    return made


def silent(made: Rows, first: int, last: int) -> Rows:
    """The same with no answer in these minutes."""
    made["reason"][first:last] = GapReason.TIMEOUT
    made["down_bps"][first:last] = made["up_bps"][first:last] = np.nan
    made["rtt_us"][first:last] = 0
    return made
