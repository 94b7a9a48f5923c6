"""Builds the parts that commands and the daemon share, from one configuration: the stores, the collector, the engine's sources.

Everything is made when first asked for, so that a command pays only for what it uses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from bwmgr.daemon.clock import SteadyClock
from bwmgr.errors import UsageError
from bwmgr.model.clock import Clock
from bwmgr.model.inventory import Credential, Device, Interface
from bwmgr.model.said import Said
from bwmgr.stores import RateStore

if TYPE_CHECKING:
    from bwmgr.config.settings import Settings, StoreSettings
    from bwmgr.daemon.journal_trail import Trail
    from bwmgr.daemon.polling import Handover, Poller
    from bwmgr.daemon.status import Status
    from bwmgr.model.usage import UsageWindow
    from bwmgr.stores.embedded import EmbeddedStore
    from bwmgr.stores.flow_history import ClassRate
    from bwmgr.stores.history import History
    from bwmgr.stores.influx import Access, InfluxStore
    from bwmgr.stores.lock import Lock
    from bwmgr.stores.state import StateStore
    from collectors.snmp.collector import SnmpCollector
    from collectors.snmp.plan import Target
    from collectors.snmp.settings import SnmpSettings

STATE_FILE = "state.sqlite"
SPOOL_FOLDER = "influx-spool"
CLASS_WINDOW = timedelta(minutes=5)
FRESH_FLOWS_SECONDS = 180
"""The daemon writes flows every minute: older ones are not of now."""
_SHARED = ("embedded", "influx", "state", "clock")
"""What a successor takes over: open files, and the time that stamps have reached."""


class Application:
    """The parts over one data folder. `clock` None: the machine's."""

    def __init__(self, settings: Settings, *, clock: Clock | None = None) -> None:
        self.settings = settings
        self.inventory = settings.inventory
        self.folder = settings.store.path
        self._clock = clock

    @cached_property
    def embedded(self) -> EmbeddedStore:
        """Raises: StoreError when the folder is unusable, UsageError where rates are kept elsewhere."""
        from bwmgr.stores.embedded import EmbeddedStore

        if self.settings.store.kind != "embedded":
            raise UsageError(Said("store.kind is {kind}: this is for the embedded store only", kind=self.settings.store.kind))
        return EmbeddedStore(self.folder)

    @cached_property
    def influx(self) -> InfluxStore:
        """Raises: StoreUnavailable when the folder is unusable; the server need not be there."""
        from bwmgr.stores.influx import InfluxStore, series_tags

        return InfluxStore(access(self.settings.store), self.folder / SPOOL_FOLDER, tags=series_tags(self.inventory))

    @property
    def store(self) -> RateStore:
        return self.influx if self.settings.store.kind == "influxdb" else self.embedded

    @cached_property
    def state(self) -> StateStore:
        """Raises: StoreError when the folder is unusable."""
        from bwmgr.daemon.acting import system_user
        from bwmgr.stores.state import StateStore

        return StateStore(self.folder / STATE_FILE, user=system_user())

    @cached_property
    def trail(self) -> Trail:
        """Where every act is entered. Raises: UsageError where `journal.key` is no key."""
        from bwmgr.daemon.journal_trail import Trail, configured_key
        from bwmgr.stores.journal import Journal

        journal = Journal(self.folder, configured_key(self.settings.journal))
        return Trail(self.settings, journal, self.state, self.clock)

    @cached_property
    def history(self) -> History:
        from bwmgr.stores.history import History

        return History(self.store, self.inventory.calendars, self.inventory.organisation.timezone)

    @cached_property
    def clock(self) -> Clock:
        return self._clock or SteadyClock()

    def lock(self) -> Lock:
        """Held by whoever polls into the folder. Raises: StoreLocked with the other's pid."""
        from bwmgr.stores.lock import Lock

        return Lock(self.folder)

    def snmp_settings(self) -> SnmpSettings:
        """The collector's own settings from the section `snmp`; with ifDescr where raw counters are written."""
        from bwmgr.daemon.discovery import snmp_settings

        store = self.settings.store
        described = store.kind == "influxdb" and store.interface_counters
        return replace(snmp_settings(self.settings), descriptions=described)

    def collector(self, clock: Clock | None = None) -> SnmpCollector:
        """A new collector for every polled interface of the inventory."""
        from collectors.snmp.collector import SnmpCollector

        return SnmpCollector(self.snmp_settings(), self.targets(), clock or self.clock)

    def targets(self) -> Sequence[Target]:
        """What to ask: each device with the interfaces of links and uplinks on it; devices without any are left out."""
        from collectors.snmp.plan import Target

        return tuple(
            Target(device=(device := self.inventory.devices[name]), credential=self.credential(device), interfaces=tuple(found))
            for name, found in self._asked().items()
        )

    def credential(self, device: Device) -> Credential:
        return self.inventory.credentials[device.credentials]

    def poller(self, handover: Handover | None = None) -> Poller:
        """A poller that goes on where `handover`, or else the last one on this folder, stopped."""
        from bwmgr.daemon.polling import Poller

        return Poller(
            self.inventory,
            self.collector(),
            self.store,
            self.state,
            self.clock,
            interval_seconds=self.settings.snmp.interval_seconds,
            handover=handover,
        )

    def status(self) -> Status:
        """The newest figures of everything."""
        from bwmgr.daemon.status import read_status

        return read_status(self.inventory, self.store, self.clock.now(), self.settings.snmp.interval_seconds)

    def traffic_classes(self) -> list[ClassRate]:
        """Domestic and international in the newest five minutes of flows; empty where there are none that are fresh."""
        from bwmgr.stores.flow_history import class_rates, newest_minute

        end = newest_minute(self.store)
        if end is None or (self.clock.now() - end).total_seconds() > FRESH_FLOWS_SECONDS:
            return []
        return class_rates(self.store, self.inventory, end - CLASS_WINDOW, end)

    def usage(
        self, links: Sequence[str], start: datetime, end: datetime, *, calendar: str | None = None, percentile: float = 95.0
    ) -> list[UsageWindow]:
        """What these links used in [start, end), down then up of each, in order. `calendar` None: each link's own."""
        own = {link: self.inventory.links[link].calendar for link in links}
        return self.history.usage(links, start=start, end=end, calendar=calendar or own, percentile=percentile)

    def successor(self, settings: Settings) -> Application:
        """The same folder under another configuration: takes over what is open, so that only the successor is to be closed.

        Raises: UsageError where the store is another one: that needs a restart.
        """
        if _place(settings.store) != _place(self.settings.store):
            raise UsageError(
                Said(
                    "the store was moved from {before} to {after}, or its server or user was changed: that needs a "
                    "restart, not a reload",
                    before=self.folder,
                    after=settings.store.path,
                )
            )
        heir = Application(settings, clock=self._clock)
        heir.__dict__.update({part: self.__dict__[part] for part in _SHARED if part in self.__dict__})
        if (trail := self.__dict__.pop("trail", None)) is not None:  # the heir's may have another key
            trail.close()
        if "influx" in heir.__dict__:
            from bwmgr.stores.influx import series_tags

            heir.influx.retag(series_tags(heir.inventory))
        return heir

    def close(self) -> None:
        """Closes what was opened; safe to call twice. Raises: StoreError where the journal cannot be written; all is closed."""
        try:
            if "state" in self.__dict__ and not self.state.closed and self.state.unentered(1):  # closed: by the heir
                self.trail.flush()
        finally:
            self._close()

    def _close(self) -> None:
        if (trail := self.__dict__.pop("trail", None)) is not None:
            trail.close()
        for part in ("embedded", "influx", "state"):
            if (opened := self.__dict__.pop(part, None)) is not None:
                opened.close()

    def _asked(self) -> dict[str, list[Interface]]:
        """Device -> the interfaces to read on it, each once."""
        from bwmgr.daemon.polling import is_polled

        interfaces = [link.interface for link in self.inventory.links.values() if link.interface is not None and is_polled(link)]
        interfaces += [uplink.interface for _, _, uplink in self.inventory.uplinks()]
        asked: dict[str, dict[str, Interface]] = {}
        for interface in interfaces:
            asked.setdefault(interface.device, {}).setdefault(interface.name, interface)
        return {device: list(found.values()) for device, found in asked.items()}


def _place(settings: StoreSettings) -> StoreSettings:
    """What cannot change while it is open: all but how long rows are kept, and which are written."""
    return replace(settings, retention_seconds=None, retention_octets=None, interface_counters=True)


def access(settings: StoreSettings) -> Access:
    """Where the InfluxDB of the section `store` is, and who we are there."""
    from bwmgr.stores.influx import Access

    return Access(
        url=settings.url or "",
        ca=settings.ca,
        org=settings.org,
        bucket=settings.bucket,
        token=settings.token,
        database=settings.database,
        username=settings.username,
        password=settings.password,
        retention_seconds=settings.retention_seconds,
    )
