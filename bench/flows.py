"""The flow collector on one core beside nfcapd (nfdump) and nfacctd (pmacct): CPU seconds per 1M flows, loss, memory.

Real UDP on loopback, 200 exporters with MikroTik's record layout (`flowblast` of the lab beside the checkout, BWMGR_SHARED names
it elsewhere) and a generator of our own with one flow in each set, as FortiGate sends. Subject and generator are on a core each;
octet totals must be those that were sent. Peers that are not installed are left out.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any

LAB = Path(os.environ.get("BWMGR_SHARED", Path(__file__).resolve().parents[2] / "shared")) / "lab"
AGENCIES, EXPORTERS = 1000, 200
BAR_CPU, BAR_SLOW_CPU, BAR_RSS_MIB = 0.30, 0.60, 150
_QUIET_SECONDS = 2.0
_SUBJECT_CORE, _GENERATOR_CORE = 0, 1


@dataclass(frozen=True)
class Case:
    name: str
    version: str
    """5, 9 or 10 of flowblast; `sets`: one flow in each set."""
    flows_ps: int
    seconds: float
    bar_cpu: float | None = None
    peers: bool = True

    @property
    def flows(self) -> int:
        return int(self.flows_ps * self.seconds)


CASES = (
    Case("v9, 1.0 M/s", "9", 1_000_000, 20, BAR_CPU),
    Case("IPFIX, 1.0 M/s", "10", 1_000_000, 20, BAR_CPU),
    Case("v5, 1.0 M/s", "5", 1_000_000, 10, BAR_CPU),
    Case("v9, 2.0 M/s (stretch)", "9", 2_000_000, 10),
    Case("v9, 0.1 M/s", "9", 100_000, 15, BAR_SLOW_CPU),
    Case("v9, one flow per set, 0.25 M/s", "sets", 250_000, 10),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two seconds each at a fifth of the rate, without peers")
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--collect", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--send-sets", nargs=3, metavar=("PORT", "RATE", "FLOWS"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.collect:
        return collect()
    if arguments.send_sets:
        return send_sets(*map(int, arguments.send_sets))
    if not (LAB / "flowblast.c").is_file() or shutil.which("cc") is None:
        print(f"no lab at {LAB}, or no C compiler: nothing measured")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        return measure([case for case in CASES if arguments.only in case.name], Path(folder), quick=arguments.quick)


def measure(cases: Sequence[Case], folder: Path, *, quick: bool) -> int:
    """Runs all and prints a table; 1 where a bar is broken that holds in a smoke too (loss, octets)."""
    blaster = folder / "flowblast"
    subprocess.run(["cc", "-O2", "-o", str(blaster), str(LAB / "flowblast.c"), "-lm"], check=True)
    print(f"{'case':32} {'collector':10} {'CPU s / 1M':>10} {'received':>12} {'loss':>8} {'octets':>7} {'RSS MiB':>8}")
    broken = False
    for case in cases:
        shorter = Case(f"{case.name}: a fifth", case.version, case.flows_ps // 5, 2) if quick else case
        broken |= not _run(shorter, blaster, folder, peers=not quick)
    return 1 if broken else 0


def _run(case: Case, blaster: Path, folder: Path, *, peers: bool) -> bool:
    with _bwmgr() as (port, result):
        sent = _generate(case, blaster, port)
        found = result()
    exact = found["octets"] == sent["octets"]
    loss = 1 - found["flows"] / sent["flows"]
    verdict = "" if case.bar_cpu is None else f"  bar {case.bar_cpu:.2f}: {'held' if found['cpu'] <= case.bar_cpu else 'BROKEN'}"
    print(
        _line(case, "bwmgr", found["cpu"], found["flows"], loss, "exact" if exact else "WRONG", found["rss"]) + verdict,
        flush=True,
    )
    if peers:
        for name, peer in _PEERS.items():
            if shutil.which(name):
                with peer(folder) as (port, result):
                    sent = _generate(case, blaster, port)
                    found = result()
                received = found["flows"] or sent["flows"]  # nfacctd does not say; its figure is a lower bound where it lost some
                loss = 1 - found["flows"] / sent["flows"] if found["flows"] else float("nan")
                print(_line(case, name, found["cpu"] / received * 1e6, found["flows"], loss, "", found["rss"]), flush=True)
    return exact or "stretch" in case.name


def _line(case: Case, collector: str, cpu: float, flows: int, loss: float, octets: str, rss: float) -> str:
    return f"{case.name:32} {collector:10} {cpu:10.3f} {flows:12,} {100 * loss:7.2f}% {octets:>7} {rss:8.0f}"


def _generate(case: Case, blaster: Path, port: int) -> dict[str, Any]:
    if case.version == "sets":
        command = [sys.executable, __file__, "--send-sets", str(port), str(case.flows_ps), str(case.flows)]
    else:
        command = [str(blaster), "-v", case.version, "-p", str(port), "-r", str(case.flows_ps), "-n", str(case.flows)]
        command += ["-e", str(EXPORTERS), "-a", str(AGENCIES)]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, check=True, preexec_fn=lambda: os.sched_setaffinity(0, {_GENERATOR_CORE})
    )
    sent: dict[str, Any] = json.loads(done.stdout)
    return sent


def _on(core: int, command: Sequence[str]) -> list[str]:
    return ["taskset", "-c", str(core), *command]


# the subject


@contextmanager
def _bwmgr() -> Iterator[tuple[int, Any]]:
    command = [sys.executable, __file__, "--collect"]
    process = subprocess.Popen(_on(_SUBJECT_CORE, command), stdout=subprocess.PIPE, text=True)
    output = process.stdout
    assert output is not None
    try:
        port = int(output.readline())
        yield port, lambda: json.loads(output.readline())
    finally:
        process.terminate()
        process.wait()


def collect() -> int:
    """A collector for the links of `flowblast`; prints its port, then what it saw once nothing comes any more."""
    from bwmgr.model.inventory import Inventory, Link, LinkKind, Organisation
    from collectors.netflow.applications import Prefix
    from collectors.netflow.assignment import attribution_of
    from collectors.netflow.collector import FlowCollector
    from collectors.netflow.exporters import Exporters
    from collectors.netflow.settings import FlowSettings

    links = {
        f"opd-{number}": Link(
            id=f"opd-{number}",
            name=f"OPD {number}",
            kind=LinkKind.OPD,
            networks=(ip_network(f"10.{number >> 8}.{number & 255}.0/24"),),
        )
        for number in range(AGENCIES)
    }
    inventory = Inventory(organisation=Organisation(name="bench"), links=links)
    domestic = [Prefix(network=ip_network(f"{first}.0.0.0/8"), service=None, domestic=True) for first in (36, 101, 103, 114, 180)]
    exporters = Exporters()
    settings = FlowSettings(listen=(("127.0.0.1", 0),), disjoint=True)
    collector = FlowCollector(settings, attribution_of(inventory, exporters, domestic), exporters)
    print(collector.receiver.addresses[0][1], flush=True)
    flows, cpu = _step_until_quiet(collector)
    rows = collector.close_minutes(int(time.time() * 1000) + 120_000)
    figures = collector.figures()
    found = {
        "flows": flows,
        "cpu": cpu / max(flows, 1) * 1e6,
        "octets": int(rows.octets.sum()),
        "dropped": figures.dropped,
        "problems": figures.problems,
        "rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print(json.dumps(found), flush=True)
    return 0


def _step_until_quiet(collector: Any) -> tuple[int, float]:
    """Flows, and CPU seconds from the first batch on."""
    flows, began, last = 0, 0.0, 0.0
    while not flows or time.monotonic() - last < _QUIET_SECONDS:
        before = time.process_time()
        got = collector.step(0.2)
        if got and not flows:
            began = before
        if got:
            flows, last = flows + got, time.monotonic()
    return flows, time.process_time() - began


# the generator of sets with one flow


def send_sets(port: int, rate: int, flows: int) -> int:
    """v9, twenty sets of one record in a datagram; the record is MikroTik's, as flowblast has it."""
    fields = ((60, 1), (22, 4), (21, 4), (2, 4), (1, 4), (7, 2), (11, 2), (10, 4), (14, 4), (4, 1), (6, 1), (8, 4), (12, 4))
    template = struct.pack(">HHHH", 0, 8 + 4 * len(fields), 258, len(fields)) + b"".join(
        struct.pack(">HH", *each) for each in fields
    )
    per_datagram, octets = 20, 1_000
    sockets = [_sender(number, port) for number in range(50)]
    sequences = [0] * len(sockets)
    began_s = int(time.time())
    for number, one in enumerate(sockets):
        one.send(struct.pack(">HHIIII", 9, 1, 1_000_000, began_s, sequences[number], 0) + template)
        sequences[number] += 1
    bodies = [_sets(number, per_datagram, octets) for number in range(256)]
    datagrams = flows // per_datagram
    began = time.monotonic()
    for number in range(datagrams):
        which = number % len(sockets)
        sockets[which].send(
            struct.pack(">HHIIII", 9, per_datagram, 1_000_000, began_s, sequences[which], 0) + bodies[number % 256]
        )
        sequences[which] += 1
        while number % 32 == 0 and (number * per_datagram) / rate > time.monotonic() - began:
            time.sleep(0.0005)
    print(json.dumps({"flows": datagrams * per_datagram, "octets": datagrams * per_datagram * octets}))
    return 0


def _sets(seed: int, count: int, octets: int) -> bytes:
    body = b""
    for number in range(count):
        host = 10 << 24 | ((seed * count + number) % AGENCIES) << 8 | 7
        body += struct.pack(">HH", 258, 43) + struct.pack(
            ">BIIIIHHIIBBII", 4, 990_000, 999_000, 3, octets, 443, 40_000 + number, 1, 2, 6, 27, 0x08080808 + seed, host
        )
    return body


def _sender(number: int, port: int) -> socket.socket:
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.bind((f"127.0.2.{number + 1}", 0))
    one.connect(("127.0.0.1", port))
    return one


# peers


@contextmanager
def _nfcapd(folder: Path) -> Iterator[tuple[int, Any]]:
    with tempfile.TemporaryDirectory(dir=folder) as written:
        port = _free_port()
        command = ["nfcapd", "-w", written, "-b", "127.0.0.1", "-p", str(port), "-t", "3600", "-B", str(64 << 20)]
        with _peer(command) as process:
            yield port, lambda: _settled(process) | {"flows": _nfdump_flows(process, written)}


def _nfdump_flows(process: subprocess.Popen[bytes], folder: str) -> int:
    process.terminate()
    process.wait()
    done = subprocess.run(["nfdump", "-R", folder, "-I"], capture_output=True, text=True, check=False)
    lines = dict(line.split(": ", 1) for line in done.stdout.splitlines() if ": " in line)
    return int(lines.get("Flows", "0"))


@contextmanager
def _nfacctd(folder: Path) -> Iterator[tuple[int, Any]]:
    with tempfile.TemporaryDirectory(dir=folder) as own:
        port = _free_port()
        networks, out, written = Path(own) / "networks", Path(own) / "out", Path(own) / "nfacctd.conf"
        networks.write_text("\n".join(f"10.{number >> 8}.{number & 255}.0/24" for number in range(AGENCIES)) + "\n")
        written.write_text(
            f"daemonize: false\nnfacctd_ip: 127.0.0.1\nnfacctd_port: {port}\nnfacctd_time_new: true\nplugins: print[a]\n"
            f"aggregate[a]: src_net, dst_net, proto\nnetworks_file: {networks}\nnfacctd_net: file\n"
            f"nfacctd_pipe_size: {64 << 20}\n"
            f"plugin_pipe_size: 104857600\nplugin_buffer_size: 1048576\nprint_refresh_time: 3600\nprint_output: csv\n"
            f"print_output_file: {out}\n"
        )
        with _peer(["nfacctd", "-f", str(written)]) as process:
            yield port, lambda: _settled(process) | {"flows": 0}


_PEERS = {"nfcapd": _nfcapd, "nfacctd": _nfacctd}


@contextmanager
def _peer(command: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(_on(_SUBJECT_CORE, command), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(1.0)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _settled(process: subprocess.Popen[bytes]) -> dict[str, float]:
    """CPU seconds and peak memory of a process and its children, once it has worked everything off."""
    time.sleep(_QUIET_SECONDS)
    pids = [process.pid, *_children(process.pid)]
    ticks = os.sysconf("SC_CLK_TCK")
    cpu = sum(sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13])) for pid in pids) / ticks
    return {"cpu": cpu, "rss": sum(_peak_mib(pid) for pid in pids)}


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _peak_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return float(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) / 1024


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


if __name__ == "__main__":
    sys.exit(main())
