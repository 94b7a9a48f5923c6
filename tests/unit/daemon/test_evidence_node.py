"""`--evidence` of what is said about a node: the series of its sum, or of a part of its contracts, recomputed by the script."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from bwmgr.daemon.advice import advise
from bwmgr.daemon.application import Application
from bwmgr.daemon.evidence import write_evidence
from bwmgr.daemon.policy_registry import load_settings
from bwmgr.errors import UsageError
from bwmgr.measure.columns import FLOW_SUM, RATE, RateBatch
from bwmgr.model.decision import Recommendation
from bwmgr.stores import FLOW_USAGE, LINK_RATE

SCRIPT = Path(__file__).parents[3] / "docs" / "recompute.py"
M = 1_000_000
END = datetime(2026, 3, 30, tzinfo=UTC)
DAYS = 28
CONFIGURATION = """\
organisation: {name: Diskominfo, timezone: UTC, language: en}
store: {kind: embedded, path: var}
netflow: {listen: ["127.0.0.1:2055"], exporters: any, domestic: iix.txt}
providers:
  - {id: p, name: P, contracts: [{id: c, down: 200M, up: 200M, domestic: 150M, international: 100M, price: 1000000}]}
devices: [{id: core, address: 127.0.0.1}]
credentials: {default: {version: 2c, community: {env: BWMGR_TEST_COMMUNITY}}}
nodes:
  - {id: root, uplinks: [{interface: {device: core, if_name: e1, faces: provider}, contract: c}]}
links:
  - {id: a, kind: opd, parent: root, interface: {device: core, if_name: e2, faces: subscriber}, networks: [10.1.0.0/24]}
policies: [contract_parts, market]
"""


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Application:
    """Four weeks around 190 Mbps of 200, half of it domestic, half international: the root is full, and so is one part."""
    folder = tmp_path_factory.mktemp("node")
    (folder / "bwmgr.yaml").write_text(CONFIGURATION)
    (folder / "iix.txt").write_text("10.9.0.0/16\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BWMGR_TEST_COMMUNITY", "public-community")
        found = Application(load_settings(folder / "bwmgr.yaml"))
    ends = round((END - timedelta(days=DAYS)).timestamp() * 1000) + 300_000 * np.arange(1, DAYS * 288 + 1)
    rates = np.random.default_rng(1).uniform(170, 200, len(ends)) * M
    rows = np.zeros(len(ends), RATE)
    rows["end_ms"], rows["interval_ticks"] = ends, 30_000
    rows["down_bps"], rows["up_bps"] = rates, rates / 10
    rows["down_limit_bps"] = rows["up_limit_bps"] = np.inf
    found.store.write(LINK_RATE, RateBatch(series=("a",), rows=rows))
    names = tuple(f"a|{way}|web|{part}" for way in ("down", "up") for part in ("domestic", "international"))
    flows = np.zeros((4, len(ends)), FLOW_SUM)
    flows["series"], flows["end_ms"] = np.arange(4)[:, None], ends
    flows["octets"] = np.array([5, 5, 0.5, 0.5])[:, None] * rates / 10 * 300 / 8
    found.store.write(FLOW_USAGE, RateBatch(series=names, rows=flows.T.ravel()))
    return found


@pytest.fixture(scope="module")
def said(application: Application) -> dict[str, Recommendation]:
    return {entry.policy: entry for entry in advise(application, END).recommendations}


@pytest.mark.parametrize("policy", ["market", "contract_parts"])
def test_the_percentile_is_recomputed_from_the_samples(
    application: Application, said: dict[str, Recommendation], tmp_path: Path, policy: str
) -> None:
    """Both statements about one root and direction: each has its own samples, and comes out again when the run is repeated."""
    written = write_evidence(application, said[policy], tmp_path)
    assert written.reproduced
    with (tmp_path / "samples.csv").open() as table:
        assert len(list(csv.DictReader(table))) == said[policy].evidence.samples
    assert json.loads((tmp_path / "parameters.json").read_text())["policy"] == policy
    done = subprocess.run([sys.executable, "-I", "-S", SCRIPT, tmp_path], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ok    percentile" in done.stdout


def test_a_history_that_has_changed_is_said(
    application: Application, said: dict[str, Recommendation], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no series gives the percentile any more there is nothing to write."""
    monkeypatch.setattr("bwmgr.daemon.evidence_node.GRID_SECONDS", 1800)
    with pytest.raises(UsageError, match="no longer gives the figures"):
        write_evidence(application, said["market"], tmp_path)
