"""Sending limits to devices and reading them back: one file per kind of device, all behind `Driver`.

Owns transports, time limits and what a device's answers mean. Which settings are right, and when, is decided by the caller.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from bwmgr.errors import UsageError
from bwmgr.model.enforcement import Queue, Settings, Step

if TYPE_CHECKING:
    from bwmgr.model.inventory import Device

S = TypeVar("S", bound=Step)


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

    def send(self, steps: Sequence[S]) -> None:
        """One after the other; an error leaves those before it done."""
        ...


def driver_for(device: Device) -> Driver[Any]:
    """The driver that the configuration names. Raises: UsageError where it names none."""
    enforcer = device.enforce
    if enforcer is None:
        raise UsageError(f"device {device.id} has no `enforce:` in the configuration, so bwmgr changes nothing on it")
    if enforcer.driver == "linux":
        from bwmgr.drivers.linux import LinuxDriver

        return LinuxDriver(device.id, enforcer)
    from bwmgr.drivers.routeros import routeros_driver

    return routeros_driver(device, enforcer)
