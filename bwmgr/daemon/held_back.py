"""The demand of links that were held back, from their samples: what `advice` gives the policies beside the windows.

Owns whose samples are looked at: those of links that were at their limit for more time than their percentile leaves out, or whose
device drops. Nobody else's percentile was touched by a limit, so nobody else's samples are read. The estimate is
`bwmgr.measure.behind`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from bwmgr.measure.behind import COLUMNS, demand_behind
from bwmgr.measure.calendars import inside, spans
from bwmgr.measure.demand import may_be_held
from bwmgr.model.demand import DemandInterval
from bwmgr.model.inventory import Direction
from bwmgr.stores import LINK_RATE

if TYPE_CHECKING:
    from bwmgr.daemon.application import Application
    from bwmgr.measure.columns import Rows
    from bwmgr.model.policy import Usage
    from bwmgr.model.usage import LinkHealth

Demands = Mapping[str, Mapping[Direction, DemandInterval]]


def demands(
    application: Application, usage: Usage, health: Mapping[str, LinkHealth], *, window: timedelta, end: datetime
) -> Demands:
    """By link id and direction, over the windows of `usage`, each within its link's calendar."""
    inventory, zone = application.inventory, application.inventory.organisation.timezone
    asked = {
        name: ways
        for name, windows in usage.items()
        if (ways := [way for way, entry in windows.items() if may_be_held(entry, health.get(name))])
    }
    found: dict[str, dict[Direction, DemandInterval]] = {}
    if not asked:
        return found
    start = max(end - window, min(entry.start for name in asked for entry in usage[name].values()))
    for batch in application.store.chunks(LINK_RATE, start=start, end=end, series=list(asked), columns=COLUMNS):
        bounds = np.searchsorted(batch.rows["series"], np.arange(len(batch.series) + 1))
        for position, name in enumerate(batch.series):
            rows: Rows = batch.rows[bounds[position] : bounds[position + 1]]
            calendar = inventory.calendars[inventory.links[name].calendar]
            rows = rows[inside(spans(calendar, zone, start, end), rows["end_ms"])]
            for way in asked[name]:
                if (demand := demand_behind(rows, way, timezone=zone, calendar=calendar)) is not None:
                    found.setdefault(name, {})[way] = demand
    return found
