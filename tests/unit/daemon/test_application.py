"""How the parts are wired: what is asked of which device, and what a reload takes over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import pytest

from bwmgr.config.settings import StoreSettings
from bwmgr.daemon.application import Application
from bwmgr.errors import UsageError
from bwmgr.model.inventory import Inventory, Site, SiteStatus

SNMP = SimpleNamespace(interval_seconds=30.0, timeout_seconds=2.0, retries=2)


def settings(inventory: Inventory, folder: Path, kind: Literal["embedded", "influxdb"] = "embedded") -> Any:
    return SimpleNamespace(inventory=inventory, store=StoreSettings(kind=kind, path=folder), snmp=SNMP)


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


def test_what_is_for_the_embedded_store_only_is_refused_elsewhere(
    make_inventory: Callable[..., Inventory], tmp_path: Path
) -> None:
    """Compaction, say, where rates are kept by InfluxDB."""
    with pytest.raises(UsageError, match="embedded store only"):
        Application(settings(make_inventory(), tmp_path, kind="influxdb")).embedded  # noqa: B018  # made when asked for


def test_a_successor_takes_over_what_is_open(make_inventory: Callable[..., Inventory], tmp_path: Path) -> None:
    """Files stay open and stamps go on; only another folder needs a restart."""
    first = Application(settings(make_inventory(), tmp_path))
    clock = first.clock
    heir = first.successor(settings(make_inventory(3), tmp_path))
    assert heir.clock is clock
    assert len(heir.inventory.links) == 3
    with pytest.raises(UsageError, match="needs a restart"):
        first.successor(settings(make_inventory(), tmp_path / "elsewhere"))


def test_closed_by_its_successor_there_is_nothing_left_to_close(make_inventory: Callable[..., Inventory], tmp_path: Path) -> None:
    """A daemon that was reloaded ends without an error: what both share is closed once."""
    first = Application(settings(make_inventory(), tmp_path))
    assert first.state.get("nothing") is None
    heir = first.successor(settings(make_inventory(), tmp_path))
    heir.close()
    first.close()
