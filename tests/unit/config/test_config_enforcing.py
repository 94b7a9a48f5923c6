"""`enforce:` of devices and `shaper:` of links: read, shown, and every mistake with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from bwmgr.config.shown import document as shown_document
from bwmgr.daemon.logs import secrets_of
from bwmgr.daemon.policy_registry import load_settings
from bwmgr.errors import ConfigurationError
from bwmgr.model.inventory import Direction, Enforcer, Shaper, ShaperPort

HEAD = """\
organisation: {name: Diskominfo}
credentials: {default: {version: 2c, community: {env: COMMUNITY}}}
"""


@pytest.fixture(autouse=True)
def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMMUNITY", "publik-sekali")
    monkeypatch.setenv("ROUTER", "sandi router")


def written(folder: Path, text: str) -> Path:
    path = folder / "bwmgr.yaml"
    path.write_text(HEAD + text)
    return path


def test_where_limits_are_held(tmp_path: Path) -> None:
    path = written(tmp_path, """\
devices:
  - {id: core, address: 10.0.0.1, enforce: {driver: linux, namespace: inti, timeout: 5s}}
  - {id: mt, address: 10.0.0.2, enforce: {driver: routeros, user: bwmgr, password: {env: ROUTER}}}
links:
  - {id: dinkes, kind: opd, networks: [10.1.0.0/24],
     shaper: {device: core, down: {interface: veth1, class: "1:20", parent: "1:1"}}}
  - {id: dukcapil, kind: opd, networks: [10.2.0.0/24], shaper: {device: mt}}
""")  # fmt: skip
    settings = load_settings(path)
    devices, links = settings.inventory.devices, settings.inventory.links
    assert devices["core"].enforce == Enforcer(driver="linux", namespace="inti", timeout_seconds=5.0)
    shaper = links["dinkes"].shaper
    assert shaper == Shaper(device="core", down=ShaperPort(interface="veth1", class_id="1:20", parent="1:1"))
    assert shaper[Direction.UP] is None
    assert links["dukcapil"].shaper == Shaper(device="mt")
    assert "sandi router" in {secret.reveal() for secret in secrets_of(settings)}
    document = shown_document(settings)
    assert document["devices"][1]["enforce"]["password"] == {"env": "ROUTER"}
    assert document["links"][0]["shaper"]["down"] == {"interface": "veth1", "parent": "1:1", "class": "1:20"}


def test_all_mistakes_at_once(tmp_path: Path) -> None:
    """A port that a shell would read, a class of two links, credentials where none are needed or missing, an unknown device."""
    path = written(tmp_path, """\
devices:
  - {id: core, address: 10.0.0.1, enforce: {driver: linux, user: root}}
  - {id: mt, address: 10.0.0.2, enforce: {driver: routeros, user: bwmgr, namespace: inti}}
  - {id: plain, address: 10.0.0.3}
links:
  - {id: a, kind: opd, networks: [10.1.0.0/24], shaper: {device: core, down: {interface: "x;reboot"}}}
  - {id: b, kind: opd, networks: [10.2.0.0/24], shaper: {device: core, down: {interface: veth1, class: ten}}}
  - {id: c, kind: opd, networks: [10.3.0.0/24], shaper: {device: core, down: {interface: veth2}, up: {interface: veth2}}}
  - {id: d, kind: opd, networks: [10.4.0.0/24], shaper: {device: plain}}
  - {id: e, kind: opd, networks: [10.5.0.0/24], shaper: {device: cor}}
""")  # fmt: skip
    with pytest.raises(ConfigurationError) as caught:
        load_settings(path)
    said = [(mistake.line, mistake.key.rsplit(".", 1)[-1]) for mistake in caught.value.mistakes]
    assert said == [(4, "user"), (5, "namespace"), (5, "password"), (8, "interface"), (9, "class"), (10, "up"), (11, "device"),
                    (12, "device")]  # fmt: skip


def test_routers_that_are_configured_over_ssh_and_sessions_that_radius_manages(tmp_path: Path) -> None:
    """Host keys from a file, an enable secret, a shared secret, a session by its user name; all masked, all shown again."""
    path = written(tmp_path, """\
devices:
  - {id: cisco, address: 10.0.0.3,
     enforce: {driver: ios, user: bwmgr, password: {env: ROUTER}, secret: {env: ROUTER}, host_keys: keys}}
  - {id: juniper, address: 10.0.0.4, enforce: {driver: junos, user: bwmgr, password: {env: ROUTER}, port: 2222}}
  - {id: bng, address: 10.0.0.5, enforce: {driver: radius, secret: {env: ROUTER}}}
links: [{id: dinkes, kind: opd, networks: [10.1.0.1/32], shaper: {device: bng, user: dinkes@pppoe}}]
""")  # fmt: skip
    settings = load_settings(path)
    devices = settings.inventory.devices
    assert [one.enforce.driver for one in devices.values() if one.enforce] == ["ios", "junos", "radius"]
    assert settings.inventory.links["dinkes"].shaper == Shaper(device="bng", user="dinkes@pppoe")
    shown = shown_document(settings)
    assert shown["devices"][0]["enforce"]["secret"] == {"env": "ROUTER"}
    assert shown["links"][0]["shaper"] == {"device": "bng", "user": "dinkes@pppoe"}


def test_keys_that_a_driver_has_no_use_for(tmp_path: Path) -> None:
    path = written(tmp_path, """\
devices:
  - {id: cisco, address: 10.0.0.3, enforce: {driver: ios, user: bwmgr, password: {env: ROUTER}, ca: ca.pem}}
  - {id: bng, address: 10.0.0.5, enforce: {driver: radius, user: bwmgr}}
  - {id: mt, address: 10.0.0.6, enforce: {driver: routeros, user: bwmgr, password: {env: ROUTER}, host_keys: keys}}
links: [{id: dinkes, kind: opd, networks: [10.1.0.1/32], shaper: {device: mt, user: dinkes}}]
""")  # fmt: skip
    with pytest.raises(ConfigurationError) as caught:
        load_settings(path)
    said = [(mistake.line, mistake.key.rsplit(".", 1)[-1]) for mistake in caught.value.mistakes]
    assert said == [(4, "ca"), (5, "secret"), (5, "user"), (6, "host_keys"), (7, "user")]
