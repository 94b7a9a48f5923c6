"""A week of the demo's regency in memory: what a report reads, without a disk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from bwmgr.measure.calendars import instant_ms, spans
from bwmgr.measure.columns import RATE, RateBatch
from bwmgr.measure.health import link_health
from bwmgr.measure.windows import usage_windows
from bwmgr.model.inventory import Calendar
from bwmgr.model.secret import Secret
from bwmgr.model.usage import LinkHealth, UsageWindow
from bwmgr.reports.facts import Facts, gather
from bwmgr.stores import LINK_RATE, SeriesSpan
from bwmgr.testing.clock import ManualClock
from bwmgr.testing.history import write_history
from bwmgr.testing.kabupaten import Passwords, kabupaten, troubles
from bwmgr.testing.regency import Regency

TEN_O_CLOCK = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
START = TEN_O_CLOCK - timedelta(days=7)


class MemoryStore:
    """Fulfils `bwmgr.stores.RateStore` for rows that are written once."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], list[np.ndarray]] = {}

    def write(self, measurement: str, batch: RateBatch) -> None:
        for position, name in enumerate(batch.series):
            rows = batch.rows[batch.rows["series"] == position]
            self._rows.setdefault((measurement, name), []).append(rows)

    def read(
        self,
        measurement: str,
        *,
        start: datetime,
        end: datetime,
        series: Sequence[str] | None = None,
        columns: Sequence[str] | None = None,
        within: np.ndarray | None = None,
    ) -> RateBatch:
        names = tuple(series if series is not None else sorted(name for kind, name in self._rows if kind == measurement))
        found = [self._series(measurement, name, position, start, end) for position, name in enumerate(names)]
        return RateBatch(series=names, rows=np.concatenate(found) if found else np.empty(0, RATE))

    def chunks(self, measurement: str, **what: object) -> Iterator[RateBatch]:
        yield self.read(measurement, **what)

    def latest(self, measurement: str, *, series: Sequence[str] | None = None) -> RateBatch:
        everything = self.read(
            measurement, start=datetime(1971, 1, 1, tzinfo=UTC), end=datetime(2100, 1, 1, tzinfo=UTC), series=series
        )
        last = np.flatnonzero(np.diff(everything.rows["series"], append=np.uint32(2**32 - 1)))
        return RateBatch(series=everything.series, rows=everything.rows[last])

    def spans(self, measurement: str) -> Mapping[str, SeriesSpan]:
        return {}

    def close(self) -> None:
        pass

    def _series(self, measurement: str, name: str, position: int, start: datetime, end: datetime) -> np.ndarray:
        pieces = self._rows.get((measurement, name))
        if not pieces:
            return np.empty(0, RATE)
        rows = np.sort(np.concatenate(pieces), order="end_ms")
        rows["series"] = position
        return rows[(rows["end_ms"] >= instant_ms(start)) & (rows["end_ms"] < instant_ms(end))]


class MemoryHistory:
    """As `bwmgr.stores.history.History`, by the definitions of `bwmgr.measure` alone."""

    def __init__(self, store: MemoryStore, calendars: Mapping[str, Calendar], timezone: str) -> None:
        self._store, self._calendars, self._timezone = store, calendars, timezone

    def usage(
        self,
        series: Sequence[str],
        *,
        start: datetime,
        end: datetime,
        calendar: str | Mapping[str, str],
        percentile: float = 95.0,
        measurement: str = LINK_RATE,
    ) -> list[UsageWindow]:
        found: list[UsageWindow] = []
        for name in series:
            batch = self._store.read(measurement, start=start, end=end, series=[name])
            own = calendar if isinstance(calendar, str) else calendar[name]
            hours = spans(self._calendars[own], self._timezone, start, end)
            found += usage_windows(batch, start=start, end=end, calendar=own, spans=hours, percentile=percentile)
        return found

    def health(self, series: Sequence[str], *, start: datetime, end: datetime) -> list[LinkHealth]:
        return link_health(self._store.read(LINK_RATE, start=start, end=end, series=series), start=start, end=end)


@pytest.fixture(scope="session")
def place() -> Regency:
    """The demo's regency with all its troubles, on Tuesday 24 November 2026, 10:00 in Jakarta."""
    passwords = Passwords(community=Secret("sekolah"), auth=Secret("kata-sandi-1"), priv=Secret("kata-sandi-2"))
    made = Regency(kabupaten(passwords), ManualClock(TEN_O_CLOCK), troubles=troubles(TEN_O_CLOCK))
    made.stop()
    return made


@pytest.fixture(scope="session")
def store(place: Regency) -> MemoryStore:
    """The week before."""
    kept = MemoryStore()
    write_history(kept, place, start=START, end=TEN_O_CLOCK)
    return kept


@pytest.fixture(scope="session")
def history(store: MemoryStore, place: Regency) -> MemoryHistory:
    return MemoryHistory(store, place.inventory.calendars, "Asia/Jakarta")


@pytest.fixture(scope="session")
def empty_facts(place: Regency) -> Facts:
    """The first day of an office without any sample."""
    store = MemoryStore()
    history = MemoryHistory(store, place.inventory.calendars, "Asia/Jakarta")
    start = datetime(2026, 1, 1, tzinfo=UTC)
    return gather(place.inventory, store, history, [], start=start, end=start + timedelta(days=1), created_at=start)
