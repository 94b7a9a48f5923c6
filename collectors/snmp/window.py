"""How many requests are in flight: the places that they take until they are answered, or have waited for long.

The window bounds how many replies can arrive at once, so that the receive buffer holds them. A request that has waited much
longer than its neighbours hardly ever gets an answer any more, and one that does arrives alone: its place is given up after
`hold_seconds` although its patience goes on. So devices that are dead, however many, keep nobody waiting.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from collectors.snmp.requests import RequestTable, Slots

_BURSTS = 4
"""Parts of the window: a fourth of it free is worth a system call while the others are still in flight."""


class Window:
    """`size` places; who holds one is written in the table's slots."""

    def __init__(self, table: RequestTable, size: int, hold_seconds: float) -> None:
        self.size = size
        self._table = table
        self._hold_seconds = hold_seconds
        self._held = 0
        self._sent: deque[tuple[float, Slots]] = deque()

    def reset(self) -> None:
        """All places are free."""
        self._table.slots["held"] = False
        self._held = 0
        self._sent.clear()

    def room(self, wanted: int, now: float, *, arrived: int = 0) -> int:
        """How many of `wanted` requests may be sent now; 0 where too few for a system call of their own.

        `arrived` replies have left the receive buffer and are not looked at yet: their requests' places are free.
        """
        while self._sent and self._sent[0][0] <= now:
            self.free(self._sent.popleft()[1])
        free = min(self.size - self._held + arrived, self.size)
        return min(free, wanted) if free >= min(self.size // _BURSTS, wanted) or not self._held else 0

    def take(self, slots: Slots, now: float) -> None:
        """These were sent; a slot that still held a place for an earlier request keeps it."""
        held = self._table.slots["held"]
        self._held += len(slots) - int(np.count_nonzero(held[slots]))
        held[slots] = True
        self._sent.append((now + self._hold_seconds, slots))

    def free(self, slots: Slots) -> None:
        """Give up the places that these hold, if any."""
        held = self._table.slots["held"]
        self._held -= int(np.count_nonzero(held[slots]))
        held[slots] = False
