"""Many datagrams in one system call: recvmmsg(2) and sendmmsg(2) through ctypes, for any collector.

Owns the layouts of the kernel's structures (64-bit Linux), the receive buffer, and what can be asked of a socket's own buffer.
Knows no protocol above UDP.
"""

from __future__ import annotations

import ctypes
import os
import select
import socket
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

SOURCE_OCTETS = 32
"""Room for one socket address: sockaddr_in6 is 28 octets, zeros behind."""

MESSAGE = np.dtype(
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
VECTOR = np.dtype([("base", "u8"), ("length", "u8")])
"""struct iovec."""
STAMP = np.dtype([("length", "u8"), ("level", "i4"), ("type", "i4"), ("seconds", "i8"), ("nanoseconds", "i8")])
"""struct cmsghdr with the struct timespec of SO_TIMESTAMPNS behind it."""

SO_TIMESTAMPNS = 35
_SO_RCVBUFFORCE = 33
_SO_MEMINFO = 55
_MEMINFO_RMEM, _MEMINFO_RCVBUF, _MEMINFO_DROPS = 0, 1, 8
_MSG_TRUNC = 0x20
_AT_ONCE = 128
_EINTR, _EAGAIN, _ENOBUFS = 4, 11, 105

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


class ReceiveBuffer:
    """Room for `slots` datagrams of `slot_octets` each, with `padding` octets before and behind them all."""

    def __init__(self, *, slots: int, slot_octets: int, padding: int = 0) -> None:
        self.slots = slots
        self._buffer = np.zeros(slots * slot_octets + 2 * padding, np.uint8)
        self._starts = padding + slot_octets * np.arange(slots, dtype=np.int64)
        self._sources = np.zeros((slots, SOURCE_OCTETS // 8), np.uint64)
        self._stamps = np.zeros(slots, STAMP)
        self._vectors = np.zeros(slots, VECTOR)
        self._vectors["base"] = self._buffer.ctypes.data + self._starts.view(np.uint64)
        self._vectors["length"] = slot_octets
        order = np.arange(slots, dtype=np.uint64)
        self._blank = np.zeros(slots, MESSAGE)
        self._blank["name"] = self._sources.ctypes.data + SOURCE_OCTETS * order
        self._blank["name_length"] = SOURCE_OCTETS
        self._blank["vector"] = self._vectors.ctypes.data + VECTOR.itemsize * order
        self._blank["vector_length"] = 1
        self._blank["control"] = self._stamps.ctypes.data + STAMP.itemsize * order
        self._blank["control_length"] = STAMP.itemsize
        self._messages = self._blank.copy()
        self._filled = 0

    @property
    def filled(self) -> int:
        """Datagrams that wait in the buffer for `take`."""
        return self._filled

    def receive(self, descriptor: int) -> int:
        """Reads what has arrived on a socket into free slots, without waiting; returns how many datagrams."""
        before = self._filled
        while self._filled < self.slots:
            room = min(self.slots - self._filled, _AT_ONCE)
            message = self._messages.ctypes.data + MESSAGE.itemsize * self._filled
            got: int = _LIBC.recvmmsg(descriptor, ctypes.c_void_p(message), room, socket.MSG_DONTWAIT, None)
            self._filled += max(got, 0)
            if got < room:
                break
        return self._filled - before

    def take(self) -> Received:
        """What is in the buffer; its slots are free for the next `receive`."""
        count, self._filled = self._filled, 0
        messages, stamps = self._messages[:count], self._stamps[:count]
        received = Received(
            buffer=self._buffer,
            start=self._starts[:count],
            length=messages["length"].astype(np.int64),
            source=self._sources[:count].copy(),
            at_ns=np.where(stamps["type"] == SO_TIMESTAMPNS, stamps["seconds"] * 1_000_000_000 + stamps["nanoseconds"], 0),
            cut=messages["flags"] & _MSG_TRUNC != 0,
        )
        messages[:] = self._blank[:count]  # the kernel wrote the real lengths over the room
        self._sources[:count] = 0
        stamps["type"] = 0
        return received


def messages_to(
    vectors: tuple[NDArray[np.uint64], NDArray[np.uint64]], names: NDArray[np.uint64], name_length: int
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Datagrams for `send_messages`, and the array that they point into, which must live as long.

    `vectors` holds their octets' (addresses in memory, lengths), `names` where their socket addresses are in memory.
    """
    vector = np.empty(len(names), VECTOR)
    vector["base"], vector["length"] = vectors
    messages = np.zeros(len(names), MESSAGE)
    messages["name"], messages["name_length"] = names, name_length
    messages["vector"] = vector.ctypes.data + VECTOR.itemsize * np.arange(len(names), dtype=np.uint64)
    messages["vector_length"] = 1
    return messages, vector


def send_messages(one: socket.socket, messages: NDArray[Any]) -> Counter[str]:
    """Sends them all; how many the kernel refused for good, by its reason. A full send buffer is waited for."""
    refused: Counter[str] = Counter()
    sent = 0
    while sent < len(messages):
        address = ctypes.c_void_p(messages.ctypes.data + MESSAGE.itemsize * sent)
        done = _LIBC.sendmmsg(one.fileno(), address, len(messages) - sent, socket.MSG_DONTWAIT)
        if done > 0:
            sent += done
            continue
        error = ctypes.get_errno()
        if error in (_EAGAIN, _ENOBUFS):
            select.select((), (one,), (), 0.01)
        elif error != _EINTR:
            refused[os.strerror(error)] += 1
            sent += 1
    return refused


def enlarge(one: socket.socket, octets: int) -> int:
    """Asks for a receive buffer of `octets`; returns what was granted, as the kernel counts it.

    The kernel doubles what is asked (socket(7)); above net.core.rmem_max only a privileged process gets it.
    """
    if granted(one) < octets:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, octets // 2)
    if granted(one) < octets:
        try:
            one.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, octets // 2)
        except PermissionError:
            return granted(one)
    return granted(one)


def granted(one: socket.socket) -> int:
    """Octets of a socket's receive buffer, the kernel's own structures included."""
    return one.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)


def dropped(one: socket.socket) -> int:
    """Datagrams that the kernel has dropped for want of buffer since the socket was opened."""
    info = _meminfo(one)
    return int(info[_MEMINFO_DROPS]) if len(info) > _MEMINFO_DROPS else 0


def waiting_ratio(one: socket.socket) -> float:
    """How full a socket's receive buffer is, 0 to 1."""
    info = _meminfo(one)
    return float(info[_MEMINFO_RMEM]) / max(float(info[_MEMINFO_RCVBUF]), 1.0)


def _meminfo(one: socket.socket) -> NDArray[np.uint32]:
    return np.frombuffer(one.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, 36), np.uint32)
