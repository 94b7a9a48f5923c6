"""Many datagrams at once: headers, sets and records of a whole receive buffer as columns.

Means exactly what `reference` says of each datagram alone, which a property test holds it to; the order of datagrams counts (a
template holds from where it stands). No Python object per flow: datagrams are walked set by set, all of them in step; data sets
of one layout become one array. Templates, options and records of variable length, which are few, go through the plain decoder.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from collectors.netflow.columns import Layout, layout_of
from collectors.netflow.records import IPFIX, V1, V5, V5_TEMPLATE, V9

Octets = NDArray[np.uint8]
Integers = NDArray[np.int64]

_V5_HEADER, _V5_RECORD, _V5_MOST = 24, 48, 30
_V9_HEADER, IPFIX_HEADER_OCTETS = 20, 16
SFLOW_ON_WIRE = 5
_NOTHING: Integers = np.empty(0, np.int64)
_WORTH_WHILE = 4
"""Records in a usual set from which on full sets are copied apart from the others."""


@dataclass(frozen=True, kw_only=True)
class Datagrams:
    """Received datagrams: octets [start, start + length) of `buffer`, in the order of arrival. `exporter` is the caller's
    number."""

    buffer: Octets
    start: Integers
    length: Integers
    exporter: Integers


@dataclass(kw_only=True)
class Headers:
    """Header fields of the datagrams that are NetFlow v5, v9 or IPFIX, aligned; `at` is a datagram's place in its batch."""

    at: Integers
    version: Integers
    exporter: Integers
    domain: Integers
    sequence: Integers
    export_ms: Integers
    uptime_ms: Integers
    """0 for IPFIX."""
    sampling: Integers
    start: Integers
    """Where the first set, or v5's first record, begins in the buffer."""
    end: Integers
    count: Integers
    """Records of v5; 0 else."""

    def scope_key(self) -> NDArray[np.uint64]:
        """(exporter, version, domain) in one number: 29 + 3 + 32 bits."""
        version = np.where(self.version == V5, 0, np.where(self.version == V9, 1, 2)).astype(np.uint64)
        key: NDArray[np.uint64] = (self.exporter.astype(np.uint64) << np.uint64(35)) | (version << np.uint64(32))
        return key + self.domain.astype(np.uint64)


@dataclass(kw_only=True)
class Sets:
    """All sets of a batch: `header` is a position in `Headers`; body is [start, end) of the buffer; ordered by (header,
    start)."""

    header: Integers
    id: Integers
    start: Integers
    end: Integers
    problems: Counter[str] = field(default_factory=Counter)


def read_headers(datagrams: Datagrams) -> tuple[Headers, Counter[str], Integers]:
    """Headers of all datagrams that have a sound one; reasons for the others; positions of what may be sFlow or v1,
    which the plain decoders read."""
    buffer, start, length = datagrams.buffer, datagrams.start, datagrams.length
    long_enough = length >= 4
    version = np.where(long_enough, _u16(buffer, np.where(long_enough, start, 0)), -1)
    problems: Counter[str] = Counter()
    parts = []
    left = len(version)
    for number, read in ((V9, _v9_headers), (IPFIX, _ipfix_headers), (V5, _v5_headers)):
        at = np.flatnonzero(version == number) if left else _NOTHING
        left -= len(at)
        if len(at):
            parts.append(read(datagrams, at, problems))
    others = _others(datagrams, version, problems) if left else _NOTHING
    return _merged(parts or [_v9_headers(datagrams, _NOTHING, problems)]), problems, others


def _others(datagrams: Datagrams, version: Integers, problems: Counter[str]) -> Integers:
    """Positions of what is sFlow or v1 among the datagrams that are of no other protocol; what is of none is counted."""
    possible = np.flatnonzero((version == 0) | (version == V1))
    second = _u16(datagrams.buffer, datagrams.start[possible] + 2)
    found: Integers = possible[(version[possible] == V1) | (second == SFLOW_ON_WIRE)]
    if short := int((version < 0).sum()):
        problems["truncated"] += short
    if unknown := int(((version >= 0) & ~np.isin(version, (V5, V9, IPFIX))).sum()) - len(found):
        problems["version"] += unknown
    return found


def _merged(parts: Sequence[dict[str, Integers]]) -> Headers:
    if len(parts) == 1:
        return Headers(**parts[0])
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    order = np.argsort(columns["at"], kind="stable")
    return Headers(**{name: column[order] for name, column in columns.items()})


def _v5_headers(datagrams: Datagrams, at: Integers, problems: Counter[str]) -> dict[str, Integers]:
    at = _checked(at, datagrams.length[at] >= _V5_HEADER, "truncated", problems)
    start = datagrams.start[at]
    claimed = _u16(datagrams.buffer, start + 2)
    sound = (claimed > 0) & (claimed <= _V5_MOST)
    at, start, claimed = _checked(at, sound, "v5_count", problems), start[sound], claimed[sound]
    there = (datagrams.length[at] - _V5_HEADER) // _V5_RECORD
    if short := int((claimed > there).sum()):
        problems["v5_truncated"] += short
    header = words_at(datagrams.buffer, start, ">u4", 6)
    engine_and_sampling = header[:, 5]
    return {
        "at": at,
        "version": np.full(len(at), V5),
        "exporter": datagrams.exporter[at],
        "domain": engine_and_sampling >> 16,
        "sequence": header[:, 4],
        "export_ms": header[:, 2] * 1000 + header[:, 3] // 1_000_000,
        "uptime_ms": header[:, 1],
        "sampling": engine_and_sampling & 0x3FFF,
        "start": start + _V5_HEADER,
        "end": start + _V5_HEADER + np.minimum(claimed, there) * _V5_RECORD,
        "count": claimed,
    }


def _v9_headers(datagrams: Datagrams, at: Integers, problems: Counter[str]) -> dict[str, Integers]:
    at = _checked(at, datagrams.length[at] >= _V9_HEADER, "truncated", problems)
    start = datagrams.start[at]
    header = words_at(datagrams.buffer, start, ">u4", 5)
    return {
        "at": at,
        "version": np.full(len(at), V9),
        "exporter": datagrams.exporter[at],
        "domain": header[:, 4],
        "sequence": header[:, 3],
        "export_ms": header[:, 2] * 1000,
        "uptime_ms": header[:, 1],
        "sampling": np.zeros(len(at), np.int64),
        "start": start + _V9_HEADER,
        "end": start + datagrams.length[at],
        "count": np.zeros(len(at), np.int64),
    }


def _ipfix_headers(datagrams: Datagrams, at: Integers, problems: Counter[str]) -> dict[str, Integers]:
    """The first message of each datagram; that more follow in one is left to the plain decoder (`several_messages`)."""
    at = _checked(at, datagrams.length[at] >= IPFIX_HEADER_OCTETS, "truncated", problems)
    start = datagrams.start[at]
    claimed = _u16(datagrams.buffer, start + 2)
    at_sound = claimed >= IPFIX_HEADER_OCTETS
    at, start, claimed = _checked(at, at_sound, "message_length", problems), start[at_sound], claimed[at_sound]
    whole = claimed <= datagrams.length[at]
    at, start, claimed = _checked(at, whole, "message_truncated", problems), start[whole], claimed[whole]
    header = words_at(datagrams.buffer, start, ">u4", 4)
    return {
        "at": at,
        "version": np.full(len(at), IPFIX),
        "exporter": datagrams.exporter[at],
        "domain": header[:, 3],
        "sequence": header[:, 2],
        "export_ms": header[:, 1] * 1000,
        "uptime_ms": np.zeros(len(at), np.int64),
        "sampling": np.zeros(len(at), np.int64),
        "start": start + IPFIX_HEADER_OCTETS,
        "end": start + claimed,
        "count": np.zeros(len(at), np.int64),
    }


def _checked(at: Integers, sound: NDArray[np.bool_], reason: str, problems: Counter[str]) -> Integers:
    if wrong := len(at) - int(sound.sum()):
        problems[reason] += wrong
        return at[sound]
    return at


def read_sets(buffer: Octets, headers: Headers) -> Sets:
    """Every set of every v9 and IPFIX message: one step of this loop reads the next set of all of them.

    A set that does not hold ends its message, as in `reference.sets`; the sets before it count.
    """
    walking = np.flatnonzero(headers.version != V5)
    cursor, end = headers.start[walking], headers.end[walking]
    parts: list[tuple[Integers, Integers, Integers, Integers]] = []
    problems: Counter[str] = Counter()
    while len(walking):
        open_ = end - cursor >= 4
        if not open_.all():
            walking, cursor, end = walking[open_], cursor[open_], end[open_]
            if not len(walking):
                break
        identity, octets = _u16(buffer, cursor), _u16(buffer, cursor + 2)
        after = cursor + octets
        sound = (octets >= 4) & (after <= end)
        if not sound.all():
            _count_unsound(buffer, cursor[~sound], octets[~sound], end[~sound], problems)
            walking, cursor, end = walking[sound], cursor[sound], end[sound]
            identity, after = identity[sound], after[sound]
        parts.append((walking, identity, cursor + 4, after))
        cursor = after
    return _ordered(parts, problems)


def _ordered(parts: list[tuple[Integers, Integers, Integers, Integers]], problems: Counter[str]) -> Sets:
    if not parts:
        nothing = np.empty(0, np.int64)
        return Sets(header=nothing, id=nothing, start=nothing, end=nothing, problems=problems)
    header, identity, start, end = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    if len(parts) > 1:
        order = np.lexsort((start, header))
        header, identity, start, end = header[order], identity[order], start[order], end[order]
    return Sets(header=header, id=identity, start=start, end=end, problems=problems)


def _count_unsound(buffer: Octets, cursor: Integers, octets: Integers, end: Integers, problems: Counter[str]) -> None:
    for at, claimed, last in zip(cursor.tolist(), octets.tolist(), end.tolist(), strict=True):
        if claimed >= 4:
            problems["set_truncated"] += 1
        elif buffer[at:last].any():
            problems["set_length"] += 1


@dataclass(frozen=True, kw_only=True)
class Block:
    """Records of one layout: shape (records, octets); set i has `counts[i]` of them, one after the other, and the header at
    position `header[i]`."""

    layout: Layout
    rows: Octets
    header: Integers
    counts: Integers


def v5_block(buffer: Octets, headers: Headers) -> Block | None:
    """All v5 records of a batch."""
    chosen = np.flatnonzero(headers.version == V5)
    layout = layout_of(V5_TEMPLATE)
    if not len(chosen) or layout is None:
        return None
    return block(buffer, layout, headers.start[chosen], headers.end[chosen], chosen)


def block(buffer: Octets, layout: Layout, start: Integers, end: Integers, header: Integers) -> Block:
    """The records of data sets of one layout: what is left of a set after its last whole record is padding."""
    counts = (end - start) // layout.octets
    usual = int(np.median(counts)) if len(counts) else 0
    full = counts == usual
    if usual < _WORTH_WHILE or full.all():
        rows = _records(buffer, layout.octets, start, counts, usual)
        return Block(layout=layout, rows=rows, header=header, counts=counts)
    rest = ~full  # sets that a router filled are copied whole, which is three times faster
    parts = [_records(buffer, layout.octets, start[some], counts[some], usual) for some in (full, rest)]
    order = np.concatenate([np.flatnonzero(full), np.flatnonzero(rest)])
    return Block(layout=layout, rows=np.concatenate(parts), header=header[order], counts=counts[order])


def _records(buffer: Octets, width: int, start: Integers, counts: Integers, usual: int) -> Octets:
    """Records of sets with `counts` records each: whole sets at a time where all have the usual number."""
    if usual and (counts == usual).all():
        return octets_at(buffer, start, usual * width).reshape(-1, width)
    before = np.cumsum(counts) - counts
    index = np.repeat(start - before * width, counts) + np.arange(int(counts.sum())) * width
    return octets_at(buffer, index, width)


def octets_at(buffer: Octets, start: Integers, octets: int) -> Octets:
    """`octets` octets from each of `start` on, shape (n, octets)."""
    items = np.ndarray((max(len(buffer) - octets + 1, 0),), f"V{octets}", buffer.data, 0, (1,))
    return items[start].view(np.uint8).reshape(len(start), octets)


def groups(keys: NDArray[Any]) -> Iterator[tuple[Any, Integers]]:
    """Each distinct key with its positions, in the order of positions within a key."""
    if not len(keys):
        return
    if (keys == keys[0]).all():
        yield keys[0], np.arange(len(keys))
        return
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    edges = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
    for positions in np.split(order, edges):
        yield keys[positions[0]], positions


def _u16(buffer: Octets, at: Integers) -> Integers:
    high = buffer[at].astype(np.int64)
    return (high << 8) | buffer[at + 1]


def words_at(buffer: Octets, start: Integers, dtype: str, words: int) -> Integers:
    """`words` numbers from each of `start` on, as native integers of shape (n, words)."""
    octets = words * np.dtype(dtype).itemsize
    return octets_at(buffer, start, octets).view(dtype).reshape(len(start), words).astype(np.int64)
