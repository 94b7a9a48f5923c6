"""`bwmgr grafana install` and `check`, as typed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bwmgr.cli import bwmgr
from bwmgr.errors import UsageError

_STORE = "store: {kind: influxdb, url: 'http://127.0.0.1:9', database: bwmgr, username: noc, password: {env: INFLUX_PASSWORD}}\n"
_REST = """
organisation: {name: Diskominfo, timezone: Asia/Jakarta, language: en}
credentials: {default: {version: 2c, community: {env: SNMP_COMMUNITY}}}
devices: [{id: rtr, address: 127.0.0.1}]
nodes: [{id: kab, capacity: {down: 100M, up: 100M}}]
links:
  - {id: dinkes, name: Dinas Kesehatan, kind: opd, parent: kab, interface: {device: rtr, if_name: ether1, faces: subscriber}}
"""

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("SNMP_COMMUNITY", "community-of-the-test")
    monkeypatch.setenv("INFLUX_PASSWORD", "password-of-the-test")
    configuration = tmp_path / "bwmgr.yaml"
    configuration.write_text(_STORE + _REST, encoding="utf-8")
    return lambda *arguments: CliRunner().invoke(bwmgr, ["-c", str(configuration), *arguments])


def test_install_twice_changes_nothing(run: Run, tmp_path: Path) -> None:
    """The first time all files are new, the second time all are the same; no secret is in any of them (fault 53)."""
    folder = tmp_path / "provisioning"
    first = run("grafana", "install", str(folder), "--format", "json")
    second = run("grafana", "install", str(folder), "--format", "json")
    assert (first.exit_code, second.exit_code) == (0, 0), first.output + second.output
    assert {row["state"] for row in json.loads(first.stdout)} == {"new"}
    assert {row["state"] for row in json.loads(second.stdout)} == {"same"}
    written = "".join(path.read_text(encoding="utf-8") for path in folder.rglob("*") if path.is_file())
    assert "of-the-test" not in written
    assert "BWMGR_GRAFANA_PASSWORD" in written


def test_both_languages_stand_side_by_side(run: Run, tmp_path: Path) -> None:
    """The other language's dashboards come beside the first ones."""
    run("grafana", "install", str(tmp_path / "p"))
    run("--lang", "id", "grafana", "install", str(tmp_path / "p"))
    assert {path.name for path in (tmp_path / "p/dashboards/bwmgr").iterdir()} == {"id", "en"}


def test_files_of_others_are_not_touched(run: Run, tmp_path: Path) -> None:
    """A file of the same name that bwmgr has not written is a mistake of use, named, and nothing is written at all."""
    foreign = tmp_path / "p/alerting/bwmgr.yaml"
    foreign.parent.mkdir(parents=True)
    foreign.write_text("apiVersion: 1\n", encoding="utf-8")
    answer = run("grafana", "install", str(tmp_path / "p"))
    assert isinstance(answer.exception, UsageError)
    assert str(foreign) in str(answer.exception)
    assert [path for path in (tmp_path / "p").rglob("*") if path.is_file()] == [foreign]


def test_check_names_what_is_wrong(run: Run, tmp_path: Path) -> None:
    """Missing, edited and broken files each with their path and exit code 1; none: exit code 0."""
    folder = tmp_path / "p"
    run("grafana", "install", str(folder))
    assert run("grafana", "check", str(folder)).exit_code == 0
    noc, opd = (folder / "dashboards/bwmgr/en" / f"{name}.json" for name in ("noc", "opd"))
    noc.unlink()
    opd.write_text(opd.read_text(encoding="utf-8").replace("{", "", 1), encoding="utf-8")
    answer = run("grafana", "check", str(folder), "--format", "json")
    assert answer.exit_code == 1
    problems = json.loads(answer.stdout)
    assert [one for one in problems if str(noc) in one and "missing" in one]
    assert len([one for one in problems if str(opd) in one]) == 2


def test_embedded_store_is_refused(run: Run, tmp_path: Path) -> None:
    """Grafana cannot read the embedded store: a mistake of use that says what would be needed."""
    (tmp_path / "bwmgr.yaml").write_text(_REST, encoding="utf-8")
    answer = run("grafana", "install", str(tmp_path / "p"))
    assert isinstance(answer.exception, UsageError)
    assert "influxdb" in str(answer.exception)
