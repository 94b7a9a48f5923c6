"""An influxd of each installed version that holds some hours of the virtual regency, and a target with places and an event."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bwmgr.language import Words
from bwmgr.model.inventory import Event, Inventory
from bwmgr.model.secret import Secret
from bwmgr.reports.grafana.target import InfluxTarget, Target
from bwmgr.stores.influx import Access, InfluxStore
from bwmgr.stores.influx.client import Client
from bwmgr.stores.influx.schema import series_tags
from bwmgr.testing.clock import ManualClock
from bwmgr.testing.exporters_history import write_flow_history
from bwmgr.testing.history import write_history
from bwmgr.testing.influxd import Influxd
from bwmgr.testing.kabupaten import Passwords, kabupaten, troubles
from bwmgr.testing.regency import Regency

NOW = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
"""Monday, ten o'clock in Jakarta."""
HISTORY, FLOWS = timedelta(hours=12), timedelta(hours=2)
DATABASE = "regency"
_DONE = 204


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A server with data, as a client sees it."""

    client: Client
    end: int

    @property
    def start(self) -> int:
        return self.end - int(HISTORY.total_seconds())


def target(language: str = "en") -> Target:
    """The regency's, with coordinates and an event, which it has not of itself."""
    secret = Secret("grafana-test")
    inventory = kabupaten(Passwords(community=secret, auth=secret, priv=secret))
    influx = InfluxTarget(url="http://127.0.0.1:8086", database=DATABASE)
    return Target(inventory=_placed(inventory), words=Words(language), influx=influx)


def _placed(inventory: Inventory) -> Inventory:
    links = {
        name: replace(link, site=replace(link.site, lat=-2.5 + number / 100, lon=112.9 + number % 7 / 50))
        for number, (name, link) in enumerate(inventory.links.items())
    }
    wifi = tuple(name for name in links if name.startswith("wifi-"))[:2]
    event = Event(id="expo", links=wifi, down_bps=40_000_000, up_bps=40_000_000, start=NOW, end=NOW + timedelta(days=2))
    return replace(inventory, links=links, events={event.id: event})


@contextmanager
def loaded(program: str, folder: Path) -> Iterator[Loaded]:
    """The server runs until the block ends."""
    inventory = target().inventory
    regency = Regency(inventory, ManualClock(NOW), troubles=troubles(NOW))
    with Influxd(program, folder / "server") as server:
        access = Access(url=server.url, database=DATABASE)
        store = InfluxStore(access, folder / "spool", tags=series_tags(inventory))
        write_history(store, regency, start=NOW - HISTORY, end=NOW)
        write_flow_history(store, regency, start=NOW - FLOWS, end=NOW)
        assert store.flush(60.0), store.spool_state()
        store.close()
        client = Client(access)
        assert client.write(_recommendations()).status == _DONE
        yield Loaded(client=client, end=int(NOW.timestamp()))


def _recommendations() -> bytes:
    """One that is open, and one that was approved a minute after it was made."""
    made = int(NOW.timestamp()) - 3600
    tags = "recommendation,link={link},direction=down,policy=saturated,action=raise,status={status}"
    fields = 'id="{id}",current_mir_bps=20000000i,proposed_mir_bps=35000000i,proposed_cir_bps=5000000i'
    line = f'{tags} {fields},reason="full for 41 % of working hours",expected="satisfied 99 %" {{at}}\n'
    states = (("dinkes", "r1", "proposed", made), ("bapenda", "r2", "proposed", made), ("bapenda", "r2", "approved", made + 60))
    return "".join(line.format(link=link, id=one, status=status, at=at) for link, one, status, at in states).encode()
