"""The SNMP cycle against a farm of virtual routers: CPU per device, rate beside the C blaster and peers, faults and dead devices.

Farm and blaster are C programs of the lab beside the checkout (BWMGR_SHARED names it elsewhere); without them, or without a
compiler, nothing is measured. They run on one core, the client on the other.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import ipaddress
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
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
    cores = sorted(os.sched_getaffinity(0))
    farm_core, client_core = cores[0], cores[-1]
    os.sched_setaffinity(0, {client_core})
    with tempfile.TemporaryDirectory() as folder:
        tools = [_compiled(name, Path(folder)) for name in ("snmpfarm", "snmpblast")]
        passed = [_speed(tools, farm_core, count, quick=quick) for count in ((300,) if quick else (2_000, 9_000))]
        passed += [_faults(tools[0], farm_core, count) for count in ((300,) if quick else (2_000, 9_000))]
        passed += [_dead(tools[0], farm_core, 300 if quick else 9_000)]
    print("all bars held" if all(passed) else "a bar was missed")
    return 0 if all(passed) or quick else 1


def _compiled(name: str, folder: Path) -> Path:
    subprocess.run(["cc", "-O2", "-o", str(folder / name), str(LAB / f"{name}.c")], check=True)
    return folder / name


@contextmanager
def _farm(binary: Path, core: int, *options: str) -> Iterator[int]:
    """A farm's port, while it runs."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("0.0.0.0", 0))
        port: int = probe.getsockname()[1]
    running = subprocess.Popen([str(binary), "--port", str(port), *options], stderr=subprocess.PIPE, text=True)
    assert running.stderr is not None
    running.stderr.readline()
    os.sched_setaffinity(running.pid, {core})
    try:
        yield port
    finally:
        running.terminate()
        running.wait()
        running.stderr.close()


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
    print(f"{count} devices, one GET of 8 variables each; generator on another core")
    with _farm(tools[0], core) as port:
        ceiling = _blast(tools[1], port, count, 0.5 if quick else 2.0)
        ours = _poll(count, port, 2 if quick else 9)
        ceiling = Figures(ceiling.cpu_us, max(ceiling.polls_ps, _blast(tools[1], port, count, 0.5 if quick else 2.0).polls_ps))
        print(
            f"  snmpblast (C)  {ceiling}\n  bwmgr          {ours}   {ours.polls_ps / ceiling.polls_ps:.2f} of the blaster's rate"
        )
        for name, figures in _peers(port, min(count, 300 if quick else 2_000)).items():
            print(f"  {name:<14} {figures}")
    return ours.cpu_us <= BAR_CPU_US and ours.polls_ps >= BAR_RATIO * ceiling.polls_ps


def _blast(binary: Path, port: int, count: int, seconds: float) -> Figures:
    command = [str(binary), "--decode", "--port", str(port), "--devices", str(count), "--seconds", str(seconds)]
    line = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    found = re.search(r"= (\d+) polls/s.*= ([\d.]+) s per 1000 polls", line)
    assert found is not None, line
    return Figures(float(found[2]) * 1000, float(found[1]))


def _poll(count: int, port: int, cycles: int) -> Figures:
    collector = _collector(count, port)
    collector.collect()  # looks the names up
    collector.collect()
    figures = []
    for _ in range(cycles):
        cpu, wall = time.process_time(), time.perf_counter()
        cycle = collector.collect()
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        assert not cycle.readings["reason"].any(), cycle.drops
        figures.append((cpu / count * 1e6, count / wall))
    collector.close()
    return Figures(median(cpu for cpu, _ in figures), median(rate for _, rate in figures))


def _faults(binary: Path, core: int, count: int) -> bool:
    """Every counter of every reading against the farm's formula, under all faults that leave a trace."""
    spec = importlib.util.spec_from_file_location("farm_model", LAB / "farm_model.py")
    assert spec is not None
    assert spec.loader is not None
    formulas = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(formulas)
    epoch = time.time() - 86_400
    model = formulas.Model(epoch, dead=0.03)
    faults = ("--loss", "0.01", "--dead-fraction", "0.03", "--dup", "0.05", "--wrong-id", "0.03", "--truncate", "0.02")
    wrong = missing = checked = 0
    with _farm(binary, core, *faults, "--epoch", f"{epoch:.6f}") as port:
        collector = _collector(count, port, timeout_seconds=0.3, retries=6)
        for _ in range(3):
            cycle = collector.collect()
            for number, row in enumerate(cycle.readings):
                address = FIRST + number
                if row["reason"]:
                    missing += not model.is_dead(address)
                    continue
                checked += 1
                at = model.epoch + int(row["sys_uptime_ticks"]) * 10_000
                wrong += not all(
                    model.counter(address, 1, kind, at) <= int(row[column]) <= model.counter(address, 1, kind, at + 10_000)
                    for kind, column in ((1, "in_octets"), (2, "out_octets"))
                )
        collector.close()
    print(
        f"{count} devices under faults: {checked} readings checked, {wrong} wrong, {missing} missing; dropped {dict(cycle.drops)}"
    )
    return not wrong and not missing


def _dead(binary: Path, core: int, count: int) -> bool:
    timeout, retries = 1.0, 1
    most = (retries + 1) * timeout + 1
    with _farm(binary, core, "--loss", "0.01", "--dead-fraction", "0.03", "--delay-ms", "20", "--jitter-ms", "20") as port:
        collector = _collector(count, port, timeout_seconds=timeout, retries=retries)
        collector.collect()
        took = max(collector.collect().duration_seconds for _ in range(2))
        collector.close()
    print(f"{count} devices, 3 % dead, 1 % loss, 20-40 ms delay: a cycle took {took:.2f} s (at most {most:.1f})")
    return took <= most


def _peers(port: int, count: int) -> dict[str, Figures]:
    """Those that are installed; `pip install gufo_snmp` adds one."""
    if importlib.util.find_spec("gufo") is None:
        print("  gufo_snmp is not installed: no peer beside (pip install gufo-snmp)", file=sys.stderr)
        return {}
    return {"gufo_snmp": asyncio.run(_gufo(port, count))}


async def _gufo(port: int, count: int) -> Figures:
    """Its asynchronous client, a session per device, 256 at once, the same eight variables."""
    from gufo.snmp.aio import SnmpSession  # type: ignore[import-not-found, unused-ignore]

    table, more = "1.3.6.1.2.1.2.2.1", "1.3.6.1.2.1.31.1.1.1"
    columns = (f"{more}.1", f"{more}.6", f"{more}.10", f"{table}.13", f"{table}.19", f"{table}.8", f"{more}.19")
    names = ["1.3.6.1.2.1.1.3.0", *(f"{column}.1" for column in columns)]
    sessions = [SnmpSession(addr=str(ipaddress.ip_address(FIRST + number)), port=port) for number in range(count)]
    slots = asyncio.Semaphore(256)

    async def ask(session: Any) -> None:
        async with slots:
            await session.get_many(names)

    cpu, wall = time.process_time(), time.perf_counter()
    await asyncio.gather(*map(ask, sessions))
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return Figures(cpu / count * 1e6, count / wall)


if __name__ == "__main__":
    sys.exit(main())
