"""From what was seen in a replay to what a policy is given: the windows that the daemon would have gathered at that moment.

Vectorised over links. The same definitions as `bwmgr.measure.windows`: nearest-rank percentile over the samples of the link's
calendar, saturated from 95 % of the limit in force then.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from bwmgr.allocate.arrays import Floats, Indexes
from bwmgr.backtest.scenario import Scenario
from bwmgr.backtest.seen import Seen
from bwmgr.model.inventory import Direction
from bwmgr.model.policy import NodeLoad, Usage
from bwmgr.model.usage import LinkHealth, UsageWindow

WINDOW = timedelta(days=28)
RECENT = timedelta(hours=12)
HEALTH = timedelta(days=3)
_HOUR = timedelta(hours=1)
_PERCENTILE = 95.0
_SATURATED = 0.95
_LOAD_SECONDS = 900
"""Dimensioning looks at no shorter peaks, as in the daemon."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What the windows say at one instant."""

    usage: Usage
    recent: Usage
    health: Mapping[str, LinkHealth]
    node_load: Mapping[str, Mapping[Direction, NodeLoad]]
    node_recent: Mapping[str, Mapping[Direction, tuple[float, ...]]]
    latest: Mapping[str, Mapping[Direction, float]]


class Measuring:
    """Cuts windows out of what was seen."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario, self._nodes = scenario, tuple(scenario.inventory.nodes)
        links = list(scenario.inventory.links.values())
        below = [np.flatnonzero((scenario.shape.paths == node).any(axis=0)) for node in range(len(self._nodes))]
        self._calendars = [sorted({links[at].calendar for at in members.tolist()}) for members in below]
        self._of_calendar: dict[str, list[int]] = {}
        for position, link in enumerate(links):
            self._of_calendar.setdefault(link.calendar, []).append(position)

    def at(self, seen: Seen) -> Measured:
        """Everything up to now."""
        scenario, way = self._scenario, self._scenario.direction
        usage: dict[str, Mapping[Direction, UsageWindow]] = {}
        for calendar, positions in self._of_calendar.items():
            usage |= self._windows(seen, WINDOW, calendar, np.array(positions, np.intp))
        recent = self._windows(seen, RECENT, "always", np.arange(len(scenario.links), dtype=np.intp))
        hour = self._first(seen, _HOUR)
        loads = {name: load for node, name in enumerate(self._nodes) if (load := self._load(seen, node)) is not None}
        return Measured(
            usage=usage,
            recent=recent,
            health=self._health(seen),
            node_load={name: {way: load} for name, load in loads.items()},
            node_recent={name: {way: tuple(seen.node_bps[at, hour:].tolist())} for at, name in enumerate(self._nodes)},
            latest=dict(zip(scenario.links, ({way: rate} for rate in seen.usage_bps[:, -1].tolist()), strict=True)),
        )

    def _first(self, seen: Seen, span: timedelta) -> int:
        """The first step of the last `span`."""
        return max(0, seen.step - max(1, round(span.total_seconds() / self._scenario.step_seconds)))

    def _open(self, calendar: str, first: int, last: int) -> slice | Indexes:
        """Which steps of [first, last) lie in the calendar."""
        inside = self._scenario.open_steps.get(calendar)
        if inside is None or inside[first:last].all():
            return slice(first, last)
        return first + np.flatnonzero(inside[first:last])

    def _windows(self, seen: Seen, span: timedelta, calendar: str, links: Indexes) -> dict[str, Mapping[Direction, UsageWindow]]:
        first = self._first(seen, span)
        steps = self._open(calendar, first, seen.step)
        rates, limits = seen.usage_bps[links][:, steps], seen.limits_bps[links][:, steps]
        if not rates.shape[1]:
            return {}
        found = zip(_figures(rates), _saturated(rates, limits), links.tolist(), strict=True)
        return {
            name: {self._scenario.direction: self._window(seen, first, calendar, name, figures, share, rates.shape[1])}
            for figures, share, at in found
            for name in [self._scenario.links[at]]
        }

    def _window(
        self,
        seen: Seen,
        first: int,
        calendar: str,
        name: str,
        figures: tuple[float, float, float],
        share: float | None,
        samples: int,
    ) -> UsageWindow:
        mean, percentile, most = figures
        return UsageWindow(
            link=name,
            direction=self._scenario.direction,
            start=self._scenario.at(first),
            end=seen.now,
            calendar=calendar,
            samples=samples,
            octets=round(mean * samples * self._scenario.step_seconds / 8),
            mean_bps=mean,
            p95_bps=percentile,
            max_bps=most,
            coverage_ratio=1.0,
            saturated_ratio=share,
        )

    def _health(self, seen: Seen) -> dict[str, LinkHealth]:
        first, way = self._first(seen, HEALTH), self._scenario.direction
        dropped = seen.discards_ps[:, first:].mean(axis=1).tolist()
        return {
            name: LinkHealth(link=name, readings=seen.step - first, discards_ps={way: rate})
            for name, rate in zip(self._scenario.links, dropped, strict=True)
        }

    def _load(self, seen: Seen, node: int) -> NodeLoad | None:
        """The highest percentile of the sum over the calendars of the links below."""
        first, name, found = self._first(seen, WINDOW), self._nodes[node], []
        grid = max(1, _LOAD_SECONDS // self._scenario.step_seconds)
        for calendar in self._calendars[node]:
            rates = seen.node_bps[node][self._open(calendar, first, seen.step)]
            rates = rates[: len(rates) // grid * grid].reshape(-1, grid).mean(axis=1)
            if len(rates):
                found.append(self._window(seen, first, calendar, name, _figures(rates[None])[0], None, len(rates)))
        return NodeLoad(window=max(found, key=lambda window: window.p95_bps or 0.0)) if found else None


def _figures(rates: Floats) -> list[tuple[float, float, float]]:
    """Mean, percentile (nearest rank) and maximum of each row."""
    rank = math.ceil(_PERCENTILE / 100 * rates.shape[1]) - 1
    percentile = np.partition(rates, rank, axis=1)[:, rank]
    return list(zip(rates.mean(axis=1).tolist(), percentile.tolist(), rates.max(axis=1).tolist(), strict=True))


def _saturated(rates: Floats, limits: Floats) -> list[float | None]:
    """Of each row the share of samples at 95 % of the limit or more; None where no limit was in force at any time."""
    shares: list[float] = np.mean(rates >= _SATURATED * limits, axis=1).tolist()
    limited: list[bool] = np.any(np.isfinite(limits), axis=1).tolist()
    return [share if known else None for share, known in zip(shares, limited, strict=True)]
