"""Whose flow it is: link and direction by its networks or by the exporter's interface; which application; domestic or
international.

Owns the tables for that, made once from the configuration, and works on whole columns. A flow may belong to two links, one's
upload being the other's download. What is not attributed is counted by the caller.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from collectors.netflow.columns import Column, Flows
from collectors.netflow.prefixes import NONE, PrefixTable

DOWN, UP = 0, 1
DOMESTIC, INTERNATIONAL = 0, 1
UNKNOWN_APPLICATION = 0
TCP, UDP = 6, 17
_PORT_PROTOCOLS = {TCP: 0, UDP: 1}
_INGRESS, _EGRESS = 0, 1

Numbers = NDArray[np.uint32]


@dataclass(frozen=True, kw_only=True)
class Sides:
    """Flows given to links, a row each: `row` is the flow's place (None: all flows, in order), `link` and `application` are
    numbers from 0, `direction` 0 is download, `host` the link's own address and `remote` the other's."""

    row: NDArray[np.int64] | None
    link: Numbers
    direction: Numbers
    application: Numbers
    traffic_class: Numbers
    host: Column
    remote: Column
    remote_as: Numbers | None
    """Number of the autonomous system at the other end, 0: not told; None: not told of any."""


@dataclass(kw_only=True)
class Attribution:
    """`prefixes`: networks of links and prefixes of remote services in one table; number n has the entries n of the columns
    below it.

    `link_of`: link number + 1, 0 for a remote prefix. `remote_application`, `remote_class`: what lies behind a remote prefix;
    entry 0 is for addresses under none. `ports`: application number by protocol (0 TCP, 1 UDP) and port, 0: none. `interfaces`:
    (exporter number, ifIndex) to (link number, faces the subscriber), for links without networks. `exported`: applicationId to
    application. `systems`: AS numbers in rising order, and the application of each.
    """

    prefixes: PrefixTable
    link_of: Numbers
    remote_application: Numbers
    remote_class: Numbers
    ports: NDArray[np.uint16]
    interfaces: Mapping[tuple[int, int], tuple[int, bool]] = field(default_factory=dict)
    exported: Mapping[int, int] = field(default_factory=dict)
    systems: tuple[Numbers, Numbers] = field(default_factory=lambda: system_table({}))

    def sides(self, flows: Flows) -> list[Sides]:
        """The downloads and uploads among some flows. Traffic within one link's own networks passes no uplink and is left out."""
        by_source = self.prefixes.of(flows.source, flows.family)
        by_inside = self.prefixes.of(flows.inside, flows.family)
        to_link, from_link = self.link_of[by_inside], self.link_of[by_source]
        if self.interfaces:
            to_link, from_link = self._by_interface(flows, to_link, from_link)
        down = to_link != NONE
        link = np.where(down, to_link, from_link)
        chosen = (link != NONE) & (to_link != from_link)
        sides = []
        if chosen.any():
            remote = np.where(down, by_source, by_inside)
            sides.append(self._side(flows, None if chosen.all() else np.flatnonzero(chosen), link, down, remote))
        both = chosen & down & (from_link != NONE)
        if both.any():  # between two links it never leaves the office's own network
            sides[0].traffic_class[both if sides[0].row is None else both[sides[0].row]] = DOMESTIC
            second = self._side(flows, np.flatnonzero(both), from_link, np.zeros_like(down), by_inside)
            second.traffic_class[:] = DOMESTIC
            sides.append(second)
        return sides

    def _side(
        self, flows: Flows, row: NDArray[np.int64] | None, link: Numbers, down: NDArray[np.bool_], remote: Numbers
    ) -> Sides:
        source, inside, destination = flows.source, flows.inside, flows.destination
        if row is not None:
            link, down, remote = link[row], down[row], remote[row]
            source, inside, destination = source[row], inside[row], destination[row]
        remote_as = _remote_as(flows, row, down)
        return Sides(
            row=row,
            link=link - np.uint32(1),
            direction=(~down).astype(np.uint32),
            application=self._applications(flows, row, remote, remote_as),
            traffic_class=self.remote_class[remote],
            host=np.where(down, inside, source),
            remote=np.where(down, source, destination),
            remote_as=remote_as,
        )

    def _applications(self, flows: Flows, row: NDArray[np.int64] | None, remote: Numbers, remote_as: Numbers | None) -> Numbers:
        """What the exporter says; else the service behind the remote prefix, or in the remote AS; else the lower port that has a
        name."""
        protocol, source, destination = flows.protocol, flows.source_port, flows.destination_port
        if row is not None:
            protocol, source, destination = protocol[row], source[row], destination[row]
        udp = protocol == UDP
        plane = udp.astype(np.int64) << 16
        ports = self.ports.reshape(-1)
        by_low = ports[plane | np.minimum(source, destination)]
        by_high = ports[plane | np.maximum(source, destination)]
        found: Numbers = np.where(by_low > 0, by_low, by_high).astype(np.uint32)
        found *= udp | (protocol == TCP)
        if remote_as is not None and len(self.systems[0]):
            by_system = self._in_systems(remote_as)
            found = np.where(by_system > 0, by_system, found)
        by_remote = self.remote_application[remote]
        found = np.where(by_remote > 0, by_remote, found)
        if self.exported and flows.application is not None:
            found = self._as_exported(flows.application if row is None else flows.application[row], found)
        return found

    def _in_systems(self, remote_as: Numbers) -> Numbers:
        numbers, applications = self.systems
        place = np.minimum(np.searchsorted(numbers, remote_as), len(numbers) - 1)
        return np.where(numbers[place] == remote_as, applications[place], np.uint32(0))

    def _as_exported(self, identity: NDArray[np.uint64], found: Numbers) -> Numbers:
        distinct, inverse = np.unique(identity, return_inverse=True)
        numbers = np.array([self.exported.get(int(each), UNKNOWN_APPLICATION) for each in distinct], np.uint32)[inverse]
        return np.where(numbers > 0, numbers, found)

    def _by_interface(self, flows: Flows, to_link: Numbers, from_link: Numbers) -> tuple[Numbers, Numbers]:
        """For flows that no network claims: what enters by a subscriber's port is his upload, what leaves by it his download."""
        open_ = np.flatnonzero((to_link == NONE) & (from_link == NONE))
        to_link, from_link = to_link.copy(), from_link.copy()
        for side, column in ((_INGRESS, flows.ingress), (_EGRESS, flows.egress)):
            keys = (flows.exporter[open_].astype(np.uint64) << np.uint64(32)) | column[open_]
            distinct, inverse = np.unique(keys, return_inverse=True)
            for position, key in enumerate(distinct.tolist()):
                found = self.interfaces.get((key >> 32, key & 0xFFFF_FFFF))
                if found is not None:
                    link, faces_subscriber = found
                    target = from_link if (side == _INGRESS) == faces_subscriber else to_link
                    target[open_[inverse == position]] = link + 1
        return to_link, from_link


def _remote_as(flows: Flows, row: NDArray[np.int64] | None, down: NDArray[np.bool_]) -> Numbers | None:
    if flows.source_as is None or flows.destination_as is None:
        return None
    source, destination = flows.source_as, flows.destination_as
    if row is not None:
        source, destination = source[row], destination[row]
    return np.where(down, source, destination)


def system_table(applications: Mapping[int, int]) -> tuple[Numbers, Numbers]:
    """AS numbers in rising order, and the application number of each."""
    numbers = sorted(applications)
    return np.array(numbers, np.uint32), np.array([applications[number] for number in numbers], np.uint32)


def port_table(names: Sequence[tuple[int, int, int]]) -> NDArray[np.uint16]:
    """Application numbers by (protocol, port), from (protocol number, port, application number); protocols other than TCP and UDP
    have no ports here."""
    table = np.zeros((2, 65536), np.uint16)
    for protocol, port, application in names:
        if protocol in _PORT_PROTOCOLS:
            table[_PORT_PROTOCOLS[protocol], port] = application
    return table
