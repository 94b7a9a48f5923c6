"""UDP sockets for virtual routers: one socket and one thread for all of them, each at its own loopback address.

A datagram's destination address (IP_PKTINFO, ip(7)) says which router is asked, and the answer leaves from that address, so that
thousands of routers need one file descriptor. Only 127.0.0.0/8 is served: the socket is bound to the loopback device where the
kernel lets us, and a datagram for any other address is dropped.
"""

from __future__ import annotations

import logging
import select
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable
from typing import Protocol

_LOG = logging.getLogger(__name__)
_IP_PKTINFO = 8  # linux/in.h; Python has no name for it before 3.14
_PKTINFO = struct.Struct("=I4s4s")  # struct in_pktinfo: ipi_ifindex, ipi_spec_dst, ipi_addr (ip(7))
_RECEIVE_OCTETS = 8 * 2**20
_LARGEST_DATAGRAM = 65535


class Responder(Protocol):
    """What sits behind an address."""

    def respond(self, datagram: bytes, now_ms: int) -> bytes | None: ...


class AgentServer:
    """Answers datagrams to `127.x.y.z:port` from a thread of its own.

    `find(address)` gives the responder of a dotted address, None where there is nobody: then there is silence. `now_ms()` is the
    routers' time. Binds at once, on a free port if `port` is 0; answers from `start` until `stop`.
    """

    def __init__(self, find: Callable[[str], Responder | None], now_ms: Callable[[], int], *, port: int = 0) -> None:
        self.find = find
        self.now_ms = now_ms
        self.dropped: Counter[str] = Counter()
        """Datagrams that reached no responder, and answers that could not be sent, by reason."""
        self._socket = _loopback_socket(port)
        self.port: int = self._socket.getsockname()[1]
        self._wake, self._woken = socket.socketpair()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._serve, name=f"agents:{self.port}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Idempotent; the port is free afterwards."""
        if self._socket.fileno() < 0:
            return
        self._wake.send(b"x")
        if self._thread is not None:
            self._thread.join()
        for one in (self._socket, self._wake, self._woken):
            one.close()

    def _serve(self) -> None:
        poller = select.poll()
        poller.register(self._socket, select.POLLIN)
        poller.register(self._woken, select.POLLIN)
        while all(descriptor != self._woken.fileno() for descriptor, _ in poller.poll()):
            self._drain()

    def _drain(self) -> None:
        """Answer what has arrived; a batch is bounded so that `stop` is heard under load."""
        for _ in range(256):
            try:
                datagram, ancillary, _, peer = self._socket.recvmsg(_LARGEST_DATAGRAM, socket.CMSG_SPACE(_PKTINFO.size))
            except BlockingIOError:
                return
            except OSError as error:  # an ICMP error of an earlier answer: nobody of ours
                _LOG.debug("receive failed: %s", error)
                continue
            self._answer(datagram, ancillary, peer)

    def _answer(self, datagram: bytes, ancillary: list[tuple[int, int, bytes]], peer: tuple[str, int]) -> None:
        asked = _PKTINFO.unpack(ancillary[0][2])[2]
        responder = self.find(socket.inet_ntoa(asked)) if asked[0] == 127 else None
        if responder is None:
            self.dropped["nobody_there"] += 1
            return
        answer = responder.respond(datagram, self.now_ms())
        if answer is None:
            return
        source = [(socket.IPPROTO_IP, _IP_PKTINFO, _PKTINFO.pack(0, asked, bytes(4)))]
        try:
            self._socket.sendmsg([answer], source, 0, peer)
        except OSError:
            self.dropped["not_sent"] += 1


def _loopback_socket(port: int) -> socket.socket:
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_OCTETS)
    opened.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
    except PermissionError:  # kernels before 5.7 want CAP_NET_RAW; the check of the destination stands alone then
        _LOG.debug("not bound to the loopback device")
    opened.bind(("", port))  # all of 127.0.0.0/8: what is not for it is dropped
    opened.setblocking(False)
    return opened
