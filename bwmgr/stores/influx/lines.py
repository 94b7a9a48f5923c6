"""Rows to line protocol, whole columns at a time: a cycle of 9,000 links costs a few hundredths of a second.

Owns escaping and the cached prefixes (measurement and tags) of each series; sends nothing. Infinity and NaN have no form in line
protocol: such a field is left out, and `Holds` says so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from bwmgr.errors import StoreRejected
from bwmgr.measure.columns import RateBatch, Rows
from bwmgr.model.samples import GapReason, Quality
from bwmgr.stores import FLOW_USAGE
from bwmgr.stores.influx.schema import DIRECTIONS, FLOW_TAGS, KEPT, FlowFlags, Holds, SeriesTags, flow_parts

Pieces = tuple[Any, ...]
"""Arrow columns of text, and scalars that are the same in all rows: what stands side by side in a line."""

_UNSENDABLE = re.compile(r"[\n\r\0]|\\(?=[,= \\]|$)")
_SPECIAL = re.compile(r"([,= ])")
_LARGEST = 2**63 - 1
_REASONS = pa.array([reason.name.lower() for reason in GapReason])
_FEW = 8
_PARTIAL = Quality.PARTIAL | Quality.COUNTER32 | Quality.STUCK


def escaped(text: str) -> str:
    """A tag's value or name in line protocol.

    Raises: StoreRejected for a line break, a NUL, or a backslash before a special character or at the end: no version of the
    protocol can say those.
    """
    if _UNSENDABLE.search(text):
        raise StoreRejected(f"{text!r} cannot be a name in InfluxDB: it has a line break, or a backslash where it cannot stand")
    return _SPECIAL.sub(r"\\\1", text)


def prefix(measurement: str, tags: Mapping[str, str]) -> str:
    """`measurement,tag=value,...`, tags sorted as the server likes them."""
    return ",".join((measurement, *(f"{escaped(name)}={escaped(value)}" for name, value in sorted(tags.items()))))


class Renderer:
    """Line protocol of any batch. `tags` None: links and uplinks carry no tags but their own id."""

    def __init__(self, tags: SeriesTags | None = None) -> None:
        self._tags = tags or {}
        self._cached: dict[tuple[str, str], tuple[tuple[str, ...], pa.StringArray]] = {}

    def retag(self, tags: SeriesTags) -> None:
        """Other tags from now on; safe while another thread renders, whose batch bears either."""
        self._tags, self._cached = tags, {}

    def check(self, measurement: str, names: Sequence[str]) -> None:
        """Raises: StoreRejected for a name that cannot be sent."""
        for name in names:
            for part in flow_parts(name) if measurement == FLOW_USAGE else (name,):
                escaped(part)

    def body(self, measurement: str, batch: RateBatch) -> bytes:
        """All lines, each with its line feed; timestamps in whole seconds, rounded down."""
        if measurement == FLOW_USAGE:
            return self._flows(batch).tobytes()
        kept = KEPT[measurement]
        is_gap = batch.rows["reason"] != 0
        rates, gaps = batch.rows[~is_gap], batch.rows[is_gap]
        parts = [self._rates(measurement, batch.series, rates, direction) for direction in DIRECTIONS]
        if kept.gaps and len(gaps):
            parts += [self._gaps(measurement, batch.series, gaps, direction) for direction in DIRECTIONS]
        if kept.state:
            parts.append(self._states(measurement, kept.state, batch))
        return b"".join(parts)

    def _rates(self, measurement: str, series: tuple[str, ...], rows: Rows, direction: str) -> memoryview:
        rate, limit = rows[f"{direction}_bps"], rows[f"{direction}_limit_bps"]
        with np.errstate(divide="ignore", invalid="ignore"):
            utilisation = np.where(np.isfinite(limit) & (limit > 0), rate / limit, np.nan)
        return _text(
            self._prefixes(measurement, direction, series, rows["series"]),
            _field(" rate_bps=", np.where(np.isfinite(rate), rate, 0.0)),
            _field(",utilisation=", utilisation),
            _word(",quality=", pc.if_else(pa.array((rows["quality"] & _PARTIAL) != 0), "partial", "ok")),
            *_shared(rows, direction),
            _time(rows),
        )

    def _gaps(self, measurement: str, series: tuple[str, ...], rows: Rows, direction: str) -> memoryview:
        return _text(
            self._prefixes(KEPT[measurement].gaps or "", direction, series, rows["series"]),
            _word(" reason=", _reasons(rows)),
            _field(",reason_code=", rows["reason"]),
            *_shared(rows, direction),
            _time(rows),
        )

    def _states(self, measurement: str, state: str, batch: RateBatch) -> memoryview:
        rows = batch.rows
        up = pc.if_else(pa.array(rows["reason"] == 0), pa.array((rows["quality"] & Quality.OPER_DOWN) == 0), None)
        return _text(
            self._prefixes(state, "", batch.series, rows["series"]),
            _word(" reason=", _reasons(rows)),
            _labelled(",oper_up=", up),
            _field(",rtt_ms=", rows["rtt_us"] / 1000.0, absent=rows["rtt_us"] == 0),
            _field(
                ",if_high_speed_bps=", rows["if_high_speed_mbps"] * np.int64(1_000_000), absent=rows["if_high_speed_mbps"] == 0
            ),
            _time(rows),
        )

    def _flows(self, batch: RateBatch) -> memoryview:
        rows = batch.rows
        over = rows["octets"] > _LARGEST
        clipped = np.where(over, np.uint64(_LARGEST), rows["octets"])
        return _text(
            self._prefixes(FLOW_USAGE, "", batch.series, rows["series"]),
            _field(" octets=", clipped),
            _field(",octets_over=", rows["octets"] & np.uint64(_LARGEST), absent=~over),
            _field(",packets=", np.minimum(rows["packets"], np.uint64(_LARGEST))),
            _field(",flows=", rows["flows"]),
            _field(",flags=", (rows["sampled"] != 0) * int(FlowFlags.SAMPLED) + over * int(FlowFlags.OVER)),
            _time(rows),
        )

    def _prefixes(self, measurement: str, direction: str, series: tuple[str, ...], places: NDArray[Any]) -> pa.StringArray:
        found = self._cached.get((measurement, direction))
        if found is None or found[0] != series:
            made = pa.array([self._prefix(measurement, direction, name) for name in series], pa.string())
            found = self._cached[measurement, direction] = (series, made)
        return found[1].take(pa.array(places))

    def _prefix(self, measurement: str, direction: str, name: str) -> str:
        if measurement == FLOW_USAGE:
            return prefix(measurement, dict(zip(FLOW_TAGS, flow_parts(name), strict=True)))
        source, wanted = next((rates, kept) for rates, kept in KEPT.items() if measurement in (rates, kept.gaps, kept.state))
        known = self._tags.get((source, name), {})
        if measurement == wanted.state:
            known = {tag: value for tag, value in known.items() if tag == "device"}
        elif measurement == wanted.gaps:
            known = {}
        return prefix(measurement, {**known, "link": name, **({"direction": direction} if direction else {})})


def _shared(rows: Rows, direction: str) -> list[Pieces]:
    """The fields that rates and gaps have in common."""
    limit, discards, errors = (rows[f"{direction}_{column}"] for column in ("limit_bps", "discards_ps", "errors_ps"))
    holds = np.zeros(len(rows), np.int64)
    for column, flag in ((limit, Holds.LIMIT), (discards, Holds.DISCARDS), (errors, Holds.ERRORS)):
        holds |= np.isfinite(column) * int(flag)
    fields = [
        _field(",limit_bps=", limit),
        _field(",discards_ps=", discards),
        _field(",errors_ps=", errors),
        _field(",interval_s=", rows["interval_ticks"] / 100.0),
        _field(",holds=", holds),
    ]
    if direction == DIRECTIONS[0]:
        fields += [
            _field(",quality_flags=", rows["quality"]),
            _field(",interval_ticks=", rows["interval_ticks"]),
            _field(",rtt_us=", rows["rtt_us"]),
            _field(",if_high_speed_mbps=", rows["if_high_speed_mbps"]),
        ]
    return fields


def _field(label: str, column: NDArray[Any], absent: NDArray[np.bool_] | None = None) -> Pieces:
    """`label` and a number, nothing where it is not finite or `absent`; integers bear their `i`."""
    end = "i" if column.dtype.kind != "f" else ""
    if column.dtype.kind == "f":
        finite = np.isfinite(column)
        absent = ~finite if absent is None else absent | ~finite
    return _labelled(label, pa.array(column, mask=absent), end)


def _word(label: str, words: pa.Array) -> Pieces:
    return _labelled(f'{label}"', words, '"')


def _labelled(label: str, values: pa.Array, end: str = "") -> Pieces:
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


def _reasons(rows: Rows) -> pa.StringArray:
    return _REASONS.take(pa.array(np.minimum(rows["reason"], len(_REASONS) - 1)))


def _time(rows: Rows) -> Pieces:
    return _labelled(" ", pa.array(rows["end_ms"] // 1000), "\n")


def _text(prefixes: pa.StringArray, *columns: Pieces) -> memoryview:
    """The columns side by side; the lines are one buffer already, in order."""
    if not len(prefixes):
        return memoryview(b"")
    lines = pc.binary_join_element_wise(prefixes, *chain.from_iterable(columns), "")
    offsets = np.frombuffer(lines.buffers()[1], np.int32)[lines.offset : lines.offset + len(lines) + 1]
    return memoryview(lines.buffers()[2])[offsets[0] : offsets[-1]]
