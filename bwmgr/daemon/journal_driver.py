"""A driver whose every sending is in the journal: the exact lines before they go, and how it ended. Decides nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bwmgr.errors import DeviceError
from bwmgr.model.enforcement import Queue, Settings, lines_of

if TYPE_CHECKING:
    from bwmgr.daemon.journal_trail import Trail
    from bwmgr.drivers import Driver, Undo
    from bwmgr.model.decision import Recommendation


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """Fulfils `bwmgr.drivers.Driver`. Sending raises StoreError, and sends nothing, where the journal cannot be written.

    `guarded_now`: does the device itself wait to take this change back?
    """

    driver: Driver[Any]
    trail: Trail
    device: str
    found: Recommendation
    by: str
    guarded_now: Callable[[], bool]

    def read(self, queue: Queue) -> Settings:
        return self.driver.read(queue)

    def wanted(self, queue: Queue, present: Settings) -> Settings:
        return self.driver.wanted(queue, present)

    def steps(self, queue: Queue, present: Settings, to: Settings) -> Sequence[Any]:
        return self.driver.steps(queue, present, to)

    def guarded(self, queue: Queue, steps: Sequence[Any], undo: Undo, seconds: float) -> Sequence[Any]:
        return self.driver.guarded(queue, steps, undo, seconds)

    def send(self, steps: Sequence[Any]) -> None:
        if not steps:
            return
        lines = list(lines_of(steps))
        self._enter("device.sending", direction=str(self.found.direction), lines=lines)
        try:
            self.driver.send(steps)
        except DeviceError as error:
            self._enter("device.failed", lines=lines, problem=error.problem)
            raise
        self._enter("device.sent", count=len(lines))

    def confirm(self, queue: Queue, undo: Undo) -> None:
        waited = self.guarded_now()
        self.driver.confirm(queue, undo)
        if waited:
            self._enter("device.confirmed")

    def _enter(self, action: str, **details: Any) -> None:
        about = {"recommendation": self.found.id, "link": self.found.link, **details}
        self.trail.record(action, self.device, about, by=self.by)
