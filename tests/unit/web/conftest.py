"""An office of three links with a day of rates, read by pages and commands alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient

from bwmgr.cli import bwmgr
from bwmgr.config.settings import WebSection
from bwmgr.daemon.application import Application
from bwmgr.daemon.policy_registry import load_settings
from bwmgr.daemon.web.access import Access
from bwmgr.daemon.web.site import make_site
from bwmgr.measure.columns import RATE, RateBatch
from bwmgr.model.bandwidth import Bandwidth
from bwmgr.model.decision import Action, Evidence, Reason, Recommendation
from bwmgr.model.inventory import Direction
from bwmgr.model.samples import GapReason
from bwmgr.stores import LINK_RATE, UPLINK_RATE

CONFIGURATION = """\
organisation: {name: Diskominfo <Contoh>, timezone: Asia/Jakarta, language: id}
store: {kind: embedded, path: var}
credentials: {default: {version: 2c, community: {file: community}}}
providers:
  - {id: icon, name: PT Icon, contracts: [{id: icon-2026, down: 100M, up: 100M}]}
devices:
  - {id: core, address: 127.0.0.1, port: 16100}
nodes:
  - id: kab
    capacity: {down: 100M, up: 100M}
    uplinks: [{interface: {device: core, if_name: wan, faces: provider}, contract: icon-2026}]
calendars: {office: {mon-sun: "00:00-12:00"}}
links:
  - {id: dinkes, name: Dinas Kesehatan, kind: opd, parent: kab, limit: {down: 20M, up: 20M}, calendar: office,
     interface: {device: core, if_name: ether1, faces: subscriber}}
  - {id: dishub, name: <b>Dishub</b> & co, kind: opd, parent: kab, limit: {down: 10M, up: none},
     interface: {device: core, if_name: ether2, faces: subscriber}}
  - {id: setda, name: Sekretariat, kind: opd, parent: kab, interface: {device: core, if_name: ether3, faces: subscriber}}
  - {id: desa, name: Desa, kind: village, parent: kab, networks: [10.9.0.0/24]}
"""
MINUTES = 1500
HEALTH: dict[str, Any] = {
    "healthy": True,
    "links_ok": 2,
    "last_cycle_at": None,
    "seconds_since_cycle": 65.2,
    "flow_lost": 1007,
    "flow_exporter_10.0.0.1": "NetFlow v9",
}


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    """Rates of every minute up to now; `setda` last answered with a timeout, `desa` is not polled. Only read by tests."""
    folder = tmp_path_factory.mktemp("office")
    (folder / "community").write_text("office-community")
    (folder / "bwmgr.yaml").write_text(CONFIGURATION)
    application = Application(load_settings(folder / "bwmgr.yaml"))
    now = datetime.now(UTC).replace(microsecond=0)
    _write(application, LINK_RATE, "dinkes", now, 20e6, 20e6)
    _write(application, LINK_RATE, "dishub", now, 4e6, 10e6)
    _write(application, LINK_RATE, "setda", now, 3e6, np.inf, silent=True)
    _write(application, UPLINK_RATE, "icon-2026", now, 61e6, 100e6)
    application.state.add_recommendations([_recommendation(now)])
    yield application
    application.close()


@pytest.fixture
def make_client(office: Application) -> Callable[..., FlaskClient]:
    """`make_client(token=..., user_header=..., proxies=..., health=...)`."""

    def make(health: Callable[[], dict[str, Any]] = lambda: HEALTH, **web: Any) -> FlaskClient:
        section = replace(WebSection(listen=("127.0.0.1", 0)), **web)
        return make_site(office, Access(section), health).test_client()

    return make


@pytest.fixture
def client(make_client: Callable[..., FlaskClient]) -> FlaskClient:
    return make_client()


@pytest.fixture
def printed(office: Application) -> Callable[..., str]:
    """What a command prints: `printed("status", lang="en")`."""

    def run(*words: str, lang: str = "id") -> str:
        done = CliRunner().invoke(bwmgr, ["-c", str(office.settings.source), "--lang", lang, *words], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return str(done.stdout)

    return run


def _write(
    application: Application,
    measurement: str,
    name: str,
    now: datetime,
    peak_bps: float,
    limit_bps: float,
    *,
    silent: bool = False,
) -> None:
    """A rate a minute that rises and falls by the hour; `silent`: the newest is a gap."""
    rows = np.zeros(MINUTES, RATE)
    minutes = np.arange(MINUTES)
    rows["end_ms"] = round((now - timedelta(minutes=MINUTES)).timestamp() * 1000) + 60_000 * (minutes + 1) - 10_000
    rows["interval_ticks"] = 6000
    rows["down_bps"] = peak_bps * (0.6 + 0.4 * np.cos((MINUTES - 1 - minutes) / 30))
    rows["up_bps"] = rows["down_bps"] / 4
    rows["down_limit_bps"], rows["up_limit_bps"] = limit_bps, np.inf
    if silent:
        rows["reason"][-1] = GapReason.TIMEOUT
        rows["down_bps"][-1] = rows["up_bps"][-1] = np.nan
    application.store.write(measurement, RateBatch(series=(name,), rows=rows))


def _recommendation(now: datetime) -> Recommendation:
    return Recommendation(
        id="0123456789ab", created_at=now, link="dinkes", direction=Direction.DOWN, action=Action.RAISE, policy="right_size",
        current=Bandwidth(cir_bps=5_000_000, mir_bps=20_000_000), proposed=Bandwidth(cir_bps=5_000_000, mir_bps=35_000_000),
        valid_from=now, valid_until=now + timedelta(days=7),
        reason=Reason(code="no_data", message="{link_name} has no {direction} measurements: nothing is changed.",
                      values={"link_name": "Dinas Kesehatan", "direction": "down"}),
        evidence=Evidence(start=now - timedelta(days=7), end=now, calendar="always", p95_bps=19e6, demand_bps=34e6,
                          saturated_ratio=0.41, coverage_ratio=1.0, samples=4210),
        author="sari",
    )  # fmt: skip
