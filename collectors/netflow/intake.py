"""Templates as they come in a batch, and data that comes before them.

Owns which template was in force at which set of the batch (a redefinition or a restart counts from where it stands), and that
the same octets again cost next to nothing: some exporters repeat their templates in every datagram.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from bwmgr.errors import DecodeError
from collectors.netflow import reference, template_sets
from collectors.netflow.batch import Integers, groups
from collectors.netflow.records import IPFIX, V9, Decoded, EarlySet, Record
from collectors.netflow.scopes import Scopes
from collectors.netflow.templates import Template, TemplateStore
from collectors.netflow.work import Work

_REFRESH_MS = 60_000
"""How long the same octets say nothing new; a small part of a template's lifetime."""
_MOST_SEEN_OCTETS = 8 << 20
_BELIEVED_MS = 1_000
"""How late the end of a template's lifetime may be noticed."""


class _Resolved:
    """Templates by (scope, template id), looked up once and believed until any template changes, or for a second.

    With 200 routers in a batch of 300 datagrams nearly every data set is of a key of its own: what is asked of each counts.
    """

    def __init__(self, templates: TemplateStore[EarlySet], scopes: Scopes) -> None:
        self._templates = templates
        self._scopes = scopes
        self._numbers: dict[int, int] = {}
        self._distinct: dict[Template, int] = {}
        self._of_number: list[Template] = []
        self._version = -1
        self._until_ms = 0

    def numbers(self, keys: Sequence[int], now_ms: int) -> Integers:
        """A number for each key's template, the same for templates that are alike; -1 where there is none."""
        if self._version != self._templates.version or not self._until_ms - _BELIEVED_MS <= now_ms < self._until_ms:
            self._numbers.clear()
            self._distinct.clear()
            self._of_number.clear()
            self._version, self._until_ms = self._templates.version, now_ms + _BELIEVED_MS
        known = self._numbers
        return np.array([known[key] if key in known else self._look_up(key, now_ms) for key in keys], np.int64)

    def template(self, number: int) -> Template | None:
        """The template behind a number of the last `numbers`."""
        return None if number < 0 else self._of_number[number]

    def _look_up(self, key: int, now_ms: int) -> int:
        template = self._templates.get(self._scopes.scopes[key >> 16], key & 0xFFFF, now_ms)
        number = -1
        if template is not None:
            number = self._distinct.setdefault(template, len(self._of_number))
            if number == len(self._of_number):
                self._of_number.append(template)
        self._numbers[key] = number
        return number


class Intake:
    """Takes template sets in and tells which template each data set is of."""

    def __init__(self, templates: TemplateStore[EarlySet], scopes: Scopes) -> None:
        self.templates = templates
        self._scopes = scopes
        self._seen: OrderedDict[tuple[int, int, bytes], int] = OrderedDict()
        self._seen_octets = 0
        self._resolved = _Resolved(templates, scopes)

    def restarted(self, work: Work, header: int, number: int) -> None:
        """The exporter began anew: its data waits until it says again what they are (RFC 3954 section 9)."""
        before = self.templates.forget(self._scopes.scopes[number], work.received_ms)
        if before is None:
            return
        position = int(np.searchsorted(work.sets.header, header))
        for template in before:
            work.changes.setdefault(number << 16 | template.id, []).append((position, template))
        self._forget_seen(number)
        work.batch.restarts[self._scopes.exporters[number]] += 1

    def take_in(self, work: Work, position: int) -> list[Record]:
        """One template or options template set; gives the records that had waited for it."""
        header, set_id = int(work.sets.header[position]), int(work.sets.id[position])
        number = int(work.scope[header])
        body = work.body(position)
        seen_at = self._seen.get((number, set_id, body))
        if seen_at is not None and work.received_ms - seen_at < _REFRESH_MS:
            return []
        reader = _reader(int(work.headers.version[header]), set_id)
        if reader is None:
            work.batch.problem("reserved_set", work.exporter(position))
            return []
        records: list[Record] = []
        problems = work.batch.problems.total()
        try:
            for template in reader(body):
                if template.fields:
                    records += self._accept(work, template, number, position)
        except DecodeError as error:
            work.batch.problem(error.reason, work.exporter(position))
        if work.batch.problems.total() == problems:
            self._remember(number, set_id, body, work.received_ms)
        return records

    def _remember(self, number: int, set_id: int, body: bytes, now_ms: int) -> None:
        if (number, set_id, body) not in self._seen:
            self._seen_octets += len(body)
        self._seen[number, set_id, body] = now_ms
        while len(self._seen) > self.templates.limits.templates or self._seen_octets > _MOST_SEEN_OCTETS:
            (_, _, oldest), _ = self._seen.popitem(last=False)
            self._seen_octets -= len(oldest)

    def _accept(self, work: Work, template: Template, number: int, position: int) -> list[Record]:
        exporter = work.exporter(position)
        if not template_sets.acceptable(template, self.templates.limits):
            work.batch.problem("template", exporter)
            return []
        work.batch.templates[exporter] += 1
        scope = self._scopes.scopes[number]
        before = self.templates.get(scope, template.id, work.received_ms)
        waiting = self.templates.put(scope, template, work.received_ms)
        if before is not None and before != template:
            work.changes.setdefault(number << 16 | template.id, []).append((position, before))
            self._forget_seen(number)
        decoded = Decoded()
        for early in waiting:
            reference.decode_data(early.body, template, early.context, decoded)
        for reason in decoded.problems:
            work.batch.problem(reason, exporter)
        return decoded.records

    def _forget_seen(self, number: int) -> None:
        """Another definition is in force: the octets of the old one would say something new again."""
        for key in [key for key in self._seen if key[0] == number]:
            del self._seen[key]
            self._seen_octets -= len(key[2])

    def templates_of(self, work: Work, positions: Integers) -> Iterator[tuple[Template | None, Integers]]:
        """The template in force for each of some data sets, None where it has not come yet; sets of one stand together."""
        keys = work.keys(positions)
        if work.changes:
            for key, where in groups(keys):
                yield from self._around_changes(work, int(key), positions[where])
            return
        distinct, inverse = np.unique(keys, return_inverse=True)
        numbers = self._resolved.numbers(distinct.tolist(), work.received_ms)[inverse]
        for number, where in groups(numbers):
            yield self._resolved.template(int(number)), positions[where]

    def _around_changes(self, work: Work, key: int, positions: Integers) -> Iterator[tuple[Template | None, Integers]]:
        """For the sets of one key, whose template may have changed within the batch."""
        now = self.templates.get(self._scopes.scopes[key >> 16], key & 0xFFFF, work.received_ms)
        since = 0
        for changed_at, before in work.changes.get(key, ()):
            earlier = positions[(positions >= since) & (positions < changed_at)]
            if len(earlier):
                yield (now if before is None else before), earlier
            since = changed_at
        later = positions[positions >= since]
        if len(later):
            yield now, later

    def hold(self, work: Work, positions: Integers) -> None:
        """Keeps data sets until their template comes, as long as there is room."""
        for position in positions.tolist():
            body = work.body(position)
            exporter = work.exporter(position)
            work.batch.early[exporter] += 1
            scope = self._scopes.scopes[int(work.scope[work.sets.header[position]])]
            early = EarlySet(work.context(position), body)
            dropped = self.templates.hold(scope, int(work.sets.id[position]), early, len(body), work.received_ms)
            if dropped:
                work.batch.problem("no_template", exporter, dropped)


def _reader(version: int, set_id: int) -> Callable[[bytes], Iterable[Template]] | None:
    if version == V9:
        return {0: lambda body: template_sets.data_templates(body, V9), 1: template_sets.v9_options_templates}.get(set_id)
    return {2: lambda body: template_sets.data_templates(body, IPFIX), 3: template_sets.ipfix_options_templates}.get(set_id)
