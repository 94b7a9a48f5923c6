"""The samples behind a statement about a node: the series of the sum, or of one part of its contracts.

Owns which series that was. It is made anew from the stored history; where none comes to the percentile that was recommended on,
the history has changed since, and that is said.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bwmgr.daemon.node_loads import GRID_SECONDS
from bwmgr.daemon.part_flows import CELL_MS, part_flows
from bwmgr.errors import UsageError
from bwmgr.measure import sums
from bwmgr.measure.calendars import inside, spans
from bwmgr.measure.windows import nearest_rank
from bwmgr.model.decision import Recommendation
from bwmgr.model.said import Said
from bwmgr.stores import LINK_RATE, UPLINK_RATE

if TYPE_CHECKING:
    from bwmgr.daemon.application import Application

Samples = tuple[NDArray[np.int64], NDArray[np.float64], int]
"""End of each in ms, bit/s, seconds that each covers."""


def node_samples(application: Application, found: Recommendation) -> Samples:
    """What the percentile of the evidence was taken of. Raises: UsageError where the history has changed since."""
    for ends_ms, rates, seconds in _candidates(application, found):
        if len(rates) == found.evidence.samples and abs(nearest_rank(rates, 95.0) - (found.evidence.p95_bps or 0.0)) < 1:
            return ends_ms, rates, seconds
    raise UsageError(
        Said("{id}: the stored history of {link} no longer gives the figures that it rests on", id=found.id, link=found.link)
    )


def _candidates(application: Application, found: Recommendation) -> Iterator[Samples]:
    part = found.evidence.more.get("part")
    if isinstance(part, str):
        yield from _of_part(application, found, part)
        return
    inventory = application.inventory
    uplinks = [name for name, node, _ in inventory.uplinks() if node.id == found.link]
    for measurement, series in ((LINK_RATE, _below(application, found.link)), (UPLINK_RATE, uplinks)):
        if series:
            yield from _of_sum(application, found, measurement, series)


def _of_part(application: Application, found: Recommendation, part: str) -> Iterator[Samples]:
    after = found.evidence.start + timedelta(milliseconds=1)  # what ends as the first step begins is not of it
    flows = part_flows(application.store, _below(application, found.link), after, found.evidence.end)
    if flows is not None:
        seen = np.asarray(flows.octets.any(axis=0))
        ends = (flows.first + np.arange(len(seen))) * CELL_MS
        rates = flows.rates().get((part, found.direction))
        if rates is not None:
            yield ends[seen], rates[seen], CELL_MS // 1000


def _of_sum(application: Application, found: Recommendation, measurement: str, series: list[str]) -> Iterator[Samples]:
    start, end = found.evidence.start, found.evidence.end
    batches = application.store.chunks(measurement, start=start, end=end, series=series, columns=sums.COLUMNS)
    total = sums.sum_batches(batches, {"": series}, start=start, end=end, grid_seconds=GRID_SECONDS).get("")
    calendar = application.inventory.calendars.get(found.evidence.calendar)
    if total is not None and calendar is not None:
        within = spans(calendar, application.inventory.organisation.timezone, start, end)
        rows = total.batch.rows[inside(within, total.batch.rows["end_ms"])]
        yield rows["end_ms"], rows[f"{found.direction}_bps"].astype(np.float64), GRID_SECONDS


def _below(application: Application, node: str) -> list[str]:
    inventory = application.inventory
    return [link.id for link in inventory.links.values() if any(above.id == node for above in inventory.ancestors(link.parent))]
