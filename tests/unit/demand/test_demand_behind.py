"""Demand behind a limit: what counts as held back, and the four kinds of answer."""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest

from bwmgr.measure.behind import demand_behind, expected_demand, held_back
from bwmgr.measure.columns import RATE, Rows
from bwmgr.measure.seasons import is_ramadan, season
from bwmgr.measure.tobit import Floats
from bwmgr.model.demand import DemandInterval
from bwmgr.model.inventory import Calendar, Direction
from bwmgr.model.samples import GapReason

M = 1e6
MONDAY_MS = round(datetime(2026, 3, 1, 17, tzinfo=UTC).timestamp() * 1000)
"""Monday 2 March 2026, midnight in Jakarta."""
ZONE = "Asia/Jakarta"


def office(weeks: int = 4, seed: int = 3, peak_bps: float = 20 * M) -> tuple[Floats, Floats]:
    """Instants (ms) and demand of an office at 5 minutes: a day's hump on working days, noise of a fifth."""
    at_ms = MONDAY_MS + 300_000 * np.arange(1, 1 + weeks * 2016)
    when = season(at_ms, ZONE)
    hump = np.exp(-(((when.hour - 11) / 3.5) ** 2)) * np.where(when.off, 0.15, 1.0) + 0.05
    noise = np.random.default_rng(seed).normal(0, 0.12, len(at_ms))
    return at_ms, (np.sqrt(peak_bps * hump) * (1 + noise)) ** 2


def rows_of(at_ms: Floats, demand: Floats, limit: float | Floats) -> Rows:
    rows = np.zeros(len(at_ms), RATE)
    rows["end_ms"], rows["down_bps"] = at_ms, np.minimum(demand, limit)
    rows["down_limit_bps"], rows["up_limit_bps"] = limit, np.inf
    rows["down_discards_ps"] = rows["up_discards_ps"] = np.nan
    return rows


def p95(figures: Floats) -> float:
    return float(np.sort(figures)[int(np.ceil(0.95 * len(figures))) - 1])


def asked(rows: Rows, **more: float) -> DemandInterval:
    found = demand_behind(rows, Direction.DOWN, timezone=ZONE, **more)
    assert found is not None
    return found


def test_a_limit_that_hardly_binds_leaves_a_measurement() -> None:
    """2 % of samples at the limit cannot move the 95th percentile: measured, no width, no probe."""
    at_ms, demand = office()
    found = asked(rows_of(at_ms, demand, float(np.quantile(demand, 0.98))))
    assert found.kind == "measured"
    assert found.low_bps == found.high_bps == p95(demand)
    assert found.probe_bps is None


def test_a_limit_that_binds_gives_an_interval_that_holds_the_truth() -> None:
    """With 15 % held back the truth is inside, and no single number is offered."""
    at_ms, demand = office()
    limit = float(np.quantile(demand, 0.85))
    found = asked(rows_of(at_ms, demand, limit))
    assert found.kind == "estimated"
    assert found.high_bps is not None
    assert found.low_bps < p95(demand) < found.high_bps
    assert limit <= found.low_bps
    assert not hasattr(found, "rate_bps")


def test_more_than_three_in_ten_held_back_says_at_least_and_probes() -> None:
    """Nothing is known of the upper end; a quarter more is to be tried."""
    at_ms, demand = office()
    limit = float(np.quantile(demand, 0.6))
    found = asked(rows_of(at_ms, demand, limit))
    assert (found.kind, found.high_bps) == ("at least", None)
    assert found.low_bps == limit
    assert found.probe_bps == pytest.approx(1.25 * limit)


def test_a_week_under_a_higher_limit_is_used() -> None:
    """Three weeks under a low limit and one under a high one give a narrower and truer answer than the three alone."""
    at_ms, demand = office()
    low, high = np.quantile(demand, 0.80), demand.max()
    limits = np.where(np.arange(len(at_ms)) < 3 * 2016, low, high)
    both, alone = asked(rows_of(at_ms, demand, limits)), asked(rows_of(at_ms, demand, float(low))[: 3 * 2016])
    assert both.high_bps is not None
    assert alone.high_bps is not None
    assert both.high_bps - both.low_bps < alone.high_bps - alone.low_bps
    assert both.low_bps < p95(demand) < both.high_bps
    assert both.limit_bps == high


def test_demand_is_never_said_to_be_beyond_what_usage_can_tell() -> None:
    """The interval ends at 2.5 times the limit, however wild the fit."""
    at_ms, demand = office()
    spiky = np.where(np.random.default_rng(5).random(len(demand)) < 0.28, 1e10, demand / 100)
    limit = float(np.quantile(demand, 0.5))
    found = asked(rows_of(at_ms, spiky, limit))
    assert found.high_bps is None or found.high_bps <= 2.5 * limit


def test_a_level_above_the_percentile_changes_nothing() -> None:
    """Adding demand to what is held back already changes no sample, so no answer."""
    at_ms, demand = office()
    limit = float(np.quantile(demand, 0.9))
    assert asked(rows_of(at_ms, demand, limit)) == asked(rows_of(at_ms, np.where(demand > limit, 9 * demand, demand), limit))


def test_a_shaper_below_the_limit_is_found_by_where_samples_pile_up() -> None:
    """Headers make a shaper of 20 Mbps pass 19.2: those samples are held back, the ones clearly under them are not."""
    usage = np.concatenate((np.full(300, 19.2), np.linspace(1, 18.9, 700))) * M
    held = held_back(usage, np.full(1000, 20 * M), np.full(1000, np.nan, np.float32))
    assert held.sum() == 300


def test_discards_hold_back_wherever_they_happen() -> None:
    """A policer's drops at half the limit say that more was wanted; unknown discards say nothing."""
    usage, limit = np.array([5.0, 5.0, 5.0]) * M, np.full(3, 10 * M)
    assert held_back(usage, limit, np.array([0, 3, np.nan], np.float32)).tolist() == [False, True, False]


def test_no_limit_holds_nothing_back() -> None:
    """An unlimited link is measured."""
    at_ms, demand = office(weeks=1)
    assert asked(rows_of(at_ms, demand, np.inf)).kind == "measured"


def test_gaps_are_no_samples() -> None:
    """Rows without rates are left out; with nothing else there is no answer."""
    at_ms, demand = office(weeks=1)
    rows = rows_of(at_ms, demand, np.inf)
    rows["reason"], rows["down_bps"] = GapReason.TIMEOUT, np.nan
    assert demand_behind(rows, Direction.DOWN, timezone=ZONE) is None


def test_an_idle_link_at_its_limit_of_one_level_says_at_least() -> None:
    """Where all known samples are alike there is nothing to fit: only the lower bound is said."""
    at_ms, _ = office(weeks=1)
    demand = np.where(np.arange(len(at_ms)) % 5 == 0, 100.0, 0.0) * M
    found = asked(rows_of(at_ms, demand, 10 * M))
    assert (found.kind, found.low_bps) == ("at least", 10 * M)


def test_seasons_know_local_time_holidays_and_ramadan() -> None:
    """Monday 07:00 WIB is hour 7; Nyepi (Thursday, 19 March 2026) counts as a Sunday; Ramadan 1447 began on 18 February."""
    nyepi_ms = round(datetime(2026, 3, 19, 1, tzinfo=UTC).timestamp() * 1000)
    found = season(np.array([MONDAY_MS + 7 * 3_600_000, nyepi_ms]), ZONE, Calendar(id="office", holidays="ID"))
    assert found.hour.tolist() == [7.0, 8.0]
    assert found.hour_of_week.tolist() == [7, 6 * 24 + 8]
    assert found.off.tolist() == [False, True]
    assert [is_ramadan(date(2026, 2, 17)), is_ramadan(date(2026, 2, 18)), is_ramadan(date(2026, 3, 20))] == [False, True, False]
    assert not is_ramadan(date(1800, 1, 1))


def test_real_traffic_behind_a_limit(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Abilene: at up to 17 % saturated the median error of P95 is within 5 %, and the intervals hold what they claim."""
    monkeypatch.setenv("BWMGR_SHARED", str(shared))
    monkeypatch.syspath_prepend(str(Path(__file__).parents[3] / "bench"))
    sys.modules.pop("demand", None)
    import demand as bench

    for table in bench.traces(quick=True).values():
        for quantile in (0.95, 0.90, 0.85):
            found = list(bench.answers(table, quantile))
            middles = [(said.sqrt_bps + said.log_bps) / 2 / truth - 1 for truth, _, said in found]
            inside = [said.low_bps <= truth * 1.0001 <= 1.0002 * said.high_bps for truth, _, said in found]
            assert max(said.saturated_ratio for *_, said in found) < 0.2
            assert np.median(np.abs(middles)) <= 0.05
            assert np.mean(inside) >= 0.8


def test_expected_demand_restores_the_volume_of_a_sum() -> None:
    """About half or more of the volume that limits took from twenty links comes back, not more; the rest stays untouched."""
    lost = restored = 0.0
    for seed in range(20):
        at_ms, demand = office(seed=seed)
        rows = rows_of(at_ms, demand, float(np.quantile(demand, 0.85)))
        expected = expected_demand(rows, Direction.DOWN, timezone=ZONE)
        same = expected == rows["down_bps"]
        assert same.mean() > 0.8
        lost += float((demand - rows["down_bps"]).sum())
        restored += float((expected - rows["down_bps"]).sum())
    assert 0.45 * lost < restored < 1.1 * lost


def test_expected_demand_leaves_alone_what_it_cannot_know() -> None:
    """Gaps stay NaN; a link that was held back most of the time keeps its usage."""
    at_ms, demand = office(weeks=1)
    rows = rows_of(at_ms, demand, float(np.quantile(demand, 0.5)))
    rows["reason"][5], rows["down_bps"][5] = GapReason.TIMEOUT, np.nan
    assert np.array_equal(expected_demand(rows, Direction.DOWN, timezone=ZONE), rows["down_bps"], equal_nan=True)
