"""When a virtual device is on: its boots, and the times in which it answers nobody."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FOR_EVER_MS = 2**62


@dataclass(frozen=True, kw_only=True)
class Life:
    """`first_boot_ms` lies before everything else; `outages_ms` are sorted, disjoint [off, on), each end a boot.

    All ms since 1970 UTC, outages on whole minutes so that traffic stops with them. An end of FOR_EVER_MS: it never comes back.
    """

    first_boot_ms: int = 0
    outages_ms: tuple[tuple[int, int], ...] = ()

    def booted_ms(self, now_ms: int) -> int | None:
        """The last boot, None while it is off."""
        past = bisect_right(self.outages_ms, now_ms, key=lambda outage: outage[0])
        if not past:
            return self.first_boot_ms
        back_ms = self.outages_ms[past - 1][1]
        return back_ms if back_ms <= now_ms else None

    def boots(self, now_ms: int) -> int:
        """How many boots after the first there have been."""
        return sum(back_ms <= now_ms for _, back_ms in self.outages_ms)

    def running(self, at_ms: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether it is on, at each instant."""
        on = np.ones(len(at_ms), np.bool_)
        for off_ms, back_ms in self.outages_ms:
            on &= (at_ms < off_ms) | (at_ms >= back_ms)
        return on
