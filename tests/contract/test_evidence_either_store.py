"""An evidence pack from InfluxDB is the same as one from the embedded store, to the octet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bwmgr.daemon.application import Application
from bwmgr.model.inventory import Inventory
from bwmgr.reports.evidence.verifier.check import check
from bwmgr.stores import LINK_RATE, UPLINK_RATE
from tests.contract import influx_servers
from tests.unit.evidence.conftest import END, START, Office

pytestmark = pytest.mark.system


@pytest.fixture
def office(tmp_path: Path, make_inventory: Callable[..., Inventory]) -> Iterator[Office]:
    yield Office(tmp_path, make_inventory(links=2, limit_bps=4_000_000))
    influx_servers.stop()


def test_a_pack_does_not_depend_on_the_store(office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every figure, every sample, every hash."""
    embedded = office.build("embedded.zip")
    store = influx_servers.opened("1.8", tmp_path / "influx", delivered=True)
    for measurement in (LINK_RATE, UPLINK_RATE):
        store.write(measurement, office.application.store.read(measurement, start=START, end=END))
    monkeypatch.setattr(Application, "store", property(lambda _: store))
    served = office.build("influx.zip")
    assert check(served, key=office.key.public.hexadecimal).findings == []
    assert served.read_bytes() == embedded.read_bytes()
