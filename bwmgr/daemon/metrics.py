"""What the daemon says of itself to Prometheus: names are `bwmgr_<component>_<what>_<unit|total>`.

One registry per daemon, made by hand (nothing global), so that tests and a reload start from a clean one.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Mapping
from functools import cached_property

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from bwmgr.daemon.flow_metrics import FlowMetrics
from bwmgr.daemon.influx_service import InfluxMetrics
from bwmgr.daemon.polling import CycleReport, gap_counts
from bwmgr.measure.keeper import RateEventKind
from bwmgr.model.samples import GapReason

_CYCLE_BUCKETS_SECONDS = (0.1, 0.5, 1, 2, 5, 10, 30, 60, 120)
ENFORCEMENT_STATES = ("pending", "stuck")
ENFORCEMENT_OUTCOMES = ("begun", "verified", "rolled_back", "settled")


class Metrics:
    """Updated by the daemon's jobs, read by its HTTP server; the client library makes both safe from any thread."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # else each counter has a `_created` beside, which nobody reads
        self.registry = CollectorRegistry()
        ProcessCollector(namespace="bwmgr", registry=self.registry)
        self._poller_metrics()
        self._store_metrics()
        self._daemon_metrics()

    def _poller_metrics(self) -> None:
        def name(what: str) -> str:
            return f"bwmgr_poller_{what}"

        registry = self.registry
        self.cycles = Counter(name("cycles"), "Cycles done", registry=registry)
        self.cycle_seconds = Histogram(
            name("cycle_seconds"), "Time a cycle took", buckets=_CYCLE_BUCKETS_SECONDS, registry=registry
        )
        self.worked_seconds = Gauge(
            name("worked_seconds"), "Of the last cycle, work or want of a processor: not waiting for devices", registry=registry
        )
        self.last_cycle = Gauge(name("last_cycle_timestamp_seconds"), "When the last cycle started", registry=registry)
        self.devices = Gauge(
            name("devices"), "Devices by whether they answered in the last cycle", ["answered"], registry=registry
        )
        self.links = Gauge(name("links"), "Links in the last cycle: ok, or the gap's reason", ["state"], registry=registry)
        self.drops = Counter(name("replies_dropped"), "Replies dropped, by reason", ["reason"], registry=registry)
        self.events = Counter(name("events"), "Reboots, resets, stuck counters and the like seen", ["event"], registry=registry)
        self.requests = Counter(name("requests"), "SNMP requests sent", registry=registry)
        self.replies = Counter(name("replies"), "SNMP replies that counted", registry=registry)
        for kind in RateEventKind:
            self.events.labels(kind.value)  # so that the first one is an increase, not a new series

    def _store_metrics(self) -> None:
        registry = self.registry
        self.write_seconds = Gauge("bwmgr_store_write_seconds", "Time the last cycle took to commit", registry=registry)
        self.unwritten = Gauge("bwmgr_store_unwritten_batches", "Batches that wait for the store", registry=registry)
        self.lost = Counter("bwmgr_store_lost_batches", "Batches given up: refused, or too many waited", registry=registry)
        self.octets = Gauge("bwmgr_store_octets", "Size of the data folder by part", ["part"], registry=registry)

    def _daemon_metrics(self) -> None:
        registry = self.registry
        self.recommendations = Gauge("bwmgr_engine_recommendations", "Recommendations by status", ["status"], registry=registry)
        self.changes = Gauge(
            "bwmgr_enforcement_changes", "Applied changes: pending their proof, or stuck (cannot be taken back now)", ["state"],
            registry=registry,
        )  # fmt: skip
        self.outcomes = Counter(
            "bwmgr_enforcement_outcomes", "Applied changes by what came of them", ["outcome"], registry=registry
        )
        for state in ENFORCEMENT_STATES:
            self.changes.labels(state).set(0)
        for outcome in ENFORCEMENT_OUTCOMES:
            self.outcomes.labels(outcome)
        self.run_seconds = Gauge("bwmgr_schedule_run_seconds", "Time a job's last run took", ["job"], registry=registry)
        self.jobs = Counter("bwmgr_schedule_trouble", "Runs missed, overlapped or failed", ["job", "what"], registry=registry)
        self.reloads = Counter("bwmgr_config_reloads", "Reloads by result", ["result"], registry=registry)
        self.journal_failures = Counter("bwmgr_journal_failures", "Acts that could not be entered at once", registry=registry)
        self.journal_entries = Gauge("bwmgr_journal_entries", "Number of the journal's last entry, hourly", registry=registry)
        self.journal_problems = Gauge("bwmgr_journal_problems", "Found by the last daily verification", registry=registry)
        self.notices = Gauge("bwmgr_notify_waiting", "Notices that wait for a receiver", ["receiver"], registry=registry)
        self.told = Counter("bwmgr_notify_messages", "Messages by what became of them", ["receiver", "what"], registry=registry)
        self.clock_offset = Gauge("bwmgr_clock_offset_seconds", "Stamps ahead of the stepped-back clock", registry=registry)
        self.clock_steps = Counter("bwmgr_clock_steps", "Steps of the wall clock seen", registry=registry)

    def enforcement(self, figures: Mapping[str, float]) -> None:
        """What one round of verification came to; empty: nothing waited."""
        for state in ENFORCEMENT_STATES:
            self.changes.labels(state).set(figures.get(state, 0))
        for outcome in ENFORCEMENT_OUTCOMES:
            self.outcomes.labels(outcome).inc(figures.get(outcome, 0))

    @cached_property
    def influx(self) -> InfluxMetrics:
        """Of the spool before an InfluxDB; there from the first use on."""
        return InfluxMetrics(self.registry)

    @cached_property
    def flow(self) -> FlowMetrics:
        """Of the flow process; there from the first use on."""
        return FlowMetrics(self.registry)

    def cycle(self, report: CycleReport) -> None:
        """Takes one cycle's figures in."""
        self.cycles.inc()
        self.cycle_seconds.observe(report.duration_seconds)
        self.worked_seconds.set(report.worked_seconds)
        self.last_cycle.set(report.started_at.timestamp())
        self.devices.labels("yes").set(report.answered)
        self.devices.labels("no").set(len(report.devices) - report.answered)
        self._links(report)
        _add(self.drops, report.drops)
        _add(self.events, Tally(event.kind.value for event in report.events))
        self.requests.inc(report.requests)
        self.replies.inc(report.replies)
        self.write_seconds.set(report.write_seconds)
        self.unwritten.set(report.unwritten)
        self.lost.inc(report.lost)

    def notified(self, figures: Mapping[str, float]) -> None:
        """Takes a round of telling people in; keys are `what.receiver`."""
        for key, figure in figures.items():
            what, _, receiver = key.partition(".")
            if what == "waiting":
                self.notices.labels(receiver).set(figure)
            else:
                self.told.labels(receiver, what).inc(figure)

    def text(self) -> bytes:
        """The exposition, as Prometheus scrapes it."""
        return generate_latest(self.registry)

    def _links(self, report: CycleReport) -> None:
        counts = gap_counts(report)
        self.links.labels("ok").set(report.links_ok)
        for reason in GapReason:
            if reason is not GapReason.NONE:
                self.links.labels(reason.name.lower()).set(counts.get(reason, 0))


def _add(counter: Counter, counts: Mapping[str, int]) -> None:
    for label, count in counts.items():
        counter.labels(label).inc(count)
