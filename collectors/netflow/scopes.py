"""What is remembered of each (exporter, version, domain) between batches: sequence numbers, clocks, sampling rates.

Owns the dense numbers of scopes, their bound, and arrays by number, so that a batch is compared with them in whole columns; only
scopes where something differs are looked at one by one. Templates are in `templates`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from collectors.netflow import sflow
from collectors.netflow.batch import Block, Headers, Integers
from collectors.netflow.meaning import Samplers
from collectors.netflow.records import IPFIX, V1, V5, V9, Context
from collectors.netflow.sequence import LARGEST_GAP, restarted
from collectors.netflow.sequence import Sequence as SequenceNumbers
from collectors.netflow.templates import Scope

MOST_SCOPES = 16384
_VERSIONS = (V5, V9, IPFIX, sflow.SFLOW, V1)
_BASE_JUMP_MS = 3_600_000
_FIRST_ROOM = 64


class Scopes:
    """Dense numbers in the order of first appearance. `exporters[i]` names exporter number i."""

    def __init__(self, exporters: Sequence[str], samplers: Samplers, overridden: Collection[str]) -> None:
        self.scopes: list[Scope] = []
        self.exporters: list[int] = []
        """The exporter's number of each scope."""
        self._names = exporters
        self._numbers_of_names: dict[str, int] = {}
        self._keys: dict[int, int] = {}
        self._samplers = samplers
        self._overridden = frozenset(overridden)
        self._expected = np.full(_FIRST_ROOM, -1, np.int64)
        self._uptime_ms = np.full(_FIRST_ROOM, -1, np.int64)
        self._base_ms = np.zeros(_FIRST_ROOM, np.int64)
        self._stated = np.zeros(_FIRST_ROOM, np.bool_)
        self._sequences: dict[int, SequenceNumbers] = {}
        self._rates: tuple[int, int, Integers] = (-1, -1, np.empty(0, np.int64))

    # numbers

    def numbers(self, headers: Headers) -> Integers:
        """A number for each header's scope; -1 where there are too many."""
        keys, inverse = np.unique(headers.scope_key(), return_inverse=True)
        numbers = np.array([self._number(key) for key in keys.tolist()], np.int64)
        return numbers[inverse] if len(numbers) else numbers

    def number_of(self, context: Context) -> int:
        """The number of a record's scope, -1 where there is none."""
        key = self.exporter_of(context) << 35 | _VERSIONS.index(context.version) << 32 | context.domain
        return self._number(key)

    def exporter_of(self, context: Context) -> int:
        """The number of a record's exporter."""
        for number in range(len(self._numbers_of_names), len(self._names)):
            self._numbers_of_names[self._names[number]] = number
        return self._numbers_of_names[str(context.exporter)]

    def _number(self, key: int) -> int:
        number = self._keys.get(key)
        if number is not None:
            return number
        number = len(self.scopes)
        if number >= MOST_SCOPES:
            return -1
        exporter = key >> 35
        self._keys[key] = number
        self.scopes.append((self._names[exporter], _VERSIONS[(key >> 32) & 7], key & 0xFFFF_FFFF))
        self.exporters.append(exporter)
        if number >= len(self._expected):
            self._grow(number)
        return number

    def _grow(self, more: int) -> None:
        self._expected = np.concatenate([self._expected, np.full(more, -1, np.int64)])
        self._uptime_ms = np.concatenate([self._uptime_ms, np.full(more, -1, np.int64)])
        self._base_ms = np.concatenate([self._base_ms, np.zeros(more, np.int64)])
        self._stated = np.concatenate([self._stated, np.zeros(more, np.bool_)])

    # sequence numbers and restarts

    def restarts(self, headers: Headers, scope: Integers) -> Iterator[tuple[int, int]]:
        """(header position, scope number) of every v9 header whose sysUpTime fell: its exporter forgot its templates."""
        order, of, first = _in_order(scope, headers.version == V9)
        if not len(order):
            return
        uptime = headers.uptime_ms[order]
        before = np.empty_like(uptime)
        before[1:] = uptime[:-1]
        before[first] = self._uptime_ms[of[first]]
        last = np.append(first[1:], True)
        self._uptime_ms[of[last]] = uptime[last]
        for place in np.flatnonzero((before > uptime) & (before >= 0)).tolist():
            if restarted(int(before[place]), int(uptime[place])):
                yield int(order[place]), int(of[place])

    def follow(self, headers: Headers, scope: Integers, counts: Integers) -> Counter[int]:
        """Compares each header's sequence number with the one expected; newly lost units by exporter."""
        lost: Counter[int] = Counter()
        order, of, first = _in_order(scope, None)
        if not len(order):
            return lost
        sequence = headers.sequence[order]
        after = (sequence + counts[order]) & 0xFFFF_FFFF
        expected = np.empty(len(order), np.int64)
        expected[1:] = after[:-1]
        expected[first] = self._expected[of[first]]
        last = np.append(first[1:], True)
        differing = expected != sequence
        if differing.any():
            odd = self._count_gaps(of, expected, sequence, lost)
            self._step_one_by_one(headers, order, of, counts, odd, lost)
            last &= ~np.isin(of, odd)
        self._expected[of[last]] = after[last]
        return lost

    def _count_gaps(self, of: Integers, expected: Integers, sequence: Integers, lost: Counter[int]) -> Integers:
        """Counts what is missing where numbers only jumped ahead, as they do under overload; returns the scopes where more
        happened."""
        ahead = (sequence - expected) & 0xFFFF_FFFF
        strange = (expected < 0) | (ahead > LARGEST_GAP)
        odd = np.unique(of[strange])
        gap = (ahead > 0) & ~np.isin(of, odd)
        for number, units in zip(of[gap].tolist(), ahead[gap].tolist(), strict=True):
            self._sequences.setdefault(number, SequenceNumbers()).lost += units
            lost[self.exporters[number]] += units
        return odd

    def step(self, context: Context, count: int) -> int:
        """The same for one datagram that the plain decoder read; returns its newly lost units."""
        number = self.number_of(context)
        if number < 0:
            return 0
        return self._sequences.setdefault(number, SequenceNumbers()).step(context.sequence, count, context.uptime_ms)

    def _step_one_by_one(
        self, headers: Headers, order: Integers, of: Integers, counts: Integers, odd: Integers, lost: Counter[int]
    ) -> None:
        for number in odd.tolist():
            sequence = self._sequences.setdefault(number, SequenceNumbers())
            known = int(self._expected[number])
            sequence.expected = None if known < 0 else known
            for header in order[of == number].tolist():
                uptime = None if headers.version[header] == IPFIX else int(headers.uptime_ms[header])
                if units := sequence.step(int(headers.sequence[header]), int(counts[header]), uptime):
                    lost[self.exporters[number]] += units
            self._expected[number] = -1 if sequence.expected is None else sequence.expected

    # clocks

    def base_ms(self, scope: Integers) -> Integers:
        """When the exporters' clocks started, 0: unknown."""
        return self._base_ms[np.maximum(scope, 0)] * (scope >= 0)

    def state_base(self, number: int, init_ms: int) -> None:
        """The exporter said it itself."""
        self._base_ms[number] = min(init_ms, 2**53)
        self._stated[number] = True

    def observe_bases(self, block: Block, headers: Headers, scope: Integers) -> None:
        """As `meaning.UptimeBases.observe`: the start of clocks that only sysUpTimes tell of."""
        places = block.layout.places
        if "end_ticks" not in places or "init_ms" in places or not len(block.rows):
            return
        ends = block.layout.column(block.rows, "end_ticks", np.int64)
        assert ends is not None
        filled = np.flatnonzero(block.counts)
        before = np.cumsum(block.counts) - block.counts
        latest = np.full(len(headers.at), -1, np.int64)
        np.maximum.at(latest, block.header[filled], np.maximum.reduceat(ends & 0xFFFF_FFFF, before[filled]))
        touched = np.flatnonzero(latest >= 0)
        lowest = np.full(len(self._base_ms), np.iinfo(np.int64).max)
        np.minimum.at(lowest, scope[touched], headers.export_ms[touched] - latest[touched])
        known = self._base_ms
        unset = (known == 0) | (lowest < known) | (lowest - known > _BASE_JUMP_MS)
        fresh = unset & (lowest < np.iinfo(np.int64).max) & ~self._stated
        self._base_ms[fresh] = lowest[fresh]

    # sampling

    def rates(self, headers: Headers, scope: Integers) -> Integers:
        """Sampling rate of each header: configured, else v5's own, else the scope's by its options; 0: unknown."""
        version, count, rates = self._rates
        if version != self._samplers.version or count != len(self.scopes):
            rates = np.array([self._samplers.rate(each, None) for each in self.scopes], np.int64)
            self._rates = (self._samplers.version, len(self.scopes), rates)
        if not len(rates):
            return np.zeros(len(scope), np.int64)
        known = rates[np.maximum(scope, 0)]
        if not headers.sampling.any():
            return known
        return np.where((headers.sampling > 0) & ~self.overridden(headers.exporter), headers.sampling, known)

    def overridden(self, exporters: Integers) -> NDArray[np.bool_]:
        """Whether the configuration says the rate of each of some exporters."""
        if not self._overridden:
            return np.zeros(len(exporters), np.bool_)
        return np.array([name in self._overridden for name in self._names], np.bool_)[exporters]

    def by_sampler(self, scope: Integers) -> bool:
        """Has one of these scopes several samplers, so that each record's own must be looked up?"""
        return self._samplers.several and any(
            self._samplers.named(self.scopes[each]) for each in set(scope.tolist()) if each >= 0
        )

    def sampler_rates(self, scope: Integers, sampler: NDArray[np.uint64]) -> Integers:
        """The rate of each record by its scope and sampler, 0: unknown."""
        keys = (scope.astype(np.uint64) << np.uint64(32)) | (sampler & np.uint64(0xFFFF_FFFF))
        distinct, inverse = np.unique(keys, return_inverse=True)
        rates = [self._samplers.rate(self.scopes[key >> 32], key & 0xFFFF_FFFF) for key in distinct.tolist()]
        found: Integers = np.array(rates, np.int64)[inverse]
        return found


def _in_order(scope: Integers, usable: NDArray[np.bool_] | None) -> tuple[Integers, Integers, NDArray[np.bool_]]:
    """Positions of headers by scope and, within one, by arrival; their scopes; which are the first of theirs."""
    chosen = np.flatnonzero(scope >= 0 if usable is None else usable & (scope >= 0))
    of = scope[chosen]
    arranged = np.argsort(of.astype(np.uint16), kind="stable")  # radix sort: MOST_SCOPES fits
    of = of[arranged]
    first = np.empty(len(of), np.bool_)
    first[:1] = True
    first[1:] = of[1:] != of[:-1]
    return chosen[arranged], of, first
