"""Raw counters under their IF-MIB names: Telegraf's measurement `interface`, read by dashboards that were made for it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from bwmgr.config.settings import Settings, StoreSettings
from bwmgr.daemon.application import Application
from bwmgr.daemon.influx_counters import Counters
from bwmgr.daemon.influx_service import InfluxMetrics, InfluxService
from bwmgr.daemon.policy_registry import load_settings
from bwmgr.daemon.polling import CycleReport
from bwmgr.errors import StoreRejected
from bwmgr.measure.columns import READING, Present, Rows
from bwmgr.model.inventory import Inventory
from bwmgr.model.samples import GapReason
from bwmgr.stores.influx.counters import CounterLines
from collectors.snmp.outcome import Outcomes, Whereabouts
from tests.unit.influx.conftest import WriteServer

AT_MS = 1_767_225_600_999


def readings(count: int = 1) -> Rows:
    rows = np.zeros(count, READING)
    rows["interface"], rows["at_ms"], rows["counter_bits"] = np.arange(count), AT_MS, 64
    rows["in_octets"], rows["out_octets"] = 2**40 + np.arange(count), 7
    return rows


def report(found: Rows, inventory: Inventory, descriptions: list[str]) -> CycleReport:
    interfaces = [link.interface for link in inventory.links.values() if link.interface is not None]
    where = Whereabouts(interfaces=interfaces, if_indexes=np.arange(7, 7 + len(interfaces)), descriptions=descriptions)
    devices: Any = ()
    return CycleReport(
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
        duration_seconds=1.0,
        write_seconds=0.0,
        devices=devices,
        links_ok=1,
        gaps=(),
        readings=found,
        whereabouts=where,
    )


def test_every_counter_is_an_integer_under_the_name_of_its_object() -> None:
    """With the status, the speed and the discontinuity time beside them; at the reading's own second."""
    rows = readings()
    rows["in_packets"], rows["in_discards"], rows["out_discards"], rows["in_errors"], rows["out_errors"] = 3, 1, 2, 4, 5
    rows["oper_status"], rows["admin_status"], rows["if_high_speed_mbps"], rows["discontinuity_ticks"] = 1, 1, 1000, 9
    rows["present"] = 255 & ~Present.SPEED
    assert CounterLines([{"source": "rtr", "ifName": "ether1"}]).body(rows) == (
        b"interface,ifName=ether1,source=rtr ifHCInOctets=1099511627776i,ifHCOutOctets=7i,ifHCInUcastPkts=3i,ifHCOutUcastPkts=0i,"
        b"ifInDiscards=1i,ifOutDiscards=2i,ifInErrors=4i,ifOutErrors=5i,ifOperStatus=1i,ifAdminStatus=1i,ifHighSpeed=1000i,"
        b"ifCounterDiscontinuityTime=9i 1767225600\n"
    )


def test_counters_of_another_width_have_another_name() -> None:
    """A 32-bit counter wraps: under the 64-bit one's name it would spoil every derivative."""
    rows = readings(2)
    rows["counter_bits"][1], rows["present"] = 32, Present.PACKETS
    rows["present"][1] |= Present.PACKETS_32
    wide, narrow = CounterLines([{"link": "a"}, {"link": "b"}]).body(rows).decode().splitlines()
    assert wide.split(" ")[1] == "ifHCInOctets=1099511627776i,ifHCOutOctets=7i,ifHCInUcastPkts=0i,ifHCOutUcastPkts=0i"
    assert narrow.split(" ")[1] == "ifInOctets=1099511627777i,ifOutOctets=7i,ifInUcastPkts=0i,ifOutUcastPkts=0i"


def test_what_has_no_value_has_no_field() -> None:
    """A missing value is not 0 (fault 23); a gap has no line, and a counter that the server cannot hold is no other number."""
    rows = readings(3)
    rows["reason"][1], rows["in_octets"][2] = GapReason.TIMEOUT, 2**63
    assert CounterLines([{"link": name} for name in "abc"]).body(rows) == (
        b"interface,link=a ifHCInOctets=1099511627776i,ifHCOutOctets=7i 1767225600\n"
    )
    assert CounterLines(()).body(readings(0)) == b""


def test_tags_say_where_and_whose_it_is(make_inventory: Callable[..., Inventory]) -> None:
    """Device, name, description, index, link; what is not known is left out; what the agent says breaks no line (fault 64)."""
    inventory = make_inventory(3)
    counters = Counters(inventory)
    told = report(readings(3), inventory, ["Port 1, uplink=no", "", r"C:\Net "])
    lines = counters.points(told).decode().splitlines()
    tags = [line.split(" ifHC")[0] for line in lines]
    name, device = _name(inventory, 0), _device(inventory, 0)
    assert tags[0] == rf"interface,ifDescr=Port\ 1\,\ uplink\=no,ifIndex=7,ifName={name},link=link-0,source={device}"
    assert "ifDescr" not in tags[1]
    assert r"ifDescr=C:/Net\ ," in tags[2]


def test_tags_follow_an_interface_that_moved(make_inventory: Callable[..., Inventory]) -> None:
    """After a renumbering (fault 17) the same link has another ifIndex, from that cycle on."""
    inventory = make_inventory(1)
    counters = Counters(inventory)
    for if_index in (7, 12):
        told = report(readings(), inventory, [""])
        assert told.whereabouts is not None
        told.whereabouts.if_indexes[:] = if_index
        assert f"ifIndex={if_index}," in counters.points(told).decode()


@pytest.mark.parametrize("wanted", [True, False])
def test_they_can_be_switched_off(
    wanted: bool, write_server: WriteServer, make_inventory: Callable[..., Inventory], tmp_path: Path
) -> None:
    """`store: {interface_counters: false}`: none are written, and no ifDescr is asked for."""
    store = StoreSettings(kind="influxdb", path=tmp_path, url=write_server.url, database="bwmgr", interface_counters=wanted)
    settings = Settings(source=tmp_path / "bwmgr.yaml", store=store, inventory=make_inventory(1))
    application = Application(settings)
    assert application.snmp_settings().descriptions is wanted
    told = report(readings(), settings.inventory, [""])
    told.__dict__.update(devices=Outcomes.of([]), requests=1, replies=1)
    assert list(InfluxService(InfluxMetrics(CollectorRegistry())).cycle(application, told, {})) == []
    assert application.influx.flush(5.0)
    application.close()
    assert any(line.startswith(b"interface,") for line in write_server.taken) is wanted
    assert any(line.startswith(b"poller,") for line in write_server.taken)


def test_a_reload_may_switch_them(tmp_path: Path) -> None:
    """The key as an operator writes it; the store stays open, and is not moved by it."""
    file, before = (
        tmp_path / "bwmgr.yaml",
        "store: {kind: influxdb, url: 'http://127.0.0.1:9', database: bwmgr, username: noc, %s}",
    )
    (tmp_path / "password").write_text("sandi")
    found = []
    for more in ("password: {file: password}", "password: {file: password}, interface_counters: false"):
        file.write_text("organisation: {name: Diskominfo, timezone: Asia/Jakarta, language: id}\n" + before % more)
        found.append(load_settings(file))
    assert [settings.store.interface_counters for settings in found] == [True, False]
    application = Application(found[0])
    store, heir = application.influx, application.successor(found[1])
    assert heir.influx is store
    assert not heir.snmp_settings().descriptions
    heir.close()


def test_a_collector_that_does_not_say_where_gives_nothing(make_inventory: Callable[..., Inventory]) -> None:
    """And a name that cannot be sent is refused, not bent."""
    told: Any = report(readings(), make_inventory(1), [""])
    told.__dict__["whereabouts"] = None
    assert Counters(make_inventory(1)).points(told) == b""
    with pytest.raises(StoreRejected):
        CounterLines([{"ifName": "ether1\n"}])


def _name(inventory: Inventory, number: int) -> str:
    interface = list(inventory.links.values())[number].interface
    assert interface is not None
    return interface.name


def _device(inventory: Inventory, number: int) -> str:
    interface = list(inventory.links.values())[number].interface
    assert interface is not None
    return interface.device
