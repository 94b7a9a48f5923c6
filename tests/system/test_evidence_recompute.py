"""`recommendations show ID --evidence DIR`, and the independent script that recomputes it in a plain Python of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.system, pytest.mark.slow]

SCRIPT = Path(__file__).parents[2] / "docs" / "recompute.py"


class Office:
    """The demo's regency with two weeks of history and its recommendations."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "bwmgr.yaml"
        self._bwmgr("demo", "--dir", str(folder), "--weeks", "2")
        self.sized = [entry for entry in self.json("list") if entry["action"] in ("raise", "lower")]

    def json(self, *arguments: str) -> list[dict[str, str]]:
        found: list[dict[str, str]] = json.loads(self.run(*arguments, "--format", "json"))
        return found

    def run(self, *arguments: str) -> str:
        return self._bwmgr("-c", str(self.file), "recommendations", *arguments)

    def _bwmgr(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "bwmgr", *arguments], capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Office:
    return Office(tmp_path_factory.mktemp("evidence"))


def _recomputed(folder: Path) -> subprocess.CompletedProcess[str]:
    """Isolated (-I -S): nothing of this environment is on its path but the standard library."""
    command = [sys.executable, "-I", "-S", str(SCRIPT), str(folder)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_every_raise_and_lowering_is_recomputed_to_the_bit(office: Office, tmp_path: Path) -> None:
    """Percentile and demand; of a raise also what the tree shares out."""
    seen = ""
    for entry in office.sized:
        folder = tmp_path / entry["id"]
        office.run("show", entry["id"], "--evidence", str(folder))
        assert json.loads((folder / "values.json").read_text())["reproduced"] is True
        answer = _recomputed(folder)
        assert answer.returncode == 0, answer.stdout + answer.stderr
        seen += answer.stdout
    for figure in ("percentile", "demand", "steps link:dinkes", "guarantees link:dinkes"):
        assert f"ok    {figure}" in seen


def test_the_script_is_short_enough_to_be_read() -> None:
    """Fifty lines, of the standard library alone."""
    lines = [line for line in SCRIPT.read_text(encoding="utf-8").splitlines() if line.strip()]
    assert len(lines) <= 50
    assert max(map(len, lines)) <= 130


def test_changed_samples_and_changed_figures_do_not_pass(office: Office, tmp_path: Path) -> None:
    """A file that differs from its hash is refused; with the hash changed too, the figures give it away."""
    office.run("show", office.sized[0]["id"], "--evidence", str(tmp_path))
    samples = tmp_path / "samples.csv"
    head, *rows = samples.read_text().splitlines()
    samples.write_text("\n".join([head, *rows[: len(rows) // 2]]) + "\n")
    refused = _recomputed(tmp_path)
    assert refused.returncode == 1
    assert "samples.csv was changed" in refused.stderr
    sums = (tmp_path / "SHA256SUMS").read_text().splitlines()
    (tmp_path / "SHA256SUMS").write_text("\n".join(sums[1:]) + "\n")
    found = _recomputed(tmp_path)
    assert found.returncode == 1
    assert "WRONG" in found.stdout
