"""Service levels: an outage, why it was, and the time that was agreed to be without service.

Owns the nouns. How outages are found is `bwmgr.measure.outages`, what they cost `bwmgr.measure.availability`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Cause(StrEnum):
    """Whose matter an outage is."""

    POWER = "power"
    """No electricity where the device stands."""
    OPD_DEVICE = "opd-device"
    """The agency's own router, switch or cable behind the handover."""
    LAST_MILE = "last-mile"
    """The line to the site."""
    PROVIDER = "provider"
    """The provider's network."""
    PLANNED = "planned"
    """Maintenance that was agreed on."""
    UNDETERMINED = "undetermined"
    """The evidence does not tell: a person has to."""


class Sign(StrEnum):
    """How an outage showed."""

    DOWN = "down"
    """The device answered and said that the interface is down."""
    SILENT = "silent"
    """The device did not answer, while others did."""
    DARK = "dark"
    """The interface is up and receives next to nothing at an hour at which it usually does."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Judgement:
    """What a person said of an outage's cause."""

    cause: Cause
    by: str
    at: datetime
    note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outage:
    """One time without service of one series (a link's id, or an uplink's name); [start, end), aware UTC.

    `is_open`: it had not ended where the evidence ends. `rebooted`: the device restarted in it. `rule` names the rule that
    proposed the cause.
    """

    series: str
    start: datetime
    end: datetime
    sign: Sign
    is_open: bool = False
    rebooted: bool = False
    proposed: Cause = Cause.UNDETERMINED
    rule: str = "unclear"
    judgements: tuple[Judgement, ...] = field(default=())
    """What people said, oldest first: the last one stands."""

    @property
    def id(self) -> str:
        """Series and start: the same however the window was cut."""
        return f"{self.series}@{self.start:%Y%m%dT%H%M%SZ}"

    @property
    def cause(self) -> Cause:
        """A person's word, else the rule's."""
        return self.judgements[-1].cause if self.judgements else self.proposed

    @property
    def seconds(self) -> float:
        return (self.end - self.start).total_seconds()


@dataclass(frozen=True, kw_only=True, slots=True)
class Maintenance:
    """Agreed time without service, [start, end), aware UTC; of these links and contracts, of everything where none is named."""

    id: str
    start: datetime
    end: datetime
    links: tuple[str, ...] = ()
    contracts: tuple[str, ...] = ()
