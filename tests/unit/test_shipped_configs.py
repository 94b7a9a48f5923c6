"""Every shipped example loads, and has the numbers of its case."""

from __future__ import annotations

from pathlib import Path

import pytest

from bwmgr import config
from bwmgr.config.settings import Settings
from bwmgr.daemon.policy_registry import parameter_classes
from bwmgr.model.inventory import LinkKind, SiteStatus

CONFIGS = Path(__file__).parents[2] / "configs"


def load(name: str) -> Settings:
    return config.load(CONFIGS / name, policies=parameter_classes(), secrets=False)


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_loads(path: Path) -> None:
    """Without a mistake, and editors are told its schema."""
    assert load(path.name).inventory.links
    assert path.read_text(encoding="utf-8").startswith("# yaml-language-server: $schema=../bwmgr/config/bwmgr.schema.json\n")


def test_kotawaringin_timur() -> None:
    """32 OPD, four public facilities, seven kecamatan to come, Rp1.920.000.000 a year."""
    inventory = load("kotawaringin-timur.yaml").inventory
    planned = [link for link in inventory.links.values() if link.site.status is SiteStatus.PLANNED]
    kinds = [link.kind for link in inventory.links.values() if link not in planned]
    assert (kinds.count(LinkKind.OPD), kinds.count(LinkKind.FACILITY), len(planned)) == (32, 4, 7)
    assert [contract.price for contract in inventory.contracts.values()] == [1_920_000_000]


def test_belitung() -> None:
    """400 and 100 Mbit/s are reserved for the three days of the G20."""
    assert [event.down_bps for event in load("belitung.yaml").inventory.events.values()] == [400_000_000, 100_000_000]
