"""Usage and health through the store: calendars, order, percentiles at small counts, and the same figures after a restart."""

from __future__ import annotations

import math
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from bwmgr.errors import UsageError
from bwmgr.measure.columns import RATE, RateBatch
from bwmgr.model.inventory import ALWAYS, Calendar, Direction
from bwmgr.model.usage import UsageWindow
from bwmgr.stores import LINK_RATE
from bwmgr.stores.embedded import EmbeddedStore
from bwmgr.stores.history import History

START = datetime(2026, 3, 1, 17, tzinfo=UTC)
"""Monday 2 March, midnight in Jakarta."""
MORNING = Calendar(id="morning", weekly=(*[((time(8), time(12)),)] * 5, (), ()))
SLOT = timedelta(minutes=5)


def _store(folder: Path, samples: dict[str, list[float]]) -> EmbeddedStore:
    """Each link's samples, one in 5 minutes from START on; NaN is a gap."""
    store = EmbeddedStore(folder)
    for number, (name, rates) in enumerate(samples.items()):
        rows = np.zeros(len(rates), RATE)
        rows["end_ms"] = [int((START + SLOT * (n + 1)).timestamp() * 1000) for n in range(len(rates))]
        rows["down_bps"], rows["up_bps"] = rates, np.array(rates) / 2
        rows["reason"] = np.where(np.isnan(rows["down_bps"]), 2, 0)
        rows["interval_ticks"], rows["down_limit_bps"], rows["up_limit_bps"] = 30_000, np.inf, np.inf
        store.write(LINK_RATE, RateBatch(series=(name,), rows=rows))
        if number % 2:
            store.compact(START + timedelta(days=40))
    return store


def _history(store: EmbeddedStore) -> History:
    return History(store, {"always": ALWAYS, "morning": MORNING}, "Asia/Jakarta")


@pytest.mark.parametrize("compacted", [False, True])
def test_percentiles_are_nearest_rank_for_any_count(tmp_path: Path, compacted: bool) -> None:
    """fault 63: 0, 1, 19, 20, 21 and 8,640 samples, with ties and gaps; a gap is no sample."""
    counts = (0, 1, 19, 20, 21, 8640)
    samples = {f"n{count}": [float(v // 2) for v in np.random.default_rng(count).permutation(count)] for count in counts}
    samples["n20"] = [value for pair in zip(samples["n20"], [math.nan] * 20, strict=True) for value in pair]
    store = _store(tmp_path, samples)
    if compacted:
        store.compact(START + timedelta(days=40))
    windows = _history(store).usage(list(samples), start=START, end=START + timedelta(days=31))
    found = {(window.link, window.direction): window for window in windows}
    for count in counts:
        ordered = sorted(value for value in samples[f"n{count}"] if not math.isnan(value))
        down = found[f"n{count}", Direction.DOWN]
        assert (down.samples, down.p95_bps) == (count, ordered[math.ceil(0.95 * count - 1e-9) - 1] if count else None)


def test_each_series_has_its_own_calendar_and_the_order_is_kept(tmp_path: Path) -> None:
    """Down then up of each, also of one that has no data or is asked twice."""
    store = _store(tmp_path, {"a": [1.0] * 288, "b": [2.0] * 288})
    asked = ["b", "nobody", "a", "b"]
    calendar = {"a": "morning", "b": "always", "nobody": "always"}
    windows = _history(store).usage(asked, start=START, end=START + timedelta(days=1), calendar=calendar)
    assert [(window.link, window.direction) for window in windows] == [(name, way) for name in asked for way in Direction]
    assert [window.samples for window in windows[::2]] == [287, 0, 48, 287]
    assert [window.calendar for window in windows[::2]] == ["always", "always", "morning", "always"]


def test_an_unknown_calendar_is_named(tmp_path: Path) -> None:
    """With those that there are."""
    with pytest.raises(UsageError, match="'night'; there are always, morning"):
        _history(_store(tmp_path, {})).usage(["a"], start=START, end=START + SLOT, calendar="night")


def test_octets_are_the_same_after_a_replay(tmp_path: Path) -> None:
    """fault 60: a quota is a sum over stored rows; cycles written again after a restart add nothing, hot or compacted."""
    samples = {"a": [float(n) for n in range(288)], "b": [7.0] * 288}

    def usage(store: EmbeddedStore) -> list[UsageWindow]:
        return _history(store).usage(["a", "b"], start=START, end=START + timedelta(days=2))

    before = usage(_store(tmp_path, samples))
    again = _store(tmp_path, samples)
    assert usage(again) == before
    again.compact(START + timedelta(days=40))
    assert usage(again) == before


def test_health_is_in_the_asked_order(tmp_path: Path) -> None:
    """One entry a series, also without rows."""
    store = _store(tmp_path, {"a": [1.0, math.nan], "b": [1.0, 1.0]})
    found = _history(store).health(["b", "nobody", "a"], start=START, end=START + timedelta(days=1))
    assert [entry.link for entry in found] == ["b", "nobody", "a"]


def test_a_month_begins_at_local_midnight_and_no_octet_is_in_two(tmp_path: Path) -> None:
    """fault 58: Jayapura's March begins at 15:00 UTC; a sample belongs to its later reading, so adjacent months add up."""
    store = EmbeddedStore(tmp_path)
    march = datetime(2026, 2, 28, 15, tzinfo=UTC)
    assert march == datetime(2026, 3, 1, tzinfo=ZoneInfo("Asia/Jayapura"))
    rows = np.zeros(10, RATE)
    rows["end_ms"] = [int((march + SLOT * n).timestamp() * 1000) for n in range(-5, 5)]
    rows["down_bps"], rows["interval_ticks"], rows["down_limit_bps"] = 800.0, 30_000, np.inf
    store.write(LINK_RATE, RateBatch(series=("a",), rows=rows))
    history = History(store, {"always": ALWAYS}, "Asia/Jayapura")
    february = history.usage(["a"], start=march - timedelta(days=28), end=march)[0]
    after = history.usage(["a"], start=march, end=march + timedelta(days=31))[0]
    assert (february.samples, after.samples) == (5, 5)
    assert february.octets + after.octets == 10 * 300 * 100
