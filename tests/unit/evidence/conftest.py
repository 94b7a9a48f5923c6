"""A small office with two days of history and the evidence pack of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import pytest

from bwmgr.config.settings import JournalSection, Settings, SnmpSection, StoreSettings
from bwmgr.daemon.application import Application
from bwmgr.daemon.evidence_pack import build_pack
from bwmgr.model.inventory import ALWAYS, Calendar, Inventory, PerDirection
from bwmgr.model.secret import Secret
from bwmgr.stores.journal_keys import SigningKey, make_key
from bwmgr.testing.clock import ManualClock
from bwmgr.testing.history import write_history
from bwmgr.testing.regency import Regency

START = datetime(2026, 3, 1, 17, tzinfo=UTC)
END = START + timedelta(days=2)
_HOURS = tuple(((time(7, 30), time(16)),) if day < 5 else () for day in range(7))


class Office:
    """Three links and an uplink; `pack` is made anew on each `build`."""

    def __init__(self, folder: Path, inventory: Inventory) -> None:
        self.folder = folder
        self.key: SigningKey = make_key(folder / "key.pem")
        links = {name: replace(link, calendar="office") for name, link in inventory.links.items()}
        calendars = {"always": ALWAYS, "office": Calendar(id="office", weekly=_HOURS)}
        self.inventory = replace(inventory, links=links, calendars=calendars)
        settings = Settings(
            inventory=self.inventory,
            store=StoreSettings(path=folder / "var"),
            snmp=SnmpSection(interval_seconds=300),
            journal=JournalSection(key=Secret((folder / "key.pem").read_text(), "file:key.pem")),
            source=folder / "bwmgr.yaml",
        )
        self.application = Application(settings, clock=ManualClock(END - timedelta(hours=1)))
        for number in range(3):
            self.application.trail.record("test.done", f"subject-{number}", {"number": number}, by="penguji")
        regency = Regency(self.inventory, ManualClock(END))
        write_history(self.application.store, regency, start=START, end=END, interval_seconds=300)

    def build(self, name: str = "pack.zip") -> Path:
        path = self.folder / name
        requests = {"link-0": PerDirection(down=50_000_000, up=None)}
        build_pack(self.application, START, END, path, self.key, requests=requests)
        return path


@pytest.fixture(scope="session")
def office(tmp_path_factory: pytest.TempPathFactory, make_inventory: Callable[..., Inventory]) -> Office:
    return Office(tmp_path_factory.mktemp("office"), make_inventory(links=3, limit_bps=4_000_000))


@pytest.fixture(scope="session")
def pack(office: Office) -> Path:
    return office.build()
