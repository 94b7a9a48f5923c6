"""What a month's report is made of, gathered from the store, the queue, the outages and the plan.

Owns which rows and records enter which figure; every definition is another module's: usage `bwmgr.measure.windows`, the lie of a
day `bwmgr.measure.monthly`, outages `outage_history`, money and right sizes `planning` and `bwmgr.measure.availability`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from bwmgr.daemon import monthly_advice
from bwmgr.daemon.monthly_roots import month_roots, plan_of
from bwmgr.daemon.outage_history import Evidence
from bwmgr.daemon.outage_history import gather as gather_outages
from bwmgr.daemon.polling import is_polled
from bwmgr.measure.calendars import instant_ms
from bwmgr.measure.dimension import shared_out
from bwmgr.measure.monthly import COLUMNS, LocalHours, shape
from bwmgr.measure.outages import Known
from bwmgr.measure.sums import COLUMNS as SUM_COLUMNS
from bwmgr.measure.sums import sum_batches, summed_usage
from bwmgr.model.inventory import Direction, Link, PerDirection
from bwmgr.model.monthly import LimitChange, Month, MonthLink, MonthOutage, MonthRoot, MonthUplink, Shape, Use
from bwmgr.model.usage import UsageWindow
from bwmgr.stores import LINK_RATE, UPLINK_RATE

if TYPE_CHECKING:
    from bwmgr.daemon.application import Application
    from bwmgr.daemon.plan_figures import LinkNeed

COMPLETE_RATIO = 0.9
"""Below this share of the time measured a figure is not printed as one."""
_TOTAL = "total"
_GRID_SECONDS = 300

Uses = Mapping[Direction, Use]


def gather(
    application: Application, name: str, start: datetime, end: datetime, *, by: str, progress: Callable[[float], None]
) -> Month:
    """The month [start, end) as it is known now, not closed. `progress` hears the share done.

    Raises: StoreError.
    """
    links = [link for link in application.inventory.links.values() if is_polled(link)]
    gathered = _Gathered(application, links, start, end, progress)
    organisation = application.inventory.organisation
    made = tuple(gathered.link(link) for link in links)
    progress(1.0)
    return Month(
        month=name,
        start=start,
        end=end,
        organisation=organisation.name,
        currency=organisation.currency,
        timezone=organisation.timezone,
        complete_ratio=COMPLETE_RATIO,
        interval_seconds=application.settings.snmp.interval_seconds,
        closed_at=None,
        closed_by=by,
        revision=1,
        why="",
        links=made,
        roots=gathered.roots,
        uplinks=tuple(gathered.uplinks()),
        total=gathered.total(),
    )


class _Gathered:
    """Everything that is read once for all links."""

    def __init__(
        self, application: Application, links: Sequence[Link], start: datetime, end: datetime, progress: Callable[[float], None]
    ) -> None:
        self.application, self.start, self.end = application, start, end
        names = [link.id for link in links]
        self.office = _paired(application.usage(names, start, end))
        self.always = _paired(application.usage(names, start, end, calendar="always"))
        progress(0.2)
        self.shapes = self._shapes(names)
        progress(0.4)
        self.evidence = gather_outages(application, start, end, links=names)
        progress(0.6)
        plan = plan_of(application, start, end)
        progress(0.9)
        self.needs: Mapping[str, LinkNeed] = {need.link.id: need for root in plan.roots for need in root.links}
        self.roots: tuple[MonthRoot, ...] = month_roots(application, plan, start, end)
        self.used_price = self._used_prices()
        self.limits = application.state.all_limits()
        self.advice = monthly_advice.advice_by_link(application.state, start, end)
        self.quotas = monthly_advice.quotas(application)

    def link(self, link: Link) -> MonthLink:
        limits = self.limits.get(link.id, [])
        before = [limit for at, limit in limits if at < self.end]
        found, known, down = _outages(self.evidence, link.id, self.start, self.end)
        need = self.needs.get(link.id)
        sizes = need.right_size_bps if need else {}
        return MonthLink(
            id=link.id,
            name=link.name,
            kind=link.kind,
            opd=link.opd,
            limit=before[-1] if before else link.limit,
            cir=link.cir,
            mir=link.mir,
            changes=tuple(LimitChange(at=at, limit=limit) for at, limit in limits[1:] if self.start <= at < self.end),
            office=self.office[link.id],
            always=self.always[link.id],
            shape=self.shapes[link.id],
            quota_octets=self.quotas.get(link.id),
            outages=found,
            known_ratio=_share(known, self.start, self.end),
            down_seconds=down,
            availability_ratio=1 - down / known if known else None,
            advice=self.advice.get(link.id, ()),
            right_size=PerDirection(down=sizes.get(Direction.DOWN), up=sizes.get(Direction.UP)),
            used_price=self.used_price.get(link.id),
        )

    def uplinks(self) -> list[MonthUplink]:
        inventory, contracts = self.application.inventory, self.application.inventory.uplink_contracts
        names = [name for name, _, _ in inventory.uplinks()]
        windows = self.application.history.usage(
            names, start=self.start, end=self.end, calendar="always", measurement=UPLINK_RATE
        )
        uses, made = _paired(windows), []
        for name in names:
            contract = contracts.get(name)
            found, known, down = _outages(self.evidence, name, self.start, self.end)
            promised = contract.sla.availability_percent if contract else None
            made.append(
                MonthUplink(
                    series=name,
                    provider=inventory.providers[contract.provider].name if contract else "",
                    contract=contract.id if contract else "",
                    capacity=PerDirection(down=contract.capacity.down, up=contract.capacity.up)
                    if contract
                    else PerDirection(down=None, up=None),
                    always=uses[name],
                    outages=found,
                    known_ratio=_share(known, self.start, self.end),
                    down_seconds=down,
                    availability_ratio=1 - down / known if known else None,
                    promised_ratio=None if promised is None else promised / 100,
                )
            )
        return made

    def total(self) -> Uses:
        """All polled links together, over all hours."""
        names = list(self.always)
        batches = self.application.store.chunks(LINK_RATE, start=self.start, end=self.end, series=names, columns=SUM_COLUMNS)
        together = sum_batches(batches, {_TOTAL: names}, start=self.start, end=self.end, grid_seconds=_GRID_SECONDS)[_TOTAL]
        everything = np.array([[instant_ms(self.start), instant_ms(self.end)]], np.int64)
        windows = summed_usage(together, start=self.start, end=self.end, calendar="always", spans=everything)
        return {window.direction: _use(window) for window in windows}

    def _shapes(self, names: Sequence[str]) -> Mapping[str, Shape]:
        hours = LocalHours(self.start, self.end, self.application.inventory.organisation.timezone)
        found: dict[str, Shape] = {}
        for batch in self.application.store.chunks(LINK_RATE, start=self.start, end=self.end, series=names, columns=COLUMNS):
            edges = np.searchsorted(batch.rows["series"], np.arange(len(batch.series) + 1))
            for position, name in enumerate(batch.series):
                found[name] = shape(batch.rows[edges[position] : edges[position + 1]], hours)
        return found

    def _used_prices(self) -> Mapping[str, int]:
        """Each root's used price shared out among its links by their octets, to the rupiah."""
        found: dict[str, int] = {}
        inventory = self.application.inventory
        for root in self.roots:
            below = [
                name
                for name in self.always
                if any(node.id == root.id for node in inventory.ancestors(inventory.links[name].parent))
            ]
            weights = [float(sum(use.octets for use in self.always[name].values())) for name in below]
            if root.used_price is not None and sum(weights) > 0:
                found.update(zip(below, shared_out(root.used_price, weights), strict=True))
        return found


def _paired(windows: Sequence[UsageWindow]) -> dict[str, Uses]:
    found: dict[str, dict[Direction, Use]] = {}
    for window in windows:
        found.setdefault(window.link, {})[window.direction] = _use(window)
    return dict(found)


def _use(window: UsageWindow) -> Use:
    return Use(
        calendar=window.calendar,
        samples=window.samples,
        octets=window.octets,
        mean_bps=window.mean_bps,
        p95_bps=window.p95_bps,
        max_bps=window.max_bps,
        coverage_ratio=window.coverage_ratio,
        saturated_ratio=window.saturated_ratio,
    )


def _outages(evidence: Evidence, series: str, start: datetime, end: datetime) -> tuple[tuple[MonthOutage, ...], float, float]:
    """What of the outages lies in [start, end); seconds of which it is known whether it was up; seconds without service."""
    cut = [(max(one.start, start), min(one.end, end), one) for one in evidence.of(series)]
    found = tuple(
        MonthOutage(start=first, end=last, cause=outage.cause, judged_by=outage.judgements[-1].by if outage.judgements else "")
        for first, last, outage in cut
        if first < last
    )
    line = evidence.lines.get(series)
    if line is None:
        return (), 0.0, 0.0
    spans = np.clip(line.spans(Known.UP, Known.DOWN, Known.SILENT, Known.DARK), instant_ms(start), instant_ms(end))
    known = float((spans[:, 1] - spans[:, 0]).sum()) / 1000
    return found, known, min(sum((one.end - one.start).total_seconds() for one in found), known)


def _share(seconds: float, start: datetime, end: datetime) -> float:
    whole = (end - start).total_seconds()
    return min(seconds / whole, 1.0) if whole > 0 else 0.0
