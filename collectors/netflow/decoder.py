"""The columnar decoder: datagrams of a receive buffer in, `Flows` out, with the memory that this needs between batches.

Owns the templates, samplers, clocks and sequence numbers of all exporters, each bounded. What one datagram means is defined in
`reference`; what a field means in `meaning`; a property test holds all of this to them.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bwmgr.errors import DecodeError
from collectors.netflow import reference, sflow
from collectors.netflow.assembly import flows_of
from collectors.netflow.batch import Block, Datagrams, Headers, Integers, Sets, block, groups, read_headers, read_sets, v5_block
from collectors.netflow.canonical import rows_of
from collectors.netflow.columns import Flows, SetHeaders, layout_of
from collectors.netflow.meaning import SYSTEM_INIT_TIME, Samplers
from collectors.netflow.reference import IPFIX, V5, V9, Context, Decoded, EarlySet, Kind, Record
from collectors.netflow.sequence import Sequence as SequenceNumbers
from collectors.netflow.templates import Scope, Template, TemplateLimits, TemplateStore

_FIRST_DATA_SET = 256
_VERSIONS = (V5, V9, IPFIX, sflow.SFLOW)
_MOST_SCOPES = 16384
_REFRESH_MS = 60_000
_BASE_JUMP_MS = 3_600_000


@dataclass(kw_only=True)
class Batch:
    """What some datagrams gave. `options` are records that say something of the exporter, not of traffic."""

    flows: list[Flows] = field(default_factory=list)
    options: list[Record] = field(default_factory=list)
    counters: list[Record] = field(default_factory=list)
    problems: Counter[str] = field(default_factory=Counter)
    lost: Counter[int] = field(default_factory=Counter)
    """Newly lost units of each exporter, by its number; what came late after all is negative."""
    early: int = 0
    templates: int = 0


@dataclass(slots=True)
class _Scopes:
    """Dense numbers for (exporter, version, domain), and what is remembered of each in arrays."""

    keys: dict[int, int] = field(default_factory=dict)
    scopes: list[Scope] = field(default_factory=list)
    exporters: list[int] = field(default_factory=list)
    expected: Integers = field(default_factory=lambda: np.full(64, -1, np.int64))
    base_ms: Integers = field(default_factory=lambda: np.zeros(64, np.int64))
    stated: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(64, np.bool_))
    sequences: dict[int, SequenceNumbers] = field(default_factory=dict)

    def add(self, key: int, scope: Scope, exporter: int) -> int:
        number = self.keys[key] = len(self.scopes)
        self.scopes.append(scope)
        self.exporters.append(exporter)
        if number >= len(self.expected):
            self.expected = np.concatenate([self.expected, np.full(number, -1, np.int64)])
            self.base_ms = np.concatenate([self.base_ms, np.zeros(number, np.int64)])
            self.stated = np.concatenate([self.stated, np.zeros(number, np.bool_)])
        return number


class ColumnDecoder:
    """Decodes batches. `exporters[i]` names exporter number i (its address); the caller may append to it between batches."""

    def __init__(
        self, exporters: Sequence[str], *, overrides: dict[str, int] | None = None, limits: TemplateLimits = TemplateLimits()
    ) -> None:
        self.exporters = exporters
        self.samplers = Samplers(overrides)
        self.templates: TemplateStore[EarlySet] = TemplateStore(limits)
        self._overrides = dict(overrides or {})
        self._scopes = _Scopes()
        self._rates: tuple[int, int, Integers] = (-1, -1, np.empty(0, np.int64))
        self._seen: OrderedDict[tuple[int, int, bytes], int] = OrderedDict()

    def decode(self, datagrams: Datagrams, received_ms: int) -> Batch:
        """All flows of some datagrams, in any order. Nothing raises: what is malformed is counted in `problems`."""
        batch = Batch()
        headers, problems, sflows = read_headers(datagrams)
        batch.problems.update(problems)
        scope = self._scope_numbers(headers, batch)
        sets = read_sets(datagrams.buffer, headers)
        batch.problems.update(sets.problems)
        blocks: list[tuple[Block, Integers]] = []
        if (fifth := v5_block(datagrams.buffer, headers)) is not None:
            blocks.append((fifth, scope))
        records = np.where(headers.version == V5, headers.count, np.where(headers.version == V9, 1, 0))
        self._read_sets(datagrams, headers, scope, sets, received_ms, batch, records)
        self._follow_sequences(headers, scope, records, batch)
        if fifth is not None:
            batch.flows.extend(flows_of(fifth.layout, fifth.rows, self._set_headers(fifth, headers, scope, received_ms)))
        self._several_messages(datagrams, headers, received_ms, batch)
        self._read_sflow(datagrams, sflows, received_ms, batch)
        return batch

    # scopes

    def _scope_numbers(self, headers: Headers, batch: Batch) -> Integers:
        """A dense number for each header's scope; -1 where there are too many."""
        keys, inverse = np.unique(headers.scope_key(), return_inverse=True)
        numbers = [self._scope_number(key) for key in keys.tolist()]
        scope = np.array(numbers, np.int64)[inverse] if numbers else np.empty(0, np.int64)
        if refused := int((scope < 0).sum()):
            batch.problems["too_many_scopes"] += refused
        return scope

    def _scope_number(self, key: int) -> int:
        number = self._scopes.keys.get(key)
        if number is not None:
            return number
        if len(self._scopes.scopes) >= _MOST_SCOPES:
            return -1
        exporter = key >> 34
        scope = (self.exporters[exporter], _VERSIONS[(key >> 32) & 3], key & 0xFFFF_FFFF)
        return self._scopes.add(key, scope, exporter)

    # sets

    def _read_sets(
        self,
        datagrams: Datagrams,
        headers: Headers,
        scope: Integers,
        sets: Sets,
        received_ms: int,
        batch: Batch,
        records: Integers,
    ) -> None:
        data = sets.id >= _FIRST_DATA_SET
        known = scope[sets.header] >= 0
        changes: dict[int, list[tuple[int, Template | None]]] = {}
        for position in np.flatnonzero(~data & known).tolist():
            self._take_in(datagrams, headers, scope, sets, position, received_ms, batch, changes)
        positions = np.flatnonzero(data & known)
        keys = (scope[sets.header[positions]] << 16) | sets.id[positions]
        by_template: dict[Template, list[Integers]] = {}
        for key, where in _by_key(keys):
            for template, chosen in self._templates_of(int(key), positions[where], received_ms, changes):
                if template is None:
                    self._hold(datagrams, headers, scope, sets, chosen, received_ms, batch)
                else:
                    by_template.setdefault(template, []).append(chosen)
        for template, parts in by_template.items():
            chosen = np.concatenate(parts)
            self._decode_sets(datagrams, headers, scope, sets, template, chosen, received_ms, batch, records)

    def _templates_of(
        self, key: int, positions: Integers, received_ms: int, changes: dict[int, list[tuple[int, Template | None]]]
    ) -> Iterable[tuple[Template | None, Integers]]:
        """The template in force for each of some data sets of one key; it may change within the batch."""
        now = self.templates.get(self._scopes.scopes[key >> 16], key & 0xFFFF, received_ms)
        since = 0
        for changed_at, before in changes.get(key, ()):
            earlier = positions[(positions >= since) & (positions < changed_at)]
            if len(earlier):
                yield (now if before is None else before), earlier
            since = changed_at
        later = positions[positions >= since]
        if len(later):
            yield now, later

    def _decode_sets(
        self,
        datagrams: Datagrams,
        headers: Headers,
        scope: Integers,
        sets: Sets,
        template: Template,
        chosen: Integers,
        received_ms: int,
        batch: Batch,
        records: Integers,
    ) -> None:
        layout = layout_of(template)
        if layout is None or template.options or not layout.counts:
            self._decode_plainly(datagrams, headers, sets, template, chosen, received_ms, batch, records)
            return
        start, end, header = sets.start[chosen], sets.end[chosen], sets.header[chosen]
        of_layout = block(datagrams.buffer, layout, template, start, end, header)
        counted = headers.version[header] == IPFIX
        np.add.at(records, header[counted], ((end - start) // layout.octets)[counted])
        batch.flows.extend(flows_of(layout, of_layout.rows, self._set_headers(of_layout, headers, scope, received_ms)))

    def _decode_plainly(
        self,
        datagrams: Datagrams,
        headers: Headers,
        sets: Sets,
        template: Template,
        chosen: Integers,
        received_ms: int,
        batch: Batch,
        records: Integers,
    ) -> None:
        """Options, records of variable length, records without addresses."""
        found: list[Record] = []
        for position in chosen.tolist():
            header = int(sets.header[position])
            body = datagrams.buffer[sets.start[position] : sets.end[position]].tobytes()
            decoded = Decoded()
            reference.decode_data(body, template, self._context(headers, header, received_ms), decoded)
            batch.problems.update(decoded.problems)
            if headers.version[header] == IPFIX:
                records[header] += len(decoded.records)
            found += decoded.records
        self._take_records(found, received_ms, batch)

    def _take_records(self, records: Sequence[Record], received_ms: int, batch: Batch) -> None:
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
                batch.flows.extend(flows_of(layout, rows, self._headers_of(behind, received_ms)))

    def _learn(self, record: Record) -> None:
        self.samplers.learn(record)
        init_ms = record.number(SYSTEM_INIT_TIME)
        number = self._scopes.keys.get(self._key(record.context))
        if init_ms is not None and number is not None:
            self._scopes.base_ms[number] = min(init_ms, 2**53)
            self._scopes.stated[number] = True

    def _key(self, context: Context) -> int:
        exporter = self.exporters.index(str(context.exporter))
        return exporter << 34 | _VERSIONS.index(context.version) << 32 | context.domain

    # templates

    def _take_in(
        self,
        datagrams: Datagrams,
        headers: Headers,
        scope: Integers,
        sets: Sets,
        position: int,
        received_ms: int,
        batch: Batch,
        changes: dict[int, list[tuple[int, Template | None]]],
    ) -> None:
        """One template or options template set; the same octets again within a minute say nothing new."""
        header, set_id = int(sets.header[position]), int(sets.id[position])
        number = int(scope[header])
        body = datagrams.buffer[sets.start[position] : sets.end[position]].tobytes()
        seen_at = self._seen.get((number, set_id, body))
        if seen_at is not None and received_ms - seen_at < _REFRESH_MS:
            return
        reader = _template_reader(int(headers.version[header]), set_id)
        if reader is None:
            batch.problems["reserved_set"] += 1
            return
        try:
            for template in reader(body):
                if template.fields:
                    self._accept(template, number, position, received_ms, batch, changes)
        except DecodeError as error:
            batch.problems[error.reason] += 1
            return
        self._seen[number, set_id, body] = received_ms
        while len(self._seen) > self.templates.limits.templates:
            self._seen.popitem(last=False)

    def _accept(
        self,
        template: Template,
        number: int,
        position: int,
        received_ms: int,
        batch: Batch,
        changes: dict[int, list[tuple[int, Template | None]]],
    ) -> None:
        if not reference.acceptable(template, self.templates.limits):
            batch.problems["template"] += 1
            return
        batch.templates += 1
        scope = self._scopes.scopes[number]
        before = self.templates.get(scope, template.id, received_ms)
        waiting = self.templates.put(scope, template, received_ms)
        if before is not None and before != template:
            changes.setdefault(number << 16 | template.id, []).append((position, before))
            self._forget_seen(number)
        decoded = Decoded()
        for early in waiting:
            reference.decode_data(early.body, template, early.context, decoded)
        batch.problems.update(decoded.problems)
        self._take_records(decoded.records, received_ms, batch)

    def _forget_seen(self, number: int) -> None:
        """Another definition is in force: the octets of the old one would say something new again."""
        for key in [key for key in self._seen if key[0] == number]:
            del self._seen[key]

    def _hold(
        self,
        datagrams: Datagrams,
        headers: Headers,
        scope: Integers,
        sets: Sets,
        chosen: Integers,
        received_ms: int,
        batch: Batch,
    ) -> None:
        for position in chosen.tolist():
            header = int(sets.header[position])
            body = datagrams.buffer[sets.start[position] : sets.end[position]].tobytes()
            early = EarlySet(self._context(headers, header, received_ms), body)
            batch.early += 1
            of = self._scopes.scopes[int(scope[header])]
            if dropped := self.templates.hold(of, int(sets.id[position]), early, len(body), received_ms):
                batch.problems["no_template"] += dropped

    def _context(self, headers: Headers, header: int, received_ms: int) -> Context:
        version = int(headers.version[header])
        return Context(
            version=version,
            exporter=self.exporters[int(headers.exporter[header])],
            domain=int(headers.domain[header]),
            sequence=int(headers.sequence[header]),
            export_ms=int(headers.export_ms[header]),
            uptime_ms=None if version == IPFIX else int(headers.uptime_ms[header]),
            received_ms=received_ms,
            sampling=int(headers.sampling[header]),
        )

    # what headers say of rows

    def _set_headers(self, of_layout: Block, headers: Headers, scope: Integers, received_ms: int) -> SetHeaders:
        """Header columns for each row. All of a block are of one protocol family: with uptime, or without."""
        header = of_layout.header
        has_uptime = bool(len(header)) and headers.version[header[0]] != IPFIX
        self._observe_bases(of_layout, headers, scope, has_uptime)
        rates, overridden = self._rates_of(headers, scope)
        base = self._scopes.base_ms[np.maximum(scope, 0)]
        count = len(header)
        return SetHeaders(
            exporter=headers.exporter.astype(np.uint32)[header],
            export_ms=headers.export_ms[header],
            uptime_ms=headers.uptime_ms.astype(np.uint32)[header],
            has_uptime=has_uptime,
            base_ms=base[header],
            received_ms=np.full(count, received_ms, np.int64),
            rate=rates[header],
            override=overridden[header],
        )

    def _observe_bases(self, of_layout: Block, headers: Headers, scope: Integers, has_uptime: bool) -> None:
        """As `meaning.UptimeBases.observe`: the start of clocks that only sysUpTimes tell of."""
        places = of_layout.layout.places
        if has_uptime or "end_ticks" not in places or "init_ms" in places or not len(of_layout.header):
            return
        ends = of_layout.layout.column(of_layout.rows, "end_ticks")
        assert ends is not None
        latest = np.full(len(headers.at), -1, np.int64)
        np.maximum.at(latest, of_layout.header, ends.astype(np.int64))
        touched = np.flatnonzero(latest >= 0)
        numbers = scope[touched]
        seen = headers.export_ms[touched] - latest[touched]
        lowest = np.full(len(self._scopes.base_ms), np.iinfo(np.int64).max)
        np.minimum.at(lowest, numbers, seen)
        known = self._scopes.base_ms
        unset = (known == 0) | (lowest < known) | (lowest - known > _BASE_JUMP_MS)
        fresh = unset & (lowest < np.iinfo(np.int64).max) & ~self._scopes.stated
        self._scopes.base_ms[fresh] = lowest[fresh]

    def _rates_of(self, headers: Headers, scope: Integers) -> tuple[Integers, NDArray[np.bool_]]:
        """Sampling rate of each header, and whether the configuration says it: known rates of scopes, else v5's own header."""
        version, count, rates = self._rates
        scopes = self._scopes.scopes
        if version != self.samplers.version or count != len(scopes):
            rates = np.array([self.samplers.rate(each, None) for each in scopes], np.int64)
            self._rates = (self.samplers.version, len(scopes), rates)
        known = rates[np.maximum(scope, 0)] if len(rates) else np.zeros(len(scope), np.int64)
        overridden = np.zeros(len(scope), np.bool_)
        if self._overrides:
            named = np.array([name in self._overrides for name in self.exporters], np.bool_)
            overridden = named[headers.exporter]
        return np.where((headers.sampling > 0) & ~overridden, headers.sampling, known), overridden

    def _headers_of(self, records: Sequence[Record], received_ms: int) -> SetHeaders:
        """The same for records that the plain decoder read."""
        contexts = [record.context for record in records]
        exporters = [self.exporters.index(str(context.exporter)) for context in contexts]
        has_uptime = contexts[0].uptime_ms is not None and contexts[0].version != sflow.SFLOW
        numbers = [self._scopes.keys.get(self._key(context), -1) for context in contexts]
        base = [int(self._scopes.base_ms[number]) if number >= 0 else 0 for number in numbers]
        return SetHeaders(
            exporter=np.array(exporters, np.uint32),
            export_ms=np.array([context.export_ms for context in contexts], np.int64),
            uptime_ms=np.array([context.uptime_ms or 0 for context in contexts], np.uint32),
            has_uptime=has_uptime,
            base_ms=np.array(base, np.int64),
            received_ms=np.array([context.received_ms for context in contexts], np.int64),
            rate=np.array([self.samplers.rate_of(record) for record in records], np.int64),
            override=np.array([str(context.exporter) in self._overrides for context in contexts], np.bool_),
        )

    # sequence numbers

    def _follow_sequences(self, headers: Headers, scope: Integers, counts: Integers, batch: Batch) -> None:
        """Compares each header's number with the one expected; only scopes where something differs are looked at one by one."""
        usable = np.flatnonzero(scope >= 0)
        if not len(usable):
            return
        order = usable[np.argsort(scope[usable], kind="stable")]
        of = scope[order]
        after = (headers.sequence[order] + counts[order]) & 0xFFFF_FFFF
        expected = np.empty(len(order), np.int64)
        expected[1:] = after[:-1]
        first = np.empty(len(order), np.bool_)
        first[0], first[1:] = True, of[1:] != of[:-1]
        expected[first] = self._scopes.expected[of[first]]
        odd = np.unique(of[expected != headers.sequence[order]])
        last = np.append(first[1:], True)
        if len(odd):
            self._step_one_by_one(headers, order, of, counts, odd, batch)
        fine = last & ~np.isin(of, odd)
        self._scopes.expected[of[fine]] = after[fine]

    def _step_one_by_one(
        self, headers: Headers, order: Integers, of: Integers, counts: Integers, odd: Integers, batch: Batch
    ) -> None:
        for number in odd.tolist():
            sequence = self._scopes.sequences.setdefault(number, SequenceNumbers())
            known = int(self._scopes.expected[number])
            sequence.expected = None if known < 0 else known
            for header in order[of == number].tolist():
                uptime = None if headers.version[header] == IPFIX else int(headers.uptime_ms[header])
                lost = sequence.step(int(headers.sequence[header]), int(counts[header]), uptime)
                if lost:
                    batch.lost[self._scopes.exporters[number]] += lost
            self._scopes.expected[number] = -1 if sequence.expected is None else sequence.expected

    # the rest

    def _several_messages(self, datagrams: Datagrams, headers: Headers, received_ms: int, batch: Batch) -> None:
        """IPFIX messages behind the first in one datagram: rare, and decoded each as a datagram of its own."""
        ipfix = np.flatnonzero(headers.version == IPFIX)
        end = datagrams.start[headers.at[ipfix]] + datagrams.length[headers.at[ipfix]]
        more = ipfix[headers.end[ipfix] < end]
        if not len(more):
            return
        rest = Datagrams(
            buffer=datagrams.buffer,
            start=headers.end[more],
            length=(datagrams.start + datagrams.length)[headers.at[more]] - headers.end[more],
            exporter=headers.exporter[more],
        )
        again = self.decode(rest, received_ms)
        batch.flows += again.flows
        batch.options += again.options
        batch.problems.update(again.problems)
        batch.lost.update(again.lost)
        batch.early += again.early
        batch.templates += again.templates

    def _read_sflow(self, datagrams: Datagrams, positions: Integers, received_ms: int, batch: Batch) -> None:
        records: list[Record] = []
        for position in positions.tolist():
            start, length = int(datagrams.start[position]), int(datagrams.length[position])
            exporter = int(datagrams.exporter[position])
            try:
                decoded = sflow.decode(datagrams.buffer[start : start + length].tobytes(), self.exporters[exporter], received_ms)
            except DecodeError as error:
                batch.problems[error.reason] += 1
                continue
            batch.problems.update(decoded.problems)
            context = decoded.contexts[0]
            number = self._scope_number(exporter << 34 | 3 << 32 | context.domain)
            if number >= 0:
                sequence = self._scopes.sequences.setdefault(number, SequenceNumbers())
                if lost := sequence.step(context.sequence, 1, context.uptime_ms):
                    batch.lost[exporter] += lost
            records += decoded.records
        self._take_records(records, received_ms, batch)


def _by_key(keys: Integers) -> Iterable[tuple[int, Integers]]:
    return groups(keys)


def _template_reader(version: int, set_id: int) -> Callable[[bytes], Iterable[Template]] | None:
    if version == V9:
        return {0: lambda body: reference.data_templates(body, V9), 1: reference.v9_options_templates}.get(set_id)
    return {2: lambda body: reference.data_templates(body, IPFIX), 3: reference.ipfix_options_templates}.get(set_id)
