"""The daemon: starts the jobs, listens to signals, tells systemd, and ends cleanly.

Jobs (each on its own grid and worker): `poll`, `recommend`, `compact`, `report`. SIGTERM and SIGINT let a cycle under way end and
write everything down; SIGHUP loads the configuration whole, or keeps the old one and logs every mistake. The watchdog is fed only
while polling is alive.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from types import FrameType
from typing import Any

import structlog
from sdnotify import SystemdNotifier

from bwmgr.config.settings import Settings
from bwmgr.daemon.advice import advise
from bwmgr.daemon.application import Application
from bwmgr.daemon.health import HealthServer
from bwmgr.daemon.logs import Repeats
from bwmgr.daemon.metrics import Metrics
from bwmgr.daemon.polling import CycleReport, Poller
from bwmgr.daemon.publish import publish_overview
from bwmgr.daemon.schedule import Job, Schedule
from bwmgr.daemon.status import rfc3339
from bwmgr.errors import ConfigurationError
from bwmgr.stores.embedded import Retention

log = structlog.get_logger()

_TICK_SECONDS = 1.0
_COMPACT_SECONDS = 3600.0
_EXPIRE = timedelta(days=1)


class Service:
    """One run of the daemon. `load` gives the configuration anew at SIGHUP."""

    def __init__(self, application: Application, load: Callable[[], Settings]) -> None:
        self._application = application
        self._load = load
        self._metrics = Metrics()
        self._repeats = Repeats()
        self._poller: Poller = application.poller()
        self._polling = threading.Lock()
        self._schedule = Schedule(self._trouble)
        self._notifier = SystemdNotifier()
        self._wake = threading.Event()
        self._stop = self._reload = False
        self._last_report: CycleReport | None = None
        self._last_alive = time.monotonic()

    def run(self) -> None:
        """Until SIGTERM or SIGINT. Call from the main thread."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._signalled)
        health = self._health_server()
        self._plan()
        self._schedule.start()
        self._notify("READY=1")
        log.info("daemon started", pid=os.getpid(), links=len(self._application.inventory.links))
        try:
            self._loop()
        finally:
            self._notify("STOPPING=1")
            self._end(health)

    def _loop(self) -> None:
        while not self._stop:
            self._wake.wait(_TICK_SECONDS)
            self._wake.clear()
            if step := self._schedule.guard():
                self._metrics.clock_steps.inc()
                log.warning("wall clock was stepped", step_seconds=round(step, 3))
            if self._reload:
                self._reload = False
                self._reload_configuration()
            self._feed_watchdog()

    def _end(self, health: HealthServer | None) -> None:
        self._schedule.stop()
        with self._polling:
            waiting = self._poller.flush()
            self._poller.close()
        if health is not None:
            health.close()
        self._application.close()
        log.info("daemon stopped", unwritten_batches=waiting)

    def _health_server(self) -> HealthServer | None:
        listen = self._application.settings.daemon.metrics
        return HealthServer(listen, self._metrics_text, self.health) if listen else None

    def _plan(self) -> None:
        settings = self._application.settings
        interval = settings.snmp.interval_seconds
        daemon = settings.daemon
        self._schedule.add(Job(name="poll", run=self._poll, interval_seconds=interval))
        self._schedule.add(
            Job(
                name="recommend",
                run=self._recommend,
                interval_seconds=daemon.recommend_every_seconds,
                first_seconds=min(2 * interval + 1, daemon.recommend_every_seconds),
            )
        )
        self._schedule.add(Job(name="compact", run=self._compact, interval_seconds=_COMPACT_SECONDS, first_seconds=30))
        if daemon.report_every_seconds:
            self._schedule.add(
                Job(name="report", run=self._report, interval_seconds=daemon.report_every_seconds, first_seconds=3 * interval + 1)
            )
        else:
            self._schedule.remove("report")

    def _poll(self) -> None:
        with self._polling:
            report = self._poller.cycle(paced=True)
        self._last_report, self._last_alive = report, time.monotonic()
        self._metrics.cycle(report)
        self._metrics.clock_offset.set(getattr(self._application.clock, "offset_seconds", lambda: 0.0)())
        self._log_cycle(report)

    def _log_cycle(self, report: CycleReport) -> None:
        interval = self._application.settings.snmp.interval_seconds
        log.debug("cycle done", answered=report.answered, links_ok=report.links_ok, duration_seconds=report.duration_seconds)
        if report.duration_seconds > interval:
            self._warn("cycle outlasted its interval", "poll", duration_seconds=round(report.duration_seconds, 2))
        for outcome in report.devices:
            if outcome.answered:
                if self._repeats.forget("device does not answer", outcome.device):
                    log.info("device answers again", device=outcome.device)
            else:
                self._warn("device does not answer", outcome.device, reason=outcome.reason.name.lower(), detail=outcome.detail)
        if report.unwritten:
            self._warn("store takes nothing", "store", unwritten_batches=report.unwritten, lost=report.lost)

    def _recommend(self) -> None:
        began = time.monotonic()
        advice = advise(self._application, self._application.clock.now())
        self._metrics.engine_seconds.set(time.monotonic() - began)
        for status, count in advice.counts.items():
            self._metrics.recommendations.labels(status).set(count)
        log.info("policies ran", recommendations=len(advice.recommendations), holds=len(advice.holds))

    def _compact(self) -> None:
        store, settings = self._application.embedded, self._application.settings.store
        store.compact(self._application.clock.now())
        store.retain(Retention(age_seconds=settings.retention_seconds, octets=settings.retention_octets))
        for part, octets in store.sizes().items():
            self._metrics.octets.labels(part).set(octets)

    def _report(self) -> None:
        publish_overview(self._application, self._application.folder / "reports" / "overview.html")

    def _reload_configuration(self) -> None:
        self._notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
        try:
            settings = self._load()
            if settings.store != self._application.settings.store:
                raise ConfigurationError([_store_moved(settings)])
            self._exchange(settings)
        except ConfigurationError as error:
            self._metrics.reloads.labels("refused").inc()
            for mistake in error.mistakes:
                log.error("configuration refused, the old one stays", mistake=str(mistake))
        else:
            self._metrics.reloads.labels("done").inc()
            log.info("configuration reloaded", links=len(settings.inventory.links))
        finally:
            self._notify("READY=1")

    def _exchange(self, settings: Settings) -> None:
        """The new configuration whole: a new poller takes over the old one's baseline between two cycles."""
        old, new = self._application, self._application.successor(settings)
        with self._polling:
            self._poller.flush()
            self._poller.close()
            self._application, self._poller = new, new.poller()
        if old.settings.daemon.metrics != settings.daemon.metrics:
            log.warning("daemon.metrics is read at start only", listen=old.settings.daemon.metrics)
        self._plan()

    def health(self) -> Mapping[str, Any]:
        """The facts of the health page."""
        report, interval = self._last_report, self._application.settings.snmp.interval_seconds
        age = time.monotonic() - self._last_alive
        return {
            "healthy": age < _patience(interval) and (report is None or report.unwritten == 0),
            "last_cycle_at": rfc3339(report.started_at) if report else None,
            "seconds_since_cycle": round(age, 1),
            "devices": len(report.devices) if report else 0,
            "answered": report.answered if report else 0,
            "links_ok": report.links_ok if report else 0,
            "gaps": len(report.gaps) if report else 0,
            "unwritten_batches": report.unwritten if report else 0,
        }

    def _metrics_text(self) -> bytes:
        return self._metrics.text()

    def _feed_watchdog(self) -> None:
        if time.monotonic() - self._last_alive < _patience(self._application.settings.snmp.interval_seconds):
            self._notify("WATCHDOG=1")

    def _notify(self, message: str) -> None:
        self._notifier.notify(message)

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            self._reload = True
        else:
            self._stop = True
        self._wake.set()

    def _trouble(self, job: str, what: str, detail: str) -> None:
        self._metrics.jobs.labels(job, what).inc()
        self._warn(f"job {what}", job, detail=detail)

    def _warn(self, event: str, subject: str, **fields: Any) -> None:
        if (repeats := self._repeats.due(event, subject)) is not None:
            log.warning(event, subject=subject, repeats=repeats, **{name: field for name, field in fields.items() if field != ""})


def _patience(interval_seconds: float) -> float:
    """How long polling may be silent before the daemon counts as hung: three intervals, a minute at the least."""
    return max(3 * interval_seconds, 60.0)
