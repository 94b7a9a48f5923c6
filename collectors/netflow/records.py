"""What decoders of flows hand on: records as they came, and what their headers say of them.

Owns the shapes; which octets become which is `reference`'s and `sflow`'s.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from collectors.netflow.templates import Field, Scope, Template

V1, V5, V9, IPFIX = 1, 5, 9, 10

V1_FIELDS: tuple[tuple[int, int], ...] = (
    (8, 4),  # sourceIPv4Address
    (12, 4),  # destinationIPv4Address
    (15, 4),  # ipNextHopIPv4Address
    (10, 2),  # ingressInterface
    (14, 2),  # egressInterface
    (2, 4),  # packetDeltaCount
    (1, 4),  # octetDeltaCount
    (22, 4),  # flowStartSysUpTime
    (21, 4),  # flowEndSysUpTime
    (7, 2),  # sourceTransportPort
    (11, 2),  # destinationTransportPort
    (210, 2),  # paddingOctets
    (4, 1),  # protocolIdentifier
    (5, 1),  # ipClassOfService
    (6, 1),  # tcpControlBits
    (210, 11),  # retransmissions, which no exporter counts, and what is reserved
)
"""A v1 record as a template: (element, octets) in order, 52 octets in all."""
V5_FIELDS: tuple[tuple[int, int], ...] = (
    (8, 4),  # sourceIPv4Address
    (12, 4),  # destinationIPv4Address
    (15, 4),  # ipNextHopIPv4Address
    (10, 2),  # ingressInterface
    (14, 2),  # egressInterface
    (2, 4),  # packetDeltaCount
    (1, 4),  # octetDeltaCount
    (22, 4),  # flowStartSysUpTime
    (21, 4),  # flowEndSysUpTime
    (7, 2),  # sourceTransportPort
    (11, 2),  # destinationTransportPort
    (210, 1),  # paddingOctets
    (6, 1),  # tcpControlBits
    (4, 1),  # protocolIdentifier
    (5, 1),  # ipClassOfService
    (16, 2),  # bgpSourceAsNumber
    (17, 2),  # bgpDestinationAsNumber
    (9, 1),  # sourceIPv4PrefixLength
    (13, 1),  # destinationIPv4PrefixLength
    (210, 2),
)
"""A v5 record as a template: (element, octets) in order, 48 octets in all."""
V1_SHORT_FIELDS = (*V1_FIELDS[:-1], (210, 7))
"""The same in 48 octets, as softflowd sends it."""
V1_SHORT_TEMPLATE = Template(0, tuple(Field(0, number, octets) for number, octets in V1_SHORT_FIELDS))
V1_TEMPLATE = Template(0, tuple(Field(0, number, octets) for number, octets in V1_FIELDS))
V5_TEMPLATE = Template(0, tuple(Field(0, number, octets) for number, octets in V5_FIELDS))


class Kind(StrEnum):
    FLOW = "flow"
    OPTIONS = "options"
    COUNTERS = "counters"


@dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """What a datagram's header says of all its records; instants in ms since 1970 UTC."""

    version: int
    exporter: Hashable
    domain: int
    """observationDomainId of IPFIX, source id of v9, engine type and id of v5 (type * 256 + id)."""
    sequence: int
    export_ms: int
    uptime_ms: int | None
    """The exporter's sysUpTime when it sent this; None where the protocol does not say (IPFIX)."""
    received_ms: int
    sampling: int = 0
    """Interval in a v5 header, the low 14 bits, valid whatever the mode bits say; 0: none."""
    sampling_mode: int = 0
    """The top two bits beside it."""

    @property
    def scope(self) -> Scope:
        return self.exporter, self.version, self.domain


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """One record as it came: field specifiers and their octets, scopes of options first."""

    kind: Kind
    context: Context
    template: Template
    octets: tuple[bytes, ...]

    def fields(self) -> Iterator[tuple[Field, bytes]]:
        return zip(self.template.fields, self.octets, strict=True)

    def number(self, element_id: int, pen: int = 0) -> int | None:
        """The first field of this element as an unsigned number, None where there is none or it is empty."""
        for specifier, octets in self.fields():
            if specifier.id == element_id and specifier.pen == pen and octets:
                return int.from_bytes(octets, "big")
        return None


@dataclass(kw_only=True)
class Decoded:
    """What one datagram gave: records, also of data that had waited; `problems` are reasons for what could not be decoded."""

    contexts: list[Context] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    """For each context, how far its sequence number goes on with it (records for v5 and IPFIX, 1 for v9)."""
    records: list[Record] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    early: int = 0
    """Data sets that now wait for their template."""
    templates: int = 0


@dataclass(frozen=True, slots=True)
class EarlySet:
    """The body of a data set without its template, and its header's context."""

    context: Context
    body: bytes
