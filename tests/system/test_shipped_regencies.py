"""Each shipped configuration is brought to life: its devices answer, and are polled for real."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from bwmgr import config
from bwmgr.daemon.application import Application
from bwmgr.daemon.policy_registry import parameter_classes
from bwmgr.model.samples import GapReason
from bwmgr.stores import LINK_RATE, UPLINK_RATE
from bwmgr.testing.clock import LeapClock
from bwmgr.testing.regency import Regency

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.no_cover]  # 9,000 links: the tracer would take a minute

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))
_MORNING = datetime(2026, 3, 3, 3, 0, tzinfo=UTC)
_ENV = re.compile(r"env:\s*(\w+)")


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_shipped_configuration_comes_alive(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two cycles over UDP give a rate of every polled link and uplink; one regency's uplinks carry what its links carry."""
    for name in {name for file in path.parent.rglob("*.yaml") for name in _ENV.findall(file.read_text())}:
        monkeypatch.setenv(name, os.environ.get(name, "kata-sandi-percobaan"))
    settings = config.load(path, policies=parameter_classes())
    clock = LeapClock(_MORNING)
    regency = Regency(settings.inventory, clock)
    patient = replace(settings.snmp, timeout_seconds=20.0)  # thousands of agents share one process, and it with the poller
    alive = replace(settings, inventory=regency.inventory, snmp=patient, store=replace(settings.store, path=tmp_path))
    application = Application(alive, clock=clock)
    with regency:
        poller = application.poller()
        poller.cycle()
        clock.wait(settings.snmp.interval_seconds)
        report = poller.cycle()
        poller.close()
    assert report.answered == len(report.devices) == len(application.targets())
    assert [gap for gap in report.gaps if gap.reason is not GapReason.NO_COUNTERS] == []
    links = application.store.latest(LINK_RATE, series=list(regency.links)).rows
    assert (links["reason"] == GapReason.NONE).all()
    assert np.nansum(links["down_bps"]) > 0
    if regency.uplinks:
        uplinks = application.store.latest(UPLINK_RATE, series=list(regency.uplinks)).rows
        assert (uplinks["reason"] == GapReason.NONE).all()
    application.close()
