"""How hard the collector asks. Owns the numbers and their bounds; reading them from a file belongs to `bwmgr.config`."""

from __future__ import annotations

from dataclasses import dataclass

from collectors.snmp.objects import POLLED, Column


@dataclass(frozen=True, kw_only=True)
class SnmpSettings:
    """Defaults suit one server and some thousands of devices; durations are seconds.

    Raises: ValueError for a number outside the bounds given below.
    """

    interval_seconds: float = 60.0
    """Between the starts of two cycles."""
    timeout_seconds: float = 1.0
    """Mean patience per try. All tries of one request last (retries + 1) * timeout, later tries longer than earlier ones."""
    retries: int = 1
    window: int = 512
    """Requests in flight at most; lowered further to what the receive buffer that was granted can hold."""
    spread_ratio: float = 0.5
    """A paced cycle sends over this share of the interval; 0: as fast as the window lets."""
    max_variables: int = 57
    """In one PDU; 57 counters of 64 bits are what one unfragmented datagram carries."""
    max_message_octets: int = 1472
    """Of one reply, at its worst: an Ethernet frame less the IPv4 and UDP headers."""
    resolve_every_seconds: float = 3600.0
    """Names are looked up afresh at least so often, so that an alias given twice is found."""
    breaker_failures: int = 5
    """Cycles without any answer after which a device is only probed."""
    breaker_pause_seconds: float = 300.0
    """Between two probes of a suspended device; doubled after each that fails, up to eight times this."""
    columns: tuple[Column, ...] = POLLED
    """What is read of an interface besides its identity; sysUpTime goes with every PDU."""
    descriptions: bool = False
    """Look ifDescr up too, whenever names are looked up: one more request then."""

    def __post_init__(self) -> None:
        bounds = {
            "interval_seconds": self.interval_seconds > 0,
            "timeout_seconds": 0 < self.timeout_seconds <= 60,
            "retries": 0 <= self.retries <= 10,
            "window": 1 <= self.window <= 4096,
            "spread_ratio": 0 <= self.spread_ratio <= 1,
            "max_variables": 2 <= self.max_variables <= 128,
            "max_message_octets": 484 <= self.max_message_octets <= 4000,
            "breaker_failures": self.breaker_failures >= 1,
        }
        wrong = [name for name, holds in bounds.items() if not holds]
        if wrong:
            raise ValueError(f"SNMP settings out of bounds: {', '.join(wrong)}")

    def patience(self) -> tuple[float, ...]:
        """Seconds that each try waits: every retry half as long again as the one before (back-off), in total as configured."""
        weights = [1.5**number for number in range(self.retries + 1)]
        total = self.timeout_seconds * (self.retries + 1)
        return tuple(total * weight / sum(weights) for weight in weights)

    @property
    def cycle_seconds(self) -> float:
        """What a cycle may take at most when unpaced: all tries of a dead device, and follow-ups of living ones for a moment."""
        return (self.retries + 1) * self.timeout_seconds + 0.75
