"""Any datagram, decoded plainly: tells the protocols apart and keeps what each exporter said before.

The whole of `bwmgr flows decode`, and the reference of the columnar path. Not fast: one object a record.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from typing import Any

from bwmgr.errors import DecodeError
from collectors.netflow import sflow
from collectors.netflow.captures import Datagram
from collectors.netflow.documents import Documents
from collectors.netflow.records import Context, Decoded, Kind
from collectors.netflow.reference import Decoder
from collectors.netflow.sequence import Sequence
from collectors.netflow.templates import TemplateLimits, TemplateStore


class PlainDecoder:
    """Decodes v1, v5, v9, IPFIX and sFlow v5."""

    def __init__(self, limits: TemplateLimits = TemplateLimits()) -> None:
        self._decoder = Decoder(TemplateStore(limits))

    def decode(self, datagram: bytes, exporter: Hashable, received_ms: int) -> Decoded:
        """All records of one datagram. Raises: DecodeError where not even its header holds."""
        if sflow.is_sflow(datagram):
            return sflow.decode(datagram, exporter, received_ms)
        return self._decoder.decode(datagram, exporter, received_ms)

    @property
    def waiting_octets(self) -> int:
        """Octets of data that still wait for their template."""
        return self._decoder.templates.waiting_octets


@dataclass
class Summary:
    """What a file of datagrams held. `lost` is in units of each protocol's sequence number."""

    datagrams: int = 0
    flows: int = 0
    options: int = 0
    counters: int = 0
    octets: int = 0
    """Of flows, as exported: sampling is not multiplied in."""
    packets: int = 0
    templates: int = 0
    problems: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    waiting_octets: int = 0
    exporters: set[str] = field(default_factory=set)

    def document(self) -> dict[str, Any]:
        """As `flows decode --summary --format json` prints it."""
        return {
            "datagrams": self.datagrams,
            "exporters": sorted(self.exporters),
            "flows": self.flows,
            "options": self.options,
            "counters": self.counters,
            "octets": self.octets,
            "packets": self.packets,
            "templates": self.templates,
            "lost": self.lost,
            "waiting_octets": self.waiting_octets,
            "problems": dict(sorted(self.problems.items())),
        }


def decode_all(datagrams: Iterable[Datagram]) -> tuple[list[dict[str, Any]], Summary]:
    """The objects of all records in the order in which they could be decoded, and their summary. Nothing raises DecodeError here:
    a datagram that is none is counted under `problems`."""
    decoder, documents, summary = PlainDecoder(), Documents(), Summary()
    sequences: dict[tuple[Hashable, int, int], Sequence] = {}
    found: list[dict[str, Any]] = []
    for datagram in datagrams:
        summary.datagrams += 1
        summary.exporters.add(datagram.exporter)
        try:
            decoded = decoder.decode(datagram.payload, datagram.exporter, datagram.received_ms)
        except DecodeError as error:
            summary.problems[error.reason] += 1
            continue
        _add(summary, decoded)
        for context, count in zip(decoded.contexts, decoded.counts, strict=True):
            sequences.setdefault(context.scope, Sequence()).step(*_step(context, count))
        found += documents.of(decoded.records)
    summary.lost = sum(sequence.lost for sequence in sequences.values())
    summary.waiting_octets = decoder.waiting_octets
    return found, summary


def _step(context: Context, count: int) -> tuple[int, int, int | None]:
    return context.sequence, count, context.uptime_ms


def _add(summary: Summary, decoded: Decoded) -> None:
    summary.templates += decoded.templates
    summary.problems.update(decoded.problems)
    for record in decoded.records:
        if record.kind is Kind.FLOW:
            summary.flows += 1
            summary.octets += record.number(1) or 0
            summary.packets += record.number(2) or 0
        elif record.kind is Kind.OPTIONS:
            summary.options += 1
        else:
            summary.counters += 1
