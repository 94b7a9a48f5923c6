"""What fields mean together: a flow's own time, and how many packets stand behind the one that was sampled.

Pure arithmetic on numbers as exporters send them, and the memory that it needs (samplers by exporter, clocks of exporters that
send sysUpTime without a base). Used by the plain and the columnar decoder alike.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from collectors.netflow.records import Context, Kind, Record
from collectors.netflow.templates import Scope

_MODULUS = 1 << 32
_MOST_SCOPES = 20_000
_MOST_SAMPLERS = 256
_MOST_RATES = 65_536

# Elements that say how packets are sampled
SAMPLING_INTERVAL, SAMPLER_ID, SAMPLER_RANDOM_INTERVAL, SELECTOR_ID = 34, 48, 50, 302
SAMPLING_PACKET_INTERVAL, SAMPLING_PACKET_SPACE = 305, 306
SAMPLING_SIZE, SAMPLING_POPULATION = 309, 310
SYSTEM_INIT_TIME = 160
MOST_SAMPLED = 1 << 24
"""1:N above this is nonsense, but no reason to stop: taken for this."""


def sampling_of(record: Record) -> int:
    """The sampling rate 1:N that a record states itself; 0: it says none.

    IE 34, IE 50, 305 sampled of 305 + 306 (RFC 5477 section 8.2.2), 309 sampled of 310 (8.2.4). A rate of 0 is none: it must
    never make traffic vanish.
    """
    if interval := record.number(SAMPLING_INTERVAL) or record.number(SAMPLER_RANDOM_INTERVAL):
        return min(mended_interval(interval), MOST_SAMPLED)
    if sampled := record.number(SAMPLING_PACKET_INTERVAL):
        return _bounded((sampled + (record.number(SAMPLING_PACKET_SPACE) or 0)) // sampled)
    if (size := record.number(SAMPLING_SIZE)) and (population := record.number(SAMPLING_POPULATION)):
        return _bounded(population // size)
    return 0


def _bounded(rate: int) -> int:
    return min(max(rate, 1), MOST_SAMPLED)


def mended_interval(interval: int) -> int:
    """An interval of four octets that RouterOS sends in little-endian order, put right: nobody samples 1:16,777,216."""
    swapped = int.from_bytes(interval.to_bytes(4, "little"), "big") if interval < _MODULUS else interval
    return swapped if interval >= 1 << 16 and 0 < swapped < 1 << 16 else interval


class Samplers:
    """Sampling rates from options records, by (exporter, version, domain) and sampler. Bounded: the longest unused go first."""

    def __init__(self, overrides: Mapping[str, int] | None = None) -> None:
        """`overrides`: rates by exporter from the configuration, which beat all that the exporter says."""
        self._overrides = dict(overrides or {})
        self._rates: OrderedDict[Scope, dict[int | None, int]] = OrderedDict()
        self._count = 0
        self.version = 0
        """Grows with every change: what was made of rates may be kept as long as it stands."""
        self.several = False
        """Was a sampler ever named, so that records may differ within an exporter?"""

    def learn(self, record: Record) -> None:
        """Takes in an options record; one without a rate says nothing."""
        rate = sampling_of(record)
        if record.kind is not Kind.OPTIONS or not rate:
            return
        sampler = _sampler_of(record)
        rates = self._rates.setdefault(record.context.scope, {})
        self._rates.move_to_end(record.context.scope)
        if rates.get(sampler) != rate and (sampler in rates or len(rates) < _MOST_SAMPLERS):
            self._count += sampler not in rates
            rates[sampler] = rate
            self.version += 1
            self.several |= sampler is not None
        while self._count > _MOST_RATES:
            _, oldest = self._rates.popitem(last=False)
            self._count -= len(oldest)

    def rate(self, scope: Scope, sampler: int | None) -> int:
        """The rate of a sampler, or of the exporter as a whole; 0: unknown.

        An exporter with a single sampler means it where a record names none.
        """
        if (override := self._overrides.get(str(scope[0]))) is not None:
            return override
        rates = self._rates.get(scope)
        if not rates:
            return 0
        if sampler in rates:
            return rates[sampler]
        if None in rates:
            return rates[None]
        return next(iter(rates.values())) if len(rates) == 1 and sampler is None else 0

    def named(self, scope: Scope) -> bool:
        """Are there rates for samplers of this scope, rather than one for all of it?"""
        return str(scope[0]) not in self._overrides and any(sampler is not None for sampler in self._rates.get(scope, ()))

    def rate_of(self, record: Record) -> int:
        """The rate for one flow: configured, else of its record, its datagram's header, its sampler; 0: unknown."""
        context = record.context
        if (override := self._overrides.get(str(context.exporter))) is not None:
            return override
        return sampling_of(record) or context.sampling or self.rate(context.scope, _sampler_of(record))


def _sampler_of(record: Record) -> int | None:
    sampler = record.number(SAMPLER_ID)
    return record.number(SELECTOR_ID) if sampler is None else sampler


@dataclass(frozen=True, slots=True)
class FlowTime:
    """Start and end of a flow, ms since 1970 UTC; start is never after end."""

    start_ms: int
    end_ms: int


def uptime_instant_ms(context: Context, ticks_ms: int) -> int | None:
    """The instant of a sysUpTime of a v5 or v9 datagram (RFC 3954 section 5.1); None where the header has no uptime.

    Relative to the header's pair of uptime and time, modulo 2^32 ms: a flow that began before the counter's wrap stays right.
    """
    if context.uptime_ms is None:
        return None
    ago = (context.uptime_ms - ticks_ms) % _MODULUS
    if ago >= _MODULUS // 2:  # a little after the header's own moment, as exporters that stamp late do
        ago -= _MODULUS
    return context.export_ms - ago


class UptimeBases:
    """When exporters started, for IPFIX records with sysUpTimes (RouterOS sends no systemInitTimeMilliseconds).

    A flow is exported after its end, so export time less flow end is never before the start of the exporter's clock, and its
    minimum over some messages is close to it. A base that jumps by more than a minute is a restart.
    """

    def __init__(self) -> None:
        self._bases: OrderedDict[Scope, int] = OrderedDict()

    def state(self, scope: Scope, init_ms: int) -> None:
        """The exporter said it itself."""
        self._bases[scope] = init_ms

    def observe(self, scope: Scope, export_ms: int, latest_end_ticks_ms: int) -> int:
        """Takes in a message's largest flow end; returns the base to use now, ms since 1970 UTC."""
        seen = export_ms - latest_end_ticks_ms
        known = self._bases.get(scope)
        if known is None or seen < known or seen - known > 3_600_000:
            self._bases[scope] = seen
            self._bases.move_to_end(scope)
            while len(self._bases) > _MOST_SCOPES:
                self._bases.popitem(last=False)
        return self._bases[scope]

    def base(self, scope: Scope) -> int | None:
        """What is known of an exporter's start."""
        return self._bases.get(scope)
