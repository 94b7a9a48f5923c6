"""The sockets that requests go out and replies come in by, whole batches at a time (sendmmsg(2), recvmmsg(2)).

Owns the sockets of each address family and how many requests their receive buffers bear in flight. They are unconnected, so
one of them serves all devices of its family; what comes in is handed on with its source and the kernel's own arrival time
(SO_TIMESTAMPNS, socket(7)), and is believed by nobody here. Owns no retries and reads no SNMP.
"""

from __future__ import annotations

import select
import socket
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from collectors.snmp.batch import PADDING
from collectors.udp import SO_TIMESTAMPNS, ReceiveBuffer, Received, dropped, enlarge, granted, messages_to, send_messages

SKB_OCTETS = 2560
"""What one waiting reply costs of a receive buffer: the kernel counts its own structures too (skb->truesize)."""

_MOST_SOCKETS = 4


class Transport:
    """Sockets for the families asked for, with receive buffers for `window` replies as far as the kernel grants them.

    `slot_octets` is the longest datagram that is received whole, `slots` how many one `receive` returns at most.
    """

    def __init__(self, families: Sequence[int], *, window: int, slot_octets: int = 2112, slots: int = 512) -> None:
        self.sockets: dict[int, list[socket.socket]] = {}
        self.send_errors: Counter[str] = Counter()
        self._poll = select.poll()
        self.slots = slots
        self._buffer = ReceiveBuffer(slots=slots, slot_octets=slot_octets, padding=PADDING)
        room = []
        for family in families:
            self.sockets[family] = _opened(family, window)
            room.append(sum(_capacity(one) for one in self.sockets[family]))
            for one in self.sockets[family]:
                self._poll.register(one, select.POLLIN)
        self.window = min([window, *room])
        """Requests that may be in flight without losing a reply for want of buffer."""
        self._turn = 0
        self._drops = 0

    def send(
        self,
        family: int,
        vectors: tuple[NDArray[np.uint64], NDArray[np.uint64]],
        names: NDArray[np.uint64],
        name_length: int,
    ) -> None:
        """Send datagrams given by (addresses, lengths) in memory to socket addresses in memory.

        Those that the kernel refuses for good (no route ...) are counted in `send_errors`; a full send buffer is waited for.
        """
        self._turn += 1
        chosen = self.sockets[family][self._turn % len(self.sockets[family])]
        messages, vector = messages_to(vectors, names, name_length)
        self.send_errors += send_messages(chosen, messages)
        del vector  # the messages point into it

    def receive(self) -> Received:
        """All that has arrived, up to the buffer's slots; nothing waits."""
        for group in self.sockets.values():
            for one in group:
                self._buffer.receive(one.fileno())
        return self._buffer.take()

    def wait(self, seconds: float) -> None:
        """Return when something has arrived, after `seconds` at the latest."""
        self._poll.poll(max(seconds, 0.0) * 1000)

    def kernel_drops(self) -> int:
        """Replies that the kernel has dropped for want of buffer since the last call (SO_MEMINFO)."""
        total = sum(dropped(one) for group in self.sockets.values() for one in group)
        fresh, self._drops = total - self._drops, total
        return fresh

    def close(self) -> None:
        for group in self.sockets.values():
            for one in group:
                one.close()
        self.sockets.clear()


def _opened(family: int, window: int) -> list[socket.socket]:
    """As many sockets as it takes for their buffers to hold `window` replies, at most `_MOST_SOCKETS`."""
    opened: list[socket.socket] = []
    while len(opened) < _MOST_SOCKETS and sum(_capacity(one) for one in opened) < window:
        one = socket.socket(family, socket.SOCK_DGRAM)
        one.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        one.setblocking(False)
        enlarge(one, window * SKB_OCTETS)
        opened.append(one)
    return opened


def _capacity(one: socket.socket) -> int:
    """Replies that the socket's buffer holds."""
    return max(granted(one) // SKB_OCTETS, 1)
