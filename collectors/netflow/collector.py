"""The flow collector: datagrams from the network in, usage by link and minute out, and who used it.

Joins the parts of this package; owns their order and what operators see of it. Threads, schedules and stores belong to the
daemon: `step` takes one batch and may be called from a thread of its own (`run`), everything else takes a lock against it for
moments. Where one core is not enough, several processes share the addresses (`FlowSettings.sharers`): the kernel gives each
exporter to one of them, and the rows of all add up.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from collectors.netflow.assignment import Assignment
from collectors.netflow.batch import Datagrams
from collectors.netflow.columns import Flows
from collectors.netflow.decoder import ColumnDecoder
from collectors.netflow.exporters import ExporterFigures, Exporters
from collectors.netflow.learnt import Learnt
from collectors.netflow.raw import RawFlows
from collectors.netflow.receive import Receiver
from collectors.netflow.settings import FlowSettings
from collectors.netflow.top import Top, TopSnapshot
from collectors.netflow.usage import UsageRows, UsageTable
from collectors.netflow.work import Batch
from collectors.udp import Received

_SLACK_SECONDS = 1.0
"""Clocks of flows have steps: what a link carries in this much more time is still believed."""


@dataclass(frozen=True, kw_only=True)
class FlowFigures:
    """Since the start, but for what names a minute. `dropped` and `refused` are datagrams."""

    batches: int
    datagrams: int
    flows: int
    dropped: int
    """By the kernel, for want of buffer."""
    refused: int
    """From addresses that may not send."""
    cut: int
    """Longer than 9,216 octets."""
    raw_dropped: int
    """Flows not kept as raw ones, because the disk was too slow."""
    templates: int
    early_octets: int
    """Data that wait for their template."""
    problems: Mapping[str, int] = field(default_factory=dict)
    unattributed: Mapping[str, int] = field(default_factory=dict)
    exporters: tuple[ExporterFigures, ...] = ()


class FlowCollector:
    """`exporters` are those that `assignment` was made with."""

    def __init__(
        self,
        settings: FlowSettings,
        assignment: Assignment,
        exporters: Exporters,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        """`now_ms`: ms since 1970 UTC. Raises: ConfigurationError where an address cannot be listened on."""
        self.settings = settings
        self.assignment = assignment
        self.exporters = exporters
        self.speeds: Mapping[str, float] = {}
        """Bit/s by exporter address that beat `settings.fastest_bps`; exchanged at any time."""
        self.learnt = Learnt()
        self.top = Top(interval_seconds=settings.top_seconds, most=settings.top_keys)
        self.receiver = Receiver(settings.listen, buffer_octets=settings.buffer_octets, sharers=settings.sharers)
        self._decoder = ColumnDecoder(exporters.names, overrides=settings.sampling, limits=settings.templates)
        self._usage = UsageTable(
            assignment.attribution,
            assignment.own_exporter,
            keep_minutes=settings.keep_minutes,
            most=settings.usage_keys,
            disjoint=settings.disjoint,
        )
        self._raw = None if settings.raw is None else RawFlows(settings.raw)
        self._lock = threading.Lock()
        self._now_ms = now_ms
        self._problems: Counter[str] = Counter()
        self._batches = self._datagrams = self._flows = self._dropped = self._cut = 0

    def step(self, patience_seconds: float = 0.5) -> int:
        """Receives one batch and adds it up; returns how many flows it had. Waits at most `patience_seconds` for the first."""
        received = self.receiver.receive(patience_seconds)
        if not len(received.start):
            return 0
        with self._lock:
            return self._take(received, self._now_ms())

    def run(self, stop: threading.Event) -> None:
        """Steps until `stop` is set."""
        while not stop.is_set():
            self.step()

    def close_minutes(self, now_ms: int) -> UsageRows:
        """Usage of the minutes that ended, or that late flows changed; see `UsageTable.close`."""
        with self._lock:
            rows = self._usage.close(now_ms)
            self.exporters.begin_minute()
            if self._raw is not None:
                self._raw.rotate(now_ms)
            return rows

    def close_tops(self, now_ms: int) -> list[TopSnapshot]:
        """The largest of the intervals that ended since the last call."""
        with self._lock:
            return self.top.close(now_ms)

    def assign(self, assignment: Assignment) -> None:
        """Another inventory, or other lists of prefixes, from the next batch on; numbers of links must not have moved within the
        minutes that are open: call `close_minutes` before."""
        with self._lock:
            self.assignment = assignment
            self._usage.assign(assignment.attribution, assignment.own_exporter)

    def figures(self) -> FlowFigures:
        """What happened so far."""
        with self._lock:
            self._dropped += self.receiver.newly_dropped()
            return FlowFigures(
                batches=self._batches,
                datagrams=self._datagrams,
                flows=self._flows,
                dropped=self._dropped,
                refused=self.exporters.refused,
                cut=self._cut,
                raw_dropped=0 if self._raw is None else self._raw.dropped,
                templates=len(self._decoder.templates),
                early_octets=self._decoder.templates.early_octets,
                problems=dict(self._problems),
                unattributed=dict(self._usage.unattributed),
                exporters=tuple(self.exporters.figures()),
            )

    def close(self) -> None:
        """Closes the sockets and writes the raw flows that wait."""
        self.receiver.close()
        if self._raw is not None:
            self._raw.close()

    def _take(self, received: Received, now_ms: int) -> int:
        exporter = self.exporters.numbers(received.source, received.length, now_ms)
        good = (exporter >= 0) & ~received.cut
        self._batches += 1
        self._datagrams += len(good)
        self._cut += int(received.cut.sum())
        datagrams = Datagrams(buffer=received.buffer, start=received.start, length=received.length, exporter=exporter)
        if not good.all():
            datagrams = Datagrams(
                buffer=received.buffer,
                start=received.start[good],
                length=received.length[good],
                exporter=exporter[good],
            )
        batch = self._decoder.decode(datagrams, now_ms)
        self._problems.update(batch.problems)
        self.exporters.take(batch)
        self._learn(batch)
        return sum(self._add(flows, now_ms) for flows in batch.flows if len(flows))

    def _learn(self, batch: Batch) -> None:
        for record in batch.options:
            self.learnt.learn(record)

    def _add(self, flows: Flows, now_ms: int) -> int:
        flows = self._possible(flows)
        if not len(flows):
            return 0
        self._flows += len(flows)
        self.exporters.take_flows(flows.exporter, flows.rate, flows.end_ms - flows.start_ms)
        for counted, side in self._usage.add(flows, now_ms):
            self.top.add(counted, side, now_ms)
        if self._raw is not None:
            self._raw.add(flows, self.exporters.names, now_ms)
        return len(flows)

    def _possible(self, flows: Flows) -> Flows:
        """Without flows of more octets than the exporter's fastest interface carries in their time (fastnetmon issue 1000)."""
        speeds = self.speeds
        slowest = min((self.settings.fastest_bps, *speeds.values()))
        if int(flows.octets.max()) * 8 <= slowest * _SLACK_SECONDS:
            return flows
        speed = np.full(len(self.exporters.names), self.settings.fastest_bps, np.float64)
        for address, bps in speeds.items():
            number = self.exporters.number(address)
            if 0 <= number < len(speed):
                speed[number] = bps
        seconds = (flows.end_ms - flows.start_ms) / 1000 + _SLACK_SECONDS
        impossible = flows.octets * 8.0 > speed[flows.exporter] * seconds
        if not impossible.any():
            return flows
        self.exporters.problem("impossible_octets", flows.exporter[impossible])
        self._problems["impossible_octets"] += int(impossible.sum())
        return flows.where(~impossible)
