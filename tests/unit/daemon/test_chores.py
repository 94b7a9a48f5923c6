"""Chores run in processes of their own; what goes wrong there is told here and harms nothing."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bwmgr.daemon import chores


@pytest.fixture
def settings(tmp_path: Path) -> Any:
    return SimpleNamespace(inventory=None, store=SimpleNamespace(kind="none such", path=tmp_path))


def test_an_expected_error_in_a_chore_is_its_message(settings: Any) -> None:
    """A chore for the embedded store, where rates are kept elsewhere."""
    with pytest.raises(chores.ChoreFailed, match="embedded store only"):
        chores.Chores().run(chores.compact, settings)


def test_a_defect_in_a_chore_comes_with_its_traceback() -> None:
    nothing: Any = None
    with pytest.raises(chores.ChoreFailed, match=r"^AttributeError: ") as failing:
        chores.Chores().run(chores.compact, nothing)
    assert "Traceback" in failing.value.trace


def test_after_stop_nothing_starts(settings: Any) -> None:
    """At the end of the daemon a chore that becomes due is left for the next run."""
    runner = chores.Chores()
    runner.stop()
    assert runner.run(chores.compact, settings) == {}
