"""What the daemon writes to InfluxDB beside rates and flows, for dashboards: recommendations, node sums, poller and collector.

Owns which figures they hold (INTERFACE: InfluxDB schema). Nothing here is read back: the queue is SQLite's, sums are made anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from bwmgr.model.decision import Recommendation, Status, StatusChange
from bwmgr.model.inventory import Direction, Inventory, Node
from bwmgr.stores.influx.points import point

if TYPE_CHECKING:
    from bwmgr.daemon.influx_counters import Counters
    from bwmgr.daemon.polling import CycleReport
    from bwmgr.language import Words
    from bwmgr.measure.columns import RateBatch
    from bwmgr.stores.influx import InfluxStore, SpoolState
    from bwmgr.stores.state import StateStore

_KEPT_DAYS = 90
"""Recommendations older than this are written no more: each run writes all younger ones again, to the same points."""


def tell_recommendations(store: InfluxStore, state: StateStore, words: Words, now: datetime) -> None:
    """Every step of every young recommendation, as a point at the step's time. Raises: StoreUnavailable."""
    young = [entry for entry in state.recommendations() if (now - entry.created_at).days < _KEPT_DAYS]
    store.write_lines(b"".join(line for entry in young for line in _steps(entry, state.changes(entry.id), words)))


def tell_cycle(
    store: InfluxStore, nodes: NodeSums, report: CycleReport, flows: Mapping[str, Any], counters: Counters | None = None
) -> SpoolState:
    """One cycle's own figures, what its rates come to by node, and the raw counters where `counters` is given. `flows`: its
    service's facts. Gives what waited before it. Raises: StoreUnavailable, StoreRejected."""
    spool = store.spool_state()
    lines = [_poller(report, spool), _collector(report), _flows(flows, report.started_at)]
    if report.rates is not None:
        lines += nodes.points(report.rates, report.started_at)
    if counters is not None:
        lines.append(counters.points(report))
    store.write_lines(b"".join(lines))
    return spool


class NodeSums:
    """Sums of link rates by node of one inventory; which link counts where is worked out once."""

    def __init__(self, inventory: Inventory) -> None:
        self.inventory = inventory
        self._series: tuple[str, ...] = ()
        self._member = self._node = np.empty(0, np.int64)

    def points(self, batch: RateBatch, at: datetime) -> Iterator[bytes]:
        """By node and direction: the rates of all links below it that have one, and how many those are."""
        self._place(batch.series)
        row_of = np.full(len(batch.series), -1)
        row_of[batch.rows["series"]] = np.arange(len(batch.rows))
        rows = row_of[self._member]
        known = (rows >= 0) & (batch.rows["reason"][rows] == 0)
        every, of_node = (np.bincount(where, minlength=len(self.inventory.nodes)) for where in (self._node, self._node[known]))
        for direction in Direction:
            rates = batch.rows[f"{direction}_bps"][rows[known]]
            sums = np.bincount(self._node[known], weights=rates, minlength=len(self.inventory.nodes))
            for node, total, measured, links in zip(self.inventory.nodes.values(), sums, of_node, every, strict=True):
                if measured:
                    yield _node_point(node, direction, float(total), int(measured), int(links), at)

    def _place(self, series: tuple[str, ...]) -> None:
        if series == self._series:
            return
        place = {node: position for position, node in enumerate(self.inventory.nodes)}
        pairs = [
            (position, place[node.id])
            for position, name in enumerate(series)
            for node in self.inventory.ancestors(self.inventory.links[name].parent)
        ]
        self._member, self._node = np.array(pairs, np.int64).reshape(-1, 2).T
        self._series = series


def _node_point(node: Node, direction: Direction, total: float, measured: int, links: int, at: datetime) -> bytes:
    capacity = node.capacity[direction]
    fields = {
        "rate_bps": total,
        "capacity_bps": float(capacity) if capacity else None,
        "utilisation": total / capacity if capacity else None,
        "links_measured": measured,
        "links": links,
    }
    return point("node_usage", {"node": node.id, "direction": str(direction)}, fields, at)


def _steps(entry: Recommendation, changes: Iterable[StatusChange], words: Words) -> Iterator[bytes]:
    yield _recommendation(entry, Status.PROPOSED, entry.created_at, words)
    for change in changes:
        yield _recommendation(entry, change.status, change.at, words)


def _recommendation(entry: Recommendation, status: Status, at: datetime, words: Words) -> bytes:
    tags = {
        "link": entry.link,
        "direction": str(entry.direction),
        "policy": entry.policy,
        "action": str(entry.action),
        "status": str(status),
    }
    fields = {
        "id": entry.id,
        "current_mir_bps": entry.current.mir_bps,
        "proposed_mir_bps": entry.proposed.mir_bps,
        "proposed_cir_bps": entry.proposed.cir_bps,
        "reason": words.reason(entry.reason),
        "expected": _expected(entry, words),
    }
    return point("recommendation", tags, fields, at)


def _expected(entry: Recommendation, words: Words) -> str:
    ratio = entry.expected.satisfaction_ratio
    return words.text("{satisfaction_ratio} of demand satisfied", satisfaction_ratio=ratio) if ratio is not None else ""


def _poller(report: CycleReport, spool: SpoolState) -> bytes:
    """With what waits on the disk for the server: told while it waits, and seen once the server takes it."""
    fields = {
        "at_s": int(report.started_at.timestamp()),  # InfluxQL has no clock to reckon with: alert rules take this one
        "duration_s": report.duration_seconds,
        "worked_s": report.worked_seconds,
        "write_s": report.write_seconds,
        "devices": len(report.devices),
        "answered": report.answered,
        "links_ok": report.links_ok,
        "gaps": len(report.gaps),
        "events": len(report.events),
        "unwritten_batches": report.unwritten,
        "lost_batches": report.lost,
        "spool_segments": spool.segments,
        "spool_octets": spool.octets,
        "spool_oldest_s": spool.oldest_seconds,
        "spool_dropped": spool.dropped_segments,
        "refused_lines": spool.refused_lines,
    }
    return point("poller", {"job": "poll"}, fields, report.started_at)


def _collector(report: CycleReport) -> bytes:
    fields = {"requests": report.requests, "replies": report.replies, "dropped": sum(report.drops.values())}
    return point("collector", {"job": "snmp"}, fields, report.started_at)


def _flows(facts: Mapping[str, Any], at: datetime) -> bytes:
    """Counts since the flow process began."""
    names = {"exporters": "flow_exporters", "datagrams": "flow_datagrams", "lost": "flow_lost"}
    return point("collector", {"job": "flows"}, {field: facts.get(name) for field, name in names.items()}, at)
