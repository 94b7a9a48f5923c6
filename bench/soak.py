"""One simulated day of 9,000 links: does the polling process stay below 300 MiB, and does it grow from hour 6 to hour 24?

9,000 SNMP agents (snmpfarm of the shared lab, compiled here) answer on loopback; a process of its own holds what the daemon holds
(poller, store, metrics, health page, log, chores) and runs the day's cycles back to back: the collector's clock moves on by an
interval between two cycles, everything else is real: datagrams, rates, fsynced commits, compaction, policies and report as the
daemon runs them, each in its own process. Resident memory is read from /proc after every cycle.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BAR_MIB = 300
GROWTH_MIB = 8
"""What counts as no growth: the allocator's own coming and going."""
PORT = 16161


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="900 links, 6 cycles")
    parser.add_argument("--links", type=int, default=9000)
    parser.add_argument("--interval", type=int, default=300, help="seconds of simulated time between two cycles")
    parser.add_argument("--hours", type=float, default=24)
    parser.add_argument("--inside", metavar="CONFIG", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.links, arguments.hours = 900, 0.5
    cycles = round(arguments.hours * 3600 / arguments.interval)
    if arguments.inside:
        return _inside(Path(arguments.inside), cycles, arguments.interval)
    source = Path(os.environ.get("BWMGR_SHARED", ROOT.parent / "shared")) / "lab" / "snmpfarm.c"
    if not source.exists() or shutil.which("cc") is None:
        print(f"left out: needs cc and {source}")
        return 0
    with tempfile.TemporaryDirectory() as folder, _farm(source, Path(folder)):
        configuration = _write_configuration(Path(folder), arguments.links, arguments.interval)
        return _watch(configuration, arguments.hours, arguments.interval, arguments.links)


@contextmanager
def _farm(source: Path, folder: Path) -> Iterator[None]:
    program = folder / "snmpfarm"
    subprocess.run(["cc", "-O2", "-o", str(program), str(source)], check=True)
    command = [str(program), "--port", str(PORT), "--community", "soak", "--loss", "0.002", "--dead-fraction", "0.001"]
    farm = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        farm.terminate()
        farm.wait()


def _write_configuration(folder: Path, links: int, interval: int) -> Path:
    lines = [
        "organisation: {name: Soak, timezone: Asia/Jakarta, language: id}",
        f"store: {{kind: embedded, path: {folder / 'var'}}}",
        f"snmp: {{interval: {interval}s, timeout: 1s, retries: 1}}",
        "credentials: {default: {version: 2c, community: {env: SOAK_COMMUNITY}}}",
        "devices:",
        *(f"  - {{id: d{n}, address: 127.80.{n // 250}.{n % 250 + 1}, port: {PORT}}}" for n in range(links)),
        "nodes:",
        f"  - {{id: root, capacity: {{down: {10 * links}M, up: {10 * links}M}}}}",
        "links:",
        *(_link(n) for n in range(links)),
    ]
    path = folder / "soak.yaml"
    path.write_text("\n".join(lines) + "\n")
    return path


def _link(number: int) -> str:
    interface = f"{{device: d{number}, if_name: Gi0/1, faces: subscriber}}"
    return (
        f"  - {{id: l{number}, name: L{number}, kind: wifi, parent: root, interface: {interface}, limit: {{down: 20M, up: 20M}}}}"
    )


def _watch(configuration: Path, hours: float, interval: int, links: int) -> int:
    command = [sys.executable, __file__, "--inside", str(configuration), "--hours", str(hours), "--interval", str(interval)]
    environment = {**os.environ, "SOAK_COMMUNITY": "soak"}
    resident: list[tuple[float, float]] = []
    began = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        for line in process.stdout or ():
            report = json.loads(line)
            resident.append((report["hour"], report["rss_mib"]))
    if process.returncode or not resident:
        print(f"the process inside ended with {process.returncode}")
        return 1
    print(f"{links} links, {len(resident)} cycles in {time.monotonic() - began:.0f} s; last: {report}")
    return _judged(resident, hours)


def _judged(resident: Sequence[tuple[float, float]], hours: float) -> int:
    for hour in sorted({0.0, *(hours * part for part in (0.25, 0.5, 0.75, 1))}):
        print(f"  hour {hour:5.1f}: resident {_at(resident, hour):6.1f} MiB")
    most = max(mib for _, mib in resident)
    growth = _at(resident, hours) - _at(resident, hours / 4)
    held = most <= BAR_MIB and growth <= GROWTH_MIB
    print(f"most {most:.1f} MiB (bar {BAR_MIB}), from hour {hours / 4:g} to {hours:g} {growth:+.1f} MiB (bar {GROWTH_MIB}): "
          f"{'held' if held else 'BROKEN'}")  # fmt: skip
    return 0 if held else 1


def _at(resident: Sequence[tuple[float, float]], hour: float) -> float:
    """Median of the five readings around an hour."""
    nearest = sorted(resident, key=lambda reading: abs(reading[0] - hour))[:5]
    return sorted(mib for _, mib in nearest)[len(nearest) // 2]


def _inside(configuration: Path, cycles: int, interval: int) -> int:
    """The daemon's parts under a clock that moves on by an interval between two cycles."""
    from bwmgr import config
    from bwmgr.daemon import chores, logs
    from bwmgr.daemon.application import Application
    from bwmgr.daemon.cycle_log import CycleLog
    from bwmgr.daemon.health import HealthServer
    from bwmgr.daemon.metrics import Metrics
    from bwmgr.daemon.policy_registry import parameter_classes
    from bwmgr.testing.clock import ManualClock

    settings = config.load(configuration, policies=parameter_classes())
    logs.configure("json", "error")
    clock = ManualClock(datetime.now(UTC) - timedelta(seconds=cycles * interval))
    application = Application(settings, clock=clock)
    poller, metrics, cycle_log, runner = application.poller(), Metrics(), CycleLog(logs.Repeats()), chores.Chores()
    server = HealthServer("127.0.0.1:0", metrics.text, lambda: {"healthy": True})
    per_hour = max(1, 3600 // interval)
    for number in range(cycles):
        report = poller.cycle()
        metrics.cycle(report)
        cycle_log.cycle(report, interval)
        if number % per_hour == per_hour - 1:
            runner.run(chores.compact, settings)
        if number % (6 * per_hour) == per_hour:
            runner.run(chores.recommend, settings)
        clock.advance(interval)
        figures = {"links_ok": report.links_ok, "cycle_seconds": round(report.duration_seconds, 2),
                   "write_seconds": round(report.write_seconds, 3)}  # fmt: skip
        print(json.dumps({"hour": (number + 1) * interval / 3600, "rss_mib": _resident_mib(), **figures}), flush=True)
    server.close()
    poller.close()
    application.close()
    return 0


def _resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return round(pages * os.sysconf("SC_PAGESIZE") / 2**20, 1)


if __name__ == "__main__":
    sys.exit(main())
