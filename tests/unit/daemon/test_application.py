"""How the parts are wired: what is asked of which device, and what a reload takes over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bwmgr.daemon.application import Application
from bwmgr.errors import UsageError
from bwmgr.model.inventory import Inventory, Site, SiteStatus

SNMP = SimpleNamespace(interval_seconds=30.0, timeout_seconds=2.0, retries=2)


def settings(inventory: Inventory, folder: Path, kind: str = "embedded") -> Any:
    return SimpleNamespace(inventory=inventory, store=SimpleNamespace(kind=kind, path=folder), snmp=SNMP)


def test_each_interface_is_asked_once_and_idle_devices_are_left_out(
    make_inventory: Callable[..., Inventory], tmp_path: Path
) -> None:
    """Targets hold the interfaces of links and uplinks by device; a planned site's router is not asked."""
    inventory = make_inventory(4, links_per_device=2)
    links = dict(inventory.links)
    for name in ("link-2", "link-3"):
        links[name] = replace(links[name], site=Site(status=SiteStatus.PLANNED))
    targets = Application(settings(replace(inventory, links=links), tmp_path)).targets()
    assert [(target.device.id, [each.if_name for each in target.interfaces]) for target in targets] == [
        ("router-0", ["ether1", "ether2"]),
        ("core", ["ether1"]),
    ]
    assert targets[0].credential.id == "default"


def test_the_collector_is_told_what_the_configuration_says(make_inventory: Callable[..., Inventory], tmp_path: Path) -> None:
    told = Application(settings(make_inventory(), tmp_path)).snmp_settings()
    assert (told.interval_seconds, told.timeout_seconds, told.retries) == (30.0, 2.0, 2)


def test_a_store_that_is_not_there_is_refused(make_inventory: Callable[..., Inventory], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="write embedded"):
        Application(settings(make_inventory(), tmp_path, kind="influxdb"))


def test_a_successor_takes_over_what_is_open(make_inventory: Callable[..., Inventory], tmp_path: Path) -> None:
    """Files stay open and stamps go on; only another folder needs a restart."""
    first = Application(settings(make_inventory(), tmp_path))
    clock = first.clock
    heir = first.successor(settings(make_inventory(3), tmp_path))
    assert heir.clock is clock
    assert len(heir.inventory.links) == 3
    with pytest.raises(UsageError, match="needs a restart"):
        first.successor(settings(make_inventory(), tmp_path / "elsewhere"))
