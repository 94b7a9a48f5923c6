"""kill -9 at any moment: what was acknowledged is there, once, and what was left half done is swept (faults 46, 47)."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from bwmgr.stores import LINK_RATE
from bwmgr.stores.embedded import EmbeddedStore

pytestmark = [pytest.mark.system, pytest.mark.clock]

START = datetime(2026, 1, 1, tzinfo=UTC)
LINKS, CYCLE_SECONDS = 300, 3600
KILLS = int(os.environ.get("BWMGR_KILLS", "15"))
"""About a second each; set it to 100 before a release."""
CHILD = """
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
import numpy as np
from bwmgr.measure.columns import RATE, RateBatch
from bwmgr.stores import LINK_RATE
from bwmgr.stores.embedded import EmbeddedStore

start, links, spacing = datetime(2026, 1, 1, tzinfo=UTC), int(sys.argv[3]), int(sys.argv[4])
store = EmbeddedStore(Path(sys.argv[1]))
print("open", flush=True)
number = int(sys.argv[2])
while True:
    number += 1
    now = start + timedelta(seconds=spacing * number)
    rows = np.zeros(links, RATE)
    rows["series"], rows["end_ms"], rows["down_bps"] = np.arange(links), int(now.timestamp() * 1000), number
    store.write(LINK_RATE, RateBatch(series=tuple(f"link-{n}" for n in range(links)), rows=rows))
    print(number, flush=True)
    if number % 6 == 0:
        store.compact(now)
"""


def _run_until_killed(folder: Path, number: int, seconds: float) -> int:
    """The last cycle that was acknowledged before the kill, which comes `seconds` after the store was open."""
    command = [sys.executable, "-c", CHILD, str(folder), str(number), str(LINKS), str(CYCLE_SECONDS)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "open\n"
        try:
            child.wait(seconds)
        except subprocess.TimeoutExpired:
            child.kill()
        acknowledged = [int(line) for line in child.stdout.read().splitlines() if line]
    assert child.returncode == -9
    return max(acknowledged, default=number)


def _check(folder: Path, least: int) -> int:
    """Every cycle up to the last is whole and single; the last is at least the acknowledged one. Returns it."""
    store = EmbeddedStore(folder)
    rows = store.read(LINK_RATE, start=START, end=START + timedelta(days=4000), columns=["down_bps"]).rows
    last = int(rows["down_bps"].max(initial=0))
    assert last >= least
    assert len(rows) == last * LINKS
    assert rows["down_bps"].tolist() == list(np.tile(np.arange(1, last + 1, dtype=float), LINKS))
    store.close()
    return last


def _loop(folder: Path, kills: int) -> None:
    chosen = random.Random(46)
    last = 0
    for _ in range(kills):
        last = _check(folder, _run_until_killed(folder, last, chosen.uniform(0.0, 0.6)))
    store = EmbeddedStore(folder)
    store.compact(START + timedelta(seconds=CYCLE_SECONDS * last))
    assert not list(folder.glob("*.tmp"))
    with store._catalog.reading() as connection:
        named = store._catalog.files(connection)
    assert {path.name for path in folder.glob("*.parquet")} == named
    _check(folder, last)
    assert last > 2 * kills


def test_kills_lose_nothing(tmp_path: Path) -> None:
    """fault 46, fault 47: no acknowledged cycle is lost, none is there twice, leftovers are swept."""
    _loop(tmp_path / "data", KILLS)
