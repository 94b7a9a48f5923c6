"""What runs when: APScheduler with a grid that a stepped wall clock cannot move.

APScheduler 3 compares wall-clock instants, so after a step back of an hour nothing would run for an hour. Here every job
sits on a grid of the monotonic clock (`Grid`), and `Schedule.guard`, called every second or so by the daemon, sets all next
run times anew when the wall clock and the monotonic clock disagree. Each job has its own worker: a slow one delays no other.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger

from bwmgr.errors import BwmgrError

_STEP_SECONDS = 1.5
"""A disagreement of the two clocks beyond this is a step, not drift."""
_EARLY_SECONDS = 0.05
"""A run that starts this little before its slot, since the wall clock rounds to microseconds, is the slot's run."""

Report = Callable[[str, str, str], None]
"""(job, what: missed | overlapped | failed, detail)"""


class Grid(BaseTrigger):  # type: ignore[misc]  # APScheduler 3 has no types
    """Every `interval_seconds` of the monotonic clock, first after `first_seconds`; slots gone by are skipped, never queued."""

    def __init__(
        self,
        interval_seconds: float,
        *,
        first_seconds: float = 0.0,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.interval_seconds = interval_seconds
        self._monotonic, self._wall = monotonic, wall
        self._origin = monotonic() + first_seconds
        self._early_seconds = min(_EARLY_SECONDS, interval_seconds / 10)
        self._started = False

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        """The wall-clock instant, by the wall clock of this moment, of the next slot after this moment."""
        monotonic = self._monotonic()
        delay = self._origin - monotonic
        if self._started:
            slot = max(0, math.ceil((self._early_seconds - delay) / self.interval_seconds))
            delay += slot * self.interval_seconds
        self._started = True
        return datetime.fromtimestamp(self._wall(), UTC) + timedelta(seconds=max(delay, 0.0))


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """Never two runs at a time: a slot that comes while the job still runs is reported as overlapped and left out.

    `grace_seconds`: how late a run may start; later than that it is reported as missed and left out. None: it runs however late.
    """

    name: str
    run: Callable[[], None]
    interval_seconds: float
    first_seconds: float = 0.0
    grace_seconds: float | None = None


class Schedule:
    """Runs jobs in threads until `stop`; reports every missed, overlapping or failed run, and goes on."""

    def __init__(
        self, report: Report, *, monotonic: Callable[[], float] = time.monotonic, wall: Callable[[], float] = time.time
    ) -> None:
        self._report, self._monotonic, self._wall = report, monotonic, wall
        self._scheduler = BackgroundScheduler(timezone=UTC)
        self._scheduler.add_listener(self._heard, EVENT_JOB_MISSED | EVENT_JOB_MAX_INSTANCES | EVENT_JOB_ERROR)
        self._planned: dict[str, Job] = {}
        self._lock = threading.Lock()
        self._difference = wall() - monotonic()

    def plan(self, *jobs: Job) -> None:
        """Runs exactly these jobs from now on. One whose name and interval stay as they were keeps its grid."""
        wanted = {job.name: job for job in jobs}
        for name in self._planned.keys() - wanted.keys():
            self._remove(name)
        for name, job in wanted.items():
            known = self._planned.get(name)
            if known is None or (known.interval_seconds, known.grace_seconds) != (job.interval_seconds, job.grace_seconds):
                self._add(job)

    def start(self) -> None:
        self._scheduler.start()

    def stop(self) -> None:
        """No new runs; returns when the ones under way have ended."""
        self._scheduler.shutdown(wait=True)

    def guard(self) -> float:
        """Mends the grid after a step of the wall clock. Returns the step in seconds, 0.0 where there was none."""
        with self._lock:
            difference = self._wall() - self._monotonic()
            step = difference - self._difference
            self._difference = difference
        if abs(step) < _STEP_SECONDS:
            return 0.0
        for job in self._scheduler.get_jobs():
            job.modify(next_run_time=job.trigger.get_next_fire_time(None, datetime.now(UTC)))
        return step

    def _add(self, job: Job) -> None:
        if job.name in self._planned:
            self._scheduler.remove_job(job.name)
        else:
            self._scheduler.add_executor(ThreadPoolExecutor(1), alias=job.name)
        self._planned[job.name] = job
        grid = Grid(job.interval_seconds, first_seconds=job.first_seconds, monotonic=self._monotonic, wall=self._wall)
        self._scheduler.add_job(
            job.run,
            grid,
            id=job.name,
            executor=job.name,
            coalesce=True,
            max_instances=1,
            misfire_grace_time=None if job.grace_seconds is None else max(1, round(job.grace_seconds)),
        )

    def _remove(self, name: str) -> None:
        self._scheduler.remove_job(name)
        self._scheduler.remove_executor(name, shutdown=False)
        del self._planned[name]

    def _heard(self, event: Any) -> None:
        what = {EVENT_JOB_MISSED: "missed", EVENT_JOB_MAX_INSTANCES: "overlapped"}.get(event.code, "failed")
        error = getattr(event, "exception", None)
        name = "" if isinstance(error, BwmgrError) else f"{type(error).__name__}: "  # a defect is known by its class
        self._report(event.job_id, what, f"{name}{error}" if error else "")
