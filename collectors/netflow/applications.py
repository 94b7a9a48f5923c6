"""Names of applications, and the lists of prefixes behind which services and domestic networks lie.

Owns the built-in table of ports (`services.csv`: our own choice of readable names), the format of prefix lists, and the
numbers by which columns speak of applications. Which prefixes those are is the operator's knowledge: they change, and the
lists are read again when a file does.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from ipaddress import ip_network
from pathlib import Path

from bwmgr.errors import ConfigurationError, Mistake
from bwmgr.model.inventory import Network
from bwmgr.model.said import Said

UNKNOWN = "unknown"
OTHER = "other"
MOST_APPLICATIONS = 4094
"""Numbers 1 to 4094: 0 is `unknown`, 4095 `other` (what found no room of its own)."""
_AS_NUMBER = re.compile(r"[Aa][Ss](\d+)")
_PROTOCOLS = {"tcp": (6,), "udp": (17,), "both": (6, 17)}


@dataclass(frozen=True, kw_only=True)
class Prefix:
    """One line of a list: what lies behind a network. `service` None: nothing more than that it is domestic."""

    network: Network
    service: str | None
    domestic: bool


@dataclass(kw_only=True)
class PrefixList:
    """A file's lines: networks, and services by the number of the autonomous system that they are in."""

    prefixes: list[Prefix] = field(default_factory=list)
    systems: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class PortName:
    protocol: int
    port: int
    name: str


@cache
def built_in_ports() -> tuple[PortName, ...]:
    """The table of `services.csv`; where two services share a port, the first has it."""
    text = (files("collectors.netflow") / "services.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
    found: dict[tuple[int, int], PortName] = {}
    for row in rows:
        for protocol in _PROTOCOLS[row["protocol"]]:
            for port in _ports(row["ports"]):
                found.setdefault((protocol, port), PortName(protocol=protocol, port=port, name=row["name"]))
    return tuple(found.values())


def _ports(text: str) -> Iterator[int]:
    for part in text.split():
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)


def read_prefixes(path: Path, *, domestic: bool = False) -> PrefixList:
    """A list of prefixes, a line each: `NETWORK [domestic|international] [SERVICE]`, or `AS15169 SERVICE` for routers that tell
    AS numbers; `#` begins a comment.

    The class is `international` where it is left out, so a list of national routes says `domestic` on each line, or once for all
    in a line `default domestic`, or the caller does for it. Raises: ConfigurationError with every wrong line, or that the file
    cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            [Mistake(file=str(path), line=0, key="", problem=Said("cannot be read: {why}", why=str(error)))]
        ) from error
    reader = _Reader(str(path), domestic=domestic)
    for number, line in enumerate(lines, 1):
        reader.take(number, line.partition("#")[0].split())
    if reader.mistakes:
        raise ConfigurationError(reader.mistakes)
    return reader.found


@dataclass
class _Reader:
    file: str
    found: PrefixList = field(default_factory=PrefixList)
    mistakes: list[Mistake] = field(default_factory=list)
    domestic: bool = False

    def take(self, line: int, words: list[str]) -> None:
        if not words:
            return
        first, *rest = words
        if first == "default":
            self._default(line, rest)
            return
        if (system := _AS_NUMBER.fullmatch(first)) is not None:
            self._system(line, int(system[1]), rest)
            return
        try:
            network = ip_network(first)
        except ValueError as error:
            self._wrong(
                line, Said("{why}; a line is NETWORK [domestic|international] [SERVICE], or ASnumber SERVICE", why=str(error))
            )
            return
        domestic = self.domestic
        if rest and rest[0] in ("domestic", "international"):
            domestic = rest.pop(0) == "domestic"
        if len(rest) > 1:
            self._wrong(line, Said("{words} is too much: a service's name is one word", words=" ".join(rest[1:])))
            return
        self.found.prefixes.append(Prefix(network=network, service=rest[0] if rest else None, domestic=domestic))

    def _system(self, line: int, number: int, rest: list[str]) -> None:
        """The class is not theirs to say: one AS has servers inside the country and outside."""
        if len(rest) != 1 or not 0 < number < 1 << 32:
            self._wrong(line, Said("a line of an autonomous system is ASnumber SERVICE"))
        else:
            self.found.systems[number] = rest[0]

    def _default(self, line: int, rest: list[str]) -> None:
        if rest not in (["domestic"], ["international"]):
            self._wrong(line, Said("say default domestic, or default international"))
        else:
            self.domestic = rest == ["domestic"]

    def _wrong(self, line: int, problem: str) -> None:
        self.mistakes.append(Mistake(file=self.file, line=line, key="", problem=problem))


class Names:
    """Numbers of names from 1 on; 0 is `unknown`, and what exceeds `MOST_APPLICATIONS` is `other`."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._numbers: dict[str, int] = {UNKNOWN: 0}
        for name in names:
            self.number(name)

    def number(self, name: str) -> int:
        """The number of a name, made if it is new."""
        if name not in self._numbers and len(self._numbers) > MOST_APPLICATIONS:
            return MOST_APPLICATIONS + 1
        return self._numbers.setdefault(name, len(self._numbers))

    def name(self, number: int) -> str:
        """The name of a number."""
        return self.all[number] if number < len(self.all) else OTHER

    @property
    def all(self) -> tuple[str, ...]:
        """Names by number."""
        return tuple(self._numbers)
