"""What stays between cycles: each interface's last good reading, the end of its last row, how long it has stood still.

Pure: a cycle of readings goes in, rows come out, the state goes to and from bytes; who stores them is not known here.
Owns what only a sequence shows: counters that are stuck or move by jumps, and which devices restarted.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bwmgr.errors import DecodeError
from bwmgr.measure.columns import READING, Rows
from bwmgr.measure.counters import TICKS_PER_SECOND, longest_interval_seconds
from bwmgr.measure.rates import no_baseline, oper_up, rates
from bwmgr.model.inventory import Faces, Interface
from bwmgr.model.samples import GapReason, Quality

STUCK_POLLS = 5
STUCK_SECONDS = 300.0
"""An interface counts as stuck after this many polls without an octet, and this long: some agents count a minute late."""
COARSE_JUMPS = 4
COARSE_SECONDS = 60.0
"""Counters that jump this often in a row, after standing still for at most this long each time, are polled too often."""

_KEPT = np.dtype(
    [
        ("baseline", READING),
        ("last_end_ms", "i8"),  # of the last row; _NEVER: none yet
        ("still_polls", "u4"),  # rates of zero in a row while up
        ("still_ticks", "u8"),
        ("moved", "?"),  # has it ever counted anything
        ("pause_ticks", "u8"),  # time without an octet while up, since it last moved
        ("jumps", "u4"),  # how often in a row it moved after a pause
    ]
)
_NEVER = -(2**62)
_MAGIC = b"bwmgr rate state 1\n"


class RateEventKind(StrEnum):
    REBOOT = "reboot"
    DISCONTINUITY = "discontinuity"
    RESET = "reset"
    AMBIGUOUS_WRAP = "ambiguous_wrap"
    IMPLAUSIBLE = "implausible"
    STALE = "stale"
    STUCK = "stuck"
    MOVING = "moving"
    """An interface that was stuck counts again."""
    COARSE = "coarse"
    """The agent refreshes its counters less often than they are polled: 0, twice the rate, 0, twice the rate."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RateEvent:
    """Something that an operator may want to know of a cycle; `interface` is empty where it is the whole device's."""

    kind: RateEventKind
    device: str
    interface: str = ""


_KIND_OF_REASON = {
    GapReason.DISCONTINUITY: RateEventKind.DISCONTINUITY,
    GapReason.RESET: RateEventKind.RESET,
    GapReason.AMBIGUOUS_WRAP: RateEventKind.AMBIGUOUS_WRAP,
    GapReason.IMPLAUSIBLE: RateEventKind.IMPLAUSIBLE,
    GapReason.STALE: RateEventKind.STALE,
}


class RateKeeper:
    """Turns cycles of readings into cycles of rates.

    `interfaces` are in the collector's order: a reading's and a row's position. `capacity_bps` is the configured line rate by
    interface, used where a device tells none (0: unknown; None: all unknown). `interval_seconds` is the polling interval, from
    which follows the longest time that one rate may cover.
    """

    def __init__(
        self, interfaces: Sequence[Interface], *, interval_seconds: float, capacity_bps: NDArray[np.float64] | None = None
    ) -> None:
        self.interfaces = tuple(interfaces)
        self.events: tuple[RateEvent, ...] = ()
        """What the last `step` saw: one REBOOT a device, the others by interface, in the interfaces' order."""
        self._faces_provider = np.array([each.faces is Faces.PROVIDER for each in interfaces], np.bool_)
        self._capacity_bps = capacity_bps
        self._max_interval_seconds = longest_interval_seconds(interval_seconds)
        self._kept = np.zeros(len(self.interfaces), _KEPT)
        self._kept["baseline"] = no_baseline(len(self.interfaces))
        self._kept["last_end_ms"] = _NEVER

    def step(self, current: Rows, *, limits: NDArray[np.float64] | None = None) -> Rows:
        """One row of layout RATE per interface, in order; `series` is the interface's position.

        `current` has layout READING, one row per interface in order. `limits`, shape (n, 2), holds the limits in force, down
        and up in bit/s, infinity for unlimited; None: all unlimited.
        """
        cycle = rates(
            self._kept["baseline"],
            current,
            faces_provider=self._faces_provider,
            limits=np.full((len(current), 2), np.inf) if limits is None else limits,
            capacity_bps=self._capacity_bps,
            last_end_ms=self._kept["last_end_ms"],
            max_interval_seconds=self._max_interval_seconds,
        )
        self._kept["baseline"] = cycle.baseline
        self._kept["last_end_ms"] = cycle.rows["end_ms"]
        stuck = self._mark_stuck(cycle.rows, current)
        self.events = (*self._reason_events(cycle.rows), *stuck, *self._coarse(cycle.rows, current))
        return cycle.rows

    def _mark_stuck(self, rows: Rows, current: Rows) -> list[RateEvent]:
        """Adds STUCK where counters stand still though up; returns what began or ceased to be stuck.

        An interface that never counted is merely unused. Where no other one moves either there is simply no traffic, so such
        a cycle does not count, and neither does a gap.
        """
        kept = self._kept
        known = rows["reason"] == 0
        moving = known & _moving(rows)
        idle = known & ~moving & oper_up(current)
        still = idle & (bool(moving.any()) or len(rows) == 1)
        over = known & ~idle
        was_stuck = self._stuck()
        kept["still_polls"] = np.where(over, 0, kept["still_polls"] + still)
        kept["still_ticks"] = np.where(over, 0, kept["still_ticks"] + np.where(still, rows["interval_ticks"], 0))
        kept["moved"] |= moving
        stuck = self._stuck() & still
        rows["quality"] |= np.where(stuck, np.uint8(Quality.STUCK), np.uint8(0))
        return [*self._events(RateEventKind.STUCK, stuck & ~was_stuck), *self._events(RateEventKind.MOVING, was_stuck & moving)]

    def _coarse(self, rows: Rows, current: Rows) -> list[RateEvent]:
        """COARSE, once, where counters have begun to move by jumps. A rate above line speed may be such a jump."""
        kept = self._kept
        known = rows["reason"] == 0
        moving = (known & _moving(rows)) | (rows["reason"] == GapReason.IMPLAUSIBLE)
        paused = known & ~moving & oper_up(current)
        jumped = moving & (kept["pause_ticks"] > 0) & (kept["pause_ticks"] <= COARSE_SECONDS * TICKS_PER_SECOND)
        kept["jumps"] = np.where(moving, np.where(jumped, kept["jumps"] + 1, 0), kept["jumps"])
        kept["pause_ticks"] = np.where(moving, 0, kept["pause_ticks"] + np.where(paused, rows["interval_ticks"], 0))
        return self._events(RateEventKind.COARSE, jumped & (kept["jumps"] == COARSE_JUMPS))

    def _stuck(self) -> NDArray[np.bool_]:
        long_enough = self._kept["still_ticks"] >= STUCK_SECONDS * TICKS_PER_SECOND
        stuck: NDArray[np.bool_] = self._kept["moved"] & (self._kept["still_polls"] >= STUCK_POLLS) & long_enough
        return stuck

    def _reason_events(self, rows: Rows) -> list[RateEvent]:
        rebooted = np.flatnonzero(rows["reason"] == GapReason.REBOOT)
        devices = dict.fromkeys(self.interfaces[position].device for position in rebooted)
        events = [RateEvent(kind=RateEventKind.REBOOT, device=device) for device in devices]
        for reason, kind in _KIND_OF_REASON.items():
            events += self._events(kind, rows["reason"] == reason)
        return events

    def _events(self, kind: RateEventKind, where: NDArray[np.bool_]) -> list[RateEvent]:
        chosen = (self.interfaces[position] for position in np.flatnonzero(where))
        return [RateEvent(kind=kind, device=each.device, interface=each.name) for each in chosen]

    def state(self) -> bytes:
        """All that the next cycle needs, for `restored`."""
        header = {
            "interfaces": [[each.device, each.name] for each in self.interfaces],
            "layout": _layout(),
        }
        return _MAGIC + json.dumps(header).encode() + b"\n" + self._kept.tobytes()

    @classmethod
    def restored(
        cls,
        state: bytes | None,
        interfaces: Sequence[Interface],
        *,
        interval_seconds: float,
        capacity_bps: NDArray[np.float64] | None = None,
    ) -> RateKeeper:
        """A keeper that goes on where another stopped, for those of `interfaces` that it knew by device and name.

        None: there was none before. Follow it with `forget_before` where rows are stored at another moment than the state.

        Raises: DecodeError where `state` is not whole or of another version; a new keeper costs one gap per link.
        """
        keeper = cls(interfaces, interval_seconds=interval_seconds, capacity_bps=capacity_bps)
        if state is None:
            return keeper
        known, kept = _decode(state)
        position_of = {key: position for position, key in enumerate(known)}
        old = [position_of.get((each.device, each.name), -1) for each in keeper.interfaces]
        carried = np.array(old, np.int64)
        keeper._kept[carried >= 0] = kept[carried[carried >= 0]]
        return keeper

    def forget_before(self, newest_end_ms: NDArray[np.int64]) -> None:
        """Drops what is older than rows that are stored already, so that a restart counts no octet twice.

        `newest_end_ms` holds, by interface, the time of the newest stored row, and any time before 1970 where there is none.
        Rows are stored before the state that they led to. After a kill between the two, the state still holds the reading
        before; a rate from that reading would cover an interval which a stored row has covered. Such an interface starts with
        a first reading: one gap. Rows stay later than those stored even where our clock was stepped back during the restart.
        """
        overtaken = newest_end_ms > self._kept["last_end_ms"]
        self._kept["baseline"]["reason"][overtaken] = GapReason.FIRST_READING
        self._kept["last_end_ms"] = np.maximum(self._kept["last_end_ms"], newest_end_ms)


def _moving(rows: Rows) -> NDArray[np.bool_]:
    moving: NDArray[np.bool_] = (rows["down_bps"] > 0) | (rows["up_bps"] > 0)
    return moving


def _layout() -> str:
    return repr(np.lib.format.dtype_to_descr(_KEPT))


def _decode(state: bytes) -> tuple[list[tuple[str, str]], NDArray[Any]]:
    """Keys and kept rows of `RateKeeper.state`, or DecodeError."""
    if not state.startswith(_MAGIC):
        raise DecodeError("rate_state_version", f"does not begin with {_MAGIC!r}")
    head, _, body = state[len(_MAGIC) :].partition(b"\n")
    try:
        header = json.loads(head)
        keys = [(str(device), str(name)) for device, name in header["interfaces"]]
        layout = header["layout"]
    except (ValueError, TypeError, KeyError) as error:
        raise DecodeError("rate_state_header", str(error)) from error
    if layout != _layout():
        raise DecodeError("rate_state_layout", "written by another version of bwmgr")
    if len(body) != len(keys) * _KEPT.itemsize:
        raise DecodeError("rate_state_length", f"{len(body)} octets for {len(keys)} interfaces")
    return keys, np.frombuffer(body, _KEPT)
