"""InfluxDB 3, as its documentation has it: no server of it was at hand, so these run against a double."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bwmgr.errors import StoreError
from bwmgr.model.secret import Secret
from bwmgr.stores import FLOW_USAGE, LINK_RATE, UPLINK_RATE
from bwmgr.stores.influx import Access, InfluxStore
from bwmgr.stores.influx.client import Client
from bwmgr.stores.influx.lines import Renderer
from bwmgr.stores.influx.reading import names
from bwmgr.stores.influx.schema import KEPT, TABLES
from bwmgr.testing.influx_v3 import InfluxV3
from tests.unit.influx.conftest import batch

TOKEN = "apiv3_of-a-test"


@pytest.fixture
def server() -> Iterator[InfluxV3]:
    with InfluxV3(TOKEN) as running:
        yield running


def access(server: InfluxV3, token: str = TOKEN) -> Access:
    return Access(url=server.url, bucket="bwmgr", org="", token=Secret(token), timeout_seconds=5.0, retention_seconds=30 * 86400)


def test_the_server_is_named_with_its_build(server: InfluxV3) -> None:
    """From its headers; a statement that is none is refused by it, so it is believed."""
    found = Client(access(server)).server
    assert (str(found), found.major, found.queries) == ("InfluxDB 3.2.0 Core", 3, True)


def test_tables_are_made_with_all_their_tags_before_the_first_point(server: InfluxV3, tmp_path: Path) -> None:
    """A link that gets its OPD later brings a tag that the table does not learn any more: it has it from the beginning."""
    store = InfluxStore(access(server), tmp_path / "spool")
    store.write(LINK_RATE, batch(2))
    assert store.flush(5.0)
    store.retag({(LINK_RATE, "link-0"): {"kind": "opd", "opd": "dinkes"}})
    store.write(LINK_RATE, batch(2, minute=2))
    assert store.flush(5.0), store.spool_state()
    assert store.spool_state().refused_lines == 0
    store.close()
    assert server.retention == {"bwmgr": "720h"}
    assert server.tables["bwmgr"].keys() == TABLES.keys()
    assert len(server.lines) == 2 * 2 * 3


def test_tables_that_are_there_need_no_right_to_make_them(server: InfluxV3, tmp_path: Path) -> None:
    """Enterprise has tokens for one database; one that may not make tables says so, and everything waits until somebody does."""
    server.may_configure = False
    store = InfluxStore(access(server), tmp_path / "spool")
    store.write(LINK_RATE, batch(1))
    assert not store.flush(2.0)
    assert store.spool_state().alarm
    assert not server.lines
    server.tables["bwmgr"] = {table: set(tags) for table, tags in TABLES.items()}
    assert store.flush(5.0), store.spool_state()
    store.close()
    assert len(server.lines) == 3


def test_a_line_that_is_refused_is_put_aside_and_no_other(server: InfluxV3, tmp_path: Path) -> None:
    """3 keeps the good lines of a request and says 400: sent again they are the same points."""
    store = InfluxStore(access(server), tmp_path / "spool")
    store.write_lines(b"poller,job=poll links_ok=1i 1\npoller,job=poll,host=a links_ok=2i 2\npoller,job=poll links_ok=3i 3\n")
    assert store.flush(5.0)
    assert store.spool_state().refused_lines == 1
    store.close()
    assert {line.rsplit(b" ", 1)[1] for line in server.lines} == {b"1", b"3"}
    assert "new tag 'host'" in (tmp_path / "spool" / "refused.jsonl").read_text()


def test_a_wrong_token_keeps_all_and_never_shows(server: InfluxV3, tmp_path: Path) -> None:
    """3 tells nobody without a token even its version (fault 42)."""
    store = InfluxStore(access(server, "wrong"), tmp_path / "spool")
    store.write(LINK_RATE, batch(1))
    assert not store.flush(2.0)
    state = store.spool_state()
    store.close()
    assert state.alarm
    assert "401" in state.trouble
    assert "wrong" not in state.trouble.replace("is wrong", "")


def test_queries_are_gets_and_answers_are_read(server: InfluxV3) -> None:
    """A database that is not made yet holds nothing; null tags are empty ones; an objection is an error; who has been silent for
    more than a day is asked for too."""
    client = Client(access(server))
    assert names(client, UPLINK_RATE) == set()
    server.tables["bwmgr"] = {}
    server.answers["SELECT x FROM m GROUP BY opd"] = [
        {"name": "m", "tags": {"opd": None}, "columns": ["time", "x"], "values": [[1, 2.0]]}
    ]
    (series,) = client.query("SELECT x FROM m GROUP BY opd")
    assert series["tags"] == {"opd": ""}
    with pytest.raises(StoreError, match="invalid InfluxQL"):
        list(client.query("DROP EVERYTHING"))
    everybody = 'SHOW TAG VALUES FROM "uplink_rate", "uplink_gap" WITH KEY = "link" WHERE time >= 0'
    server.answers[everybody] = [{"name": "uplink_rate", "columns": ["key", "value"], "values": [["link", "silent-for-weeks"]]}]
    assert names(client, UPLINK_RATE) == {"silent-for-weeks"}


def test_the_newest_rows_are_looked_for_among_the_last_days(server: InfluxV3, tmp_path: Path) -> None:
    """3 Core refuses a query over more than about three days: asked about all time, it would answer nothing for ever after."""
    server.tables["bwmgr"] = {}
    store = InfluxStore(access(server), tmp_path / "spool")
    store.latest(LINK_RATE, series=["link-0"])
    store.close()
    asked = [text for text in server.asked if text.startswith("SELECT")]
    assert len(asked) == 2
    assert all("time >= now() - 2d" in text for text in asked)


@pytest.mark.parametrize("measurement", [LINK_RATE, UPLINK_RATE])
def test_no_line_of_ours_has_a_tag_that_its_table_lacks(measurement: str) -> None:
    """Rates, gaps and states alike, with every tag that an inventory can give."""
    rows = batch(2)
    rows.rows["reason"][1] = 1
    every = dict.fromkeys(("kind", "node", "device", "opd"), "x")
    body = Renderer({(measurement, name): every for name in rows.series}).body(measurement, rows)
    for line in body.decode().splitlines():
        table, *tags = line.split(" ")[0].split(",")
        assert {tag.split("=")[0] for tag in tags} <= set(TABLES[table]), line


def test_every_measurement_has_a_table() -> None:
    """What is stored by rows, and where gaps and states of it go."""
    kept = {name for one in KEPT.values() for name in (one.measurement, one.gaps, one.state) if name}
    assert kept | {FLOW_USAGE} <= TABLES.keys()
