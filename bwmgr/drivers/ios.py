"""Cisco IOS and IOS-XE over SSH: reads the running configuration, types lines, and lets IOS take them back if it can.

`configure terminal revert timer N` (Cisco, Configuration Rollback Confirmed Change) needs an archive path; without one a change
is sent plainly, and only bwmgr itself takes it back. The startup configuration is written when a change is proven, not before.
Real hardware is still to be tried (docs: enforcement); the double in `bwmgr.testing.cli_routers` speaks from the documentation.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from bwmgr.drivers import Undo
from bwmgr.drivers.ssh import CliStep, Session
from bwmgr.errors import DeviceProtocolError
from bwmgr.model.enforcement import Queue, Settings
from bwmgr.model.inventory import Device, Enforcer
from bwmgr.model.said import Said
from bwmgr.renderers import ios_settings

_BEGIN, _END = "configure terminal", "end"
_REFUSED = r"^% ?\S.*$"
_TIMER = "show archive config rollback timer"
_PENDING = "Timer value"
"""Another change waits for its confirmation already: IOS has one timer, so this one goes without."""
_LONGEST_MINUTES = 120
"""Of the revert timer."""


class IosDriver:
    def __init__(self, device: Device, enforcer: Enforcer) -> None:
        self._session = Session(device, enforcer, "cisco_ios")
        self._archives = False

    def read(self, queue: Queue) -> Settings:
        *texts, archive, timer = self._session.said((*ios_settings.shows(queue), "show archive", _TIMER))
        self._archives = "archive configuration" in archive.lower() and _PENDING not in timer
        return ios_settings.settings(queue, texts)

    def wanted(self, queue: Queue, present: Settings) -> Settings:
        return ios_settings.wanted(queue)

    def steps(self, queue: Queue, present: Settings, to: Settings) -> Sequence[CliStep]:
        lines = ios_settings.steps(queue, present, to)
        return tuple(CliStep(line=line) for line in (_BEGIN, *lines, _END)) if lines else ()

    def guarded(self, queue: Queue, steps: Sequence[CliStep], undo: Undo, seconds: float) -> Sequence[CliStep]:
        minutes = math.ceil(seconds / 60)
        if not steps or not self._archives or minutes > _LONGEST_MINUTES:
            return steps
        return (CliStep(line=f"{_BEGIN} revert timer {minutes}"), *steps[1:])

    def send(self, steps: Sequence[CliStep]) -> None:
        """Raises: DeviceProtocolError at the first line that IOS refuses, with its words; those before it are in force."""
        if not steps:
            return
        begin, *lines = (step.line for step in steps)
        with self._session.opened() as connection:
            connection.send_config_set(lines[:-1], config_mode_command=begin, error_pattern=_REFUSED, cmd_verify=True)

    def confirm(self, queue: Queue, undo: Undo) -> None:
        """What is pending is the device's, not a queue's: with it whatever else was sent there since is confirmed too."""
        with self._session.opened() as connection:
            answer = str(connection.send_command("configure confirm"))
            trouble = re.search(_REFUSED, answer, re.MULTILINE)
            if trouble and "No Rollback Confirmed Change pending" not in answer:
                raise DeviceProtocolError(self._session.device, Said("refused to confirm: {answer}", answer=trouble.group()))
            connection.save_config()
