"""The SNMP cycle against a farm of virtual routers: CPU per device and rate beside the C blaster, faults, dead devices.

Farm and blaster are C programs of the lab beside the checkout (BWMGR_SHARED names it elsewhere); without them, or without a
compiler, nothing is measured. The farm runs on one core, the clients on the other.

How the rates are compared: rounds of one second of the blaster and as many whole cycles of ours one after the other, so that
both meet the same minute of a machine that may have other things to do; same devices, one GET of eight variables each, same
window. The ratio is the median over the rounds. Ours includes all of a cycle: readings made, devices judged, nothing in
flight at its end; the blaster only counts replies and never waits for a last one.
"""

from __future__ import annotations

import argparse
import importlib.util
import ipaddress
import math
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from bwmgr.model.inventory import Credential, Device, Faces, Interface
from bwmgr.model.secret import Secret
from bwmgr.testing.clock import FastClock
from collectors.snmp.collector import SnmpCollector
from collectors.snmp.objects import Column
from collectors.snmp.plan import Target
from collectors.snmp.settings import SnmpSettings

LAB = Path(os.environ.get("BWMGR_SHARED", Path(__file__).resolve().parents[2] / "shared")) / "lab"
FIRST = int(ipaddress.ip_address("127.1.0.1"))
SIX = (Column.IN_OCTETS, Column.OUT_OCTETS, Column.IN_DISCARDS, Column.OUT_DISCARDS, Column.OPER_STATUS, Column.DISCONTINUITY)
"""With sysUpTime and the name these are eight variables, as in the blaster's request."""
BAR_CPU_US, BAR_RATIO = 15.0, 0.5
ROUNDS, CYCLES = 9, 15


@dataclass(frozen=True)
class Figures:
    """Of one client: CPU microseconds per device poll, polls per second of wall time."""

    cpu_us: float
    polls_ps: float

    def __str__(self) -> str:
        return f"{self.cpu_us:8.1f} us CPU per poll {self.polls_ps:9.0f} polls/s"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="some hundred devices, two cycles: does it run")
    quick = parser.parse_args().quick
    if not (LAB / "snmpfarm.c").is_file() or shutil.which("cc") is None:
        print(f"no lab at {LAB}, or no C compiler: nothing measured")
        return 0
    farm_core = pin()
    with tempfile.TemporaryDirectory() as folder:
        tools = [compiled(name, Path(folder)) for name in ("snmpfarm", "snmpblast")]
        passed = [_speed(tools, farm_core, count, quick=quick) for count in ((300,) if quick else (2_000, 9_000))]
        for settings in ({"timeout_seconds": 1.0, "retries": 1}, {"timeout_seconds": 0.4, "retries": 5}):
            passed += [_faults(tools[0], farm_core, count, settings) for count in ((300,) if quick else (2_000, 9_000))]
        passed += [_dead(tools[0], farm_core, 300 if quick else 9_000)]
    print("all bars held" if all(passed) else "a bar was missed")
    return 0 if all(passed) or quick else 1


def compiled(name: str, folder: Path) -> Path:
    """A program of the lab."""
    subprocess.run(["cc", "-O2", "-o", str(folder / name), str(LAB / f"{name}.c")], check=True)
    return folder / name


@dataclass(frozen=True)
class Farm:
    """One that runs."""

    port: int
    process: subprocess.Popen[str]

    def received(self) -> int:
        """Requests that it has received so far; it says so on SIGUSR1."""
        assert self.process.stderr is not None
        self.process.send_signal(signal.SIGUSR1)
        found = re.search(r"rx=(\d+)", self.process.stderr.readline())
        return int(found[1]) if found else 0


@contextmanager
def farm(binary: Path, core: int, *options: str) -> Iterator[Farm]:
    """A farm on one core, while it is needed."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("0.0.0.0", 0))
        port: int = probe.getsockname()[1]
    running = subprocess.Popen([str(binary), "--port", str(port), *options], stderr=subprocess.PIPE, text=True)
    assert running.stderr is not None
    running.stderr.readline()
    os.sched_setaffinity(running.pid, {core})
    try:
        yield Farm(port, running)
    finally:
        running.terminate()
        running.wait()
        running.stderr.close()


def pin() -> int:
    """Keeps this process to the last core; returns the first, for the farm."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[-1]})
    return cores[0]


def _targets(count: int, port: int) -> list[Target]:
    credential = Credential(id="farm", version="2c", community=Secret("public"))
    names = [str(ipaddress.ip_address(FIRST + number)) for number in range(count)]
    return [
        Target(
            device=Device(id=name, address=name, port=port),
            credential=credential,
            interfaces=(Interface(device=name, if_name="Gi0/1", faces=Faces.PROVIDER),),
        )
        for name in names
    ]


def _collector(count: int, port: int, **settings: Any) -> SnmpCollector:
    return SnmpCollector(SnmpSettings(columns=SIX, **settings), _targets(count, port), FastClock(datetime.now(UTC)))


def _speed(tools: Sequence[Path], core: int, count: int, *, quick: bool) -> bool:
    rounds = 2 if quick else ROUNDS
    with farm(tools[0], core) as running:
        collector = _collector(count, running.port)
        first = _timed(collector, count, 1)  # looks the names up
        window = min(SnmpSettings().window, count)
        pairs = []
        for _ in range(rounds):
            ceiling = _blast(tools[1], running.port, count, window, 0.3 if quick else 1.0)
            pairs.append((_timed(collector, count, max(1, CYCLES * 2_000 // count)), ceiling))
        collector.close()
    ratios = [ours.polls_ps / ceiling.polls_ps for ours, ceiling in pairs]
    ours, blaster = (_median([pair[which] for pair in pairs]) for which in (0, 1))
    print(f"{count} devices, one GET of 8 variables each, window {window}, {rounds} rounds")
    print(f"  snmpblast (C)  {blaster}")
    print(f"  bwmgr          {ours}   {median(ratios):.2f} of the blaster's rate ({min(ratios):.2f}-{max(ratios):.2f})")
    print(f"  first cycle    {first}   with the look-up of names", flush=True)
    return ours.cpu_us <= BAR_CPU_US and median(ratios) >= BAR_RATIO


def _median(figures: Sequence[Figures]) -> Figures:
    return Figures(median(each.cpu_us for each in figures), median(each.polls_ps for each in figures))


def _blast(binary: Path, port: int, count: int, window: int, seconds: float) -> Figures:
    command = [str(binary), "--decode", "--port", str(port), "--devices", str(count)]
    command += ["--window", str(window), "--seconds", str(seconds)]
    line = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    found = re.search(r"= (\d+) polls/s.*= ([\d.]+) s per 1000 polls", line)
    assert found is not None, line
    return Figures(float(found[2]) * 1000, float(found[1]))


def poll(count: int, port: int, cycles: int) -> Figures:
    """Our collector's figures, after a cycle that looks names up."""
    collector = _collector(count, port)
    collector.collect()
    figures = _timed(collector, count, cycles)
    collector.close()
    return figures


def _timed(collector: SnmpCollector, count: int, cycles: int) -> Figures:
    """Whole cycles, one after the other."""
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(cycles):
        cycle = collector.collect()
        assert not cycle.readings["reason"].any(), cycle.drops
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return Figures(cpu / (count * cycles) * 1e6, count * cycles / wall)


SPOILT = {"loss": 0.01, "wrong-id": 0.03, "truncate": 0.02}
"""By option of the farm: the share of replies that each makes useless, at random."""


def _faults(binary: Path, core: int, count: int, settings: dict[str, Any]) -> bool:
    """All faults together, every counter against the farm's formula. Missing may be what was lost on every one of its tries."""
    formulas = _formulas()
    epoch = time.time() - 86_400
    model = formulas.Model(epoch, dead=0.03, reboot=60, discont=37, start=("wrap64", 86_403))
    options = ["--dead-fraction", "0.03", "--dup", "0.05", "--reboot-every", "60", "--reindex", "--discont-every", "37"]
    options += [part for name, share in SPOILT.items() for part in (f"--{name}", str(share))]
    cycles, wrong, missing, checked = 4, 0, 0, 0
    drops: Counter[str] = Counter()
    with farm(binary, core, *options, "--counter-start", "wrap64:86403", "--epoch", f"{epoch:.6f}") as running:
        collector = _collector(count, running.port, **settings)
        collector.collect()
        for _ in range(cycles):
            cycle = collector.collect()
            drops.update(cycle.drops)
            for number, row in enumerate(cycle.readings):
                missing += bool(row["reason"]) and not model.is_dead(FIRST + number)
                checked += not row["reason"]
                wrong += not row["reason"] and not _right(model, FIRST + number, row)
        collector.close()
    lost_ratio = 1 - math.prod(1 - share for share in SPOILT.values())
    expected = checked * lost_ratio ** (settings["retries"] + 1)
    print(f"{count} devices, all faults, {settings['retries'] + 1} tries: {checked} readings checked, {wrong} wrong,")
    print(f"  {missing} missing ({expected:.1f} expected of {lost_ratio:.1%} spoilt replies); dropped {dict(drops)}", flush=True)
    return not wrong and missing <= expected + 4 * math.sqrt(expected) + 1


def _formulas() -> Any:
    spec = importlib.util.spec_from_file_location("farm_model", LAB / "farm_model.py")
    assert spec is not None
    assert spec.loader is not None
    formulas = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(formulas)
    return formulas


def _right(model: Any, address: int, row: Any) -> bool:
    """Whether both counters are what the port had when its sysUpTime was the one read, before or after a reboot on the way."""
    sent_us = int(row["at_ms"]) * 1000
    boots = {model.times(address, at)[1] for at in (sent_us, sent_us + int(row["rtt_us"]) + 2_000)}
    return any(
        all(
            (int(row[column]) - model.counter(address, 1, kind, at)) % 2**64
            <= (model.counter(address, 1, kind, at + 10_000) - model.counter(address, 1, kind, at)) % 2**64
            for kind, column in ((1, "in_octets"), (2, "out_octets"))
        )
        for at in (boot + int(row["sys_uptime_ticks"]) * 10_000 for boot in boots)
    )


def _dead(binary: Path, core: int, count: int) -> bool:
    timeout, retries = 1.0, 1
    most = (retries + 1) * timeout + 1
    with farm(binary, core, "--loss", "0.01", "--dead-fraction", "0.03", "--delay-ms", "20", "--jitter-ms", "20") as running:
        collector = _collector(count, running.port, timeout_seconds=timeout, retries=retries)
        collector.collect()
        cycles = [collector.collect() for _ in range(3)]
        collector.close()
    took = max(cycle.duration_seconds for cycle in cycles)
    worked = max(cycle.worked_seconds for cycle in cycles)
    print(
        f"{count} devices, 3 % dead, 1 % loss, 20-40 ms delay: a cycle took {took:.2f} s (at most {most:.1f}; work {worked:.2f})"
    )
    return took <= most


if __name__ == "__main__":
    sys.exit(main())
