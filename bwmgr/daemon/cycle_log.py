"""What the log says of cycles: who fell silent, who is back, what restarted. Each trouble once an hour, not once a cycle."""

from __future__ import annotations

from typing import Any

import structlog

from bwmgr.daemon.logs import Repeats
from bwmgr.daemon.polling import CycleReport
from bwmgr.measure.keeper import RateEvent, RateEventKind

log = structlog.get_logger()

_SILENT = "device does not answer"
_STORE = "store takes nothing"
_GOOD_NEWS = (RateEventKind.MOVING,)


class CycleLog:
    """Logs what is worth a person's attention; `repeats` is shared with the rest of the daemon."""

    def __init__(self, repeats: Repeats) -> None:
        self._repeats = repeats
        self._silent: set[str] = set()

    def cycle(self, report: CycleReport, interval_seconds: float) -> None:
        """One cycle's news."""
        seconds = round(report.duration_seconds, 2)
        at = report.started_at.isoformat(timespec="milliseconds")
        log.debug("cycle done", at=at, answered=report.answered, links_ok=report.links_ok, duration_seconds=seconds)
        if report.duration_seconds > interval_seconds:
            worked = round(report.worked_seconds, 2)
            self.warn("cycle outlasted its interval", "poll", duration_seconds=seconds, worked_seconds=worked)
        self._devices(report)
        self._store(report)
        for event in report.events:
            self._event(event)

    def warn(self, event: str, subject: str, **fields: Any) -> None:
        """A warning, unless the same one about the same subject was logged within the hour."""
        if (repeats := self._repeats.due(event, subject)) is not None:
            told = {name: field for name, field in fields.items() if field != ""}
            log.warning(event, subject=subject, **({"left_out": repeats} if repeats else {}), **told)

    def _devices(self, report: CycleReport) -> None:
        silent = {outcome.device: outcome for outcome in report.devices.silent()}
        for device in sorted((self._silent - silent.keys()).intersection(report.devices.ids)):
            if self._repeats.forget(_SILENT, device):
                log.info("device answers again", device=device)
        for device, outcome in silent.items():
            self.warn(_SILENT, device, reason=outcome.reason.name.lower(), detail=outcome.detail)
        self._silent = set(silent)

    def _store(self, report: CycleReport) -> None:
        if report.lost:
            log.error("batches given up", batches=report.lost, detail=report.trouble)
        if report.trouble:
            self.warn(_STORE, "store", unwritten_batches=report.unwritten, detail=report.trouble)
        elif self._repeats.forget(_STORE, "store"):
            log.info("store takes batches again")

    def _event(self, event: RateEvent) -> None:
        subject = f"{event.device} {event.interface}".rstrip()
        if event.kind in _GOOD_NEWS:
            self._repeats.forget(RateEventKind.STUCK, subject)
            log.info("counters move again", subject=subject)
        elif self._repeats.due(event.kind, subject) is not None:
            log.info("counters restarted or doubtful", kind=event.kind.value, subject=subject)
