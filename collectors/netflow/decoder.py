"""The columnar decoder: datagrams of a receive buffer in, `Flows` out.

What one datagram means is defined in `reference`, what a field means in `meaning`; a property test holds all of this to them.
What is remembered between batches is in `templates`, `scopes` and `meaning`, each bounded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from bwmgr.errors import DecodeError
from collectors.netflow import reference, sflow
from collectors.netflow.assembly import flows_of
from collectors.netflow.batch import (
    IPFIX_HEADER_OCTETS,
    Block,
    Datagrams,
    Headers,
    Integers,
    block,
    read_headers,
    read_sets,
    v5_block,
    words_at,
)
from collectors.netflow.canonical import rows_of
from collectors.netflow.columns import SetHeaders, layout_of
from collectors.netflow.fixed import decode_v1
from collectors.netflow.intake import Intake
from collectors.netflow.meaning import SYSTEM_INIT_TIME, Samplers
from collectors.netflow.records import IPFIX, V1, V5, V9, Decoded, EarlySet, Kind, Record
from collectors.netflow.scopes import Scopes
from collectors.netflow.sflow_columns import read_samples
from collectors.netflow.templates import Template, TemplateLimits, TemplateStore
from collectors.netflow.work import Batch, Work

_FIRST_DATA_SET = 256


class ColumnDecoder:
    """Decodes batches. `exporters[i]` names exporter number i (its address); the caller may append to it between batches.

    `overrides`: sampling rates by exporter that beat all that it says.
    """

    def __init__(
        self, exporters: Sequence[str], *, overrides: Mapping[str, int] | None = None, limits: TemplateLimits = TemplateLimits()
    ) -> None:
        self.exporters = exporters
        self.samplers = Samplers(overrides)
        self.templates: TemplateStore[EarlySet] = TemplateStore(limits)
        self._overrides = frozenset(overrides or ())
        self._scopes = Scopes(exporters, self.samplers, self._overrides)
        self._intake = Intake(self.templates, self._scopes)

    def decode(self, datagrams: Datagrams, received_ms: int) -> Batch:
        """All flows of some datagrams, in any order. Nothing raises: what is malformed is counted in `problems`."""
        headers, problems, others = read_headers(datagrams)
        batch = Batch(problems=problems)
        if len(headers.at):
            self._decode(datagrams, headers, received_ms, batch)
        if len(others):
            self._decode_others(datagrams, others, received_ms, batch)
        return batch

    def _decode_others(self, datagrams: Datagrams, others: Integers, received_ms: int, batch: Batch) -> None:
        """sFlow and v1: what is plain sailing as columns, the rest one by one; sequence numbers in the order of arrival."""
        sflow_like = others[words_at(datagrams.buffer, datagrams.start[others], ">u2", 1)[:, 0] == 0]
        sampled, left = read_samples(datagrams, sflow_like)
        columnar = set(np.setdiff1d(sflow_like, left).tolist())
        records: list[Record] = []
        for position in others.tolist():
            if position in columnar:
                self._follow_sflow(datagrams, position, received_ms, batch)
            else:
                records += self._decode_apart(datagrams, position, received_ms, batch)
        for one in sampled:
            exporter = datagrams.exporter[one.datagram]
            batch.flows.extend(flows_of(one.layout, one.rows, self._sampled_headers(exporter, received_ms)))
        self._take_records(records, batch)

    def _follow_sflow(self, datagrams: Datagrams, position: int, received_ms: int, batch: Batch) -> None:
        start, exporter = int(datagrams.start[position]), int(datagrams.exporter[position])
        header = datagrams.buffer[start : start + sflow.MOST_HEADER_OCTETS].tobytes()
        context, _, _ = sflow.read_header(header, self.exporters[exporter], received_ms)
        if lost := self._scopes.step(context, 1):
            batch.lost[exporter] += lost

    def _sampled_headers(self, exporter: Integers, received_ms: int) -> SetHeaders:
        """For sFlow samples, each a set of its own: they carry their sampling rate, and are of the moment of their arrival."""
        nothing = np.zeros(len(exporter), np.int64)
        override = self._scopes.overridden(exporter)
        distinct, of = np.unique(exporter, return_inverse=True)
        rates = [self.samplers.rate((self.exporters[number], sflow.SFLOW, 0), None) for number in distinct.tolist()]
        return SetHeaders(
            counts=nothing + 1,
            exporter=exporter.astype(np.uint32),
            export_ms=nothing + received_ms,
            uptime_ms=nothing.astype(np.uint32),
            has_uptime=False,
            base_ms=nothing,
            received_ms=nothing + received_ms,
            rate=np.array(rates, np.int64)[of],
            override=override,
        )

    def _decode(self, datagrams: Datagrams, headers: Headers, received_ms: int, batch: Batch) -> None:
        work = Work(
            datagrams=datagrams,
            exporters=self.exporters,
            headers=headers,
            scope=self._scopes.numbers(headers),
            sets=read_sets(datagrams.buffer, headers),
            received_ms=received_ms,
            batch=batch,
            records=np.where(headers.version == V9, 1, headers.count),
        )
        batch.problems.update(work.sets.problems)
        batch.clocks.append((headers.exporter, headers.export_ms - received_ms))
        if refused := int((work.scope < 0).sum()):
            batch.problems["too_many_scopes"] += refused
        self._read_sets(work)
        batch.lost.update(self._scopes.follow(headers, work.scope, work.records))
        if (fifth := v5_block(datagrams.buffer, headers)) is not None:
            batch.flows.extend(flows_of(fifth.layout, fifth.rows, self._set_headers(work, fifth)))
        self._decode_further_messages(work)

    def _read_sets(self, work: Work) -> None:
        known = work.scope[work.sets.header] >= 0
        data = work.sets.id >= _FIRST_DATA_SET
        self._learn_templates(work, np.flatnonzero(~data & known))
        by_template: dict[Template, list[Integers]] = {}
        for template, chosen in self._intake.templates_of(work, np.flatnonzero(data & known)):
            if template is None:
                self._intake.hold(work, chosen)
            else:
                by_template.setdefault(template, []).append(chosen)
        for template, parts in sorted(by_template.items(), key=lambda item: not item[0].options):  # flows mean what options say
            self._decode_sets(work, template, np.concatenate(parts))

    def _learn_templates(self, work: Work, positions: Integers) -> None:
        """Template sets and restarts in the order in which they came."""
        restarts = sorted(self._scopes.restarts(work.headers, work.scope))
        for position in positions.tolist():
            header = int(work.sets.header[position])
            while restarts and restarts[0][0] <= header:
                self._intake.restarted(work, *restarts.pop(0))
            self._take_records(self._intake.take_in(work, position), work.batch)
        for restart in restarts:
            self._intake.restarted(work, *restart)

    def _decode_sets(self, work: Work, template: Template, chosen: Integers) -> None:
        layout = layout_of(template)
        if layout is None or template.options or not layout.counts:
            self._decode_plainly(work, template, chosen)
            return
        sets, headers = work.sets, work.headers
        of_layout = block(work.datagrams.buffer, layout, sets.start[chosen], sets.end[chosen], sets.header[chosen])
        if len(of_layout.header) and headers.version[of_layout.header[0]] == IPFIX:
            np.add.at(work.records, of_layout.header, of_layout.counts)
        work.batch.flows.extend(flows_of(layout, of_layout.rows, self._set_headers(work, of_layout)))

    def _decode_plainly(self, work: Work, template: Template, chosen: Integers) -> None:
        """Options, records of variable length, records without addresses."""
        found: list[Record] = []
        for position in chosen.tolist():
            header = work.sets.header[position]
            decoded = Decoded()
            reference.decode_data(work.body(position), template, work.context(position), decoded)
            for reason in decoded.problems:
                work.batch.problem(reason, work.exporter(position))
            if work.headers.version[header] == IPFIX:
                work.records[header] += len(decoded.records)
            found += decoded.records
        self._take_records(found, work.batch)

    def _take_records(self, records: Sequence[Record], batch: Batch) -> None:
        """Options are learnt; flows become rows of a layout."""
        for record in records:
            if record.kind is Kind.OPTIONS:
                self._learn(record)
                batch.options.append(record)
            elif record.kind is Kind.COUNTERS:
                batch.counters.append(record)
        for template, rows, behind in rows_of(record for record in records if record.kind is Kind.FLOW):
            layout = layout_of(template)
            if layout is not None:
                batch.flows.extend(flows_of(layout, rows, self._headers_of(behind)))

    def _learn(self, record: Record) -> None:
        self.samplers.learn(record)
        init_ms = record.number(SYSTEM_INIT_TIME)
        number = self._scopes.number_of(record.context)
        if init_ms is not None and number >= 0:
            self._scopes.state_base(number, init_ms)

    def _set_headers(self, work: Work, of_layout: Block) -> SetHeaders:
        """What the headers say of each set. All of a block are of one protocol family: with uptime, or without."""
        header, headers = of_layout.header, work.headers
        has_uptime = bool(len(header)) and int(headers.version[header[0]]) != IPFIX
        if not has_uptime:
            self._scopes.observe_bases(of_layout, headers, work.scope)
        scope = work.scope[header]
        exporter = headers.exporter[header]
        by_sampler = "sampler" in of_layout.layout.places and self._scopes.by_sampler(scope)
        return SetHeaders(
            counts=of_layout.counts,
            exporter=exporter.astype(np.uint32),
            export_ms=headers.export_ms[header],
            uptime_ms=headers.uptime_ms[header].astype(np.uint32),
            has_uptime=has_uptime,
            base_ms=self._scopes.base_ms(scope),
            received_ms=np.full(len(header), work.received_ms, np.int64),
            rate=self._scopes.rates(headers, work.scope)[header],
            override=self._scopes.overridden(exporter),
            scope=scope if by_sampler else None,
            sampler_rates=self._scopes.sampler_rates,
        )

    def _headers_of(self, records: Sequence[Record]) -> SetHeaders:
        """The same for records that the plain decoder read, each as a set of its own."""
        contexts = [record.context for record in records]
        numbers = np.array([self._scopes.number_of(context) for context in contexts], np.int64)
        return SetHeaders(
            counts=np.ones(len(records), np.int64),
            exporter=np.array([self._scopes.exporter_of(context) for context in contexts], np.uint32),
            export_ms=np.array([context.export_ms for context in contexts], np.int64),
            uptime_ms=np.array([context.uptime_ms or 0 for context in contexts], np.uint32),
            has_uptime=contexts[0].version in (V1, V5, V9),
            base_ms=self._scopes.base_ms(numbers),
            received_ms=np.array([context.received_ms for context in contexts], np.int64),
            rate=np.array([self.samplers.rate_of(record) for record in records], np.int64),
            override=np.array([str(context.exporter) in self._overrides for context in contexts], np.bool_),
        )

    def _decode_further_messages(self, work: Work) -> None:
        """IPFIX messages behind the first in one datagram: rare, and decoded each as a datagram of its own."""
        datagrams, headers = work.datagrams, work.headers
        ipfix = np.flatnonzero(headers.version == IPFIX)
        if not len(ipfix):
            return
        start = headers.end[ipfix]
        length = datagrams.start[headers.at[ipfix]] + datagrams.length[headers.at[ipfix]] - start
        for position in np.flatnonzero(length > 0).tolist():
            at, octets, exporter = int(start[position]), int(length[position]), int(headers.exporter[ipfix[position]])
            if octets < IPFIX_HEADER_OCTETS:
                work.batch.problem("truncated", exporter)
            elif int.from_bytes(datagrams.buffer[at : at + 2].tobytes(), "big") != IPFIX:
                work.batch.problem("version", exporter)
            else:
                rest = Datagrams(
                    buffer=datagrams.buffer,
                    start=np.array([at]),
                    length=np.array([octets]),
                    exporter=np.array([exporter]),
                )
                work.batch.join(self.decode(rest, work.received_ms))

    def _decode_apart(self, datagrams: Datagrams, position: int, received_ms: int, batch: Batch) -> Sequence[Record]:
        start, length = int(datagrams.start[position]), int(datagrams.length[position])
        exporter = int(datagrams.exporter[position])
        octets = datagrams.buffer[start : start + length].tobytes()
        decode = decode_v1 if int.from_bytes(octets[:2], "big") == V1 else sflow.decode
        try:
            decoded = decode(octets, self.exporters[exporter], received_ms)
        except DecodeError as error:
            batch.problem(error.reason, exporter)
            return ()
        for reason in decoded.problems:
            batch.problem(reason, exporter)
        if lost := self._scopes.step(decoded.contexts[0], decoded.counts[0]):
            batch.lost[exporter] += lost
        return decoded.records
