"""Rows to line protocol, whole columns at a time: a cycle of 9,000 links costs a few hundredths of a second.

Owns which columns of a row become which fields, and the cached prefixes (measurement and tags) of each series; sends nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from bwmgr.measure.columns import RateBatch, Rows
from bwmgr.model.samples import GapReason, Quality
from bwmgr.stores import FLOW_USAGE
from bwmgr.stores.influx.protocol import LARGEST, Pieces, escaped, field, labelled, prefix, seconds, text, word
from bwmgr.stores.influx.schema import DIRECTIONS, FLOW_TAGS, KEPT, FlowFlags, Holds, SeriesTags, flow_parts

_REASONS = pa.array([reason.name.lower() for reason in GapReason])
_PARTIAL = Quality.PARTIAL | Quality.COUNTER32 | Quality.STUCK


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
        return text(
            self._prefixes(measurement, direction, series, rows["series"]),
            field(" rate_bps=", np.where(np.isfinite(rate), rate, 0.0)),
            field(",utilisation=", utilisation),
            word(",quality=", pc.if_else(pa.array((rows["quality"] & _PARTIAL) != 0), "partial", "ok")),
            *_shared(rows, direction),
            seconds(rows["end_ms"]),
        )

    def _gaps(self, measurement: str, series: tuple[str, ...], rows: Rows, direction: str) -> memoryview:
        return text(
            self._prefixes(KEPT[measurement].gaps or "", direction, series, rows["series"]),
            word(" reason=", _reasons(rows)),
            field(",reason_code=", rows["reason"]),
            *_shared(rows, direction),
            seconds(rows["end_ms"]),
        )

    def _states(self, measurement: str, state: str, batch: RateBatch) -> memoryview:
        rows = batch.rows
        up = pc.if_else(pa.array(rows["reason"] == 0), pa.array((rows["quality"] & Quality.OPER_DOWN) == 0), None)
        return text(
            self._prefixes(state, "", batch.series, rows["series"]),
            word(" reason=", _reasons(rows)),
            labelled(",oper_up=", up),
            field(",rtt_ms=", rows["rtt_us"] / 1000.0, absent=rows["rtt_us"] == 0),
            field(
                ",if_high_speed_bps=", rows["if_high_speed_mbps"] * np.int64(1_000_000), absent=rows["if_high_speed_mbps"] == 0
            ),
            seconds(rows["end_ms"]),
        )

    def _flows(self, batch: RateBatch) -> memoryview:
        rows = batch.rows
        over = rows["octets"] > LARGEST
        clipped = np.where(over, np.uint64(LARGEST), rows["octets"])
        return text(
            self._prefixes(FLOW_USAGE, "", batch.series, rows["series"]),
            field(" octets=", clipped),
            field(",octets_over=", rows["octets"] & np.uint64(LARGEST), absent=~over),
            field(",packets=", np.minimum(rows["packets"], np.uint64(LARGEST))),
            field(",flows=", rows["flows"]),
            field(",flags=", (rows["sampled"] != 0) * int(FlowFlags.SAMPLED) + over * int(FlowFlags.OVER)),
            seconds(rows["end_ms"]),
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
        field(",limit_bps=", limit),
        field(",discards_ps=", discards),
        field(",errors_ps=", errors),
        field(",interval_s=", rows["interval_ticks"] / 100.0),
        field(",holds=", holds),
    ]
    if direction == DIRECTIONS[0]:
        fields += [
            field(",quality_flags=", rows["quality"]),
            field(",interval_ticks=", rows["interval_ticks"]),
            field(",rtt_us=", rows["rtt_us"]),
            field(",if_high_speed_mbps=", rows["if_high_speed_mbps"]),
        ]
    return fields


def _reasons(rows: Rows) -> pa.StringArray:
    return _REASONS.take(pa.array(np.minimum(rows["reason"], len(_REASONS) - 1)))
