"""Usage by link, direction, application and class: sums over flows, minute by minute.

Owns which flows count (once each, however many routers or interfaces saw them), the scaling by sampling, and how long a minute
stays open for flows that are reported late. Memory is bounded: what finds no room of its own is added up as the application
`other`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collectors.netflow.attribution import Attribution, Sides
from collectors.netflow.columns import UNKNOWN_DIRECTION, Flows
from collectors.netflow.minutes import MINUTE_MS, spread
from collectors.netflow.sums import Keys, Sums

Integers = NDArray[np.int64]

OTHER_APPLICATION = 4095
_EGRESS_OBSERVED = 1  # flowDirection (IE 61)

# A key, from the top: minute since the origin 20, link 16, direction 1, class 1, application 12, exporter 14 bits
_MINUTE, _LINK, _DIRECTION, _CLASS, _APPLICATION = 44, 28, 27, 26, 14
_EXPORTER_MASK = (1 << 14) - 1


@dataclass(frozen=True, kw_only=True)
class UsageRows:
    """Sums, a row each: minute since 1970 UTC, link and application numbers, direction (0 down), class (0 domestic), and
    amounts scaled by sampling."""

    minute: Integers
    link: Integers
    direction: Integers
    traffic_class: Integers
    application: Integers
    octets: Integers
    packets: Integers
    flows: Integers
    sampled: NDArray[np.bool_]
    """An exporter that samples told it: an estimate."""
    own: NDArray[np.bool_]
    """The link's own router told it."""

    def __len__(self) -> int:
        return len(self.minute)


class UsageTable:
    """Adds flows up. `keep_minutes` is how long a minute stays open: longer than the routers' active timeout.

    `own_exporter[link]` is the number of the exporter that is the link's own router, -1 where there is none: where several saw
    the same traffic, its word counts, else that of the one that saw most. `disjoint`: no two exporters see the same traffic, so
    all of them count; it takes fewer keys where many exporters see every link.
    """

    def __init__(
        self,
        attribution: Attribution,
        own_exporter: Integers,
        *,
        keep_minutes: int = 40,
        most: int = 1 << 20,
        disjoint: bool = False,
    ) -> None:
        self.attribution = attribution
        self.unattributed: Counter[str] = Counter()
        """Flows and octets that belong to no link, and flows observed twice, by what."""
        self._own = own_exporter
        self._keep = keep_minutes
        self._disjoint = disjoint
        self._sums = Sums(3, most=most)
        self._sampling = np.zeros(_EXPORTER_MASK + 1, np.bool_)
        self._origin: int | None = None
        self._watched: set[int] = set()
        self._changed: set[int] = set()

    def add(self, flows: Flows, now_ms: int) -> list[tuple[Flows, Sides]]:
        """Takes flows in; gives back what belonged to which link, for `top`."""
        flows = self._observed_once(flows)
        if not len(flows):
            return []
        self._set_origin(now_ms)
        sides = self.attribution.sides(flows)
        for side in sides:
            self._add_side(flows, side, now_ms)
        self._count_rest(flows, sides)
        return [(flows, side) for side in sides]

    def assign(self, attribution: Attribution, own_exporter: Integers) -> None:
        """Other tables from now on."""
        self.attribution, self._own = attribution, own_exporter

    def close(self, now_ms: int) -> UsageRows:
        """The sums of every minute that changed since the last call and has ended; minutes no longer open are forgotten
        afterwards.

        A minute may come again with larger sums, when flows that lasted through it are reported later.
        """
        if self._origin is None:
            return self._rows_of(np.empty(0, np.uint64), (np.empty(0, np.int64),) * 3, 0)
        keys, sums = self._sums.rows()
        minute = (keys >> np.uint64(_MINUTE)).astype(np.int64) + self._origin
        current = now_ms // MINUTE_MS
        due = np.isin(minute, [each for each in self._changed if each < current])
        self._changed = {each for each in self._changed if each >= current}
        chosen = self._authoritative(keys[due], tuple(column[due] for column in sums))
        open_ = minute >= current - self._keep
        if not open_.all():
            self._sums.keep(open_)
        return self._rows_of(*chosen, self._origin)

    def _set_origin(self, now_ms: int) -> None:
        """Minutes are counted from a week before the first flow: 2^20 of them are two years."""
        if self._origin is None:
            self._origin = now_ms // MINUTE_MS - 7 * 1440

    def _observed_once(self, flows: Flows) -> Flows:
        """Without flows seen leaving one interface that were seen entering another of the same exporter."""
        direction = flows.direction
        if direction[0] == UNKNOWN_DIRECTION or not len(flows):
            return flows
        interfaces = (flows.exporter.astype(np.uint64) << np.uint64(32)) | flows.ingress
        entering = direction == 0
        if entering.any() and len(self._watched) < 1 << 16:
            self._watched.update(np.unique(interfaces[entering]).tolist())
        # softflowd sees one interface, and names it (or none) as both ends of every flow
        leaving = (direction == _EGRESS_OBSERVED) & (flows.ingress != 0) & (flows.ingress != flows.egress)
        if not leaving.any():
            return flows
        twice = leaving & np.isin(interfaces, np.fromiter(self._watched, np.uint64, len(self._watched)))
        if not twice.any():
            return flows
        self.unattributed["observed_twice_flows"] += int(twice.sum())
        return flows.where(~twice)

    def _add_side(self, flows: Flows, side: Sides, now_ms: int) -> None:
        rate, octets, packets, start, end = flows.rate, flows.octets, flows.packets, flows.start_ms, flows.end_ms
        exporter = flows.exporter
        if side.row is not None:
            rate, octets, packets, start, end = (column[side.row] for column in (rate, octets, packets, start, end))
            exporter = exporter[side.row]
        if rate.any():
            self._sampling[0 if self._disjoint else np.unique(exporter[rate > 1])] = True
            rate = np.maximum(rate, 1)
            octets, packets = _scaled(octets, rate), _scaled(packets, rate)
        oldest = (now_ms // MINUTE_MS - self._keep) * MINUTE_MS
        parts = spread(np.maximum(start, oldest), np.maximum(end, oldest), octets, packets)
        assert self._origin is not None
        fixed = _fixed_keys(side, None if self._disjoint else exporter)
        fixed = fixed if parts.row is None else fixed[parts.row]
        keys = ((parts.minute - self._origin).astype(np.uint64) << np.uint64(_MINUTE)) | fixed
        self._changed.update(range(int(parts.minute.min()), int(parts.minute.max()) + 1))
        amounts = (parts.octets, parts.packets, parts.last)
        refused = self._sums.add(keys, *amounts)
        if refused is not None:
            self._add_as_other(keys[refused], *(amount[refused] for amount in amounts))

    def _add_as_other(self, keys: Keys, octets: Integers, packets: Integers, flows: Integers) -> None:
        """The table is full: these lose their application, which makes few keys of many."""
        others = keys | np.uint64(OTHER_APPLICATION << _APPLICATION)
        room, self._sums.most = self._sums.most, self._sums.most + (1 << 17)
        refused = self._sums.add(others, octets, packets, flows)
        self._sums.most = room
        self.unattributed["folded_flows"] += int(flows.sum())
        if refused is not None:
            self.unattributed["no_room_octets"] += int(octets[refused].sum())

    def _count_rest(self, flows: Flows, sides: list[Sides]) -> None:
        if any(side.row is None for side in sides):
            return
        claimed = np.zeros(len(flows), np.bool_)
        for side in sides:
            claimed[side.row] = True
        rest = ~claimed
        if rest.any():
            self.unattributed["no_link_flows"] += int(rest.sum())
            self.unattributed["no_link_octets"] += int(_scaled(flows.octets[rest], np.maximum(flows.rate[rest], 1)).sum())

    def _authoritative(self, keys: Keys, sums: tuple[Integers, ...]) -> tuple[Keys, tuple[Integers, ...]]:
        """One exporter's word for each (minute, link, direction): the link's own router, else the one that saw most octets."""
        exporter = (keys & np.uint64(_EXPORTER_MASK)).astype(np.int64)
        if not len(keys) or (exporter == exporter[0]).all():
            return keys, sums
        place = keys >> np.uint64(_DIRECTION)
        pair = (place << np.uint64(14)) | exporter.astype(np.uint64)
        pairs, of_pair = np.unique(pair, return_inverse=True)
        total = np.bincount(of_pair, sums[0], len(pairs))
        link = ((pairs >> np.uint64(15)) & np.uint64(0xFFFF)).astype(np.int64)
        own = self._own[link] == (pairs & np.uint64(_EXPORTER_MASK)).astype(np.int64)
        order = np.lexsort((total, own, pairs >> np.uint64(14)))
        places = (pairs >> np.uint64(14))[order]
        best = order[np.append(places[1:] != places[:-1], True)]
        chosen = np.zeros(len(pairs), np.bool_)
        chosen[best] = True
        kept = chosen[of_pair]
        return keys[kept], tuple(column[kept] for column in sums)

    def _rows_of(self, keys: Keys, sums: tuple[Integers, ...], origin: int) -> UsageRows:
        """Keys taken apart; rows of one key but for the exporter are one row already."""
        number = keys.astype(np.int64)
        link = (number >> _LINK) & 0xFFFF
        return UsageRows(
            minute=(keys >> np.uint64(_MINUTE)).astype(np.int64) + origin,
            link=link,
            direction=(number >> _DIRECTION) & 1,
            traffic_class=(number >> _CLASS) & 1,
            application=(number >> _APPLICATION) & 0xFFF,
            octets=sums[0],
            packets=sums[1],
            flows=sums[2],
            sampled=self._sampling[number & _EXPORTER_MASK],
            own=self._own[link] == number & _EXPORTER_MASK,
        )


def _fixed_keys(side: Sides, exporter: NDArray[np.uint32] | None) -> Keys:
    """All of the key but the minute; `exporter` None: 0."""
    low = side.traffic_class << np.uint32(_CLASS)
    low |= side.direction << np.uint32(_DIRECTION)
    low |= side.application << np.uint32(_APPLICATION)
    if exporter is not None:
        low |= exporter
    keys: Keys = side.link.astype(np.uint64)
    keys <<= np.uint64(_LINK)
    keys |= low
    return keys


def _scaled(amount: Integers, rate: Integers) -> Integers:
    """Amounts times their rates; what no link carries in a week is bounded, so that sums do not overflow."""
    if int(amount.max()) < 1 << 38:  # times the largest rate it fits
        return amount * rate
    return np.minimum(amount.astype(np.float64) * rate, 2.0**52).astype(np.int64)
