"""Work that needs heavy libraries (Arrow, DuckDB, charts), each run in a process of its own.

So the daemon that polls stays small however long it runs, and a chore that takes too much memory harms no cycle. A chore gets
the settings that the daemon runs with, not the file's, and gives a small mapping of figures back. Owns no schedule.
"""

from __future__ import annotations

import multiprocessing
import signal
import threading
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

from bwmgr.errors import BwmgrError, StoreUnavailable

if TYPE_CHECKING:
    from bwmgr.config.settings import Settings
    from bwmgr.daemon.application import Application

Figures = Mapping[str, float]
Chore = Callable[["Application"], Figures]

_SPAWN = multiprocessing.get_context("spawn")  # a fork would copy the daemon's threads' locks as they are held


class ChoreFailed(BwmgrError):
    """A chore did not end well; the message says why. The next slot tries again.

    `trace` is the traceback of a defect, empty for an expected error.
    """

    def __init__(self, problem: str, trace: str = "") -> None:
        self.trace = trace
        super().__init__(problem)


def compact(application: Application) -> Figures:
    """Moves closed days into their files, forgets what is too old or too much. Gives the octets of each part of the folder."""
    from bwmgr.stores.embedded import Retention

    if application.settings.store.kind == "influxdb":  # the server does both; what waits for it is all there is here
        application.influx.roll_up(application.clock.now())
        return {"spool": application.influx.spool_state().octets}
    store, settings, now = application.embedded, application.settings.store, application.clock.now()
    store.compact(now)
    store.retain(now, Retention(age_seconds=settings.retention_seconds, octets=settings.retention_octets))
    return store.sizes()


def recommend(application: Application) -> Figures:
    """Runs the policies. Gives the number of recommendations by status."""
    from bwmgr.daemon.advice import advise
    from bwmgr.daemon.pre_approval import pre_approve

    now = application.clock.now()
    advise(application, now)
    pre_approve(application, now)
    if application.settings.store.kind == "influxdb":
        _tell(application)
    counts: dict[str, float] = {}
    for recommendation in application.state.recommendations():
        counts[recommendation.status] = counts.get(recommendation.status, 0) + 1
    return counts


def _tell(application: Application) -> None:
    """The queue for dashboards; its own way is SQLite, so a spool that takes nothing is no failure of this chore."""
    from bwmgr.daemon.influx_points import tell_recommendations
    from bwmgr.language import Words

    organisation = application.inventory.organisation
    words = Words(organisation.language, organisation.timezone, organisation.currency)
    with suppress(StoreUnavailable):
        tell_recommendations(application.influx, application.state, words, application.clock.now())


def verify(application: Application) -> Figures:
    """Judges what was applied by what was measured since, and takes back what did harm. Gives how many came to what.

    Where something begins or ends within moments, it waits for that very time.
    """
    from bwmgr.daemon.apply_watch import tend
    from bwmgr.daemon.timetable import await_instant

    await_instant(application)
    return tend(application)


def trial(application: Application) -> Figures:
    """Tests by iperf3 that are due. Gives how many ran, and how many of them failed."""
    from bwmgr.daemon.trial_tests import run_due

    return run_due(application)


def audit(application: Application) -> Figures:
    """Verifies the whole journal, so that doctor and notices can say what is wrong. Gives its entries and problems."""
    from bwmgr.daemon.journal_trail import keep_verdict, known_keys
    from bwmgr.stores.journal_check import check

    application.trail.flush()
    found = check(application.trail.journal, known_keys(application.settings.journal))
    keep_verdict(application.state, found)
    return {"entries": found.entries, "problems": found.found}


def notify(application: Application) -> Figures:
    """Tells people what there is to tell. Gives what came of it by receiver (`bwmgr.daemon.notify_listing.figures`)."""
    from bwmgr.daemon.notify import tell
    from bwmgr.daemon.notify_listing import figures

    return figures(application, tell(application))


def monthly(application: Application) -> Figures:
    """Closes the month before, writes its report, and sends what was not sent yet. Gives how many files and e-mails."""
    from bwmgr.daemon.monthly_sending import run_due

    return run_due(application)


def report(application: Application) -> Figures:
    """Writes the overview for people into the data folder."""
    from bwmgr.daemon.publish import publish_overview

    publish_overview(application, application.folder / "reports" / "overview.html")
    return {}


class Chores:
    """Runs chores and waits for them; `stop` ends those under way, from any thread: each is safe to be killed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[multiprocessing.process.BaseProcess] = set()
        self._stopped = False

    def run(self, chore: Chore, settings: Settings) -> Figures:
        """Returns when the chore has ended. Raises: ChoreFailed."""
        ours, theirs = _SPAWN.Pipe(duplex=False)
        process = _SPAWN.Process(target=_work, args=(chore, settings, theirs), name=f"bwmgr {chore.__name__}", daemon=True)
        with self._lock:
            if self._stopped:
                return {}
            process.start()
            self._running.add(process)
        theirs.close()
        try:
            figures, problem, trace = ours.recv()
        except EOFError:
            problem = "" if self._stopped else "its process ended without a word (killed, or out of memory)"
            figures, trace = {}, ""
        finally:
            process.join()
            with self._lock:
                self._running.discard(process)
        if problem:
            raise ChoreFailed(problem, trace)
        return dict(figures)

    def stop(self) -> None:
        """Ends what runs, and lets nothing start any more."""
        with self._lock:
            self._stopped = True
            for process in self._running:
                process.terminate()


def _work(chore: Chore, settings: Settings, answer: Connection) -> None:
    """The chore's own process: runs it and sends (figures, problem, traceback)."""
    from bwmgr.daemon.application import Application

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group: the daemon decides
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        application = Application(settings)
        try:
            answer.send((dict(chore(application)), "", ""))
        finally:
            application.close()
    except BwmgrError as error:
        answer.send(({}, str(error), ""))
    except Exception as error:  # noqa: BLE001  # supervised: a defect in a chore is logged and ends nothing else
        answer.send(({}, f"{type(error).__name__}: {error}", traceback.format_exc()))
