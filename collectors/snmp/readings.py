"""From the request table to a cycle's readings: one pass over all answers, column by column.

Owns what an answer becomes in `READING`. A row whose octets did not come, or whose name was another's, gets the reason that
the collector gives for it, and no values.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bwmgr.measure.columns import READING, Present, Rows
from bwmgr.model.samples import GapReason
from collectors.snmp.matching import ALLOWED
from collectors.snmp.objects import OBJECTS, Column
from collectors.snmp.plan import UPTIME
from collectors.snmp.requests import RequestTable, State

_IDENTITIES = (Column.NAME, Column.ALIAS, Column.DESCR)


@dataclass
class Assembler:
    """Keeps, until the table changes, which of its variables belong to which column."""

    table: RequestTable
    _changed: int = -1
    _places: dict[int, NDArray[np.int64]] = field(default_factory=dict)

    def readings(self, reasons: NDArray[np.uint8], now_ms: int) -> Rows:
        """One row per interface. `reasons` is why a row has no octets, should it have none; `now_ms` dates such a row."""
        self._refresh()
        rows = np.zeros(len(reasons), READING)
        rows["reason"] = np.where(reasons == 0, GapReason.MISSING, reasons)
        rows["at_ms"] = now_ms
        rows["interface"] = np.arange(len(rows))
        complete = self._octets(rows)
        self._optional(rows)
        complete &= ~self._other_names(len(rows))
        rows[~complete] = _blank(rows[~complete])
        rows["reason"][complete] = GapReason.NONE
        return rows

    def uptimes(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(devices, sysUpTime in ticks) of all PDUs that were answered."""
        self._refresh()
        variables = self._answered(UPTIME)
        return self.table.slots["device"][self.table.variables["slot"][variables]], _numbers(self.table, variables)

    def _refresh(self) -> None:
        if self._changed == self.table.changed:
            return
        variables = self.table.variables[: self.table.variable_count]
        used = np.flatnonzero(variables["slot"] >= 0)
        # a slot's room may be longer than what it asks for now
        slots = variables["slot"][used]
        used = used[used < self.table.slots["first"][slots] + self.table.slots["count"][slots]]
        column = variables["column"][used]
        self._places = {int(number): used[column == number] for number in np.unique(column)}
        self._changed = self.table.changed

    def _answered(self, column: int) -> NDArray[np.int64]:
        """The column's variables that have a value of a type that fits."""
        places = self._places.get(column, _NONE)
        variables = self.table.variables
        done = self.table.slots["state"][variables["slot"][places]] == State.DONE
        answered: NDArray[np.int64] = places[done & ALLOWED[column, variables["tag"][places]]]
        return answered

    def _octets(self, rows: Rows) -> NDArray[np.bool_]:
        """Fill in octets, sysUpTime and times; which rows have both counters."""
        got = np.zeros(len(rows), np.int64)
        for column in (Column.IN_OCTETS, Column.OUT_OCTETS, Column.IN_OCTETS_32, Column.OUT_OCTETS_32):
            variables = self._answered(column)
            at = self.table.variables["row"][variables]
            rows[OBJECTS[column].field][at] = self.table.variables["number"][variables]
            rows["counter_bits"][at] = 64 if column in (Column.IN_OCTETS, Column.OUT_OCTETS) else 32
            got[at] += 1
            if column in _FIRST_OF_PAIR:
                slots = self.table.variables["slot"][variables]
                rows["at_ms"][at], rows["rtt_us"][at] = self.table.slots["at_ms"][slots], self.table.slots["rtt_us"][slots]
                uptime = self.table.slots["first"][slots]
                rows["sys_uptime_ticks"][at] = _numbers(self.table, uptime)
                got[at] -= 2 * ~ALLOWED[UPTIME, self.table.variables["tag"][uptime]]
        complete: NDArray[np.bool_] = got >= 2
        return complete

    def _optional(self, rows: Rows) -> None:
        """Fill in the other columns; a pair is present only if both of it came."""
        present: dict[Present, NDArray[np.int64]] = {}
        needed: dict[Present, int] = {}
        for number in self._places:
            found = OBJECTS.get(Column(number)) if number != UPTIME else None
            if found is None or found.field is None or not found.present:
                continue
            variables = self._answered(number)
            at = self.table.variables["row"][variables]
            rows[found.field][at] = self.table.variables["number"][variables]
            present.setdefault(found.present, np.zeros(len(rows), np.int64))[at] += 1
            needed[found.present] = 2 if found.present in _PAIRS else 1
        for bit, count in present.items():
            rows["present"] |= np.where(count >= needed[bit], np.uint16(bit), np.uint16(0))

    def _other_names(self, count: int) -> NDArray[np.bool_]:
        """Rows of which some answer came under another name."""
        other = np.zeros(count, np.bool_)
        for column in _IDENTITIES:
            places = self._places.get(column, _NONE)
            variables = self.table.variables
            done = self.table.slots["state"][variables["slot"][places]] == State.DONE
            wrong = places[done & (variables["number"][places] != 1)]
            other[variables["row"][wrong]] = True
        return other


def _numbers(table: RequestTable, variables: NDArray[np.int64]) -> NDArray[np.int64]:
    numbers: NDArray[np.int64] = table.variables["number"][variables].view(np.int64)
    return numbers


def _blank(rows: Rows) -> Rows:
    """The same rows without any values."""
    blank = np.zeros(len(rows), READING)
    for column in ("interface", "reason", "at_ms"):
        blank[column] = rows[column]
    return blank


_NONE = np.zeros(0, np.int64)
_FIRST_OF_PAIR = (Column.IN_OCTETS, Column.IN_OCTETS_32)
_PAIRS = (Present.DISCARDS, Present.ERRORS, Present.PACKETS, Present.PACKETS | Present.PACKETS_32)
