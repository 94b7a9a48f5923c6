"""Records that the plain decoder read, as rows of a layout: for fields of variable length, sampled frames and sFlow.

Owns the fixed sizes that such fields are brought to. Records with the same elements share one layout, so that what follows is
columnar again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

import numpy as np

from collectors.netflow import frames
from collectors.netflow.elements import REVERSE_PEN
from collectors.netflow.records import Record
from collectors.netflow.templates import Field, Template

_SIZES: dict[tuple[int, int], int] = {
    **dict.fromkeys(((0, number) for number in (8, 12, 226, 40002)), 4),
    **dict.fromkeys(((0, number) for number in (27, 28, 282)), 16),
    **dict.fromkeys(
        ((0, number) for number in (1, 2, 23, 24, 85, 86, 231, 232, 298, 299, 4, 7, 11, 10, 14, 61, 60, 16, 17, 95, 48, 302)), 8
    ),
    **dict.fromkeys(((0, number) for number in (34, 50, 305, 306, 309, 310, 21, 22, *range(150, 161))), 8),
    **dict.fromkeys(((REVERSE_PEN, number) for number in (1, 2)), 8),
}
"""Octets to which each element of interest is brought; addresses keep theirs."""
_FRAME_SECTIONS = (104, 315)
_PACKET_SECTION = 313


def rows_of(
    records: Iterable[Record],
) -> Iterator[tuple[Template, np.ndarray[tuple[int, int], np.dtype[np.uint8]], list[Record]]]:
    """Templates with fixed sizes, their rows, and the records behind the rows, in the order in which layouts first appear."""
    found: dict[tuple[tuple[int, int], ...], tuple[list[bytes], list[Record]]] = {}
    for record in records:
        fields = _fields(record)
        rows, behind = found.setdefault(tuple(fields), ([], []))
        rows.append(b"".join(fields.values()))
        behind.append(record)
    for keys, (rows, behind) in found.items():
        template = template_of(keys)
        if template.octets:
            yield template, np.frombuffer(b"".join(rows), np.uint8).reshape(len(rows), template.octets), behind


def _fields(record: Record) -> dict[tuple[int, int], bytes]:
    """The elements of interest in one record, brought to their sizes; a sampled frame counts where the record has no
    addresses."""
    fields = dict(_sized(record.fields()))
    if not {(0, 8), (0, 27)} & fields.keys():
        for key, octets in _sized(_section(record)):
            fields.setdefault(key, octets)
    return dict(sorted(fields.items()))


def _sized(fields: Iterable[tuple[Field, bytes]]) -> Iterator[tuple[tuple[int, int], bytes]]:
    seen = set()
    for specifier, octets in fields:
        key = (specifier.pen, specifier.id)
        size = _SIZES.get(key)
        if size is None or not octets or key in seen:
            continue
        if size in (4, 16) and len(octets) != size:
            continue
        seen.add(key)
        yield key, octets[-size:].rjust(size, b"\0")


def _section(record: Record) -> Sequence[tuple[Field, bytes]]:
    for specifier, octets in record.fields():
        if specifier.pen == 0 and specifier.id in _FRAME_SECTIONS:
            return frames.ethernet(octets) or frames.packet(octets)
        if specifier.pen == 0 and specifier.id == _PACKET_SECTION:
            return frames.packet(octets)
    return ()


@lru_cache(maxsize=1024)
def template_of(keys: tuple[tuple[int, int], ...]) -> Template:
    return Template(0, tuple(Field(pen, number, _SIZES[pen, number]) for pen, number in keys))
