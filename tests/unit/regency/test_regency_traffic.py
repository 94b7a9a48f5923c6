"""The traffic of a virtual regency: what holds of it at any instant."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bwmgr.model.inventory import Direction
from bwmgr.testing.lives import FOR_EVER_MS, Life
from bwmgr.testing.noise import draw, key_of, smooth, uniform
from bwmgr.testing.regency import Regency
from bwmgr.testing.traffic import CELL_MS, COLUMNS, Meter

TEN_O_CLOCK_MS = 1_795_489_200_000  # Tuesday 24 November 2026, 10:00 in Jakarta
_DAY_CELLS = 1440
_NOW_CELL = TEN_O_CLOCK_MS // CELL_MS
_MINUTES = st.integers(min_value=0, max_value=3 * 86_400_000)


def _cell(year: int, month: int, day: int, hour_utc: int) -> int:
    return round(datetime(year, month, day, hour_utc, tzinfo=UTC).timestamp()) // 60


@given(st.lists(_MINUTES, min_size=2, max_size=6))
@settings(max_examples=25, deadline=None)
def test_counters_never_fall(quiet_place: Regency, offsets_ms: list[int]) -> None:
    """Read at instants in rising order, no count is below the one before."""
    for name in ("dinkes", "wifi-terminal", "bpbd"):
        meter = Meter(quiet_place.links[name], TEN_O_CLOCK_MS)
        readings = [list(meter.read(TEN_O_CLOCK_MS + offset).values()) for offset in sorted(offsets_ms)]
        assert (np.diff(readings, axis=0) >= 0).all()


@given(st.integers(0, 5000), st.integers(1, 400), st.integers(1, 400))
@settings(max_examples=25, deadline=None)
def test_cells_do_not_depend_on_how_they_are_asked_for(quiet_place: Regency, offset: int, first: int, second: int) -> None:
    """Two pieces are one whole: traffic is a function of time, not of the questions before."""
    traffic = quiet_place.links["setda"]
    begin = _NOW_CELL - offset
    whole = traffic.cells(begin, first + second).counts
    pieces = (traffic.cells(begin, first).counts, traffic.cells(begin + first, second).counts)
    assert np.array_equal(whole, np.concatenate(pieces, axis=1))


def test_a_meter_counts_what_the_cells_say(quiet_place: Regency) -> None:
    """Over whole cells a counter grows by the sum of the cells, to the octet."""
    traffic = quiet_place.links["rsud"]
    meter = Meter(traffic, TEN_O_CLOCK_MS)
    total = traffic.cells(_NOW_CELL, 90).counts.sum(axis=1)
    assert list(meter.read(TEN_O_CLOCK_MS + 90 * CELL_MS).values()) == total.tolist()


def test_the_uplinks_carry_just_what_the_links_carry(quiet_place: Regency) -> None:
    """Each link goes out through one uplink; nothing is lost or counted twice."""
    links = sum(traffic.cells(_NOW_CELL, 60).counts[:2] for traffic in quiet_place.links.values())
    uplinks = sum(traffic.cells(_NOW_CELL, 60).counts[:2] for traffic in quiet_place.uplinks.values())
    assert np.array_equal(links, uplinks)


def test_no_link_exceeds_its_limit(quiet_place: Regency) -> None:
    """A week of every link stays within its limit, in both directions."""
    for traffic in quiet_place.links.values():
        counts = traffic.cells(_NOW_CELL - 7 * _DAY_CELLS, 7 * _DAY_CELLS).counts
        for direction in Direction:
            assert counts[COLUMNS.index(direction)].max() * 8 / 60 <= (traffic.link.limit[direction] or np.inf)


def test_a_saturated_link_is_full_all_morning_and_drops_packets(quiet_place: Regency) -> None:
    """From nine to eleven the limit is reached in nearly every minute, and what does not fit is discarded and counted."""
    traffic = quiet_place.links["dinkes"]
    counts = traffic.cells(_cell(2026, 11, 24, 2), 120).counts
    limit_octets = (traffic.link.limit.down or 0) * 60 // 8
    assert (counts[COLUMNS.index("down")] >= 0.99 * limit_octets).mean() > 0.9
    assert counts[COLUMNS.index("down_discards")].sum() > 0


def test_an_idle_link_hardly_moves(quiet_place: Regency) -> None:
    """A hundredth of its limit at its best."""
    traffic = quiet_place.links["dispusip"]
    octets = traffic.cells(_NOW_CELL - 7 * _DAY_CELLS, 7 * _DAY_CELLS).counts[0]
    assert octets.max() * 8 / 60 < 0.03 * (traffic.link.limit.down or 0)


def test_offices_rest_at_weekends_and_on_public_holidays(quiet_place: Regency) -> None:
    """A Sunday and 25 December at ten are far below a Tuesday at ten; the hospital works on."""
    office, hospital = quiet_place.links["setda"], quiet_place.links["rsud"]
    sums = {
        name: [
            int(traffic.cells(cell, 60).counts[0].sum()) for cell in (_NOW_CELL, _cell(2026, 11, 22, 3), _cell(2026, 12, 25, 3))
        ]
        for name, traffic in (("office", office), ("hospital", hospital))
    }
    assert max(sums["office"][1:]) < 0.1 * sums["office"][0]
    assert min(sums["hospital"][1:]) > 0.5 * sums["hospital"][0]


def test_offices_eat_at_noon(quiet_place: Regency) -> None:
    """Between 12:15 and 12:45 less than between 10:15 and 10:45."""
    traffic = quiet_place.links["setda"]
    noon, morning = (traffic.cells(_cell(2026, 11, 24, hour) + 15, 30).counts[0].sum() for hour in (5, 3))
    assert noon < 0.8 * morning


def test_nothing_flows_through_a_dead_router(quiet_place: Regency) -> None:
    """The dead router's link carried something a week ago and nothing since it is off."""
    traffic = quiet_place.links["gedung-wanita"]
    assert traffic.cells(_NOW_CELL - 7 * _DAY_CELLS, _DAY_CELLS).counts.sum() > 0
    assert traffic.cells(_NOW_CELL - _DAY_CELLS, _DAY_CELLS).counts.sum() == 0


def test_a_flapping_link_goes_down_and_comes_back(quiet_place: Regency) -> None:
    """Some times a day, for minutes; while it is down nothing flows."""
    amounts = quiet_place.links["wifi-terminal"].cells(_NOW_CELL - _DAY_CELLS, _DAY_CELLS)
    assert np.count_nonzero(np.diff(amounts.oper_up.astype(int)) == -1) > 5
    assert amounts.counts[:, ~amounts.oper_up].sum() == 0


def test_another_seed_is_another_regency() -> None:
    """The same seed gives the same noise, another one other noise."""
    cells = np.arange(100, dtype=np.int64)
    assert key_of(1, "a") == key_of(1, "a") != key_of(2, "a")
    assert not np.array_equal(uniform(key_of(1, "a"), cells), uniform(key_of(2, "a"), cells))
    assert 0 <= draw(key_of(1, "a")) < 1


@given(st.integers(-(10**9), 10**9), st.integers(1, 500), st.integers(1, 200))
@settings(max_examples=50, deadline=None)
def test_smooth_noise_stays_between_0_and_1(first: int, count: int, period: int) -> None:
    """And it never jumps by more than a step of its cosine."""
    heights = smooth(7, np.arange(first, first + count, dtype=np.int64), period)
    assert ((heights >= 0) & (heights < 1)).all()
    assert (np.abs(np.diff(heights)) <= np.pi / 2 / period + 1e-9).all()


@pytest.mark.parametrize(
    ("at_ms", "booted_ms", "boots"), [(500, 10, 0), (1000, None, 0), (1999, None, 0), (2000, 2000, 1), (9000, None, 1)]
)
def test_a_life_knows_its_last_boot(at_ms: int, booted_ms: int | None, boots: int) -> None:
    """Off from the start of an outage to just before its end, which is a boot; the last outage never ends."""
    life = Life(first_boot_ms=10, outages_ms=((1000, 2000), (8000, FOR_EVER_MS)))
    assert life.booted_ms(at_ms) == booted_ms
    assert life.boots(at_ms) == boots
    assert bool(life.running(np.array([at_ms]))[0]) == (booted_ms is not None)


def test_the_demo_s_regency_has_what_is_promised(quiet_place: Regency) -> None:
    """32 agencies, public places, villages, WiFi in several kecamatan, two contracts; v2c and v3."""
    found = quiet_place.inventory
    kinds = [str(link.kind) for link in found.links.values()]
    assert kinds.count("opd") == 32
    assert min(kinds.count(kind) for kind in ("facility", "village", "wifi")) >= 4
    assert len({link.parent for link in found.links.values() if link.kind == "wifi"}) >= 4
    assert len(list(found.uplinks())) == len(found.contracts) == 2
    assert {credential.version for credential in found.credentials.values()} == {"2c", "3"}
    for link in found.links.values():
        assert link.parent in found.nodes
        assert link.interface is not None
        assert link.interface.device in found.devices
