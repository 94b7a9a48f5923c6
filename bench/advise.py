"""A run of the policies over a province: 9,000 links, 28 days of 5-minute samples, on the embedded store.

`python bench/advise.py [--quick] [--folder DIR]`; a folder that is kept is not filled anew. The run is a process of its own,
so that its memory is its own; exits 1 where a bar is missed. Where the time goes is printed: windows, health, sums, policies.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import numpy as np

T = TypeVar("T")
END = datetime(2026, 3, 2, 3, tzinfo=UTC)
"""Ten o'clock of a Monday in Jakarta."""
ROWS_A_DAY = 288
LINKS_A_DISTRICT = 300
M = 1_000_000
BAR_SECONDS, BAR_OCTETS = 60.0, 1 << 30


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="600 links, 8 days: does it run")
    parser.add_argument("--folder", type=Path, help="where the history goes, and stays")
    parser.add_argument("--run", type=Path, help=argparse.SUPPRESS)  # the measured process
    arguments = parser.parse_args()
    if arguments.run:
        return measured(arguments.run)
    links, days = (600, 8) if arguments.quick else (9_000, 28)
    if arguments.folder:
        return bench(arguments.folder, links, days)
    with tempfile.TemporaryDirectory() as folder:
        return bench(Path(folder), links, days)


def bench(folder: Path, links: int, days: int) -> int:
    """Fills the folder where it is empty, and measures a run over it."""
    if not (folder / "bwmgr.yaml").exists():
        configure(folder, links)
        fill(folder / "var", links, days)
    done = subprocess.run([sys.executable, __file__, "--run", str(folder)], stdout=subprocess.PIPE, text=True, check=True)
    figures = json.loads(done.stdout)
    for name, seconds in figures["seconds"].items():
        print(f"{name:16} {seconds:7.2f} s")
    print(f"{'found':16} {figures['found']}")
    print(f"{'memory':16} {figures['octets'] / 2**20:7.0f} MiB (bar {BAR_OCTETS >> 20})")
    print(f"{links} links, {days} days: {figures['seconds']['in all']:.1f} s (bar {BAR_SECONDS:.0f})")
    return 0 if figures["seconds"]["in all"] <= BAR_SECONDS and figures["octets"] <= BAR_OCTETS else 1


def configure(folder: Path, links: int) -> None:
    """One root, districts, links with flows alone, so that no device is needed."""
    folder.mkdir(parents=True, exist_ok=True)
    districts = max(links // LINKS_A_DISTRICT, 1)
    lines = [
        "organisation: {name: Provinsi, timezone: Asia/Jakarta}",
        'calendars: {office: {mon-fri: "07:30-16:00", holidays: ID}}',
        "store: {kind: embedded, path: var}",
        "nodes:",
        f"  - {{id: root, capacity: {{down: {8 * links}M, up: {8 * links}M}}}}",
        *(f"  - {{id: kec-{at}, parent: root, capacity: {{down: 4G, up: 4G}}}}" for at in range(districts)),
        "links:",
        *(
            f"  - {{id: l{at}, kind: opd, parent: kec-{at % districts}, calendar: office,"
            f" networks: [10.{at >> 8}.{at & 255}.0/24],"
            " limit: {down: 20M, up: 20M}, cir: {down: 2M, up: 2M}, mir: {down: 50M, up: 50M}}"
            for at in range(links)
        ),
    ]
    (folder / "bwmgr.yaml").write_text("\n".join(lines) + "\n")


def fill(folder: Path, links: int, days: int) -> None:
    """A day at a time: working hours, noise, one link of twenty held back by its limit."""
    from bwmgr.measure.columns import RATE, RateBatch
    from bwmgr.stores import LINK_RATE
    from bwmgr.stores.embedded import EmbeddedStore

    rng = np.random.default_rng(1)
    names = tuple(f"l{at}" for at in range(links))
    mean = np.where(np.arange(links) % 20 == 0, 30.0 * M, rng.lognormal(np.log(6.0 * M), 0.6, links))
    store = EmbeddedStore(folder)
    for day in range(days, 0, -1):
        ends_ms = int((END - timedelta(days=day)).timestamp() * 1000) + 300_000 * np.arange(1, ROWS_A_DAY + 1)
        hours = (ends_ms // 3_600_000 + 7) % 24
        busy = np.where((hours >= 8) & (hours < 16), 1.0, 0.15)
        rows = np.zeros((ROWS_A_DAY, links), RATE)
        rows["end_ms"], rows["series"] = ends_ms[:, None], np.arange(links)
        rows["interval_ticks"] = 30_000
        for way in ("down", "up"):
            rates = busy[:, None] * mean * rng.lognormal(0, 0.4, rows.shape)
            rows[f"{way}_limit_bps"] = 20 * M
            rows[f"{way}_bps"] = np.minimum(rates, 20 * M)
        store.write(LINK_RATE, RateBatch(series=names, rows=rows.ravel()))
        store.compact(END - timedelta(days=day - 1))
    store.compact(END)
    store.close()


def measured(folder: Path) -> int:
    """The run, its parts timed by wrapping what the daemon calls."""
    from bwmgr.config import load
    from bwmgr.daemon import advice
    from bwmgr.daemon.application import Application
    from bwmgr.daemon.policy_registry import parameter_classes
    from bwmgr.stores.history import History

    seconds: dict[str, float] = {}

    def timed(name: str, what: Callable[..., T]) -> Callable[..., T]:
        def wrapped(*given: object, **more: object) -> T:
            began = time.perf_counter()
            try:
                return what(*given, **more)
            finally:
                seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - began

        return wrapped

    application = Application(load(folder / "bwmgr.yaml", policies=parameter_classes()))
    History.usage = timed("usage", History.usage)  # type: ignore[method-assign]
    History.health = timed("health", History.health)  # type: ignore[method-assign]
    advice.node_loads = timed("sums", advice.node_loads)
    advice.demands = timed("demand", advice.demands)
    advice.last_hour = timed("last hour", advice.last_hour)
    advice.run = timed("policies", advice.run)
    found = timed("in all", advice.advise)(application, END, keep=True)
    application.close()
    actions: dict[str, int] = {}
    for entry in (*found.recommendations, *found.holds):
        actions[entry.action] = actions.get(entry.action, 0) + 1
    octets = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds": seconds, "found": actions, "octets": octets}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
