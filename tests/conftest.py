"""Fixtures that all areas share: an inventory in one call, a clock that is moved by hand, the folder of shared material."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bwmgr.model.inventory import (
    ALWAYS,
    Calendar,
    Contract,
    Credential,
    Device,
    Faces,
    Interface,
    Inventory,
    Link,
    LinkKind,
    Node,
    Organisation,
    PerDirection,
    Provider,
    Uplink,
)
from bwmgr.model.secret import Secret
from bwmgr.testing import influx_versions
from bwmgr.testing.clock import ManualClock

ROOT = Path(__file__).resolve().parents[1]
MONDAY_MORNING = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
"""Monday 2 March 2026, 08:00 in Jakarta."""


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With several workers (`make test`): what watches the clock one after the other on one of them, of all else a file together
    (its fixtures are made once). Coverage's tracer, which makes a program three times as slow, stays away from the clock's tests.
    InfluxDB 2.7, ten minutes to build, is tried where it has been built."""
    if influx_versions.BUILD_2 not in influx_versions.installed():
        absent = [item for item in items if _is_of_influxdb_2(item)]
        config.hook.pytest_deselected(items=absent)
        items[:] = [item for item in items if not _is_of_influxdb_2(item)]
    for item in items:
        if item.get_closest_marker("clock") is None:
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))
        else:
            item.add_marker(pytest.mark.xdist_group("clock"))
            item.add_marker(pytest.mark.no_cover)
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    """The longest groups begin first."""
    return next((turn for turn, mark in enumerate(("clock", "slow", "system")) if item.get_closest_marker(mark)), 3)


def _is_of_influxdb_2(item: pytest.Item) -> bool:
    chosen = item.callspec.id if isinstance(item, pytest.Function) and hasattr(item, "callspec") else ""
    return influx_versions.BUILD_2 in chosen or item.get_closest_marker("influxdb2") is not None


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of shared material beside the checkout, or where BWMGR_SHARED says."""
    folder = Path(os.environ.get("BWMGR_SHARED", ROOT.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"no shared material at {folder}; BWMGR_SHARED names its folder")
    return folder


@pytest.fixture
def manual_clock() -> ManualClock:
    """Stands at Monday 2 March 2026, 08:00 in Jakarta, until it is moved."""
    return ManualClock(MONDAY_MORNING)


@pytest.fixture(autouse=True)
def _no_outside_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the tester's shell says must not reach the program under test."""
    for name in ("BWMGR_CONFIG", "BWMGR_DEBUG", "NOTIFY_SOCKET", "WATCHDOG_USEC", "LISTEN_FDS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def make_inventory() -> Callable[..., Inventory]:
    """The builder `_inventory`: `make_inventory(links=3, port=agent.port)`."""
    return _inventory


def _inventory(
    links: int = 2,
    *,
    limit_bps: int | None = 20_000_000,
    uplink: bool = True,
    address: str = "127.0.0.1",
    port: int = 161,
    links_per_device: int = 1,
) -> Inventory:
    """A checked inventory: `links` links under one root, `links_per_device` ports on each router, and an uplink on the core's.

    Link n is `link-n` at port `ether{n % links_per_device + 1}` of device `router-{n // links_per_device}`.
    """
    names = [f"link-{number}" for number in range(links)]
    ports = {name: (f"router-{n // links_per_device}", f"ether{n % links_per_device + 1}") for n, name in enumerate(names)}
    devices = {device: Device(id=device, address=address, port=port) for device, _ in ports.values()}
    if uplink:
        devices["core"] = Device(id="core", address=address, port=port)
    contract = Contract(id="contract-1", provider="isp", capacity=PerDirection(down=500_000_000, up=500_000_000))
    return Inventory(
        organisation=Organisation(name="Diskominfo Kabupaten Contoh"),
        calendars={"always": ALWAYS, "office": Calendar(id="office", weekly=())},
        providers={"isp": Provider(id="isp", name="PT Penyedia", contracts=(contract,))},
        credentials={"default": Credential(id="default", version="2c", community=Secret("public-community"))},
        devices=devices,
        nodes={"root": _root(contract if uplink else None)},
        links={name: _link(name, *ports[name], limit_bps) for name in names},
    )


def _root(contract: Contract | None) -> Node:
    interface = Interface(device="core", if_name="ether1", faces=Faces.PROVIDER)
    uplinks = (Uplink(interface=interface, contract=contract.id),) if contract else ()
    return Node(id="root", name="Kabupaten", capacity=PerDirection(down=500_000_000, up=500_000_000), uplinks=uplinks)


def _link(name: str, device: str, if_name: str, limit_bps: int | None) -> Link:
    return Link(
        id=name,
        name=name.title(),
        kind=LinkKind.OPD,
        parent="root",
        interface=Interface(device=device, if_name=if_name, faces=Faces.SUBSCRIBER),
        limit=PerDirection(down=limit_bps, up=limit_bps),
    )
