"""The whole program with its rates in a real InfluxDB: the daemon writes, every command answers as it does with the folder."""

from __future__ import annotations

import json
import re
import signal
import urllib.parse
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bwmgr.config.settings import WebSection
from bwmgr.daemon.advice import advise
from bwmgr.daemon.application import Application
from bwmgr.daemon.copying import copy_store
from bwmgr.daemon.influx_checks import check_influx
from bwmgr.daemon.policy_registry import load_settings
from bwmgr.daemon.web.access import Access
from bwmgr.daemon.web.site import make_site
from bwmgr.stores import LINK_RATE
from bwmgr.testing.history import write_history
from bwmgr.testing.influx_versions import access_to, installed, missing, running, store_yaml
from bwmgr.testing.influxd import Influxd
from bwmgr.testing.influxd2 import TOKEN, Influxd2
from bwmgr.testing.site import OCTETS_PER_SECOND, Site
from bwmgr.testing.stage import Stage

pytestmark = [pytest.mark.system, pytest.mark.clock]
DAYS = timedelta(days=7)
NOW = datetime(2026, 3, 11, 3, tzinfo=UTC)


@pytest.fixture
def influxd(tmp_path: Path) -> Iterator[Influxd | Influxd2]:
    """The newest that is installed; what differs between versions is under test in the contract."""
    if not installed():
        pytest.skip(missing("1.8"))
    with running(max(installed()), tmp_path / "server") as server:
        yield server


def _asked(server: Influxd | Influxd2, query: str) -> list[Any]:
    url = f"{server.url}/query?{urllib.parse.urlencode({'db': 'bwmgr', 'q': query, 'epoch': 's'})}"
    with urlopen(Request(url, headers={"Authorization": f"Token {TOKEN}"}), timeout=10) as answer:
        return list(json.load(answer)["results"][0].get("series", ()))


def test_the_daemon_writes_there_and_all_that_reads_agrees(influxd: Influxd | Influxd2, tmp_path: Path) -> None:
    """Rates, node sums, poller and collector arrive; status, usage and doctor answer; the metrics tell of the spool."""
    (tmp_path / "site").mkdir()
    site = Site(tmp_path / "site", interval_seconds=2)  # a point's time is in whole seconds: two cycles must not share one
    try:
        here = "store: {kind: embedded, path: var}"
        (site.folder / "secret").write_text(TOKEN)
        access = store_yaml(access_to(influxd, "bwmgr"), "{file: secret}")
        there = f"store: {{kind: influxdb, path: var, {access}}}"
        site.path.write_text(site.path.read_text().replace(here, there))
        with site.daemon() as daemon:
            daemon.wait_for_message("STATUS=3 of 3 links have a rate", count=3)
            port = daemon.wait_for_log("daemon started")[0]["metrics_port"]
            with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
                metrics = {family.name for family in text_string_to_metric_families(answer.read().decode())}
            assert {"bwmgr_influx_spool_segments", "bwmgr_influx_sent_rows"} <= metrics
            assert [link["state"] for link in site.json("status")["links"]] == ["ok"] * 3
            daemon.signal(signal.SIGTERM)
            assert daemon.wait() == 0
            cycles = daemon.logged("cycle done")
            assert "site-community" not in json.dumps(daemon.log)
            assert TOKEN not in json.dumps(daemon.log)
        usage = {(entry["link"], entry["direction"]): entry for entry in site.json("usage", "link-0")}
        assert usage["link-0", "down"]["samples"] == len(cycles) - 1
        assert usage["link-0", "down"]["mean_bps"] == pytest.approx(8 * OCTETS_PER_SECOND, rel=0.05)
        for measurement, field in (("poller", "links_ok"), ("collector", "replies"), ("node_usage", "rate_bps")):
            (series,) = _asked(influxd, f"SELECT count({field}) FROM {measurement} WHERE direction = 'down' OR job =~ /./")
            assert series["values"][0][1] >= 2, measurement
        (root,) = _asked(
            influxd, "SELECT last(rate_bps), links_measured FROM node_usage WHERE node = 'root' AND direction = 'down'"
        )
        assert root["values"][0][1] == pytest.approx(8 * OCTETS_PER_SECOND * 6, rel=0.05)
        assert root["values"][0][2] == 3
        raw = _asked(influxd, "SELECT * FROM interface GROUP BY link")
        assert {series["tags"]["link"] for series in raw} == {"link-0", "link-1", "link-2"}
        assert sum(len(series["values"]) for series in raw) == sum(cycle["answered"] for cycle in cycles)
        for series in raw:
            points = [dict(zip(series["columns"], values, strict=True)) for values in series["values"]]
            assert all(one["ifHCInOctets"] <= other["ifHCInOctets"] for one, other in pairwise(points))
            number = series["tags"]["link"].removeprefix("link-")
            assert {(one["source"], one["ifName"], one["ifIndex"]) for one in points} == {(f"router-{number}", "ether1", "7")}
            assert all(one["ifDescr"] for one in points)
    finally:
        site.close()


def test_the_regency_is_judged_the_same_whatever_keeps_its_rates(influxd: Influxd | Influxd2, tmp_path: Path) -> None:
    """A week of the virtual regency, copied: status, usage and recommendations are equal, figure by figure."""
    stage = Stage(tmp_path / "regency", now=NOW)
    settings = load_settings(stage.configuration)
    access = access_to(influxd, "bwmgr")
    server = {"url": access.url, "database": access.database, "bucket": access.bucket, "org": access.org, "token": access.token}
    here = Application(replace(settings, store=replace(settings.store, **server)), clock=stage.clock)
    write_history(here.embedded, stage.regency, start=stage.begins - DAYS, end=stage.begins, interval_seconds=3600)
    done = copy_store(here, "embedded", "influxdb", again=False, progress=lambda done, total: None)
    assert done.rows > 9_000
    elsewhere = replace(settings.store, kind="influxdb", path=tmp_path / "elsewhere", **server)
    there = Application(replace(settings, store=elsewhere), clock=stage.clock)
    assert [finding.code for finding in check_influx(elsewhere)] == ["influx_server"]
    links, now = list(here.inventory.links), here.clock.now()
    for ask in (
        lambda one: one.usage(links, now - DAYS, now),
        lambda one: one.history.health(links, start=now - DAYS, end=now),
        lambda one: replace(one.status(), at=now),
        lambda one: [_judgement(found) for found in advise(one, now).recommendations],
        lambda one: one.store.spans(LINK_RATE),
    ):
        found = ask(here)
        assert found == ask(there)
        assert found
    for address in ("/", "/links", "/links/dinkes?window=week", "/recommendations", "/health"):
        here_page, there_page = (_page(one, address) for one in (here, there))
        assert here_page == there_page, address
        assert "dinkes" in there_page or address == "/health"
    assert there.influx.flush(30.0)
    (told,) = _asked(influxd, "SELECT count(cir_bps), count(demand_low_bps) FROM allocation")
    assert told["values"][0][1] == 2 * len(links)
    assert told["values"][0][2] > len(links)
    for one in (here, there):
        one.close()


def _page(application: Application, address: str) -> str:
    """As the browser gets it, but for the ids of recommendations, which each store's queue has of its own."""
    site = make_site(application, Access(WebSection(listen=("127.0.0.1", 0))), dict)
    answer = site.test_client().get(address, headers={"Host": "127.0.0.1"})
    assert answer.status_code == 200, address
    return re.sub(r"\b[0-9a-f]{12}\b", "ID", answer.get_data(as_text=True))


def _judgement(found: Any) -> Any:
    return replace(found, id="")
