"""What the daemon says of its flows to Prometheus. Owns the names; counters go on over a restart of the flow process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge

from bwmgr.daemon.flow_messages import Totals


class FlowMetrics:
    """Registered only where flows are received."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(what: str, text: str, *labels: str) -> Counter:
            return Counter(f"bwmgr_flow_{what}", text, labels, registry=registry)

        def gauge(what: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"bwmgr_flow_{what}", text, labels, registry=registry)

        self.datagrams = counter("datagrams", "Datagrams received")
        self.octets = counter("octets", "Octets of datagrams received")
        self.records = counter("records", "Flows decoded")
        self.lost = counter("datagrams_lost", "Sequence gaps, in units of each protocol, and socket drops")
        self.socket_drops = counter("socket_drops", "Datagrams that the kernel dropped because its buffer was full")
        self.refused = counter("datagrams_refused", "Datagrams from addresses that may not send")
        self.problems = counter("problems", "What could not be decoded, by reason", "reason")
        self.unattributed = counter("unattributed", "Flows and octets of no link, by what", "what")
        self.cpu = counter("cpu_seconds", "CPU time of the flow process")
        self.restarts = counter("restarts", "Times that the flow process ended unasked")
        self.rows = counter("rows_written", "Rows of flow_usage handed to the store")
        self.exporters = gauge("exporters", "Exporters seen since the start of the flow process")
        self.exporter_lost = gauge("exporter_lost", "Lost units by exporter", "exporter")
        self.exporter_last = gauge("exporter_last_timestamp_seconds", "When an exporter last sent anything", "exporter")
        self.write_seconds = gauge("write_seconds", "Time the last minute took to commit")
        self.unwritten = gauge("unwritten_batches", "Batches of minutes that wait for the store")

    def totals(self, before: Totals, now: Totals) -> None:
        """Adds what has come since."""
        for counter, name in (
            (self.datagrams, "datagrams"),
            (self.octets, "octets"),
            (self.records, "flows"),
            (self.refused, "refused"),
            (self.socket_drops, "socket_drops"),
            (self.cpu, "cpu_seconds"),
        ):
            counter.inc(max(0, getattr(now, name) - getattr(before, name)))
        self.lost.inc(max(0, now.lost + now.socket_drops - before.lost - before.socket_drops))
        for labelled, now_by, before_by in (
            (self.problems, now.problems, before.problems),
            (self.unattributed, now.unattributed, before.unattributed),
        ):
            for label, figure in now_by.items():
                labelled.labels(label).inc(max(0, figure - before_by.get(label, 0)))

    def written(self, snapshot: Mapping[str, Any], rows: int, seconds: float, unwritten: int) -> None:
        """After a minute was handed to the store."""
        self.rows.inc(rows)
        self.write_seconds.set(seconds)
        self.unwritten.set(unwritten)
        exporters = snapshot.get("exporters", [])
        self.exporters.set(len(exporters))
        for one in exporters:
            self.exporter_lost.labels(one["address"]).set(one["lost"])
            self.exporter_last.labels(one["address"]).set(one["last_ms"] / 1000)
