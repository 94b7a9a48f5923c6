"""Flows in the daemon: processes of their own receive and decode, so that no cycle of polling waits for them; this side writes.

Owns those processes (`netflow.processes` of them, told when the plan changes), the joining of their minutes, and the file of the
newest view. Decoding is `collectors.netflow`, a process's own part `flow_process`.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any

import structlog

from bwmgr.daemon.flow_merge import Claims, joined_snapshot
from bwmgr.daemon.flow_messages import SNAPSHOT_FILE, Listening, Minutes, Refused
from bwmgr.daemon.flow_plan import FlowPlan, fastest_mbps, make_plan
from bwmgr.daemon.flow_strays import STRAY, add_strays
from bwmgr.daemon.flow_worker import FlowWorker
from bwmgr.daemon.publish import replace_file
from bwmgr.daemon.spool import Spool
from bwmgr.errors import ConfigurationError, Mistake, StoreError
from bwmgr.model.said import Said
from bwmgr.stores import FLOW_USAGE

if TYPE_CHECKING:
    from bwmgr.daemon.application import Application
    from bwmgr.daemon.flow_metrics import FlowMetrics

log = structlog.get_logger()

_COLLECTOR_STATE = "poller.collector"
_START_SECONDS = 30.0
_STOP_SECONDS = 12.0
_PLAN_SECONDS = 10.0
_SPEED_SECONDS = 600.0
_TICK_SECONDS = 0.25
_ROUND_SECONDS = 5.0
"""All processes close a minute at the same moment; one that is late by more counts in a round of its own."""
_MOST_BATCHES = 240


class FlowService:
    """Runs the flow processes of one application. `start`, `reload` and `stop` come from the main thread."""

    def __init__(self, application: Application, metrics: FlowMetrics) -> None:
        self._application, self._metrics = application, metrics
        self._spool = Spool(application.store, most_batches=_MOST_BATCHES)
        self._mbps: Mapping[str, int] = {}
        self._plan = self._planned()
        self._workers: list[FlowWorker] = []
        self._retiring: list[FlowWorker] = []
        self._claims = Claims()
        self._round: dict[FlowWorker, Minutes] = {}
        self._round_until = 0.0
        self._stopping = threading.Event()
        self._answered = threading.Event()
        self._mistakes: tuple[Mistake, ...] = ()
        self._exchange = threading.Lock()
        self._snapshot: Mapping[str, Any] = {}
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
        self._exchange_plan(asked=True)
        try:
            self._await_answer()
        except ConfigurationError:
            self._application = before
            self._exchange_plan(asked=False)
            raise

    def hurry(self) -> None:
        """Begins to end; `stop` waits for it."""
        self._stopping.set()

    def stop(self) -> bool:
        """Ends the processes once they have said everything; True: all of it was written."""
        self._stopping.set()
        self._thread.join(_STOP_SECONDS + 2)
        return not self._thread.is_alive() and self._spool.drain()

    def facts(self) -> dict[str, Any]:
        """For the health page."""
        exporters = self._snapshot.get("exporters", [])
        totals = [worker.totals for worker in list(self._workers)]
        return {
            "flow_processes": len(totals),
            "flow_exporters": len(exporters),
            "flow_datagrams": sum(one.datagrams for one in totals),
            "flow_lost": sum(one.lost + one.socket_drops for one in totals),
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

    def _exchange_plan(self, *, asked: bool) -> None:
        """The application's plan from now on; `asked`: somebody waits for what the processes answer."""
        with self._exchange:
            if asked:
                self._mistakes = ()
                self._answered.clear()
                for worker in self._workers:
                    worker.forget()
            self._plan = self._planned()

    def _look_at_speeds(self) -> None:
        """What the poller has found of the routers' interfaces; the last answer stays where the store cannot be asked."""
        try:
            self._mbps = fastest_mbps(self._application.inventory, self._application.store)
        except StoreError as error:
            log.warning("speeds of interfaces not read", detail=str(error))

    def _await_answer(self) -> None:
        if not self._answered.wait(_START_SECONDS):
            raise _mistake(Said("the flow process said nothing for {seconds} s", seconds=f"{_START_SECONDS:.0f}"))
        if self._mistakes:
            raise ConfigurationError(self._mistakes)

    # the thread

    def _run(self) -> None:
        planned = time.monotonic()
        looked = planned - _SPEED_SECONDS
        while not self._stopping.is_set():
            if time.monotonic() - planned > _PLAN_SECONDS:
                planned = time.monotonic()
                if planned - looked > _SPEED_SECONDS:
                    looked = planned
                    self._look_at_speeds()
                self._exchange_plan(asked=False)
            self._tend()
            self._hear(_TICK_SECONDS)
        self._end_all()

    def _tend(self) -> None:
        """As many processes as the plan has, each with its plan: the first one binds, the others share its addresses."""
        with self._exchange:
            plan = self._plan
        while len(self._workers) > plan.processes:
            self._retire(self._workers.pop())
        if self._retiring:
            return  # they hold the addresses, which the first may not share any longer
        while len(self._workers) < plan.processes:
            self._workers.append(FlowWorker(len(self._workers)))
        for worker in self._workers:
            if worker.channel is None and time.monotonic() >= worker.due:
                worker.begin(self._application.store)
            if worker.number and not isinstance(self._workers[0].answer, Listening):
                return
            self._say(worker, lambda worker: worker.tell(self._plan_of(worker, plan)))

    def _plan_of(self, worker: FlowWorker, plan: FlowPlan) -> FlowPlan:
        first = self._workers[0].answer
        if not worker.number or not isinstance(first, Listening):
            return plan
        return replace(plan, settings=replace(plan.settings, listen=first.addresses))

    def _retire(self, worker: FlowWorker) -> None:
        if worker.channel is not None:
            self._retiring.append(worker)
            self._say(worker, FlowWorker.finish)

    def _say(self, worker: FlowWorker, say: Callable[[FlowWorker], None]) -> None:
        try:
            say(worker)
        except OSError:
            self._lose(worker)

    def _hear(self, patience_seconds: float) -> None:
        """What the processes have to say, for at most so long; a round that is whole, or waits too long, is written."""
        every = self._workers + self._retiring
        channels = [worker.channel for worker in every if worker.channel is not None]
        if not channels:
            self._stopping.wait(patience_seconds)
        ready = wait(channels, patience_seconds)
        for worker in every:
            if worker.channel in ready:
                self._hear_one(worker)
        whole = all(worker in self._round for worker in self._workers if worker.channel is not None and not worker.ended)
        if self._round and (whole or time.monotonic() > self._round_until):
            self._write_round()
        self._settle()

    def _hear_one(self, worker: FlowWorker) -> None:
        try:
            minutes = worker.hear(self._application.store)
        except (EOFError, OSError):
            self._lose(worker)
            return
        if minutes is not None:
            if worker in self._round:
                self._write_round()
            if not self._round:
                self._round_until = time.monotonic() + _ROUND_SECONDS
            self._round[worker] = minutes
        if worker.ended:
            worker.bury()
            if worker in self._retiring:
                self._retiring.remove(worker)

    def _lose(self, worker: FlowWorker) -> None:
        """A process that ended unasked: another one takes its place, after a pause."""
        exit_code = worker.bury()
        if worker in self._retiring:
            self._retiring.remove(worker)
        self._metrics.restarts.inc()
        log.error("flow process ended", process=worker.number + 1, exit_code=exit_code)

    def _settle(self) -> None:
        """Tells who waits what became of the plan; one that was refused later, when nobody waits, is tried again."""
        if not self._workers or self._retiring or self._stopping.is_set():
            return
        answers = [worker.answer for worker in self._workers]
        first = answers[0]
        if isinstance(first, Listening):
            self.addresses = first.addresses
        refused = next((answer for answer in answers if isinstance(answer, Refused)), None)
        if not self._answered.is_set():
            if refused is not None or (None not in answers and len(answers) == self._plan.processes):
                self._mistakes = () if refused is None else refused.mistakes
                self._answered.set()
            return
        for worker in self._workers:
            if isinstance(worker.answer, Refused) and not worker.listens:
                problem = "; ".join(str(mistake) for mistake in worker.answer.mistakes)
                log.error("flow process cannot listen", process=worker.number + 1, detail=problem)
                worker.bury()

    def _end_all(self) -> None:
        until = time.monotonic() + _STOP_SECONDS
        every = self._workers + self._retiring
        for worker in self._workers:
            self._say(worker, FlowWorker.finish)
        while any(worker.channel is not None for worker in every) and time.monotonic() < until:
            self._hear(_TICK_SECONDS)
        if self._round:
            self._write_round()
        for worker in every:
            worker.bury()

    def _write_round(self) -> None:
        told, self._round = self._round, {}
        strays = 0
        for worker, minutes in told.items():
            self._metrics.totals(worker.totals, minutes.totals)
            strays += minutes.totals.unattributed.get(STRAY, 0) - worker.totals.unattributed.get(STRAY, 0)
            worker.totals, worker.snapshot = minutes.totals, minutes.snapshot
        self._snapshot = joined_snapshot([worker.snapshot for worker in self._workers])
        batches = [(worker.number, minutes) for worker, minutes in told.items()]
        shared = self._claims.shared_out(batches) if len(self._workers) > 1 else [(n, one.rows) for n, one in batches]
        written = {worker.number: worker.written for worker in told}
        try:
            add_strays(self._application.state, self._application.clock.now(), strays)
            wholes = [written[number].whole(rows) for number, rows in shared]
        except StoreError as error:
            log.warning("flow minutes not written", detail=str(error))
            return
        for whole in wholes:
            if len(whole.rows):
                self._spool.add(FLOW_USAGE, whole)
        began = time.monotonic()
        self._spool.drain()
        rows = sum(len(whole.rows) for whole in wholes)
        self._metrics.written(self._snapshot, rows, time.monotonic() - began, len(self._spool))
        try:
            replace_file(self._application.folder / SNAPSHOT_FILE, json.dumps(self._snapshot, ensure_ascii=False))
        except OSError as error:
            log.warning("view of flows not written", detail=str(error))


_SHOWN_EXPORTERS = 100


def _figures(exporter: Mapping[str, Any]) -> str:
    return f"{exporter['datagrams']} datagrams, {exporter['flows']} flows, {exporter['lost']} lost, last at {exporter['last_at']}"


def _mistake(problem: str) -> ConfigurationError:
    return ConfigurationError([Mistake(file="", line=0, key="netflow.listen", problem=problem)])
