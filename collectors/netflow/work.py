"""One batch on its way through the columnar decoder: what came, how far it is understood, and what it has given so far.

Owns nothing that outlasts the batch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from collectors.netflow.batch import Datagrams, Headers, Integers, Sets
from collectors.netflow.columns import Flows
from collectors.netflow.records import IPFIX, Context, Record
from collectors.netflow.templates import Template


@dataclass(kw_only=True)
class Batch:
    """What some datagrams gave. `options` are records that say something of the exporter, not of traffic."""

    flows: list[Flows] = field(default_factory=list)
    options: list[Record] = field(default_factory=list)
    counters: list[Record] = field(default_factory=list)
    problems: Counter[str] = field(default_factory=Counter)
    of_exporter: dict[int, Counter[str]] = field(default_factory=dict)
    """Problems whose datagram is known, by exporter number; those of the header alone are in `problems` only."""
    lost: Counter[int] = field(default_factory=Counter)
    """Newly lost units of each exporter, by its number; what came late after all is negative."""
    early: Counter[int] = field(default_factory=Counter)
    """Data sets that wait for their template, by exporter number."""
    templates: Counter[int] = field(default_factory=Counter)
    restarts: Counter[int] = field(default_factory=Counter)
    clocks: list[tuple[Integers, Integers]] = field(default_factory=list)
    """(exporter numbers, their clocks less ours in ms), an entry for each message of NetFlow or IPFIX."""

    def problem(self, reason: str, exporter: int, times: int = 1) -> None:
        """Counts what could not be decoded."""
        self.problems[reason] += times
        self.of_exporter.setdefault(exporter, Counter())[reason] += times

    def join(self, other: Batch) -> None:
        """Takes in what another batch gave."""
        for name in ("flows", "options", "counters", "clocks"):
            getattr(self, name).extend(getattr(other, name))
        for name in ("problems", "lost", "early", "templates", "restarts"):
            getattr(self, name).update(getattr(other, name))
        for exporter, reasons in other.of_exporter.items():
            self.of_exporter.setdefault(exporter, Counter()).update(reasons)


@dataclass(kw_only=True)
class Work:
    """Datagrams, their headers, their sets; `scope[i]` is the number of header i's scope, -1 where it has none."""

    datagrams: Datagrams
    exporters: Sequence[str]
    headers: Headers
    scope: Integers
    sets: Sets
    received_ms: int
    batch: Batch
    records: Integers
    """How far each header moves its scope's sequence number on: records of v5 and IPFIX, 1 for v9."""
    changes: dict[int, list[tuple[int, Template | None]]] = field(default_factory=dict)
    """By (scope << 16 | template id): at which set the template changed, and what it was before."""

    def body(self, position: int) -> bytes:
        """The octets of one set behind its header."""
        return self.datagrams.buffer[self.sets.start[position] : self.sets.end[position]].tobytes()

    def exporter(self, position: int) -> int:
        """The exporter of one set."""
        return int(self.headers.exporter[self.sets.header[position]])

    def context(self, position: int) -> Context:
        """What the header of one set says."""
        header = int(self.sets.header[position])
        version = int(self.headers.version[header])
        return Context(
            version=version,
            exporter=self.exporters[int(self.headers.exporter[header])],
            domain=int(self.headers.domain[header]),
            sequence=int(self.headers.sequence[header]),
            export_ms=int(self.headers.export_ms[header]),
            uptime_ms=None if version == IPFIX else int(self.headers.uptime_ms[header]),
            received_ms=self.received_ms,
            sampling=int(self.headers.sampling[header]),
        )

    def keys(self, positions: Integers) -> NDArray[np.int64]:
        """(scope << 16 | set id) of some sets."""
        keys: NDArray[np.int64] = (self.scope[self.sets.header[positions]] << 16) | self.sets.id[positions]
        return keys
