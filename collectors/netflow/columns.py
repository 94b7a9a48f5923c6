"""Records of one layout as columns: where each field of interest lies in a record, and how its octets become an array.

Owns which Information Elements mean what to bwmgr (`_ROLES`, first present wins) and the arithmetic on whole columns. An
exporter's template is compiled once; identical templates of many exporters share one `Layout`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from collectors.netflow.elements import REVERSE_PEN
from collectors.netflow.templates import Template

Rows = NDArray[np.uint8]
"""Shape (records, octets of one record)."""
Column = NDArray[Any]

UNKNOWN_DIRECTION = 255

_ROLES: Mapping[str, tuple[int, ...]] = {
    "octets": (1, 23, 85),  # delta, post-delta, total: never added to each other
    "packets": (2, 24, 86),
    "initiator_octets": (231,),
    "responder_octets": (232,),
    "initiator_packets": (298,),
    "responder_packets": (299,),
    "protocol": (4,),
    "source_port": (7,),
    "destination_port": (11,),
    "ingress": (10,),
    "egress": (14,),
    "direction": (61,),
    "version": (60,),
    "source_as": (16,),
    "destination_as": (17,),
    "application": (95,),
    "sampler": (48, 302),
    "interval": (34, 50),
    "sampled": (305,),
    "space": (306,),
    "size": (309,),
    "population": (310,),
    "start_ticks": (22,),
    "end_ticks": (21,),
    "start_seconds": (150,),
    "end_seconds": (151,),
    "start_ms": (152,),
    "end_ms": (153,),
    "start_ntp": (154, 156),
    "end_ntp": (155, 157),
    "start_ago_us": (158,),
    "end_ago_us": (159,),
    "init_ms": (160,),
}
_ADDRESSES: Mapping[str, tuple[int, ...]] = {
    "source4": (8,),
    "destination4": (12,),
    "inside4": (226, 40002),  # where the translated download really goes; 40002 is an older ASA's
    "source6": (27,),
    "destination6": (28,),
    "inside6": (282,),
}
_REVERSE = {"octets": 1, "packets": 2}
_TOTALS = (85, 86)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a field lies in a record."""

    offset: int
    octets: int


@dataclass(frozen=True)
class Layout:
    """A template as the columnar path sees it. `places` has the roles that are there, `families` the address families."""

    octets: int
    places: Mapping[str, Place]
    families: tuple[int, ...]
    options: bool
    counts: bool
    """Has octets, and addresses or interfaces to give them to: worth being turned into columns."""

    def column(self, rows: Rows, role: str, dtype: type[np.integer[Any]] = np.uint64) -> Column | None:
        """A role's values as numbers of `dtype` (larger ones modulo its size), None where the layout lacks it. A field longer
        than eight octets gives its last eight."""
        place = self.places.get(role)
        return None if place is None or not place.octets else unsigned(rows, place, dtype)

    def addresses(self, rows: Rows, role: str) -> Column | None:
        """IPv4 as native u4, IPv6 as 16 octets (dtype S16: compares like memcmp); None where the layout lacks it."""
        place = self.places.get(role)
        if place is None or place.octets != (4 if role.endswith("4") else 16):
            return None
        if place.octets == 4:
            return _strided(rows, place.offset, ">u4").astype(np.uint32)
        return np.ascontiguousarray(rows[:, place.offset : place.offset + 16]).view("S16")[:, 0]


@lru_cache(maxsize=1024)
def layout_of(template: Template) -> Layout | None:
    """The layout of a template with records of one length; None for one with fields of variable length."""
    if not template.fixed:
        return None
    places = _places(template)
    families = tuple(family for family in (4, 6) if f"source{family}" in places and f"destination{family}" in places)
    octets = "octets" in places or "initiator_octets" in places
    return Layout(
        octets=template.octets,
        places=places,
        families=families,
        options=template.options,
        counts=octets and not template.options and bool(families or "ingress" in places or "egress" in places),
    )


def _places(template: Template) -> dict[str, Place]:
    first: dict[tuple[int, int], Place] = {}
    offset = 0
    for each in template.fields:
        first.setdefault((each.pen, each.id), Place(offset, each.octets))
        offset += each.octets
    places: dict[str, Place] = {}
    for role, elements in (*_ROLES.items(), *_ADDRESSES.items()):
        for number in elements:
            if (place := first.get((0, number))) is not None and place.octets:
                places[role] = place
                break
    for role, number in _REVERSE.items():
        if (place := first.get((REVERSE_PEN, number))) is not None:
            places[f"reverse_{role}"] = place
    return places


def unsigned(rows: Rows, place: Place, dtype: type[np.integer[Any]] = np.uint64) -> Column:
    """Big-endian unsigned numbers of one to eight octets (RFC 7011 section 6.2: any reduced size)."""
    octets = min(place.octets, 8)
    offset = place.offset + place.octets - octets
    if octets in (1, 2, 4, 8):
        return _strided(rows, offset, f">u{octets}").astype(dtype)
    number = np.zeros(len(rows), np.uint64)
    for position in range(offset, offset + octets):
        number = (number << np.uint64(8)) | rows[:, position]
    return number.astype(dtype)


def _strided(rows: Rows, offset: int, dtype: str) -> Column:
    """A view of one field of all records, without a copy."""
    count, width = rows.shape
    return np.ndarray((count,), dtype, rows.data, offset, (width,)) if count else np.empty(0, dtype)


@dataclass(kw_only=True)
class Flows:
    """Flows of one address family (4 or 6), a row each; columns are aligned.

    Octets and packets are as exported; `rate` is 1:N sampling, 0: unknown. Instants are ms since 1970 UTC, by our clock.
    Addresses are u4 or S16. `inside` is where a download goes behind NAT: `destination` where there is none.
    """

    family: int
    exporter: NDArray[np.uint32]
    source: Column
    destination: Column
    inside: Column
    protocol: NDArray[np.uint8]
    source_port: NDArray[np.uint16]
    destination_port: NDArray[np.uint16]
    ingress: NDArray[np.uint32]
    egress: NDArray[np.uint32]
    direction: NDArray[np.uint8]
    octets: NDArray[np.int64]
    packets: NDArray[np.int64]
    rate: NDArray[np.int64]
    start_ms: NDArray[np.int64]
    end_ms: NDArray[np.int64]
    application: NDArray[np.uint64] | None = None
    """applicationId as the exporter sends it (RFC 6759), 0: none."""
    source_as: NDArray[np.uint32] | None = None
    destination_as: NDArray[np.uint32] | None = None

    def __len__(self) -> int:
        return len(self.octets)

    def where(self, chosen: NDArray[np.bool_]) -> Flows:
        """The chosen rows."""
        columns: dict[str, Any] = {each.name: getattr(self, each.name) for each in fields(self)}
        for name, column in columns.items():
            columns[name] = column[chosen] if isinstance(column, np.ndarray) else column
        return Flows(**columns)


@dataclass(frozen=True, kw_only=True)
class SetHeaders:
    """What the headers say, an entry for each data set; set i has `counts[i]` records. `uptime_ms` only where `has_uptime`."""

    counts: NDArray[np.int64]
    exporter: NDArray[np.uint32]
    export_ms: NDArray[np.int64]
    uptime_ms: NDArray[np.uint32]
    has_uptime: bool
    base_ms: NDArray[np.int64]
    """Start of the exporter's clock for records with sysUpTimes but no header uptime (IPFIX); 0: unknown."""
    received_ms: NDArray[np.int64]
    rate: NDArray[np.int64]
    """Sampling rate by header, options or configuration; a record's own beats it where `override` is not set."""
    override: NDArray[np.bool_]
    scope: NDArray[np.int64] | None = None
    """The number of each set's scope where its exporter has several samplers, whose rates `sampler_rates` tells."""
    sampler_rates: Callable[[NDArray[np.int64], NDArray[np.uint64]], NDArray[np.int64]] | None = None

    def each(self, column: Column) -> Column:
        """A column of sets as one of records."""
        return np.repeat(column, self.counts)
