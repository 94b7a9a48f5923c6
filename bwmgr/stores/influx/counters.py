"""Raw counters of interfaces under their IF-MIB names: measurement `interface`, as Telegraf's SNMP input writes it.

Owns names and types of its fields: integers, each under the name of the object that was read, so that a 64-bit counter and a
32-bit one are never mixed. Nothing here is read back, and no rate is made of it: that is the poller's (`link_rate`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bwmgr.measure.columns import Present, Rows
from bwmgr.stores.influx.protocol import LARGEST, Pieces, field, prefix, seconds, text

MEASUREMENT = "interface"
_OCTETS = (("in_octets", "ifHCInOctets", "ifInOctets"), ("out_octets", "ifHCOutOctets", "ifOutOctets"))
_PACKETS = (("in_packets", "ifHCInUcastPkts", "ifInUcastPkts"), ("out_packets", "ifHCOutUcastPkts", "ifOutUcastPkts"))
_PLAIN = (
    ("in_discards", "ifInDiscards", Present.DISCARDS),
    ("out_discards", "ifOutDiscards", Present.DISCARDS),
    ("in_errors", "ifInErrors", Present.ERRORS),
    ("out_errors", "ifOutErrors", Present.ERRORS),
    ("oper_status", "ifOperStatus", Present.OPER_STATUS),
    ("admin_status", "ifAdminStatus", Present.ADMIN_STATUS),
    ("if_high_speed_mbps", "ifHighSpeed", Present.HIGH_SPEED),
    ("if_speed_bps", "ifSpeed", Present.SPEED),
    ("discontinuity_ticks", "ifCounterDiscontinuityTime", Present.DISCONTINUITY),
)


class CounterLines:
    """Line protocol of readings (layout READING). `tags`: of each interface, in the order of `readings["interface"]`.

    Raises: StoreRejected for a tag that cannot be sent.
    """

    def __init__(self, tags: Sequence[Mapping[str, str]]) -> None:
        self._prefixes = pa.array([prefix(MEASUREMENT, each) for each in tags], pa.string())

    def body(self, readings: Rows) -> bytes:
        """A line for each reading that has octets, at the time it was asked for. Octets beyond 2^63-1 cannot be said: no line."""
        rows = readings[(readings["reason"] == 0) & (readings["in_octets"] <= LARGEST) & (readings["out_octets"] <= LARGEST)]
        return bytes(
            text(
                self._prefixes.take(pa.array(rows["interface"])),
                *_octets(rows),
                *_packets(rows),
                *(field(f",{name}=", rows[column], absent=~_has(rows, bit)) for column, name, bit in _PLAIN),
                seconds(rows["at_ms"]),
            )
        )


def _octets(rows: Rows) -> list[Pieces]:
    """The first field of a line is one of two: each row has counters of one width."""
    wide = rows["counter_bits"] == 64
    pieces: list[Pieces] = []
    for (column, high, low), mark in zip(_OCTETS, " ,", strict=True):
        pieces += [field(f"{mark}{high}=", rows[column], absent=~wide), field(f"{mark}{low}=", rows[column], absent=wide)]
    return pieces


def _packets(rows: Rows) -> list[Pieces]:
    narrow, there = _has(rows, Present.PACKETS_32), _has(rows, Present.PACKETS)
    pieces: list[Pieces] = []
    for column, high, low in _PACKETS:
        sayable = there & (rows[column] <= LARGEST)
        pieces += [field(f",{high}=", rows[column], absent=~sayable | narrow)]
        pieces += [field(f",{low}=", rows[column], absent=~sayable | ~narrow)]
    return pieces


def _has(rows: Rows, bit: Present) -> NDArray[np.bool_]:
    there: NDArray[np.bool_] = (rows["present"] & bit) != 0
    return there
