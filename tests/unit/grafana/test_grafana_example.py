"""configs/grafana is what the program writes today."""

from __future__ import annotations

import runpy
from pathlib import Path

from bwmgr.reports.grafana.install import unreadable

ROOT = Path(__file__).parents[3]


def test_example_is_in_step_and_sound() -> None:
    """Every file as `tools/grafana_example.py` writes it, and none of them one that Grafana could not take."""
    tool = runpy.run_path(str(ROOT / "tools" / "grafana_example.py"))
    for name, text in tool["example"]().items():
        path = ROOT / "configs" / "grafana" / name
        assert path.read_text(encoding="utf-8") == text, f"{name}: run tools/grafana_example.py"
        assert unreadable(path) == ""
