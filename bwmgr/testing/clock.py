"""Clocks that do not run with the wall's: one faster by a factor, one that only moves when it is told to."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta


class FastClock:
    """Virtual time from `start` on, `factor` times as fast as the wall's. Fulfils `bwmgr.model.clock.Clock`."""

    def __init__(self, start: datetime, factor: float = 1.0) -> None:
        if start.tzinfo is None or factor <= 0:
            raise ValueError("a clock needs an aware start and a factor above 0")
        self.start = start.astimezone(UTC)
        self.factor = factor
        self._begun = time.monotonic()

    def now(self) -> datetime:
        return self.start + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        """Virtual seconds since `start`."""
        return (time.monotonic() - self._begun) * self.factor

    def wait(self, seconds: float) -> None:
        """Return after `seconds` of virtual time: a real sleep of `seconds / factor`."""
        time.sleep(max(seconds, 0.0) / self.factor)


class ManualClock:
    """Stands still until `advance` or `wait` moves it; `step` moves the wall time alone, as NTP does.

    `wait` advances at once instead of blocking: what is tested runs in one thread and takes no time.
    """

    def __init__(self, start: datetime) -> None:
        if start.tzinfo is None:
            raise ValueError("a clock needs an aware start")
        self._now = start.astimezone(UTC)
        self._monotonic = 0.0
        self._lock = threading.Lock()

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def wait(self, seconds: float) -> None:
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Let `seconds` go by; a negative number is refused, since monotonic time never falls."""
        if seconds < 0:
            raise ValueError("time does not run backwards; `step` sets the wall clock")
        with self._lock:
            self._now += timedelta(seconds=seconds)
            self._monotonic += seconds

    def step(self, seconds: float) -> None:
        """Set the wall clock forwards or backwards; monotonic time does not notice."""
        with self._lock:
            self._now += timedelta(seconds=seconds)


class LeapClock:
    """The wall's pace from `start` on, but `wait` leaps ahead at once: a day of polling costs what its cycles cost.

    Timeouts on real sockets stay as long as they are, which a clock that runs faster would shorten.
    """

    def __init__(self, start: datetime) -> None:
        self._steady = FastClock(start)
        self._leapt = 0.0

    def now(self) -> datetime:
        return self._steady.now() + timedelta(seconds=self._leapt)

    def monotonic(self) -> float:
        return self._steady.monotonic() + self._leapt

    def wait(self, seconds: float) -> None:
        self._leapt += max(seconds, 0.0)
