"""What the flow collector can be told. Defaults are those of a regency: some hundred routers, one core."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bwmgr.model.inventory import Network
from collectors.netflow.templates import TemplateLimits


@dataclass(frozen=True, kw_only=True)
class RawSettings:
    """Raw flows kept as Parquet files, one an hour and process; `octets` and `age_seconds` bound them, the oldest go first."""

    folder: Path
    age_seconds: float | None = 7 * 86_400
    octets: int | None = 10 * 10**9
    queue_rows: int = 500_000
    """Rows that may wait to be written; what finds no room is dropped and counted, so that receiving never waits for a disk."""


@dataclass(frozen=True, kw_only=True)
class FlowSettings:
    """`listen`: (host, port) to bind; `allowed` None: anybody may send."""

    listen: tuple[tuple[str, int], ...]
    allowed: tuple[Network, ...] | None = None
    sampling: Mapping[str, int] = field(default_factory=dict)
    """One packet in so many by exporter address; beats what the exporter says."""
    sharers: int = 1
    """So many processes listen on the same addresses (SO_REUSEPORT): the kernel keeps each exporter with one of them."""
    buffer_octets: int = 64 << 20
    """Asked of the kernel for each socket."""
    keep_minutes: int = 40
    """How long a minute stays open for flows that lasted through it; longer than RouterOS's active timeout of 30."""
    disjoint: bool = False
    """No two exporters see the same traffic: all of them count for a link. Else one counts for each link and minute."""
    fastest_bps: int = 10 * 10**9
    """A flow of more octets than this speed carries in its time is impossible (RouterOS 7.12), dropped and counted."""
    usage_keys: int = 1 << 20
    top_keys: int = 1 << 17
    """Hosts, and again conversations, that are told apart in an interval; see `top`."""
    top_seconds: int = 300
    templates: TemplateLimits = TemplateLimits()
    raw: RawSettings | None = None
