"""The clock that stamps what is measured: follows the machine's wall clock, but never goes backwards.

A sample's interval comes from the device's own clock (`bwmgr.measure`), so a stamp only has to be right and strictly
ordered. When the wall clock is stepped back (NTP, a person), stamps go on at half speed until it has caught up: no point is
overwritten, none is lost, and the offset is reported. When it is stepped forward, stamps follow at once and the time
skipped is a gap. A step back of more than a day is believed at once: the clock was wrong before.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

_CATCH_UP_SPEED = 0.5
_BELIEVED_SECONDS = 86_400.0


class SteadyClock:
    """Fulfils `bwmgr.model.clock.Clock`. Safe to share between threads."""

    def __init__(
        self,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._wall, self._monotonic, self._sleep = wall, monotonic, sleep
        self._lock = threading.Lock()
        self._last_monotonic = monotonic()
        self._last_stamp = wall()

    def now(self) -> datetime:
        """The present instant, aware UTC; never before an earlier answer."""
        return datetime.fromtimestamp(self._stamp()[0], UTC)

    def monotonic(self) -> float:
        return self._monotonic()

    def wait(self, seconds: float) -> None:
        self._sleep(max(0.0, seconds))

    def offset_seconds(self) -> float:
        """How far the stamps are ahead of the wall clock: 0 unless it was stepped back."""
        stamp, wall = self._stamp()
        return max(0.0, stamp - wall)

    def _stamp(self) -> tuple[float, float]:
        """(the stamp of this moment, the wall clock), seconds since 1970 UTC."""
        with self._lock:
            monotonic, wall = self._monotonic(), self._wall()
            elapsed = max(0.0, monotonic - self._last_monotonic)
            steady = self._last_stamp + elapsed * (1.0 if wall >= self._last_stamp + elapsed else _CATCH_UP_SPEED)
            self._last_monotonic = monotonic
            self._last_stamp = wall if wall < steady - _BELIEVED_SECONDS else max(wall, steady)
            return self._last_stamp, wall
