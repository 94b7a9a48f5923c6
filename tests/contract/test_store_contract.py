"""What every store must do, whatever keeps its rows: the identity rule, ranges, order, and every registered measurement.

`STORES` lists how each kind of store is opened on a folder; a new store adds a line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bwmgr.errors import StoreRejected, UsageError
from bwmgr.measure.columns import FLOW_SUM, RATE, RateBatch
from bwmgr.stores import FLOW_USAGE, LINK_RATE, PROVIDER_RATE, UPLINK_RATE, RateStore
from bwmgr.stores.embedded import EmbeddedStore
from bwmgr.stores.influx import InfluxStore
from tests.contract.influx_servers import opened, stop

START = datetime(2026, 1, 1, tzinfo=UTC)
START_MS = int(START.timestamp() * 1000)
MINUTE_MS = 60_000
END = START + timedelta(days=30)


class CompactedAtOnce(EmbeddedStore):
    """Every write goes on into the day's file."""

    def write(self, measurement: str, batch: RateBatch) -> None:
        super().write(measurement, batch)
        self.compact(END + timedelta(days=2))


class HalfCompacted(EmbeddedStore):
    """Every other write goes on into the day's file, the rest stays in SQLite."""

    _odd = False

    def write(self, measurement: str, batch: RateBatch) -> None:
        super().write(measurement, batch)
        self._odd = not self._odd
        if self._odd:
            self.compact(END + timedelta(days=2))


STORES: dict[str, Callable[[Path], RateStore]] = {
    "embedded": EmbeddedStore,
    "embedded, compacted at once": CompactedAtOnce,
    "embedded, half compacted": HalfCompacted,
    "influxdb 1.6": partial(opened, "1.6", delivered=True),
    "influxdb 1.6, while the spool empties": partial(opened, "1.6", delivered=False),
    "influxdb 1.8": partial(opened, "1.8", delivered=True),
    "influxdb 2.7": partial(opened, "2.7", delivered=True),
}


@pytest.fixture(scope="module", autouse=True)
def _servers() -> Iterator[None]:
    yield
    stop()


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    opened = STORES[request.param](tmp_path / "data")
    yield opened
    opened.close()


def _rates(*lines: tuple[int, int, float, int], names: tuple[str, ...] = ("a", "b", "c")) -> RateBatch:
    """A batch of (series, minute, down_bps, reason)."""
    rows = np.zeros(len(lines), RATE)
    for row, (series, minute, rate, reason) in zip(rows, lines, strict=True):
        row["series"], row["end_ms"], row["reason"] = series, START_MS + minute * MINUTE_MS, reason
        row["down_bps"] = row["up_bps"] = rate
    return RateBatch(series=names, rows=rows)


def _found(batch: RateBatch) -> list[tuple[str, int, float]]:
    """(series, minute, down_bps), a gap's rate as -1."""
    return [
        (
            batch.series[row["series"]],
            (int(row["end_ms"]) - START_MS) // MINUTE_MS,
            -1 if row["reason"] else float(row["down_bps"]),
        )
        for row in batch.rows
    ]


def _all(store: RateStore, measurement: str = LINK_RATE, **asked: Any) -> RateBatch:
    return store.read(measurement, start=START, end=END, **asked)


def test_a_new_store_is_empty(store: RateStore) -> None:
    """No series, no rows, nothing raised; asked series are there without rows."""
    assert _all(store).series == ()
    assert not len(_all(store).rows)
    assert _all(store, series=["x"]).series == ("x",)
    assert [batch.series for batch in store.chunks(LINK_RATE, start=START, end=END, series=["x"])] == [("x",)]
    assert not len(store.latest(LINK_RATE).rows)
    assert not store.spans(LINK_RATE)


def test_rows_come_back_sorted_and_complete(store: RateStore) -> None:
    """By (series, end_ms), bit for bit, whatever their order when written."""
    random = np.random.default_rng(5)
    rows = np.zeros(40, RATE)
    rows["series"], rows["end_ms"] = random.permutation(40) % 4, START_MS + random.permutation(40) * MINUTE_MS
    for name in ("down_bps", "up_bps", "down_limit_bps", "up_limit_bps"):
        rows[name] = random.random(40) * 1e9
    for name in ("down_discards_ps", "up_discards_ps", "down_errors_ps", "up_errors_ps"):
        rows[name] = np.where(random.random(40) < 0.5, np.nan, random.random(40))
    rows["down_limit_bps"][:5], rows["rtt_us"], rows["quality"] = np.inf, random.integers(0, 2**32, 40), 255
    store.write(LINK_RATE, RateBatch(series=("d", "c", "b", "a"), rows=rows))
    batch = _all(store)
    assert batch.series == ("a", "b", "c", "d")
    expected = rows.copy()
    expected["series"] = 3 - rows["series"]
    assert batch.rows.tobytes() == expected[np.lexsort((expected["end_ms"], expected["series"]))].tobytes()


def test_a_rate_beats_a_gap_and_then_the_later_write_wins(store: RateStore) -> None:
    """fault 15: on the store's side no late gap overwrites a rate; a rate written again is one row, the later one."""
    store.write(LINK_RATE, _rates((0, 1, 1.0, 0), (1, 1, np.nan, 2)))
    store.write(LINK_RATE, _rates((0, 1, np.nan, 2), (1, 1, np.nan, 3), (2, 1, 1.0, 0), (2, 1, 2.0, 0)))
    assert _found(_all(store)) == [("a", 1, 1.0), ("b", 1, -1), ("c", 1, 2.0)]
    assert _all(store).rows["reason"].tolist() == [0, 3, 0]
    store.write(LINK_RATE, _rates((0, 1, 4.0, 0), (1, 1, 5.0, 0)))
    assert _found(_all(store)) == [("a", 1, 4.0), ("b", 1, 5.0), ("c", 1, 2.0)]


def test_ranges_are_half_open_and_series_come_as_asked(store: RateStore) -> None:
    """A row at `start` is in, one at `end` is not; unknown series have no rows; positions follow the asked order."""
    store.write(LINK_RATE, _rates(*((series, minute, 10.0 * series + minute, 0) for series in range(3) for minute in range(5))))
    part = store.read(
        LINK_RATE, start=START + timedelta(minutes=1), end=START + timedelta(minutes=3), series=["c", "nobody", "a"]
    )
    assert part.series == ("c", "nobody", "a")
    assert _found(part) == [("c", 1, 21.0), ("c", 2, 22.0), ("a", 1, 1.0), ("a", 2, 2.0)]
    assert part.rows["series"].tolist() == [0, 0, 2, 2]


def test_within_keeps_only_the_open_time(store: RateStore) -> None:
    """Spans are half-open; rows between them, and before or after them, stay away; no spans, no rows."""
    store.write(LINK_RATE, _rates(*((0, minute, float(minute), 0) for minute in (0, 1, 2, 3, 1441, 1442, 2881))))
    spans = START_MS + MINUTE_MS * np.array([[1, 3], [1442, 1443]])
    assert [minute for _, minute, _ in _found(_all(store, within=spans))] == [1, 2, 1442]
    assert not len(_all(store, within=np.empty((0, 2), np.int64)).rows)
    pieces = list(store.chunks(LINK_RATE, start=START, end=END, within=spans))
    assert [entry for batch in pieces for entry in _found(batch)] == _found(_all(store, within=spans))


def test_only_the_asked_columns_are_read(store: RateStore) -> None:
    """`series` and `end_ms` always are; a column that is not there is the asker's mistake."""
    store.write(LINK_RATE, _rates((0, 1, 1.0, 0)))
    assert _all(store, columns=["up_bps"]).rows.dtype.names == ("series", "end_ms", "up_bps")
    with pytest.raises(UsageError, match="colour"):
        _all(store, columns=["colour"])


def test_chunks_are_the_read_in_pieces_of_whole_series(store: RateStore) -> None:
    """Each asked series is in exactly one piece, with or without rows."""
    names = tuple(f"link-{number:04}" for number in range(700))
    store.write(LINK_RATE, _rates(*((series, minute, 1.0, 0) for series in range(700) for minute in (1, 2)), names=names))
    asked = ["nobody", *reversed(names)]
    pieces = list(store.chunks(LINK_RATE, start=START, end=END, series=asked))
    assert sorted(name for piece in pieces for name in piece.series) == sorted(asked)
    found = sorted(entry for piece in pieces for entry in _found(piece))
    assert found == _found(_all(store))


def test_latest_is_the_newest_row_of_each_series(store: RateStore) -> None:
    """However long one has been silent, and gaps count as rows."""
    store.write(LINK_RATE, _rates((0, 1, 1.0, 0), (1, 1, 2.0, 0)))
    store.write(LINK_RATE, _rates((1, 40_000, 3.0, 0), (2, 40_000, np.nan, 2)))
    assert _found(store.latest(LINK_RATE)) == [("a", 1, 1.0), ("b", 40_000, 3.0), ("c", 40_000, -1)]
    assert store.latest(LINK_RATE, series=["c", "x", "a"]).series == ("c", "x", "a")
    assert _found(store.latest(LINK_RATE, series=["c", "x", "a"])) == [("c", 40_000, -1), ("a", 1, 1.0)]


def test_spans_say_what_exists(store: RateStore) -> None:
    """First, last and number of rows of each series; a row written twice counts once."""
    store.write(LINK_RATE, _rates((0, 1, 1.0, 0), (0, 2, 1.0, 0), (1, 3000, 1.0, 0)))
    store.write(LINK_RATE, _rates((0, 2, 2.0, 0)))
    spans = store.spans(LINK_RATE)
    assert {name: (span.first - START, span.last - START, span.rows) for name, span in spans.items()} == {
        "a": (timedelta(minutes=1), timedelta(minutes=2), 2),
        "b": (timedelta(minutes=3000), timedelta(minutes=3000), 1),
    }


def test_measurements_do_not_meet(store: RateStore) -> None:
    """A link and an uplink of one name are two series."""
    store.write(LINK_RATE, _rates((0, 1, 1.0, 0)))
    store.write(UPLINK_RATE, _rates((0, 1, 2.0, 0)))
    store.write(PROVIDER_RATE, _rates((0, 1, 3.0, 0)))
    found = [_found(_all(store, measurement)) for measurement in (LINK_RATE, UPLINK_RATE, PROVIDER_RATE)]
    assert found == [[("a", 1, 1.0)], [("a", 1, 2.0)], [("a", 1, 3.0)]]


def test_flow_usage_is_kept_to_the_last_octet(store: RateStore) -> None:
    """Sums of flows by minute: 64 bits of octets, any key as a name, and the later write wins."""
    names = ("dinkes|down|https|domestic", "dinkes|up|other|international")
    rows = np.zeros(4, FLOW_SUM)
    rows["series"], rows["end_ms"] = [0, 1, 0, 1], START_MS + MINUTE_MS * np.array([1, 1, 2, 2])
    rows["octets"], rows["packets"], rows["flows"], rows["sampled"] = [2**64 - 1, 2**53 + 1, 3, 4], 2**40, 7, 1
    for _ in range(2):
        store.write(FLOW_USAGE, RateBatch(series=names, rows=rows))
    rows["octets"][2:] = 0
    store.write(FLOW_USAGE, RateBatch(series=names, rows=rows[2:]))
    pieces = list(store.chunks(FLOW_USAGE, start=START, end=END, columns=["octets", "flows"]))
    assert [piece.rows.tolist() for piece in pieces] == [
        [
            (0, START_MS + MINUTE_MS, 2**64 - 1, 7),
            (0, START_MS + 2 * MINUTE_MS, 0, 7),
            (1, START_MS + MINUTE_MS, 2**53 + 1, 7),
            (1, START_MS + 2 * MINUTE_MS, 0, 7),
        ]
    ]
    assert store.latest(FLOW_USAGE).rows["packets"].tolist() == [2**40, 2**40]
    assert {name: span.rows for name, span in store.spans(FLOW_USAGE).items()} == dict.fromkeys(names, 2)


@pytest.mark.parametrize("name", ["a,b c=d", 'say "hi"', "Dinas\nKesehatan", "é 🚦", "%_'; DROP TABLE series; --"])
def test_any_name_comes_back(store: RateStore, name: str) -> None:
    """fault 64: what a series is called never matters; one store refuses what its protocol cannot say, before it is sent."""
    if isinstance(store, InfluxStore) and "\n" in name:
        with pytest.raises(StoreRejected, match="line break"):
            store.write(LINK_RATE, _rates((0, 1, 1.0, 0), names=(name,)))
        return
    store.write(LINK_RATE, _rates((0, 1, 1.0, 0), names=(name,)))
    assert _all(store).series == (name,)
    assert list(store.spans(LINK_RATE)) == [name]


@pytest.mark.parametrize(
    ("measurement", "batch"),
    [
        ("colour", _rates((0, 1, 1.0, 0))),
        (FLOW_USAGE, _rates((0, 1, 1.0, 0))),
        (LINK_RATE, RateBatch(series=("a",), rows=_rates((0, 1, 1.0, 0)).rows[["series", "end_ms"]])),
        (LINK_RATE, _rates((3, 1, 1.0, 0))),
        (LINK_RATE, _rates((0, -(2**40), 1.0, 0))),
        (LINK_RATE, _rates((0, 1, 1.0, 0), (1, 1, 1.0, 0), names=("a", "a"))),
        (LINK_RATE, _rates((0, 1, 1.0, 0), names=("",))),
    ],
    ids=["measurement", "layout", "columns", "position", "time", "name twice", "no name"],
)
def test_a_wrong_batch_is_rejected_whole(store: RateStore, measurement: str, batch: RateBatch) -> None:
    """And says which row or name; nothing of it is kept."""
    with pytest.raises(StoreRejected):
        store.write(measurement, batch)
    assert not store.spans(LINK_RATE)
