"""The weeks before: rows as a poller would have written them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from bwmgr.measure.columns import RateBatch
from bwmgr.model.samples import GapReason, Quality
from bwmgr.stores import LINK_RATE, UPLINK_RATE
from bwmgr.testing.clock import ManualClock
from bwmgr.testing.history import write_history
from bwmgr.testing.regency import Regency
from bwmgr.testing.traffic import Meter

TEN_O_CLOCK = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
TEN_O_CLOCK_MS = round(TEN_O_CLOCK.timestamp() * 1000)


class _Kept:
    """A store that keeps what it is given."""

    def __init__(self) -> None:
        self.batches: list[tuple[str, RateBatch]] = []

    def write(self, measurement: str, batch: RateBatch) -> None:
        self.batches.append((measurement, batch))

    def rows(self, measurement: str, name: str) -> np.ndarray:
        found = [
            batch.rows[batch.rows["series"] == batch.series.index(name)] for kind, batch in self.batches if kind == measurement
        ]
        return np.concatenate(found)


@pytest.fixture
def kept(place: Regency) -> _Kept:
    store = _Kept()
    write_history(store, place, start=TEN_O_CLOCK - timedelta(days=4), end=TEN_O_CLOCK)  # type: ignore[arg-type]
    return store


def test_every_five_minutes_of_every_series_has_a_row(kept: _Kept, place: Regency) -> None:
    """Four days are 1,152 rows of each link and uplink, the last of them now."""
    for measurement, names in ((LINK_RATE, place.links), (UPLINK_RATE, place.uplinks)):
        for name in names:
            rows = kept.rows(measurement, name)
            assert len(rows) == 4 * 288
            assert rows["end_ms"][-1] == TEN_O_CLOCK_MS
            assert (np.diff(rows["end_ms"]) == 300_000).all()


def test_a_rate_is_the_counter_s_growth(kept: _Kept, place: Regency, clock: ManualClock) -> None:
    """A meter that began at the history's start has grown by just what the rates say, and goes on from there."""
    rows = kept.rows(LINK_RATE, "setda")
    meter = Meter(place.links["setda"], int(rows["end_ms"][0]) - 300_000)
    octets = [meter.read(int(at_ms))["down"] for at_ms in rows["end_ms"]]
    assert np.allclose(np.diff(octets) * 8 / 300, rows["down_bps"][1:])


def test_the_uplinks_rates_are_the_links_rates(kept: _Kept, place: Regency) -> None:
    """Summed over all series, at every instant at which no router went off or came back."""
    links = np.nansum([kept.rows(LINK_RATE, name)["down_bps"] for name in place.links], axis=0)
    uplinks = np.sum([kept.rows(UPLINK_RATE, name)["down_bps"] for name in place.uplinks], axis=0)
    reasons = np.array([kept.rows(LINK_RATE, name)["reason"] for name in place.links])
    steady = np.diff(reasons, axis=1, prepend=reasons[:, :1]) == 0
    whole = (steady & (reasons != GapReason.REBOOT)).all(axis=0)
    assert np.allclose(links[whole], uplinks[whole])


def test_a_dead_router_leaves_gaps(kept: _Kept) -> None:
    """Two days of rates, then no answer, and no figure beside a gap."""
    rows = kept.rows(LINK_RATE, "gedung-wanita")
    assert (rows["reason"][:500] == GapReason.NONE).all()
    assert (rows["reason"][-576:] == GapReason.TIMEOUT).all()
    assert np.isnan(rows["down_bps"][-576:]).all()


def test_a_reboot_costs_the_outage_and_one_reading(kept: _Kept) -> None:
    """No answer while it is off, one gap that says reboot, then rates again."""
    reasons = kept.rows(LINK_RATE, "disdukcapil")["reason"]
    gaps = reasons[reasons != GapReason.NONE].tolist()
    assert gaps == [GapReason.TIMEOUT, GapReason.TIMEOUT, GapReason.REBOOT]


def test_old_counters_and_downtime_are_said(kept: _Kept) -> None:
    """Rows of the old router bear COUNTER32, those of the flapping link OPER_DOWN where it was down."""
    assert (kept.rows(LINK_RATE, "satpolpp")["quality"] & Quality.COUNTER32).all()
    down = (kept.rows(LINK_RATE, "wifi-terminal")["quality"] & Quality.OPER_DOWN) != 0
    assert 0.01 < down.mean() < 0.5
    assert not (kept.rows(LINK_RATE, "setda")["quality"]).any()
