"""Bangka Barat: three providers on trial side by side; is "dedicated" so, what it costs, and a provider's own MRTG log."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from bwmgr.measure.columns import RateBatch, Rows
from bwmgr.stores import UPLINK_RATE
from bwmgr.stores.embedded import EmbeddedStore
from tests.system.scenarios import Office, golden, office

pytestmark = pytest.mark.system

START = datetime(2021, 11, 1, 17, 0, tzinfo=UTC)
END = START + timedelta(days=14)
M = 1_000_000
LINES = {"penyedia-b-2022": "uji-b", "penyedia-c-2022": "uji-c"}


def _with_trial_lines(text: str) -> str:
    """The offers B and C each get a line of their own for the trial."""
    devices = "".join(f"  - {{id: {name}, address: 10.0.0.{number}}}\n" for number, name in enumerate(LINES.values(), 2))
    nodes = "".join(
        f"  - {{id: {name}, uplinks: [{{interface: {{device: {name}, if_name: e1, faces: provider}}, contract: {contract}}}]}}\n"
        for contract, name in LINES.items()
    )
    return text.replace("devices:\n", f"devices:\n{devices}").replace("nodes:\n", f"nodes:\n{nodes}")


@pytest.fixture(scope="module")
def bangka(tmp_path_factory: pytest.TempPathFactory) -> Office:
    """Two weeks. The load of A's line, grown, is offered to B and C too, and all of each line from 23 to 02: B gives 398 of 400
    at any hour; C 349 of 350 at night and 190 in working hours, with an outage of three hours."""
    made = office("bangka-barat", tmp_path_factory.mktemp("bangka"), END, edit=_with_trial_lines)
    made.write(START, END, interval_seconds=300)
    store = EmbeddedStore(made.path.parent / "var")
    batch = store.read(UPLINK_RATE, start=START, end=END + timedelta(seconds=1), series=["penyedia-a-2021"])
    noise = np.random.default_rng(3)
    hour = (batch.rows["end_ms"] // 3_600_000 + 7) % 24
    busy, night = (hour >= 8) & (hour < 16), (hour >= 23) | (hour < 2)
    offered = np.where(night, 2e9, 12 * batch.rows["down_bps"])
    ceilings = {"penyedia-b-2022": np.full(len(offered), 398.0 * M), "penyedia-c-2022": np.where(busy, 190.0 * M, 349.0 * M)}
    for contract, ceiling in ceilings.items():
        rows = batch.rows.copy()
        rows["down_bps"] = np.minimum(offered, ceiling) * noise.uniform(0.996, 1, len(rows))
        rows["up_bps"] = rows["down_bps"] / 8
        rows["down_discards_ps"] = np.where(offered > ceiling, 4, 0)
        store.write(
            UPLINK_RATE, RateBatch(series=(contract,), rows=_with_outage(rows) if contract.startswith("penyedia-c") else rows)
        )
    store.close()
    return made


def _with_outage(rows: Rows) -> Rows:
    first = int((START + timedelta(days=3, hours=10)).timestamp() * 1000)
    out = (rows["end_ms"] > first) & (rows["end_ms"] <= first + 3 * 3_600_000)
    rows["down_bps"][out] = rows["up_bps"][out] = 0
    rows["quality"][out] = 1
    return rows


def test_three_providers_by_the_same_measurements(bangka: Office) -> None:
    """B is dedicated, C is not; A was never asked for everything, so nothing is said of it."""
    done = bangka.asked("providers", "compare", "--start", "2021-11-02", "--end", "2021-11-16")
    golden(done.stdout, "bangka-barat/compare.txt")
    found = json.loads(
        bangka.asked("providers", "compare", "--start", "2021-11-02", "--end", "2021-11-16", "--format", "json").stdout
    )
    one = {entry["contract"]: entry for entry in found["suppliers"]}
    assert [one[name]["dedicated"] for name in one] == ["not enough data", "dedicated", "not dedicated"]
    hours = one["penyedia-c-2022"]["distribution"]["down"]
    assert hours["busy"]["median_ratio"] == pytest.approx(190 / 350, abs=0.01)
    assert hours["night"]["median_ratio"] == pytest.approx(1, abs=0.01)
    assert one["penyedia-c-2022"]["availability_high_ratio"] == pytest.approx(1 - 3 / (14 * 24))
    assert one["penyedia-b-2022"]["price_per_mbps_month"] == 208_333
    assert found["ranking"]["order"][0] == "penyedia-b-2022"


def test_an_offer_that_was_not_measured_is_not_ranked(tmp_path: Path) -> None:
    """As shipped: offers stand with their price per Mbps alone."""
    shipped = office("bangka-barat", tmp_path, END)
    shipped.write(END - timedelta(days=2), END)
    found = json.loads(shipped.asked("providers", "compare", "--start", "2021-11-14", "--format", "json").stdout)
    assert found["ranking"] is None
    assert [(entry["measured"], entry["rank"], entry["price_per_mbps_month"]) for entry in found["suppliers"]] == [
        (True, None, 277_778),
        (False, None, 208_333),
        (False, None, 214_286),
    ]
    assert "belum diukur" in shipped.asked("providers", "compare", "--start", "2021-11-14").stdout


def _mrtg(path: Path, rows: Rows, *, late_seconds: int, factor: float) -> Path:
    """As MRTG keeps it: counters, then newest first, octets a second, of the provider's own port; the oldest are coarse."""
    lines = [f"{round(rows['end_ms'][-1] / 1000)} 123456789 987654321"]
    for row in rows[::-1]:
        came_in, went_out = (int(factor * row[f"{way}_bps"] / 8) for way in ("up", "down"))
        lines.append(f"{round(row['end_ms'] / 1000) + late_seconds} {came_in} {went_out} {came_in} {went_out}")
    oldest = int(rows["end_ms"][0] / 1000) + late_seconds
    lines += [f"{oldest - 1800 * number} 1000 2000 1000 2000" for number in range(1, 49)]
    path.write_text("\n".join(lines) + "\n")
    return path


def _measured(bangka: Office, contract: str) -> Rows:
    store = EmbeddedStore(bangka.path.parent / "var")
    rows = store.read(UPLINK_RATE, start=START, end=END, series=[contract]).rows
    store.close()
    return rows


def test_a_providers_own_log_is_aligned(bangka: Office, tmp_path: Path) -> None:
    """Its clock is seven hours ahead (local time taken for UTC), its port counts the other way round, it says 3 % more."""
    log = _mrtg(tmp_path / "penyedia-b.log", _measured(bangka, "penyedia-b-2022"), late_seconds=7 * 3600, factor=1.03)
    done = bangka.asked("providers", "import", str(log), "--format", "mrtg", "--contract", "penyedia-b-2022", "--by", "Siti")
    golden(done.stdout, "bangka-barat/import.txt")
    assert done.exit_code == 0
    found = json.loads(
        bangka.asked("providers", "compare", "--format", "json", "--start", "2021-11-02", "--end", "2021-11-16").stdout
    )
    supplier = found["suppliers"][1]
    assert supplier["claimed_p95_down_bps"] == pytest.approx(1.03 * supplier["p95_down_bps"], rel=0.002)
    assert (supplier["import"]["lag_seconds"], supplier["import"]["swapped"], supplier["import"]["by"]) == (
        -7 * 3600,
        True,
        "Siti",
    )
    assert supplier["import"]["coarse_rows_left_out"] == 48 + 1  # the oldest fine line is a mean since the last coarse one


def test_another_lines_log_is_refused(bangka: Office, tmp_path: Path) -> None:
    """Correlation below 0.6: exit code 1 with the reason, and nothing is kept."""
    rows = _measured(bangka, "penyedia-c-2022").copy()
    rows["down_bps"] = np.random.default_rng(5).uniform(0, 1e8, len(rows))
    rows["up_bps"] = np.random.default_rng(6).uniform(0, 1e8, len(rows))
    log = _mrtg(tmp_path / "other.log", rows, late_seconds=0, factor=1)
    done = bangka.asked("providers", "import", str(log), "--format", "mrtg", "--contract", "penyedia-c-2022")
    assert done.exit_code == 1
    assert "Tidak diterima: korelasinya di bawah 0,6." in done.stderr
    found = json.loads(bangka.asked("providers", "compare", "penyedia-c-2022", "--format", "json").stdout)
    assert found["suppliers"][0]["import"] is None


def test_a_csv_is_read_too(bangka: Office, tmp_path: Path) -> None:
    """Semicolons, local times, bits a second; one day alone is not enough to compare."""
    rows = _measured(bangka, "penyedia-b-2022")
    lines = ["time;in_bps;out_bps"]
    for row in rows[: 5 * 288]:
        local = datetime.fromtimestamp(row["end_ms"] / 1000, UTC) + timedelta(hours=7)
        lines.append(f"{local:%Y-%m-%d %H:%M};{row['down_bps']:.0f};{row['up_bps']:.0f}")
    (tmp_path / "b.csv").write_text("\n".join(lines))
    arguments = ("--format", "csv", "--contract", "penyedia-b-2022", "--json")
    found = json.loads(bangka.asked("providers", "import", str(tmp_path / "b.csv"), *arguments).stdout)
    assert (found["accepted"], found["lag_seconds"], found["swapped"], found["down_bias_ratio"]) == (True, 0, False, 0.0)
    (tmp_path / "day.csv").write_text("\n".join(lines[:289]))
    refused = bangka.asked("providers", "import", str(tmp_path / "day.csv"), *arguments)
    assert refused.exit_code == 1
    assert "dua hari" in refused.stderr
