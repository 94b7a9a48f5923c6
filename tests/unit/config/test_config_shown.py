"""`config show`: in the configuration's own words, loadable again, and without a secret."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bwmgr import config
from bwmgr.config.settings import Settings
from bwmgr.config.shown import document
from bwmgr.daemon.policy_registry import parameter_classes

EVERYTHING = """\
organisation: {name: "Kominfo: 'A', #1 \\U0001F4E1", timezone: Asia/Jayapura, language: en, currency: USD}
calendars:
  office: {mon-thu: "07:30-12:00, 13:00-16:00", fri: "07:30-11:30", holidays: ID, closed: [2026-12-24, 2026-03-01]}
  night: {mon-sun: "22:00-06:00"}
  never: {mon: closed}
  days: {holidays: DE-BE}
store: {kind: influxdb, url: "http://127.0.0.1:8086", database: d, username: u, password: {env: BWMGR_TEST_SECRET}, path: data,
  retention: {age: 400d, size: 1.5GB}}
snmp: {interval: 1500ms, timeout: 250ms, retries: 0}
credentials:
  v2: {version: 2c, community: {file: secrets/community}}
  v1: {version: 1, community: {env: BWMGR_TEST_SECRET}}
  v3: {version: 3, user: noc, context: c, auth: {protocol: SHA-512, key: {env: BWMGR_TEST_SECRET}},
    priv: {protocol: AES-256-C, key: {env: BWMGR_TEST_SECRET}}}
netflow: {listen: ["0.0.0.0:2055", "[::]:4739"], exporters: any, sampling: {10.0.0.1: 1000}, domestic: iix.txt, services: iix.txt,
  raw: {keep: 7d, size: 10G}}
daemon: {metrics: "[::1]:9464", recommend_every: 15m, report_every: 1w, log_format: json, log_level: warning,
  web: {listen: "[::1]:8080", token: {env: BWMGR_TEST_TOKEN}, user_header: X-Remote-User, proxies: [10.0.0.0/8]}}
providers:
  - {id: p, name: PT P, contracts: [{id: c, down: 500M, up: 1.5G, price: 160000, per: month, start: 2026-02-01, end: 2026-12-31,
      sla: {availability: 99.5, restitution: tiers, tiers: [{below: 99.5, percent: 5.5}], exclude: [planned], least_outage: 10m,
        covers: links}, international: 350M, domestic: 350M}]}
devices:
  - {id: core, address: "2001:db8::1", port: 1161, credentials: v3, vendor: routeros, unconnected: true}
  - {id: "no", address: 10.0.0.2, credentials: v2}
nodes:
  - {id: root, capacity: {down: 500M, up: 1.5G}, uplinks: [{interface: {device: core, if_name: e, faces: provider}, contract: c}]}
  - {id: east, name: Timur, parent: root, cir: {down: 10M, up: 0}, weight: 2.5, fairness: hierarchical, oversubscription: 1.5}
links:
  - {id: a, name: "true", kind: opd, parent: east, interface: {device: core, if_alias: "a b", faces: subscriber},
     limit: {down: none, up: 1234567}, cir: {down: 5M, up: 0}, mir: {down: none, up: none}, weight: 0, class: critical,
     calendar: office, networks: [10.1.0.0/24, "2001:db8:1::/48"], opd: b,
     site: {kecamatan: Baamang, kelurahan: Baamang Hulu, code: "62.02", lat: -2.53, lon: 112.95, medium: fibre,
       reason: belum ada tiang listrik, status: trial}}
  - {id: b, kind: wifi, limit: none, mir: none, networks: [10.2.0.0/24]}
  - {id: f, kind: opd, cir: {down: 5M, up: 0}, mir: {down: none, up: 25M}, bandwidth_function: [[0, 0], [10M, 20M], [50M, 30M]],
     networks: [10.3.0.0/24]}
events:
  - {id: e, links: [a, b], up: 100M, start: "2026-09-07T00:00", end: "2026-09-10T00:00Z", class: office}
maintenance: [{id: m, start: "2026-03-07T22:00", end: "2026-03-08T04:00", links: [a], contracts: [c]}]
policies: [{policy: right_size, headroom: 33.3%}, idle]
"""


@pytest.fixture
def everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration that says something with every key there is."""
    monkeypatch.setenv("BWMGR_TEST_SECRET", "s3cr3t-phrase")
    monkeypatch.setenv("BWMGR_TEST_TOKEN", "s3cr3t-token-of-the-pages")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "community").write_text("s3cr3t-community\n", encoding="utf-8")
    (tmp_path / "iix.txt").write_text("36.0.0.0/8\n", encoding="utf-8")
    path = tmp_path / "bwmgr.yaml"
    path.write_text(EVERYTHING, encoding="utf-8")
    return path


def load(path: Path) -> Settings:
    return config.load(path, policies=parameter_classes())


def again(settings: Settings, text: str, folder: Path) -> Settings:
    """What the text loads to, as if it stood where the first one stood."""
    folder.mkdir()
    (folder / "shown.yaml").write_text(text, encoding="utf-8")
    return replace(load(folder / "shown.yaml"), source=settings.source)


def test_shown_loads_to_the_same(everything: Path, tmp_path: Path) -> None:
    """YAML that is loaded elsewhere gives equal settings: nothing is lost, no default differs."""
    settings = load(everything)
    assert again(settings, config.show(settings), tmp_path / "elsewhere") == settings


def test_json_is_the_same_document(everything: Path, tmp_path: Path) -> None:
    """JSON is YAML too: it loads to equal settings."""
    settings = load(everything)
    assert again(settings, json.dumps(document(settings), ensure_ascii=False, indent=1), tmp_path / "elsewhere") == settings


def test_secrets_are_references(everything: Path) -> None:
    """Fault 53: a secret is shown as where it comes from; no text of one is in it, nor in repr."""
    settings = load(everything)
    shown = config.show(settings)
    assert "s3cr3t" not in shown + repr(settings)
    assert "{env: BWMGR_TEST_SECRET}" in shown
    assert f"{{file: {everything.parent}/secrets/community}}" in shown


def test_own_words(everything: Path) -> None:
    """Rates, durations, shares, sizes as a person writes them."""
    shown = config.show(load(everything))
    for words in (
        "interval: 1500ms",
        "up: 1.5G",
        "report_every: 7d",
        "headroom: 33.3%",
        "size: 1.5GB",
        'listen: ["0.0.0.0:2055"',
    ):
        assert words in shown


def test_defaults_are_written_out(tmp_path: Path) -> None:
    """What a file leaves out is shown, all policies with their parameters too."""
    (tmp_path / "small.yaml").write_text("organisation: {name: A}\nlinks: [{id: a, kind: event}]\n", encoding="utf-8")
    shown = config.show(load(tmp_path / "small.yaml"))
    for words in (
        "timezone: Asia/Jakarta",
        "interval: 1m",
        "calendar: always",
        "class: office",
        "policy: unreliable",
        "headroom: 25%",
    ):
        assert words in shown
