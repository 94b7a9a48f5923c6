"""The two lists of prefixes that an office keeps, as one: which networks are domestic, and which services lie where.

Owns how they come together: what is domestic inside a service's networks keeps the service's name, and a service inside a
domestic network is domestic. The files are read again when they change.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from bwmgr.errors import ConfigurationError, Mistake
from bwmgr.model.inventory import Network
from collectors.netflow.applications import Prefix, PrefixList, read_prefixes

_State = tuple[int, int, int]


@dataclass
class Lists:
    """`prefixes` and `systems` are what `attribution_of` takes; None: no such file."""

    domestic: Path | None = None
    services: Path | None = None
    prefixes: list[Prefix] = field(default_factory=list)
    systems: dict[int, str] = field(default_factory=dict)
    """Services by AS number."""
    _states: tuple[_State, _State] | None = None

    def refresh(self) -> bool:
        """Reads both files if either is another than at the last call; True where they were read.

        Raises: ConfigurationError with the mistakes of both; what was read before stays in force.
        """
        states = _state(self.domestic), _state(self.services)
        if states == self._states:
            return False
        self._states = states
        found = [PrefixList(), PrefixList()]
        mistakes: list[Mistake] = []
        for number, path in enumerate((self.domestic, self.services)):
            try:
                found[number] = PrefixList() if path is None else read_prefixes(path, domestic=number == 0)
            except ConfigurationError as error:
                mistakes += error.mistakes
        if mistakes:
            raise ConfigurationError(mistakes)
        self.prefixes = joined(*(one.prefixes for one in found))
        self.systems = found[0].systems | found[1].systems
        return True


def joined(domestic: Iterable[Prefix], services: Iterable[Prefix]) -> list[Prefix]:
    """Both lists as one in which each network says all that holds there: its own words, and what encloses it."""
    own: dict[Network, Prefix] = {}
    for prefix in (*domestic, *services):
        known = own.get(prefix.network)
        own[prefix.network] = prefix if known is None else Prefix(
            network=prefix.network, service=prefix.service or known.service, domestic=prefix.domestic or known.domestic
        )  # fmt: skip
    ordered = sorted(
        own.values(), key=lambda each: (each.network.version, int(each.network.network_address), each.network.prefixlen)
    )
    around: list[Prefix] = []
    found = []
    for prefix in ordered:
        while around and not _within(prefix.network, around[-1].network):
            around.pop()
        around.append(_inside(around[-1], prefix) if around else prefix)
        found.append(around[-1])
    return found


def _inside(outer: Prefix, prefix: Prefix) -> Prefix:
    return Prefix(network=prefix.network, service=prefix.service or outer.service, domestic=prefix.domestic or outer.domestic)


def _within(inner: Network, outer: Network) -> bool:
    return (
        inner.version == outer.version
        and outer.prefixlen <= inner.prefixlen
        and int(outer.network_address) <= int(inner.network_address) <= int(outer.broadcast_address)
    )


def _state(path: Path | None) -> _State:
    try:
        stat = path.stat() if path is not None else None
    except OSError:
        stat = None
    return (0, 0, 0) if stat is None else (stat.st_mtime_ns, stat.st_size, stat.st_ino)
