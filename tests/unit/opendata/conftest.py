"""A small city with everything in it that must not become public."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bwmgr.cli import bwmgr
from bwmgr.cli.session import Session
from bwmgr.testing.clock import ManualClock

NOW = datetime(2026, 3, 2, 3, tzinfo=UTC)
CONFIGURATION = """
organisation: {name: Diskominfo Kota Contoh, timezone: Asia/Jakarta, language: id}
calendars: {office: {mon-fri: "07:30-16:00"}}
credentials: {default: {version: 2c, community: {env: PUBLIC_TEST_COMMUNITY}}}
open_data: {region: "18.72", contact: data@contoh.go.id, address: "https://data.contoh.go.id/bandwidth"}
snmp: {interval: 5m}
providers:
  - id: penyedia-rahasia
    name: PT Penyedia Contoh
    contracts:
      - {id: kontrak-dalam-7, down: 100M, up: 100M, price: 60000000, per: month, start: 2026-01-01, end: 2026-12-31}
devices:
  - {id: core-mikrotik, address: 10.9.8.1}
  - {id: ap-sn48a1f2, address: 10.9.8.7}
  - {id: ap-lapangan, address: lapangan.kota.internal}
  - {id: rtr-dinkes, address: "fd00::15"}
  - {id: rtr-samber, address: 10.9.8.16}
nodes:
  - {id: simpul-inti, capacity: {down: 100M, up: 100M},
     uplinks: [{interface: {device: core-mikrotik, if_name: sfp-sfpplus1, faces: provider}, contract: kontrak-dalam-7}]}
links:
  - {id: wifi-masjid-01, name: AP Masjid lantai 2 panel C, kind: wifi, parent: simpul-inti, calendar: always,
     limit: {down: 8M, up: 8M}, interface: {device: ap-sn48a1f2, if_name: ether7, faces: subscriber}, networks: [10.44.0.0/24],
     site: {kecamatan: Metro Pusat, kelurahan: Imopuro, code: 18.72.01.1002, lat: -5.1131234567, lon: 105.3071234567,
            medium: fibre, status: active, since: 2026-01-15}}
  - {id: wifi-lapangan-02, name: AP Lapangan, kind: wifi, parent: simpul-inti, calendar: always, limit: {down: 8M, up: 8M},
     interface: {device: ap-lapangan, if_name: ether1, faces: subscriber},
     site: {kecamatan: Metro Pusat, kelurahan: Imopuro, code: 18.72.01.1002, lat: -5.12, lon: 105.31, medium: "ODP 10.9.8.7",
            status: trial, since: 2026-02-20}}
  - {id: wifi-rencana-03, name: AP Rencana, kind: wifi, parent: simpul-inti,
     site: {kecamatan: "=HYPERLINK(1)", kelurahan: rtr-dinkes, code: 18.72.02.1001, status: planned}}
  - {id: kel-samber, name: Kelurahan Samber, kind: village, parent: simpul-inti, calendar: office, limit: {down: 5M, up: 5M},
     interface: {device: rtr-samber, if_name: ether2, faces: subscriber}, site: {kelurahan: Samber, status: active}}
  - {id: dinkes-utama, name: Dinas Kesehatan, kind: opd, parent: simpul-inti, calendar: office, limit: {down: 10M, up: 10M},
     interface: {device: rtr-dinkes, if_name: ether3, faces: subscriber}, site: {kelurahan: Imopuro, lat: -5.11, lon: 105.30}}
"""
INTERNAL = (
    *("core-mikrotik", "sn48a1f2", "48a1f2", "ap-lapangan", "rtr-", "lapangan.kota.internal", "fd00::15", "10.9.8.", "10.44."),
    *("simpul-inti", "kontrak-dalam", "penyedia-rahasia", "wifi-masjid", "wifi-lapangan", "wifi-rencana", "kel-samber"),
    *("dinkes-utama", "panel C", "AP Masjid", "AP Lapangan", "sfp-", "ether", "komunitas-rahasia", "ODP", "bwmgr.yaml"),
)
"""Ids, names, addresses, interfaces, a serial number, the community: none may be in anything published."""


class City:
    """The configuration in a folder, and commands run on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "bwmgr.yaml"
        self.file.write_text(CONFIGURATION)
        self.clock = ManualClock(NOW)

    def session(self) -> Session:
        return Session(path=str(self.file), clock=self.clock)

    def run(self, *arguments: Any, exit_code: int = 0) -> Result:
        done = CliRunner().invoke(bwmgr, ["-c", str(self.file), *map(str, arguments)], obj=self.session())
        assert done.exit_code == exit_code, (done.output, done.exception)
        return done


def leaks(folder: Path) -> list[tuple[str, str]]:
    """(file, internal word) wherever one is found: a crawl over names and contents of all files."""
    found = []
    for path in sorted(folder.rglob("*")):
        text = str(path.relative_to(folder)) + (path.read_text(encoding="utf-8") if path.is_file() else "")
        found += [(path.name, word) for word in INTERNAL if word.lower() in text.lower()]
    return found


@pytest.fixture(autouse=True, scope="session")
def _community() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PUBLIC_TEST_COMMUNITY", "komunitas-rahasia")
        yield


@pytest.fixture
def city(tmp_path: Path) -> City:
    return City(tmp_path)
