"""What each link carries at each minute: a pure function of the link, a seed and virtual time.

Owns the amounts (octets, discarded and broken packets, up or down) cell by cell, and the counters that follow from them. The
counters of an agent and the history written before it come from the same cells, so they fit together to the octet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bwmgr.model.inventory import Calendar, Direction, Link
from bwmgr.testing.habits import CELL_SECONDS, activity, habit_of, mornings
from bwmgr.testing.lives import Life
from bwmgr.testing.noise import Floats, draw, key_of, smooth, uniform

CELL_MS = CELL_SECONDS * 1000
_PACKET_OCTETS = 800
_USUAL_BPS = 20_000_000  # of a link that says nothing of its size
_BACKED_OFF_RATIO = 0.02  # of the demand above a limit that is sent and thrown away: TCP slows down before that

_REMEMBERED_CELLS = 120

Octets = NDArray[np.int64]
COLUMNS = ("down", "up", "down_discards", "up_discards", "errors")


class Condition(StrEnum):
    """What is the matter with a link."""

    NORMAL = "normal"
    SATURATED = "saturated"
    """Wants more than its limit all morning."""
    IDLE = "idle"
    FLAPPING = "flapping"
    COUNTER32 = "counter32"
    """An old device without 64-bit counters."""
    ERRORS = "errors"


@dataclass(frozen=True, kw_only=True)
class Amounts:
    """Cells of one link: `counts` has a row per name of COLUMNS (octets, packets), `oper_up` says whether it was up."""

    counts: Octets
    oper_up: NDArray[np.bool_]


class Traffic(Protocol):
    def cells(self, first: int, count: int) -> Amounts:
        """The amounts of `count` cells from `first` on."""
        ...


class LinkTraffic:
    """One link's traffic. While its device is off (`life`) nothing flows."""

    def __init__(
        self, link: Link, calendar: Calendar, timezone: str, *, seed: int, life: Life, condition: Condition = Condition.NORMAL
    ) -> None:
        self.link, self.calendar, self.timezone, self.life, self.condition = link, calendar, timezone, life, condition
        self._habit = habit_of(link)
        self._key = key_of(seed, link.id)
        self._latest: tuple[tuple[int, int], Amounts] | None = None
        self._load = _load(condition, self._key)

    def cells(self, first: int, count: int) -> Amounts:
        """Remembered for a moment, since a link's port and the uplink before it ask for the same."""
        if self._latest is not None and self._latest[0] == (first, count):
            return self._latest[1]
        made = self._made(first, count)
        self._latest = ((first, count), made) if count <= _REMEMBERED_CELLS else None
        return made

    def _made(self, first: int, count: int) -> Amounts:
        cells = np.arange(first, first + count, dtype=np.int64)
        oper_up = self._oper_up(cells)
        busy = activity(self._habit, self.calendar, self.timezone, cells)
        counts = np.zeros((len(COLUMNS), count), np.int64)
        for direction in Direction:
            demand_bps = self._demand_bps(direction, busy, cells)
            limit_bps = self.link.limit[direction] or np.inf
            carried = np.minimum(demand_bps, limit_bps) * oper_up
            thrown = (demand_bps - np.minimum(demand_bps, limit_bps)) * oper_up * _BACKED_OFF_RATIO
            counts[COLUMNS.index(direction)] = carried * CELL_SECONDS / 8
            counts[COLUMNS.index(f"{direction}_discards")] = thrown * CELL_SECONDS / 8 / _PACKET_OCTETS
        if self.condition is Condition.ERRORS:
            counts[COLUMNS.index("errors")] = uniform(self._key + 5, cells) * 20 * CELL_SECONDS * oper_up
        return Amounts(counts=counts, oper_up=oper_up)

    def size_bps(self, direction: Direction) -> int:
        """What the link was made for: its limit, else the most it may get, else a usual one's."""
        return self.link.limit[direction] or self.link.mir[direction] or _USUAL_BPS

    def _demand_bps(self, direction: Direction, busy: Floats, cells: NDArray[np.int64]) -> Floats:
        key = self._key + (1 if direction is Direction.DOWN else 2)
        load = np.full(len(cells), self._load)
        if self.condition is Condition.SATURATED:
            load = np.where(mornings(self.timezone, cells), 2.4, 0.95)
        if direction is Direction.UP:
            load = np.minimum(load, 0.9) * self._habit.up_ratio
        restless = 0.55 + 0.5 * smooth(key, cells, 45) + 0.25 * smooth(key + 8, cells, 7) + 0.1 * uniform(key + 16, cells)
        return self.size_bps(Direction.DOWN) * load * busy * restless

    def _oper_up(self, cells: NDArray[np.int64]) -> NDArray[np.bool_]:
        up = self.life.running(cells * CELL_MS)
        if self.condition is Condition.FLAPPING:
            slots, offset = np.divmod(cells, 20)
            up &= (uniform(self._key + 3, slots) > 0.3) | (offset >= 7)
        return up


def _load(condition: Condition, key: int) -> float:
    """Of a link's size, at its busiest: most are sized about right, one in ten is far too large."""
    if condition is Condition.IDLE:
        return 0.01
    return 0.3 if draw(key + 4) < 0.1 else 0.64 + 0.14 * draw(key)


class SumTraffic:
    """What several links carry together, as the uplink before them sees it; it never goes down itself."""

    def __init__(self, parts: Sequence[Traffic]) -> None:
        self.parts = parts

    def cells(self, first: int, count: int) -> Amounts:
        counts = np.zeros((len(COLUMNS), count), np.int64)
        for part in self.parts:
            counts[:2] += part.cells(first, count).counts[:2]
        return Amounts(counts=counts, oper_up=np.ones(count, np.bool_))


class Meter:
    """Counts a traffic from an instant on; exact at any instant, never falling.

    Cells are made when first asked for and kept as running totals; within a cell the count grows evenly.
    """

    def __init__(self, traffic: Traffic, begins_ms: int) -> None:
        self.traffic = traffic
        self._first = begins_ms // CELL_MS
        self._totals = np.zeros((len(COLUMNS), 1), np.int64)
        self._oper_up = np.zeros(0, np.bool_)

    def read(self, now_ms: int) -> dict[str, int]:
        """Totals by COLUMNS since the meter's begin (its cell's start); before that 0."""
        cell, offset_ms = divmod(now_ms, CELL_MS)
        position = cell - self._first
        if position < 0:
            return dict.fromkeys(COLUMNS, 0)
        self._reach(position + 1)
        before, after = self._totals[:, position], self._totals[:, position + 1]
        return dict(zip(COLUMNS, (before + (after - before) * offset_ms // CELL_MS).tolist(), strict=True))

    def oper_up(self, now_ms: int) -> bool:
        position = now_ms // CELL_MS - self._first
        self._reach(position + 1)
        return bool(self._oper_up[max(position, 0)])

    def _reach(self, count: int) -> None:
        """Make the first `count` cells, an hour of them at least at a time."""
        have = len(self._oper_up)
        if count <= have:
            return
        more = self.traffic.cells(self._first + have, max(count - have, 60))
        running = self._totals[:, -1:] + np.cumsum(more.counts, axis=1)
        self._totals = np.concatenate((self._totals, running), axis=1)
        self._oper_up = np.concatenate((self._oper_up, more.oper_up))
