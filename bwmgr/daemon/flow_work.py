"""The flow collector at work by a plan: its minutes as rows of the store, its view of the moment as the file holds it.

Owns numbers of links and applications that stay the same over reloads, since open minutes are counted by them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from bwmgr.daemon.flow_messages import Minutes, Totals
from bwmgr.daemon.flow_plan import FlowPlan
from bwmgr.daemon.status import rfc3339
from bwmgr.errors import ConfigurationError
from bwmgr.measure.columns import FLOW_SUM, RateBatch
from bwmgr.model.inventory import Direction, Inventory, Link, LinkKind
from collectors.netflow.applications import Names
from collectors.netflow.assignment import Assignment, attribution_of
from collectors.netflow.collector import FlowCollector, FlowFigures
from collectors.netflow.exporters import ExporterFigures, Exporters
from collectors.netflow.lists import Lists
from collectors.netflow.top import By, TopRow, TopSnapshot
from collectors.netflow.usage import UsageRows

CLASSES = ("domestic", "international")
_DIRECTIONS = tuple(str(direction) for direction in Direction)
_MINUTE_MS = 60_000
_DRAIN_SECONDS = 2.0


class FlowWork:
    """One collector. Raises: ConfigurationError where an address cannot be listened on or a list of prefixes is wrong."""

    def __init__(self, plan: FlowPlan, now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000) -> None:
        """`now_ms`: ms since 1970 UTC."""
        self._plan, self._now_ms = plan, now_ms
        self._links: dict[str, int] = {}
        self._names = Names()
        self._lists = Lists(plan.domestic, plan.services)
        self._lists.refresh()
        self._exporters = Exporters(plan.settings.allowed)
        self._assignment = self._assigned()
        self._collector = FlowCollector(plan.settings, self._assignment, self._exporters, now_ms)
        self._collector.speeds = plan.speeds
        self._learnt = 0
        self._series: dict[int, str] = {}
        self._top: TopSnapshot | None = None

    @property
    def addresses(self) -> tuple[tuple[str, int], ...]:
        """Where it listens."""
        return tuple(self._collector.receiver.addresses)

    def step(self, patience_seconds: float) -> int:
        """Receives and adds up one batch; gives how many flows it had."""
        return self._collector.step(patience_seconds)

    def drain(self) -> None:
        """Takes in what has already arrived."""
        until = time.monotonic() + _DRAIN_SECONDS
        received = -1
        while received != self._datagrams() and time.monotonic() < until:
            received = self._datagrams()
            self._collector.step(0.0)

    def follow(self, plan: FlowPlan) -> bool:
        """Goes on by another plan; what was counted in open minutes stays. True: the collector is a new one, and knows nothing
        of them.

        Raises: ConfigurationError as when made; the plan before then stays in force.
        """
        before, lists = self._plan, self._lists
        self._plan, self._lists = plan, Lists(plan.domestic, plan.services)
        try:
            self._lists.refresh()
            if plan.settings != before.settings:
                self._begin_anew(before)
                return True
            self._reassign()
        except ConfigurationError:
            self._plan, self._lists = before, lists
            raise
        return False

    def refresh(self) -> str:
        """Reads lists of prefixes that changed, takes in names that exporters told. The mistakes in a list, else empty."""
        problem = ""
        try:
            changed = self._lists.refresh()
        except ConfigurationError as error:
            changed, problem = False, str(error)
        if changed or self._collector.learnt.version != self._learnt:
            self._reassign()
        return problem

    def minutes(self, until_seconds: float) -> Minutes:
        """The minutes that ended before `until_seconds` (since 1970 UTC), with all that came late for earlier ones."""
        problem = self.refresh()
        figures = self._collector.figures()  # before the minute is closed: that begins the exporters' longest flows anew
        usage = self._collector.close_minutes(round(until_seconds * 1000))
        return Minutes(rows=self._rows(usage), own=usage.own, totals=_totals(figures), snapshot=self._snapshot(figures, problem))

    def close(self) -> None:
        self._collector.close()

    def _datagrams(self) -> int:
        return self._collector.figures().datagrams

    def _begin_anew(self, before: FlowPlan) -> None:
        self._collector.close()
        exporters, assignment = self._exporters, self._assignment
        try:
            self._start()
        except ConfigurationError:
            self._exporters, self._assignment = exporters, assignment
            self._collector = FlowCollector(before.settings, assignment, exporters, self._now_ms)
            self._collector.speeds = before.speeds
            raise

    def _start(self) -> None:
        self._exporters = Exporters(self._plan.settings.allowed)
        self._assignment = self._assigned()
        self._collector = FlowCollector(self._plan.settings, self._assignment, self._exporters, self._now_ms)
        self._collector.speeds = self._plan.speeds
        self._top = None

    def _reassign(self) -> None:
        self._collector.speeds = self._plan.speeds
        self._assignment = self._assigned()
        self._collector.assign(self._assignment)

    def _assigned(self) -> Assignment:
        collector = getattr(self, "_collector", None)
        learnt = collector.learnt if collector is not None else None
        self._learnt = learnt.version if learnt is not None else 0
        return attribution_of(
            self._numbered(self._plan.inventory),
            self._exporters,
            self._lists.prefixes,
            self._plan.indexes,
            exported=learnt.all_applications() if learnt is not None else None,
            systems=self._lists.systems,
            names=self._names,
            resolve=lambda host: (host,) if host in self._plan.devices else (),
        )

    def _numbered(self, inventory: Inventory) -> Inventory:
        """Links in the order of their numbers: those that are gone keep theirs, without networks."""
        for link in inventory.links:
            self._links.setdefault(link, len(self._links))
        gone = {link: Link(id=link, name=link, kind=LinkKind.OPD) for link in self._links if link not in inventory.links}
        return replace(inventory, links={link: gone.get(link) or inventory.links[link] for link in self._links})

    def _rows(self, usage: UsageRows) -> RateBatch:
        keys = (usage.link << 14) | (usage.application << 2) | (usage.direction << 1) | usage.traffic_class
        distinct, series = np.unique(keys, return_inverse=True)
        rows = np.zeros(len(usage), FLOW_SUM)
        rows["series"] = series
        rows["end_ms"] = (usage.minute + 1) * _MINUTE_MS
        for column in ("octets", "packets", "flows"):
            rows[column] = getattr(usage, column)
        rows["sampled"] = usage.sampled
        return RateBatch(series=tuple(self._name(key) for key in distinct.tolist()), rows=rows)

    def _name(self, key: int) -> str:
        """`link|direction|application|class`."""
        if key not in self._series:
            parts = (
                self._assignment.links[key >> 14],
                _DIRECTIONS[key >> 1 & 1],
                self._names.name(key >> 2 & 0xFFF),
                CLASSES[key & 1],
            )
            self._series[key] = "|".join(parts)
        return self._series[key]

    # the view of the moment

    def _snapshot(self, figures: FlowFigures, problem: str) -> dict[str, Any]:
        now_ms = self._now_ms()
        for finished in self._collector.close_tops(now_ms):
            self._top = finished
        top = self._top or self._collector.top.snapshot(now_ms)
        return {
            "at": _instant(now_ms),
            "listening": [f"{host} port {port}" for host, port in self.addresses],
            "problem": problem,
            "figures": {
                name: getattr(figures, name)
                for name in ("datagrams", "flows", "dropped", "refused", "cut", "raw_dropped", "templates", "early_octets")
            },
            "problems": dict(figures.problems),
            "unattributed": dict(figures.unattributed),
            "exporters": [self._exporter(one) for one in figures.exporters if one.last_ms],
            "top": self._tops(top),
        }

    def _exporter(self, one: ExporterFigures) -> dict[str, Any]:
        return {
            "address": one.address,
            "device": self._plan.devices.get(one.address),
            "datagrams": one.datagrams,
            "octets": one.octets,
            "flows": one.flows,
            "unknown_sampling_flows": one.unknown_sampling_flows,
            "lost": one.lost,
            "early": one.early,
            "templates": one.templates,
            "restarts": one.restarts,
            "longest_seconds": one.longest_seconds,
            "clock_seconds": one.clock_seconds,
            "last_at": _instant(one.last_ms) if one.last_ms else None,
            "last_ms": one.last_ms,
            "problems": dict(one.problems),
        }

    def _tops(self, top: TopSnapshot) -> dict[str, Any]:
        seconds = (top.end_ms - top.start_ms) / 1000
        found: dict[str, dict[str, dict[str, list[dict[str, Any]]]]] = {}
        for by in By:
            for link, direction in _places(top, by):
                name, side = self._assignment.links[link], _DIRECTIONS[direction]
                rows = [self._top_row(by, row) for row in top.top(link, by, direction)]
                found.setdefault(name, {}).setdefault(by.name.lower(), {})[side] = rows
        return {
            "start": _instant(top.start_ms),
            "end": _instant(top.end_ms),
            "seconds": seconds,
            "approximate": top.approximate,
            "error_octets": top.error_octets,
            "links": found,
        }

    def _top_row(self, by: By, row: TopRow) -> dict[str, Any]:
        match by:
            case By.APPLICATION:
                named: dict[str, Any] = {"application": self._names.name(row.number)}
            case By.ASN:
                named = {"asn": row.number}
            case _:
                named = {"host": row.host, **({"remote": row.remote} if row.remote else {})}
        return {**named, "octets": row.octets, "share_ratio": round(row.share_ratio, 6)}


def _places(top: TopSnapshot, by: By) -> Iterable[tuple[int, int]]:
    chosen = top.by == by
    places = np.unique(top.link[chosen].astype(np.int64) << 1 | top.direction[chosen])
    return ((place >> 1, place & 1) for place in places.tolist())


def _totals(figures: FlowFigures) -> Totals:
    every: Iterable[ExporterFigures] = figures.exporters
    unattributed: Mapping[str, int] = figures.unattributed
    return Totals(
        datagrams=figures.datagrams,
        octets=sum(one.octets for one in every),
        flows=figures.flows,
        lost=sum(one.lost for one in every),
        refused=figures.refused,
        socket_drops=figures.dropped,
        cpu_seconds=time.process_time(),
        problems=dict(figures.problems),
        unattributed=dict(unattributed),
    )


def _instant(at_ms: int) -> str:
    return rfc3339(datetime.fromtimestamp(at_ms / 1000, UTC))
