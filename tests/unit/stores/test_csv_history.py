"""Import of CSV history: what is stored, what is refused, and that doing it again changes nothing."""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from bwmgr.measure.columns import RateBatch
from bwmgr.model.inventory import Inventory
from bwmgr.model.samples import GapReason, Quality
from bwmgr.stores import LINK_RATE
from bwmgr.stores.csv_history import NAMED_MISTAKES, import_csv
from bwmgr.stores.embedded import EmbeddedStore

NOW = datetime(2026, 3, 2, tzinfo=UTC)
HEAD = "time,link,down_bps,up_bps\n"
GOOD = HEAD + (
    "2026-02-01T07:00:00,link-0,100,10\n2026-02-01T00:05:00Z,link-0,200,20\n"
    "2026-02-01T07:10:00+07:00,link-0,,\n2026-02-01T08:10:00,link-0,400,40\n"
)


@pytest.fixture
def inventory(make_inventory: Callable[..., Inventory]) -> Inventory:
    return make_inventory(links=2)


class CountingStore(EmbeddedStore):
    """Counts its transactions."""

    writes = 0

    def write(self, measurement: str, batch: RateBatch) -> None:
        self.writes += 1
        super().write(measurement, batch)


def _rows(store: EmbeddedStore) -> np.ndarray:
    return store.read(LINK_RATE, start=datetime(2026, 1, 1, tzinfo=UTC), end=NOW).rows


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_is_stored_once_however_often_it_is_imported(tmp_path: Path, inventory: Inventory, packed: bool) -> None:
    """Naive times are the organisation's, empty rates are gaps, intervals are the spacing up to the cap."""
    path = tmp_path / "history.csv"
    path.write_bytes(gzip.compress(GOOD.encode()) if packed else GOOD.encode())
    store = EmbeddedStore(tmp_path / "data")
    for _ in range(2):
        report = import_csv(path, store, inventory, now=NOW)
        assert (report.rows, report.mistakes) == (4, [])
        rows = _rows(store)
        assert rows["interval_ticks"].tolist() == [30_000, 30_000, 30_000, 45_000]
        assert rows["reason"].tolist() == [0, 0, GapReason.NOT_RECORDED, 0]
        assert rows["down_bps"][[0, 1, 3]].tolist() == [100, 200, 400]
        assert set(rows["quality"].tolist()) == {Quality.IMPORTED}


@pytest.mark.parametrize(
    "line",
    [
        "2026-02-01T07:00:00,nobody,1,1",
        "2026-02-01T07:00:00,link-1,x,1",
        "2026-02-01T07:00:00,link-1,-1,1",
        "2026-02-01T07:00:00,link-1,nan,1",
        "2026-02-01T07:00:00,link-1,1,inf",
        "yesterday,link-1,1,1",
        "2027-02-01T07:00:00,link-1,1,1",
        "2026-02-01T07:00:00,link-0,101,10",
    ],
)
def test_a_bad_row_refuses_the_file_by_its_line(tmp_path: Path, inventory: Inventory, line: str) -> None:
    """Nothing is stored, unless the bad rows are to be skipped."""
    path = tmp_path / "history.csv"
    path.write_text(GOOD + line + "\n")
    store = EmbeddedStore(tmp_path / "data")
    report = import_csv(path, store, inventory, now=NOW)
    assert [(entry.file, entry.line) for entry in report.mistakes] == [(str(path), 6)]
    assert not len(_rows(store))
    assert import_csv(path, store, inventory, now=NOW, skip_bad=True).rows == 4
    assert len(_rows(store)) == 4


def test_a_file_of_the_wrong_kind_names_its_first_mistakes_and_counts_all(tmp_path: Path, inventory: Inventory) -> None:
    """What is kept in memory does not grow with the mistakes."""
    path = tmp_path / "history.csv"
    path.write_text(HEAD + "yesterday,nobody,1,1\n" * 300)
    report = import_csv(path, EmbeddedStore(tmp_path / "data"), inventory, now=NOW)
    assert (len(report.mistakes), report.mistaken) == (NAMED_MISTAKES, 600)
    assert report.mistakes[0].line == 2


def test_many_links_go_in_few_writes(tmp_path: Path, make_inventory: Callable[..., Inventory]) -> None:
    """Lines may be in any order; a write holds whole links, and each row is where it belongs."""
    path = tmp_path / "history.csv"
    lines = [
        f"2026-02-01T{hour:02}:{minute:02}:00Z,link-{link},{link},{hour}"
        for hour in range(24)
        for minute in (0, 30)
        for link in range(50)
    ]
    random.Random(1).shuffle(lines)
    path.write_text(HEAD + "\n".join(lines) + "\n")
    store = CountingStore(tmp_path / "data")
    assert import_csv(path, store, make_inventory(links=60), now=NOW).rows == len(lines)
    assert store.writes == 1
    batch = store.read(LINK_RATE, start=datetime(2026, 1, 1, tzinfo=UTC), end=NOW)
    assert [f"link-{int(rate)}" for rate in batch.rows["down_bps"]] == [batch.series[number] for number in batch.rows["series"]]
    assert set(batch.rows["interval_ticks"].tolist()) == {180_000}
