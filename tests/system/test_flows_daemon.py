"""Flows in the running daemon: real datagrams in, minutes and a view out, whatever else arrives at the socket."""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bwmgr.testing.site import Site

pytestmark = [pytest.mark.system, pytest.mark.clock]

ROUTER, STRANGER = "127.71.0.1", "127.99.0.1"
IF_INDEX = 7
"""Of the port of each router of the site."""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path, links=2)
    made.write(more=f'netflow: {{listen: ["127.0.0.1:{_free_port()}"]}}\n')
    assert made.run("poll", "--once").returncode in {0, 3}  # the ifIndexes are known from then on
    yield made
    made.close()


def test_datagrams_become_minutes_and_the_end_writes_all(site: Site) -> None:
    """Links without networks get their flows by the ifIndex that SNMP has found; strangers and nonsense are counted; a sequence
    gap is lost flows; SIGTERM writes everything within 20 s; `top` tells it afterwards.

    Faults 35 and 24 in the daemon.
    """
    with site.daemon() as daemon:
        (receiving,) = daemon.wait_for_log("receiving flows")
        host, _, port = receiving["addresses"][0].partition(" port ")
        with _sender(ROUTER) as router, _sender(STRANGER) as stranger:
            for number in range(20):
                router.sendto(_v5(sequence=2 * number + (5 if number >= 10 else 0)), (host, int(port)))
                router.sendto(os.urandom(40), (host, int(port)))
                stranger.sendto(_v5(sequence=0), (host, int(port)))
        began = time.monotonic()
        daemon.signal(signal.SIGTERM)
        assert daemon.wait() == 0
        assert time.monotonic() - began < 20
    view = json.loads((site.folder / "var" / "flows.json").read_text())
    (exporter,) = view["exporters"]
    assert (exporter["device"], exporter["flows"], exporter["lost"]) == ("router-0", 40, 5)
    assert view["figures"]["refused"] == 20
    assert sum(view["problems"].values()) == 20
    rows = site.json("top", "link-0")["rows"]
    down = {row["application"]: row["octets"] for row in rows if row["direction"] == "down"}
    assert down == {"https": 20 * 2 * 1000}
    assert site.json("top", "link-0", "--by", "host")["rows"][0]["host"] == "10.9.8.7"


def test_an_address_in_use_stops_the_start_with_its_name(site: Site) -> None:
    """Exit 2 and `netflow.listen`; nothing was started."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        site.write(more=f'netflow: {{listen: ["127.0.0.1:{taken.getsockname()[1]}"]}}\n')
        refused = site.run("daemon")
    assert refused.returncode == 2
    assert "netflow.listen" in refused.stderr


def test_a_reload_keeps_what_the_minute_had(site: Site) -> None:
    """SIGHUP with another configuration: flows before and after it add up, though another collector listens."""
    with site.daemon() as daemon:
        daemon.wait_for_log("receiving flows")
        port = _listening(site)
        with _sender(ROUTER) as router:
            router.sendto(_v5(sequence=0), ("127.0.0.1", port))
            site.write(more=f'netflow: {{listen: ["127.0.0.1:{port}"], sampling: {{127.71.0.2: 10}}}}\n')
            time.sleep(1)  # the datagram is taken in before the collector is exchanged
            daemon.signal(signal.SIGHUP)
            daemon.wait_for_log("configuration reloaded")
            router.sendto(_v5(sequence=2), ("127.0.0.1", port))
            time.sleep(1)
        daemon.signal(signal.SIGTERM)
        assert daemon.wait() == 0
    rows = site.json("top", "link-0")["rows"]
    assert sum(row["octets"] for row in rows if row["direction"] == "down") == 4000


def test_several_processes_share_what_arrives_and_nothing_counts_twice(site: Site) -> None:
    """The kernel deals exporters out by address and port; rows, view and losses are those of one collector."""
    port = _listening(site)
    site.write(more=f'netflow: {{listen: ["127.0.0.1:{port}"], processes: 2}}\n')
    with site.daemon() as daemon:
        daemon.wait_for_log("receiving flows")
        for router in (ROUTER, "127.71.0.2"):
            for engine in range(4):  # line cards, each from a port of its own
                with _sender(router) as card:
                    for number in range(10):
                        card.sendto(_v5(sequence=2 * number, engine=engine), ("127.0.0.1", port))
        daemon.signal(signal.SIGTERM)
        assert daemon.wait() == 0
    for link in ("link-0", "link-1"):
        rows = site.json("top", link)["rows"]
        assert sum(row["octets"] for row in rows if row["direction"] == "down") == 4 * 10 * 2000
    exporters = json.loads((site.folder / "var" / "flows.json").read_text())["exporters"]
    assert sorted((one["device"], one["flows"], one["lost"]) for one in exporters) == [("router-0", 80, 0), ("router-1", 80, 0)]


def test_a_process_that_dies_is_replaced_and_a_reload_makes_one_of_two(site: Site) -> None:
    listen = f'listen: ["127.0.0.1:{_listening(site)}"]'
    port = _listening(site)
    site.write(more=f"netflow: {{{listen}, processes: 2}}\n")
    with site.daemon() as daemon:
        daemon.wait_for_log("receiving flows")
        os.kill(_flow_process(daemon.process.pid), signal.SIGKILL)
        daemon.wait_for_log("flow process ended")
        site.write(more=f"netflow: {{{listen}}}\n")
        daemon.signal(signal.SIGHUP)
        daemon.wait_for_log("configuration reloaded")
        with _sender(ROUTER) as router:
            for number in range(10):
                router.sendto(_v5(sequence=2 * number), ("127.0.0.1", port))
        daemon.signal(signal.SIGTERM)
        assert daemon.wait() == 0
    rows = site.json("top", "link-0")["rows"]
    assert sum(row["octets"] for row in rows if row["direction"] == "down") == 10 * 2000


@pytest.mark.slow
def test_a_flood_of_nonsense_leaves_the_good_ones_and_memory_flat(site: Site) -> None:
    """Malformed datagrams of every kind as fast as one core makes them: good ones beside them are all decoded, and the flow
    process grows by less than 30 MiB. BWMGR_FLOOD_SECONDS lengthens it (with `-o timeout=` above it).
    """
    seconds = float(os.environ.get("BWMGR_FLOOD_SECONDS", "20"))
    with site.daemon() as daemon:
        daemon.wait_for_log("receiving flows")
        port, child = _listening(site), _flow_process(daemon.process.pid)
        sent = 0
        memory = []
        with _sender(ROUTER) as router, _sender("127.71.0.2") as bad:
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                router.sendto(_v5(sequence=2 * sent), ("127.0.0.1", port))
                sent += 1
                for _ in range(20):
                    bad.sendto(_nonsense(), ("127.0.0.1", port))
                if sent % 50 == 0:
                    memory.append(_resident_octets(child))
                time.sleep(0.002)
        daemon.signal(signal.SIGTERM)
        assert daemon.wait() == 0
    view = json.loads((site.folder / "var" / "flows.json").read_text())
    assert view["figures"]["dropped"] == 0
    flows = {one["device"]: one["flows"] for one in view["exporters"]}
    assert flows["router-0"] == 2 * sent
    settled = memory[len(memory) // 4]
    assert max(memory[len(memory) // 4 :]) - settled < 30 << 20


def _nonsense() -> bytes:
    """Headers that promise what does not follow, templates of absurd sizes, sets that end nowhere, and noise."""
    noise = os.urandom(64)
    kind = noise[0] % 5
    if kind == 0:
        return struct.pack(">HH", 5, 30) + noise
    if kind == 1:
        return struct.pack(">HHIIII", 9, 3, 1, 1, 1, noise[1]) + struct.pack(">HHHH", 0, 60, 256 + noise[2], 65535) + noise[:52]
    if kind == 2:
        return struct.pack(">HHIII", 10, 80, 1, 1, noise[1]) + struct.pack(">HH", 256 + noise[2], 64) + noise[:60]
    if kind == 3:
        return struct.pack(">IIIIIII", 5, 1, 0, 0, 1, 1, 1000) + noise
    return noise


def _v5(*, sequence: int, engine: int = 0) -> bytes:
    """Two downloads of 1,000 octets that leave by the port, just ended."""
    now = time.time()
    header = struct.pack(">HHIIIIBBH", 5, 2, 100_000, int(now), int(now % 1 * 1e9), sequence, 0, engine, 0)
    record = struct.pack(
        ">4s4s4sHHIIIIHHBBBBHHBBH", b"\x08\x08\x08\x08", b"\x0a\x09\x08\x07", bytes(4), 3, IF_INDEX, 2, 1000, 99_000, 99_900,
        443, 40_000, 0, 0x18, 6, 0, 0, 0, 24, 24, 0,
    )  # fmt: skip
    return header + 2 * record


def _sender(address: str) -> socket.socket:
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.bind((address, 0))
    return one


def _free_port() -> int:
    with _sender("127.0.0.1") as one:
        port: int = one.getsockname()[1]
        return port


def _listening(site: Site) -> int:
    return int(site.path.read_text().rpartition('listen: ["127.0.0.1:')[2].partition('"')[0])


def _flow_process(daemon: int) -> int:
    """The daemon's child that uses most memory: the others are helpers of multiprocessing."""
    children = Path(f"/proc/{daemon}/task/{daemon}/children").read_text().split()
    for task in Path(f"/proc/{daemon}/task").iterdir():
        children += (task / "children").read_text().split()
    return max(map(int, set(children)), key=_resident_octets)


def _resident_octets(process: int) -> int:
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
