"""UDP in batches: one system call sends or receives hundreds of datagrams (sendmmsg(2), recvmmsg(2), through ctypes).

Owns the sockets, the receive buffer and the layouts of the kernel's structures (64-bit Linux). The sockets are unconnected,
so one of them serves all devices of its family; what comes in is handed on with its source and the kernel's own arrival time
(SO_TIMESTAMPNS, socket(7)), and is believed by nobody here. Owns no retries and reads no SNMP.
"""

from __future__ import annotations

import ctypes
import os
import select
import socket
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from collectors.snmp.batch import PADDING

SOURCE_OCTETS = 32
"""Room for one socket address: sockaddr_in6 is 28 octets, zeros behind."""

SKB_OCTETS = 2560
"""What one waiting reply costs of a receive buffer: the kernel counts its own structures too (skb->truesize)."""

_MESSAGE = np.dtype(
    [
        ("name", "u8"),
        ("name_length", "u4"),
        ("_1", "u4"),
        ("vector", "u8"),
        ("vector_length", "u8"),
        ("control", "u8"),
        ("control_length", "u8"),
        ("flags", "i4"),
        ("_2", "u4"),
        ("length", "u4"),
        ("_3", "u4"),
    ]
)
"""struct mmsghdr of 64-bit Linux."""
_VECTOR = np.dtype([("base", "u8"), ("length", "u8")])
_STAMP = np.dtype([("length", "u8"), ("level", "i4"), ("type", "i4"), ("seconds", "i8"), ("nanoseconds", "i8")])
"""struct cmsghdr with the struct timespec of SO_TIMESTAMPNS behind it."""

_SO_TIMESTAMPNS = 35
_SO_MEMINFO = 55
_MEMINFO_DROPS = 8
_MSG_TRUNC = 0x20
_MOST_SOCKETS = 4
_AT_ONCE = 128

_LIBC = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Received:
    """Datagrams in `buffer`, valid until the next `receive`. `source` has shape (n, 4): a socket address as words of 8 octets.

    `at_ns` is when each arrived, by the wall clock, nanoseconds since 1970; 0 where the kernel did not say.
    """

    buffer: NDArray[np.uint8]
    start: NDArray[np.int64]
    length: NDArray[np.int64]
    source: NDArray[np.uint64]
    at_ns: NDArray[np.int64]
    cut: NDArray[np.bool_]
    """Longer than a slot of the buffer."""

    def datagram(self, row: int) -> bytes:
        """One of them."""
        start = int(self.start[row])
        return self.buffer[start : start + int(self.length[row])].tobytes()


class Transport:
    """Sockets for the families asked for, with receive buffers for `window` replies as far as the kernel grants them.

    `slot_octets` is the longest datagram that is received whole, `slots` how many one `receive` returns at most.
    """

    def __init__(self, families: Sequence[int], *, window: int, slot_octets: int = 2048, slots: int = 512) -> None:
        self.sockets: dict[int, list[socket.socket]] = {}
        self.send_errors: Counter[str] = Counter()
        self._poll = select.poll()
        granted = []
        for family in families:
            self.sockets[family] = _opened(family, window)
            granted.append(sum(_capacity(one) for one in self.sockets[family]))
            for one in self.sockets[family]:
                self._poll.register(one, select.POLLIN)
        self.window = min([window, *granted])
        """Requests that may be in flight without losing a reply for want of buffer."""
        self._turn = 0
        self._drops = 0
        self._prepare_receiving(slots, slot_octets)

    def send(
        self,
        family: int,
        vectors: tuple[NDArray[np.uint64], NDArray[np.uint64]],
        names: NDArray[np.uint64],
        name_length: int,
    ) -> NDArray[np.int64]:
        """Send datagrams given by (addresses, lengths) in memory to socket addresses in memory; returns those not sent.

        Not sent are, by position, those that the kernel refuses for good (no route ...), counted in `send_errors`; a full send
        buffer is waited for.
        """
        count = len(names)
        vector = np.empty(count, _VECTOR)
        vector["base"], vector["length"] = vectors
        messages = np.zeros(count, _MESSAGE)
        messages["name"], messages["name_length"] = names, name_length
        messages["vector"] = vector.ctypes.data + 16 * np.arange(count, dtype=np.uint64)
        messages["vector_length"] = 1
        self._turn += 1
        chosen = self.sockets[family][self._turn % len(self.sockets[family])]
        return np.array(self._send_all(chosen, messages), np.int64)

    def receive(self) -> Received:
        """All that has arrived, up to the buffer's slots; nothing waits."""
        filled = 0
        for group in self.sockets.values():
            for one in group:
                filled += self._receive_from(one.fileno(), filled)
        return self._received(filled)

    def wait(self, seconds: float) -> None:
        """Return when something has arrived, after `seconds` at the latest."""
        self._poll.poll(max(seconds, 0.0) * 1000)

    def kernel_drops(self) -> int:
        """Replies that the kernel has dropped for want of buffer since the last call (SO_MEMINFO)."""
        total = sum(_dropped(one) for group in self.sockets.values() for one in group)
        fresh, self._drops = total - self._drops, total
        return fresh

    def close(self) -> None:
        for group in self.sockets.values():
            for one in group:
                one.close()
        self.sockets.clear()

    def _prepare_receiving(self, slots: int, slot_octets: int) -> None:
        self._slots = slots
        self._buffer = np.zeros(slots * slot_octets + 2 * PADDING, np.uint8)
        self._starts = PADDING + slot_octets * np.arange(slots, dtype=np.int64)
        self._sources = np.zeros((slots, SOURCE_OCTETS // 8), np.uint64)
        self._stamps = np.zeros(slots, _STAMP)
        self._vectors = np.zeros(slots, _VECTOR)
        self._vectors["base"] = self._buffer.ctypes.data + self._starts.view(np.uint64)
        self._vectors["length"] = slot_octets
        order = np.arange(slots, dtype=np.uint64)
        self._blank = np.zeros(slots, _MESSAGE)
        self._blank["name"] = self._sources.ctypes.data + SOURCE_OCTETS * order
        self._blank["name_length"] = SOURCE_OCTETS
        self._blank["vector"] = self._vectors.ctypes.data + 16 * order
        self._blank["vector_length"] = 1
        self._blank["control"] = self._stamps.ctypes.data + _STAMP.itemsize * order
        self._blank["control_length"] = _STAMP.itemsize
        self._messages = self._blank.copy()

    def _receive_from(self, descriptor: int, filled: int) -> int:
        before = filled
        while filled < self._slots:
            room = min(self._slots - filled, _AT_ONCE)
            message = self._messages.ctypes.data + _MESSAGE.itemsize * filled
            got: int = _LIBC.recvmmsg(descriptor, ctypes.c_void_p(message), room, socket.MSG_DONTWAIT, None)
            filled += max(got, 0)
            if got < room:
                break
        return filled - before

    def _received(self, count: int) -> Received:
        messages, stamps = self._messages[:count], self._stamps[:count]
        received = Received(
            buffer=self._buffer,
            start=self._starts[:count],
            length=messages["length"].astype(np.int64),
            source=self._sources[:count].copy(),
            at_ns=np.where(stamps["type"] == _SO_TIMESTAMPNS, stamps["seconds"] * 1_000_000_000 + stamps["nanoseconds"], 0),
            cut=messages["flags"] & _MSG_TRUNC != 0,
        )
        messages[:] = self._blank[:count]  # the kernel wrote the real lengths over the room
        self._sources[:count] = 0
        stamps["type"] = 0
        return received

    def _send_all(self, one: socket.socket, messages: NDArray[Any]) -> list[int]:
        refused: list[int] = []
        sent = 0
        while sent < len(messages):
            address = ctypes.c_void_p(messages.ctypes.data + _MESSAGE.itemsize * sent)
            done = _LIBC.sendmmsg(one.fileno(), address, len(messages) - sent, socket.MSG_DONTWAIT)
            if done > 0:
                sent += done
                continue
            error = ctypes.get_errno()
            if error in (_EAGAIN, _ENOBUFS):
                select.select((), (one,), (), 0.01)
            elif error != _EINTR:
                self.send_errors[os.strerror(error)] += 1
                refused.append(sent)
                sent += 1
        return refused


_EAGAIN, _ENOBUFS, _EINTR = 11, 105, 4


def _opened(family: int, window: int) -> list[socket.socket]:
    """As many sockets as it takes for their buffers to hold `window` replies, at most `_MOST_SOCKETS`."""
    opened: list[socket.socket] = []
    while len(opened) < _MOST_SOCKETS and sum(_capacity(one) for one in opened) < window:
        one = socket.socket(family, socket.SOCK_DGRAM)
        one.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        one.setblocking(False)
        _enlarge(one, window * SKB_OCTETS)
        opened.append(one)
    return opened


def _enlarge(one: socket.socket, octets: int) -> None:
    """The kernel doubles what is asked (socket(7)); above net.core.rmem_max only a privileged process gets it."""
    if one.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) < octets:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, octets // 2)
    if one.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) < octets:
        try:
            one.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, octets // 2)
        except PermissionError:
            return  # more sockets or a smaller window make up for it


_SO_RCVBUFFORCE = 33


def _capacity(one: socket.socket) -> int:
    """Replies that the socket's buffer holds."""
    return max(one.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // SKB_OCTETS, 1)


def _dropped(one: socket.socket) -> int:
    info = np.frombuffer(one.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, 36), np.uint32)
    return int(info[_MEMINFO_DROPS]) if len(info) > _MEMINFO_DROPS else 0
