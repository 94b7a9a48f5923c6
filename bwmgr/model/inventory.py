"""What there is: links, the capacity tree above them, devices, contracts, calendars, events.

Owns identity ((device, if_name) for an interface), direction (`Interface.download_counter`: the only place where IN and
OUT become download and upload) and the shape of the tree. Reading it from a file belongs to `bwmgr.config`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from enum import StrEnum
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network
from math import inf
from typing import Generic, Literal, TypeVar

from bwmgr.model.bandwidth_function import BandwidthFunction
from bwmgr.model.secret import Secret
from bwmgr.model.service import Cause, Maintenance

T = TypeVar("T")
Network = IPv4Network | IPv6Network


class Direction(StrEnum):
    """As the subscriber sees it: DOWN is towards the OPD."""

    DOWN = "down"
    UP = "up"


class LinkKind(StrEnum):
    OPD = "opd"
    FACILITY = "facility"
    VILLAGE = "village"
    WIFI = "wifi"
    EVENT = "event"


class ServiceClass(StrEnum):
    """Who goes first when capacity is short, in this order."""

    CRITICAL = "critical"
    OFFICE = "office"
    PUBLIC = "public"


class SiteStatus(StrEnum):
    PLANNED = "planned"
    INSTALLED = "installed"
    TRIAL = "trial"
    ACTIVE = "active"


class Faces(StrEnum):
    """What lies behind an interface, seen from its router."""

    SUBSCRIBER = "subscriber"
    PROVIDER = "provider"


@dataclass(frozen=True, kw_only=True, slots=True)
class PerDirection(Generic[T]):
    """One figure for each direction: `pair[Direction.DOWN]`."""

    down: T
    up: T

    def __getitem__(self, direction: Direction) -> T:
        return self.down if direction is Direction.DOWN else self.up


@dataclass(frozen=True, kw_only=True, slots=True)
class Interface:
    """A router's interface by its name, or by its alias where `if_alias` is given; never by its ifIndex."""

    device: str
    if_name: str | None = None
    if_alias: str | None = None
    faces: Faces

    @property
    def download_counter(self) -> Literal["in", "out"]:
        """Which counter is the subscriber's download: ifOut of a port that faces him, ifIn of one that faces the provider."""
        return "out" if self.faces is Faces.SUBSCRIBER else "in"

    @property
    def name(self) -> str:
        """The name that identifies it on its device, for people and for keys."""
        return self.if_name if self.if_name is not None else f"alias {self.if_alias}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    kecamatan: str | None = None
    kelurahan: str | None = None
    code: str | None = None
    """Region code of the Ministry of Home Affairs, such as 62.02.06."""
    lat: float | None = None
    lon: float | None = None
    medium: str | None = None
    status: SiteStatus = SiteStatus.ACTIVE
    since: date | None = None
    """From when on it has that status; None: not written down."""
    reason: str | None = None
    """Why it is not reached yet, for people of the office."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ShaperPort:
    """Where one direction of a link is shaped. Linux: an HTB class; `parent` None: the port is the link's alone."""

    interface: str
    class_id: str = "1:10"
    parent: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Shaper:
    """The device that holds a link's limits, and where on it; None: that direction is not shaped there, or by address."""

    device: str
    down: ShaperPort | None = None
    up: ShaperPort | None = None
    user: str | None = None
    """RADIUS: the User-Name of the link's session; None: it is found by its address."""

    def __getitem__(self, direction: Direction) -> ShaperPort | None:
        return self.down if direction is Direction.DOWN else self.up


@dataclass(frozen=True, kw_only=True, slots=True)
class Enforcer:
    """How bwmgr changes a device's limits. `namespace`: of Linux; the rest for devices that are reached over the network."""

    driver: Literal["linux", "routeros", "routeros-rest", "ios", "junos", "radius"]
    namespace: str | None = None
    user: str | None = None
    password: Secret | None = None
    port: int | None = None
    secret: Secret | None = None
    """RADIUS: the shared secret. IOS: what `enable` asks for, where the user is not privileged already."""
    ca: str | None = None
    """File with the certificate authority that signed the device's certificate; None: the system's."""
    host_keys: str | None = None
    """File with the SSH host keys of devices, as known_hosts; None: the system's."""
    timeout_seconds: float = 10.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Link:
    """One leaf of the tree: an OPD's, village's, facility's or access point's connection.

    Rates are bit/s. `limit` None: unlimited today. `cir` is guaranteed, `mir` the most it may ever get (None: no ceiling of
    its own).
    """

    id: str
    name: str
    kind: LinkKind
    parent: str | None = None
    interface: Interface | None = None
    limit: PerDirection[int | None] = PerDirection(down=None, up=None)
    cir: PerDirection[int] = PerDirection(down=0, up=0)
    mir: PerDirection[int | None] = PerDirection(down=None, up=None)
    weight: float = 1.0
    service_class: ServiceClass = ServiceClass.OFFICE
    calendar: str = "always"
    networks: tuple[Network, ...] = ()
    site: Site = Site()
    opd: str | None = None
    """Id of the agency that a facility or access point belongs to, where there is one."""
    shaper: Shaper | None = None
    bandwidth_function: BandwidthFunction | None = None
    """In place of the weight, both directions: what it gets on top of its CIR at which level. It ends at the MIR."""

    def share_at(self, level_bps: float) -> float:
        """What it gets on top of its CIR where a link of weight 1 gets `level_bps`."""
        return self.weight * level_bps if self.bandwidth_function is None else self.bandwidth_function.at(level_bps)

    def level_of(self, rate_bps: float) -> float:
        """The highest level at which it gets no more than this; infinite where it gets no more at any."""
        if self.bandwidth_function is not None:
            return self.bandwidth_function.level_of(rate_bps)
        return rate_bps / self.weight if self.weight > 0 else inf


@dataclass(frozen=True, kw_only=True, slots=True)
class Uplink:
    """An interface through which a root of the tree gets what a contract promises."""

    interface: Interface
    contract: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Node:
    """An inner node of the capacity tree; `parent` None: a root, which carries uplinks."""

    id: str
    name: str
    parent: str | None = None
    capacity: PerDirection[int | None] = PerDirection(down=None, up=None)
    cir: PerDirection[int] = PerDirection(down=0, up=0)
    weight: float = 1.0
    fairness: Literal["leaf", "hierarchical"] = "leaf"
    oversubscription: float | None = None
    """Explicit leave for the CIRs below to add up to this many times the capacity; None: 1."""
    uplinks: tuple[Uplink, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Tier:
    """Of a table of restitution: an availability below the one gives back the other percent of the period's price."""

    below_percent: float
    percent: float


@dataclass(frozen=True, kw_only=True, slots=True)
class ServiceLevel:
    """What a contract says of availability, and what it pays back where that is not kept (`bwmgr.measure.availability`)."""

    availability_percent: float | None = None
    restitution: Literal["proportional", "shortfall", "tiers"] | None = None
    tiers: tuple[Tier, ...] = ()
    exclude: tuple[Cause, ...] | None = None
    """Causes whose outages do not count; None: the clause says nothing."""
    least_outage_seconds: float = 300.0
    covers: Literal["uplink", "links"] = "uplink"
    """The service at the office's uplinks, or at every link below them, all alike."""

    @property
    def excludes(self) -> frozenset[Cause]:
        """Where the clause is silent: planned work, and at the uplink also what happens to the office's own router."""
        if self.exclude is not None:
            return frozenset(self.exclude)
        own = (Cause.POWER, Cause.OPD_DEVICE) if self.covers == "uplink" else ()
        return frozenset((Cause.PLANNED, *own))


@dataclass(frozen=True, kw_only=True, slots=True)
class Contract:
    """What a provider sells; price in whole currency units per `per`; `end` is the last day."""

    id: str
    provider: str
    capacity: PerDirection[int]
    price: int | None = None
    per: Literal["month", "year", "contract"] = "month"
    start: date | None = None
    end: date | None = None
    sla: ServiceLevel = ServiceLevel()
    international_bps: int | None = None
    domestic_bps: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Provider:
    id: str
    name: str
    contracts: tuple[Contract, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class UsmKey:
    """One half of a v3 user: the protocol's name as configured (`SHA` is SHA-1) and its pass phrase."""

    protocol: str
    key: Secret


@dataclass(frozen=True, kw_only=True, slots=True)
class Credential:
    """How to ask a device: a community (v1, v2c) or a user with keys (v3; no key: noAuthNoPriv)."""

    id: str
    version: Literal["1", "2c", "3"]
    community: Secret | None = None
    user: str | None = None
    auth: UsmKey | None = None
    priv: UsmKey | None = None
    context: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Device:
    id: str
    address: str
    """IPv4, IPv6 or a name to be resolved."""
    port: int = 161
    credentials: str = "default"
    vendor: str | None = None
    unconnected: bool = False
    """Accept replies from another source address than the one asked."""
    enforce: Enforcer | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Calendar:
    """Weekly working hours in the organisation's time zone; no `weekly` at all means always.

    `weekly` has seven entries, Monday first, each a tuple of (start, end) with end exclusive; 24:00 is written as
    `time.max`'s successor by `None`. An end at or before its start is on the next day (22:00-06:00).
    """

    id: str
    weekly: tuple[tuple[tuple[time, time | None], ...], ...] | None = None
    holidays: str | None = None
    """Country code whose public holidays count as closed days."""
    closed: frozenset[date] = frozenset()
    """More closed days, listed by the office (collective leave)."""


ALWAYS = Calendar(id="always")


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """A dated reservation for some links; instants are aware UTC, [start, end)."""

    id: str
    links: tuple[str, ...]
    down_bps: int | None = None
    up_bps: int | None = None
    start: datetime
    end: datetime
    service_class: ServiceClass = ServiceClass.CRITICAL


@dataclass(frozen=True, kw_only=True, slots=True)
class Organisation:
    name: str
    timezone: str = "Asia/Jakarta"
    language: str = "id"
    currency: str = "IDR"


@dataclass(frozen=True, kw_only=True)
class Inventory:
    """All of it, checked: every reference resolves and the nodes form a forest. Mappings keep the file's order."""

    organisation: Organisation
    calendars: Mapping[str, Calendar] = field(default_factory=lambda: {"always": ALWAYS})
    providers: Mapping[str, Provider] = field(default_factory=dict)
    credentials: Mapping[str, Credential] = field(default_factory=dict)
    devices: Mapping[str, Device] = field(default_factory=dict)
    nodes: Mapping[str, Node] = field(default_factory=dict)
    links: Mapping[str, Link] = field(default_factory=dict)
    events: Mapping[str, Event] = field(default_factory=dict)
    maintenance: tuple[Maintenance, ...] = ()

    @cached_property
    def contracts(self) -> Mapping[str, Contract]:
        return {contract.id: contract for provider in self.providers.values() for contract in provider.contracts}

    @cached_property
    def children(self) -> Mapping[str, tuple[str, ...]]:
        """Node id -> ids of the nodes right below it."""
        below: dict[str, list[str]] = {node: [] for node in self.nodes}
        for node in self.nodes.values():
            if node.parent is not None:
                below[node.parent].append(node.id)
        return {node: tuple(ids) for node, ids in below.items()}

    @cached_property
    def links_of(self) -> Mapping[str, tuple[str, ...]]:
        """Node id -> ids of the links right below it."""
        below: dict[str, list[str]] = {node: [] for node in self.nodes}
        for link in self.links.values():
            if link.parent is not None:
                below[link.parent].append(link.id)
        return {node: tuple(ids) for node, ids in below.items()}

    def ancestors(self, parent: str | None) -> Iterator[Node]:
        """The nodes from `parent` up to its root."""
        while parent is not None:
            node = self.nodes[parent]
            yield node
            parent = node.parent

    def roots(self) -> tuple[Node, ...]:
        return tuple(node for node in self.nodes.values() if node.parent is None)

    def uplinks(self) -> Iterator[tuple[str, Node, Uplink]]:
        """(series name, node, uplink) for every polled uplink.

        The name is the id of its contract where no other uplink has that one, else contract:device:interface (or
        node:device:interface): one name, one interface.
        """
        found = [(node, uplink) for node in self.nodes.values() for uplink in node.uplinks]
        taken = Counter(uplink.contract for _, uplink in found)
        for node, uplink in found:
            alone = uplink.contract if taken[uplink.contract] == 1 else None
            name = alone or f"{uplink.contract or node.id}:{uplink.interface.device}:{uplink.interface.name}"
            yield name, node, uplink

    @cached_property
    def uplink_contracts(self) -> Mapping[str, Contract]:
        """Series name of each uplink that has a contract -> that contract."""
        return {name: self.contracts[uplink.contract] for name, _, uplink in self.uplinks() if uplink.contract}
