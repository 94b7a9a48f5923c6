"""Trials and closed months say the same from either store: rows copied into a real InfluxDB give the same figures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bwmgr.daemon.application import Application
from bwmgr.daemon.monthly_figures import gather
from bwmgr.daemon.policy_registry import load_settings
from bwmgr.daemon.trials import link_promises, measure
from bwmgr.measure.columns import RateBatch
from bwmgr.model.monthly import Month
from bwmgr.model.trial import Clauses, Trial
from bwmgr.stores import LINK_RATE, UPLINK_RATE, RateStore
from bwmgr.testing.clock import ManualClock
from bwmgr.testing.influxd import Influxd, influxd_programs
from tests.unit.documents.test_monthly_report import CONFIGURATION, END, START, history

pytestmark = pytest.mark.system


@pytest.fixture
def influxd(tmp_path: Path) -> Iterator[Influxd]:
    programs = influxd_programs()
    if not programs:
        pytest.skip("no influxd is installed (tools/influxd18.sh, or the package influxdb)")
    with Influxd(programs[max(programs)], tmp_path / "server") as server:
        yield server


def fill(store: RateStore) -> None:
    for series, rows in (("dinkes", history(2.0, office_mbps=19.5)), ("dpmd", history(3.0, until=START + timedelta(days=15)))):
        store.write(LINK_RATE, RateBatch(series=(series,), rows=rows))
    store.write(UPLINK_RATE, RateBatch(series=("isp-2026",), rows=history(6.0, office_mbps=24.0)))


def opened(folder: Path, store: str) -> Application:
    folder.mkdir()
    text = CONFIGURATION.replace("store: {kind: embedded, path: var}", store)
    (folder / "bwmgr.yaml").write_text(text, encoding="utf-8")
    return Application(load_settings(folder / "bwmgr.yaml"), clock=ManualClock(END + timedelta(days=2)))


def month_of(application: Application) -> Month:
    return gather(application, "2026-01", START, END, by="x", progress=lambda _: None)


def trial_of(application: Application) -> Trial:
    return Trial(
        id="uji", title="", lines=tuple(link_promises(application.inventory, ["dinkes", "dpmd"], None, None)), start=START,
        end=START + timedelta(days=10), clauses=Clauses(), interval_seconds=300.0, created_at=START, created_by="x",
    )  # fmt: skip


def test_a_month_and_a_trial_are_the_same_from_either_store(
    influxd: Influxd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every figure of the month, and every line and clause of a trial, to the last bit of the rows that both hold."""
    monkeypatch.setenv("SNMP_COMMUNITY", "publik-sekali")
    access = f"url: '{influxd.url}', database: bwmgr, username: noc, password: {{env: SNMP_COMMUNITY}}"
    there = f"store: {{kind: influxdb, path: var, {access}}}"
    with closing(opened(tmp_path / "here", "store: {kind: embedded, path: var}")) as embedded:
        fill(embedded.store)
        month, result = month_of(embedded), measure(embedded, trial_of(embedded))
    with closing(opened(tmp_path / "there", there)) as influx:
        fill(influx.store)
        influx.influx.flush(60)
        assert replace(month_of(influx), closed_by="x") == month
        assert measure(influx, trial_of(influx)) == result
