"""An influxd of each installed version that holds some hours of the virtual regency, and a target with places and an event."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from bwmgr.daemon.influx_allocation import tell_allocation
from bwmgr.daemon.influx_points import NodeSums, tell_cycle, tell_recommendations
from bwmgr.daemon.polling import CycleReport
from bwmgr.language import Words
from bwmgr.measure.columns import RateBatch
from bwmgr.model.bandwidth import Bandwidth
from bwmgr.model.decision import Action, Evidence, Expected, Reason, Recommendation, Status, StatusChange
from bwmgr.model.demand import DemandInterval
from bwmgr.model.inventory import Direction, Event, Inventory, LinkKind
from bwmgr.model.policy import PolicyInput
from bwmgr.model.samples import GapReason
from bwmgr.model.secret import Secret
from bwmgr.reports.grafana.target import InfluxTarget, Target
from bwmgr.stores import LINK_RATE
from bwmgr.stores.influx import InfluxStore
from bwmgr.stores.influx.client import Client
from bwmgr.stores.influx.points import point
from bwmgr.stores.influx.schema import series_tags
from bwmgr.stores.state import StateStore
from bwmgr.testing.clock import ManualClock
from bwmgr.testing.exporters_history import write_flow_history
from bwmgr.testing.history import write_history
from bwmgr.testing.influx_versions import access_to, running
from bwmgr.testing.kabupaten import Passwords, kabupaten, troubles
from bwmgr.testing.regency import Regency

NOW = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
"""Monday, ten o'clock in Jakarta."""
HISTORY, FLOWS = timedelta(hours=6), timedelta(hours=1)
DATABASE = "regency"
POLL_SECONDS = 300
"""As the written history has it."""
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
    return Target(inventory=_placed(inventory), words=Words(language), influx=influx, poll_seconds=POLL_SECONDS)


def _placed(inventory: Inventory) -> Inventory:
    links = {
        name: replace(link, site=replace(link.site, lat=-2.5 + number / 100, lon=112.9 + number % 7 / 50))
        for number, (name, link) in enumerate(inventory.links.items())
    }
    hall = links["gedung-serbaguna"]
    links[hall.id] = replace(hall, kind=LinkKind.EVENT)
    wifi = tuple(name for name in links if name.startswith("wifi-"))[:2]
    event = Event(id="expo", links=wifi, down_bps=40_000_000, up_bps=40_000_000, start=NOW, end=NOW + timedelta(days=2))
    return replace(inventory, links=links, events={event.id: event})


@contextmanager
def loaded(version: str, folder: Path) -> Iterator[Loaded]:
    """A server of an installed version runs until the block ends."""
    inventory = target().inventory
    regency = Regency(inventory, ManualClock(NOW), troubles=troubles(NOW))
    with running(version, folder / "server") as server:
        access = access_to(server, DATABASE)
        store = InfluxStore(access, folder / "spool", tags=series_tags(inventory))
        write_history(store, regency, start=NOW - HISTORY, end=NOW)
        write_flow_history(store, regency, start=NOW - FLOWS, end=NOW)
        _tell(store, inventory, folder)
        assert store.flush(60.0), store.spool_state()
        store.close()
        client = Client(access)
        assert client.write(_gaps() + _full(inventory)).status == _DONE
        yield Loaded(client=client, end=int(NOW.timestamp()))


def _tell(store: InfluxStore, inventory: Inventory, folder: Path) -> None:
    """What the daemon says beside the rates: an hour of cycles, and recommendations of which one is approved."""
    sums = NodeSums(inventory)
    hour = store.read(LINK_RATE, start=NOW - timedelta(hours=1), end=NOW)
    for number, end_ms in enumerate(np.unique(hour.rows["end_ms"])):
        rates = RateBatch(series=hour.series, rows=hour.rows[hour.rows["end_ms"] == end_ms])
        report: Any = CycleReport(
            started_at=datetime.fromtimestamp(end_ms / 1000, UTC),
            duration_seconds=1.5,
            write_seconds=0.1,
            devices=_Devices(),
            links_ok=len(rates.rows),
            gaps=(),
            requests=70,
            replies=69,
            rates=rates,
        )
        tell_cycle(store, sums, report, {"flow_exporters": 2, "flow_datagrams": 1000 * number, "flow_lost": 0})
    for hours in range(int(HISTORY.total_seconds()) // 3600):
        given = PolicyInput(now=NOW - timedelta(hours=hours), inventory=inventory, current={}, demand={"dinkes": _demands()})
        tell_allocation(store, given)
    state = StateStore(folder / "state.sqlite")
    state.add_recommendations(
        [_recommendation("dinkes", "down"), _recommendation("dinkes", "up"), _recommendation("bapenda", "down")]
    )
    state.change_status(
        StatusChange(recommendation="bapenda-down", at=NOW - timedelta(minutes=50), status=Status.APPROVED, by="ani")
    )
    tell_recommendations(store, state, Words("en"), NOW)
    state.close()


def _demands() -> dict[Direction, DemandInterval]:
    """Of a link that was held back in both directions."""
    found = DemandInterval(
        low_bps=2.5e7, high_bps=4e7, kind="estimated", percentile=95.0, samples=900, saturated_ratio=0.4, limit_bps=2e7
    )
    return dict.fromkeys(Direction, found)


class _Devices:
    answered = 53

    def __len__(self) -> int:
        return 54


def _recommendation(link: str, way: str) -> Recommendation:
    made = NOW - timedelta(hours=1)
    evidence = Evidence(
        start=made, end=NOW, calendar="office", p95_bps=1e7, demand_bps=3e7, saturated_ratio=0.41, coverage_ratio=1, samples=9
    )
    return Recommendation(
        id=f"{link}-{way}",
        created_at=made,
        link=link,
        direction=Direction(way),
        action=Action.RAISE,
        policy="saturated",
        current=Bandwidth(cir_bps=5_000_000, mir_bps=20_000_000),
        proposed=Bandwidth(cir_bps=5_000_000, mir_bps=35_000_000),
        valid_from=made,
        valid_until=made + timedelta(days=1),
        reason=Reason(code="saturated", message="full for {saturated_ratio}", values={"saturated_ratio": 0.41}),
        evidence=evidence,
        expected=Expected(satisfaction_ratio=0.99),
    )


def _gaps() -> bytes:
    """One of each reason: the regency has few of them in half a day."""
    at = int(NOW.timestamp()) - 1800
    return "".join(
        f'link_gap,link=dinkes,direction=down reason="{reason.name.lower()}",reason_code={reason.value}i {at + reason.value}\n'
        for reason in GapReason
        if reason is not GapReason.NONE
    ).encode()


def _full(inventory: Inventory) -> bytes:
    """An access point whose newest reading is at its limit."""
    tags = {**series_tags(inventory)[LINK_RATE, "wifi-taman-kota"], "link": "wifi-taman-kota", "direction": "down"}
    return point(LINK_RATE, tags, {"rate_bps": 19.9e6, "limit_bps": 20e6, "utilisation": 0.995}, NOW)
