"""The verifier of evidence packs beside the program: other code, the same answers, on whatever comes."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bwmgr.allocate import allocate
from bwmgr.measure import calendars
from bwmgr.measure.columns import RATE, RateBatch
from bwmgr.measure.outages import Known, timelines
from bwmgr.measure.outages import outages as program_outages
from bwmgr.model.bandwidth import CapacityLeaf, CapacityNode
from bwmgr.model.inventory import Calendar, ServiceClass
from bwmgr.model.samples import GapReason
from bwmgr.reports.evidence.verifier import opening, service
from bwmgr.reports.evidence.verifier.samples import Sample
from bwmgr.reports.evidence.verifier.sharing import shares

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
HOURS = st.sampled_from([
    (), ((time(7, 30), time(16)),), ((time(0), None),), ((time(8), time(12)), (time(13), time(17))), ((time(22), time(6)),),
])  # fmt: skip
M = 1_000_000


@given(
    week=st.lists(HOURS, min_size=7, max_size=7),
    zone=st.sampled_from(["Asia/Jakarta", "Asia/Jayapura", "Europe/Berlin"]),
    first=st.datetimes(datetime(2026, 3, 20), datetime(2026, 11, 1)),  # noqa: DTZ001  # made aware below
    hours=st.integers(1, 400),
    closed=st.sets(st.integers(0, 14), max_size=4),
)
@settings(max_examples=100, deadline=None)
def test_open_time_is_the_same(week: list[Any], zone: str, first: datetime, hours: int, closed: set[int]) -> None:
    """Fault 57 too: nights, holidays, and the days on which summer time begins or ends."""
    start = first.replace(second=0, microsecond=0, tzinfo=UTC)
    end = start + timedelta(hours=hours)
    days = frozenset(start.astimezone(ZoneInfo(zone)).date() + timedelta(days=day - 1) for day in closed)
    rule = {
        "week": [[[f"{a:%H:%M}", f"{b or time(0):%H:%M}"] for a, b in spans] for spans in week],
        "closed": [day.isoformat() for day in days],
    }
    theirs = calendars.spans(Calendar(id="c", weekly=tuple(week), closed=days), zone, start, end).tolist()
    assert opening.spans(rule, ZoneInfo(zone), _ms(start), _ms(end)) == theirs


@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from([60, 60, 60, 300, 900]), st.sampled_from([0, 0, 0, 2, 2, 7, 9, 13, 14]), st.booleans(),
            st.sampled_from([0, 50, 2 * M, 9 * M, 400 * M]), st.booleans(),
        ),
        max_size=60,
    ),
    witnesses=st.none() | st.sets(st.integers(0, 3600), max_size=20),
    usual=st.booleans(),
)  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_service_and_outages_are_the_same(
    rows: list[tuple[int, int, bool, int, bool]], witnesses: set[int] | None, usual: bool
) -> None:
    """Whatever rows come: gaps, down ports, silence that a later rate explains, dark uplinks, witnesses or none."""
    batch, samples = _rows(rows)
    seen = None if witnesses is None else np.array(sorted(at * 1000 for at in witnesses), np.int64)
    line = next(timelines(batch, witnesses=seen, usual=usual))
    mine = service.slots(samples, None if seen is None else seen.tolist(), usual=usual)
    assert [(slot.start, slot.end, Known(slot.known)) for slot in mine] == list(
        zip(line.start_ms.tolist(), line.end_ms.tolist(), map(Known, line.known.tolist()), strict=True)
    )
    assert [(one.start, one.end, one.sign) for one in service.outages(mine, 300)] == [
        (_ms(one.start), _ms(one.end), str(one.sign)) for one in program_outages(line, least_seconds=300)
    ]


def _rows(rows: list[tuple[int, int, bool, int, bool]]) -> tuple[RateBatch, list[Sample]]:
    table = np.zeros(len(rows), RATE)
    at, samples = 0, []
    for row, (seconds, reason, down, rate, limited) in zip(table, rows, strict=True):
        at += seconds * 1000
        there = reason == GapReason.NONE
        limit = 10.0 * M if limited else np.inf
        values = (float(rate), 1000.0) if there else (np.nan, np.nan)
        row["end_ms"], row["reason"], row["quality"], row["interval_ticks"] = at, reason, int(down), seconds * 100
        row["down_bps"], row["up_bps"] = values
        row["down_limit_bps"] = row["up_limit_bps"] = limit
        samples.append(Sample(at, reason, int(down), float(seconds), *values, limit, limit, 0.0, 0.0, 0.0))
    return RateBatch(series=("a",), rows=table), samples


_LINK = st.tuples(
    st.integers(0, 3), st.none() | st.integers(0, 40), st.integers(0, 5), st.none() | st.integers(5, 60),
    st.sampled_from([0.0, 0.5, 1.0, 3.0]), st.sampled_from(list(ServiceClass)),
)  # fmt: skip


@given(
    capacities=st.lists(st.integers(0, 100), min_size=4, max_size=4),
    weights=st.lists(st.sampled_from([0.0, 1.0, 2.0]), min_size=4, max_size=4),
    hierarchical=st.lists(st.booleans(), min_size=4, max_size=4),
    links=st.lists(_LINK, min_size=1, max_size=8),
)
@settings(max_examples=40, deadline=None)
def test_sharing_is_the_same(capacities: list[int], weights: list[float], hierarchical: list[bool], links: list[Any]) -> None:
    """Trees of four nodes with guarantees, classes, weights of 0 and hierarchical fairness."""
    parents = [None, "n0", "n0", "n1"]
    nodes = [
        CapacityNode(id=f"n{place}", parent=parents[place], capacity_bps=float(capacities[place] * M), weight=weights[place],
                     fairness="hierarchical" if hierarchical[place] else "leaf")
        for place in range(4)
    ]  # fmt: skip
    leaves = [
        CapacityLeaf(id=f"l{place}", parent=f"n{node}", demand_bps=None if demand is None else float(demand * M),
                     cir_bps=float(cir * M), mir_bps=None if mir is None else float(mir * M), weight=weight, service_class=rank)
        for place, (node, demand, cir, mir, weight, rank) in enumerate(links)
    ]  # fmt: skip
    problem = {
        "nodes": [{"id": one.id, "parent": one.parent, "capacity_bps": one.capacity_bps, "weight": one.weight,
                   "fairness": one.fairness} for one in nodes],
        "links": [{"id": one.id, "parent": one.parent, "demand_bps": one.demand_bps, "cir_bps": one.cir_bps,
                   "mir_bps": one.mir_bps, "weight": one.weight, "class": str(one.service_class)} for one in leaves],
    }  # fmt: skip
    mine = shares(problem)
    for one in allocate(nodes, leaves).allocations:
        assert abs(mine[one.id] - one.allocation_bps) <= 1, (one.id, mine, one)


def _ms(at: datetime) -> int:
    return (at - EPOCH) // timedelta(milliseconds=1)


def test_the_strategies_cover_summer_time() -> None:
    """The first test is about days of 23 and 25 hours as well."""
    berlin = ZoneInfo("Europe/Berlin")
    lengths = {calendars.day("Europe/Berlin", date(2026, month, 25) + timedelta(days=n)) for month in (3, 10) for n in range(7)}
    assert {round((end - start).total_seconds() / 3600) for start, end in lengths} >= {23, 24, 25}
    assert berlin.key == "Europe/Berlin"
