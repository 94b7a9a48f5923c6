"""`docs/recompute.py` on trees of all kinds: the independent sharing agrees with the engine's, and gives a wrong figure away."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bwmgr.allocate import allocate
from bwmgr.model.bandwidth import CapacityLeaf, CapacityNode
from bwmgr.model.bandwidth_function import BandwidthFunction
from bwmgr.model.inventory import ServiceClass

SCRIPT = Path(__file__).parents[3] / "docs" / "recompute.py"


def problem(nodes: list[CapacityNode], leaves: list[CapacityLeaf]) -> dict[str, Any]:
    return {
        "nodes": [asdict(node) for node in nodes],
        "links": [{**asdict(leaf), "service_class": str(leaf.service_class)} for leaf in leaves],
        "allocations": {entry.id: entry.allocation_bps for entry in allocate(nodes, leaves).allocations},
    }


def tree(seed: int) -> tuple[list[CapacityNode], list[CapacityLeaf]]:
    """A root over three districts, thirty links of all classes, some guarantees more than there is room for."""
    rng = np.random.default_rng(seed)
    nodes = [CapacityNode(id="root", capacity_bps=200e6)]
    nodes += [CapacityNode(id=f"kec{at}", parent="root", capacity_bps=(None, 90e6, 50e6)[at]) for at in range(3)]
    leaves = [
        CapacityLeaf(
            id=f"l{at}",
            parent=f"kec{at % 3}",
            demand_bps=None if at % 7 == 0 else float(rng.integers(0, 30_000_000)),
            cir_bps=float(rng.choice([0, 1_000_000, 7_000_000])),
            mir_bps=None if at % 5 else 20e6,
            weight=float(rng.choice([0, 1, 1, 2.5])),
            service_class=tuple(ServiceClass)[at % 3],
        )
        for at in range(30)
    ]
    return nodes, leaves


def recomputed(folder: Path, steps: dict[str, Any], guarantees: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    values = {"usage": None, "demand": {}, "steps": steps, "guarantees": guarantees}
    (folder / "samples.csv").write_text("end_ms,interval_ticks,rate_bps,limit_bps,discards_ps\n")
    (folder / "values.json").write_text(json.dumps(values))
    digest = hashlib.sha256((folder / "values.json").read_bytes()).hexdigest()
    (folder / "SHA256SUMS").write_text(f"{digest}  values.json\n")
    return subprocess.run([sys.executable, "-I", "-S", SCRIPT, folder], capture_output=True, text=True, timeout=60, check=False)


def test_the_script_shares_as_the_engine_does(tmp_path: Path) -> None:
    """Classes, over-committed guarantees, weights of 0, nested capacities: equal to the bit/s."""
    answer = recomputed(tmp_path, problem(*tree(1)), problem(*tree(2)))
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert answer.stdout.count("ok    ") == 60


def test_two_bits_too_many_are_seen(tmp_path: Path) -> None:
    """A figure that differs by more than a bit/s is named."""
    wrong = problem(*tree(1))
    wrong["allocations"]["l4"] += 2
    answer = recomputed(tmp_path, problem(*tree(2)), wrong)
    assert answer.returncode == 1
    assert "WRONG guarantees l4" in answer.stdout


@pytest.mark.parametrize("what", ["a hierarchical node", "a bandwidth function"])
def test_what_the_script_does_not_recompute_it_says(tmp_path: Path, what: str) -> None:
    """It knows links that share by their own weights; anything else is named, not passed over."""
    nodes, leaves = tree(1)
    if what == "a hierarchical node":
        nodes[0] = replace(nodes[0], fairness="hierarchical")
    else:
        leaves[4] = replace(leaves[4], bandwidth_function=BandwidthFunction(((0, 0), (1e6, 5e6))))
    answer = recomputed(tmp_path, problem(*tree(2)), problem(nodes, leaves))
    assert answer.returncode == 0
    assert "guarantees: not recomputed, since not by weights of links alone" in answer.stdout
