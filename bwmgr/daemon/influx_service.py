"""The daemon's side of an InfluxDB store, once a cycle: points for dashboards, the spool's metrics, and what people must know.

Owns no thread: the store's own sender brings what waits to the server.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Counter, Gauge

from bwmgr.errors import StoreError

if TYPE_CHECKING:
    from bwmgr.daemon.application import Application
    from bwmgr.daemon.influx_counters import Counters
    from bwmgr.daemon.influx_points import NodeSums
    from bwmgr.daemon.polling import CycleReport
    from bwmgr.stores.influx import SpoolState

_NO_COUNTS = (0, 0, 0)


class InfluxMetrics:
    """Registered only where rates go to an InfluxDB. Counters go on over a reload, which keeps the store open."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def gauge(what: str, text: str) -> Gauge:
            return Gauge(f"bwmgr_influx_{what}", text, registry=registry)

        def counter(what: str, text: str) -> Counter:
            return Counter(f"bwmgr_influx_{what}", text, registry=registry)

        self.segments = gauge("spool_segments", "Batches on the disk that wait for the server")
        self.octets = gauge("spool_octets", "Size of what waits for the server")
        self.oldest = gauge("spool_oldest_seconds", "Age of the oldest batch that waits")
        self.alarm = gauge("alarm", "1: the server refuses us, and only a person can mend it")
        self.dropped = counter("spool_dropped_segments", "Batches given up because too much waited")
        self.refused = counter("refused_lines", "Lines that the server called wrong, put aside in refused.jsonl")
        self.sent = counter("sent_rows", "Rows that the server has taken")
        self._counted = _NO_COUNTS

    def spool(self, state: SpoolState) -> None:
        """Takes the figures of now in."""
        self.segments.set(state.segments)
        self.octets.set(state.octets)
        self.oldest.set(state.oldest_seconds)
        self.alarm.set(state.alarm)
        now = (state.dropped_segments, state.refused_lines, state.sent_rows)
        for counter, before, after in zip((self.dropped, self.refused, self.sent), self._counted, now, strict=True):
            counter.inc(max(0, after - before))
        self._counted = now


class InfluxService:
    """What the daemon does for its InfluxDB after each cycle."""

    def __init__(self, metrics: InfluxMetrics) -> None:
        self._metrics = metrics
        self._nodes: NodeSums | None = None
        self._counters: Counters | None = None

    def cycle(self, application: Application, report: CycleReport, flows: Mapping[str, Any]) -> Iterator[str]:
        """Writes the points of a cycle and updates the metrics; gives what is wrong, in words."""
        from bwmgr.daemon.influx_counters import Counters
        from bwmgr.daemon.influx_points import NodeSums, tell_cycle

        if self._nodes is None or self._nodes.inventory is not application.inventory:
            self._nodes, self._counters = NodeSums(application.inventory), Counters(application.inventory)
        counters = self._counters if application.settings.store.interface_counters else None
        try:
            state = tell_cycle(application.influx, self._nodes, report, flows, counters)
        except StoreError as error:  # the cycle's rates have said so too; these points are not worth waiting for
            yield str(error)
            state = application.influx.spool_state()
        self._metrics.spool(state)
        if state.trouble:
            yield state.trouble
