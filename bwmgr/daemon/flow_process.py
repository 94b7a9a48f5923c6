"""The flow process: receives, decodes and adds up by its plan, and says what each minute came to.

Owns when a minute is closed and what becomes of the open ones when the plan changes. Ends when it is told to, or when the daemon
is gone. Writes no rows itself: the daemon's side does.
"""

from __future__ import annotations

import signal
import time
from multiprocessing.connection import Connection

from bwmgr.daemon.flow_messages import Ended, Listening, Refused
from bwmgr.daemon.flow_plan import FlowPlan
from bwmgr.daemon.flow_work import FlowWork
from bwmgr.errors import BwmgrError, ConfigurationError, Mistake
from bwmgr.model.said import said_by

CLOSE_AFTER_SECONDS = 10.0
"""A minute is closed so long after its end: exporters send a flow some seconds after it has ended."""
_PATIENCE_SECONDS = 0.25
_MINUTE_SECONDS = 60.0


def work(channel: Connection) -> None:
    """The process's main: plans come in, minutes go out; None for a plan: say everything and end."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # they reach the whole group: the daemon decides
    try:
        _work(channel)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # the daemon is gone


def _work(channel: Connection) -> None:
    running: FlowWork | None = None
    due = _next_close(time.time())
    while True:
        if channel.poll(0 if running is not None else None):
            plan = channel.recv()
            if plan is None:
                break
            running = _follow(channel, running, plan)
        if running is None:
            continue
        running.step(_PATIENCE_SECONDS)
        now = time.time()
        if now >= due or due - now > 2 * _MINUTE_SECONDS:  # also where the clock was set back
            due = _next_close(now)
            channel.send(running.minutes(now - CLOSE_AFTER_SECONDS))
    if running is not None:
        running.drain()
        channel.send(running.minutes(time.time() + _MINUTE_SECONDS))
        running.close()
    channel.send(Ended())


def _follow(channel: Connection, running: FlowWork | None, plan: FlowPlan) -> FlowWork | None:
    """What runs from now on: by the new plan, or as before where that cannot be followed."""
    fresh = running is None
    try:
        if running is None:
            running = FlowWork(plan)
        else:
            channel.send(running.minutes(time.time() + _MINUTE_SECONDS))
            fresh = running.follow(plan)
    except BwmgrError as error:
        channel.send(Refused(mistakes=_mistakes(error)))
        return running
    channel.send(Listening(addresses=running.addresses, fresh=fresh))
    return running


def _mistakes(error: BwmgrError) -> tuple[Mistake, ...]:
    if isinstance(error, ConfigurationError):
        return error.mistakes
    return (Mistake(file="", line=0, key="netflow", problem=said_by(error)),)


def _next_close(now: float) -> float:
    """The next instant so long after a full minute."""
    return ((now - CLOSE_AFTER_SECONDS) // _MINUTE_SECONDS + 1) * _MINUTE_SECONDS + CLOSE_AFTER_SECONDS
