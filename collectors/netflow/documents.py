"""Records as JSON objects with RFC 7011 names, for `bwmgr flows decode` and for people.

Owns which derived fields stand beside those that came: times of day for sysUpTimes, the sampling rate known from options,
addresses and ports of a packet section. What came is never changed by what is derived.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from collectors.netflow import frames
from collectors.netflow.elements import Value, decode, element, instant_text
from collectors.netflow.meaning import (
    SAMPLING_INTERVAL,
    SYSTEM_INIT_TIME,
    Samplers,
    UptimeBases,
    mended_interval,
    uptime_instant_ms,
)
from collectors.netflow.records import IPFIX, V1, V5, V9, Context, Kind, Record
from collectors.netflow.sflow import SFLOW
from collectors.netflow.templates import Field

_PROTOCOLS = {V1: "NetFlow v1", V5: "NetFlow v5", V9: "NetFlow v9", IPFIX: "IPFIX", SFLOW: "sFlow v5"}
_START_TICKS, _END_TICKS = 22, 21
_FRAME_SECTIONS = (104, 315)  # layer2packetSectionData, dataLinkFrameSection
_PACKET_SECTION = 313  # ipHeaderPacketSection
_PADDING = 210


class Documents:
    """Turns records into objects, in the order of their datagrams: options and clocks seen before are remembered."""

    def __init__(self, samplers: Samplers | None = None) -> None:
        self.samplers = Samplers() if samplers is None else samplers
        self._bases = UptimeBases()

    def of(self, records: Iterable[Record]) -> list[dict[str, Any]]:
        """The objects of one datagram's records. Options count for the flows beside them, before or after."""
        records = list(records)
        for record in records:
            self._learn(record)
        return [self._document(record) for record in records]

    def _learn(self, record: Record) -> None:
        self.samplers.learn(record)
        if (init_ms := record.number(SYSTEM_INIT_TIME)) is not None:
            self._bases.state(record.context.scope, init_ms)
        end = record.number(_END_TICKS) if record.context.version == IPFIX else None
        if end is not None and self._stated_base(record) is None:
            self._bases.observe(record.context.scope, record.context.export_ms, end)

    def _stated_base(self, record: Record) -> int | None:
        return record.number(SYSTEM_INIT_TIME)

    def _document(self, record: Record) -> dict[str, Any]:
        context = record.context
        document: dict[str, Any] = {
            "kind": str(record.kind),
            "protocol": _PROTOCOLS[context.version],
            "exporter": str(context.exporter),
            "observationDomainId": context.domain,
            "sequenceNumber": context.sequence,
            "exportTime": _instant(context.export_ms),
        }
        if record.template.id:
            document["templateId"] = record.template.id
        if context.version == V5:
            document |= _v5_header(context)
        fields = named(record.fields())
        document.update(fields)
        if record.kind is Kind.FLOW:
            derived = self._derived(record)
            document.update({name: found for name, found in derived.items() if name not in fields})
        return document

    def _derived(self, record: Record) -> dict[str, Value]:
        derived = _sections(record)
        for ticks_element, name in ((_START_TICKS, "flowStartMilliseconds"), (_END_TICKS, "flowEndMilliseconds")):
            ticks = record.number(ticks_element)
            if ticks is not None and (moment := self._moment(record, ticks)) is not None:
                derived[name] = _instant(moment)
        if rate := self.samplers.rate_of(record):
            derived["samplingInterval"] = rate
        return derived

    def _moment(self, record: Record, ticks: int) -> int | None:
        if record.context.version != IPFIX:
            return uptime_instant_ms(record.context, ticks)
        base = self._bases.base(record.context.scope)
        return None if base is None else base + ticks


def _v5_header(context: Context) -> dict[str, Value]:
    return {
        "engineType": context.domain >> 8,
        "engineId": context.domain & 0xFF,
        "samplingInterval": context.sampling,
        "samplingAlgorithm": context.sampling_mode,
    }


def named(fields: Iterable[tuple[Field, bytes]]) -> dict[str, Any]:
    """Values by element name; an element that comes twice gives a list; padding is left out."""
    document: dict[str, Any] = {}
    for specifier, octets in fields:
        if specifier.pen == 0 and specifier.id == _PADDING:
            continue
        known = element(specifier.pen, specifier.id)
        found = _value(specifier, known.type, octets)
        if known.name not in document:
            document[known.name] = found
        elif isinstance(document[known.name], list):
            document[known.name].append(found)
        else:
            document[known.name] = [document[known.name], found]
    return document


def _value(specifier: Field, kind: str, octets: bytes) -> Value:
    found = decode(kind, octets)
    if specifier.pen == 0 and specifier.id == SAMPLING_INTERVAL and isinstance(found, int):
        return mended_interval(found)
    return found


def _sections(record: Record) -> dict[str, Value]:
    """What the first octets of a sampled frame or packet say."""
    found: Mapping[str, Value] = {}
    for specifier, octets in record.fields():
        if specifier.pen == 0 and specifier.id in _FRAME_SECTIONS:
            found = named(frames.ethernet(octets) or frames.packet(octets))
        elif specifier.pen == 0 and specifier.id == _PACKET_SECTION:
            found = named(frames.packet(octets))
    return dict(found)


def _instant(milliseconds: int) -> str:
    try:
        return instant_text(milliseconds)
    except OverflowError:
        return str(milliseconds)
