"""Juniper Junos over SSH: reads the active configuration, types set and delete lines, commits with `commit confirmed`.

`configure exclusive`, since a plain commit would take another person's half-done edits along; where somebody is configuring,
Junos refuses and nothing is sent. Real hardware is still to be tried (docs: enforcement); the double in
`bwmgr.testing.cli_routers` speaks from the documentation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from bwmgr.drivers import Undo
from bwmgr.drivers.ssh import CliStep, Session
from bwmgr.errors import DeviceProtocolError
from bwmgr.model.enforcement import Queue, Settings
from bwmgr.model.inventory import Device, Enforcer
from bwmgr.model.said import Said
from bwmgr.renderers import junos_settings

_COMMIT = "commit"
_EXCLUSIVE = "configure exclusive"
_REFUSED = r"(?:syntax error|unknown command|^error:|invalid (?:value|statement)|missing argument)"
_PENDING = "commit confirmed, rollback in"


class JunosDriver:
    def __init__(self, device: Device, enforcer: Enforcer) -> None:
        self._session = Session(device, enforcer, "juniper_junos")

    def read(self, queue: Queue) -> Settings:
        return junos_settings.settings(queue, self._session.said(junos_settings.shows(queue)))

    def wanted(self, queue: Queue, present: Settings) -> Settings:
        return junos_settings.wanted(queue)

    def steps(self, queue: Queue, present: Settings, to: Settings) -> Sequence[CliStep]:
        lines = junos_settings.steps(queue, present, to)
        return tuple(CliStep(line=line) for line in (*lines, _COMMIT)) if lines else ()

    def guarded(self, queue: Queue, steps: Sequence[CliStep], undo: Undo, seconds: float) -> Sequence[CliStep]:
        """Pending is the whole device: a later commit there, for whatever queue, confirms this one to the device."""
        return (*steps[:-1], CliStep(line=f"{_COMMIT} confirmed {math.ceil(seconds / 60)}")) if steps else ()

    def send(self, steps: Sequence[CliStep]) -> None:
        """All or nothing: a line or a commit that Junos refuses leaves the active configuration as it was."""
        if not steps:
            return
        *lines, commit = (step.line for step in steps)
        minutes = commit.removeprefix(f"{_COMMIT} confirmed").strip()
        confirmed = {"confirm": True, "confirm_delay": int(minutes)} if commit != _COMMIT else {}
        with self._session.opened() as connection:
            answer = str(connection.send_command(_EXCLUSIVE, expect_string=r"[>#]\s*$", strip_prompt=False))
            if "Entering configuration mode" not in answer:
                raise DeviceProtocolError(
                    self._session.device, Said("is being configured by somebody else: {answer}", answer=" ".join(answer.split()))
                )
            try:
                connection.send_config_set(lines, exit_config_mode=False, error_pattern=_REFUSED)
                connection.commit(**confirmed)
            finally:
                connection.exit_config_mode()

    def confirm(self, queue: Queue, undo: Undo) -> None:
        with self._session.opened() as connection:
            if _PENDING in str(connection.send_command("show system commit")):
                connection.commit()
                connection.exit_config_mode()
