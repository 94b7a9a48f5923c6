"""Datagrams from the network: sockets on every address that is listened on, read in large batches.

Owns when a batch is large enough (100 ms of datagrams or `_SLOTS` of them: a batch costs about 3 ms whatever is in it, which is
what 10,000 flows cost) and how full the kernel's buffer may get meanwhile; what the kernel dropped is counted. Decodes nothing.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Sequence

from bwmgr.errors import ConfigurationError, Mistake, system_reason
from bwmgr.model.said import Said
from collectors.netflow.dealing import deal_by_address
from collectors.udp import SO_TIMESTAMPNS, ReceiveBuffer, Received, dropped, enlarge, waiting_ratio

BUFFER_OCTETS = 32 << 20
"""Asked of the kernel for each socket. Debian grants an unprivileged process 208 KiB unless net.core.rmem_max says more."""
_SLOT_OCTETS = 9216  # jumbo frames; flow datagrams of common routers are below 1,500
_SLOTS = 2048
_LONGEST_SECONDS = 0.1
_SECONDS_A_MIB = 0.0025
"""How long a MiB of the kernel's buffer may be left alone: two million flows a second fill 160 MiB in one."""
_FULL = 0.25
"""A quarter of the kernel's buffer: from there on reading comes before batching."""


class Receiver:
    """Sockets on (host, port) addresses; so many processes as `sharers` says may share them."""

    def __init__(self, listen: Sequence[tuple[str, int]], *, buffer_octets: int = BUFFER_OCTETS, sharers: int = 1) -> None:
        """Raises: ConfigurationError that names the address that cannot be bound."""
        self._buffer = ReceiveBuffer(slots=_SLOTS, slot_octets=_SLOT_OCTETS)
        self.sockets: list[socket.socket] = []
        self.granted_octets = buffer_octets
        self._poll = select.poll()
        self._dropped = 0
        try:
            for host, port in listen:
                self._open(host, port, buffer_octets, sharers)
        except ConfigurationError:
            self.close()
            raise

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Where it listens, ports of 0 replaced by the ones bound."""
        return [one.getsockname()[:2] for one in self.sockets]

    def receive(self, patience_seconds: float = 0.5) -> Received:
        """A batch: what arrived within `patience_seconds`, gathered a little longer once something has."""
        ready = self._poll.poll(patience_seconds * 1000)
        begun = time.monotonic()
        while ready:
            for one in self.sockets:
                self._buffer.receive(one.fileno())
            left = begun + _LONGEST_SECONDS - time.monotonic()
            if self._buffer.filled >= _SLOTS or left <= 0:
                break
            time.sleep(min(left, self._step()))
        return self._buffer.take()

    def newly_dropped(self) -> int:
        """Datagrams that the kernel dropped since the last call."""
        total = sum(dropped(one) for one in self.sockets)
        fresh, self._dropped = total - self._dropped, total
        return fresh

    def close(self) -> None:
        for one in self.sockets:
            one.close()
        self.sockets.clear()

    def _step(self) -> float:
        """How long to let more arrive: shorter where the kernel's buffer is small, not at all where it is filling."""
        fullest = max((waiting_ratio(one) for one in self.sockets), default=0.0)
        if fullest > _FULL:
            return 0.0
        return _SECONDS_A_MIB * self.granted_octets / (1 << 20)

    def _open(self, host: str, port: int, buffer_octets: int, sharers: int) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        one = socket.socket(family, socket.SOCK_DGRAM)
        self.sockets.append(one)
        one.setblocking(False)
        one.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        if sharers > 1:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        self.granted_octets = min(self.granted_octets, enlarge(one, buffer_octets))
        try:
            one.bind((host, port))
        except OSError as error:
            problem = Said(
                "cannot listen on {host} port {port}: {why}; choose another, or stop what listens there",
                host=host,
                port=str(port),
                why=system_reason(error),
            )
            raise ConfigurationError([Mistake(file="", line=0, key="netflow.listen", problem=problem)]) from error
        if sharers > 1:
            deal_by_address(one, sharers)
        self._poll.register(one, select.POLLIN)
