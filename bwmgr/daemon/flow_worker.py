"""One flow process as its daemon sees it: started, told plans, listened to, started again when it dies, ended.

Owns the process and its pipe. What the minutes mean, and how those of several processes are joined, is `flows` and `flow_merge`.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Mapping
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from bwmgr.daemon import flow_process
from bwmgr.daemon.flow_messages import Ended, Listening, Minutes, Refused, Said, Totals
from bwmgr.daemon.flow_minutes import Written
from bwmgr.daemon.flow_plan import FlowPlan
from bwmgr.stores import RateStore

_SPAWN = multiprocessing.get_context("spawn")
_AGAIN_SECONDS = (1.0, 5.0, 30.0)
_STEADY_SECONDS = 600.0


class FlowWorker:
    """The process is not running before `begin`. All calls come from one thread; times are of the monotonic clock."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.channel: Connection | None = None
        self.answer: Listening | Refused | None = None
        """To the plan that it was sent last; None: it has not answered."""
        self.totals = Totals()
        self.snapshot: Mapping[str, Any] = {}
        self.listens = False
        """It has bound the addresses at least once."""
        self.ended = False
        """It has said everything and was told to."""
        self.due = 0.0
        """When it may be started (again)."""
        self._process: BaseProcess | None = None
        self._sent: FlowPlan | None = None
        self._asked = 0
        """Plans that it has not answered yet."""
        self._began = 0.0
        self._failures = 0

    def begin(self, store: RateStore) -> None:
        """Starts the process; what `store` holds of minutes that are open is not its doing."""
        self.channel, theirs = _SPAWN.Pipe()
        name = f"bwmgr flows {self.number + 1}"
        self._process = _SPAWN.Process(target=flow_process.work, args=(theirs,), name=name, daemon=True)
        self._process.start()
        theirs.close()
        self._began = time.monotonic()
        self._sent, self.answer, self.totals, self.ended = None, None, Totals(), False
        self.listens, self._asked = False, 0
        self.written = Written(store)

    def tell(self, plan: FlowPlan) -> None:
        """Sends the plan, if that is not the one it has. Raises: OSError where the process is gone."""
        if self.channel is not None and plan != self._sent:
            self.answer = None
            self.channel.send(plan)
            self._sent = plan
            self._asked += 1

    def forget(self) -> None:
        """Its plan is to be sent again, whatever it has, and answered."""
        self.answer, self._sent = None, None

    def finish(self) -> None:
        """Asks it to say everything and end. Raises: OSError where the process is gone."""
        if self.channel is not None:
            self.channel.send(None)

    def hear(self, store: RateStore) -> Minutes | None:
        """What it says next; minutes are given back, the rest is noted here. Raises: EOFError, OSError: the process is gone."""
        assert self.channel is not None
        said: Said = self.channel.recv()
        if isinstance(said, Listening | Refused):
            self._answered(said, store)
        elif isinstance(said, Ended):
            self.ended = True
        return said if isinstance(said, Minutes) else None

    def _answered(self, said: Listening | Refused, store: RateStore) -> None:
        self._asked -= 1
        if isinstance(said, Listening):
            self.listens = True
            if said.fresh:
                self.written = Written(store)
        if not self._asked:
            self.answer = said

    def bury(self) -> int | None:
        """Takes away a process that ended, or should have; gives its exit code. It is due again after a pause that grows."""
        process, self._process = self._process, None
        if self.channel is not None:
            self.channel.close()
            self.channel = None
        if process is None:
            return None
        process.join(2)
        for end in (process.terminate, process.kill):
            if process.is_alive():
                end()
                process.join(2)
        now = time.monotonic()
        self._failures = 1 if now - self._began > _STEADY_SECONDS else self._failures + 1
        self.due = now + _AGAIN_SECONDS[min(self._failures, len(_AGAIN_SECONDS)) - 1]
        return process.exitcode
