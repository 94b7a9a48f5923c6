"""What a configuration comes to once it is read and found right: frozen, in plain units.

Owns the sections that are not inventory. Reading and checking belong to the modules beside this one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time
from pathlib import Path
from typing import Literal

from bwmgr.engine.guards import Guards
from bwmgr.model.inventory import Inventory, Network
from bwmgr.model.notice import Telling
from bwmgr.model.people import ApprovalRules, Person
from bwmgr.model.secret import Secret
from bwmgr.model.trial import Clauses


@dataclass(frozen=True, kw_only=True, slots=True)
class StoreSettings:
    """`path` is absolute. Retention None: for ever, of any size. The rest is for `influxdb` alone."""

    kind: Literal["embedded", "influxdb"] = "embedded"
    path: Path
    retention_seconds: float | None = None
    retention_octets: int | None = None
    url: str | None = None
    ca: Path | None = None
    org: str | None = None
    bucket: str | None = None
    token: Secret | None = None
    database: str | None = None
    username: str | None = None
    password: Secret | None = None
    interface_counters: bool = True
    """Raw counters go there too, for dashboards made for Telegraf."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SnmpSection:
    interval_seconds: float = 60.0
    timeout_seconds: float = 1.0
    retries: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class RawFlows:
    """How long, and how much, flows are kept as they came; None: without bound."""

    keep_seconds: float | None = None
    most_octets: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class NetflowSection:
    """`exporters` None: the devices' own addresses; an empty tuple: any."""

    listen: tuple[tuple[str, int], ...]
    exporters: tuple[Network, ...] | None = None
    sampling: Mapping[str, int] = field(default_factory=dict)
    """One packet in so many, by exporter address, where the exporter does not say."""
    domestic: Path | None = None
    """Networks that count as domestic traffic."""
    services: Path | None = None
    """Networks of named services."""
    raw: RawFlows | None = None
    processes: int = 1
    """How many receive and decode side by side."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WebSection:
    """The read-only pages. Beyond loopback there is a token, or a user header that only `proxies` may set."""

    listen: tuple[str, int]
    token: Secret | None = None
    user_header: str | None = None
    proxies: tuple[Network, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class DaemonSection:
    metrics: str | None = None
    """host:port of the metrics and health page; None: none."""
    web: WebSection | None = None
    recommend_every_seconds: float = 900.0
    report_every_seconds: float = 86400.0
    log_format: Literal["text", "json"] = "text"
    log_level: Literal["debug", "info", "warning", "error"] = "info"


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicyChoice:
    """A policy and an instance of its module's `Parameters`."""

    name: str
    parameters: object


@dataclass(frozen=True, kw_only=True, slots=True)
class Signer:
    """Who signs a document; an empty name leaves room for one by hand."""

    party: str
    """As it signs: Pihak Kesatu, or Mengetahui."""
    title: str = ""
    name: str = ""
    number: str = ""
    """Such as `NIP 19800101 200501 1 001`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MonthlySection:
    """When the daemon closes the month before and writes its report, and which receivers of `notify` get it by e-mail."""

    day: int = 2
    at: time = time(6)
    """From then on, in the organisation's zone."""
    email: tuple[str, ...] = ()
    """Get the office's PDF and workbook."""
    pages: Mapping[str, str] = field(default_factory=dict)
    """Link -> the receiver of its page."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DocumentsSection:
    """`templates` (absolute) comes before the shipped ones; `signers` by document: trial, monthly ..."""

    templates: Path | None = None
    place: str = ""
    signers: Mapping[str, tuple[Signer, ...]] = field(default_factory=dict)
    monthly: MonthlySection | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ActiveSection:
    """Tests by iperf3 while a trial runs: bounded in time and rate, at hours of the day in the organisation's zone."""

    server: str
    port: int = 5201
    seconds: float = 10.0
    most_bps: int | None = None
    """None: the promise."""
    at: tuple[time, ...] = ()
    in_office_hours: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class JournalSection:
    """`key`: the organisation's private key, as PEM; None: entries are not signed. `earlier_keys`: public ones of before."""

    key: Secret | None = None
    earlier_keys: tuple[Path, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenDataSection:
    """What published data say of themselves. `least`: fewer links than that are not shown apart."""

    region: str = ""
    """Code of the Ministry of Home Affairs; empty: what the links' own codes have in common."""
    licence: Literal["CC-BY-4.0", "CC0-1.0"] = "CC-BY-4.0"
    contact: str = ""
    address: str = ""
    least: int = 3


@dataclass(frozen=True, kw_only=True)
class Settings:
    inventory: Inventory
    store: StoreSettings
    snmp: SnmpSection = SnmpSection()
    netflow: NetflowSection | None = None
    daemon: DaemonSection = DaemonSection()
    policies: tuple[PolicyChoice, ...] = ()
    guards: Guards = field(default_factory=Guards)
    documents: DocumentsSection = DocumentsSection()
    clauses: Clauses = field(default_factory=Clauses)
    active: ActiveSection | None = None
    people: tuple[Person, ...] = ()
    """Empty: whoever can run bwmgr may do everything, and says himself who he is."""
    approval: ApprovalRules = field(default_factory=ApprovalRules)
    journal: JournalSection = JournalSection()
    notify: Telling = field(default_factory=Telling)
    open_data: OpenDataSection = OpenDataSection()
    source: Path
    """The file that was asked for, absolute."""
