"""The plain decoder of NetFlow v5, v9 and IPFIX: one datagram, one record after the other, as RFC 3954 and RFC 7011 say it.

Owns the meaning of a datagram. Used for what the columnar decoder leaves aside (records of variable length, options), for
`bwmgr flows decode`, and as the truth that the columnar decoder is compared with. sFlow is in `sflow`; what fields mean together
(times, sampling) in `meaning`.
"""

from __future__ import annotations

import struct
from collections import OrderedDict
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from bwmgr.errors import DecodeError
from collectors.netflow.elements import V9_SCOPE_PEN
from collectors.netflow.sequence import restarted
from collectors.netflow.templates import VARIABLE, Field, Scope, Template, TemplateLimits, TemplateStore, field_of

V5, V9, IPFIX = 5, 9, 10
_FIRST_DATA_SET = 256
_TEMPLATE_SETS = {V9: 0, IPFIX: 2}
_OPTIONS_SETS = {V9: 1, IPFIX: 3}
_V5_HEADER = struct.Struct(">HHIIIIBBH")
_V9_HEADER = struct.Struct(">HHIIII")
_IPFIX_HEADER = struct.Struct(">HHIII")
_V5_RECORD_OCTETS = 48
_V5_MOST_RECORDS = 30
_SHORTEST = 4
"""Octets that it takes to tell the protocols apart."""

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


class Decoder:
    """Decodes datagrams of any exporters, remembering their templates in `templates`."""

    def __init__(self, templates: TemplateStore[EarlySet] | None = None) -> None:
        self.templates: TemplateStore[EarlySet] = TemplateStore() if templates is None else templates
        self._uptimes: OrderedDict[Scope, int] = OrderedDict()

    def decode(self, datagram: bytes, exporter: Hashable, received_ms: int) -> Decoded:
        """All records of one datagram (IPFIX: of all messages in it). Sets before a malformed one count.

        Raises: DecodeError where not even the header holds.
        """
        if len(datagram) < _SHORTEST:
            raise DecodeError("truncated", f"{len(datagram)} octets")
        decoded = Decoded()
        version = int.from_bytes(datagram[:2], "big")
        if version == V5:
            _decode_v5(datagram, exporter, received_ms, decoded)
        elif version == V9:
            context, end = _v9_context(datagram, exporter, received_ms)
            self._message(datagram, _V9_HEADER.size, end, context, decoded)
        elif version == IPFIX:
            self._ipfix(datagram, exporter, received_ms, decoded)
        else:
            raise DecodeError("version", str(version))
        return decoded

    def _ipfix(self, datagram: bytes, exporter: Hashable, received_ms: int, decoded: Decoded) -> None:
        start = 0
        while start < len(datagram):
            try:
                context, end = _ipfix_context(datagram, start, exporter, received_ms)
            except DecodeError as error:
                if start == 0:
                    raise
                decoded.problems.append(error.reason)  # the message before was good
                return
            self._message(datagram, start + _IPFIX_HEADER.size, end, context, decoded)
            start = end

    def _message(self, datagram: bytes, start: int, end: int, context: Context, decoded: Decoded) -> None:
        before = len(decoded.records)
        decoded.contexts.append(context)
        self._notice_restart(context)
        released = 0
        try:
            for set_id, body in sets(datagram, start, end):
                released += self._set(set_id, body, context, decoded)
        except DecodeError as error:
            decoded.problems.append(error.reason)
        records = len(decoded.records) - before - released
        decoded.counts.append(1 if context.version == V9 else records)

    def _notice_restart(self, context: Context) -> None:
        if context.version != V9 or context.uptime_ms is None:
            return
        earlier = self._uptimes.get(context.scope)
        self._uptimes[context.scope] = context.uptime_ms
        while len(self._uptimes) > self.templates.limits.templates:
            self._uptimes.popitem(last=False)
        if earlier is not None and restarted(earlier, context.uptime_ms):
            self.templates.forget(context.scope, context.received_ms)

    def _set(self, set_id: int, body: bytes, context: Context, decoded: Decoded) -> int:
        """Returns how many of the records it added had waited for their template."""
        if set_id >= _FIRST_DATA_SET:
            template = self.templates.get(context.scope, set_id, context.received_ms)
            if template is None:
                self._hold(set_id, body, context, decoded)
            else:
                decode_data(body, template, context, decoded)
            return 0
        if set_id == _TEMPLATE_SETS[context.version]:
            return self._take_in(data_templates(body, context.version), context, decoded)
        if set_id == _OPTIONS_SETS[context.version]:
            read = v9_options_templates if context.version == V9 else ipfix_options_templates
            return self._take_in(read(body), context, decoded)
        decoded.problems.append("reserved_set")
        return 0

    def _take_in(self, templates: Iterator[Template], context: Context, decoded: Decoded) -> int:
        before = len(decoded.records)
        try:
            for template in templates:
                if template.fields:  # an IPFIX withdrawal has none; over UDP it is ignored (RFC 7011 section 8.4)
                    self._accept(template, context, decoded)
        except DecodeError as error:
            decoded.problems.append(error.reason)
        return len(decoded.records) - before

    def _accept(self, template: Template, context: Context, decoded: Decoded) -> None:
        if not acceptable(template, self.templates.limits):
            decoded.problems.append("template")
            return
        decoded.templates += 1
        for waiting in self.templates.put(context.scope, template, context.received_ms):
            decode_data(waiting.body, template, waiting.context, decoded)

    def _hold(self, set_id: int, body: bytes, context: Context, decoded: Decoded) -> None:
        decoded.early += 1
        dropped = self.templates.hold(context.scope, set_id, EarlySet(context, body), len(body), context.received_ms)
        decoded.problems.extend(["no_template"] * dropped)


def acceptable(template: Template, limits: TemplateLimits) -> bool:
    """A template that data can be decoded with: an id of a data set, records of at least one octet, not too many fields."""
    return template.id >= _FIRST_DATA_SET and template.octets > 0 and len(template.fields) <= limits.fields


def sets(datagram: bytes, start: int, end: int) -> Iterator[tuple[int, bytes]]:
    """(set id, body) of each set in [start, end). A tail of zeros, or of fewer than four octets, is padding.

    Raises: DecodeError, after the sets before it.
    """
    while end - start >= 4:
        set_id, octets = struct.unpack_from(">HH", datagram, start)
        if octets < 4:
            if any(datagram[start:end]):
                raise DecodeError("set_length", f"{octets} at {start}")
            return
        if start + octets > end:
            raise DecodeError("set_truncated", f"{octets} octets at {start} of {end}")
        yield set_id, datagram[start + 4 : start + octets]
        start += octets


def data_templates(body: bytes, version: int) -> Iterator[Template]:
    """The templates of a set (RFC 3954 section 5.2, RFC 7011 section 3.4.1). Raises: DecodeError, after the good ones."""
    at = 0
    while len(body) - at >= 4:
        template_id, count = struct.unpack_from(">HH", body, at)
        if template_id < _FIRST_DATA_SET and not any(body[at:]):
            return  # a tail of zeros
        fields, at = _fields(body, at + 4, count, enterprises=version == IPFIX)
        yield Template(template_id, fields)


def v9_options_templates(body: bytes) -> Iterator[Template]:
    """RFC 3954 section 6.1: lengths in octets, scope types of their own. Raises: DecodeError, after the good ones."""
    at = 0
    while len(body) - at >= 6:
        template_id, scope_octets, option_octets = struct.unpack_from(">HHH", body, at)
        if template_id < _FIRST_DATA_SET and not any(body[at:]):
            return
        if scope_octets % 4 or option_octets % 4:
            raise DecodeError("options_template", f"lengths {scope_octets} and {option_octets}")
        scopes, at = _fields(body, at + 6, scope_octets // 4, enterprises=False)
        options, at = _fields(body, at, option_octets // 4, enterprises=False)
        named = tuple(Field(V9_SCOPE_PEN, each.id, each.octets) for each in scopes)
        yield Template(template_id, named + options, len(scopes), options=True)


def ipfix_options_templates(body: bytes) -> Iterator[Template]:
    """RFC 7011 section 3.4.2.2. Raises: DecodeError, after the good ones."""
    at = 0
    while len(body) - at >= 4:
        template_id, count = struct.unpack_from(">HH", body, at)
        if count == 0:  # a withdrawal, or a tail of zeros
            yield Template(template_id, ())
            at += 4
            continue
        if len(body) - at < 6:
            raise DecodeError("options_template", "truncated")
        (scopes,) = struct.unpack_from(">H", body, at + 4)
        fields, at = _fields(body, at + 6, count, enterprises=True)
        if not 0 < scopes <= count:
            raise DecodeError("options_template", f"{scopes} scopes of {count} fields")
        yield Template(template_id, fields, scopes, options=True)


def _fields(body: bytes, at: int, count: int, *, enterprises: bool) -> tuple[tuple[Field, ...], int]:
    """Field specifiers and where they end (RFC 7011 section 3.2: the top bit of the number says that a PEN follows)."""
    if at + 4 * count > len(body):
        raise DecodeError("template_truncated", f"{count} fields in {len(body) - at} octets")
    fields = []
    for _ in range(count):
        if at + 4 > len(body):
            raise DecodeError("template_truncated")
        number, octets = struct.unpack_from(">HH", body, at)
        at += 4
        pen = 0
        if enterprises and number & 0x8000:
            if at + 4 > len(body):
                raise DecodeError("template_truncated")
            (pen,) = struct.unpack_from(">I", body, at)
            number, at = number & 0x7FFF, at + 4
        fields.append(field_of(pen, number, octets))
    return tuple(fields), at


def decode_data(body: bytes, template: Template, context: Context, decoded: Decoded) -> None:
    """Adds the records of one data set, until what is left is too short for one: that is padding (RFC 7011 section 3.3.1)."""
    kind = Kind.OPTIONS if template.options else Kind.FLOW
    at = 0
    while len(body) - at >= template.octets:
        octets, at = _record(body, at, template)
        if octets is None:
            if any(body[at:]):
                decoded.problems.append("record_truncated")
            return
        decoded.records.append(Record(kind=kind, context=context, template=template, octets=octets))


def _record(body: bytes, at: int, template: Template) -> tuple[tuple[bytes, ...] | None, int]:
    """The octets of each field and where the record ends; None where it does not fit."""
    start, octets = at, []
    for each in template.fields:
        length = each.octets
        if length == VARIABLE:
            length, at = _variable_length(body, at)
        if at + length > len(body):
            return None, start
        octets.append(body[at : at + length])
        at += length
    return tuple(octets), at


def _variable_length(body: bytes, at: int) -> tuple[int, int]:
    """RFC 7011 section 7: one octet, or 255 and two more. What is cut off gives a length that cannot fit."""
    if at >= len(body):
        return VARIABLE, at
    if body[at] < 255:
        return body[at], at + 1
    if at + 3 > len(body):
        return VARIABLE, at
    return int.from_bytes(body[at + 1 : at + 3], "big"), at + 3


def _decode_v5(datagram: bytes, exporter: Hashable, received_ms: int, decoded: Decoded) -> None:
    if len(datagram) < _V5_HEADER.size:
        raise DecodeError("truncated", f"{len(datagram)} octets of a v5 header")
    _, count, uptime, seconds, nanoseconds, sequence, engine_type, engine_id, sampling = _V5_HEADER.unpack_from(datagram)
    there = (len(datagram) - _V5_HEADER.size) // _V5_RECORD_OCTETS
    if count > _V5_MOST_RECORDS or count == 0:
        raise DecodeError("v5_count", f"{count} records claimed, {there} there")
    if count > there:
        decoded.problems.append("v5_truncated")
    context = Context(
        version=V5,
        exporter=exporter,
        domain=engine_type << 8 | engine_id,
        sequence=sequence,
        export_ms=seconds * 1000 + nanoseconds // 1_000_000,
        uptime_ms=uptime,
        received_ms=received_ms,
        sampling=sampling & 0x3FFF,
        sampling_mode=sampling >> 14,
    )
    body = datagram[_V5_HEADER.size : _V5_HEADER.size + min(count, there) * _V5_RECORD_OCTETS]
    decoded.contexts.append(context)
    decoded.counts.append(count)
    decode_data(body, V5_TEMPLATE, context, decoded)


def _v9_context(datagram: bytes, exporter: Hashable, received_ms: int) -> tuple[Context, int]:
    if len(datagram) < _V9_HEADER.size:
        raise DecodeError("truncated", f"{len(datagram)} octets of a v9 header")
    _, _, uptime, seconds, sequence, source = _V9_HEADER.unpack_from(datagram)
    context = Context(
        version=V9,
        exporter=exporter,
        domain=source,
        sequence=sequence,
        export_ms=seconds * 1000,
        uptime_ms=uptime,
        received_ms=received_ms,
    )
    return context, len(datagram)


def _ipfix_context(datagram: bytes, start: int, exporter: Hashable, received_ms: int) -> tuple[Context, int]:
    """The context of the message at `start`, and where it ends."""
    if len(datagram) - start < _IPFIX_HEADER.size:
        raise DecodeError("truncated", f"{len(datagram) - start} octets of an IPFIX header")
    version, octets, seconds, sequence, domain = _IPFIX_HEADER.unpack_from(datagram, start)
    if version != IPFIX:
        raise DecodeError("version", str(version))
    if octets < _IPFIX_HEADER.size:
        raise DecodeError("message_length", str(octets))
    if start + octets > len(datagram):
        raise DecodeError("message_truncated", f"{octets} octets claimed, {len(datagram) - start} there")
    context = Context(
        version=IPFIX,
        exporter=exporter,
        domain=domain,
        sequence=sequence,
        export_ms=seconds * 1000,
        uptime_ms=None,
        received_ms=received_ms,
    )
    return context, start + octets
