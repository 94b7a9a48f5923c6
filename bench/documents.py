"""The monthly report of an office: how long a month of 60 agencies, polled every minute, takes from rows to files.

Measured in a process of its own, as an office runs it: `report monthly`, with figures gathered, kept, and 60 pages, a PDF and a
workbook written. Issue 7 asks for two minutes.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from bwmgr.measure.columns import RATE, RateBatch, Rows
from bwmgr.model.samples import GapReason
from bwmgr.stores import LINK_RATE
from bwmgr.stores.embedded import EmbeddedStore

MONTH_START = datetime(2025, 12, 31, 17, tzinfo=UTC)  # midnight in Jakarta
MONTH_END = datetime(2026, 1, 31, 17, tzinfo=UTC)
WANTED_SECONDS = 120

HEAD = """\
organisation: {name: Diskominfo Kabupaten Uji, timezone: Asia/Jakarta, language: id}
calendars: {office: {mon-fri: "07:30-16:00"}}
store: {kind: embedded, path: var}
credentials: {default: {version: 2c, community: {env: SNMP_COMMUNITY}}}
providers: [{id: isp, name: PT Penyedia, contracts: [{id: isp-2026, down: 2G, up: 2G, price: 320000000, per: month}]}]
devices: [{id: core, address: 127.0.0.1}]
nodes:
  - {id: kab, capacity: {down: 2G, up: 2G},
     uplinks: [{interface: {device: core, if_name: uplink, faces: provider}, contract: isp-2026}]}
links:
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="4 agencies, a reading every five minutes")
    arguments = parser.parse_args()
    agencies, interval = (4, 300) if arguments.quick else (60, 60)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = prepare(folder, agencies, interval)
        began, before = time.monotonic(), os.times()
        done = subprocess.run(
            [sys.executable, "-m", "bwmgr", "-c", str(folder / "bwmgr.yaml"), "report", "monthly", "--month", "2026-01", "-o",
             str(folder / "out")], env={**os.environ, "SNMP_COMMUNITY": "x"}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        seconds, after = time.monotonic() - began, os.times()
        files = sorted((folder / "out").rglob("*.*"))
        octets = sum(path.stat().st_size for path in files if path.is_file())
    if done.returncode:
        print(done.stderr, file=sys.stderr)
        return 1
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    print(f"{agencies} agencies, {rows} rows: {len(files)} files, {octets / 1e6:.1f} MB in {seconds:.1f} s "
          f"({cpu:.1f} s of CPU on {os.cpu_count()} cores)")  # fmt: skip
    return 0 if arguments.quick or seconds <= WANTED_SECONDS else 1


def prepare(folder: Path, agencies: int, interval: int) -> int:
    """Writes the configuration and a month of rows; returns how many."""
    links = [
        f'  - {{id: opd-{n:02}, name: "Dinas Uji Nomor {n} Kabupaten Uji", kind: opd, parent: kab, calendar: office, '
        f"limit: {{down: 20M, up: 20M}}, interface: {{device: core, if_name: e{n}, faces: subscriber}}}}\n"
        for n in range(agencies)
    ]
    (folder / "bwmgr.yaml").write_text(HEAD + "".join(links) + f"snmp: {{interval: {interval}s}}\n", encoding="utf-8")
    store = EmbeddedStore(folder / "var")
    generator = np.random.default_rng(7)
    written = 0
    for day in range((MONTH_END - MONTH_START) // timedelta(days=1)):
        made = _day(generator, agencies, interval, day)
        store.write(LINK_RATE, RateBatch(series=tuple(f"opd-{n:02}" for n in range(agencies)), rows=made))
        written += len(made)
    store.close()
    return written


def _day(generator: np.random.Generator, agencies: int, interval: int, day: int) -> Rows:
    """Office hours well used, a tenth of the links at their limit, here and there no answer."""
    steps = 86400 // interval
    made = np.zeros(steps * agencies, RATE)
    step = np.tile(np.arange(1, steps + 1), agencies)
    series = np.repeat(np.arange(agencies), steps)
    working = (step * interval > 7.5 * 3600) & (step * interval <= 16 * 3600) & ((day + 3) % 7 < 5)
    rate = np.where(working, 4e6 + 1.5e5 * series, 4e5) * generator.lognormal(0, 0.4, len(made))
    made["series"] = series
    made["end_ms"] = int(MONTH_START.timestamp() * 1000) + day * 86_400_000 + step * interval * 1000
    made["interval_ticks"] = interval * 100
    made["down_bps"] = np.where(working & (series % 10 == 0), 19.6e6, np.minimum(rate, 20e6))
    made["up_bps"] = made["down_bps"] / 5
    made["down_limit_bps"] = made["up_limit_bps"] = 20e6
    made["rtt_us"] = 4000
    silent = generator.random(len(made)) < 0.0005
    made["reason"][silent] = GapReason.TIMEOUT
    for column in ("down_bps", "up_bps"):
        made[column][silent] = np.nan
    return made


if __name__ == "__main__":
    sys.exit(main())
