"""The weeks before: rates of a virtual regency as a poller would have written them, from the same cells as its counters.

Owns how cells become rows, gaps included where a device was off or had just booted. Made in columns: a month of seventy
links takes a second or two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from bwmgr.measure.columns import RATE, RateBatch, Rows
from bwmgr.model.inventory import Direction, Inventory, PerDirection
from bwmgr.model.samples import GapReason, Quality
from bwmgr.stores import LINK_RATE, UPLINK_RATE, RateStore
from bwmgr.testing.lives import Life
from bwmgr.testing.noise import key_of, uniform
from bwmgr.testing.regency import Regency
from bwmgr.testing.traffic import CELL_MS, COLUMNS, Condition, Traffic

_DAY_MS = 86_400_000
_TICK_MS = 10

Instants = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class _Series:
    """One series and all that its rows need."""

    name: str
    traffic: Traffic
    life: Life
    limits: PerDirection[int | None]
    counter32: bool = False


def write_history(
    store: RateStore,
    regency: Regency,
    *,
    start: datetime,
    end: datetime,
    interval_seconds: int = 300,
    progress: Callable[[float], None] = lambda _: None,
) -> int:
    """Rows of all links and uplinks that end within (start, end]; returns how many. `progress` hears the share done.

    `interval_seconds` is a whole number of minutes; rows stand on its grid. The store gets one batch a day.
    """
    ends_ms = _grid(start, end, interval_seconds * 1000)
    plans = (_links(regency), _uplinks(regency))
    batches = [_rows(plan, ends_ms, interval_seconds * 1000, regency.seed) for plan in plans]
    days = list(_days(ends_ms))
    for number, (first, last) in enumerate(days, 1):
        for measurement, plan, rows in zip((LINK_RATE, UPLINK_RATE), plans, batches, strict=True):
            if plan:
                names = tuple(one.name for one in plan)
                store.write(measurement, RateBatch(series=names, rows=rows[:, first:last].T.ravel()))
        progress(number / len(days))
    return sum(rows.size for rows in batches)


def _grid(start: datetime, end: datetime, interval_ms: int) -> Instants:
    first, last = round(start.timestamp() * 1000) // interval_ms, round(end.timestamp() * 1000) // interval_ms
    return np.arange(first + 1, last + 1, dtype=np.int64) * interval_ms


def _days(ends_ms: Instants) -> Iterator[tuple[int, int]]:
    """[first, last) positions of each UTC day's rows."""
    cuts = np.flatnonzero(np.diff(ends_ms // _DAY_MS)) + 1
    yield from zip([0, *cuts.tolist()], [*cuts.tolist(), len(ends_ms)], strict=True)


def _links(regency: Regency) -> list[_Series]:
    return [
        _Series(
            name=name,
            traffic=traffic,
            life=traffic.life,
            limits=traffic.link.limit,
            counter32=traffic.condition is Condition.COUNTER32,
        )
        for name, traffic in regency.links.items()
    ]


def _uplinks(regency: Regency) -> list[_Series]:
    devices = {name: uplink.interface.device for name, _, uplink in regency.inventory.uplinks()}
    return [
        _Series(name=name, traffic=traffic, life=regency.life(devices[name]), limits=_contracted(regency.inventory, name))
        for name, traffic in regency.uplinks.items()
    ]


def _contracted(inventory: Inventory, name: str) -> PerDirection[int | None]:
    contract = inventory.contracts.get(name)
    return PerDirection(down=contract.capacity.down, up=contract.capacity.up) if contract else PerDirection(down=None, up=None)


def _rows(plan: list[_Series], ends_ms: Instants, interval_ms: int, seed: int) -> Rows:
    """Shape (series, instants), layout RATE."""
    rows = np.zeros((len(plan), len(ends_ms)), RATE)
    for number, series in enumerate(plan):
        rows[number] = _series_rows(series, ends_ms, interval_ms, key_of(seed, "rtt", series.name))
        rows[number]["series"] = number
    return rows


def _series_rows(series: _Series, ends_ms: Instants, interval_ms: int, key: int) -> Rows:
    width, first = interval_ms // CELL_MS, (int(ends_ms[0]) - interval_ms) // CELL_MS
    amounts = series.traffic.cells(first, width * len(ends_ms))
    totals = amounts.counts.reshape(len(COLUMNS), -1, width).sum(axis=2)
    per_second = dict(zip(COLUMNS, totals * 1000 / interval_ms, strict=True))
    rows = np.zeros(len(ends_ms), RATE)
    rows["end_ms"] = ends_ms
    rows["interval_ticks"] = interval_ms // _TICK_MS
    rows["reason"] = _reasons(series.life, ends_ms, interval_ms)
    for direction in Direction:
        limit = series.limits[direction]
        rows[f"{direction}_limit_bps"] = np.inf if limit is None else limit
        rows[f"{direction}_bps"] = per_second[direction] * 8
        rows[f"{direction}_discards_ps"] = per_second[f"{direction}_discards"]
    rows["up_errors_ps"] = per_second["errors"]
    rows["quality"] = np.where(amounts.oper_up[width - 1 :: width], 0, Quality.OPER_DOWN)
    rows["quality"] |= np.uint8(Quality.COUNTER32 if series.counter32 else 0)
    rows["rtt_us"] = 700 + 2500 * uniform(key, ends_ms)
    return _emptied(rows)


def _emptied(rows: Rows) -> Rows:
    """Gaps hold no figures."""
    gaps = rows["reason"] != GapReason.NONE
    for column in ("bps", "discards_ps", "errors_ps"):
        for direction in Direction:
            rows[f"{direction}_{column}"][gaps] = np.nan
    rows["quality"][gaps] = 0
    rows["rtt_us"][rows["reason"] == GapReason.TIMEOUT] = 0
    return rows


def _reasons(life: Life, ends_ms: Instants, interval_ms: int) -> NDArray[np.uint8]:
    """No answer while the device is off; after a boot one reading more until there is a rate."""
    reasons = np.where(_boots(life, ends_ms) != _boots(life, ends_ms - interval_ms), GapReason.REBOOT, GapReason.NONE)
    return np.where(life.running(ends_ms), reasons, GapReason.TIMEOUT).astype(np.uint8)


def _boots(life: Life, at_ms: Instants) -> NDArray[np.int64]:
    return np.searchsorted(np.array([back_ms for _, back_ms in life.outages_ms], np.int64), at_ms, side="right")
