"""From one store into another, a UTC day at a time: each row is looked for in the target, and a finished day is not done again.

Owns the order, the looking and the record of finished days; opens no store. Instants are compared by whole seconds, the finest
that every store keeps: two rows of one series within a second may arrive as one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bwmgr.errors import StoreError
from bwmgr.measure.columns import RateBatch
from bwmgr.model.said import Said
from bwmgr.stores import RateStore

_DAY = timedelta(days=1)
_SECOND_MS = 1000
ROWS_AT_ONCE = 50_000
"""To a write: a server has some seconds of work with it."""


class Finished:
    """The days that an earlier run has brought over, in a file. One that cannot be read is none: copying again is exact."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._days: dict[str, list[str]] = _read(path)

    def has(self, measurement: str, day: datetime) -> bool:
        return day.date().isoformat() in self._days.get(measurement, ())

    def add(self, measurement: str, day: datetime) -> None:
        """On the disk when it returns, whole or not at all."""
        self._days.setdefault(measurement, []).append(day.date().isoformat())
        beside = self._path.with_suffix(".part")
        beside.write_text(json.dumps(self._days))
        beside.replace(self._path)

    def forget(self) -> None:
        """All is to be copied anew."""
        self._days = {}
        self._path.unlink(missing_ok=True)


@dataclass(kw_only=True)
class Copied:
    """What a run brought over: rows, whole days with something in them, and days that an earlier run had finished."""

    rows: int = 0
    days: int = 0
    skipped: int = 0


def copy(
    source: RateStore,
    target: RateStore,
    measurements: tuple[str, ...],
    *,
    now: datetime,
    finished: Finished,
    settle: Callable[[], None],
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Copied:
    """Every row of these measurements. `settle` returns when the target has all that was written; `progress`: days done, of all.

    A day that is not over by `now` is copied and not recorded as finished. Raises: StoreError where the target then holds fewer
    rows than were sent to it; what was finished stays so.
    """
    plan = [(measurement, day) for measurement in measurements for day in _days(source, measurement)]
    done = Copied()
    for position, (measurement, day) in enumerate(plan):
        if finished.has(measurement, day):
            done.skipped += 1
        else:
            done.rows += _day(source, target, measurement, day, settle)
            done.days += 1
            if day + _DAY <= now:
                finished.add(measurement, day)
        progress(position + 1, len(plan))
    return done


def _days(source: RateStore, measurement: str) -> Iterator[datetime]:
    spans = source.spans(measurement).values()
    if not spans:
        return
    day = min(span.first for span in spans).astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    last = max(span.last for span in spans)
    while day <= last:
        yield day
        day += _DAY


def _day(source: RateStore, target: RateStore, measurement: str, day: datetime, settle: Callable[[], None]) -> int:
    rows = 0
    for batch in source.chunks(measurement, start=day, end=day + _DAY):
        if not len(batch.rows):
            continue
        for first in range(0, len(batch.rows), ROWS_AT_ONCE):
            target.write(measurement, RateBatch(series=batch.series, rows=batch.rows[first : first + ROWS_AT_ONCE]))
        settle()
        _verify(target, measurement, day, batch)
        rows += len(batch.rows)
    return rows


def _verify(target: RateStore, measurement: str, day: datetime, sent: RateBatch) -> None:
    held = target.read(measurement, start=day, end=day + _DAY, series=sent.series, columns=())
    missing = np.setdiff1d(_seconds(sent), _seconds(held), assume_unique=True)
    if len(missing):
        position, second = int(missing[0] >> 40), int(missing[0] & (2**40 - 1))
        first = f"{sent.series[position]} at {datetime.fromtimestamp(second, UTC).isoformat()}"
        raise StoreError(
            Said(
                "{measurement} of {day}: {count} rows did not arrive, the first of them {first}",
                measurement=measurement,
                day=day.date().isoformat(),
                count=len(missing),
                first=first,
            )
        )


def _seconds(batch: RateBatch) -> NDArray[np.int64]:
    """Each (series, second) that there is, once."""
    keys: NDArray[np.int64] = np.unique(batch.rows["series"].astype(np.int64) << 40 | batch.rows["end_ms"] // _SECOND_MS)
    return keys


def _read(path: Path) -> dict[str, list[str]]:
    try:
        found = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return {name: list(days) for name, days in found.items()} if isinstance(found, dict) else {}
