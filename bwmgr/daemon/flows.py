"""Flows in the daemon: a process of their own receives and decodes, so that no cycle of polling waits for it; this side writes.

Owns that process (started again when it dies, told when the plan changes), what of its minutes is already in the store, and the
file of the newest view. Decoding is `collectors.netflow`, the process's own part `flow_process`.
"""

from __future__ import annotations

import json
import multiprocessing
import threading
import time
from collections.abc import Mapping
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Any

import structlog

from bwmgr.daemon import flow_process
from bwmgr.daemon.flow_messages import SNAPSHOT_FILE, Ended, Listening, Minutes, Refused, Said, Totals
from bwmgr.daemon.flow_minutes import Written
from bwmgr.daemon.flow_plan import FlowPlan, fastest_mbps, make_plan
from bwmgr.daemon.flow_strays import STRAY, add_strays
from bwmgr.daemon.publish import replace_file
from bwmgr.daemon.spool import Spool
from bwmgr.errors import ConfigurationError, Mistake, StoreError
from bwmgr.stores import FLOW_USAGE

if TYPE_CHECKING:
    from bwmgr.daemon.application import Application
    from bwmgr.daemon.flow_metrics import FlowMetrics

log = structlog.get_logger()

_SPAWN = multiprocessing.get_context("spawn")
_COLLECTOR_STATE = "poller.collector"
_START_SECONDS = 20.0
_STOP_SECONDS = 12.0
_AGAIN_SECONDS = (1.0, 5.0, 30.0)
_PLAN_SECONDS = 10.0
_SPEED_SECONDS = 600.0
_TICK_SECONDS = 0.25
_MOST_BATCHES = 240


class FlowService:
    """Runs the flow process of one application. `start`, `reload` and `stop` come from the main thread."""

    def __init__(self, application: Application, metrics: FlowMetrics) -> None:
        self._application, self._metrics = application, metrics
        self._spool = Spool(application.store, most_batches=_MOST_BATCHES)
        self._mbps: Mapping[str, int] = {}
        self._plan = self._planned()
        self._sent: FlowPlan | None = None
        self._stopping = threading.Event()
        self._answered = threading.Event()
        self._answer: Said | None = None
        self._exchange = threading.Lock()
        self._snapshot: Mapping[str, Any] = {}
        self._totals = Totals()
        self.addresses: tuple[tuple[str, int], ...] = ()
        """Where it listens: (host, port)."""
        self._thread = threading.Thread(target=self._run, name="flows", daemon=True)

    def start(self) -> None:
        """Returns when it listens. Raises: ConfigurationError where an address cannot be bound."""
        self._thread.start()
        try:
            self._await_answer()
        except ConfigurationError:
            self._stopping.set()
            self._thread.join()
            raise

    def reload(self, application: Application) -> None:
        """Goes on under another configuration of the same store: links, networks, prefix files, addresses.

        Raises: ConfigurationError where an address cannot be bound; the old configuration then stays.
        """
        before = self._application
        self._application = application
        with self._exchange:
            self._answered.clear()
            self._plan, self._sent = self._planned(), None
        try:
            self._await_answer()
        except ConfigurationError:
            self._application = before
            self._plan = self._planned()
            raise

    def hurry(self) -> None:
        """Begins to end; `stop` waits for it."""
        self._stopping.set()

    def stop(self) -> bool:
        """Ends the process once it has said everything; True: all of it was written."""
        self._stopping.set()
        self._thread.join(_STOP_SECONDS + 2)
        return not self._thread.is_alive() and self._spool.drain()

    def facts(self) -> dict[str, Any]:
        """For the health page."""
        exporters = self._snapshot.get("exporters", [])
        return {
            "flow_exporters": len(exporters),
            "flow_datagrams": self._totals.datagrams,
            "flow_lost": self._totals.lost + self._totals.socket_drops,
            "flow_last_minute_at": self._snapshot.get("at"),
            "flow_unwritten_batches": len(self._spool),
            **{f"flow_exporter_{one['address']}": _figures(one) for one in exporters[:_SHOWN_EXPORTERS]},
        }

    def _planned(self) -> FlowPlan:
        try:
            found = self._application.state.get(_COLLECTOR_STATE)
        except StoreError:
            found = None
        return make_plan(self._application.settings, found, self._mbps)

    def _look_at_speeds(self) -> None:
        """What the poller has found of the routers' interfaces; the last answer stays where the store cannot be asked."""
        try:
            self._mbps = fastest_mbps(self._application.inventory, self._application.store)
        except StoreError as error:
            log.warning("speeds of interfaces not read", detail=str(error))

    def _await_answer(self) -> None:
        if not self._answered.wait(_START_SECONDS):
            raise _mistake(f"the flow process said nothing for {_START_SECONDS:.0f} s")
        if isinstance(self._answer, Refused):
            raise _mistake(self._answer.problem)

    # the thread

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            began = time.monotonic()
            process, channel = self._spawn()
            try:
                self._serve(channel)
            except (EOFError, OSError):
                pass
            finally:
                channel.close()
                _end(process)
            if self._stopping.is_set():
                return
            failures = 0 if time.monotonic() - began > 600 else failures + 1
            self._metrics.restarts.inc()
            log.error("flow process ended", exit_code=process.exitcode)
            self._stopping.wait(_AGAIN_SECONDS[min(failures, len(_AGAIN_SECONDS)) - 1])

    def _spawn(self) -> tuple[BaseProcess, Connection]:
        ours, theirs = _SPAWN.Pipe()
        process = _SPAWN.Process(target=flow_process.work, args=(theirs,), name="bwmgr flows", daemon=True)
        process.start()
        theirs.close()
        self._sent, self._totals = None, Totals()
        return process, ours

    def _serve(self, channel: Connection) -> None:
        """Until the process has ended, by itself (EOFError) or because we stop."""
        written = Written(self._application.store)
        planned = time.monotonic()
        looked = planned - _SPEED_SECONDS
        deadline = None
        while deadline is None or time.monotonic() < deadline:
            if self._stopping.is_set() and deadline is None:
                channel.send(None)
                deadline = time.monotonic() + _STOP_SECONDS
            if time.monotonic() - planned > _PLAN_SECONDS:
                planned = time.monotonic()
                if planned - looked > _SPEED_SECONDS:
                    looked = planned
                    self._look_at_speeds()
                self._plan = self._planned()
            self._send_plan(channel)
            if not channel.poll(_TICK_SECONDS):
                continue
            said = channel.recv()
            if isinstance(said, Listening) and said.fresh:
                written = Written(self._application.store)
            if self._take(said, written):
                return

    def _send_plan(self, channel: Connection) -> None:
        with self._exchange:
            if self._plan != self._sent:
                channel.send(self._plan)
                self._sent = self._plan

    def _take(self, said: Said, written: Written) -> bool:
        """True: that was the last of it."""
        if isinstance(said, Minutes):
            self._write(said, written)
        elif isinstance(said, Listening | Refused):
            self._answer = said
            if isinstance(said, Listening):
                self.addresses = said.addresses
            self._answered.set()
        return isinstance(said, Ended)

    def _write(self, said: Minutes, written: Written) -> None:
        self._metrics.totals(self._totals, said.totals)
        stray = said.totals.unattributed.get(STRAY, 0) - self._totals.unattributed.get(STRAY, 0)
        self._totals, self._snapshot = said.totals, said.snapshot
        try:
            add_strays(self._application.state, self._application.clock.now(), stray)
            rows = written.whole(said.rows)
        except StoreError as error:
            log.warning("flow minutes not written", detail=str(error))
            return
        if len(rows.rows):
            self._spool.add(FLOW_USAGE, rows)
        began = time.monotonic()
        self._spool.drain()
        self._metrics.written(said.snapshot, len(rows.rows), time.monotonic() - began, len(self._spool))
        try:
            replace_file(self._application.folder / SNAPSHOT_FILE, json.dumps(said.snapshot, ensure_ascii=False))
        except OSError as error:
            log.warning("view of flows not written", detail=str(error))


_SHOWN_EXPORTERS = 100


def _figures(exporter: Mapping[str, Any]) -> str:
    return f"{exporter['datagrams']} datagrams, {exporter['flows']} flows, {exporter['lost']} lost, last at {exporter['last_at']}"


def _mistake(problem: str) -> ConfigurationError:
    return ConfigurationError([Mistake(file="", line=0, key="netflow.listen", problem=problem)])


def _end(process: BaseProcess) -> None:
    process.join(2)
    if process.is_alive():
        process.terminate()
        process.join(2)
    if process.is_alive():
        process.kill()
        process.join()
