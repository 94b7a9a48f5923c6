"""Points beside the rates: their form, their way through the spool, and what the daemon says in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bwmgr.daemon.influx_allocation import tell_allocation
from bwmgr.daemon.influx_points import NodeSums, tell_cycle, tell_recommendations
from bwmgr.daemon.influx_service import InfluxMetrics
from bwmgr.daemon.polling import CycleReport
from bwmgr.errors import StoreRejected
from bwmgr.language import Words
from bwmgr.measure.columns import RATE, RateBatch
from bwmgr.model.bandwidth import Bandwidth
from bwmgr.model.decision import Action, Evidence, Expected, Reason, Recommendation, Status, StatusChange
from bwmgr.model.demand import DemandInterval
from bwmgr.model.inventory import Direction, Inventory, Node, PerDirection
from bwmgr.model.policy import PolicyInput
from bwmgr.model.usage import UsageWindow
from bwmgr.stores import LINK_RATE
from bwmgr.stores.influx import Access, InfluxStore, SpoolState
from bwmgr.stores.influx.lines import Renderer
from bwmgr.stores.influx.points import point
from bwmgr.stores.influx.spool import LINES, Spool, load
from bwmgr.stores.state import StateStore
from tests.unit.influx.conftest import WriteServer, batch

AT = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def store(write_server: WriteServer, tmp_path: Path) -> Any:
    opened = InfluxStore(Access(url=write_server.url, database="bwmgr", timeout_seconds=5.0), tmp_path / "spool")
    yield opened
    opened.close()


def test_a_point_says_each_type_as_line_protocol_does() -> None:
    """Texts quoted and without line breaks, integers with i, and what cannot be said left out."""
    fields = {"t": 'a "b"\\c\nd', "n": 3, "r": 2.5, "up": True, "inf": float("inf"), "none": None, "big": 2**64}
    assert point("m", {"b": "x y", "a": "1"}, fields, AT) == (
        b'm,a=1,b=x\\ y t="a \\"b\\"\\\\c d",n=3i,r=2.5,up=true,big=9223372036854775807i 1767225600\n'
    )
    assert point("m", {}, {"nothing": None}, AT) == b""
    with pytest.raises(StoreRejected):
        point("m", {"a": "x\ny"}, {"n": 1}, AT)


def test_lines_wait_among_the_batches_and_arrive_in_order(store: InfluxStore, write_server: WriteServer) -> None:
    """And are no rows of any measurement while they wait."""
    line = point("poller", {"job": "poll"}, {"links_ok": 3}, AT)
    spool = Spool(Path(store._spool.folder))
    path = spool.add_lines(line)
    assert load(path) == (LINES, line)
    assert not list(spool.batches(LINK_RATE))
    store.write(LINK_RATE, batch(2))
    store.write_lines(b"")
    assert store.flush(5.0)
    assert b"".join(one + b"\n" for one in write_server.taken) == line + Renderer().body(LINK_RATE, batch(2))
    assert not list(spool.folder.glob("lines*"))


def test_a_node_is_the_sum_of_its_measured_links(make_inventory: Callable[..., Inventory]) -> None:
    """Of each direction; gaps are counted as links, not as zeros; a node above has them too."""
    inventory = make_inventory(3)
    nodes = {
        **inventory.nodes,
        "kec": Node(id="kec", name="Kecamatan", parent="root"),
        "idle": Node(id="idle", name="", parent="root"),
    }
    links = {name: replace(link, parent="kec" if name != "link-2" else "root") for name, link in inventory.links.items()}
    rows = np.zeros(3, RATE)
    rows["series"], rows["down_bps"], rows["up_bps"], rows["reason"] = [2, 0, 1], [4e6, 1e6, np.nan], [4, 1, 2], [0, 0, 2]
    sums = NodeSums(replace(inventory, nodes=nodes, links=links))
    made = b"".join(sums.points(RateBatch(series=tuple(links), rows=rows), AT)).decode().splitlines()
    assert made[:2] == [
        (
            "node_usage,direction=down,node=root rate_bps=5000000.0,capacity_bps=500000000.0,utilisation=0.01,"
            "links_measured=2i,links=3i 1767225600"
        ),
        "node_usage,direction=down,node=kec rate_bps=1000000.0,links_measured=1i,links=2i 1767225600",
    ]
    assert len(made) == 4


def test_a_recommendation_is_a_point_at_each_step(store: InfluxStore, write_server: WriteServer, tmp_path: Path) -> None:
    """Made, then decided: the newest point of an id is what it is now; saying it again changes nothing; old ones are let be."""
    state = StateStore(tmp_path / "state.sqlite")
    state.add_recommendations([_recommendation("r1", AT), _recommendation("r0", AT - timedelta(days=200))])
    state.change_status(StatusChange(recommendation="r1", at=AT + timedelta(minutes=1), status=Status.APPROVED, by="ani"))
    for _ in range(2):
        tell_recommendations(store, state, Words("en"), AT + timedelta(days=1))
        assert store.flush(5.0)
    made, approved = sorted(set(write_server.taken), key=lambda line: line.rsplit(b" ", 1)[1])
    assert made == (
        b"recommendation,action=raise,direction=down,link=link-0,policy=saturated,status=proposed "
        b'id="r1",current_mir_bps=20000000i,proposed_mir_bps=35000000i,proposed_cir_bps=5000000i,'
        b'reason="full for 41%",expected="99% of demand satisfied" 1767225600'
    )
    assert b"status=approved" in approved
    assert approved.endswith(b" 1767225660")
    state.close()


def test_what_the_engine_went_by_is_a_point_of_each_link(
    store: InfluxStore, write_server: WriteServer, make_inventory: Callable[..., Inventory]
) -> None:
    """Terms, the limit in force and the demand: an interval where the link was held back, what it used elsewhere; no bound, no
    field."""
    inventory = make_inventory(2)
    link = replace(
        inventory.links["link-0"],
        cir=PerDirection(down=5_000_000, up=1_000_000),
        mir=PerDirection(down=50_000_000, up=None),
        limit=PerDirection(down=20_000_000, up=None),
        weight=2.0,
    )
    held = DemandInterval(
        low_bps=2e7, high_bps=None, kind="at least", percentile=95, samples=9, saturated_ratio=0.9, limit_bps=2e7
    )
    given = PolicyInput(
        now=AT,
        inventory=replace(inventory, links={**inventory.links, "link-0": link}),
        current={"link-0": {way: Bandwidth(cir_bps=link.cir[way], mir_bps=link.limit[way]) for way in Direction}},
        demand={"link-0": {Direction.DOWN: held}},
        usage={"link-0": {Direction.UP: _used("link-0", 3e6)}},
    )
    tell_allocation(store, given)
    assert store.flush(5.0)
    assert write_server.taken[:2] == [
        (
            b"allocation,direction=down,link=link-0 cir_bps=5000000.0,mir_bps=50000000.0,limit_bps=20000000.0,weight=2.0,"
            b'demand_low_bps=20000000.0,demand_kind="at least" 1767225600'
        ),
        (
            b"allocation,direction=up,link=link-0 cir_bps=1000000.0,weight=2.0,demand_low_bps=3000000.0,"
            b'demand_high_bps=3000000.0,demand_kind="measured" 1767225600'
        ),
    ]
    assert len(write_server.taken) == 4


def _used(link: str, p95_bps: float) -> UsageWindow:
    return UsageWindow(
        link=link, direction=Direction.UP, start=AT, end=AT + timedelta(days=1), calendar="always", p95_bps=p95_bps,
        mean_bps=p95_bps, max_bps=p95_bps, octets=1, samples=9, coverage_ratio=1.0, saturated_ratio=0.0,
    )  # fmt: skip


def test_a_cycle_says_how_it_went(
    store: InfluxStore, write_server: WriteServer, make_inventory: Callable[..., Inventory]
) -> None:
    """Poller, collectors and nodes at the cycle's start; no flows, no point of them."""
    report: Any = CycleReport(
        started_at=AT, duration_seconds=1.5, write_seconds=0.1, devices=_Devices(), links_ok=2, gaps=(), requests=7, replies=6,
        drops={"late": 1, "foreign": 2}, rates=RateBatch(series=("link-0", "link-1"), rows=batch(2).rows),
    )  # fmt: skip
    sums = NodeSums(make_inventory(2))
    for flows in ({}, {"flow_exporters": 2, "flow_datagrams": 10, "flow_lost": 0}):
        tell_cycle(store, sums, report, flows)
    assert store.flush(5.0)
    said = [line.split(b" ")[0] for line in write_server.taken]
    assert said.count(b"collector,job=flows") == 1
    assert said.count(b"poller,job=poll") == 2
    assert b"collector,job=snmp requests=7i,replies=6i,dropped=3i 1767225600" in write_server.taken
    assert b"node_usage,direction=up,node=root" in said
    polled = next(line for line in write_server.taken if line.startswith(b"poller,"))
    assert b"spool_segments=0i,spool_octets=0i,spool_oldest_s=" in polled
    assert b",spool_dropped=0i,refused_lines=0i " in polled


def test_the_spools_metrics_go_on_over_a_reload() -> None:
    """Gauges as they are, counters by what came since."""
    from prometheus_client import CollectorRegistry

    registry = CollectorRegistry()
    metrics = InfluxMetrics(registry)
    for sent, alarm in ((100, True), (150, False)):
        metrics.spool(_state(sent, alarm))
    names = ("sent_rows_total", "refused_lines_total", "spool_segments", "spool_oldest_seconds", "alarm")
    assert [registry.get_sample_value(f"bwmgr_influx_{name}") for name in names] == [150, 2, 4, 60, 0]


class _Devices:
    answered = 2

    def __len__(self) -> int:
        return 3


def _state(sent: int, alarm: bool) -> SpoolState:
    return SpoolState(
        segments=4, octets=10, oldest_seconds=60.0, dropped_segments=0, refused_lines=2, sent_rows=sent, trouble="", alarm=alarm
    )


def _recommendation(name: str, at: datetime) -> Recommendation:
    evidence = Evidence(
        start=at, end=at, calendar="office", p95_bps=1e7, demand_bps=3e7, saturated_ratio=0.41, coverage_ratio=1, samples=9
    )
    return Recommendation(
        id=name,
        created_at=at,
        link="link-0",
        direction=Direction.DOWN,
        action=Action.RAISE,
        policy="saturated",
        current=Bandwidth(cir_bps=5_000_000, mir_bps=20_000_000),
        proposed=Bandwidth(cir_bps=5_000_000, mir_bps=35_000_000),
        valid_from=at,
        valid_until=at + timedelta(days=1),
        reason=Reason(code="saturated", message="full for {saturated_ratio}", values={"saturated_ratio": 0.41}),
        evidence=evidence,
        expected=Expected(satisfaction_ratio=0.99),
    )
