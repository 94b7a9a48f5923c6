"""`discover` and `doctor` against a real snmpd, in every format."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import yaml
from click.testing import CliRunner, Result

from bwmgr.cli.devices import discover
from bwmgr.cli.doctor import doctor
from bwmgr.cli.session import Session
from bwmgr.config.settings import Settings, SnmpSection, StoreSettings
from bwmgr.model.inventory import Credential, Device, Faces, Interface, Inventory, Link, LinkKind, Organisation, UsmKey
from bwmgr.model.secret import Secret
from bwmgr.testing import snmpd
from bwmgr.testing.usm import User

pytestmark = [pytest.mark.system, pytest.mark.clock, pytest.mark.skipif(snmpd.program() is None, reason="snmpd is not installed")]

USER = User(name="sha-aes", auth=("SHA", snmpd.AUTH_PHRASE), priv=("AES", snmpd.PRIV_PHRASE))


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[snmpd.Snmpd]:
    with snmpd.running(tmp_path_factory.mktemp("snmpd"), known=[USER]) as running:
        yield running


def session(folder: Path, *devices: Device, links: tuple[Link, ...] = (), language: str = "en") -> Session:
    keys = {
        "auth": UsmKey(protocol="SHA", key=Secret(snmpd.AUTH_PHRASE)),
        "priv": UsmKey(protocol="AES", key=Secret(snmpd.PRIV_PHRASE)),
    }
    credentials = {
        "default": Credential(id="default", version="2c", community=Secret(snmpd.COMMUNITY)),
        "core": Credential(id="core", version="3", user=USER.name, **keys),  # type: ignore[arg-type]
        "keliru": Credential(id="keliru", version="3", user="tiada", **keys),  # type: ignore[arg-type]
    }
    known = Inventory(
        organisation=Organisation(name="Diskominfo"),
        credentials=credentials,
        devices={device.id: device for device in devices},
        links={link.id: link for link in links},
    )
    settings = Settings(
        inventory=known,
        snmp=SnmpSection(timeout_seconds=0.3),
        store=StoreSettings(kind="embedded", path=folder / "var"),
        source=folder / "bwmgr.yaml",
    )
    return Session(path="bwmgr.yaml", language=language, _settings=settings)


def run(command: click.Command, session: Session, *arguments: str) -> Result:
    return CliRunner().invoke(command, arguments, obj=session, catch_exceptions=False)


def device(agent: snmpd.Snmpd, name: str, credentials: str = "default") -> Device:
    return Device(id=name, address=agent.address, port=agent.port, credentials=credentials)


def link(name: str, device: str, if_name: str) -> Link:
    interface = Interface(device=device, if_name=if_name, faces=Faces.SUBSCRIBER)
    return Link(id=name, name=name, kind=LinkKind.OPD, interface=interface)


@pytest.mark.parametrize("credentials", ["default", "core"])
def test_discover_json(agent: snmpd.Snmpd, tmp_path: Path, credentials: str) -> None:
    """A router outside the configuration, by v2c and by v3: its interfaces, and YAML that names it."""
    done = run(discover, session(tmp_path), f"{agent.address}:{agent.port}", "--credentials", credentials, "--format", "json")
    document = json.loads(done.stdout)
    assert done.exit_code == 0
    assert document["device"]["sys_name"] == "snmpd-uji"
    assert "lo" in [interface["if_name"] for interface in document["interfaces"]]
    assert yaml.safe_load(document["yaml"])["devices"][0]["credentials"] == credentials


def test_discover_by_device_id(agent: snmpd.Snmpd, tmp_path: Path) -> None:
    """An id of the configuration brings address and credentials along; csv has one row per interface."""
    done = run(discover, session(tmp_path, device(agent, "inti", "core")), "inti", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert any(row["if_name"] == "lo" and row["counter_bits"] == "64" for row in rows)


def test_discover_yaml_and_table(agent: snmpd.Snmpd, tmp_path: Path) -> None:
    """`--format yaml` is YAML and nothing else; the table ends with the same YAML."""
    address = f"{agent.address}:{agent.port}"
    only = run(discover, session(tmp_path), address, "--format", "yaml").stdout
    table = run(discover, session(tmp_path, language="id"), address).stdout
    document = yaml.safe_load(only)
    assert {link["interface"]["device"] for link in document["links"]} == {document["devices"][0]["id"]}
    assert table.endswith(only)
    assert "Antarmuka" in table


def test_doctor_all_well(agent: snmpd.Snmpd, tmp_path: Path) -> None:
    """A reachable device with a good interface: exit 0, no error, no warning."""
    done = run(doctor, session(tmp_path, device(agent, "inti", "core"), links=(link("a", "inti", "lo"),)), "--format", "json")
    document = json.loads(done.stdout)
    assert [finding for finding in document["findings"] if finding["severity"] != "info"] == []
    assert (done.exit_code, document["devices"], document["reachable"]) == (0, 1, 1)


def test_doctor_in_part(agent: snmpd.Snmpd, tmp_path: Path) -> None:
    """A refused user, a silent address, an unknown interface and a shared engineID: exit 3, each named in Indonesian."""
    devices = (
        device(agent, "inti", "core"),
        device(agent, "kembar", "core"),
        device(agent, "ditolak", "keliru"),
        Device(id="mati", address="127.0.9.9", port=agent.port),
    )
    asked = session(tmp_path, *devices, links=(link("a", "inti", "tiada0"),), language="id")
    done = run(doctor, asked, "--format", "json")
    found = {(finding["subject"], finding["code"]) for finding in json.loads(done.stdout)["findings"]}
    assert done.exit_code == 3
    assert {
        ("inti tiada0", "interface_unknown"),
        ("ditolak", "refused"),
        ("mati", "no_answer"),
        ("inti, kembar", "engine_shared"),
    } <= found
    assert "Temuan" in run(doctor, asked).stdout


def test_doctor_nothing_reachable(agent: snmpd.Snmpd, tmp_path: Path) -> None:
    """No device answers: exit 1; secrets are in no output."""
    done = run(doctor, session(tmp_path, device(agent, "ditolak", "keliru")), "--format", "csv")
    assert done.exit_code == 1
    assert "refused" in done.stdout
    assert snmpd.AUTH_PHRASE not in done.output
