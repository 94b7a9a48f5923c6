"""What `doctor` says of flows: one finding for each thing that a router or a configuration does wrong, each with its advice."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bwmgr import config
from bwmgr.daemon.findings import Finding
from bwmgr.daemon.flow_checks import check_flows
from bwmgr.daemon.flow_messages import SNAPSHOT_FILE
from bwmgr.daemon.policy_registry import parameter_classes

NOW = datetime(2026, 2, 2, 3, 30, tzinfo=UTC)
CONFIGURATION = """\
organisation: {name: Diskominfo, timezone: Asia/Jakarta}
store: {kind: embedded, path: var}
credentials: {baca: {version: 2c, community: {env: COMMUNITY}}}
devices:
  - {id: core, address: 192.0.2.1, credentials: baca}
  - {id: edge, address: 192.0.2.2, credentials: baca}
nodes: [{id: kab, capacity: {down: 100M, up: 100M}}]
links:
  - {id: dinkes, name: Dinas Kesehatan, kind: opd, parent: kab, networks: [10.20.1.0/24],
     interface: {device: core, if_name: ether1, faces: subscriber}}
netflow: {listen: ["127.0.0.1:2055"]}
"""
FINE: dict[str, Any] = {
    "address": "192.0.2.1",
    "device": "core",
    "datagrams": 10_000,
    "flows": 240_000,
    "unknown_sampling_flows": 0,
    "lost": 0,
    "longest_seconds": 61.0,
    "clock_seconds": 0.4,
    "last_at": NOW.isoformat(),
    "problems": {},
}


def found(folder: Path, *exporters: dict[str, Any], at: datetime = NOW, **view: Any) -> list[Finding]:
    """Findings where the daemon's newest view has these exporters."""
    path = folder / "bwmgr.yaml"
    path.write_text(CONFIGURATION)
    settings = config.load(path, policies=parameter_classes(), secrets=False)
    (folder / "var").mkdir(exist_ok=True)
    figures = {"dropped": 0, "refused": 0} | view.pop("figures", {})
    document = {"at": at.isoformat(), "figures": figures, "problem": "", "exporters": list(exporters), **view}
    (folder / "var" / SNAPSHOT_FILE).write_text(json.dumps(document))
    return list(check_flows(settings, NOW))


def test_nothing_is_said_of_what_is_right(tmp_path: Path) -> None:
    """A router without links of its own need not export."""
    assert found(tmp_path, FINE) == []


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"last_at": (NOW - timedelta(minutes=11)).isoformat()}, "exporter_stopped"),
        ({"longest_seconds": 1800.0}, "active_timeout_long"),
        ({"lost": 200}, "flows_lost"),
        ({"clock_seconds": -3600.0}, "exporter_clock"),
        ({"unknown_sampling_flows": 100}, "sampling_unknown"),
        ({"problems": {"impossible_octets": 3}}, "flows_impossible"),
        ({"problems": {"no_template": 12}}, "template_missing"),
        ({"problems": {"set_truncated": 3, "template": 1}}, "flows_malformed"),
    ],
)
def test_each_fault_of_a_router_has_its_finding(tmp_path: Path, wrong: dict[str, Any], code: str) -> None:
    """By the router's name in the configuration, with what to do (faults 31, 33, 35, 37)."""
    (one,) = found(tmp_path, FINE | wrong)
    assert (one.subject, one.code) == ("core", code)
    assert one.advice


def test_reasons_are_named(tmp_path: Path) -> None:
    """What could not be decoded, with how often."""
    (one,) = found(tmp_path, FINE | {"problems": {"set_truncated": 3, "template": 1}})
    assert one.values == {"count": 4, "reasons": "set_truncated, template"}


def test_a_router_that_should_export_and_does_not(tmp_path: Path) -> None:
    """Only the one that has links with networks."""
    assert [(one.subject, one.code) for one in found(tmp_path)] == [("core", "exporter_silent")]


@pytest.mark.parametrize(
    ("view", "code"),
    [
        ({"figures": {"dropped": 7}}, "flow_socket_drops"),
        ({"figures": {"refused": 7}}, "flow_senders_refused"),
        ({"problem": "services.txt, line 3: no network"}, "flow_list_refused"),
        ({"at": NOW - timedelta(minutes=6)}, "flows_not_received"),
    ],
)
def test_each_fault_of_the_collector_has_its_finding(tmp_path: Path, view: dict[str, Any], code: str) -> None:
    """Drops of the kernel, strangers, a list that is wrong, a daemon that is not there."""
    assert [one.code for one in found(tmp_path, FINE, **view)] == [code]
