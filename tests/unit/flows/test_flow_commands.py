"""`top`, `usage --by`, `status`, `flows reconcile` and `flows query` as an operator types them, over an hour of flows."""

from __future__ import annotations

import csv
import io
import json
import socket
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from bwmgr.cli import bwmgr
from bwmgr.cli.session import Session
from bwmgr.daemon.flow_messages import SNAPSHOT_FILE
from bwmgr.daemon.flow_plan import RAW_FOLDER, FlowPlan
from bwmgr.daemon.flow_strays import add_strays
from bwmgr.daemon.flow_work import FlowWork
from bwmgr.errors import UsageError
from bwmgr.measure.columns import FLOW_SUM, RATE, RateBatch
from bwmgr.model.inventory import Inventory, Link, LinkKind, Organisation
from bwmgr.stores import FLOW_USAGE, LINK_RATE
from bwmgr.stores.embedded import EmbeddedStore
from bwmgr.stores.state import StateStore
from bwmgr.testing.clock import ManualClock
from collectors.netflow.settings import FlowSettings, RawSettings
from tests.unit.netflow import packets

NOW = datetime(2026, 2, 2, 3, 30, tzinfo=UTC)
HOUR = datetime(2026, 2, 2, 2, 0, tzinfo=UTC)
CONFIGURATION = """\
organisation: {name: Diskominfo, timezone: Asia/Jakarta, language: LANGUAGE}
store: {kind: embedded, path: var}
calendars: {weekend: {sat: "08:00-16:00"}}
providers:
  - id: telkom
    name: Telkom
    contracts: [{id: utama, down: 100M, up: 100M, domestic: 60M, international: 40M}]
credentials: {baca: {version: 2c, community: {env: COMMUNITY}}}
devices: [{id: core, address: 192.0.2.1, credentials: baca}]
nodes: [{id: kab, capacity: {down: 100M, up: 100M}}]
links:
  - {id: dinkes, name: Dinas Kesehatan, kind: opd, parent: kab, networks: [10.20.1.0/24],
     interface: {device: core, if_name: ether1, faces: subscriber}}
  - {id: disdik, name: Dinas Pendidikan, kind: opd, parent: kab, networks: [10.20.2.0/24],
     interface: {device: core, if_name: ether2, faces: subscriber}}
"""
MINUTE_OCTETS = {
    "dinkes|down|google|international": 3_000_000,
    "dinkes|down|zoom|domestic": 1_000_000,
    "dinkes|up|https|domestic": 500_000,
    "disdik|down|google|international": 2_000_000,
}


def write_flows(store: EmbeddedStore, start: datetime, minutes: int) -> None:
    """The same octets in each minute from `start` on."""
    series = tuple(MINUTE_OCTETS)
    rows = np.zeros(len(series) * minutes, FLOW_SUM)
    rows["series"] = np.repeat(np.arange(len(series)), minutes)
    rows["end_ms"] = np.tile(round(start.timestamp() * 1000) + 60_000 * (1 + np.arange(minutes)), len(series))
    rows["octets"] = np.repeat(list(MINUTE_OCTETS.values()), minutes)
    rows["packets"], rows["flows"] = rows["octets"] // 1000, 10
    store.write(FLOW_USAGE, RateBatch(series=series, rows=rows))


def write_counters(store: EmbeddedStore, rates: dict[str, tuple[float, float]], start: datetime, minutes: int) -> None:
    """Constant (down, up) bit/s of links, a row a minute."""
    rows = np.zeros(len(rates) * minutes, RATE)
    rows["series"] = np.repeat(np.arange(len(rates)), minutes)
    rows["end_ms"] = np.tile(round(start.timestamp() * 1000) + 60_000 * (1 + np.arange(minutes)), len(rates))
    rows["interval_ticks"] = 6000
    for place, name in enumerate(("down_bps", "up_bps")):
        rows[name] = np.repeat([rate[place] for rate in rates.values()], minutes)
    rows["down_limit_bps"] = rows["up_limit_bps"] = np.inf
    store.write(LINK_RATE, RateBatch(series=tuple(rates), rows=rows))


@pytest.fixture
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Flows of 02:00 to 03:29 UTC. dinkes' counters agree with them, disdik's have twice as much."""
    monkeypatch.setenv("COMMUNITY", "rahasia")
    (tmp_path / "bwmgr.yaml").write_text(CONFIGURATION.replace("LANGUAGE", "en"))
    store = EmbeddedStore(tmp_path / "var")
    write_flows(store, HOUR, 89)
    per_minute = 8 / 60
    counters = {"dinkes": (4_100_000 * per_minute, 510_000 * per_minute), "disdik": (4_000_000 * per_minute, 100.0)}
    write_counters(store, counters, HOUR, 60)
    store.close()
    return tmp_path / "bwmgr.yaml"


def said(configured: Path, *words: str, now: datetime = NOW) -> Result:
    return CliRunner().invoke(bwmgr, ["-c", str(configured), *words], obj=Session(clock=ManualClock(now)))


def document(configured: Path, *words: str, exit_code: int = 0) -> Any:
    result = said(configured, *words, "--format", "json")
    assert result.exit_code == exit_code, result.output
    return json.loads(result.stdout)


def test_top_is_of_the_newest_five_minutes(configured: Path) -> None:
    """By application, of all links together, with means and shares."""
    found = document(configured, "top")
    assert (found["start"], found["end"], found["old"]) == ("2026-02-02T03:24:00Z", "2026-02-02T03:29:00Z", False)
    down = [(row["application"], row["octets"], row["share_ratio"]) for row in found["rows"] if row["direction"] == "down"]
    assert down == [("google", 25_000_000, 0.833333), ("zoom", 5_000_000, 0.166667)]
    assert found["rows"][0]["mean_bps"] == round(25_000_000 * 8 / 300)


def test_top_of_a_link_by_class(configured: Path) -> None:
    """One link's own shares; the table says them in words, its time in the organisation's zone."""
    rows = document(configured, "top", "dinkes", "--by", "class")["rows"]
    assert {(row["direction"], row["class"], row["share_ratio"]) for row in rows} == {
        ("down", "international", 0.75),
        ("down", "domestic", 0.25),
        ("up", "domestic", 1.0),
    }
    shown = said(configured, "top", "dinkes", "--by", "class").stdout
    assert "10:24" in shown
    assert "75%" in shown


def test_top_says_that_flows_are_old_or_that_there_are_none(configured: Path, tmp_path: Path) -> None:
    """Exit 3, and what to look at."""
    late = said(configured, "top", now=NOW + timedelta(hours=1))
    assert late.exit_code == 3
    assert "is the daemon running" in late.stderr
    hosts = said(configured, "top", "--by", "host")
    assert hosts.exit_code == 3
    assert "bwmgr doctor" in hosts.stderr


def test_top_by_network_is_the_daemons_view(configured: Path) -> None:
    """AS numbers, hosts and conversations come from its newest file."""
    largest = {"asn": {"down": [{"asn": 15169, "octets": 900, "share_ratio": 0.9}]}}
    top = {"start": "2026-02-02T03:25:00Z", "end": "2026-02-02T03:30:00Z", "seconds": 300, "approximate": False}
    view = {"at": "2026-02-02T03:29:30Z", "top": {**top, "links": {"dinkes": largest}}}
    (configured.parent / "var" / SNAPSHOT_FILE).write_text(json.dumps(view))
    (row,) = document(configured, "top", "dinkes", "--by", "asn")["rows"]
    assert row == {"link": "dinkes", "direction": "down", "asn": 15169, "octets": 900, "mean_bps": 24, "share_ratio": 0.9}
    assert "15169" in said(configured, "top", "--by", "asn").stdout


def test_usage_by_application_over_a_window_and_a_calendar(configured: Path) -> None:
    """Octets of the window, the mean over the calendar's open time; each link's own calendar is one too many."""
    window = ("--start", "2026-02-02 09:00", "--end", "2026-02-02 10:00")
    rows = document(configured, "usage", "dinkes", "--by", "application", *window)
    assert [(row["direction"], row["application"], row["octets"], row["mean_bps"]) for row in rows] == [
        ("down", "google", 60 * 3_000_000, round(60 * 3_000_000 * 8 / 3600)),
        ("down", "zoom", 60 * 1_000_000, round(60 * 1_000_000 * 8 / 3600)),
        ("up", "https", 60 * 500_000, round(60 * 500_000 * 8 / 3600)),
    ]
    assert document(configured, "usage", "--by", "class", *window, "--calendar", "weekend") == []
    refused = said(configured, "usage", "--by", "class", "--calendar", "link")
    assert isinstance(refused.exception, UsageError)
    table = csv.DictReader(io.StringIO(said(configured, "usage", "--by", "class", *window, "--format", "csv").stdout))
    assert [row["class"] for row in table] == ["international", "domestic", "domestic"]


@pytest.mark.parametrize(("language", "word"), [("en", "international"), ("id", "internasional")])
def test_status_holds_each_class_against_its_contract(configured: Path, language: str, word: str) -> None:
    """Domestic and international of the newest five minutes beside what the contracts promise of each."""
    configured.write_text(CONFIGURATION.replace("LANGUAGE", language))
    classes = document(configured, "status")["traffic_classes"]
    assert [(one["traffic_class"], one["contracted_bps"], one["down_bps"]) for one in classes] == [
        ("domestic", 60_000_000, round(1_000_000 * 8 / 60)),
        ("international", 40_000_000, round(5_000_000 * 8 / 60)),
    ]
    assert classes[1]["utilisation_ratio"] == pytest.approx(5_000_000 * 8 / 60 / 40e6, abs=1e-6)
    assert word in said(configured, "status").stdout


def test_reconcile_names_what_differs_and_why(configured: Path) -> None:
    """dinkes agrees within frames' headers; disdik's flows are half of its counters: exit 3, a cause in words."""
    rows = document(configured, "flows", "reconcile", "--start", "2026-02-02 09:00", "--end", "2026-02-02 10:00", exit_code=3)
    verdicts = {(row["link"], row["direction"]): row["verdict"] for row in rows}
    assert verdicts["dinkes", "down"] == "agrees"
    assert verdicts["disdik", "down"] == "differs"
    shown = said(configured, "flows", "reconcile", "--start", "2026-02-02 09:00", "--end", "2026-02-02 10:00")
    assert "disdik" in shown.stdout
    assert "dinkes" not in shown.stdout


def test_reconcile_points_to_networks_where_as_much_belongs_to_no_link(configured: Path) -> None:
    """What the daemon counted of no link in that hour makes the cause a wrong network, not a router that exports too little."""
    (configured.parent / "var").mkdir(exist_ok=True)
    state = StateStore(configured.parent / "var" / "state.sqlite")
    for minute in range(60):
        add_strays(state, HOUR + timedelta(minutes=minute), 2_000_000)
    state.close()
    window = ("--start", "2026-02-02 09:00", "--end", "2026-02-02 10:00")
    rows = document(configured, "flows", "reconcile", "disdik", *window, exit_code=3)
    assert [row["cause"] for row in rows if row["direction"] == "down"] == ["wrong_networks"]


@pytest.fixture
def kept(configured: Path) -> Path:
    """Two flows of dinkes and one of disdik, kept raw by a collector that heard them."""
    links: Sequence[Link] = [
        Link(id=name, name=name, kind=LinkKind.OPD, networks=(ip_network(network),))
        for name, network in (("dinkes", "10.20.1.0/24"), ("disdik", "10.20.2.0/24"))
    ]
    raw = RawSettings(folder=configured.parent / "var" / RAW_FOLDER)
    plan = FlowPlan(
        settings=FlowSettings(listen=(("127.0.0.1", 0),), raw=raw),
        inventory=Inventory(organisation=Organisation(name="Uji"), links={link.id: link for link in links}),
    )
    work = FlowWork(plan)
    server = b"\x08\x08\x08\x08"
    inside = (b"\x0a\x14\x01\x05", b"\x0a\x14\x01\x06", b"\x0a\x14\x02\x05")
    records = [
        packets.v5_record(source=server, destination=one, octets=1000 * (number + 1), source_port=443)
        for number, one in enumerate(inside)
    ]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.sendto(packets.v5(records, seconds=int(time.time())), work.addresses[0])
    work.step(2.0)
    work.close()
    return configured


def asked(kept: Path, *words: str) -> list[dict[str, Any]]:
    now = datetime.now(UTC)
    result = said(kept, "flows", "query", *words, "--format", "json", now=now + timedelta(seconds=5))
    assert result.exit_code == 0, result.output
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return found


def test_query_asks_the_flows_that_were_kept(kept: Path) -> None:
    """By link, by host, and in SQL."""
    assert sorted(row["octets"] for row in asked(kept, "--link", "dinkes")) == [1000, 2000]
    assert [row["octets"] for row in asked(kept, "--host", "10.20.2.5")] == [3000]
    assert asked(kept, "--sql", "select sum(octets) as octets from flows") == [{"octets": 6000}]
    assert not asked(kept, "--port", "25")


def test_query_of_nothing_kept_says_so(configured: Path) -> None:
    """Exit 3, and what keeps flows."""
    result = said(configured, "flows", "query")
    assert result.exit_code == 3
    assert "netflow.raw" in result.stderr
