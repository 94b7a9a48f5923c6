"""What discover makes of a router: interfaces, ids, and YAML that is one."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bwmgr.config import load
from bwmgr.daemon.discovery import credential_for, device_at, discover_address, discovery_document, discovery_yaml, split_address
from bwmgr.errors import DeviceTimeout, UsageError
from bwmgr.model.inventory import Credential, Device, Inventory, Organisation
from bwmgr.model.secret import Secret
from bwmgr.testing.mib import Port, PortState, System
from bwmgr.testing.router import VirtualRouter
from collectors.snmp.discovery import Discovery, FoundInterface, discover, speed_bps
from collectors.snmp.settings import SnmpSettings
from tests.unit.snmp_walk.conftest import credential, router, user

Serve = Callable[..., list[Device]]
COMMUNITY = Credential(id="default", version="2c", community=Secret("publik"))


def inventory(*devices: Device, **credentials: Credential) -> Inventory:
    return Inventory(
        organisation=Organisation(name="Diskominfo"),
        devices={device.id: device for device in devices},
        credentials={"default": COMMUNITY, **credentials},
    )


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("10.0.0.1", "10.0.0.1", 161),
        ("10.0.0.1:1161", "10.0.0.1", 1161),
        ("fd00::1", "fd00::1", 161),
        ("[fd00::1]:1161", "fd00::1", 1161),
        ("[::1]", "::1", 161),
        ("rtr.example.go.id:161", "rtr.example.go.id", 161),
    ],
)
def test_addresses(text: str, host: str, port: int) -> None:
    """IPv4, IPv6 with and without brackets, and names, each with and without a port."""
    assert split_address(text) == (host, port)


@pytest.mark.parametrize("text", ["", "10.0.0.1:", "10.0.0.1:x", "10.0.0.1:0", "10.0.0.1:70000", "[10.0.0.1", "a:b:c", ":161"])
def test_what_is_no_address(text: str) -> None:
    """Anything else is a usage error that says what would be right."""
    with pytest.raises(UsageError, match="not an address"):
        split_address(text)


def test_a_device_id_or_its_address_means_the_device() -> None:
    """An id, or the address of a device of the configuration, brings its port and credentials along."""
    core = Device(id="core", address="10.0.0.1", port=1161, credentials="inti")
    known = inventory(core)
    assert device_at(known, "core") == core
    assert device_at(known, "10.0.0.1:1161") == core
    assert device_at(known, "10.0.0.1") == Device(id="r-10-0-0-1", address="10.0.0.1")


def test_unknown_credentials_list_those_there_are() -> None:
    """A wrong --credentials is a usage error with the right ids."""
    with pytest.raises(UsageError, match="default"):
        credential_for(inventory(), Device(id="x", address="10.0.0.1"), "tiada")


def settings(known: Inventory) -> Any:
    return SimpleNamespace(inventory=known, snmp=SimpleNamespace(interval_seconds=60.0, timeout_seconds=0.2, retries=0))


def test_a_router_outside_the_configuration(serve: Serve) -> None:
    """discover needs no entry for the device; the YAML names it after its sysName and each interface that is up."""
    device = serve(router(3))[0]
    found = discover_address(settings(inventory()), f"{device.address}:{device.port}")
    document = yaml.safe_load(discovery_yaml(found, "routeros"))
    assert document["devices"] == [
        {"id": "r1", "address": device.address, "port": device.port, "credentials": "default", "vendor": "routeros"}
    ]
    assert [link["id"] for link in document["links"]] == ["r1-ether1", "r1-ether2", "r1-ether3"]
    assert document["links"][0]["interface"] == {"device": "r1", "if_name": "ether1", "faces": "subscriber"}
    assert document["links"][0]["mir"] == {"down": "1G", "up": "1G"}
    assert document["links"][0]["name"] == "Dinas ke-1 ✓"


def test_a_v3_router_by_named_credentials(serve: Serve) -> None:
    """--credentials picks a user, and the YAML names the credentials that worked."""
    device = serve(router(2, users=[user()]))[0]
    found = discover_address(settings(inventory(core=credential(user()))), f"{device.address}:{device.port}", "core")
    document = discovery_document(found)
    assert document["device"]["engine_id"].startswith("80001f88")
    assert len(document["interfaces"]) == 2
    assert json.loads(json.dumps(document)) == document


def test_silence_is_a_timeout(serve: Serve) -> None:
    """A wrong community ends after the configured patience."""
    device = serve(router())[0]
    wrong = Credential(id="default", version="2c", community=Secret("salah"))
    with pytest.raises(DeviceTimeout):
        discover(device, wrong, SnmpSettings(timeout_seconds=0.1, retries=1))


def test_ports_that_are_down_and_old_ones(serve: Serve) -> None:
    """An interface that is down gets no link, one with 32-bit counters says so."""
    ports = [
        Port(if_index=1, if_name="wan", read=lambda _: PortState(oper_up=False)),
        Port(if_index=2, if_name="lan", read=lambda _: PortState(), counter64=False, speed_bps=10_000_000),
    ]
    agent = VirtualRouter(System(name="tua"), ports, communities=["publik"])
    found = discover(serve(agent)[0], COMMUNITY, SnmpSettings())
    assert [(i.name, i.oper_up, i.counter_bits, i.speed_bps) for i in found.interfaces] == [
        ("wan", False, 64, 1_000_000_000),
        ("lan", True, 32, 10_000_000),
    ]
    assert [link["id"] for link in yaml.safe_load(discovery_yaml(found))["links"]] == ["tua-lan"]


@pytest.mark.parametrize(
    ("high", "low", "expected"),
    [
        (1000, 4294967295, 10**9),
        (10_000, 4294967295, 10**10),
        (0, 512_000, 512_000),
        (100, 10**8, 10**8),
        (0, 0, None),
        (None, None, None),
    ],
)
def test_speeds(high: int | None, low: int | None, expected: int | None) -> None:
    """faults 18 and 19: ifSpeed at its top means ifHighSpeed; 0 in both is unknown, never 0 bit/s."""
    assert speed_bps(high, low) == expected


def interface(index: int, name: str, alias: str) -> FoundInterface:
    return FoundInterface(
        if_index=index, if_name=name or None, if_descr="", if_alias=alias, if_type=6, speed_bps=1_500_000, oper_up=True,
        admin_up=True, counter_bits=64,
    )  # fmt: skip


@given(st.lists(st.tuples(st.text(max_size=12), st.text(max_size=12)), max_size=6), st.text(max_size=10))
def test_any_names_give_yaml_that_reads_back(names: list[tuple[str, str]], sys_name: str) -> None:
    """fault 64: names with quotes, colons, emoji or words that YAML takes for something else read back as they were."""
    clean = [tuple("".join(letter for letter in text if letter.isprintable()).strip() for text in pair) for pair in names]
    found = Discovery(
        device=Device(id="r-10-0-0-1", address="10.0.0.1"),
        sys_name="".join(letter for letter in sys_name if letter.isprintable()),
        sys_descr="",
        sys_uptime_ticks=1,
        interfaces=tuple(interface(number, *pair) for number, pair in enumerate(clean)),
    )
    document = yaml.safe_load(discovery_yaml(found))
    links = document["links"]
    ids = [link["id"] for link in links]
    assert len(set(ids)) == len(ids)
    by_name = {link["interface"].get("if_name") for link in links} - {None}
    assert by_name <= {name for name, _ in clean}
    assert all(isinstance(link["name"], str) for link in links)
    assert all(link["interface"]["device"] == document["devices"][0]["id"] for link in links)


def test_the_yaml_is_configuration(serve: Serve, tmp_path: Path) -> None:
    """Pasted under an organisation and credentials it loads as it is, devices and links and all."""
    found = discover(replace(serve(router(3))[0], credentials="default"), COMMUNITY, SnmpSettings())
    path = tmp_path / "bwmgr.yaml"
    (tmp_path / "community").write_text("publik")
    head = "organisation: {name: Diskominfo, timezone: Asia/Jakarta}\nstore: {kind: embedded, path: var}\n"
    known = "credentials:\n  default: {version: 2c, community: {file: community}}\n"
    path.write_text(head + known + discovery_yaml(found, "routeros"))
    loaded = load(path, policies={})
    assert list(loaded.inventory.devices) == ["r1"]
    assert [link.interface.if_name for link in loaded.inventory.links.values() if link.interface] == [
        "ether1",
        "ether2",
        "ether3",
    ]
