"""`sla`: each contract's availability month by month and over its term, and what it pays back.

Owns which series and which months a contract's clause is about, and which time of them counts, is excluded or is unknown. The
arithmetic is `bwmgr.measure.availability`'s, the outages are `outage_history`'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from functools import reduce
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np

from bwmgr.daemon.named import require_contract, require_provider
from bwmgr.daemon.outage_history import Evidence, gather
from bwmgr.daemon.polling import is_polled
from bwmgr.errors import UsageError
from bwmgr.measure import availability as reckoning
from bwmgr.measure.availability import NO_SPANS, Kept, Restitution, Served, Spans
from bwmgr.measure.calendars import instant_ms, month
from bwmgr.measure.causes import concerns
from bwmgr.measure.outages import Known, short_ms
from bwmgr.model.inventory import Contract
from bwmgr.model.said import Said
from bwmgr.model.service import Cause, Outage
from bwmgr.stores import UPLINK_RATE

if TYPE_CHECKING:
    from bwmgr.daemon.application import Application


@dataclass(frozen=True, kw_only=True)
class Month:
    """One local month of a contract. `is_over`: it lies wholly in the past, so its figures will not change by themselves."""

    first: date
    start: datetime
    end: datetime
    is_over: bool
    time: Served
    kept: Kept
    restitution: Restitution | None


@dataclass(frozen=True, kw_only=True)
class ContractService:
    contract: Contract
    series: tuple[str, ...]
    """Uplinks, or links where the clause is about them."""
    months: tuple[Month, ...]
    outages: tuple[Outage, ...]
    """Those that reach into the months, oldest first."""

    @property
    def time(self) -> Served:
        return reduce(Served.__add__, (one.time for one in self.months), Served(base_ms=0, down_ms=0, unknown_ms=0))

    @property
    def amount(self) -> int | None:
        """The months' restitution together; None where there is no formula, or no month has any data."""
        known = [one.restitution.amount for one in self.months if one.restitution is not None]
        return sum(known) if known else None

    @property
    def most(self) -> int | None:
        known = [one.restitution.most for one in self.months if one.restitution is not None]
        return sum(known) if known else None

    def treatment(self, outage: Outage) -> str:
        """`excluded`, `unknown` (nobody knows the cause) or `counted`."""
        if outage.cause in self.contract.sla.excludes:
            return "excluded"
        return "unknown" if outage.cause is Cause.UNDETERMINED else "counted"


def service_levels(
    application: Application, contracts: Sequence[Contract], first: date | None = None, last: date | None = None
) -> tuple[ContractService, ...]:
    """Of these contracts, over the local months from that of `first` to that of `last` (None: the whole term, up to now).

    Raises: UsageError where no month of a contract has begun.
    """
    wanted = {contract.id: _months(application, contract, first, last) for contract in contracts}
    begun = {name: months for name, months in wanted.items() if months}
    if not begun:
        raise UsageError(Said("none of these contracts has a month in that time that has begun"))
    spans = [(start, end) for months in begun.values() for _, start, end in months]
    links = sorted({name for contract in contracts if contract.sla.covers == "links" for name in _series(application, contract)})
    now = application.clock.now()
    evidence = gather(application, min(start for start, _ in spans), min(max(end for _, end in spans), now), links=links)
    return tuple(_ContractTime(application, one, evidence, now).made(begun[one.id]) for one in contracts if one.id in begun)


def served_between(application: Application, contract: Contract, evidence: Evidence, start: datetime, end: datetime) -> Served:
    """A contract's time over any window, by its clause; `evidence` covers it."""
    return _ContractTime(application, contract, evidence, application.clock.now()).between(start, end)


class _ContractTime:
    def __init__(self, application: Application, contract: Contract, evidence: Evidence, now: datetime) -> None:
        self.contract, self.evidence, self.now = contract, evidence, now
        self.zone = application.inventory.organisation.timezone
        self.series = _series(application, contract)
        self.maintenance = {
            name: _spans([(one.start, one.end) for one in application.inventory.maintenance if concerns(one, name, contract.id)])
            for name in self.series
        }

    def made(self, months: Sequence[tuple[date, datetime, datetime]]) -> ContractService:
        made = tuple(self._month(*entry) for entry in months)
        first, last = months[0][1], months[-1][2]
        known = sorted((one for name in self.series for one in self.evidence.of(name)), key=lambda one: (one.start, one.series))
        reaching = tuple(outage for outage in known if outage.start < last and outage.end > first)
        return ContractService(contract=self.contract, series=self.series, months=made, outages=reaching)

    def _month(self, first: date, start: datetime, end: datetime) -> Month:
        time = self.between(start, end)
        price = reckoning.period_price(self.contract, first, _last_day(first))
        level = self.contract.sla
        return Month(
            first=first,
            start=start,
            end=end,
            is_over=end <= self.now,
            time=time,
            kept=reckoning.kept(level, time),
            restitution=None if price is None else reckoning.restitution(level, time, price),
        )

    def between(self, start: datetime, end: datetime) -> Served:
        """Of [start, end), as far as it has passed."""
        period = _spans([(start, min(end, self.now))])
        return self._of_links(period) if self.contract.sla.covers == "links" else self._of_uplinks(period)

    def _of_links(self, period: Spans) -> Served:
        """All links alike: their times together."""
        parts = [_Parts.of(self, name, period) for name in self.series]
        return reduce(Served.__add__, (part.served(period) for part in parts), Served(base_ms=0, down_ms=0, unknown_ms=0))

    def _of_uplinks(self, period: Spans) -> Served:
        """Served while any uplink is; where none is, unknown if one of them is, else excluded if one is, else down."""
        parts = [_Parts.of(self, name, period) for name in self.series]
        if not parts:
            return Served(base_ms=reckoning.length_ms(period), down_ms=0, unknown_ms=reckoning.length_ms(period))
        absent = reduce(reckoning.intersection, (part.absent for part in parts))
        unknown = reckoning.intersection(absent, reckoning.union(*(part.unknown for part in parts)))
        excluded = reckoning.without(reckoning.intersection(absent, reckoning.union(*(one.excluded for one in parts))), unknown)
        agreed = reduce(reckoning.intersection, (part.agreed for part in parts))
        return reckoning.served(
            period,
            excluded=reckoning.union(excluded, agreed),
            down=reckoning.without(reckoning.without(absent, unknown), excluded),
            unknown=unknown,
            short=reduce(reckoning.intersection, (part.short for part in parts)),
        )


@dataclass(frozen=True, kw_only=True)
class _Parts:
    """One series' time of a period by what it counts as; `agreed` is maintenance, whatever happened in it."""

    agreed: Spans
    excluded: Spans
    down: Spans
    unknown: Spans
    short: Spans

    @classmethod
    def of(cls, given: _ContractTime, name: str, period: Spans) -> _Parts:
        line, excludes = given.evidence.lines.get(name), given.contract.sla.excludes
        agreed = given.maintenance[name] if Cause.PLANNED in excludes else NO_SPANS
        if line is None:
            return cls(agreed=agreed, excluded=NO_SPANS, down=NO_SPANS, unknown=period, short=NO_SPANS)
        outages = given.evidence.of(name)
        short = short_ms(line, least_seconds=given.evidence.least_seconds[name])
        nobody_looked = reckoning.without(period, line.spans(Known.UP, Known.DOWN, Known.SILENT, Known.DARK))
        return cls(
            agreed=agreed,
            excluded=_outage_spans([one for one in outages if one.cause in excludes]),
            down=_outage_spans([one for one in outages if one.cause not in excludes and one.cause is not Cause.UNDETERMINED]),
            unknown=reckoning.union(nobody_looked, _outage_spans([one for one in outages if one.cause is Cause.UNDETERMINED])),
            short=short,
        )

    @property
    def absent(self) -> Spans:
        """Time in which it was not, or not known to be, in service."""
        return reckoning.union(self.excluded, self.down, self.unknown)

    def served(self, period: Spans) -> Served:
        excluded = reckoning.union(self.excluded, self.agreed)
        return reckoning.served(period, excluded=excluded, down=self.down, unknown=self.unknown, short=self.short)


def choose_contracts(application: Application, provider: str | None, contract: str | None) -> list[Contract]:
    """Those of a provider, or one; all where neither is given. Raises: UsageError."""
    inventory = application.inventory
    if contract is not None:
        require_contract(inventory, contract)
    if provider is not None:
        require_provider(inventory, provider)
    found = [one for one in inventory.contracts.values() if provider in (None, one.provider) and contract in (None, one.id)]
    if not found:
        raise UsageError(Said("no contract in the configuration: service levels are a contract's"))
    return found


def _series(application: Application, contract: Contract) -> tuple[str, ...]:
    inventory = application.inventory
    if contract.sla.covers == "uplink":
        return tuple(name for name, _, uplink in inventory.uplinks() if uplink.contract == contract.id)
    roots = {node.id for _, node, uplink in inventory.uplinks() if uplink.contract == contract.id}
    below = (link for link in inventory.links.values() if roots & {node.id for node in inventory.ancestors(link.parent)})
    return tuple(link.id for link in below if is_polled(link))


def _months(
    application: Application, contract: Contract, first: date | None, last: date | None
) -> list[tuple[date, datetime, datetime]]:
    """(first day, start, end) of the contract's months that have begun; start and end within its term."""
    zone = application.inventory.organisation.timezone
    now = application.clock.now()
    begins = first or contract.start or _first_day_of_data(application, contract)
    ends = min(last or contract.end or now.astimezone(ZoneInfo(zone)).date(), now.astimezone(ZoneInfo(zone)).date())
    return list(_begun(contract, begins, ends, zone)) if begins is not None else []


def _begun(contract: Contract, begins: date, ends: date, zone: str) -> Iterator[tuple[date, datetime, datetime]]:
    day = begins.replace(day=1)
    while day <= ends:
        start, end = month(zone, day.year, day.month)
        if contract.start is not None:
            start = max(start, _midnight(contract.start, zone))
        if contract.end is not None:
            end = min(end, _midnight(contract.end + timedelta(days=1), zone))
        if start < end:
            yield day, start, end
        day = _last_day(day) + timedelta(days=1)


def _first_day_of_data(application: Application, contract: Contract) -> date | None:
    known = application.store.spans(UPLINK_RATE)
    begun = [known[name].first for name in _series(application, contract) if name in known]
    zone = ZoneInfo(application.inventory.organisation.timezone)
    return min(begun).astimezone(zone).date() if begun else None


def _midnight(day: date, zone: str) -> datetime:
    return datetime.combine(day, time(0), ZoneInfo(zone)).astimezone(UTC)


def _last_day(first: date) -> date:
    return (first.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)


def _outage_spans(outages: Sequence[Outage]) -> Spans:
    return _spans([(outage.start, outage.end) for outage in outages])


def _spans(pairs: Sequence[tuple[datetime, datetime]]) -> Spans:
    found = np.array([(instant_ms(start), instant_ms(end)) for start, end in pairs], np.int64).reshape(-1, 2)
    return reckoning.union(found)


def ratio(exact: Fraction | None) -> float | None:
    """As JSON and CSV print it; verdicts are made of the exact one."""
    return None if exact is None else round(float(exact), 8)
