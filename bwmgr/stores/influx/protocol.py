"""Line protocol, whole columns at a time: escaping, and arrow columns side by side that read as lines.

Owns the form of the protocol and nothing of what is said in it. Infinity and NaN have no form in it: such a field is left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from bwmgr.errors import StoreRejected
from bwmgr.model.said import Said

Pieces = tuple[Any, ...]
"""Arrow columns of text, and scalars that are the same in all rows: what stands side by side in a line."""

LARGEST = 2**63 - 1
"""The largest integer of a field: 1.x has none without a sign."""
_UNSENDABLE = re.compile(r"[\n\r\0]|\\(?=[,= \\]|$)")
_SPECIAL = re.compile(r"([,= ])")
_FEW = 8


def escaped(text: str) -> str:
    """A tag's value or name in line protocol.

    Raises: StoreRejected for a line break, a NUL, or a backslash before a special character or at the end: no version of the
    protocol can say those.
    """
    if _UNSENDABLE.search(text):
        raise StoreRejected(
            Said("{text!r} cannot be a name in InfluxDB: it has a line break, or a backslash where it cannot stand", text=text)
        )
    return _SPECIAL.sub(r"\\\1", text)


def prefix(measurement: str, tags: Mapping[str, str]) -> str:
    """`measurement,tag=value,...`, tags sorted as the server likes them."""
    return ",".join((measurement, *(f"{escaped(name)}={escaped(value)}" for name, value in sorted(tags.items()))))


def field(label: str, column: NDArray[Any], absent: NDArray[np.bool_] | None = None) -> Pieces:
    """`label` and a number, nothing where it is not finite or `absent`; integers bear their `i`."""
    end = "i" if column.dtype.kind != "f" else ""
    if column.dtype.kind == "f":
        finite = np.isfinite(column)
        absent = ~finite if absent is None else absent | ~finite
    return labelled(label, pa.array(column, mask=absent), end)


def word(label: str, words: pa.Array) -> Pieces:
    """`label` and a string, nothing where it is null; no string may need escaping."""
    return labelled(f'{label}"', words, '"')


def labelled(label: str, values: pa.Array, end: str = "") -> Pieces:
    """Columns that, side by side, read `label`, value, `end`, or nothing where the value is null.

    Most columns hold few different values (limits, intervals, zeros): those are worded once each, a fifth of the time.
    """
    coded = values.dictionary_encode()
    if len(coded.dictionary) * _FEW < len(values):
        return (pc.fill_null(_joined(label, coded.dictionary, end).take(coded.indices), ""),)
    if values.null_count:
        return (pc.fill_null(_joined(label, values, end), ""),)
    return pa.scalar(label), values.cast(pa.string()), pa.scalar(end)


def _joined(label: str, values: pa.Array, end: str) -> pa.StringArray:
    return pc.binary_join_element_wise(pa.scalar(label), values.cast(pa.string()), pa.scalar(end), "")


def seconds(milliseconds: NDArray[Any]) -> Pieces:
    """A line's end: its time, rounded down."""
    return labelled(" ", pa.array(milliseconds // 1000), "\n")


def text(prefixes: pa.StringArray, *columns: Pieces) -> memoryview:
    """The columns side by side; the lines are one buffer already, in order."""
    if not len(prefixes):
        return memoryview(b"")
    lines = pc.binary_join_element_wise(prefixes, *chain.from_iterable(columns), "")
    offsets = np.frombuffer(lines.buffers()[1], np.int32)[lines.offset : lines.offset + len(lines) + 1]
    return memoryview(lines.buffers()[2])[offsets[0] : offsets[-1]]
