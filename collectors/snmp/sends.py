"""Every try of a cycle, in order: its request-id, whom it was for, and when it left.

Owns the request-ids: consecutive, from a beginning that nobody can guess, so that an id alone tells which try it was. Sends
nothing itself.
"""

from __future__ import annotations

import secrets

import numpy as np
from numpy.typing import NDArray

from collectors.snmp.ber import REQUEST_ID_BASE, REQUEST_ID_SPAN
from collectors.snmp.requests import Slots

_RECENT_IDS = 1 << 24


class Sends:
    """The cycle's sends by number. `slot`, `at_ns` and `at_ms` are by that number, and mean nothing from `count` on."""

    def __init__(self) -> None:
        self.count = 0
        self.slot = np.zeros(1024, np.int64)
        self.at_ns = np.zeros(1024, np.int64)
        self.at_ms = np.zeros(1024, np.int64)
        self._first_id = secrets.randbelow(REQUEST_ID_SPAN)

    def begin(self) -> None:
        """A new cycle: the ids go on where they were."""
        self._first_id = (self._first_id + self.count) & REQUEST_ID_SPAN
        self.count = 0

    def add(self, slots: Slots, *, at_ns: int, at_ms: int) -> NDArray[np.int64]:
        """One try for each of these, now; returns their request-ids."""
        end = self.count + len(slots)
        if end > len(self.slot):
            for name in ("slot", "at_ns", "at_ms"):
                setattr(self, name, np.concatenate((getattr(self, name), np.zeros(end, np.int64))))
        sends = np.arange(self.count, end)
        self.slot[sends], self.at_ns[sends], self.at_ms[sends] = slots, at_ns, at_ms
        self.count = end
        return REQUEST_ID_BASE | self._first_id + sends & REQUEST_ID_SPAN

    def named(self, ids: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """(the sends that have these ids, are there such sends); the number 0 where there are none."""
        behind = self._behind(ids)
        ours = (ids >= REQUEST_ID_BASE) & (behind < self.count)
        return np.where(ours, behind, 0), ours

    def earlier(self, ids: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether these ids were used not long before this cycle."""
        return self._behind(ids) > REQUEST_ID_SPAN - _RECENT_IDS

    def _behind(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        return ids - REQUEST_ID_BASE - self._first_id & REQUEST_ID_SPAN
