"""From one store into another: all days, in turn, and again only where it must be."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bwmgr.errors import StoreError, StoreUnavailable
from bwmgr.measure.columns import FLOW_SUM, RATE, RateBatch
from bwmgr.stores import FLOW_USAGE, LINK_RATE
from bwmgr.stores.copying import Copied, Finished, copy
from bwmgr.stores.embedded import EmbeddedStore

START = datetime(2026, 1, 1, tzinfo=UTC)
END = START + timedelta(days=9)
NOW = START + timedelta(days=3, hours=5)
BOTH = (LINK_RATE, FLOW_USAGE)


class Forgetful(EmbeddedStore):
    """Loses the last row of every write, and says nothing."""

    def write(self, measurement: str, batch: RateBatch) -> None:
        super().write(measurement, RateBatch(series=batch.series, rows=batch.rows[:-1]))


@pytest.fixture
def source(tmp_path: Path) -> EmbeddedStore:
    """Three links every hour of three days and some hours, and flows of the first day."""
    store = EmbeddedStore(tmp_path / "source")
    hours = int((NOW - START).total_seconds()) // 3600
    rows = np.zeros(3 * hours, RATE)
    rows["series"], hour = np.divmod(np.arange(3 * hours), hours)
    rows["end_ms"], rows["down_bps"] = int(START.timestamp() * 1000) + hour * 3_600_000 + 250, np.arange(3 * hours)
    rows["reason"][5] = 2
    store.write(LINK_RATE, RateBatch(series=("a", "b", "c"), rows=rows))
    flows = np.zeros(24, FLOW_SUM)
    flows["end_ms"], flows["octets"] = int(START.timestamp() * 1000) + np.arange(24) * 3_600_000, 2**63 + 5
    store.write(FLOW_USAGE, RateBatch(series=("a|down|https|domestic",), rows=flows))
    return store


@pytest.fixture
def copied(source: EmbeddedStore, tmp_path: Path) -> Callable[..., Copied]:
    def run(target: Any, **options: Any) -> Copied:
        settings = {"now": NOW, "finished": Finished(tmp_path / "done.json"), "settle": lambda: None}
        return copy(source, target, BOTH, **{**settings, **options})

    return run


def test_every_row_is_there_and_finished_days_are_not_done_again(
    source: EmbeddedStore, copied: Callable[..., Copied], tmp_path: Path
) -> None:
    """The day that is not over is copied each time: more of it may have come."""
    target = EmbeddedStore(tmp_path / "target")
    assert copied(target) == Copied(rows=3 * 77 + 24, days=5, skipped=0)
    for measurement in BOTH:
        there, here = (store.read(measurement, start=START, end=END) for store in (target, source))
        assert (there.series, there.rows.tobytes()) == (here.series, here.rows.tobytes())
    assert copied(target) == Copied(rows=3 * 5, days=1, skipped=4)


def test_a_run_that_was_stopped_goes_on(copied: Callable[..., Copied], tmp_path: Path) -> None:
    """The server went away in the third day: two are done, the third begins anew."""
    target, settled, seen = EmbeddedStore(tmp_path / "target"), iter([1, 1, 0]), []

    def settle() -> None:
        if not next(settled):
            raise StoreUnavailable("away")

    with pytest.raises(StoreUnavailable):
        copied(target, settle=settle)
    assert copied(target, progress=lambda done, total: seen.append((done, total))).skipped == 2
    assert seen == [(day, 5) for day in range(1, 6)]


def test_rows_that_do_not_arrive_are_told(copied: Callable[..., Copied], tmp_path: Path) -> None:
    """Not believed but looked for; the day is not recorded as finished."""
    with pytest.raises(
        StoreError, match=r"link_rate of 2026-01-01: 1 rows did not arrive, the first of them c at 2026-01-01T23:00:00"
    ):
        copied(Forgetful(tmp_path / "target"))
    assert copied(EmbeddedStore(tmp_path / "another")).skipped == 0


@pytest.mark.parametrize("text", ["{", "[]"])
def test_a_record_that_cannot_be_read_is_none(copied: Callable[..., Copied], tmp_path: Path, text: str) -> None:
    (tmp_path / "done.json").write_text(text)
    assert copied(EmbeddedStore(tmp_path / "target")).skipped == 0
