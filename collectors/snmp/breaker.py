"""Who is left alone for a while: a circuit breaker per device.

Owns the counting and the pauses. A device that gave no answer for some cycles, or refused our user, is only probed, at growing
intervals; its first answer closes the circuit again. Reads no clock.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from collectors.snmp.settings import SnmpSettings

_LONGEST_DOUBLING = 3

Mask = NDArray[np.bool_]


class Breaker:
    """Circuits of `devices` devices, by position; instants are seconds of one clock that only grows."""

    def __init__(self, settings: SnmpSettings, devices: int) -> None:
        self._settings = settings
        self.failures = np.zeros(devices, np.int64)
        """Cycles without an answer, one after the other."""
        self.open_until = np.full(devices, -np.inf)

    def closed(self, now: float) -> Mask:
        """Those that may be asked."""
        closed: Mask = self.open_until <= now
        return closed

    def record(self, asked: Mask, answered: Mask, refused: Mask, now: float) -> None:
        """What a cycle brought. `refused` (authentication) opens the circuit at once: to ask again looks like an attack."""
        least = self._settings.breaker_failures
        failed = asked & ~answered
        self.failures[answered] = 0
        self.failures[failed] += 1
        self.failures[failed & refused] = np.maximum(self.failures[failed & refused], least)
        opens = failed & (self.failures >= least)
        doublings = np.minimum(self.failures - least, _LONGEST_DOUBLING)
        pause = self._settings.breaker_pause_seconds * 2.0 ** np.maximum(doublings, 0)
        self.open_until[opens] = now + pause[opens]
        self.open_until[answered] = -np.inf
