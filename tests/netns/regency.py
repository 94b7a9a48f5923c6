"""A regency of namespaces: a provider, a core that shapes, six OPDs behind it; TCP by iperf3, counters by the kernel.

Owns what it makes. The provider sends no more than `CONTRACT_BPS` to the core, so that a hog can starve others.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

CONTRACT_BPS = 20_000_000
OPDS = ("boros", "lapar", "diam", "camat", "dinkes", "dukcapil")
_PORT = 5200


class Regency:
    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self.core, self.provider = self._namespace("inti"), self._namespace("isp")
        self.opds = {name: self._namespace(name) for name in OPDS}
        self._cable(self.provider, self.core, "uplink", "10.78.0")
        _ip("-n", self.core, "route", "add", "default", "via", "10.78.0.1")
        _ip("-n", self.provider, "route", "add", "10.79.0.0/16", "via", "10.78.0.2")
        for number, (name, namespace) in enumerate(self.opds.items()):
            self._cable(self.core, namespace, f"v-{name}", f"10.79.{number}")
            _ip("-n", namespace, "route", "add", "default", "via", f"10.79.{number}.1")
        self.run(self.core, "sysctl", "-qw", "net.ipv4.ip_forward=1")
        rate = f"{CONTRACT_BPS}bit"
        self.run(self.provider, "tc", "qdisc", "add", "dev", "uplink", "root", "handle", "1:", "htb", "default", "10")
        self.run(self.provider, "tc", "class", "add", "dev", "uplink", "parent", "1:", "classid", "1:10", "htb", "rate", rate,
                 "quantum", "30000")  # fmt: skip
        # a router's queue, not the kernel's 1,000 packets: shares settle within seconds of a change
        self.run(self.provider, "tc", "qdisc", "add", "dev", "uplink", "parent", "1:10", "pfifo", "limit", "100")

    def run(self, namespace: str, *command: str) -> str:
        done = subprocess.run(
            ["ip", "netns", "exec", namespace, *command], capture_output=True, text=True, check=True, timeout=60
        )
        return done.stdout

    def start(self, namespace: str, *command: str, log: Path | None = None) -> subprocess.Popen[bytes]:
        """A command that runs until the regency ends; what it says is added to `log`."""
        with (log or Path(os.devnull)).open("ab") as said:
            process = subprocess.Popen(["ip", "netns", "exec", namespace, *command], stdout=said, stderr=said)
        self._stack.callback(_end, process)
        return process

    def download(self, opd: str, flows: int, seconds: int) -> None:
        """TCP from the provider to an OPD, by iperf3."""
        port = str(_PORT + OPDS.index(opd))
        self.start(self.provider, "iperf3", "-s", "-1", "-p", port)
        for _ in range(100):
            if f":{port} " in self.run(self.provider, "ss", "-Htln"):
                break
            time.sleep(0.05)  # it gives no other sign of listening
        self.start(self.opds[opd], "iperf3", "-R", "-c", "10.78.0.1", "-p", port, "-P", str(flows), "-t", str(seconds))

    def rate_bps(self, opd: str, seconds: float) -> float:
        """What the OPD's own interface received over so long."""
        first, began = self._octets(opd), time.monotonic()
        time.sleep(seconds)
        return (self._octets(opd) - first) * 8 / (time.monotonic() - began)

    def _octets(self, opd: str) -> int:
        (link,) = json.loads(self.run(self.opds[opd], "ip", "-j", "-s", "link", "show", f"v-{opd}"))
        return int(link["stats64"]["rx"]["bytes"])

    def _namespace(self, name: str) -> str:
        namespace = f"bwmgr-{os.getpid()}-{name}"
        _ip("netns", "add", namespace)
        self._stack.callback(subprocess.run, ["ip", "netns", "delete", namespace], check=False, capture_output=True)
        _ip("-n", namespace, "link", "set", "lo", "up")
        return namespace

    def _cable(self, one: str, two: str, interface: str, network: str) -> None:
        _ip("-n", one, "link", "add", interface, "type", "veth", "peer", "name", interface, "netns", two)
        for namespace, host in ((one, 1), (two, 2)):
            _ip("-n", namespace, "address", "add", f"{network}.{host}/24", "dev", interface)
            _ip("-n", namespace, "link", "set", interface, "gso_max_size", "1500", "up")


@contextmanager
def regency() -> Iterator[Regency]:
    with ExitStack() as stack:
        yield Regency(stack)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)
