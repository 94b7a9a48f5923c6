"""The embedded store beside a plain dictionary: any writes, in any order, across compaction and reopening, read the same."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bwmgr.measure.columns import RATE, RateBatch
from bwmgr.stores import LINK_RATE
from bwmgr.stores.embedded import EmbeddedStore

START = datetime(2026, 1, 1, tzinfo=UTC)
START_MS = int(START.timestamp() * 1000)
DAYS = 3
STEP_MS = 6 * 3_600_000
Row = tuple[str, int, float, int]

_ROWS = st.tuples(
    st.sampled_from([f"link-{number}" for number in range(300)][::60]),
    st.integers(0, DAYS * 4 - 1),
    st.floats(0, 1e12),
    st.sampled_from([0, 0, 2, 7]),
)
_ACTS = st.one_of(
    st.lists(_ROWS, max_size=12).map(lambda rows: ("write", rows)),
    st.integers(0, DAYS + 1).map(lambda day: ("compact", day)),
    st.just(("reopen", 0)),
)


def _batch(rows: list[Row]) -> RateBatch:
    names = tuple(f"link-{number}" for number in range(300))
    table = np.zeros(len(rows), RATE)
    for row, (name, slot, rate, reason) in zip(table, rows, strict=True):
        row["series"], row["end_ms"], row["reason"] = names.index(name), START_MS + slot * STEP_MS, reason
        row["down_bps"] = rate
    return RateBatch(series=names, rows=table)


def _expected(model: dict[tuple[str, int], tuple[float, int]], rows: list[Row]) -> None:
    """The rule, row by row: a rate beats a gap, then the later write wins."""
    for name, slot, rate, reason in rows:
        before = model.get((name, slot))
        if before is None or not reason or before[1]:
            model[name, slot] = (rate, reason)


def _read(store: EmbeddedStore) -> dict[tuple[str, int], tuple[float, int]]:
    batch = store.read(LINK_RATE, start=START, end=START + timedelta(days=DAYS))
    found = {
        (batch.series[row["series"]], (int(row["end_ms"]) - START_MS) // STEP_MS): (float(row["down_bps"]), int(row["reason"]))
        for row in batch.rows
    }
    assert len(found) == len(batch.rows)
    return found


@settings(max_examples=40, deadline=None)
@given(st.lists(_ACTS, max_size=10))
def test_the_store_is_a_dictionary(acts: list[tuple[str, object]]) -> None:
    """Rows, latest and spans follow from the writes alone, wherever the rows lie."""
    model: dict[tuple[str, int], tuple[float, int]] = {}
    with tempfile.TemporaryDirectory() as folder:
        store = EmbeddedStore(Path(folder))
        for act, argument in acts:
            if act == "write":
                assert isinstance(argument, list)
                store.write(LINK_RATE, _batch(argument))
                _expected(model, argument)
            elif act == "compact":
                assert isinstance(argument, int)
                store.compact(START + timedelta(days=argument, hours=2))
            else:
                store.close()
                store = EmbeddedStore(Path(folder))
        assert _read(store) == model
        latest = store.latest(LINK_RATE)
        newest = {name: max(slot for other, slot in model if other == name) for name, _ in model}
        assert {latest.series[row["series"]]: (int(row["end_ms"]) - START_MS) // STEP_MS for row in latest.rows} == newest
        counts = {name: sum(other == name for other, _ in model) for name, _ in model}
        assert {name: span.rows for name, span in store.spans(LINK_RATE).items()} == counts
        store.close()
