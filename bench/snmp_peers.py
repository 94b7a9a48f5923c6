"""CPU per device poll of other SNMP pollers beside ours: gufo_snmp (extra `bench`) and collectd's snmp plugin, where installed.

Each asks the same farm for eight variables of each device with one GET. CPU is all that the client's process used, user and
system, while it polled; for collectd it is divided by the requests that the farm counted meanwhile, after its first cycle.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import ipaddress
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from snmp_poll import FIRST, LAB, Figures, compiled, farm, pin, poll

TABLE, MORE = "1.3.6.1.2.1.2.2.1", "1.3.6.1.2.1.31.1.1.1"
NAMES = ["1.3.6.1.2.1.1.3.0", *(f"{column}.1" for column in (
    f"{MORE}.6", f"{MORE}.10", f"{TABLE}.13", f"{TABLE}.19", f"{TABLE}.14", f"{TABLE}.8", f"{MORE}.15"
))]  # fmt: skip
"""As in the blaster's request."""
COLLECTD = shutil.which("collectd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
TICKS_PS = os.sysconf("SC_CLK_TCK")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer devices and seconds: does it run")
    quick = parser.parse_args().quick
    if not (LAB / "snmpfarm.c").is_file() or shutil.which("cc") is None:
        print(f"no lab at {LAB}, or no C compiler: nothing measured")
        return 0
    count, farm_core = (200 if quick else 2_000), pin()
    print(f"{count} devices, one GET of 8 variables each")
    with tempfile.TemporaryDirectory() as folder:
        binary = compiled("snmpfarm", Path(folder))
        with farm(binary, farm_core) as running:
            print(f"  bwmgr      {poll(count, running.port, 3)}", flush=True)
            if importlib.util.find_spec("gufo") is None:
                print("  gufo_snmp is not installed (pip install .[bench])")
            else:
                print(f"  gufo_snmp  {asyncio.run(_gufo(running.port, count))}", flush=True)
        if COLLECTD is None or not Path("/usr/lib/collectd/snmp.so").exists():
            print("  collectd's snmp plugin is not installed (apt install collectd-core)")
        else:
            print(f"  collectd   {_collectd(binary, farm_core, count, Path(folder), seconds=3 if quick else 10)}")
    return 0


async def _gufo(port: int, count: int) -> Figures:
    """Its asynchronous client, a session per device, 256 at once."""
    from gufo.snmp.aio import SnmpSession

    sessions = [SnmpSession(addr=str(ipaddress.ip_address(FIRST + number)), port=port) for number in range(count)]
    slots = asyncio.Semaphore(256)

    async def ask(session: Any) -> None:
        async with slots:
            await session.get_many(NAMES)

    cpu, wall = time.process_time(), time.perf_counter()
    await asyncio.gather(*map(ask, sessions))
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return Figures(cpu / count * 1e6, count / wall)


def _collectd(binary: Path, farm_core: int, count: int, folder: Path, *, seconds: float) -> Figures:
    """Eight reading threads, a host block per device, an interval that it cannot keep: it polls as fast as it can."""
    assert COLLECTD is not None
    with farm(binary, farm_core) as running:
        (folder / "types.db").write_text("eight " + ", ".join(f"v{at}:GAUGE:U:U" for at in range(len(NAMES))) + "\n")
        (folder / "collectd.conf").write_text(_configuration(folder, running.port, count))
        with subprocess.Popen(
            [COLLECTD, "-f", "-C", str(folder / "collectd.conf")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as client:
            try:
                while running.received() < count and client.poll() is None:
                    time.sleep(0.2)
                began, cpu, received = time.perf_counter(), _cpu_seconds(client.pid), running.received()
                time.sleep(seconds)
                wall, cpu = time.perf_counter() - began, _cpu_seconds(client.pid) - cpu
                received = running.received() - received
            finally:
                client.send_signal(signal.SIGTERM)
                client.wait(30)
    return Figures(cpu / max(received, 1) * 1e6, received / wall)


def _configuration(folder: Path, port: int, count: int) -> str:
    values = " ".join(f'"{name}"' for name in NAMES)
    hosts = "\n".join(
        f'<Host "d{number}">\nAddress "{ipaddress.ip_address(FIRST + number)}:{port}"\nVersion 2\nCommunity "public"\n'
        f'Collect "eight"\nInterval 0.1\n</Host>'
        for number in range(count)
    )
    return (
        f'BaseDir "{folder}"\nPIDFile "{folder}/pid"\nTypesDB "{folder}/types.db"\nInterval 1\nReadThreads 8\n'
        f"WriteQueueLimitHigh 1\nWriteQueueLimitLow 1\nLoadPlugin snmp\n<Plugin snmp>\n"
        f'<Data "eight">\nType "eight"\nTable false\nInstance ""\nValues {values}\n</Data>\n{hosts}\n</Plugin>\n'
    )


def _cpu_seconds(process: int) -> float:
    """User and system time of a process so far (proc(5), stat)."""
    fields = re.sub(r"^.*\) ", "", Path(f"/proc/{process}/stat").read_text()).split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PS


if __name__ == "__main__":
    sys.exit(main())
