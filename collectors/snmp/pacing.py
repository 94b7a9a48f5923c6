"""How a cycle's requests are spread over its interval, so that 9,000 devices are not asked at once, and when it ends."""

from __future__ import annotations

import time

from bwmgr.model.clock import Clock
from collectors.snmp.exchange import Exchange
from collectors.snmp.settings import SnmpSettings


class Pace:
    """Begins now. By the clock that is passed in, since the interval is its: a fast clock's cycle is as much shorter.

    A clock that stands still would never let a request out, so real time counts where it is ahead.
    """

    def __init__(self, settings: SnmpSettings, clock: Clock) -> None:
        self._seconds = settings.spread_ratio * settings.interval_seconds
        self._clock = clock
        self._began, self._really_began = clock.monotonic(), time.monotonic()

    def hurry(self) -> None:
        """Let everything out now: somebody waits for the cycle to end. Safe from another thread."""
        self._seconds = 0.0

    def due(self, count: int) -> int:
        """How many of `count` devices should have been asked by now."""
        elapsed = max(self._clock.monotonic() - self._began, time.monotonic() - self._really_began)
        return count if elapsed >= self._seconds else min(int(count * elapsed / self._seconds) + 1, count)


class Patience:
    """How long a cycle goes on for devices that do not answer.

    Only time spent waiting for them counts: where this process has much to do, or no processor, none of them is to blame.
    In any case half the interval is enough.
    """

    def __init__(self, settings: SnmpSettings, exchange: Exchange) -> None:
        self._settings, self._exchange = settings, exchange

    def begin(self, seconds: float) -> None:
        self._waited_until = self._exchange.waited_seconds + seconds
        self._end = time.monotonic() + max(seconds, self._settings.interval_seconds / 2)

    @property
    def some(self) -> bool:
        return self._exchange.waited_seconds < self._waited_until and time.monotonic() < self._end
