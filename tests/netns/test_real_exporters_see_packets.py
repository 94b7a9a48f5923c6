"""Real exporters on a real wire: what bwmgr makes of their datagrams, what nfdump does, what the interface counted."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from namespaces import DISCARD, INSIDE, NETWORK, OUTSIDE, Cable, Recorder, cable, lacking, push, talk, within

from bwmgr.daemon.flow_plan import FlowPlan
from bwmgr.daemon.flow_work import FlowWork
from bwmgr.model.inventory import Inventory, Link, LinkKind, Organisation
from collectors.netflow.captures import Datagram
from collectors.netflow.plain import decode_all
from collectors.netflow.settings import FlowSettings

pytestmark = [pytest.mark.system, pytest.mark.clock, pytest.mark.slow]

DOWN, UP, DATAGRAMS = 3_000_000, 250_000, 150
Key = tuple[str, int, str, int, int]
Export = Callable[[Cable, int, Path], AbstractContextManager[None]]
"""Exports the router's port to a UDP port of its namespace while it is open; everything is sent when it closes."""
ETHERNET_OCTETS = 14


@contextmanager
def softflowd(version: str, made: Cable, port: int, folder: Path) -> Iterator[None]:
    """Told to shut down, it expires and sends all flows."""
    control = folder / "softflowd.ctl"
    command = ["softflowd", "-d", "-i", made.interface, "-n", f"127.0.0.1:{port}", "-v", version, "-B", "33554432",
               "-p", str(folder / "softflowd.pid"), "-c", str(control)]  # fmt: skip
    with made.running(command):
        _until(control.exists)
        yield
        time.sleep(_PCAP_SECONDS)
        made.run("softflowctl", "-c", str(control), "expire-all")
        made.run("softflowctl", "-c", str(control), "shutdown")


@contextmanager
def pmacctd(version: str, made: Cable, port: int, folder: Path) -> Iterator[None]:
    """pmacct's exporter; SIGINT makes it send what it holds."""
    settings = folder / "pmacctd.conf"
    settings.write_text(
        f"daemonize: false\npcap_interface: {made.interface}\nplugins: nfprobe\n"
        "aggregate: src_host,dst_host,src_port,dst_port,proto\n"
        f"nfprobe_receiver: 127.0.0.1:{port}\nnfprobe_version: {version}\npidfile: {folder / 'pmacctd.pid'}\n"
        "nfprobe_timeouts: tcp=1:udp=1:general=1:maxlife=2:expint=1\n"
    )
    with made.running(["pmacctd", "-f", str(settings)], signal.SIGINT):
        _until(lambda: _listens(made))
        yield
        time.sleep(_PMACCT_SECONDS)  # it looks for idle flows once a second and gives no sign of having sent all


_PMACCT_SECONDS = 4.0
_PCAP_SECONDS = 1.5
"""None of them tells how far it has read what the kernel captured."""


@contextmanager
def nfpcapd(version: str, made: Cable, port: int, folder: Path) -> Iterator[None]:
    """nfdump's tools: packets into its files, its files replayed as NetFlow."""
    store = folder / "packets"
    store.mkdir()
    with made.running(["nfpcapd", "-i", made.interface, "-w", str(store), "-t", "300"], signal.SIGINT):
        _until(lambda: _listens(made))
        time.sleep(_PCAP_SECONDS)  # its threads start after it listens
        yield
        time.sleep(_PCAP_SECONDS)
    for file in sorted(store.glob("nfcapd.*")):
        made.run("nfreplay", "-r", str(file), "-H", "127.0.0.1", "-p", str(port), "-v", version)


EXPORTERS = {
    "softflowd v1": (softflowd, "1"),
    "softflowd v5": (softflowd, "5"),
    "softflowd v9": (softflowd, "9"),
    "softflowd ipfix": (softflowd, "10"),
    "pmacctd v9": (pmacctd, "9"),
    "pmacctd ipfix": (pmacctd, "10"),
    "nfpcapd and nfreplay v9": (nfpcapd, "9"),
}
_REASON = lacking("softflowd", "pmacctd", "nfpcapd", "nfreplay", "nfcapd", "nfdump")


@pytest.mark.skipif(bool(_REASON), reason=_REASON)
@pytest.mark.parametrize("name", EXPORTERS)
def test_flows_agree_with_nfdump_and_with_the_interface(name: str, tmp_path: Path) -> None:
    """Every conversation has the octets and packets that nfcapd decodes, their sum is what the port counted less Ethernet's
    headers, and the minutes of the link hold the same.
    """
    export, version = EXPORTERS[name]
    with cable() as made:
        port = within(made.router, _free_port)
        work = within(made.router, lambda: FlowWork(_plan()))
        recorder = Recorder(made.router, (port, work.addresses[0][1]))
        captured = tmp_path / "captured"
        captured.mkdir()
        with made.running(["nfcapd", "-p", str(port), "-l", str(captured), "-t", "300", "-b", "127.0.0.1"]):
            _until(lambda: f":{port} " in made.run("ss", "-lun"))
            before = made.counters()
            with export(version, made, recorder.port, tmp_path):
                talk(made, down_octets=DOWN, up_octets=UP, datagrams=DATAGRAMS)
                counted = {column: octets - before[column] for column, octets in made.counters().items()}
                within(made.router, lambda: push(INSIDE))
            recorder.wait(lambda heard: _octets(heard) >= DOWN + UP)
            while work.step(0.5):
                pass
        recorder.close()
        rows = work.minutes(time.time() + 120).rows
        work.close()
    ours = _decoded(recorder.datagrams)
    assert ours == _by_nfdump(captured)
    on_wire = {"down": counted["out_octets"] - ETHERNET_OCTETS * counted["out_packets"],
               "up": counted["in_octets"] - ETHERNET_OCTETS * counted["in_packets"]}  # fmt: skip
    for direction, end in (("down", OUTSIDE), ("up", INSIDE)):
        octets = sum(figures[0] for key, figures in ours.items() if key[0] == end and key[3] != DISCARD)
        assert octets == pytest.approx(on_wire[direction], rel=0.005)
        minutes = sum(
            int(row["octets"]) for row in rows.rows if rows.series[row["series"]].startswith(f"subscriber|{direction}|")
        )
        assert minutes >= octets


def _plan() -> FlowPlan:
    from ipaddress import ip_network

    link = Link(id="subscriber", name="Subscriber", kind=LinkKind.OPD, networks=(ip_network(NETWORK),))
    return FlowPlan(
        settings=FlowSettings(listen=(("127.0.0.1", 0),)),
        inventory=Inventory(organisation=Organisation(name="Uji"), links={link.id: link}),
    )


def _decoded(datagrams: Sequence[bytes]) -> dict[Key, tuple[int, int]]:
    """Octets and packets by conversation, of TCP and UDP."""
    records, _ = decode_all(Datagram(datagram, "127.0.0.1", round(time.time() * 1000)) for datagram in datagrams)
    octets: Counter[Key] = Counter()
    packets: Counter[Key] = Counter()
    for record in records:
        if record["kind"] == "flow" and record.get("protocolIdentifier") in (6, 17):
            key = (record["sourceIPv4Address"], record["sourceTransportPort"], record["destinationIPv4Address"],
                   record["destinationTransportPort"], record["protocolIdentifier"])  # fmt: skip
            octets[key] += record.get("octetDeltaCount", record.get("octetTotalCount", 0))
            packets[key] += record.get("packetDeltaCount", record.get("packetTotalCount", 0))
    return {key: (octets[key], packets[key]) for key in octets}


def _octets(datagrams: Sequence[bytes]) -> int:
    return sum(octets for octets, _ in _decoded(datagrams).values())


def _by_nfdump(folder: Path) -> dict[Key, tuple[int, int]]:
    form = "fmt:%sa,%sp,%da,%dp,%pr,%byt,%pkt"
    command = ["nfdump", "-N", "-q", "-R", str(folder), "-o", form, "proto tcp or proto udp"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    octets: Counter[Key] = Counter()
    packets: Counter[Key] = Counter()
    for line in done.stdout.splitlines():
        source, source_port, destination, destination_port, protocol, count, frames = (word.strip() for word in line.split(","))
        number = {"TCP": 6, "UDP": 17}.get(protocol) or int(protocol)
        key = (source, int(source_port), destination, int(float(destination_port)), number)
        octets[key] += int(count)
        packets[key] += int(frames)
    return {key: (octets[key], packets[key]) for key in octets}


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def _listens(made: Cable) -> bool:
    """Whether somebody reads packets of the port (packet(7))."""
    return len(made.run("cat", "/proc/net/packet").splitlines()) > 1


def _until(happened: Callable[[], bool], seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "nothing happened in time"
        time.sleep(0.05)
