"""The daemon: starts the jobs, listens to signals, tells systemd, and ends cleanly.

Jobs (each on its own grid and worker): `poll` here; `recommend`, `compact`, `report`, `audit`, `notify` as chores, in processes
of their own. SIGTERM and SIGINT let a cycle under way end and write everything down; SIGHUP loads the configuration whole, or
keeps the old one and logs every mistake. The watchdog is fed only while polling is alive.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib import import_module
from types import FrameType
from typing import TYPE_CHECKING, Any

import structlog
from sdnotify import SystemdNotifier

from bwmgr.daemon import chores, logs
from bwmgr.daemon.application import Application
from bwmgr.daemon.cycle_log import CycleLog
from bwmgr.daemon.health import HealthServer
from bwmgr.daemon.journal_config import enter_configuration, enter_end, enter_refusal
from bwmgr.daemon.metrics import Metrics
from bwmgr.daemon.polling import CycleReport, Poller
from bwmgr.daemon.schedule import Job, Schedule
from bwmgr.daemon.status import rfc3339
from bwmgr.daemon.timetable import Timetable
from bwmgr.daemon.web.process import WebProcess
from bwmgr.errors import BwmgrError, ConfigurationError

if TYPE_CHECKING:
    from bwmgr.config.settings import DaemonSection, Settings
    from bwmgr.daemon.flows import FlowService
    from bwmgr.daemon.influx_service import InfluxService

log = structlog.get_logger()

_TICK_SECONDS = 1.0
_COMPACT_SECONDS = 3600.0
_AUDIT_SECONDS = 86400.0
_TRIAL_SECONDS = 300.0
_MONTHLY_SECONDS = 900.0
_LAST_CYCLE_SECONDS = 14.0
"""Patience with a cycle under way at the end: with what follows, all is done within 20 s of SIGTERM."""


class Service:
    """One run of the daemon. `load` gives the configuration anew at SIGHUP."""

    def __init__(self, application: Application, load: Callable[[], Settings]) -> None:
        """Raises: StoreError, ConfigurationError where `daemon.metrics` or `daemon.web` cannot be bound."""
        self._application = application
        self._load = load
        self._metrics = Metrics()
        self._cycle_log = CycleLog(logs.Repeats())
        self._chores = chores.Chores()
        self._schedule = Schedule(self._trouble)
        self._notifier = SystemdNotifier()
        self._polling = threading.Lock()
        self._wake = threading.Event()
        self._stop = self._reload = False
        self._last_report: CycleReport | None = None
        self._last_alive = self._began = time.monotonic()
        self._health = self._health_server(application.settings.daemon)
        self._web: WebProcess | None = None
        self._web = self._web_process(application.settings.daemon)
        self._poller: Poller = application.poller()
        self._flows: FlowService | None = None
        self._influx: InfluxService | None = None
        self._timetable = Timetable(self._verify_in_time)
        self._verifying = threading.Lock()

    def run(self) -> bool:
        """Until SIGTERM or SIGINT. Call from the main thread. True: everything measured was written down."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._signalled)
        if self._poller.restart_problem:
            log.warning("state of the last run not used", detail=self._poller.restart_problem)
        self._receive_flows(self._application)
        self._plan()
        self._schedule.start()
        if self._web is not None:
            self._web.start(self._application.settings)
        self._notify("READY=1")
        ports = {"metrics_port": self._health.port if self._health else None, "web_port": self._web.port if self._web else None}
        self._enter(lambda: enter_configuration(self._application, "config.started"))
        log.info("daemon started", pid=os.getpid(), links=len(self._application.inventory.links), **ports)
        try:
            self._loop()
        finally:
            self._notify("STOPPING=1")
            whole = self._end()
        return whole

    def _loop(self) -> None:
        while not self._stop:
            self._wake.wait(_TICK_SECONDS)
            self._wake.clear()
            if step := self._schedule.guard():
                self._metrics.clock_steps.inc()
                log.warning("wall clock was stepped", step_seconds=round(step, 3))
            self._timetable.tick(self._application.clock.now())
            if self._reload and not self._stop:
                self._reload = False
                self._reload_configuration()
            self._feed_watchdog()

    def _end(self) -> bool:
        self._chores.stop()
        if self._web is not None:
            self._web.close()
        self._poller.hurry()
        if self._flows is not None:
            self._flows.hurry()
        ending = threading.Thread(target=self._schedule.stop, name="ending", daemon=True)
        ending.start()
        ending.join(_LAST_CYCLE_SECONDS)
        if ending.is_alive():  # its readings are not lost: the next rate covers them, from the baseline on disk
            log.error("cycle under way given up", waited_seconds=_LAST_CYCLE_SECONDS)
            return False
        waiting = self._poller.flush() + (0 if self._stop_flows() else 1)
        self._poller.close()
        if self._health is not None:
            self._health.close()
        enter_end(self._application)
        self._enter(self._application.close)
        log.info("daemon stopped", unwritten_batches=waiting)
        return waiting == 0

    def _plan(self) -> None:
        daemon, interval = self._application.settings.daemon, self._application.settings.snmp.interval_seconds
        jobs = [
            Job(name="poll", run=self._poll, interval_seconds=interval, grace_seconds=interval),
            self._chore(chores.compact, _COMPACT_SECONDS, first_seconds=30),
            self._chore(chores.audit, _AUDIT_SECONDS, first_seconds=300),
        ]
        if any(one.enforce for one in self._application.inventory.devices.values()):
            jobs.append(self._verify_job(interval))
        if self._application.settings.notify.receivers:
            every = self._application.settings.notify.every_seconds
            jobs.append(self._chore(chores.notify, every, first_seconds=min(2 * interval + 5, every)))
        if daemon.recommend_every_seconds:
            first = min(2 * interval + 1, daemon.recommend_every_seconds)
            jobs.append(self._chore(chores.recommend, daemon.recommend_every_seconds, first_seconds=first))
        if daemon.report_every_seconds:
            jobs.append(self._chore(chores.report, daemon.report_every_seconds, first_seconds=3 * interval + 1))
        if self._application.settings.active is not None and self._application.settings.active.at:
            jobs.append(self._due_job(chores.trial, _TRIAL_SECONDS, "bwmgr.daemon.trial_tests"))
        if self._application.settings.documents.monthly is not None:
            jobs.append(self._due_job(chores.monthly, _MONTHLY_SECONDS, "bwmgr.daemon.monthly_due"))
        self._schedule.plan(*jobs)

    def _verify_job(self, interval: float) -> Job:
        """Each cycle, but a process is started only where something waits: after a crash, an apply, or for an end."""
        from bwmgr.daemon.apply_watch import waits

        self._metrics.enforcement({})

        def run() -> None:
            state, inventory = self._application.state, self._application.inventory
            if waits(state, inventory, self._application.clock.now()):
                self._verify()
            else:
                self._metrics.enforcement({})
            self._timetable.look(state, inventory, self._application.clock.now())

        return Job(name=chores.verify.__name__, run=run, interval_seconds=interval, first_seconds=1.0)

    def _verify(self) -> None:
        """One round at a time, whoever asks for it. Raises: ChoreFailed."""
        with self._verifying:
            self._run_chore(chores.verify)

    def _verify_in_time(self) -> None:
        """Outside the grid; what goes wrong is reported as the grid's runs report it."""
        try:
            self._verify()
        except BwmgrError as error:
            self._trouble(chores.verify.__name__, "failed", str(error))

    def _due_job(self, work: chores.Chore, interval_seconds: float, module: str) -> Job:
        """A process is started only where the module's `waits` says that something does."""
        chore = self._chore(work, interval_seconds, first_seconds=60)

        def run() -> None:
            if import_module(module).waits(self._application):
                chore.run()

        return replace(chore, run=run)

    def _chore(self, chore: chores.Chore, interval_seconds: float, *, first_seconds: float) -> Job:
        """A job without a grace: it is rather late than left out."""
        return Job(
            name=chore.__name__,
            run=lambda: self._run_chore(chore),
            interval_seconds=interval_seconds,
            first_seconds=first_seconds,
        )

    def _run_chore(self, chore: chores.Chore) -> None:
        """Raises: ChoreFailed."""
        name, began = chore.__name__, time.monotonic()
        try:
            figures = self._chores.run(chore, self._application.settings)
        except chores.ChoreFailed as error:
            if error.trace:
                log.debug("chore broke", chore=name, exception=error.trace)
            raise
        self._metrics.run_seconds.labels(name).set(time.monotonic() - began)
        self._take_in(name, figures)

    def _take_in(self, chore: str, figures: Mapping[str, float]) -> None:
        gauge = {"compact": self._metrics.octets, "recommend": self._metrics.recommendations}.get(chore)
        if gauge is not None:
            gauge.clear()  # a status that is gone must not keep its last figure
            for label, figure in figures.items():
                gauge.labels(label).set(figure)
        if chore == "audit":
            self._metrics.journal_problems.set(figures.get("problems", 0))
        if chore == "compact":
            self._enter(self._say_head)
        if chore == "notify":
            self._metrics.notified(figures)
        if chore == "verify":
            self._metrics.enforcement(figures)
            self._say_stuck(figures)
        log.info("chore done", chore=chore, **figures)

    def _say_stuck(self, figures: Mapping[str, float]) -> None:
        """Each change that cannot be taken back, by name: a person must look at that device."""
        if figures.get("stuck"):
            from bwmgr.daemon.apply_records import stuck_documents

            for one in stuck_documents(self._application.state):
                self._cycle_log.warn("change stuck", one["device"], recommendation=one["id"], detail=one["trouble"])

    def _poll(self) -> None:
        with self._polling:
            report = self._poller.cycle(paced=True)
        self._last_report, self._last_alive = report, time.monotonic()
        self._metrics.cycle(report)
        self._metrics.clock_offset.set(getattr(self._application.clock, "offset_seconds", lambda: 0.0)())
        self._cycle_log.cycle(report, self._application.settings.snmp.interval_seconds)
        self._tell(report)
        self._notify(f"STATUS={report.links_ok} of {len(self._application.inventory.links)} links have a rate")

    def _tell(self, report: CycleReport) -> None:
        """What an InfluxDB gets beside rates, and what its spool says of itself."""
        if self._application.settings.store.kind != "influxdb":
            return
        if self._influx is None:
            from bwmgr.daemon.influx_service import InfluxService

            self._influx = InfluxService(self._metrics.influx)
        for problem in self._influx.cycle(self._application, report, self._flows.facts() if self._flows else {}):
            self._cycle_log.warn("influxdb", self._application.settings.store.url or "", detail=problem)

    def _reload_configuration(self) -> None:
        self._notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
        try:
            self._exchange(self._load())
        except BwmgrError as error:
            self._metrics.reloads.labels("refused").inc()
            refused = error
            self._enter(lambda: enter_refusal(self._application, refused))
            for mistake in error.mistakes if isinstance(error, ConfigurationError) else [error]:
                log.error("configuration refused, the old one stays", mistake=str(mistake))
        else:
            self._metrics.reloads.labels("done").inc()
            self._enter(lambda: enter_configuration(self._application, "config.reloaded"))
            log.info("configuration reloaded", links=len(self._application.inventory.links))
        finally:
            self._notify("READY=1")

    def _say_head(self) -> None:
        """Where the journal stands, each hour in the log: a copy that whoever shortens the journal does not reach."""
        head = self._application.trail.journal.head()
        if head is not None:
            self._metrics.journal_entries.set(head.number)
            log.info("journal head", number=head.number, hash=head.hash)

    def _enter(self, act: Callable[[], None]) -> None:
        """An act of the daemon's into the journal; where that cannot be written now, polling goes on and it is said."""
        try:
            act()
        except BwmgrError as error:
            self._metrics.journal_failures.inc()
            log.error("journal not written", detail=str(error))

    def _exchange(self, settings: Settings) -> None:
        """The new configuration whole, or, where it raises, the old one: a new poller takes over between two cycles."""
        old, new = self._application, self._application.successor(settings)
        moved = old.settings.daemon.metrics != settings.daemon.metrics
        web = self._web_process(settings.daemon)
        health = self._health_server(settings.daemon) if moved else self._health
        self._poller.hurry()
        self._receive_flows(new)
        with self._polling:
            handover = self._poller.hand_over()
            try:
                self._poller = new.poller(handover)
            except BwmgrError:
                self._poller = old.poller(handover)
                self._receive_flows(old)
                if moved and health is not None:
                    health.close()
                if web is not None and web is not self._web:
                    web.close()
                raise
            self._application = new
        if moved and self._health is not None:
            self._health.close()
        self._health = health
        self._show(web, settings)
        logs.configure(settings.daemon.log_format, settings.daemon.log_level, logs.secrets_of(settings))
        self._plan()

    def _web_process(self, daemon: DaemonSection) -> WebProcess | None:
        """The one that runs, where it listens there already. Raises: ConfigurationError."""
        if daemon.web is not None and self._web is not None and self._web.listen == daemon.web.listen:
            return self._web
        return WebProcess(daemon.web, self.health) if daemon.web is not None else None

    def _show(self, web: WebProcess | None, settings: Settings) -> None:
        """This one from now on, by these settings."""
        if self._web is not None and self._web is not web:
            self._web.close()
        self._web = web
        if web is not None:
            web.start(settings)

    def _receive_flows(self, application: Application) -> None:
        """By this configuration from now on. Raises: ConfigurationError, and the old one stays."""
        if application.settings.netflow is None:
            self._stop_flows()
        elif self._flows is not None:
            self._flows.reload(application)
        else:
            from bwmgr.daemon.flows import FlowService

            flows = FlowService(application, self._metrics.flow)
            flows.start()
            self._flows = flows
            log.info("receiving flows", addresses=[f"{host} port {port}" for host, port in flows.addresses])

    def _stop_flows(self) -> bool:
        """True: all that was received is written."""
        flows, self._flows = self._flows, None
        return flows is None or flows.stop()

    def health(self) -> Mapping[str, Any]:
        """The facts of the health page."""
        report, interval = self._last_report, self._application.settings.snmp.interval_seconds
        age = time.monotonic() - self._last_alive
        return {
            "healthy": age < _patience(interval) and (report is None or not report.trouble),
            "last_cycle_at": rfc3339(report.started_at) if report else None,
            "seconds_since_cycle": round(age, 1),
            "uptime_seconds": round(time.monotonic() - self._began),
            "devices": len(report.devices) if report else 0,
            "answered": report.answered if report else 0,
            "links_ok": report.links_ok if report else 0,
            "gaps": len(report.gaps) if report else 0,
            "unwritten_batches": report.unwritten if report else 0,
            "trouble": report.trouble if report else "",
            **(self._flows.facts() if self._flows is not None else {}),
        }

    def _health_server(self, daemon: DaemonSection) -> HealthServer | None:
        return HealthServer(daemon.metrics, self._metrics.text, self.health) if daemon.metrics else None

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
        self._cycle_log.warn(f"job {what}", job, detail=detail)


def _patience(interval_seconds: float) -> float:
    """How long polling may be silent before the daemon counts as hung: three intervals, a minute at the least."""
    return max(3 * interval_seconds, 60.0)
