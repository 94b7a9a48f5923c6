"""The virtual regency's exporters tell the same as its counters, through the real decoder and over real UDP."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from bwmgr import config
from bwmgr.daemon.flow_plan import make_plan
from bwmgr.daemon.flow_work import FlowWork
from bwmgr.daemon.policy_registry import parameter_classes
from bwmgr.testing.exporters import FRAME_OCTETS, PACKET_OCTETS, SERVICES
from bwmgr.testing.stage import Stage
from bwmgr.testing.traffic import COLUMNS

MINUTES = 2


def test_flows_are_the_counters_without_frames(tmp_path: Path) -> None:
    """To the octet for v9 and IPFIX, within rounding for sampled v5, within chance for sampled sFlow (whose octets are frames);
    applications and classes are those that the people of the regency use; no plan holds a secret (fault 53).
    """
    stage = Stage(tmp_path / "demo", scenario="calm")
    settings = config.load(stage.configuration, policies=parameter_classes())
    plan = make_plan(settings, None)
    assert not plan.inventory.credentials
    exporters, work = stage.exporters(), FlowWork(plan, stage.regency.now_ms)
    stage.clock.wait(60 * MINUTES + 1)
    for _ in exporters.each():
        work.step(0.0)
    while work.step(0.1):
        pass
    # a sample of sFlow has no time of its own: it counts in the minute in which it comes
    found = work.minutes(stage.regency.now_ms() / 1000 + 60)
    exporters.close()
    work.close()

    octets: Counter[tuple[str, str]] = Counter()
    kinds = set()
    for row in found.rows.rows:
        link, direction, application, traffic_class = found.rows.series[row["series"]].split("|")
        octets[link, direction] += int(row["octets"])
        kinds.add((application, traffic_class))
    assert kinds == {(service.name, "domestic" if service.domestic else "international") for service in SERVICES}
    assert found.totals.lost == 0
    tolerance = {"v9": 0.0, "ipfix": 0.0, "v5": 0.001, "sflow": 0.15}
    for link, traffic in stage.regency.links.items():
        interface = stage.regency.inventory.links[link].interface
        assert interface is not None
        counts = traffic.cells(stage.regency.begins_ms // 60_000, MINUTES).counts
        for direction in ("down", "up"):
            counted = counts[COLUMNS.index(direction)]
            expected = int((counted - FRAME_OCTETS * -(-counted // PACKET_OCTETS)).sum())
            allowed = tolerance[exporters.dialects[interface.device]]
            assert octets[link, direction] == pytest.approx(expected, rel=allowed, abs=0)
