"""InfluxDB 2.x, as its documentation describes it: a double, for what a real one takes long to set up, and where none is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bwmgr.model.secret import Secret
from bwmgr.stores import LINK_RATE
from bwmgr.stores.influx import Access, InfluxStore
from bwmgr.stores.influx.lines import Renderer
from bwmgr.testing.influx_v2 import InfluxV2
from tests.unit.influx.conftest import batch

TOKEN = "tanda-masuk-rahasia"


@pytest.fixture
def server() -> Iterator[InfluxV2]:
    with InfluxV2(TOKEN) as running:
        yield running


def _store(server: InfluxV2, folder: Path, token: str = TOKEN) -> InfluxStore:
    access = Access(
        url=server.url, org="kominfo", bucket="bwmgr", token=Secret(token), timeout_seconds=5.0, retention_seconds=86400.0 * 365
    )
    return InfluxStore(access, folder)


def test_the_bucket_and_its_name_for_influxql_are_made_once(server: InfluxV2, tmp_path: Path) -> None:
    """With the retention of the configuration; a second process finds them there and changes nothing."""
    for minute in range(2):
        store = _store(server, tmp_path / "spool")
        store.write(LINK_RATE, batch(3, minute))
        assert store.flush(5.0), store.spool_state()
        assert str(store.server()) == "InfluxDB 2.7.12"
        store.close()
    ((name, bucket),) = server.buckets.items()
    assert (name, [rule["everySeconds"] for rule in bucket["retentionRules"]]) == ("bwmgr", [31_536_000])
    assert [(one["database"], one["bucketID"], one["default"]) for one in server.mappings] == [("bwmgr", bucket["id"], True)]
    assert b"".join(line + b"\n" for line in server.lines) == b"".join(
        Renderer().body(LINK_RATE, batch(3, minute)) for minute in range(2)
    )


def test_a_refused_token_keeps_all_and_never_shows(server: InfluxV2, tmp_path: Path) -> None:
    """fault 42 and 53: the alarm is raised, what waits goes with the right one."""
    store = _store(server, tmp_path / "spool", "salah-sekali")
    store.write(LINK_RATE, batch(3))
    assert not store.flush(1.0)
    state = store.spool_state()
    assert (state.segments, state.alarm, "salah" in state.trouble) == (1, True, False)
    store.close()
    store = _store(server, tmp_path / "spool")
    assert store.flush(5.0), store.spool_state()
    store.close()


def test_one_line_that_cannot_be_parsed_costs_no_other(server: InfluxV2, tmp_path: Path) -> None:
    """fault 41: 2.x refuses the request whole; all others are sent again without it."""
    store = _store(server, tmp_path / "spool")
    good = [b"node_usage,node=n%d rate_bps=%d 1767225600\n" % (number, number) for number in range(500)]
    store.write_lines(b"".join([*good[:200], b"node_usage,node=bad rate_bps= 1767225600\n", *good[200:]]))
    assert store.flush(5.0), store.spool_state()
    assert sorted(server.lines) == sorted(line.rstrip() for line in good)
    assert store.spool_state().refused_lines == 1
    assert "bad" in (tmp_path / "spool" / "refused.jsonl").read_text()
    store.close()


def test_a_bucket_that_is_taken_away_is_made_again(server: InfluxV2, tmp_path: Path) -> None:
    """404 with a code is a bucket, not an old server: nothing is dropped, and the endpoint of 1.x is not tried."""
    store = _store(server, tmp_path / "spool")
    store.write(LINK_RATE, batch(3, 0))
    assert store.flush(5.0)
    server.buckets.clear()
    store.write(LINK_RATE, batch(3, 1))
    assert store.flush(10.0), store.spool_state()
    assert (list(server.buckets), len(server.lines)) == (["bwmgr"], 18)
    store.close()


def test_without_the_right_to_tasks_the_hours_are_made_here(server: InfluxV2, tmp_path: Path) -> None:
    """A token for one bucket may not set up tasks: the daemon asks for the hours and writes them itself."""
    server.may_set_up_tasks = False
    store = _store(server, tmp_path / "spool")
    store.roll_up(datetime(2026, 1, 1, 12, 30, tzinfo=UTC))
    store.close()
    assert [text for text in server.asked if "GROUP BY time(1h)" in text]
