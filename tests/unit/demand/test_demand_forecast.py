"""Forecasts: the champion of each series, level shifts, growth, and the days that are unlike others."""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest

from bwmgr.measure.forecast import forecast, growth, last_shift, pinball, theil_sen
from bwmgr.measure.seasons import HOUR_MS, season
from bwmgr.model.inventory import Calendar

ZONE = "Asia/Jakarta"
MONDAY_MS = round(datetime(2025, 9, 7, 17, tzinfo=UTC).timestamp() * 1000)
"""Monday 8 September 2025, midnight in Jakarta: no Ramadan in the weeks after it."""
WEEK = 168


def hours(weeks: int, first_ms: int = MONDAY_MS) -> np.ndarray:
    """The end of the middle of each hour: well inside its own slot."""
    return first_ms + HOUR_MS * np.arange(weeks * WEEK) + HOUR_MS // 2


def office(at_ms: np.ndarray, seed: int = 1) -> np.ndarray:
    when = season(at_ms, ZONE)
    shape = np.where(when.off, 0.2, np.exp(-(((when.hour - 11) / 4) ** 2)) + 0.1)
    return 1e7 * shape * np.random.default_rng(seed).normal(1, 0.05, len(at_ms))


def test_an_office_is_foretold_by_its_profile() -> None:
    """The week after six regular ones is told to within a tenth, weekend included."""
    at_ms = hours(7)
    rate = office(at_ms)
    found = forecast(rate[: 6 * WEEK], at_ms[: 6 * WEEK], at_ms[6 * WEEK :], timezone=ZONE)
    assert found is not None
    assert found.champion in {"profile", "day profile"}
    assert np.abs(found.rate_bps - rate[6 * WEEK :]).sum() / rate[6 * WEEK :].sum() < 0.1


def test_noise_is_foretold_by_its_mean() -> None:
    """Without any pattern, the candidate that claims none wins."""
    at_ms = hours(6)
    rate = np.random.default_rng(2).lognormal(15, 0.6, len(at_ms))
    found = forecast(rate, at_ms, at_ms[-1:] + HOUR_MS, timezone=ZONE, quantile=0.6)
    assert found is not None
    assert found.losses["mean"] < found.losses["week ago"]
    assert found.champion in {"mean", "day profile"}


def test_a_level_shift_makes_a_new_beginning() -> None:
    """An office that doubles for good is foretold at its new level; a single odd day shifts nothing."""
    at_ms = hours(6)
    rate = office(at_ms)
    rate[4 * WEEK + 24 :] *= 2
    since = last_shift(rate, at_ms)
    assert at_ms[4 * WEEK] <= since <= at_ms[5 * WEEK]
    found = forecast(rate[:-WEEK], at_ms[:-WEEK], at_ms[-WEEK:], timezone=ZONE)
    assert found is not None
    assert found.rate_bps.mean() == pytest.approx(rate[-WEEK:].mean(), rel=0.1)
    odd = office(at_ms)
    odd[3 * WEEK : 3 * WEEK + 24] *= 3
    assert last_shift(odd, at_ms) == at_ms[0]


def test_a_holiday_is_a_sunday() -> None:
    """A day that the calendar closes is foretold as a day off."""
    at_ms = hours(5)
    closed = Calendar(id="office", closed=frozenset({date(2025, 10, 7)}))
    ahead = hours(1, first_ms=MONDAY_MS + 4 * WEEK * HOUR_MS)
    found = forecast(office(at_ms[: 4 * WEEK]), at_ms[: 4 * WEEK], ahead, timezone=ZONE, calendar=closed)
    assert found is not None
    tuesday, wednesday = found.rate_bps[24 + 11], found.rate_bps[48 + 11]
    assert tuesday < 0.4 * wednesday


def test_ramadan_has_hours_of_its_own() -> None:
    """After a week of fasting with short afternoons, the next days of Ramadan are foretold short, the time after it is not."""
    first = round(datetime(2026, 1, 25, 17, tzinfo=UTC).timestamp() * 1000)
    at_ms = hours(8, first_ms=first)
    when = season(at_ms, ZONE)
    rate = office(at_ms)
    rate[when.ramadan & (when.hour > 13)] *= 0.1
    cut = 5 * WEEK
    found = forecast(rate[:cut], at_ms[:cut], at_ms[cut:], timezone=ZONE)
    assert found is not None
    assert found.champion in {"profile", "day profile"}
    ahead = season(at_ms[cut:], ZONE)
    working = ~ahead.off & (np.floor(ahead.hour) == 14)
    fasting, after = found.rate_bps[working & ahead.ramadan], found.rate_bps[working & ~ahead.ramadan]
    assert len(fasting)
    assert len(after)
    assert fasting.mean() < 0.5 * after.mean()


def test_less_than_a_day_is_no_series() -> None:
    """Nothing is foretold from some hours, or from nothing."""
    at_ms = hours(1)[:10]
    assert forecast(office(at_ms), at_ms, at_ms + HOUR_MS, timezone=ZONE) is None
    assert forecast(np.zeros(0), at_ms[:0], at_ms, timezone=ZONE) is None


def test_growth_is_a_line_that_a_wild_week_does_not_bend() -> None:
    """1 Mbit/s more each week from 50, one week ten times as much: 100 are full in the weeks that are left."""
    at_ms = MONDAY_MS + 300_000 * np.arange(1, 1 + 20 * 2016)
    rate = 50e6 + 1e6 * ((at_ms - at_ms[0]) // (7 * 24 * HOUR_MS))
    rate[8 * 2016 : 9 * 2016] *= 10
    found = growth(rate.astype(float), at_ms, 100e6)
    assert found is not None
    assert found.bps_per_week == pytest.approx(1e6)
    assert found.level_bps == pytest.approx(69e6)
    assert found.days_until_full == pytest.approx(7 * 31)
    full = growth(rate.astype(float), at_ms, 60e6)
    assert full is not None
    assert full.days_until_full == 0
    assert growth(rate[: 2 * 2016].astype(float), at_ms[: 2 * 2016], 100e6) is None
    assert growth(np.zeros(0), at_ms[:0], None) is None


def test_theil_sen_and_pinball_by_hand() -> None:
    """Slopes 1, 1, 1 and one outlier; too low by 2 at 0.9 costs 1.8, too high by 2 costs 0.2."""
    assert theil_sen(np.array([1.0, 2, 3, 100, 5])) == (1.0, 5.0)
    assert theil_sen(np.array([7.0])) == (0.0, 7.0)
    assert pinball(np.array([10.0]), np.array([8.0]), 0.9) == pytest.approx(1.8)
    assert pinball(np.array([8.0]), np.array([10.0]), 0.9) == pytest.approx(0.2)


def test_the_backbones_total_is_foretold(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Abilene's sum: a week from a week to within 9.3 %, better than the same hours a week ago."""
    monkeypatch.setenv("BWMGR_SHARED", str(shared))
    monkeypatch.syspath_prepend(str(Path(__file__).parents[3] / "bench"))
    sys.modules.pop("demand", None)
    import demand as bench

    total = bench.traces(quick=True)["12 ingress links"].sum(axis=1)
    rate = total.to_numpy().reshape(-1, 12).mean(axis=1)
    at_ms = total.index.to_numpy("datetime64[ms]").astype(np.int64)[6::12]
    found = forecast(rate[:WEEK], at_ms[:WEEK], at_ms[WEEK:], timezone="America/Chicago")
    assert found is not None

    def error(said: np.ndarray) -> float:
        return float(np.abs(said - rate[WEEK:]).sum() / rate[WEEK:].sum())

    assert error(found.rate_bps) < 0.093
    assert error(found.rate_bps) < error(rate[:WEEK])
