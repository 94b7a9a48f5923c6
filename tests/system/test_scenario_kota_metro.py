"""Kota Metro: 180 access points on a pool of 350 Mbps, and all but two kelurahan on fibre."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from bwmgr.measure.columns import RateBatch
from bwmgr.model.samples import Quality
from bwmgr.stores import LINK_RATE
from bwmgr.stores.embedded import EmbeddedStore
from bwmgr.testing.lives import FOR_EVER_MS, Life
from tests.system.scenarios import Office, golden, office

pytestmark = pytest.mark.system

END = datetime(2022, 6, 13, 3, 0, tzinfo=UTC)
START = END - timedelta(days=3)
M = 1_000_000
WINDOW = ("--start", "2022-06-10T10:00", "--end", "2022-06-13T10:00")


@pytest.fixture(scope="module")
def metro(tmp_path_factory: pytest.TempPathFactory) -> Office:
    """Three days. ap-007 answers and carries nobody, ap-011 never answers, ap-020's port is down; for an hour the pool is full:
    two points get 0.5 Mbps and discard, others 2.45, and forty want no more than 0.3."""
    made = office("kota-metro", tmp_path_factory.mktemp("metro"), END)
    dead_ms = round((START - timedelta(days=1)).timestamp() * 1000)
    made.write(START, END, lives={"rtr-ap-011": Life(outages_ms=((dead_ms, FOR_EVER_MS),))})
    store = EmbeddedStore(made.path.parent / "var")
    points = [f"ap-{number:03}" for number in range(180)]
    batch = store.read(LINK_RATE, start=START, end=END + timedelta(seconds=1), series=points)
    rows = batch.rows.copy()
    number = rows["series"]
    rows["down_bps"] *= 0.35
    rows["down_discards_ps"] = 0
    rows["down_bps"][number == 7] = rows["up_bps"][number == 7] = 40
    rows["quality"][number == 20], rows["down_bps"][number == 20] = Quality.OPER_DOWN, 0
    evening = int((START + timedelta(hours=10)).timestamp() * 1000)
    full = (rows["end_ms"] > evening) & (rows["end_ms"] <= evening + 3_600_000) & ~np.isin(number, (7, 11, 20))
    rows["down_bps"][full] = np.where(number[full] < 140, 2.45 * M, 0.3 * M)
    poor = full & np.isin(number, (3, 4))
    rows["down_bps"][poor], rows["down_discards_ps"][poor] = 0.5 * M, 20
    store.write(LINK_RATE, RateBatch(series=batch.series, rows=rows))
    store.close()
    return made


def test_the_pool_for_people(metro: Office) -> None:
    """Oversold 2.57 times, full for an hour, its fair share then, what wants looking at, and each kelurahan."""
    golden(metro.asked("pool", *WINDOW).stdout, "kota-metro/pool.txt")


def test_dead_and_starved_points(metro: Office) -> None:
    """Each by its own evidence; whoever wanted little in the full hour is not starved."""
    (pool,) = json.loads(metro.asked("pool", "wifi-publik", *WINDOW, "--format", "json").stdout)["pools"]
    assert (pool["points"], pool["capacity_bps"], pool["oversubscription"]) == (180, 350 * M, pytest.approx(900 / 350, abs=1e-3))
    assert pool["states"] == {"active": 177, "dead": 1, "down": 1, "silent": 1, "planned": 0}
    state = {point["link"]: point for point in pool["point_figures"]}
    assert [state[name]["state"] for name in ("ap-007", "ap-011", "ap-020", "ap-021")] == ["dead", "silent", "down", "active"]
    assert {name for name, point in state.items() if point["starved_seconds"]} == {"ap-003", "ap-004"}
    assert sum(place["points"] for place in pool["places"]) == 180
    rows = list(csv.DictReader(io.StringIO(metro.asked("pool", *WINDOW, "--format", "csv").stdout)))
    assert len(rows) == 180


def test_too_short_a_look_has_not_enough_data(metro: Office) -> None:
    """A window that begins two weeks before the first reading: data tidak cukup, with how complete they are."""
    table = metro.asked("pool", "--start", "2022-05-28", "--end", "2022-06-13T10:00").stdout
    assert "Terpakai: P95 data tidak cukup" in table
    assert table.splitlines()[1].endswith("kelengkapan 18,2 %")


def test_medium_and_coverage(metro: Office) -> None:
    """Twenty of 22 kelurahan on fibre; the two that are not are named with the reason."""
    done = metro.asked("coverage", "--kind", "opd")
    golden(done.stdout, "kota-metro/coverage.txt")
    found = json.loads(metro.asked("coverage", "--format", "json").stdout)
    missing = {
        place["kelurahan"]: {one["why"] for one in place["not_reached"]} for place in found["coverage"] if not place["reached"]
    }
    assert set(missing) == {"Tejosari", "Sumbersari Bantul"}
    assert all("planned" in why for why in missing.values())


def test_kecamatan_that_nothing_reaches(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Kotawaringin Timur: seven kecamatan without network or power poles, in the office's own words."""
    sampit = office("kotawaringin-timur", tmp_path_factory.mktemp("sampit"), END)
    table = sampit.asked("coverage").stdout
    assert table.count("belum ada jaringan dan tiang listrik") == 7
    assert "Seranau" in table
    assert "Pulau Hanaut" in table
