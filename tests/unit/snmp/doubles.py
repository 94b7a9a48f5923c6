"""Devices for the collector's tests: virtual routers on loopback, and agents that misbehave in one chosen way."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Literal

from bwmgr.model.inventory import Credential, Device, Faces, Interface
from bwmgr.model.secret import Secret
from bwmgr.testing.clock import FastClock
from bwmgr.testing.mib import Port, PortState, System
from bwmgr.testing.router import VirtualRouter
from bwmgr.testing.server import AgentServer
from collectors.snmp.collector import SnmpCollector
from collectors.snmp.plan import Target
from collectors.snmp.settings import SnmpSettings

FAST = SnmpSettings(timeout_seconds=0.2, retries=1)
STATE = PortState(in_octets=2**40 + 1, out_octets=2**41 + 2, in_packets=3, out_packets=4, in_errors=5, out_discards=6)


def port(index: int, name: str, *, octets: int = 0, alias: str = "", speed_bps: int = 10**9, counter64: bool = True) -> Port:
    state = PortState(in_octets=octets, out_octets=octets + 1) if octets else STATE
    return Port(if_index=index, if_name=name, read=lambda _: state, if_alias=alias, speed_bps=speed_bps, counter64=counter64)


def router(*ports: Port, community: str = "public", max_message_octets: int = 1472) -> VirtualRouter:
    return VirtualRouter(System(name="double"), ports, communities=(community,), max_message_octets=max_message_octets)


def target(
    port: int,
    names: Sequence[str] = ("ether1",),
    *,
    device: str = "router",
    address: str = "127.0.0.1",
    version: Literal["1", "2c"] = "2c",
    community: str = "public",
    aliases: Sequence[str] = (),
    unconnected: bool = False,
) -> Target:
    interfaces = [Interface(device=device, if_name=name, faces=Faces.SUBSCRIBER) for name in names]
    interfaces += [Interface(device=device, if_alias=alias, faces=Faces.SUBSCRIBER) for alias in aliases]
    return Target(
        device=Device(id=device, address=address, port=port, unconnected=unconnected),
        credential=Credential(id="test", version=version, community=Secret(community)),
        interfaces=tuple(interfaces),
    )


@contextmanager
def serving(routers: dict[str, VirtualRouter]) -> Iterator[int]:
    """Routers by address; gives their port."""
    server = AgentServer(routers.get, lambda: time.time_ns() // 1_000_000)
    server.start()
    try:
        yield server.port
    finally:
        server.stop()


@contextmanager
def collecting(targets: Sequence[Target], settings: SnmpSettings = FAST) -> Iterator[SnmpCollector]:
    collector = SnmpCollector(settings, targets, FastClock(datetime.now(UTC)))
    try:
        yield collector
    finally:
        collector.close()


Tamper = Callable[[bytes, int], Sequence[tuple[bytes, int]]]
"""(honest answer, number of the request) -> what is sent instead: (datagram, which of the agent's sockets sends it)."""


class Liar:
    """An agent of one router that passes every answer through `tamper`; its second socket is another source. Close it."""

    def __init__(self, honest: VirtualRouter, tamper: Tamper, family: socket.AddressFamily = socket.AF_INET) -> None:
        self.honest, self.tamper = honest, tamper
        self.requests: list[bytes] = []
        host = "127.0.0.1" if family == socket.AF_INET else "::1"
        self._sockets = [socket.socket(family, socket.SOCK_DGRAM) for _ in range(2)]
        for one in self._sockets:
            one.bind((host, 0))
        self.port: int = self._sockets[0].getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def __enter__(self) -> Liar:
        return self

    def __exit__(self, *_: object) -> None:
        host = self._sockets[0].getsockname()
        self._sockets[1].sendto(b"", host)
        self._thread.join()
        for one in self._sockets:
            one.close()

    def _serve(self) -> None:
        while True:
            datagram, peer = self._sockets[0].recvfrom(65535)
            if not datagram:
                return
            self.requests.append(datagram)
            answer = self.honest.respond(datagram, time.time_ns() // 1_000_000)
            for octets, which in self.tamper(answer or b"", len(self.requests)):
                self._sockets[which].sendto(octets, peer)
