"""contract_parts: which part of a contract is full, said from flows alone, and never where flows are missing."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from bwmgr.daemon.advice import advise
from bwmgr.daemon.application import Application
from bwmgr.daemon.part_flows import part_loads
from bwmgr.daemon.policy_registry import load_settings
from bwmgr.engine import run
from bwmgr.language import Words
from bwmgr.measure.columns import FLOW_SUM, RATE, RateBatch
from bwmgr.model.decision import Action, Recommendation
from bwmgr.model.inventory import Direction
from bwmgr.model.policy import PartLoad, PolicyInput
from bwmgr.stores import FLOW_USAGE, LINK_RATE
from policies import contract_parts

sys.path.insert(0, str(Path(__file__).parents[1] / "engine"))
from engine_inputs import NOW, M, given, link, window


def load(part: str, rate: float, direction: Direction = Direction.DOWN, **more: object) -> PartLoad:
    """Ten days of flows, hardly a gap, of a contract that states 100 Mbps of each part."""
    figures = {key: more.pop(key) for key in ("start", "coverage_ratio") if key in more}
    flows = {"start": NOW - timedelta(days=10), "calendar": "always", "p95_bps": rate * M, "samples": 2800, **figures}
    usual = PartLoad(part=part, window=window("root", direction, **flows), contract_bps=100 * M, counted_ratio=1.0)
    return replace(usual, **more)  # type: ignore[arg-type]


def said(*loads: PartLoad) -> list[Recommendation]:
    inputs: PolicyInput = replace(given([link()], {}), part_load={"root": loads})
    return list(run([("contract_parts", contract_parts.propose, contract_parts.Parameters())], inputs).recommendations)


def test_a_full_part_is_filled_up_from_the_other_one() -> None:
    """International is at 96 of 100 while domestic uses 40: 20 more are needed, and domestic can spare them."""
    (found,) = said(load("international", 96), load("domestic", 40))
    assert (found.link, found.action, found.reason.code) == ("root", Action.BUY, "international_full")
    assert (found.current.mir_bps, found.proposed.mir_bps, found.expected.monthly_price) == (100 * M, 120 * M, 0)
    assert "have 20 Mbps of domestic converted" in Words("en").reason(found.reason)
    assert "minta 20 Mbps domestik dialihkan" in Words("id").reason(found.reason)


def test_a_full_part_is_bought_where_the_other_one_has_none_to_give() -> None:
    """Domestic at 70 needs 90 for itself; both full: both are bought."""
    (found,) = said(load("international", 96), load("domestic", 70))
    assert found.expected.monthly_price is None
    assert "domestic has none to give: buy 20 Mbps of international" in Words("en").reason(found.reason)
    both = said(load("international", 96), load("domestic", 95))
    assert {entry.reason.code for entry in both} == {"international_full", "domestic_full"}


def test_a_full_domestic_part_and_the_fuller_direction() -> None:
    """Upload counts as well as download; a part that the contract does not state gives nothing."""
    (found,) = said(load("domestic", 50), load("domestic", 92, Direction.UP), load("international", 30))
    assert (found.direction, found.reason.code) == (Direction.UP, "domestic_full")
    assert "converted" in Words("en").reason(found.reason)
    (found,) = said(load("domestic", 92), load("international", 30, contract_bps=None))
    assert "buy 20 Mbps of domestic" in Words("en").reason(found.reason)


def test_what_flows_do_not_tell_of_is_made_up_for() -> None:
    """Flows that tell of 80 % of the counters' octets: 76 stands for 95."""
    (found,) = said(load("international", 76, counted_ratio=0.8), load("domestic", 10, counted_ratio=0.8))
    assert (found.evidence.demand_bps, found.evidence.p95_bps) == (pytest.approx(95 * M), 76 * M)
    assert found.evidence.more["counted_ratio"] == 0.8


@pytest.mark.parametrize(
    "missing",
    [
        {"start": NOW - timedelta(days=5)},
        {"coverage_ratio": 0.8},
        {"counted_ratio": 0.6},
        {"counted_ratio": None},
    ],
    ids=["too few days", "an exporter was silent", "a router that exports nothing", "no counters beside them"],
)
def test_nothing_is_said_where_flows_are_missing(missing: dict[str, object]) -> None:
    """A part looks idle because its flows are missing: one such part, and the root says nothing."""
    assert said(load("international", 96), load("domestic", 40, **missing)) == []


def test_a_part_that_is_not_full_says_nothing() -> None:
    """At 89 % of it."""
    assert said(load("international", 89), load("domestic", 20)) == []


CONFIGURATION = """\
organisation: {name: Diskominfo, timezone: UTC, language: en}
store: {kind: embedded, path: var}
netflow: {listen: ["127.0.0.1:2055"], exporters: any, domestic: iix.txt}
providers:
  - {id: p, name: P, contracts: [{id: c, down: 200M, up: 200M, domestic: 100M, international: 100M}]}
devices: [{id: core, address: 127.0.0.1}]
credentials: {default: {version: 2c, community: {env: BWMGR_TEST_COMMUNITY}}}
nodes:
  - {id: root, uplinks: [{interface: {device: core, if_name: e1, faces: provider}, contract: c}]}
links:
  - {id: a, kind: opd, parent: root, interface: {device: core, if_name: e2, faces: subscriber}, networks: [10.1.0.0/24]}
policies: [contract_parts]
"""
END = datetime(2026, 3, 16, tzinfo=UTC)
DAYS = 8


@pytest.fixture
def application(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Application:
    """Eight days of flows: 90 Mbps international and 20 domestic, 9 and 2 up; the counters of the last day saw 120 and 12."""
    monkeypatch.setenv("BWMGR_TEST_COMMUNITY", "public-community")
    (tmp_path / "bwmgr.yaml").write_text(CONFIGURATION)
    (tmp_path / "iix.txt").write_text("10.9.0.0/16\n")
    found = Application(load_settings(tmp_path / "bwmgr.yaml"))
    ends = round((END - timedelta(days=DAYS)).timestamp() * 1000) + 300_000 * np.arange(1, DAYS * 288 + 1)
    rows = np.zeros((4, len(ends)), FLOW_SUM)
    rows["series"], rows["end_ms"] = np.arange(4)[:, None], ends
    rows["octets"] = np.array([90, 20, 9, 2])[:, None] * M * 300 // 8
    names = tuple(f"a|{way}|web|{part}" for way in ("down", "up") for part in ("international", "domestic"))
    found.store.write(FLOW_USAGE, RateBatch(series=names, rows=rows.T.ravel()))
    counters = np.zeros(288, RATE)
    counters["end_ms"], counters["interval_ticks"] = ends[-288:], 30_000
    counters["down_bps"], counters["up_bps"] = 120 * M, 12 * M
    counters["down_limit_bps"] = counters["up_limit_bps"] = np.inf
    found.store.write(LINK_RATE, RateBatch(series=("a",), rows=counters))
    return found


def test_what_the_store_tells_of_the_parts(application: Application) -> None:
    """Percentile, coverage since the first flow, and how much of what the counters saw."""
    loads = {(each.part, each.window.direction): each for each in part_loads(application, END - timedelta(days=14), END)["root"]}
    found = loads["international", Direction.DOWN]
    seen = found.window
    assert (seen.p95_bps, found.contract_bps, seen.samples) == (90 * M, 100 * M, DAYS * 288 - 1)
    assert (seen.coverage_ratio, seen.start) == (1.0, END - timedelta(days=DAYS))
    assert found.counted_ratio == pytest.approx(110 / 120)
    assert loads["domestic", Direction.DOWN].rate_bps == pytest.approx(20 * M * 120 / 110)
    assert loads["domestic", Direction.UP].window.p95_bps == 2 * M
    gone_silent = part_loads(application, END - timedelta(days=14), END + timedelta(days=2))["root"]
    assert gone_silent[0].window.coverage_ratio == pytest.approx(0.8, rel=1e-3)


def test_a_run_says_it_once(application: Application) -> None:
    """From the store to the queue; the next run leaves the one that waits as it is, and `market` beside it has its own."""
    (first,) = advise(application, END).recommendations
    assert (first.policy, first.reason.code, first.link) == ("contract_parts", "international_full", "root")
    (second,) = advise(application, END + timedelta(minutes=15)).recommendations
    assert second.id == first.id


def test_without_a_list_of_networks_no_part_is_known(application: Application) -> None:
    """Without `netflow.domestic` everything would count as international."""
    flows = application.settings.netflow
    assert flows is not None
    application.settings = replace(application.settings, netflow=replace(flows, domestic=None))
    assert part_loads(application, END - timedelta(days=14), END) == {}
