"""`providers compare`: the same measurements of every contract and offer over one window, a score, and what it hangs on.

Owns which series and hours are a contract's; the arithmetic is `bwmgr.measure`'s (`suppliers`, `ranking`, `availability`). An
offer that was never measured stands with its price alone, and is not ranked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from bwmgr.daemon.outage_history import gather
from bwmgr.daemon.provider_import import imports
from bwmgr.daemon.service_levels import served_between
from bwmgr.daemon.trials import read_trials
from bwmgr.measure.alignment import CELL_MS, Floats, on_grid
from bwmgr.measure.availability import Served
from bwmgr.measure.calendars import inside, instant_ms, spans
from bwmgr.measure.columns import Rows
from bwmgr.measure.dimension import yearly_price
from bwmgr.measure.ranking import Criterion, Figures, Ranking, ranking
from bwmgr.measure.suppliers import ENOUGH_CELLS, Cells, Hours, LineDistribution, flat_cells, full_cells, line_distribution
from bwmgr.measure.windows import nearest_rank
from bwmgr.model.inventory import ALWAYS, Contract, Direction, ServiceLevel
from bwmgr.model.samples import GapReason
from bwmgr.stores import PROVIDER_RATE, UPLINK_RATE

if TYPE_CHECKING:
    from bwmgr.daemon.application import Application

COMPLETE = 0.7
"""Below this share of the window measured, a contract is not ranked."""
_COLUMNS = ("series", "end_ms", "reason", "down_bps", "up_bps", "down_discards_ps", "up_discards_ps", "rtt_us")
_NIGHT = (22, 6)


@dataclass(frozen=True, kw_only=True)
class Supplier:
    """One contract or offer. None: not measured, or not asked for enough."""

    contract: Contract
    provider_name: str
    series: tuple[str, ...]
    price: int | None
    """A year's, in whole currency units."""
    time: Served | None
    lines: Mapping[Direction, LineDistribution]
    p95_bps: Mapping[Direction, float]
    rtt_median_ms: float | None
    rtt_p95_ms: float | None
    claimed_p95_bps: Mapping[Direction, float]
    """By the provider's own recording, where one was imported and covers the window."""
    import_record: Mapping[str, Any] | None

    @property
    def promised_bps(self) -> int:
        return self.contract.capacity.down

    @property
    def price_per_mbps(self) -> float | None:
        """A month's, of a promised Mbit/s of download."""
        return None if self.price is None else self.price / 12 / (self.promised_bps / 1e6)

    @property
    def reached_ratio(self) -> float | None:
        """Median of what was reached when asked for, over the promise: in working hours, else at any hour that it was.

        None where that was less than two hours.
        """
        known = self.lines.get(Direction.DOWN)
        parts = (known.by_hours[Hours.BUSY], known.all) if known else ()
        return next((part.median_ratio for part in parts if part.cells >= ENOUGH_CELLS), None)

    @property
    def price_per_reached_mbps(self) -> float | None:
        ratio = self.reached_ratio
        return None if self.price_per_mbps is None or not ratio else self.price_per_mbps / min(ratio, 1.0)

    @property
    def completeness_ratio(self) -> float:
        found = self.time.completeness_ratio if self.time else None
        return 0.0 if found is None else float(found)

    @property
    def ranked(self) -> bool:
        return self.completeness_ratio >= COMPLETE

    def figures(self) -> Figures:
        """What is known of each criterion."""
        line = self.lines.get(Direction.DOWN)
        low = self.time.low_ratio if self.time else None
        known = {
            Criterion.AVAILABILITY: None if low is None else float(low),
            Criterion.DELIVERED: self.reached_ratio,
            Criterion.STABILITY: line.variation_ratio if line else None,
            Criterion.LATENCY: self.rtt_median_ms,
            Criterion.PRICE: self.price_per_reached_mbps or self.price_per_mbps,
        }
        return {criterion: figure for criterion, figure in known.items() if figure is not None}


@dataclass(frozen=True, kw_only=True)
class Comparison:
    start: datetime
    end: datetime
    weights: Mapping[Criterion, float]
    suppliers: tuple[Supplier, ...]
    ranking: Ranking | None
    """None where fewer than two were measured well enough."""


def compare(
    application: Application, contracts: Sequence[Contract], start: datetime, end: datetime, weights: Mapping[Criterion, float]
) -> Comparison:
    """All of them over [start, end). Raises: ValueError where no criterion with a weight is known of all that are ranked."""
    made = tuple(_Comparing(application, start, end).supplier(contract) for contract in contracts)
    ranked = {one.contract.id: one.figures() for one in made if one.ranked}
    # of price all or none: by what was reached where it is known of everybody, else by what is promised
    if ranked and not all(Criterion.DELIVERED in known for known in ranked.values()):
        promised = {one.contract.id: one.price_per_mbps for one in made}
        ranked = {name: _with_price(known, promised[name]) for name, known in ranked.items()}
    order = ranking(ranked, weights) if len(ranked) > 1 else None
    return Comparison(start=start, end=end, weights=weights, suppliers=made, ranking=order)


def _with_price(figures: Figures, price: float | None) -> Figures:
    known = dict(figures)
    known.pop(Criterion.PRICE, None)
    return known if price is None else known | {Criterion.PRICE: price}


class _Comparing:
    def __init__(self, application: Application, start: datetime, end: datetime) -> None:
        self.application, self.inventory, self.start, self.end = application, application.inventory, start, end
        self.first = instant_ms(start) // CELL_MS
        self.cells = -(-instant_ms(end) // CELL_MS) - self.first
        self.evidence = gather(application, start, end, least_seconds=ServiceLevel().least_outage_seconds)
        self.hours, self.days = self._local()

    def supplier(self, contract: Contract) -> Supplier:
        series = tuple(name for name, _, uplink in self.inventory.uplinks() if uplink.contract == contract.id)
        # every contract by the same clause: what one excludes and another does not would not be the same measurement
        alike = replace(contract, sla=ServiceLevel())
        rows = self._rows(UPLINK_RATE, series)
        rates = {way: self._sum(rows, f"{way}_bps") for way in Direction} if rows else {}
        record = next((one for one in reversed(imports(self.application.state)) if one["contract"] == contract.id), None)
        own = self._rows(PROVIDER_RATE, (contract.id,)) if record else []
        round_trips = np.concatenate([part["rtt_us"] for part in rows]) / 1000.0 if rows else np.empty(0)
        round_trips = round_trips[round_trips > 0]
        return Supplier(
            contract=contract,
            provider_name=self.inventory.providers[contract.provider].name,
            series=series,
            price=yearly_price(contract),
            time=served_between(self.application, alike, self.evidence, self.start, self.end) if series else None,
            lines=self._lines(contract, rates, rows) if any(np.isfinite(one).any() for one in rates.values()) else {},
            p95_bps=_p95(rates),
            rtt_median_ms=float(np.median(round_trips)) if len(round_trips) else None,
            rtt_p95_ms=nearest_rank(round_trips, 95.0) if len(round_trips) else None,
            claimed_p95_bps=_p95({way: self._sum(own, f"{way}_bps") for way in Direction}) if own else {},
            import_record=record,
        )

    def _lines(
        self, contract: Contract, rates: Mapping[Direction, Floats], rows: Sequence[Rows]
    ) -> dict[Direction, LineDistribution]:
        alone = {way: self._of_way(contract, way, rates[way], rows) for way in Direction}
        shares = {way: one.rates / max(contract.capacity[way], 1) for way, one in alone.items()}
        busy = {
            way: full_cells(one, contract.capacity[way]) | flat_cells(one.rates, contract.capacity[way])
            for way, one in alone.items()
        }
        found = {}
        for way, other in ((Direction.DOWN, Direction.UP), (Direction.UP, Direction.DOWN)):
            cells = replace(alone[way], follows=busy[other] & (shares[other] > shares[way]))
            found[way] = line_distribution(cells, contract.capacity[way])
        return found

    def _of_way(self, contract: Contract, way: Direction, rates: Floats, rows: Sequence[Rows]) -> Cells:
        rates, asked = self._tested(contract, way, rates)
        discards, nothing = self._sum(rows, f"{way}_discards_ps"), np.zeros(self.cells, np.bool_)
        return Cells(rates=rates, discards=discards, hours=self.hours, days=self.days, asked=asked, follows=nothing)

    def _tested(self, contract: Contract, way: Direction, rates: Floats) -> tuple[Floats, NDArray[np.bool_]]:
        """Rates with what arrived in tests of trials, and the cells that tests or declared times filled."""
        rates, asked = rates.copy(), np.zeros(self.cells, np.bool_)
        for trial in read_trials(self.application.state):
            lines = {line.id for line in trial.lines if line.series == contract.id}
            for test in trial.tests:
                place = instant_ms(test.start) // CELL_MS - self.first
                if test.line in lines and test.direction is way and test.rate_bps is not None and 0 <= place < self.cells:
                    rates[place], asked[place] = test.rate_bps, True
            for declared in trial.declared if lines else ():
                first, last = -(-instant_ms(declared.start) // CELL_MS), instant_ms(declared.end) // CELL_MS
                asked[max(first - self.first, 0) : max(last - self.first, 0)] = True
        return rates, asked

    def _rows(self, measurement: str, series: Sequence[str]) -> list[Rows]:
        """Samples of each series; nothing of one without any."""
        if not series:
            return []
        late = timedelta(milliseconds=1)
        batch = self.application.store.read(
            measurement, start=self.start + late, end=self.end + late, series=series, columns=_COLUMNS
        )
        read = batch.rows[batch.rows["reason"] == GapReason.NONE]
        parts = [read[read["series"] == position] for position in range(len(series))]
        return [part for part in parts if len(part)]

    def _sum(self, parts: Sequence[Rows], column: str) -> Floats:
        """Of all uplinks by cell; a cell that one of them lacks is not measured."""
        total = np.zeros(self.cells)
        for rows in parts:
            total = total + on_grid(rows["end_ms"], np.nan_to_num(rows[column].astype(np.float64)), self.first, self.cells)
        return total

    def _local(self) -> tuple[NDArray[np.str_], NDArray[np.int64]]:
        """Of each cell, whether it is busy, night or neither, and its local day."""
        zone = ZoneInfo(self.inventory.organisation.timezone)
        starts_ms = (self.first + np.arange(self.cells, dtype=np.int64)) * CELL_MS
        local = [datetime.fromtimestamp(at / 1000, UTC).astimezone(zone) for at in starts_ms.tolist()]
        night = np.array([at.hour >= _NIGHT[0] or at.hour < _NIGHT[1] for at in local], np.bool_)
        calendar = self.inventory.calendars.get("office", ALWAYS)
        busy = inside(spans(calendar, self.inventory.organisation.timezone, self.start, self.end), starts_ms)
        hours = np.where(busy & (~night | (calendar is not ALWAYS)), Hours.BUSY, np.where(night, Hours.NIGHT, Hours.OTHER))
        return hours, np.array([at.toordinal() for at in local], np.int64)


def _p95(rates: Mapping[Direction, Floats]) -> dict[Direction, float]:
    known = {way: series[np.isfinite(series)] for way, series in rates.items()}
    return {way: nearest_rank(series, 95.0) for way, series in known.items() if len(series)}
