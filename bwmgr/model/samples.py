"""Counter readings, and the rates or gaps that follow from two of them.

The scalar forms here are the definition (`bwmgr.measure.counters.rate_between` works on them); a cycle of many links
travels as columns (`bwmgr.measure.columns`) that mean the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, IntFlag


class GapReason(IntEnum):
    """Why there is no rate. The numbers are stored: never renumber, only append."""

    NONE = 0
    """There is a rate."""
    FIRST_READING = 1
    """A single counter value has no meaning (RFC 2578 section 7.1.6)."""
    TIMEOUT = 2
    """No answer in time, or a wrong community: v1 and v2c agents do not tell them apart."""
    AUTHENTICATION = 3
    UNRESOLVED = 4
    """The device has no interface of that name."""
    AMBIGUOUS_NAME = 5
    """Several interfaces of the device bear that name."""
    MISSING = 6
    """The interface is there, its octet counters are not (noSuchInstance)."""
    REBOOT = 7
    DISCONTINUITY = 8
    RESET = 9
    """A counter went backwards without a reboot, or to zero."""
    AMBIGUOUS_WRAP = 10
    """A 32-bit counter that may have wrapped more than once."""
    IMPLAUSIBLE = 11
    """More than the line can carry."""
    STALE = 12
    """A reading that is not newer than the one before: duplicate or out of order."""
    SUSPENDED = 13
    """Not asked: the device failed so often that its circuit is open."""
    LATE = 14
    """Not asked: the cycle was still busy, or the slot was missed."""
    PROTOCOL = 15
    """The device answered with an error or nonsense."""
    NO_COUNTERS = 16
    """The link has no interface in the inventory: it is known by flows only."""
    NAME_LOOKUP = 17
    """The device's host name did not resolve."""
    RENUMBERED = 18
    """The name no longer answers at its ifIndex: it is being looked up again."""
    NOT_RECORDED = 19
    """Imported history has no value there."""


class Quality(IntFlag):
    """What a reader must know about a rate that is there. Stored: never renumber."""

    OK = 0
    OPER_DOWN = 1
    """The interface was down: a rate of 0 is a fact."""
    COUNTER32 = 2
    """From 32-bit counters: unreliable above the rate at which they wrap within an interval."""
    STUCK = 4
    """The counters stand still though the interface is up and they used to move."""
    IMPORTED = 8
    PARTIAL = 16
    """Errors or discards were not readable."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CounterSample:
    """One reading of one interface. Octets are the raw counters; speeds are 0 where the device does not know."""

    at: datetime
    sys_uptime_ticks: int
    """Hundredths of a second modulo 2^32 (RFC 2578 TimeTicks)."""
    discontinuity_ticks: int | None = None
    """ifCounterDiscontinuityTime; None where the agent has none."""
    counter_bits: int = 64
    in_octets: int
    out_octets: int
    oper_up: bool | None = None
    if_high_speed_mbps: int = 0
    if_speed_bps: int = 0
    """4294967295 means: look at ifHighSpeed (RFC 2863 section 3.1.6)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rate:
    """Mean rates over [end - interval, end]; `interval_ticks` is the device's own clock."""

    end: datetime
    interval_ticks: int
    in_bps: float
    out_bps: float
    quality: Quality = Quality.OK


@dataclass(frozen=True, kw_only=True, slots=True)
class Gap:
    end: datetime
    reason: GapReason
