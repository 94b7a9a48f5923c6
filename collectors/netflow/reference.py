"""The plain decoder of NetFlow v5, v9 and IPFIX: one datagram, one record after the other, as RFC 3954 and RFC 7011 say it.

Owns the meaning of a datagram. Used for what the columnar decoder leaves aside (records of variable length, options), for
`bwmgr flows decode`, and as the truth that the columnar decoder is compared with. sFlow is in `sflow`; what fields mean together
(times, sampling) in `meaning`.
"""

from __future__ import annotations

import struct
from collections import OrderedDict
from collections.abc import Hashable, Iterator

from bwmgr.errors import DecodeError
from collectors.netflow.fixed import decode_v1, decode_v5
from collectors.netflow.records import IPFIX, V1, V5, V9, Context, Decoded, EarlySet, Kind, Record
from collectors.netflow.sequence import restarted
from collectors.netflow.template_sets import (
    FIRST_DATA_SET,
    acceptable,
    data_templates,
    ipfix_options_templates,
    sets,
    v9_options_templates,
)
from collectors.netflow.templates import VARIABLE, Scope, Template, TemplateStore

_TEMPLATE_SETS = {V9: 0, IPFIX: 2}
_OPTIONS_SETS = {V9: 1, IPFIX: 3}
_V9_HEADER = struct.Struct(">HHIIII")
_IPFIX_HEADER = struct.Struct(">HHIII")
_SHORTEST = 4
"""Octets that it takes to tell the protocols apart."""


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
        version = int.from_bytes(datagram[:2], "big")
        if version == V1:
            return decode_v1(datagram, exporter, received_ms)
        if version == V5:
            return decode_v5(datagram, exporter, received_ms)
        decoded = Decoded()
        if version == V9:
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
        if set_id >= FIRST_DATA_SET:
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
