"""Where devices are: socket addresses in memory, as the kernel wants them, and the lookup of host names off the hot path.

Owns getaddrinfo. Which of a name's addresses answers is not tried out: the first one is taken, as other managers do.
"""

from __future__ import annotations

import ipaddress
import socket
import sys
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bwmgr.model.inventory import Device
from collectors.udp import SOURCE_OCTETS

_LOOKUPS_AT_ONCE = 16
_RETRY_SECONDS = 30.0


class AddressTable:
    """The devices' socket addresses by position. `family` is 0 where a name has not been resolved (yet)."""

    def __init__(self, devices: Sequence[Device]) -> None:
        self._devices = devices
        self._words = np.zeros((len(devices), SOURCE_OCTETS // 8), np.uint64)
        self.family = np.zeros(len(devices), np.int64)
        self._anywhere = np.array([device.unconnected for device in devices], np.bool_)
        self._pool: ThreadPoolExecutor | None = None
        self._pending: dict[int, Future[tuple[int, bytes] | None]] = {}
        self._asked_at: dict[int, float] = {}
        self._names = [position for position, device in enumerate(devices) if not self._put_literal(position, device)]

    @property
    def families(self) -> tuple[int, ...]:
        """Those that are needed: of the literal addresses, and both once there is a name."""
        known = set(self.family.tolist()) - {0}
        return tuple(sorted(known | ({socket.AF_INET, socket.AF_INET6} if self._names else set())))

    def pointers(self, positions: NDArray[np.int64]) -> NDArray[np.uint64]:
        """Where in memory the devices' addresses are."""
        return np.uint64(self._words.ctypes.data) + SOURCE_OCTETS * positions.astype(np.uint64)

    @staticmethod
    def octets(family: int) -> int:
        """Length of a socket address: sockaddr_in or sockaddr_in6."""
        return 16 if family == socket.AF_INET else 28

    def is_source(self, positions: NDArray[np.int64], source: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Whether a datagram from `source` may be the devices' own: address and port, unless a device answers from anywhere."""
        expected = self._words[positions]
        same: NDArray[np.bool_] = (expected[:, :3] == source[:, :3]).all(axis=1)
        return same | self._anywhere[positions]

    def refresh(self, seconds: float, again: Sequence[int] = ()) -> None:
        """Look up the names that have no address, and those of the positions `again`; wait at most `seconds` for the answers.

        An answer that comes later is taken at the next call, and what cannot be resolved is asked again after a while.
        """
        now = time.monotonic()
        due = [*(place for place in self._names if not self.family[place]), *(place for place in again if place in self._names)]
        for place in due:
            if place not in self._pending and now - self._asked_at.get(place, -_RETRY_SECONDS) >= _RETRY_SECONDS:
                self._asked_at[place] = now
                self._pending[place] = self._executor().submit(_lookup, self._devices[place])
        if not self._pending:
            return
        wait(self._pending.values(), timeout=seconds)
        for place in [place for place, future in self._pending.items() if future.done()]:
            if (found := self._pending.pop(place).result()) is not None:
                self._put(place, *found)

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def _executor(self) -> ThreadPoolExecutor:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(_LOOKUPS_AT_ONCE, thread_name_prefix="lookup")
        return self._pool

    def _put_literal(self, position: int, device: Device) -> bool:
        """Whether the device's address is one and not a name; then it is written down."""
        try:
            address = ipaddress.ip_address(device.address)
        except ValueError:
            return False
        scope = int(address.scope_id or 0) if address.version == 6 and (address.scope_id or "0").isdecimal() else 0
        family = socket.AF_INET if address.version == 4 else socket.AF_INET6
        self._put(position, family, _socket_address(family, address.packed, device.port, scope))
        return True

    def _put(self, position: int, family: int, octets: bytes) -> None:
        self._words[position] = np.frombuffer(octets.ljust(SOURCE_OCTETS, b"\0"), np.uint64)
        self.family[position] = family


def _lookup(device: Device) -> tuple[int, bytes] | None:
    """Family and socket address of a device's name; None where there is none."""
    try:
        found = socket.getaddrinfo(device.address, device.port, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError):
        return None
    for family, _, _, _, address in found:
        if family in (socket.AF_INET, socket.AF_INET6):
            packed = socket.inet_pton(family, str(address[0]).partition("%")[0])
            scope = int(address[3]) if len(address) == 4 else 0
            return int(family), _socket_address(family, packed, device.port, scope)
    return None


def _socket_address(family: int, packed: bytes, port: int, scope: int) -> bytes:
    """struct sockaddr_in or sockaddr_in6 (ip(7), ipv6(7))."""
    head = family.to_bytes(2, _NATIVE) + port.to_bytes(2, "big")
    return head + packed if family == socket.AF_INET else head + bytes(4) + packed + scope.to_bytes(4, _NATIVE)


_NATIVE: Literal["little", "big"] = "little" if sys.byteorder == "little" else "big"
