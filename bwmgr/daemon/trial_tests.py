"""Tests of ours while a trial runs: iperf3 from this machine to a server that the office names.

Owns when one may run (never while an office of the trial works, unless told), how long and how fast it may be, and what its
answer means. A test that did not come about is kept with its problem: it is no evidence against the line.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from bwmgr.daemon.trials import add_tests, read_trials, running
from bwmgr.errors import UsageError
from bwmgr.measure.calendars import spans
from bwmgr.model.inventory import Direction
from bwmgr.model.said import Said
from bwmgr.model.trial import ActiveTest, Promise, Trial

if TYPE_CHECKING:
    from bwmgr.config.settings import ActiveSection
    from bwmgr.daemon.application import Application

STREAMS = 4
"""One stream alone may be held by its window rather than by the line."""
LATE = timedelta(minutes=15)
"""A test that could not begin so long after its time of day is left out."""
_PATIENCE_SECONDS = 15.0
_FILLS = 0.95
_HEADERS_OCTETS = 66
"""Ethernet, IPv4, TCP with time stamps: interfaces count them, iperf3 does not."""


def run_tests(
    application: Application, trial: Trial, line: str | None = None, *, in_office_hours: bool = False
) -> list[ActiveTest]:
    """Both directions of one line, one after the other, now; kept with the trial.

    Raises: UsageError where no server is configured, the trial does not run, an office works now, or it does not say which line.
    """
    active, now = application.settings.active, application.clock.now()
    if active is None:
        raise UsageError(Said("no server to test against: name one in the configuration as trial.active.server"))
    if trial not in running([trial], now):
        raise UsageError(Said("trial {trial} does not run now", trial=trial.id))
    promise = _line(trial, line)
    if not (in_office_hours or active.in_office_hours) and offices_work(application, trial, now):
        raise UsageError(
            Said("an office of this trial works now; a test would take its bandwidth (--in-office-hours does it all the same)")
        )
    done = [test(active, promise, direction, application) for direction in Direction if promise[direction]]
    add_tests(application.state, trial.id, done)
    return done


def run_due(application: Application) -> Mapping[str, float]:
    """For the daemon: each running trial of one line at the configured times of day. Gives how many tests ran and failed."""
    done: list[ActiveTest] = []
    for trial in _due(application):
        try:
            done += run_tests(application, trial)
        except UsageError:  # an office works at that hour: the configuration wins over the schedule
            continue
    return {"tests": float(len(done)), "failed": float(sum(bool(one.problem) for one in done))}


def waits(application: Application) -> bool:
    """Is there a test to be run now?"""
    return bool(_due(application))


def _due(application: Application) -> list[Trial]:
    now, zone = application.clock.now(), application.inventory.organisation.timezone
    found = running(read_trials(application.state), now)
    return [one for one in found if len(one.lines) == 1 and is_due(one, application.settings.active, now, zone)]


def is_due(trial: Trial, active: ActiveSection | None, now: datetime, timezone: str) -> bool:
    """Has a time of day come, in the organisation's zone, at which this trial was not tested yet?"""
    local = now.astimezone(ZoneInfo(timezone))
    for at in active.at if active is not None else ():
        slot = local.replace(hour=at.hour, minute=at.minute, second=0, microsecond=0)
        if slot <= local < slot + LATE and not any(test.start >= slot for test in trial.tests):
            return True
    return False


def offices_work(application: Application, trial: Trial, now: datetime) -> bool:
    """Is now in the hours of a calendar that a line of the trial follows? Of a provider's lines: of any link's."""
    inventory = application.inventory
    own = {inventory.links[line.id].calendar for line in trial.lines if line.id in inventory.links}
    names = own or {link.calendar for link in inventory.links.values()}
    later = now + timedelta(minutes=5)
    for name in names:
        calendar = inventory.calendars[name]
        if calendar.weekly is not None and len(spans(calendar, inventory.organisation.timezone, now, later)):
            return True
    return False


def test(active: ActiveSection, line: Promise, direction: Direction, application: Application) -> ActiveTest:
    """One run of iperf3: no longer and no faster than the configuration says, and never above the promise.

    Where the configuration bounds it below the promise, what arrived is evidence only if even that much did not get through.
    """
    promised = line[direction] or 0
    most = min(promised, active.most_bps or promised)
    started = application.clock.now()
    arrived_bps, retransmits, problem = _iperf3(active, direction, most)
    if arrived_bps is not None and most < _FILLS * promised and arrived_bps >= _FILLS * most:
        arrived_bps = None
        problem = Said("no more than {most} bit/s were sent, of {promised} promised, and arrived", most=most, promised=promised)
    return ActiveTest(
        line=line.id,
        direction=direction,
        start=started,
        end=started + timedelta(seconds=active.seconds),
        server=f"{active.server}:{active.port}",
        rate_bps=arrived_bps,
        retransmits=retransmits,
        problem=problem,
    )


def _iperf3(active: ActiveSection, direction: Direction, most_bps: int) -> tuple[float | None, int | None, str]:
    """(bit/s that arrived, headers with them, as an interface counts; retransmits; problem)."""
    program = shutil.which("iperf3")
    if program is None:
        return None, None, Said("iperf3 is not installed")
    command = [
        program, "--client", active.server, "--port", str(active.port), "--time", str(round(active.seconds)), "--json",
        "--parallel", str(STREAMS), "--bitrate", str(-(-most_bps // STREAMS)), "--connect-timeout", "5000",
        *(["--reverse"] if direction is Direction.DOWN else []),
    ]  # fmt: skip
    try:
        done = subprocess.run(  # noqa: S603  # the address was checked as one; no shell
            command,
            capture_output=True,
            text=True,
            timeout=active.seconds + _PATIENCE_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        patience = f"{active.seconds + _PATIENCE_SECONDS:g}"
        return None, None, Said("iperf3 did not end within {patience} s", patience=patience)
    return _told(done.stdout, done.stderr)


def _told(output: str, errors: str) -> tuple[float | None, int | None, str]:
    try:
        answer: dict[str, Any] = json.loads(output)
    except ValueError:
        said = (errors or output).strip()[:200]
        return None, None, Said("iperf3 said: {said}", said=said) if said else Said("iperf3 said: nothing")
    if problem := answer.get("error"):
        return None, None, str(problem)[:200]
    sums = answer.get("end", {})
    arrived = sums.get("sum_received", {}).get("bits_per_second")
    if not isinstance(arrived, int | float) or arrived <= 0:
        return None, None, Said("iperf3 tells of nothing that arrived")
    retransmits = sums.get("sum_sent", {}).get("retransmits")
    segment = answer.get("start", {}).get("tcp_mss_default") or 1448
    return float(arrived) * (segment + _HEADERS_OCTETS) / segment, retransmits if isinstance(retransmits, int) else None, ""


def _line(trial: Trial, name: str | None) -> Promise:
    found = [line for line in trial.lines if name in (None, line.id)]
    if len(found) == 1:
        return found[0]
    raise UsageError(Said("say which line the test goes over: {lines}", lines=", ".join(line.id for line in trial.lines)))
