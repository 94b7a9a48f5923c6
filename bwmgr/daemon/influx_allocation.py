"""What the engine went by, as measurement `allocation`: each link's guarantee, ceiling, limit in force, weight and demand.

Owns its fields. Written whenever the engine runs, for dashboards: nothing here is read back.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from bwmgr.model.inventory import Direction
from bwmgr.stores.influx.points import point

if TYPE_CHECKING:
    from bwmgr.model.inventory import Link
    from bwmgr.model.policy import PolicyInput
    from bwmgr.stores.influx import InfluxStore

Demand = dict[str, float | str | None]


def tell_allocation(store: InfluxStore, given: PolicyInput) -> None:
    """A point for each link and direction at `given.now`. Raises: StoreUnavailable, StoreRejected."""
    store.write_lines(b"".join(_points(given)))


def _points(given: PolicyInput) -> Iterator[bytes]:
    for link in given.inventory.links.values():
        for way in Direction:
            tags = {"link": link.id, "direction": str(way)}
            yield point("allocation", tags, {**_terms(given, link, way), **_demand(given, link, way)}, given.now)


def _terms(given: PolicyInput, link: Link, way: Direction) -> dict[str, float | None]:
    """Rates are floats, as `limit_bps` of `link_rate` is; what has no bound has no field."""
    limit = given.current[link.id][way].mir_bps if link.id in given.current else link.limit[way]
    ceiling = link.mir[way]
    return {
        "cir_bps": float(link.cir[way]),
        "mir_bps": None if ceiling is None else float(ceiling),
        "limit_bps": None if limit is None else float(limit),
        "weight": float(link.weight),
    }


def _demand(given: PolicyInput, link: Link, way: Direction) -> Demand:
    """Where a limit held the link back, the interval that its samples tell; elsewhere what was used is what is wanted."""
    if (held := given.demand.get(link.id, {}).get(way)) is not None:
        return {"demand_low_bps": held.low_bps, "demand_high_bps": held.high_bps, "demand_kind": held.kind}
    window = given.usage.get(link.id, {}).get(way)
    if window is None or window.p95_bps is None:
        return {}
    return {"demand_low_bps": window.p95_bps, "demand_high_bps": window.p95_bps, "demand_kind": "measured"}
