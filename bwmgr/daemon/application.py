"""Builds the parts that commands and the daemon share, from one configuration: the stores, the collector, the engine's sources.

Everything is made when first asked for, so that a command pays only for what it uses.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from bwmgr.daemon.clock import SteadyClock
from bwmgr.errors import UsageError
from bwmgr.model.clock import Clock
from bwmgr.model.inventory import Credential, Device, Interface
from bwmgr.stores import LINK_RATE, UPLINK_RATE, RateStore
from bwmgr.stores.embedded import EmbeddedStore
from bwmgr.stores.history import History
from bwmgr.stores.lock import Lock
from bwmgr.stores.state import StateStore

if TYPE_CHECKING:
    from bwmgr.config.settings import Settings
    from bwmgr.daemon.polling import Poller
    from bwmgr.daemon.status import Status
    from collectors.snmp.collector import SnmpCollector
    from collectors.snmp.plan import Target
    from collectors.snmp.settings import SnmpSettings

STATE_FILE = "state.sqlite"


class Application:
    """The parts over one data folder. `clock` None: the machine's, never before what is already stored."""

    def __init__(self, settings: Settings, *, clock: Clock | None = None) -> None:
        """Raises: UsageError for a store that this installation does not have, StoreError when the folder is unusable."""
        self.settings = settings
        self.inventory = settings.inventory
        self.folder = settings.store.path
        if settings.store.kind != "embedded":
            raise UsageError(f"store.kind {settings.store.kind!r} is not available in this version; write embedded")
        self._clock = clock

    @cached_property
    def store(self) -> RateStore:
        return self.embedded

    @cached_property
    def embedded(self) -> EmbeddedStore:
        return EmbeddedStore(self.folder)

    @cached_property
    def state(self) -> StateStore:
        return StateStore(self.folder / STATE_FILE)

    @cached_property
    def history(self) -> History:
        return History(self.store, self.inventory.calendars, self.inventory.organisation.timezone)

    @cached_property
    def clock(self) -> Clock:
        """Stamps of this run are later than every stamp already stored."""
        if self._clock is not None:
            return self._clock
        spans = [span.last for name in (LINK_RATE, UPLINK_RATE) for span in self.store.spans(name).values()]
        return SteadyClock(not_before=max(spans, default=None))

    def lock(self) -> Lock:
        """Held by whoever polls into the folder. Raises: StoreLocked with the other's pid."""
        return Lock(self.folder)

    def snmp_settings(self) -> SnmpSettings:
        """The collector's own settings from the section `snmp` of the configuration."""
        from collectors.snmp.settings import SnmpSettings

        section = self.settings.snmp
        return SnmpSettings(
            interval_seconds=section.interval_seconds, timeout_seconds=section.timeout_seconds, retries=section.retries
        )

    def collector(self, clock: Clock | None = None) -> SnmpCollector:
        """A new collector for every interface of the inventory."""
        from collectors.snmp.collector import SnmpCollector

        return SnmpCollector(self.snmp_settings(), self.targets(), clock or self.clock)

    def targets(self) -> Sequence[Target]:
        """What to ask: each device with the interfaces of links and uplinks on it; devices without any are left out."""
        from collectors.snmp.plan import Target

        asked: dict[str, list[Interface]] = {}
        interfaces = [link.interface for link in self.inventory.links.values() if link.interface is not None]
        interfaces += [uplink.interface for _, _, uplink in self.inventory.uplinks()]
        for interface in interfaces:
            asked.setdefault(interface.device, []).append(interface)
        return tuple(
            Target(device=(device := self.inventory.devices[name]), credential=self.credential(device), interfaces=tuple(found))
            for name, found in asked.items()
        )

    def credential(self, device: Device) -> Credential:
        return self.inventory.credentials[device.credentials]

    def poller(self) -> Poller:
        """A poller that goes on where the last one on this folder stopped."""
        from bwmgr.daemon.polling import Poller

        return Poller(self.inventory, self.collector(), self.store, self.state, self.clock)

    def status(self) -> Status:
        """The newest figures of everything."""
        from bwmgr.daemon.status import read_status

        return read_status(self.inventory, self.store, self.clock.now(), self.settings.snmp.interval_seconds)

    def close(self) -> None:
        """Closes what was opened; safe to call twice."""
        for part in ("embedded", "state"):
            if (opened := self.__dict__.pop(part, None)) is not None:
                opened.close()
