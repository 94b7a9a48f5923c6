"""The embedded store at its full size: 9,000 links, 30 days of 5-minute samples, beside SQLite with a row a sample and DuckDB.

Rates follow working hours and weekends, with noise that no encoding can foresee; 3 % are gaps. What the bars are about:
one cycle of all links committed and fsynced in under 0.1 s; the 95th percentile of all links over the month by an office
calendar, in a process of its own, in under 5 s and 2 GiB.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from datetime import time as clock_time
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from bwmgr.measure.calendars import spans as open_spans
from bwmgr.measure.columns import RATE, RateBatch, Rows
from bwmgr.model.inventory import ALWAYS, Calendar
from bwmgr.stores import LINK_RATE
from bwmgr.stores.embedded import EmbeddedStore
from bwmgr.stores.history import History

START = datetime(2026, 2, 28, 17, tzinfo=UTC)
"""Midnight of 1 March in Jakarta."""
ZONE = "Asia/Jakarta"
_DAY_MS, _SLOT_MS = 86_400_000, 300_000
_HOURS = ((clock_time(7, 30), clock_time(16)),)
CALENDARS = {
    "office": Calendar(id="office", weekly=(*[_HOURS] * 5, (), ())),
    "always": ALWAYS,
}
BAR_CYCLE_SECONDS, BAR_MONTH_SECONDS, BAR_MONTH_OCTETS, BAR_COMPACT_OCTETS = 0.1, 5.0, 2 << 30, 300 << 20


@dataclass(frozen=True)
class Scale:
    """How large a run is."""

    links: int
    days: int
    cycles: int

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"link-{number:05}" for number in range(self.links))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="600 links, 3 days: does it run")
    parser.add_argument("--folder", type=Path, help="where the data go, and stay: a second run makes no new month")
    parser.add_argument("--step", nargs="+", help=argparse.SUPPRESS)  # a measurement in a process of its own
    arguments = parser.parse_args()
    scale = Scale(600, 3, 10) if arguments.quick else Scale(9000, 30, 200)
    if arguments.step:
        return _step(*arguments.step)
    with _folder(arguments.folder) as folder:
        held = [_cycles(folder / "cycles", scale), _compaction(folder / "minutes", scale), _month(folder / "month", scale)]
        _row_per_sample(folder / "rows.sqlite", scale)
    print(f"bars: {'held' if all(held) else 'BROKEN'}")
    return 0 if all(held) else 1


def _cycles(folder: Path, scale: Scale) -> bool:
    """Cycles as the daemon writes them, and what readers ask for between them."""
    shutil.rmtree(folder, ignore_errors=True)
    store = EmbeddedStore(folder)
    seconds = []
    for cycle in range(scale.cycles):
        batch = _cycle(scale, cycle)
        seconds.append(_timed(partial(store.write, LINK_RATE, batch)))
    _say("cycle committed", f"median {1000 * median(seconds):.0f} ms, max {1000 * max(seconds):.0f} ms ({scale.cycles} cycles)")
    store.latest(LINK_RATE)
    _say("latest of all links", f"{1000 * median(_timed(lambda: store.latest(LINK_RATE)) for _ in range(9)):.0f} ms warm")
    _say("hot octets a row", f"{store.sizes()['hot'] / (scale.links * scale.cycles):.1f}")
    store.close()
    return median(seconds) < BAR_CYCLE_SECONDS


def _compaction(folder: Path, scale: Scale) -> bool:
    """A day of 1-minute polling into its file, by a process of its own."""
    shutil.rmtree(folder, ignore_errors=True)
    store = EmbeddedStore(folder)
    for minute in range(1440 if scale.days > 3 else 60):
        store.write(LINK_RATE, _cycle(scale, minute, spacing_ms=60_000))
    store.close()
    done = _child("compact", folder)
    _say("a day of 1-minute cycles", f"{done['rows'] / 1e6:.1f} M rows compacted in {done['seconds']:.1f} s, {_memory(done)}")
    return bool(done["octets"] < BAR_COMPACT_OCTETS)


def _month(folder: Path, scale: Scale) -> bool:
    """The month's percentiles, by our reader and by DuckDB over the same files."""
    if not folder.exists():
        unfinished = folder.with_name("unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        _write_month(unfinished, scale)
        unfinished.rename(folder)
    sizes = EmbeddedStore(folder, readonly=True).sizes()
    rows = scale.links * 288 * scale.days
    _say("the month", f"{rows / 1e6:.1f} M rows, {sizes['days'] / rows:.1f} octets a row in day files, {sizes['days'] >> 20} MiB")
    results = {calendar: _child("usage", folder, calendar) for calendar in CALENDARS}
    for calendar, done in results.items():
        _say(f"P95 of all links, {calendar}", f"{done['seconds']:.2f} s ({done['cpu']:.2f} s CPU), {_memory(done)}")
    peer = _child("duckdb", folder, "office")
    _say(
        "the same by DuckDB",
        f"{peer['seconds']:.2f} s, {_memory(peer)}; sum of P95 {'equal' if _agree(peer, results) else 'DIFFERS'}",
    )
    one = _child("one", folder, "office")
    _say("P95 of one link, office", f"{1000 * one['seconds']:.0f} ms")
    span = _child("spans", folder)
    _say("what exists (spans)", f"{1000 * span['seconds']:.0f} ms, latest {1000 * span['latest']:.0f} ms first, {_memory(span)}")
    office = results["office"]
    return bool(office["seconds"] < BAR_MONTH_SECONDS and office["octets"] < BAR_MONTH_OCTETS and _agree(peer, results))


def _agree(peer: dict[str, float], ours: dict[str, dict[str, float]]) -> bool:
    return abs(peer["sum"] - ours["office"]["sum"]) <= 1e-9 * peer["sum"]


def _row_per_sample(path: Path, scale: Scale) -> None:
    """The plain design: SQLite, WAL, synchronous=FULL, a row a sample, key (link, time); one day of it."""
    path.unlink(missing_ok=True)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(
        "CREATE TABLE rate (link INTEGER, end_ms INTEGER, down_bps REAL, up_bps REAL, reason INTEGER,"
        " PRIMARY KEY (link, end_ms)) WITHOUT ROWID"
    )
    seconds = []
    for cycle in range(min(288, scale.cycles)):
        rows = _cycle(scale, cycle).rows
        seconds.append(_timed(partial(_insert, connection, rows)))
    steady = seconds[len(seconds) // 2 :]
    _say("SQLite, a row a sample", f"cycle median {1000 * median(steady):.0f} ms, max {1000 * max(steady):.0f} ms")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    count = connection.execute("SELECT count(*) FROM rate").fetchone()[0]
    spent = _timed(lambda: _percentiles_by_sql(connection))
    _say("", f"P95 of all links {1e6 * spent / count:.2f} s per million rows; {path.stat().st_size / count:.1f} octets a row")
    connection.close()


def _insert(connection: sqlite3.Connection, rows: Rows) -> None:
    connection.execute("BEGIN IMMEDIATE")
    columns = (rows[name].tolist() for name in ("series", "end_ms", "down_bps", "up_bps", "reason"))
    connection.executemany("INSERT OR REPLACE INTO rate VALUES (?, ?, ?, ?, ?)", zip(*columns, strict=True))
    connection.execute("COMMIT")


def _percentiles_by_sql(connection: sqlite3.Connection) -> None:
    rows = np.array(connection.execute("SELECT link, down_bps, up_bps FROM rate WHERE reason = 0 ORDER BY link").fetchall())
    for part in np.split(rows, np.flatnonzero(np.diff(rows[:, 0])) + 1):
        rank = -(-95 * len(part) // 100) - 1
        np.partition(part[:, 1:], rank, axis=0)[rank]


def _step(name: str, *arguments: str) -> int:
    """Measures one thing and prints what came out, with this process's peak memory, as JSON."""
    began = time.perf_counter()
    found = _STEPS[name](*arguments)
    found = {"seconds": time.perf_counter() - began, **found}
    found["octets"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps(found))
    return 0


def _usage(folder: str, calendar: str) -> dict[str, float]:
    store = EmbeddedStore(Path(folder), readonly=True)
    names = list(store.spans(LINK_RATE))
    history = History(store, CALENDARS, ZONE)
    days = len(list(Path(folder).glob("*.parquet")))
    began, cpu = time.perf_counter(), time.process_time()
    windows = history.usage(names, start=START, end=START + timedelta(days=days), calendar=calendar)
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    return {"seconds": seconds, "cpu": cpu, "sum": sum(window.p95_bps or 0.0 for window in windows)}


def _one(folder: str, calendar: str) -> dict[str, float]:
    store = EmbeddedStore(Path(folder), readonly=True)
    history = History(store, CALENDARS, ZONE)
    history.usage(["link-00001"], start=START, end=START + timedelta(days=1), calendar=calendar)  # loads the libraries
    began = time.perf_counter()
    history.usage(["link-00302"], start=START, end=START + timedelta(days=30), calendar=calendar)
    return {"seconds": time.perf_counter() - began}


def _spans(folder: str) -> dict[str, float]:
    store = EmbeddedStore(Path(folder), readonly=True)
    latest = _timed(lambda: store.latest(LINK_RATE))
    return {"latest": latest, "seconds": _timed(lambda: store.spans(LINK_RATE))}


def _compact(folder: str) -> dict[str, float]:
    done = EmbeddedStore(Path(folder)).compact(START + timedelta(days=40))
    return {"rows": done.rows}


def _duckdb(folder: str, calendar: str) -> dict[str, float]:
    import duckdb

    days = len(list(Path(folder).glob("*.parquet")))
    spans = open_spans(CALENDARS[calendar], ZONE, START, START + timedelta(days=days))
    inside = " OR ".join(f"(end_ms >= make_timestamptz({1000 * a}) AND end_ms < make_timestamptz({1000 * b}))" for a, b in spans)
    connection = duckdb.connect(config={"memory_limit": "2GB", "threads": 2})
    query = (
        "SELECT sum(down) + sum(up) FROM (SELECT quantile_disc(down_bps, 0.95) AS down, quantile_disc(up_bps, 0.95) AS up"
        f" FROM read_parquet('{folder}/*.parquet') WHERE reason = 0 AND ({inside}) GROUP BY series)"
    )
    row = connection.execute(query).fetchone()
    assert row is not None
    return {"sum": row[0]}


_STEPS: dict[str, Callable[..., dict[str, float]]] = {
    "usage": _usage,
    "one": _one,
    "spans": _spans,
    "compact": _compact,
    "duckdb": _duckdb,
}


def _write_month(folder: Path, scale: Scale) -> None:
    """Through `write` and `compact`, a day at once in blocks of links."""
    store = EmbeddedStore(folder)
    for day in range(scale.days):
        for first in range(0, scale.links, 3000):
            links = np.arange(first, min(first + 3000, scale.links))
            store.write(LINK_RATE, RateBatch(series=scale.names, rows=_rows(links, day * 288 + np.arange(288), day)))
        if day:
            store.compact(START + timedelta(days=day))
    store.compact(START + timedelta(days=scale.days + 1))
    store.close()


def _cycle(scale: Scale, number: int, spacing_ms: int = _SLOT_MS) -> RateBatch:
    """One cycle of all links; of 1-minute ones START + 7 h is the first, so that a day of them is one UTC day."""
    shift = 7 * 3_600_000 if spacing_ms < _SLOT_MS else 0
    rows = _rows(np.arange(scale.links), np.array([number]), number, spacing_ms, shift)
    return RateBatch(series=scale.names, rows=rows)


def _rows(links: Any, slots: Any, seed: int, spacing_ms: int = _SLOT_MS, shift_ms: int = 0) -> Rows:
    """Every link at every slot: a level of its own x hour of the day x weekday x noise, at its own moment of the slot."""
    random = np.random.default_rng([seed, int(links[0])])
    rows = np.zeros((len(links), len(slots)), RATE)
    level = 10 ** (5 + 3 * ((links * 2_654_435_761 % 2**32) / 2**32))[:, None]
    local_ms = slots * spacing_ms + shift_ms
    hour, weekend = (local_ms / 3_600_000) % 24, ((local_ms // _DAY_MS) % 7 == 6) | ((local_ms // _DAY_MS) % 7 == 0)
    shape = (0.08 + np.exp(-(((hour - 11) / 3.5) ** 2))) * np.where(weekend, 0.3, 1.0)
    rows["series"] = links[:, None]
    jitter = (links * 7919 % spacing_ms // 2)[:, None] + random.integers(0, 40, rows.shape)
    rows["end_ms"] = int(START.timestamp() * 1000) + local_ms + jitter
    rows["interval_ticks"] = spacing_ms // 10 + random.integers(-2, 3, rows.shape)
    gap = random.random(rows.shape) < 0.03
    for name, part in (("down", 1.0), ("up", 0.2)):
        octets = np.rint(level * part * shape * random.gamma(4, 0.25, rows.shape) * spacing_ms / 8000)
        rows[f"{name}_bps"] = np.where(gap, np.nan, octets * 800 / rows["interval_ticks"])
        rows[f"{name}_limit_bps"] = np.rint(level * part * 2)
        rows[f"{name}_discards_ps"] = rows[f"{name}_errors_ps"] = np.where(gap, np.nan, 0)
    rows["reason"] = 2 * gap
    rows["rtt_us"] = random.integers(400, 40_000, rows.shape)
    rows["if_high_speed_mbps"] = 1000
    return rows.ravel()


def _child(*arguments: object) -> dict[str, float]:
    command = [sys.executable, __file__, "--step", *map(str, arguments)]
    found: dict[str, float] = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    return found


@contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept
        return
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:  # /tmp may be memory, where an fsync costs nothing
        yield Path(folder)


def _timed(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def _memory(found: dict[str, float]) -> str:
    return f"peak {found['octets'] / (1 << 20):.0f} MiB"


def _say(what: str, figures: str) -> None:
    print(f"{what:28} {figures}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
