"""When jobs run: on a grid that no step of the wall clock moves, never twice at a time, never silently left out."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count

import pytest

from bwmgr.daemon.schedule import Grid, Job, Schedule

PATIENCE_SECONDS = 20.0


class Clocks:
    """A wall clock and a monotonic clock that are moved by hand."""

    def __init__(self) -> None:
        self.wall, self.monotonic = 1_000_000.0, 50.0

    def advance(self, seconds: float) -> None:
        self.wall += seconds
        self.monotonic += seconds

    def delay(self, grid: Grid) -> float:
        """Seconds until the grid's next slot, by the wall clock of now."""
        due = grid.get_next_fire_time(None, datetime.fromtimestamp(self.wall, UTC))
        return due.timestamp() - self.wall

    def grid(self, interval: float, first: float = 0.0) -> Grid:
        return Grid(interval, first_seconds=first, monotonic=lambda: self.monotonic, wall=lambda: self.wall)


def test_slots_stay_on_the_grid_however_long_a_run_takes() -> None:
    """Fault 54: a run of 130 s in a 60 s grid skips two slots; the next one is on the grid."""
    clocks = Clocks()
    grid = clocks.grid(60)
    assert clocks.delay(grid) == 0
    clocks.advance(130)
    assert clocks.delay(grid) == pytest.approx(50)


def test_a_run_a_little_early_is_its_slots_run() -> None:
    """The wall clock rounds to microseconds: a slot must not come twice for it."""
    clocks = Clocks()
    grid = clocks.grid(60)
    clocks.delay(grid)
    clocks.advance(59.9999)
    assert clocks.delay(grid) == pytest.approx(60.0001, abs=1e-5)


def test_the_first_slot_can_be_later() -> None:
    clocks = Clocks()
    grid = clocks.grid(60, first=20)
    assert clocks.delay(grid) == pytest.approx(20)
    clocks.advance(5)
    assert clocks.delay(grid) == pytest.approx(15)


@pytest.mark.parametrize("step_seconds", [-3600, 3600])
def test_a_step_of_the_wall_clock_does_not_move_the_grid(step_seconds: float) -> None:
    """Faults 15 and 16: the next slot is as far away in real time as before the step."""
    clocks = Clocks()
    grid = clocks.grid(60)
    clocks.delay(grid)
    clocks.advance(10)
    clocks.wall += step_seconds
    assert clocks.delay(grid) == pytest.approx(50)


class Recorder:
    """Collects what a schedule reports, and wakes who waits for it."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str, str]] = []
        self._changed = threading.Condition()

    def __call__(self, job: str, what: str, detail: str) -> None:
        with self._changed:
            self.heard.append((job, what, detail))
            self._changed.notify_all()

    def wait_for(self, wanted: Callable[[list[tuple[str, str, str]]], bool]) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: wanted(self.heard), PATIENCE_SECONDS)


@contextmanager
def running(*jobs: Job, wall: Callable[[], float] = time.time) -> Iterator[tuple[Schedule, Recorder]]:
    recorder = Recorder()
    schedule = Schedule(recorder, wall=wall)
    schedule.plan(*jobs)
    schedule.start()
    try:
        yield schedule, recorder
    finally:
        schedule.stop()


def test_a_job_never_runs_twice_at_a_time_and_the_skip_is_told() -> None:
    """Fault 54: while a run is under way its slots are reported as overlapped; it runs again after."""
    release, runs, at_once, most = threading.Event(), count(), 0, []

    def slow() -> None:
        nonlocal at_once
        at_once += 1
        most.append(at_once)
        next(runs)
        release.wait(PATIENCE_SECONDS)
        at_once -= 1

    with running(Job(name="poll", run=slow, interval_seconds=0.05)) as (_, recorder):
        assert recorder.wait_for(lambda heard: sum(what == "overlapped" for _, what, _ in heard) >= 2)
        release.set()
    assert max(most) == 1


def test_a_slow_job_delays_no_other() -> None:
    """Fault 55: each job has its own worker."""
    release, ran = threading.Event(), threading.Event()
    slow = Job(name="compact", run=lambda: release.wait(PATIENCE_SECONDS) and None, interval_seconds=3600)
    with running(slow, Job(name="poll", run=ran.set, interval_seconds=0.05)):
        assert ran.wait(PATIENCE_SECONDS)
        ran.clear()
        assert ran.wait(PATIENCE_SECONDS)
        release.set()


def test_a_failing_job_is_told_and_runs_again() -> None:
    """A defect in one run ends neither the schedule nor the job."""
    runs = threading.Semaphore(0)

    def fail() -> None:
        runs.release()
        raise RuntimeError("broken")

    with running(Job(name="report", run=fail, interval_seconds=0.05)) as (_, recorder):
        assert all(runs.acquire(timeout=PATIENCE_SECONDS) for _ in range(2))
        assert recorder.wait_for(lambda heard: ("report", "failed", "RuntimeError: broken") in heard)


def test_after_a_step_back_of_an_hour_jobs_go_on() -> None:
    """Fault 15: `guard` sees the step and sets the next runs anew; without it nothing would run for an hour."""
    offset = 3600.0  # APScheduler reads the real clock; the schedule believed it an hour ahead when it set the next run
    ran = threading.Semaphore(0)
    job = Job(name="poll", run=lambda: ran.release() or None, interval_seconds=0.05)
    with running(job, wall=lambda: time.time() + offset) as (schedule, _):
        assert not ran.acquire(timeout=0.3)
        offset = 0.0
        assert schedule.guard() == pytest.approx(-3600, abs=0.5)
        assert ran.acquire(timeout=PATIENCE_SECONDS)
        assert schedule.guard() == 0.0


def test_planning_anew_keeps_the_grid_of_what_did_not_change() -> None:
    """A reload must not restart the polling interval, and takes out what is no longer wanted."""
    polled, reported = threading.Semaphore(0), threading.Event()
    poll = Job(name="poll", run=lambda: polled.release() or None, interval_seconds=3600)
    with running(poll) as (schedule, _):
        assert polled.acquire(timeout=PATIENCE_SECONDS)
        schedule.plan(poll, Job(name="report", run=reported.set, interval_seconds=0.05))
        assert reported.wait(PATIENCE_SECONDS)
        assert not polled.acquire(timeout=0)
        schedule.plan(poll)
        schedule.plan(Job(name="poll", run=lambda: polled.release() or None, interval_seconds=0.05))
        assert polled.acquire(timeout=PATIENCE_SECONDS)
