"""A regency as a configuration file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bwmgr import config
from bwmgr.daemon.policy_registry import parameter_classes
from bwmgr.errors import UsageError
from bwmgr.model.inventory import Inventory
from bwmgr.testing.configuration import Polling, write_configuration
from bwmgr.testing.regency import Regency
from bwmgr.testing.stage import Stage


def _without_order(inventory: Inventory) -> Inventory:
    return replace(inventory, calendars=dict(sorted(inventory.calendars.items())))


def test_what_is_written_is_what_is_read(quiet_place: Regency, tmp_path: Path) -> None:
    """Inventory to YAML and back is the same inventory, secrets included."""
    polling = Polling(interval_seconds=30, timeout_seconds=0.5, retries=2)
    path = write_configuration(quiet_place.inventory, tmp_path, polling=polling, comment="a test")
    settings = config.load(path, policies=parameter_classes())
    assert _without_order(settings.inventory) == _without_order(quiet_place.inventory)
    assert (settings.snmp.interval_seconds, settings.snmp.timeout_seconds, settings.snmp.retries) == (30, 0.5, 2)
    assert settings.store.path == tmp_path / "var"


def test_a_stage_replaces_an_earlier_one(tmp_path: Path) -> None:
    """The second demo in a folder starts afresh, with secrets of its own."""
    first = Stage(tmp_path)
    secret = (tmp_path / "secrets" / "default-community").read_text()
    (tmp_path / "var").mkdir()
    second = Stage(tmp_path)
    for stage in (first, second):
        stage.regency.stop()
    assert not (tmp_path / "var").exists()
    assert (tmp_path / "secrets" / "default-community").read_text() != secret


def test_a_stage_refuses_a_folder_in_use(tmp_path: Path) -> None:
    """Files that no demo wrote are not touched."""
    (tmp_path / "bwmgr.yaml").write_text("organisation: {name: Real}\n")
    with pytest.raises(UsageError, match="--dir"):
        Stage(tmp_path)
    assert (tmp_path / "bwmgr.yaml").exists()
