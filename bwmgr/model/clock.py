"""What the impure parts of bwmgr ask the time of. The pure parts get time as a parameter."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Wall time for stamps, monotonic time for intervals; a test's or the demo's may run faster than the wall's."""

    def now(self) -> datetime:
        """The present instant, aware, in UTC. May be corrected forwards or backwards between two calls."""
        ...

    def monotonic(self) -> float:
        """Seconds that only ever grow, at the rate of `now`."""
        ...

    def wait(self, seconds: float) -> None:
        """Return after `seconds` of `monotonic` have gone by."""
        ...
