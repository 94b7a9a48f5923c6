"""`forecast` as an office runs it: a link that grows by 1 Mbps a week, and the node above it."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from bwmgr.cli import bwmgr
from bwmgr.cli.session import Session
from bwmgr.errors import UsageError
from bwmgr.measure.columns import RATE, RateBatch
from bwmgr.stores import LINK_RATE
from bwmgr.stores.embedded import EmbeddedStore
from bwmgr.testing.clock import ManualClock

pytestmark = pytest.mark.system

END = datetime(2026, 3, 2, tzinfo=UTC)
WEEKS, CELLS_A_WEEK, M = 8, 7 * 96, 1_000_000
CONFIG = """
organisation: {name: Kabupaten, timezone: Asia/Jakarta}
store: {kind: embedded, path: var}
nodes:
  - {id: root, name: Diskominfo, capacity: {down: 40M, up: 100M}}
links:
  - {id: dinkes, name: Dinas Kesehatan, kind: opd, parent: root, networks: [10.1.0.0/24], limit: {down: 30M, up: 30M}}
  - {id: kecamatan, name: Kecamatan, kind: opd, parent: root, networks: [10.2.0.0/24]}
"""


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Dinkes: 12 Mbps at the end, a Mbps more each week; Kecamatan: always 8. Uploads do not grow."""
    folder = tmp_path_factory.mktemp("forecast")
    (folder / "bwmgr.yaml").write_text(CONFIG)
    cells = np.arange(WEEKS * CELLS_A_WEEK)
    rows = np.zeros((2, len(cells)), RATE)
    rows["end_ms"] = int(END.timestamp() * 1000) - 900_000 * cells[::-1]
    rows["series"], rows["interval_ticks"] = [[0], [1]], 90_000
    rows["down_limit_bps"], rows["up_limit_bps"] = [[30 * M], [np.inf]], [[30 * M], [np.inf]]
    rows["down_bps"] = 12 * M - M * (cells[::-1] // CELLS_A_WEEK), np.full(len(cells), 8 * M)
    rows["up_bps"] = 2 * M
    store = EmbeddedStore(folder / "var")
    store.write(LINK_RATE, RateBatch(series=("dinkes", "kecamatan"), rows=rows.ravel()))
    store.close()
    return folder / "bwmgr.yaml"


def asked(office: Path, *arguments: str) -> Result:
    session = Session(path=str(office), clock=ManualClock(END + timedelta(seconds=1)))
    return CliRunner().invoke(bwmgr, ["-c", str(office), "--lang", "en", "forecast", *arguments], obj=session)


def test_a_line_says_when_node_and_link_are_full(office: Path) -> None:
    """12 of 30 Mbps at 1 Mbps a week: 18 weeks; the node carries 20 of 40: 20 weeks. What does not grow is never full."""
    found = json.loads(asked(office, "--format", "json").stdout)
    days = {(entry["id"], entry["direction"]): entry["days_until_full"] for entry in found["series"]}
    assert days == {
        ("root", "down"): 140.0,
        ("root", "up"): None,
        ("dinkes", "down"): 126.0,
        ("dinkes", "up"): None,
        ("kecamatan", "down"): None,
        ("kecamatan", "up"): None,
    }
    (root,) = [entry for entry in found["series"] if (entry["id"], entry["direction"]) == ("root", "down")]
    assert (root["limit_bps"], root["growth_bps_per_week"], root["weeks"]) == (40 * M, M, WEEKS)
    assert root["next_p95_bps"] == pytest.approx(20 * M, rel=0.06)
    assert root["champion"] in ("profile", "day profile", "week ago", "mean")


def test_the_table_begins_with_nodes_and_what_is_full_soonest(office: Path) -> None:
    """Within 130 days only the link; CSV has the same rows."""
    table = asked(office).stdout.splitlines()
    assert table[1].startswith("Diskominfo")
    assert "140 days" in table[1]
    rows = list(csv.DictReader(io.StringIO(asked(office, "--within", "130", "--format", "csv").stdout)))
    assert [(row["id"], row["days_until_full"]) for row in rows] == [("dinkes", "126.0")]


def test_three_weeks_foretell_but_do_not_grow(office: Path) -> None:
    """Growth asks for four weeks: without them it is unknown, never a guess."""
    found = json.loads(asked(office, "--start", "2026-02-12", "--format", "json").stdout)
    assert {entry["days_until_full"] for entry in found["series"]} == {None}
    assert all(entry["next_p95_bps"] for entry in found["series"])


def test_without_history_it_says_so(office: Path) -> None:
    """A window before all history is a mistake of the user's."""
    done = asked(office, "--start", "2020-01-01", "--end", "2020-02-01")
    assert isinstance(done.exception, UsageError)
    assert "no link has history" in str(done.exception)
