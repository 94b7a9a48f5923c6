"""The demand of links that were held back, as the daemon would have given it to the policies at that moment of a replay.

The same fit as the daemon's (`bwmgr.measure.behind`) over the same window. The daemon fits at every run; here a link is fitted
anew after a week, or when the share of time at its limit has moved, since the fits would take longer than all else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

import numpy as np

from bwmgr.backtest.inputs import WINDOW
from bwmgr.backtest.scenario import Scenario
from bwmgr.backtest.seen import Seen
from bwmgr.measure.behind import demand_behind
from bwmgr.measure.calendars import inside, spans
from bwmgr.measure.columns import RATE, Rows
from bwmgr.measure.demand import may_be_held
from bwmgr.model.demand import DemandInterval
from bwmgr.model.inventory import Direction
from bwmgr.model.policy import Usage
from bwmgr.model.usage import LinkHealth

_STANDS_FOR = timedelta(days=7)
_MOVED_RATIO = 0.02


class Demands:
    """Of one replay."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._position = {name: at for at, name in enumerate(scenario.links)}
        self._found: dict[str, tuple[datetime, float, DemandInterval | None]] = {}
        """When each was fitted, at which share of time at the limit, and what came of it."""

    def at(self, seen: Seen, usage: Usage, health: Mapping[str, LinkHealth]) -> Mapping[str, Mapping[Direction, DemandInterval]]:
        """Links that a limit or a queue holds back now, by id; each is fitted when a policy asks for it."""
        return _Held(self, seen, usage, health)

    def interval(self, seen: Seen, name: str, share: float) -> DemandInterval | None:
        """Of one link, at its limit for `share` of the time."""
        known = self._found.get(name)
        if known is not None and seen.now - known[0] < _STANDS_FOR and abs(share - known[1]) < _MOVED_RATIO:
            return known[2]
        inventory = self._scenario.inventory
        calendar, zone = inventory.calendars[inventory.links[name].calendar], inventory.organisation.timezone
        rows = self._rows(seen, self._position[name])
        rows = rows[inside(spans(calendar, zone, seen.now - WINDOW, seen.now), rows["end_ms"])]
        interval = demand_behind(rows, self._scenario.direction, timezone=zone, calendar=calendar)
        self._found[name] = seen.now, share, interval
        return interval

    def _rows(self, seen: Seen, link: int) -> Rows:
        step, way = self._scenario.step_seconds, self._scenario.direction
        first = max(0, seen.step - round(WINDOW.total_seconds() / step))
        rows = np.zeros(seen.step - first, RATE)
        began_ms = round(self._scenario.start.timestamp() * 1000)
        rows["end_ms"] = began_ms + 1000 * step * np.arange(first + 1, seen.step + 1)
        rows[f"{way}_bps"] = seen.usage_bps[link, first:]
        rows[f"{way}_limit_bps"] = seen.limits_bps[link, first:]
        rows[f"{way}_discards_ps"] = seen.discards_ps[link, first:]
        return rows


class _Held(Mapping[str, Mapping[Direction, DemandInterval]]):
    """Those held back at one moment."""

    def __init__(self, demands: Demands, seen: Seen, usage: Usage, health: Mapping[str, LinkHealth]) -> None:
        self._demands, self._seen, self._usage, self._health = demands, seen, usage, health

    def __getitem__(self, name: str) -> Mapping[Direction, DemandInterval]:
        for way, window in self._usage[name].items():
            if may_be_held(window, self._health.get(name)):
                interval = self._demands.interval(self._seen, name, window.saturated_ratio or 0.0)
                if interval is not None:
                    return {way: interval}
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._usage if self.get(name) is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)
