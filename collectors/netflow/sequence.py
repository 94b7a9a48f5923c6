"""Sequence numbers: how much of what an exporter sent never arrived.

Pure. v5 counts flows, v9 and sFlow count datagrams, IPFIX counts data records, options among them (RFC 3954 section 5.1, RFC 7011
section 3.1), each per exporter and domain. Told apart: a gap, a datagram that came out of order (it gives back what was counted
as lost), a restart, the number's own wrap.
"""

from __future__ import annotations

from dataclasses import dataclass

_MODULUS = 1 << 32
_REORDER_WINDOW = 2_000
"""In units of the number: an older one within this distance is late, not a restart. Some 60 datagrams of v5, 2,000 of v9."""
LARGEST_GAP = 1_000_000
"""A jump forward beyond this is a restart with a random number rather than a loss: at 100,000 flows/s it is 10 s of silence."""


@dataclass(slots=True)
class Sequence:
    """One (exporter, version, domain): feed it headers in the order of arrival, read what was lost."""

    expected: int | None = None
    lost: int = 0
    """Units that did not arrive: flows (v5), datagrams (v9, sFlow) or records (IPFIX)."""
    reordered: int = 0
    restarts: int = 0
    _uptime_ms: int | None = None

    def step(self, number: int, count: int, uptime_ms: int | None = None) -> int:
        """Takes in a datagram whose sequence number is `number` and which moves it on by `count`; returns newly lost units.

        `uptime_ms` is the exporter's sysUpTime where the protocol tells it: one that falls (and does not wrap) is a restart.
        A late datagram returns a negative number: what was counted as lost has come after all.
        """
        restarted = self._restarted(uptime_ms)
        if self.expected is None or restarted:
            self.restarts += restarted
            self.expected = (number + count) % _MODULUS
            return 0
        ahead = (number - self.expected) % _MODULUS
        if ahead <= LARGEST_GAP:
            self.expected = (number + count) % _MODULUS
            self.lost += ahead
            return ahead
        behind = _MODULUS - ahead
        if behind <= _REORDER_WINDOW:
            self.reordered += 1
            back = min(count, self.lost)
            self.lost -= back
            return -back
        self.restarts += 1
        self.expected = (number + count) % _MODULUS
        return 0

    def _restarted(self, uptime_ms: int | None) -> bool:
        if uptime_ms is None:
            return False
        before, self._uptime_ms = self._uptime_ms, uptime_ms
        return before is not None and restarted(before, uptime_ms)


def restarted(before_ms: int, uptime_ms: int) -> bool:
    """Whether a sysUpTime that fell means a restart: by more than a late datagram explains, and not by the wrap at 2^32 ms."""
    return 60_000 < before_ms - uptime_ms < _MODULUS - 600_000
