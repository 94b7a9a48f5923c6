"""Batches that wait in memory until the store takes them. Owns their order and their bound; writes nothing anywhere else.

What waits here is not lost by kill -9 either: the poller's baseline on disk stays the one before, so that the next rate covers
the whole time (see `bwmgr.daemon.polling`).
"""

from __future__ import annotations

from collections import deque

from bwmgr.errors import StoreRejected, StoreUnavailable
from bwmgr.measure.columns import RateBatch
from bwmgr.model.said import said_by
from bwmgr.stores import RateStore

MOST_BATCHES = 240
"""Two measurements of 120 cycles: about 80 MB for 9,000 links."""


class Spool:
    """First in, first out, one writer. Beyond `most_batches` the oldest go first, and are counted in `lost`."""

    def __init__(self, store: RateStore, *, most_batches: int = MOST_BATCHES) -> None:
        self._store = store
        self._most_batches = most_batches
        self._waiting: deque[tuple[str, RateBatch]] = deque()
        self.lost = 0
        """Batches given up since the start because the store took none for too long."""
        self.rejected = 0
        """Batches that the store called wrong, since the start."""
        self.trouble = ""
        """Why the store took nothing, or refused a batch, last time; empty: all is well."""

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, measurement: str, batch: RateBatch) -> None:
        """Puts a batch at the end."""
        self._waiting.append((measurement, batch))
        while len(self._waiting) > self._most_batches:
            self._waiting.popleft()
            self.lost += 1

    def drain(self) -> bool:
        """Writes what waits, oldest first. False: the store is unavailable, and some still waits."""
        self.trouble = ""
        while self._waiting:
            try:
                self._store.write(*self._waiting[0])
            except StoreUnavailable as error:
                self.trouble = said_by(error)
                return False
            except StoreRejected as error:  # trying again cannot mend it, and what comes after it must not wait for it
                self.trouble = said_by(error)
                self.rejected += 1
            self._waiting.popleft()
        return True
