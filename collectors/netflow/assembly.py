"""Records of one layout and what their headers say, turned into `Flows`.

Pure arithmetic on columns; it means what `meaning` says of one record. A record that counts both directions (biflow, RFC 5103; a
firewall's initiator and responder) becomes two flows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from collectors.netflow.columns import UNKNOWN_DIRECTION, Column, Flows, Layout, Rows, SetHeaders, unsigned
from collectors.netflow.meaning import MOST_SAMPLED

_NTP_EPOCH_MS = 2_208_988_800_000
_CLOCK_TOLERANCE_MS = 10_000
"""An exporter whose clock is further off than this gets its times moved by the difference: the graph shows our time."""
_LONGEST_FLOW_MS = 7 * 86_400_000

Numbers = NDArray[np.uint64]


def flows_of(layout: Layout, rows: Rows, headers: SetHeaders) -> Iterator[Flows]:
    """The flows of some records, by address family and direction; `rows` are those of the sets in `headers`, in order."""
    if not len(rows) or not layout.counts:
        return
    start_ms, end_ms = _times(layout, rows, headers)
    common: dict[str, Any] = {
        "exporter": headers.each(headers.exporter),
        "protocol": _small(layout, rows, "protocol", np.uint8),
        "source_port": _small(layout, rows, "source_port", np.uint16),
        "destination_port": _small(layout, rows, "destination_port", np.uint16),
        "ingress": _small(layout, rows, "ingress", np.uint32),
        "egress": _small(layout, rows, "egress", np.uint32),
        "direction": _direction(layout, rows),
        "rate": _rate(layout, rows, headers),
        "start_ms": start_ms,
        "end_ms": end_ms,
        "application": layout.column(rows, "application"),
        "source_as": _optional(layout, rows, "source_as"),
        "destination_as": _optional(layout, rows, "destination_as"),
    }
    for forward in _by_family(layout, rows, common):
        yield from _both_ways(forward)


def _by_family(layout: Layout, rows: Rows, common: dict[str, Any]) -> Iterator[tuple[Flows, Column | None, Column | None]]:
    counts = _counts(layout, rows)
    families = layout.families or (4,)
    for family in families:
        source = layout.addresses(rows, f"source{family}")
        destination = layout.addresses(rows, f"destination{family}")
        if source is None or destination is None:
            source = destination = np.zeros(len(rows), np.uint32)
        inside = _inside(layout.addresses(rows, f"inside{family}"), destination)
        chosen = _of_family(layout, rows, family) if len(families) > 1 else None
        columns = {"source": source, "destination": destination, "inside": inside, **common, **counts}
        yield _chosen(family, columns, chosen)


def _chosen(family: int, columns: dict[str, Any], chosen: NDArray[np.bool_] | None) -> tuple[Flows, Column | None, Column | None]:
    if chosen is not None:
        columns = {name: column if column is None else column[chosen] for name, column in columns.items()}
    back_octets, back_packets = columns.pop("back_octets"), columns.pop("back_packets")
    return Flows(family=family, **columns), back_octets, back_packets


def _both_ways(forward: tuple[Flows, Column | None, Column | None]) -> Iterator[Flows]:
    flows, octets, packets = forward
    yield flows
    if octets is None or packets is None or not octets.any():
        return
    yield Flows(
        family=flows.family,
        exporter=flows.exporter,
        source=flows.destination,
        destination=flows.source,
        inside=flows.source,
        protocol=flows.protocol,
        source_port=flows.destination_port,
        destination_port=flows.source_port,
        ingress=flows.egress,
        egress=flows.ingress,
        direction=flows.direction,
        octets=octets,
        packets=packets,
        rate=flows.rate,
        start_ms=flows.start_ms,
        end_ms=flows.end_ms,
        application=flows.application,
        source_as=flows.destination_as,
        destination_as=flows.source_as,
    )


def _counts(layout: Layout, rows: Rows) -> dict[str, Column | None]:
    """Octets and packets of the flow and, where the record has them, of the way back."""
    if "octets" in layout.places:
        names, back = ("octets", "packets"), ("reverse_octets", "reverse_packets")
    else:
        names, back = ("initiator_octets", "initiator_packets"), ("responder_octets", "responder_packets")
    octets, packets = (_amount(layout, rows, name) for name in names)
    counts: dict[str, Column | None] = {"octets": octets, "packets": packets, "back_octets": None, "back_packets": None}
    if back[0] in layout.places:
        counts["back_octets"], counts["back_packets"] = (_amount(layout, rows, name) for name in back)
    return counts


def _amount(layout: Layout, rows: Rows, role: str) -> NDArray[np.int64]:
    place = layout.places.get(role)
    if place is None:
        return np.zeros(len(rows), np.int64)
    if place.octets < 8:
        return unsigned(rows, place, np.int64)
    return np.minimum(unsigned(rows, place), np.uint64(2**62)).astype(np.int64)


def _small(layout: Layout, rows: Rows, role: str, dtype: type[np.unsignedinteger[Any]]) -> Column:
    column = layout.column(rows, role, dtype)
    return np.zeros(len(rows), dtype) if column is None else column


def _optional(layout: Layout, rows: Rows, role: str) -> Column | None:
    return layout.column(rows, role, np.uint32)


def _direction(layout: Layout, rows: Rows) -> NDArray[np.uint8]:
    column = layout.column(rows, "direction", np.uint8)
    return np.full(len(rows), UNKNOWN_DIRECTION, np.uint8) if column is None else column


def _inside(inside: Column | None, destination: Column) -> Column:
    """The destination behind NAT where the record has one that is not zero."""
    if inside is None:
        return destination
    known = inside != 0 if inside.dtype == np.uint32 else inside != b""
    return np.where(known, inside, destination)


def _of_family(layout: Layout, rows: Rows, family: int) -> NDArray[np.bool_]:
    """Rows of a family where a template has both: by ipVersion, else by which address is not zero."""
    version = layout.column(rows, "version")
    if version is not None:
        by_version: NDArray[np.bool_] = version == family
        return by_version
    source = layout.addresses(rows, "source4")
    destination = layout.addresses(rows, "destination4")
    has_4 = np.zeros(len(rows), np.bool_) if source is None or destination is None else (source != 0) | (destination != 0)
    return has_4 if family == 4 else ~has_4


def _rate(layout: Layout, rows: Rows, headers: SetHeaders) -> NDArray[np.int64]:
    """1:N of each record: its own where it states one, unless the configuration overrides it; see `meaning.sampling_of`."""
    stated = _stated_rate(layout, rows, headers)
    if (interval := layout.column(rows, "interval")) is not None:
        own = mended_intervals(interval)
    elif (sampled := layout.column(rows, "sampled")) is not None:
        space = layout.column(rows, "space")
        own = _ratio(sampled + (np.uint64(0) if space is None else space), sampled)
    elif (size := layout.column(rows, "size")) is not None and (population := layout.column(rows, "population")) is not None:
        own = _ratio(population, size)
    else:
        return stated
    return np.where((own > 0) & ~headers.each(headers.override), own, stated)


def _stated_rate(layout: Layout, rows: Rows, headers: SetHeaders) -> NDArray[np.int64]:
    """By the header, the options or the configuration; where an exporter has several samplers, by the record's own."""
    stated: NDArray[np.int64] = headers.each(headers.rate)
    sampler = layout.column(rows, "sampler")
    if headers.scope is None or headers.sampler_rates is None or sampler is None:
        return stated
    return headers.sampler_rates(headers.each(headers.scope), sampler)


def _ratio(all_: Numbers, some: Numbers) -> NDArray[np.int64]:
    usable = (some > 0) & (all_ > 0)
    ratio = np.minimum(all_ // np.where(usable, some, np.uint64(1)), np.uint64(MOST_SAMPLED)).astype(np.int64)
    return np.where(usable, np.maximum(ratio, 1), 0)


def mended_intervals(interval: Numbers) -> NDArray[np.int64]:
    """As `meaning.mended_interval` for a column."""
    small = interval.astype(np.uint32)
    swapped = small.byteswap().astype(np.int64)
    wrong = (interval >= 1 << 16) & (interval < 1 << 32) & (swapped > 0) & (swapped < 1 << 16)
    return np.where(wrong, swapped, np.minimum(interval, np.uint64(MOST_SAMPLED)).astype(np.int64))


def _times(layout: Layout, rows: Rows, headers: SetHeaders) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Start and end by our clock; what the record does not say is the moment of its export."""
    skew = headers.received_ms - headers.export_ms
    moved = np.where(np.abs(skew) > _CLOCK_TOLERANCE_MS, skew, 0)
    end = _moment(layout, rows, headers, "end", moved)
    start = _moment(layout, rows, headers, "start", moved)
    end = headers.each(headers.export_ms + moved) if end is None else end
    start = end if start is None else start
    received = headers.each(headers.received_ms)
    end = np.minimum(end, received)
    if len(end) and int((received - end).max()) > _LONGEST_FLOW_MS:
        end = np.where(received - end > _LONGEST_FLOW_MS, received, end)
    start = np.minimum(start, end)
    if len(end) and int((end - start).max()) > _LONGEST_FLOW_MS:
        start = np.where(end - start > _LONGEST_FLOW_MS, end, start)
    return start, end


def _moment(layout: Layout, rows: Rows, headers: SetHeaders, which: str, moved: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """One end of a flow's time in the most exact form that the record has, by the exporter's clock moved to ours."""
    moment: NDArray[np.int64]
    if (absolute := layout.column(rows, f"{which}_ms")) is not None:
        moment = _bounded(absolute)
    elif (ntp := layout.column(rows, f"{which}_ntp")) is not None:
        seconds, fraction = ntp >> np.uint64(32), ntp & np.uint64(0xFFFF_FFFF)
        moment = _bounded(seconds * np.uint64(1000) + (fraction * np.uint64(1000) >> np.uint64(32))) - _NTP_EPOCH_MS
    elif (coarse := layout.column(rows, f"{which}_seconds")) is not None:
        moment = _bounded(coarse * np.uint64(1000))
    elif (ago := layout.column(rows, f"{which}_ago_us")) is not None:
        return headers.each(headers.export_ms + moved) - _bounded(ago // np.uint64(1000))
    else:
        ticks = layout.column(rows, f"{which}_ticks", np.uint32)
        return None if ticks is None else _by_uptime(layout, rows, headers, ticks, moved)
    return moment + headers.each(moved)


def _by_uptime(
    layout: Layout, rows: Rows, headers: SetHeaders, ticks: NDArray[np.uint32], moved: NDArray[np.int64]
) -> NDArray[np.int64]:
    if headers.has_uptime:
        ago = (headers.each(headers.uptime_ms) - ticks).view(np.int32)  # modulo 2^32, a little in the future is negative
        exported: NDArray[np.int64] = headers.each(headers.export_ms + moved)
        return exported - ago.astype(np.int64)
    stated = layout.column(rows, "init_ms")
    base = headers.each(headers.base_ms) if stated is None else _bounded(stated)
    moment: NDArray[np.int64] = np.where(base > 0, base + ticks, headers.each(headers.export_ms)) + headers.each(moved)
    return moment


def _bounded(number: Numbers) -> NDArray[np.int64]:
    return np.minimum(number, np.uint64(2**53)).astype(np.int64)
