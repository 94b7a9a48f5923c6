"""A policy of another distribution: one file and one entry point."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bwmgr.daemon.policy_registry import policy_modules
from bwmgr.errors import ConfigurationError

POLICY = '''\
"""night_watch: a link that is used at night is looked at."""

from collections.abc import Iterator
from dataclasses import dataclass

from bwmgr.model.decision import Action, Reason
from bwmgr.model.inventory import Direction
from bwmgr.model.policy import PolicyInput, Proposal

NAME = "night_watch"


@dataclass(frozen=True, kw_only=True)
class Parameters:
    least_bps: int = 1_000_000


def propose(given: PolicyInput, parameters: Parameters) -> Iterator[Proposal]:
    for link in given.inventory.links.values():
        yield Proposal(link=link.id, direction=Direction.DOWN, action=Action.FIX,
                       reason=Reason(code="night", message="{link_name}: look at it.", values={"link_name": link.name}))
'''
CONFIGURATION = """\
organisation: {name: Diskominfo, timezone: Asia/Jakarta}
store: {kind: embedded, path: var}
nodes: [{id: kab, capacity: {down: 100M, up: 100M}}]
links: [{id: dinkes, kind: opd, parent: kab, networks: [10.20.1.0/24], limit: {down: 20M, up: 20M}}]
policies: [{policy: night_watch, least: 2M}]
"""


@pytest.fixture
def distribution(tmp_path: Path) -> Path:
    """What `pip install` leaves behind of it: the module and its metadata."""
    site = tmp_path / "site"
    metadata = site / "night_watch-1.0.dist-info"
    metadata.mkdir(parents=True)
    (site / "night_watch_policy.py").write_text(POLICY)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: night-watch\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[bwmgr.policies]\nnight_watch = night_watch_policy\n")
    return site


def test_it_is_found_beside_the_built_in_ones(distribution: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After them, under its own name."""
    monkeypatch.syspath_prepend(str(distribution))
    assert list(policy_modules())[-1] == "night_watch"


def test_it_is_configured_and_run_like_any_other(distribution: Path, tmp_path: Path) -> None:
    """Its parameters are read with their units, its sentence is in the queue."""
    (tmp_path / "bwmgr.yaml").write_text(CONFIGURATION)
    command = [sys.executable, "-m", "bwmgr", "-c", str(tmp_path / "bwmgr.yaml"), "recommend", "--format", "json"]
    root = Path(__file__).parents[3]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=root, env={"PYTHONPATH": f"{distribution}:{root}"}
    )
    assert done.returncode == 0, done.stderr
    assert '"policy": "night_watch"' in done.stdout
    assert "dinkes: look at it." in done.stdout


def test_it_cannot_take_a_built_in_name(distribution: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name in the configuration means one policy."""
    (distribution / "night_watch-1.0.dist-info" / "entry_points.txt").write_text(
        "[bwmgr.policies]\nright_size = night_watch_policy\n"
    )
    monkeypatch.syspath_prepend(str(distribution))
    with pytest.raises(ConfigurationError, match="built-in"):
        policy_modules()
