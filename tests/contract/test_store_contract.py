"""What every store must do, whatever keeps its rows: the identity rule, and survival of reopening, compaction and backup."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from bwmgr.measure.columns import RATE, RateBatch
from bwmgr.stores import LINK_RATE
from bwmgr.stores.embedded import EmbeddedStore

START = datetime(2026, 1, 1, tzinfo=UTC)
END = START + timedelta(days=3)


def _batch(rate: float, reason: int = 0) -> RateBatch:
    rows = np.zeros(1, RATE)
    rows["end_ms"], rows["down_bps"], rows["up_bps"], rows["reason"] = int(START.timestamp() * 1000), rate, rate, reason
    return RateBatch(series=("a",), rows=rows)


def _rates(store: EmbeddedStore) -> list[float]:
    rates: list[float] = store.read(LINK_RATE, start=START, end=END).rows["down_bps"].tolist()
    return rates


def test_a_rate_beats_a_gap_and_then_the_later_write_wins(tmp_path: Path) -> None:
    """Also where the first was compacted already (fault 15: a late gap overwrites no rate)."""
    store = EmbeddedStore(tmp_path / "data")
    store.write(LINK_RATE, _batch(1.0))
    store.compact(END)
    store.write(LINK_RATE, _batch(np.nan, 2))
    assert _rates(store) == [1.0]
    store.write(LINK_RATE, _batch(2.0))
    assert _rates(store) == [2.0]
    store.compact(END)
    assert _rates(store) == [2.0]


def test_a_backup_is_a_store(tmp_path: Path) -> None:
    """Hot and compacted rows are both in it."""
    store = EmbeddedStore(tmp_path / "data")
    store.write(LINK_RATE, _batch(1.0))
    store.compact(END)
    store.backup(tmp_path / "copy")
    assert _rates(EmbeddedStore(tmp_path / "copy", readonly=True)) == [1.0]
