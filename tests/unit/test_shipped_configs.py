"""Every shipped example loads, and has the numbers of its case in DOMAIN."""

from __future__ import annotations

import runpy
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bwmgr import config
from bwmgr.config.settings import Settings
from bwmgr.daemon.policy_registry import parameter_classes
from bwmgr.model.inventory import Inventory, LinkKind, PerDirection, SiteStatus

CONFIGS = Path(__file__).parents[2] / "configs"
M = 10**6


def load(name: str, folder: Path = CONFIGS) -> Settings:
    return config.load(folder / name, policies=parameter_classes(), secrets=False)


def kinds(inventory: Inventory) -> Counter[LinkKind]:
    return Counter(link.kind for link in inventory.links.values() if link.site.status is SiteStatus.ACTIVE)


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_loads(path: Path, tmp_path: Path) -> None:
    """Without a mistake; it says its schema, what is published and what illustrative; shown, it loads again."""
    settings = load(path.name)
    text = path.read_text(encoding="utf-8")
    assert settings.inventory.links
    assert text.startswith("# yaml-language-server: $schema=../bwmgr/config/bwmgr.schema.json\n")
    assert "# Published: " in text
    assert "llustrative: " in text
    (tmp_path / "shown.yaml").write_text(config.show(settings), encoding="utf-8")
    assert replace(load("shown.yaml", tmp_path), source=settings.source) == settings


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_codes_of_regions(path: Path) -> None:
    """Every place that is named carries its region code, of its own regency."""
    sites = [link.site for link in load(path.name).inventory.links.values()]
    regencies = {(site.code or "none")[:5] for site in sites}
    assert all(site.kecamatan and site.code and len(site.code) == (13 if site.kelurahan else 8) for site in sites)
    assert len(regencies) == (6 if path.stem == "jakwifi" else 1)


def test_kotawaringin_timur() -> None:
    """32 OPD, four public facilities, seven kecamatan to come, Rp1.920.000.000 a year from 1 February 2022."""
    inventory = load("kotawaringin-timur.yaml").inventory
    planned = [link for link in inventory.links.values() if link.site.status is SiteStatus.PLANNED]
    assert (kinds(inventory), len(planned)) == ({LinkKind.OPD: 32, LinkKind.FACILITY: 4}, 7)
    assert {"Seranau", "Pulau Hanaut"} < {link.site.kecamatan for link in planned}
    assert not any(link.interface for link in planned)
    contract = next(iter(inventory.contracts.values()))
    assert (contract.price, contract.per, str(contract.start)) == (1_920_000_000, "year", "2022-02-01")


def test_belitung() -> None:
    """400 Mbit/s promised where 20 were measured, 100 for the media centre, on 7 to 9 September in WIB; 20 OPD keep their CIR."""
    inventory = load("belitung.yaml").inventory
    hotel, centre = inventory.events["g20-sheraton"], inventory.events["g20-media-center"]
    assert (hotel.down_bps, centre.down_bps) == (400 * M, 100 * M)
    assert inventory.links["sheraton"].limit.down == 20 * M
    assert (hotel.start, hotel.end) == (datetime(2022, 9, 6, 17, tzinfo=UTC), datetime(2022, 9, 9, 17, tzinfo=UTC))
    assert kinds(inventory)[LinkKind.OPD] == 20
    guaranteed = sum(link.cir.down for link in inventory.links.values() if link.kind is LinkKind.OPD)
    capacity = inventory.nodes["pusat"].capacity.down
    assert capacity is not None
    assert guaranteed + 500 * M <= capacity


def test_bangka_barat() -> None:
    """OPD and villages; three providers whose rupiah per Mbit/s differ, about Rp1 billion a year."""
    inventory = load("bangka-barat.yaml").inventory
    assert kinds(inventory) == {LinkKind.OPD: 28, LinkKind.VILLAGE: 10}
    prices = [(contract.price or 0) * M / contract.capacity.down for contract in inventory.contracts.values()]
    assert (len(inventory.providers), len({round(price) for price in prices})) == (3, 3)
    assert next(iter(inventory.contracts.values())).price == 1_000_000_000


def test_kota_metro() -> None:
    """180 access points share a pool of 350 Mbit/s; two of 22 kelurahan are not on fibre yet."""
    inventory = load("kota-metro.yaml").inventory
    pool = inventory.nodes["wifi-publik"]
    assert (pool.capacity, pool.fairness) == (PerDirection(down=350 * M, up=350 * M), "leaf")
    assert [inventory.links[link].kind for link in inventory.links_of["wifi-publik"]] == [LinkKind.WIFI] * 180
    offices = [link for link in inventory.links.values() if link.id.startswith("kel-")]
    assert (len(offices), sum(link.site.medium == "fibre" for link in offices)) == (22, 20)
    assert len({link.site.kelurahan for link in inventory.links.values() if link.kind is LinkKind.WIFI}) == 22


def test_jakwifi() -> None:
    """9,000 points over all 267 kelurahan: 2,619 existing, 1,200 budgeted, partners' beside them, each in its rollout state."""
    inventory = load("jakwifi.yaml").inventory
    links = inventory.links.values()
    assert len(links) == 9000
    assert Counter(link.id.split("-")[0] for link in links) == {"dki": 2619, "apbd": 1200, "mitra": 5181}
    assert {link.site.status for link in links} == set(SiteStatus)
    assert len({link.site.code for link in links}) == 267
    assert all(link.site.status is SiteStatus.ACTIVE for link in links if link.id.startswith("dki"))
    assert all((link.interface is None) == (link.site.status is SiteStatus.PLANNED) for link in links)


def test_jakwifi_lists_are_what_their_script_writes(tmp_path: Path) -> None:
    """Deterministic: made again, not a byte differs."""
    script: dict[str, Any] = runpy.run_path(str(CONFIGS / "jakwifi" / "make.py"))
    script["write_lists"](tmp_path)
    for name in ("nodes.csv", "devices.csv", "links.csv"):
        assert (tmp_path / name).read_bytes() == (CONFIGS / "jakwifi" / name).read_bytes()
