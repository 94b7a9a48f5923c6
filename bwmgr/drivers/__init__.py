"""Sending limits to devices and reading them back: one file per kind of device, all behind `Driver`.

Owns transports, time limits and what a device's answers mean. Which settings are right, and when, is decided by the caller.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from bwmgr.errors import UsageError
from bwmgr.model.bandwidth import Bandwidth
from bwmgr.model.enforcement import Queue, Settings, Step
from bwmgr.model.inventory import Direction
from bwmgr.model.said import Said

if TYPE_CHECKING:
    from bwmgr.model.inventory import Device

S = TypeVar("S", bound=Step)
Undo = Mapping[Direction, Settings]
"""Which settings each direction of a link goes back to where nobody confirms; empty: nothing waits."""


class Driver(Protocol[S]):
    """One device. Methods raise DeviceTimeout, DeviceAuthenticationError or DeviceProtocolError, with the device's name."""

    def read(self, queue: Queue) -> Settings:
        """The queue's settings as they are on the device now; empty: it is not there."""
        ...

    def wanted(self, queue: Queue, present: Settings) -> Settings:
        """What `read` is to give once the queue holds. Raises: UsageError where it cannot be held here."""
        ...

    def steps(self, queue: Queue, present: Settings, to: Settings) -> Sequence[S]:
        """What would be sent to get from the present settings to others, in order; nothing where they are the same."""
        ...

    def guarded(self, queue: Queue, steps: Sequence[S], undo: Undo, seconds: float) -> Sequence[S]:
        """The same, so that the device itself restores `undo` after so long unless `confirm` is called before.

        The steps as they are, where it cannot. `undo` has what else of the link waits for its proof, too.
        """
        ...

    def send(self, steps: Sequence[S]) -> None:
        """One after the other; an error leaves those before it done."""
        ...

    def confirm(self, queue: Queue, undo: Undo) -> None:
        """The device is not to take this queue's change back any more, only what `undo` still has."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """What a device that cannot be read is taken to hold: what bwmgr left there, else the bandwidth that the engine knows."""

    settings: Settings | None
    bandwidth: Bandwidth


def driver_for(device: Device, known: Known | None = None) -> Driver[Any]:
    """The driver that the configuration names. Raises: UsageError where it names none."""
    enforcer = device.enforce
    if enforcer is None:
        raise UsageError(
            Said("device {device} has no `enforce:` in the configuration, so bwmgr changes nothing on it", device=device.id)
        )
    if enforcer.driver == "linux":
        from bwmgr.drivers.linux import LinuxDriver

        return LinuxDriver(device.id, enforcer)
    if enforcer.driver == "ios":
        from bwmgr.drivers.ios import IosDriver

        return IosDriver(device, enforcer)
    if enforcer.driver == "junos":
        from bwmgr.drivers.junos import JunosDriver

        return JunosDriver(device, enforcer)
    if enforcer.driver == "radius":
        from bwmgr.drivers.radius import RadiusDriver

        return RadiusDriver(device, enforcer, known)
    from bwmgr.drivers.routeros import routeros_driver

    return routeros_driver(device, enforcer)
