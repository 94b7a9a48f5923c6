"""Mistakes in a configuration: each at its line and key, none hiding another."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from bwmgr import config
from bwmgr.daemon.policy_registry import parameter_classes
from bwmgr.errors import ConfigurationError

RIGHT = """\
organisation: {name: Kominfo, timezone: Asia/Jakarta}
snmp: {interval: 60s}
credentials:
  default: {version: 2c, community: {env: BWMGR_TEST_COMMUNITY}}
devices:
  - {id: core, address: 10.0.0.1}
  - {id: edge, address: 10.0.0.2}
nodes:
  - {id: root, capacity: {down: 100M, up: 100M}}
  - {id: east, parent: root}
links:
  - {id: a, kind: opd, parent: east, interface: {device: core, if_name: e1, faces: subscriber}, \
cir: {down: 5M, up: 5M}, mir: {down: 9M, up: 9M}}
  - {id: b, kind: opd, parent: root, networks: [10.1.0.0/24]}
policies: [{policy: schedule, calendar: always}]
guards: {min_coverage: 70%, cooldown: 1d}
"""

MISTAKES = [
    ("interval: 60s", "interval: 60", "2: snmp.interval: not a duration"),
    ("interval: 60s", "interval: 500ms", "2: snmp.interval: 500ms is out of bounds"),
    ("snmp:", "smp:", "2: smp: unknown key; did you mean 'snmp'?"),
    ("Asia/Jakarta", "Asia/Jakata", "1: organisation.timezone: unknown time zone"),
    ("name: Kominfo, ", "", "1: organisation.name: missing"),
    ("{env: BWMGR_TEST_COMMUNITY}", "hunter2", "4: credentials.default.community: a secret is not written here"),
    (
        "BWMGR_TEST_COMMUNITY",
        "BWMGR_TEST_NONE",
        "4: credentials.default.community: the environment variable BWMGR_TEST_NONE is not set",
    ),
    ("version: 2c", "version: 3", "4: credentials.default.user: missing"),
    ("10.0.0.2", "10.0.0.1", "7: devices.edge.address: 10.0.0.1 port 161 is device core already"),
    ("id: edge", "id: core", "7: devices.core.id: 'core' is an id of devices already"),
    ("id: root,", "id: root, parent: east,", "9: nodes.root.parent: a loop: root -> east -> root"),
    ("parent: root}", "parent: rot}", "10: nodes.east.parent: there is no node 'rot'; did you mean 'root'?"),
    ("down: 100M", "down: 4M", "9: nodes.root.capacity: the cir below adds up to 5M down, above 4M"),
    ("cir: {down: 5M", "cir: {down: 10M", "12: links.a.cir: down 10M is above mir 9M"),
    ("cir: {down: 5M", "cir: {down: -5M", "12: links.a.cir.down: not a rate"),
    (", faces: subscriber", "", "12: links.a.interface.faces: missing"),
    ("device: core", "device: cor", "12: links.a.interface.device: there is no device 'cor'"),
    ("networks: [10.1.0.0/24]", "networks: [10.1.0.0/24, 10.1.0.0/25]", "13: links.b.networks: 10.1.0.0/25 overlaps 10.1.0.0/24"),
    ("10.1.0.0/24", "10.1.0.9/24", "13: links.b.networks[0]: 10.1.0.9/24 is an address inside a network; write 10.1.0.0/24"),
    ("kind: opd, parent: root", "kind: odp, parent: root", "13: links.b.kind: 'odp' is not known"),
    ("kind: opd, parent: root", "kind: opd, calendar: offis, parent: root", "13: links.b.calendar: there is no calendar 'offis'"),
    (", calendar: always", "", "14: policies[0].calendar: missing"),
    ("min_coverage: 70%", "min_coverage: 170%", "15: guards.min_coverage: 170% is more than the whole"),
    ("cooldown: 1d", "cooldown: 1", "15: guards.cooldown: not a duration"),
    ("cooldown: 1d", "coldown: 1d", "15: guards.coldown: unknown key; did you mean 'cooldown'?"),
    ("id: b, ", "id: b, id: c, ", "13: id: given twice; the first is at line 13"),
]


def mistakes(folder: Path, text: str) -> list[str]:
    """What is wrong with it, without the file's name."""
    path = folder / "bwmgr.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        config.load(path, policies=parameter_classes())
    return [str(mistake).removeprefix(f"{path}:") for mistake in caught.value.mistakes]


@pytest.fixture(autouse=True)
def _community(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BWMGR_TEST_COMMUNITY", "s3cr3t-community")


@pytest.mark.parametrize(("right", "wrong", "said"), MISTAKES, ids=[said for _, _, said in MISTAKES])
def test_each(tmp_path: Path, right: str, wrong: str, said: str) -> None:
    """Fault 51: said at its line, by its key."""
    assert right in RIGHT
    assert any(mistake.startswith(said) for mistake in mistakes(tmp_path, RIGHT.replace(right, wrong, 1)))


def test_all_at_once(tmp_path: Path) -> None:
    """Fault 51: one mistake hides no other."""
    text = (
        RIGHT.replace("60s", "60")
        .replace("down: 5M", "down: 10M")
        .replace("10.0.0.2", "10.0.0.1")
        .replace("device: core", "device: x")
    )
    assert [mistake.split(":")[0] for mistake in mistakes(tmp_path, text)] == ["2", "7", "12", "12"]


@pytest.mark.parametrize(
    "text", ["a: &a [x]\nb: [*a, *a]", "[" * 100_000, "a: " + "x" * 9_000_000, "{" * 50], ids=["alias", "deep", "large", "keys"]
)
def test_bombs(tmp_path: Path, text: str) -> None:
    """Fault 52: refused at once."""
    begun = time.monotonic()
    assert mistakes(tmp_path, text)
    assert time.monotonic() - begun < 1


def test_secrets_stay_hidden(tmp_path: Path) -> None:
    """Fault 53: neither a message nor `config show` nor repr holds a secret."""
    (tmp_path / "ok.yaml").write_text(RIGHT, encoding="utf-8")
    settings = config.load(tmp_path / "ok.yaml", policies=parameter_classes())
    assert "s3cr3t" not in config.show(settings) + repr(settings)
    assert not any(
        "hunter2" in mistake for mistake in mistakes(tmp_path, RIGHT.replace("{env: BWMGR_TEST_COMMUNITY}", "hunter2"))
    )


def test_schema_is_up_to_date() -> None:
    """The shipped schema is what `bwmgr config schema` prints."""
    shipped = Path(config.__file__).with_name("bwmgr.schema.json").read_text(encoding="utf-8")
    assert json.loads(shipped) == config.json_schema()
