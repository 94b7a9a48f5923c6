"""From the inventory and the lists of prefixes to the tables that say whose a flow is.

Owns the numbers of links and applications as the columns use them. Pure but for names of routers, which `resolve` looks up.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bwmgr.model.inventory import Faces, Inventory, Network
from collectors.netflow.applications import Names, PortName, Prefix, built_in_ports
from collectors.netflow.attribution import DOMESTIC, INTERNATIONAL, Attribution, port_table, system_table
from collectors.netflow.exporters import Exporters
from collectors.netflow.prefixes import PrefixTable

MOST_LINKS = 65_535
Resolve = Callable[[str], Sequence[str]]


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """`links[n]` is the id of link number n, `applications` knows names and numbers; `own_exporter[n]` is the number of the
    exporter that is the link's own router, -1 where there is none."""

    attribution: Attribution
    links: tuple[str, ...]
    applications: Names
    own_exporter: NDArray[np.int64]


def addresses_of(host: str) -> Sequence[str]:
    """The addresses of a router's name; none where it cannot be looked up now."""
    try:
        return sorted({str(found[4][0]) for found in socket.getaddrinfo(host, None)})
    except OSError:
        return []


def attribution_of(
    inventory: Inventory,
    exporters: Exporters,
    prefixes: Iterable[Prefix] = (),
    interface_indexes: Mapping[tuple[str, str], int] | None = None,
    *,
    ports: Iterable[PortName] | None = None,
    exported: Mapping[int, str] | None = None,
    systems: Mapping[int, str] | None = None,
    names: Names | None = None,
    resolve: Resolve = addresses_of,
) -> Assignment:
    """The tables for an inventory; routers get their numbers among `exporters`.

    `prefixes`: what lies behind remote networks (`applications.read_prefixes`). `interface_indexes`: ifIndex by (device id, name
    of the interface), for links without `networks`. `exported`: names that exporters gave to applicationIds. `systems`:
    services by AS number. `names`: applications that keep their numbers. Raises: ValueError for more than 65,535 links.
    """
    links = tuple(inventory.links)
    if len(links) > MOST_LINKS:
        raise ValueError(f"flows are counted for at most {MOST_LINKS} links; there are {len(links)}")
    names = Names() if names is None else names
    port_names = built_in_ports() if ports is None else tuple(ports)
    routers = _routers(inventory, exporters, resolve)
    table = _Table(names)
    for number, link in enumerate(inventory.links.values()):
        table.add_link(number, link.networks)
    for prefix in prefixes:
        table.add_remote(prefix)
    attribution = Attribution(
        prefixes=PrefixTable(table.pairs),
        link_of=np.array(table.link_of, np.uint32),
        remote_application=np.array(table.application, np.uint32),
        remote_class=np.array(table.traffic_class, np.uint32),
        ports=port_table([(each.protocol, each.port, names.number(each.name)) for each in port_names]),
        interfaces=_interfaces(inventory, routers, interface_indexes or {}),
        systems=system_table({number: names.number(name) for number, name in (systems or {}).items()}),
        exported={identity: names.number(name) for identity, name in (exported or {}).items()},
    )
    own = [_own_router(link.interface.device if link.interface else None, routers) for link in inventory.links.values()]
    return Assignment(attribution=attribution, links=links, applications=names, own_exporter=np.array(own, np.int64))


class _Table:
    """Rows of `Attribution`'s columns; row 0 is for addresses under no prefix."""

    def __init__(self, names: Names) -> None:
        self._own: list[tuple[Network, int]] = []
        self._remote: list[tuple[Network, int]] = []
        self.link_of, self.application, self.traffic_class = [0], [0], [INTERNATIONAL]
        self._names = names
        self._of_remote: dict[tuple[int, int], int] = {}

    def add_link(self, number: int, networks: Iterable[Network]) -> None:
        row = self._row(number + 1, 0, DOMESTIC)
        self._own += [(network, row) for network in networks]

    def add_remote(self, prefix: Prefix) -> None:
        kind = (
            0 if prefix.service is None else self._names.number(prefix.service),
            DOMESTIC if prefix.domestic else INTERNATIONAL,
        )
        if kind not in self._of_remote:
            self._of_remote[kind] = self._row(0, *kind)
        self._remote.append((prefix.network, self._of_remote[kind]))

    @property
    def pairs(self) -> list[tuple[Network, int]]:
        """Of several numbers of one prefix the last holds: a link's own network is never a remote one."""
        return self._remote + self._own

    def _row(self, link: int, application: int, traffic_class: int) -> int:
        self.link_of.append(link)
        self.application.append(application)
        self.traffic_class.append(traffic_class)
        return len(self.link_of) - 1


def _routers(inventory: Inventory, exporters: Exporters, resolve: Resolve) -> dict[str, tuple[int, ...]]:
    """The exporters' numbers of each device."""
    routers = {}
    for device in inventory.devices.values():
        numbers = [exporters.number(address.partition("%")[0]) for address in resolve(device.address)]
        routers[device.id] = tuple(number for number in numbers if number >= 0)
    return routers


def _own_router(device: str | None, routers: Mapping[str, tuple[int, ...]]) -> int:
    numbers = routers.get(device, ()) if device is not None else ()
    return numbers[0] if numbers else -1


def _interfaces(
    inventory: Inventory, routers: Mapping[str, tuple[int, ...]], indexes: Mapping[tuple[str, str], int]
) -> dict[tuple[int, int], tuple[int, bool]]:
    found = {}
    for number, link in enumerate(inventory.links.values()):
        if link.networks or link.interface is None:
            continue
        index = indexes.get((link.interface.device, link.interface.name))
        for exporter in routers.get(link.interface.device, ()):
            if index is not None:
                found[exporter, index] = (number, link.interface.faces is Faces.SUBSCRIBER)
    return found
