"""The demo's flows: exporters and collector over UDP on loopback, in the demo's own time, their minutes in its store.

What the daemon does in a process of its own is done here step by step, since the demo's clock leaps.
"""

from __future__ import annotations

import json
import threading
from types import TracebackType
from typing import TYPE_CHECKING

from bwmgr.daemon.flow_messages import SNAPSHOT_FILE
from bwmgr.daemon.flow_plan import make_plan
from bwmgr.daemon.flow_work import FlowWork
from bwmgr.daemon.publish import replace_file
from bwmgr.stores import FLOW_USAGE

if TYPE_CHECKING:
    from bwmgr.daemon.application import Application
    from bwmgr.testing.stage import Stage

_EXPORT_SECONDS = 5.0


class DemoFlows:
    """A context manager; `pass_on` after each leap of the clock, `write` at the end."""

    def __init__(self, application: Application, stage: Stage) -> None:
        self._application, self._stage = application, stage
        self._exporters = stage.exporters()
        self._work = FlowWork(make_plan(application.settings, None), stage.regency.now_ms)
        self.flows = 0

    def __enter__(self) -> DemoFlows:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._exporters.close()
        self._work.close()

    def pass_on(self) -> None:
        """Routers export the minutes that have ended; the collector takes them in as they come."""
        for _ in self._exporters.each():
            self.flows += self._work.step(0.0)
        while received := self._work.step(0.05):
            self.flows += received

    def write(self) -> int:
        """All whole minutes into the store, the view beside it; returns the rows."""
        now_ms = self._stage.regency.now_ms()
        minutes = self._work.minutes(now_ms / 1000)
        self._application.store.write(FLOW_USAGE, minutes.rows)
        replace_file(self._application.folder / SNAPSHOT_FILE, json.dumps(minutes.snapshot, ensure_ascii=False))
        return len(minutes.rows.rows)


def export_until(stage: Stage, stopped: threading.Event) -> None:
    """Goes on exporting in real time, for a daemon in another terminal."""
    exporters = stage.exporters()
    try:
        while not stopped.wait(_EXPORT_SECONDS):
            exporters.export()
    finally:
        exporters.close()
