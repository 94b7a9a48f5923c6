"""Verdicts on requests, scenarios of the future, and what is said where the data do not suffice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bwmgr.config.settings import Settings, SnmpSection, StoreSettings
from bwmgr.daemon.application import Application
from bwmgr.daemon.needs import WEEKS_A_YEAR, Needs, analyse
from bwmgr.daemon.needs_documents import document, rows
from bwmgr.daemon.request_verdicts import verdict_of
from bwmgr.errors import UsageError
from bwmgr.measure.columns import RATE, RateBatch
from bwmgr.model.demand import DemandInterval, Kind
from bwmgr.model.inventory import Contract, Direction, Inventory, PerDirection, Provider
from bwmgr.stores import LINK_RATE
from bwmgr.testing.clock import ManualClock

M = 1_000_000
START = datetime(2026, 1, 4, 17, tzinfo=UTC)
WEEK = timedelta(weeks=1)


def _need(kind: Kind, high_bps: float | None) -> DemandInterval:
    return DemandInterval(
        low_bps=8 * M, high_bps=high_bps, kind=kind, percentile=95.0, samples=1000, saturated_ratio=0.0, limit_bps=10 * M
    )


@pytest.mark.parametrize(
    ("requested", "need", "coverage", "verdict"),
    [
        (10 * M, _need("measured", 8 * M), 1.0, "within"),
        (10 * M + 1, _need("measured", 8 * M), 1.0, "above"),
        (20 * M, _need("estimated", 16 * M), 1.0, "within"),
        (21 * M, _need("estimated", 16 * M), 1.0, "above"),
        (12 * M, _need("at least", None), 1.0, "within"),
        (13 * M, _need("at least", None), 1.0, "unknown"),
        (10 * M, _need("measured", 8 * M), 0.69, "no data"),
        (10 * M, None, 0.0, "no data"),
        (None, _need("measured", 8 * M), 1.0, "not asked"),
    ],
)
def test_a_request_is_judged_by_what_is_known(
    requested: int | None, need: DemandInterval | None, coverage: float, verdict: str
) -> None:
    """A quarter above the need is within it; beyond the probe of a lower bound nobody knows; without data there is no verdict."""
    assert verdict_of(requested, need, coverage) == verdict


class Town:
    """Two links whose peaks never meet, growing by the same amount each week, under a contract of 100 Mbit/s at 1,200 a year."""

    def __init__(self, folder: Path, inventory: Inventory) -> None:
        contract = Contract(
            id="contract-1", provider="isp", capacity=PerDirection(down=100 * M, up=100 * M), price=1200, per="year"
        )
        larger = replace(contract, id="contract-2", provider="other", capacity=PerDirection(down=400 * M, up=400 * M), price=2000)
        providers = {
            "isp": Provider(id="isp", name="A", contracts=(contract,)),
            "other": Provider(id="other", name="B", contracts=(larger,)),
        }
        settings = Settings(
            inventory=replace(inventory, providers=providers),
            store=StoreSettings(path=folder / "var"),
            snmp=SnmpSection(interval_seconds=900),
            source=folder / "bwmgr.yaml",
        )
        self.application = Application(settings, clock=ManualClock(START))

    def write(self, weeks: int, *, growth_bps: float = 0.0) -> datetime:
        """Every quarter-hour: link-0 is busy on even hours, link-1 on odd ones. Returns the end."""
        count = weeks * 7 * 96
        batch = RateBatch(series=("link-0", "link-1"), rows=_rows(count, growth_bps))
        self.application.store.write(LINK_RATE, batch)
        return START + weeks * WEEK

    def analyse(self, end: datetime, **requests: int) -> Needs:
        asked = {name.replace("_", "-"): PerDirection(down=rate, up=None) for name, rate in requests.items()}
        return analyse(self.application, START, end, asked, target_ratio=0.01)


def _rows(count: int, growth_bps: float) -> Any:
    import numpy as np

    rows = np.zeros(2 * count, RATE)
    place = np.arange(2 * count) % count
    rows["series"] = np.repeat([0, 1], count)
    rows["end_ms"] = round(START.timestamp() * 1000) + place * 900_000
    rows["interval_ticks"] = 90_000
    busy = (place // 4 % 2) == rows["series"]
    rows["down_bps"] = np.where(busy, 20 * M + growth_bps * (place // 672), M)
    rows["up_bps"] = rows["down_bps"] / 10
    for column in ("down_limit_bps", "up_limit_bps"):
        rows[column] = np.inf
    return rows


@pytest.fixture
def town(tmp_path: Path, make_inventory: Callable[..., Inventory]) -> Town:
    return Town(tmp_path, make_inventory(links=2, limit_bps=None))


def test_scenarios_follow_from_the_optimum(town: Town) -> None:
    """A tenth less, as today: the figure times the factor, at today's price per Mbps; the cheapest contract that carries it."""
    found = town.analyse(town.write(6), link_0=60 * M)
    (root,) = found.roots
    scenarios = {one.future: one for one in root.scenarios}
    base, less = scenarios["base"], scenarios["less"]
    assert base.capacity_bps is not None
    assert less.capacity_bps is not None
    assert base.capacity_bps[Direction.DOWN] == pytest.approx(21 * M, rel=0.02)
    assert less.capacity_bps[Direction.DOWN] == pytest.approx(0.9 * base.capacity_bps[Direction.DOWN])
    assert (base.mbps, base.price) == (21, 21 * 12)
    assert base.mix is not None
    assert [offer.id for offer in base.mix.offers] == ["contract-1"]
    requested = scenarios["requested"]
    assert requested.capacity_bps is not None
    assert requested.capacity_bps[Direction.DOWN] == 80 * M  # 60 asked for, 20 measured of the one that did not ask


def test_peaks_that_do_not_meet_are_said_as_diversity(town: Town) -> None:
    """Two links of 20 Mbit/s that take turns need 21 together: a factor of 40 / 21, which what is requested is divided by too."""
    (root,) = town.analyse(town.write(6), link_0=40 * M, link_1=40 * M).roots
    factor = root.plan.directions[Direction.DOWN].diversity_factor
    assert factor == pytest.approx(40 / 21, rel=0.01)
    scenarios = {one.future: one for one in root.scenarios}
    together, added = scenarios["requested together"].capacity_bps, scenarios["requested"].capacity_bps
    assert together is not None
    assert added is not None
    assert together[Direction.DOWN] == pytest.approx(added[Direction.DOWN] / factor)


def test_growth_is_drawn_out_from_a_quarter_at_least(town: Town) -> None:
    """Thirteen weeks of 1 Mbit/s more each: a year later the line stands where it should."""
    (root,) = town.analyse(town.write(14, growth_bps=M)).roots
    scenarios = {one.future: one for one in root.scenarios}
    line = root.plan.directions[Direction.DOWN].growth
    assert line is not None
    assert scenarios["year"].factor == pytest.approx(1 + line.bps_per_week * WEEKS_A_YEAR / line.level_bps)
    assert line.bps_per_week == pytest.approx(M, rel=0.02)
    assert scenarios["two years"].mix is not None
    assert [offer.id for offer in scenarios["two years"].mix.offers] == ["contract-2"]


def test_without_a_quarter_growth_is_not_guessed(town: Town) -> None:
    """Twelve weeks are no year: the scenario has no capacity and no price."""
    (root,) = town.analyse(town.write(12, growth_bps=M)).roots
    year = next(one for one in root.scenarios if one.future == "year")
    assert (year.factor, year.capacity_bps, year.price, year.mix) == (None, None, None, None)


def test_a_gap_of_weeks_leaves_every_figure_out(town: Town) -> None:
    """Asked three weeks after the last reading of four: 57 % complete, so neither need nor optimum nor price is told."""
    found = town.analyse(town.write(4) + 3 * WEEK, link_0=60 * M)
    said = document(found)["roots"][0]
    assert said["enough"] is False
    assert said["coverage_ratio"] == pytest.approx(4 / 7, abs=0.01)
    assert {one["price_per_year"] for one in said["scenarios"]} == {None}
    assert {entry["optimum_bps"] for entry in said["directions"]} == {None}
    asked = [row for row in rows(found) if row["requested_bps"]]
    assert [(row["verdict"], row["kind"], row["low_bps"]) for row in asked] == [("no data", None, None)]


def test_without_history_there_is_nothing_to_analyse(town: Town) -> None:
    """And a request for an unknown link is refused by name."""
    with pytest.raises(UsageError, match="nothing was measured yet"):
        town.analyse(START + WEEK)
    end = town.write(4)
    with pytest.raises(UsageError, match="link-9"):
        town.analyse(end, link_9=M)
