"""Two network namespaces with a cable between them, for exporters that must see real packets. Needs root and iproute2.

Owns what it makes: namespaces of this process's own names, deleted at the end, and the processes started in them.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

INSIDE, OUTSIDE = "10.77.0.2", "10.77.0.1"
"""The subscriber's host, and the server beyond the router."""
NETWORK = "10.77.0.2/32"
DISCARD = 9
_CLONE_NEWNET = 0x40000000
_LIBC = ctypes.CDLL(None, use_errno=True)


def lacking(*programs: str) -> str:
    """Why such tests cannot run here; empty: they can."""
    if os.geteuid() != 0:
        return "needs root for network namespaces"
    missing = [program for program in ("ip", *programs) if shutil.which(program) is None]
    if missing:
        return f"not installed: {', '.join(missing)}"
    probe = f"bwmgr-{os.getpid()}-probe"
    made = subprocess.run(["ip", "netns", "add", probe], capture_output=True, text=True, check=False)
    if made.returncode:
        return f"no network namespaces here: {made.stderr.strip()}"
    subprocess.run(["ip", "netns", "delete", probe], check=True)
    return ""


class Cable:
    """A router's namespace and a subscriber's; `interface` is the router's port that faces him."""

    interface = "bwport"

    def __init__(self) -> None:
        self.router, self.subscriber = (f"bwmgr-{os.getpid()}-{side}" for side in ("router", "subscriber"))

    def run(self, *command: str) -> str:
        """A command in the router's namespace, to its end; what it printed."""
        done = subprocess.run(
            ["ip", "netns", "exec", self.router, *command], capture_output=True, text=True, check=True, timeout=30
        )
        return done.stdout

    @contextmanager
    def running(
        self, command: Sequence[str], end: signal.Signals = signal.SIGTERM, **how: Any
    ) -> Iterator[subprocess.Popen[bytes]]:
        """A command in the router's namespace; told to end by a signal, and waited for."""
        process = subprocess.Popen(
            ["ip", "netns", "exec", self.router, *command], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, **how
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(end)
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def counters(self) -> dict[str, int]:
        """Octets and packets of the router's port, as its interface counters have them: in is the subscriber's upload."""
        (link,) = json.loads(self.run("ip", "-j", "-s", "link", "show", self.interface))
        both = link["stats64"]
        return {
            "in_octets": both["rx"]["bytes"],
            "out_octets": both["tx"]["bytes"],
            "in_packets": both["rx"]["packets"],
            "out_packets": both["tx"]["packets"],
        }


@contextmanager
def cable() -> Iterator[Cable]:
    """Makes it, and takes it away again."""
    made = Cable()
    try:
        for namespace in (made.router, made.subscriber):
            _ip("netns", "add", namespace)
            _ip("-n", namespace, "link", "set", "lo", "up")
        _ip("-n", made.router, "link", "add", made.interface, "type", "veth", "peer", "name", "bwport", "netns", made.subscriber)
        for namespace, address in ((made.router, OUTSIDE), (made.subscriber, INSIDE)):
            # no IPv6, whose own traffic would be in the counters; packets cut by the sender, as on a real wire
            within(namespace, _no_ipv6)
            _ip("-n", namespace, "address", "add", f"{address}/24", "dev", "bwport")
            subprocess.run(["ip", "netns", "exec", namespace, "ip", "link", "set", "bwport", "gso_max_size", "1500"], check=False)
            _ip("-n", namespace, "link", "set", "bwport", "up")
        yield made
    finally:
        for namespace in (made.router, made.subscriber):
            subprocess.run(["ip", "netns", "delete", namespace], check=False, capture_output=True)


def within(namespace: str, action: Callable[[], T]) -> T:
    """Calls `action` in a namespace; sockets that it opens stay there."""
    result: list[T] = []
    failure: list[BaseException] = []

    def enter() -> None:  # in a thread of its own, which ends in the other namespace
        try:
            with Path(f"/run/netns/{namespace}").open("rb") as handle:
                if _LIBC.setns(handle.fileno(), _CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), "setns")
            result.append(action())
        except BaseException as error:  # noqa: BLE001  # handed to the caller
            failure.append(error)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return result[0]


def _no_ipv6() -> None:
    for which in ("all", "default"):
        path = Path(f"/proc/thread-self/net/../../sys/net/ipv6/conf/{which}/disable_ipv6")
        path = path if path.exists() else Path(f"/proc/sys/net/ipv6/conf/{which}/disable_ipv6")
        if path.exists():
            path.write_text("1")


def talk(made: Cable, *, down_octets: int, up_octets: int, datagrams: int) -> None:
    """One TCP connection of the subscriber's that downloads and uploads so much, and UDP datagrams of 700 octets each way."""
    listener = within(made.router, lambda: socket.create_server((OUTSIDE, 443)))
    server_udp = within(made.router, lambda: _udp(OUTSIDE, 8801))
    client = within(made.subscriber, lambda: socket.create_connection((OUTSIDE, 443), source_address=(INSIDE, 41000)))
    client_udp = within(made.subscriber, lambda: _udp(INSIDE, 42000))
    with listener, client, server_udp, client_udp:
        server, _ = listener.accept()
        with server:
            for sender, receiver, octets in ((server, client, down_octets), (client, server, up_octets)):
                pump = threading.Thread(target=sender.sendall, args=(bytes(octets),))
                pump.start()
                left = octets
                while left:
                    left -= len(receiver.recv(1 << 16))
                pump.join()
        for _ in range(datagrams):
            server_udp.sendto(bytes(700), (INSIDE, 42000))
            client_udp.recv(2048)
            client_udp.sendto(bytes(700), (OUTSIDE, 8801))
            server_udp.recv(2048)


def push(address: str) -> None:
    """Packets to the discard port (RFC 863), which nobody compares: they push what a capture still holds back out of it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        for _ in range(600):
            one.sendto(bytes(1400), (address, DISCARD))


def _udp(address: str, port: int) -> socket.socket:
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.bind((address, port))
    one.settimeout(10)
    return one


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


class Recorder:
    """Hears flow datagrams in a namespace and passes each on to other ports there, so that several collectors see the same."""

    def __init__(self, namespace: str, forward: Sequence[int]) -> None:
        self.datagrams: list[bytes] = []
        self._forward = forward
        self._heard = threading.Condition()
        self._socket = within(namespace, lambda: _udp("127.0.0.1", 0))
        self._socket.settimeout(None)
        self._out = within(namespace, lambda: _udp("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._out.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join()
        self._socket.close()
        self._out.close()

    def wait(self, happened: Callable[[Sequence[bytes]], bool], seconds: float = 20.0) -> None:
        """Until what was heard satisfies `happened`; an AssertionError if it does not in time."""
        with self._heard:
            assert self._heard.wait_for(lambda: happened(self.datagrams), seconds), f"{len(self.datagrams)} datagrams only"

    def _listen(self) -> None:
        while datagram := self._socket.recv(65535):
            for port in self._forward:
                self._out.sendto(datagram, ("127.0.0.1", port))
            with self._heard:
                self.datagrams.append(datagram)
                self._heard.notify_all()
