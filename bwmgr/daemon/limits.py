"""Which rate limit is in force on each link now, and since when: a history, since usage is judged by the limit of its time.

The configuration's limits enter the history when they change there. What is recorded otherwise (a recommendation applied) stays
in force until the configuration says something new. Owns no figures: they stand in the state store.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from bwmgr.model.inventory import Inventory, PerDirection

if TYPE_CHECKING:
    from bwmgr.stores.state import StateStore

Limit = PerDirection[int | None]

_CONFIGURED = "limits.configured"


def record_configured(state: StateStore, inventory: Inventory, at: datetime) -> None:
    """Adds the links' limits that the configuration changed since the last call to the history, as in force from `at`.

    Raises: StoreUnavailable.
    """
    before: dict[str, list[int | None]] = json.loads(state.get(_CONFIGURED) or b"{}")
    now = {link.id: [link.limit.down, link.limit.up] for link in inventory.links.values()}
    changed = {link: inventory.links[link].limit for link, limit in now.items() if before.get(link) != limit}
    if changed:
        state.record_limits(at, changed)
    if before != now:
        state.put(_CONFIGURED, json.dumps(now).encode())


def in_force(state: StateStore, inventory: Inventory) -> Mapping[str, Limit]:
    """The newest limit of every link of the inventory, the configuration's where none is recorded."""
    recorded = state.all_limits()
    return {link.id: recorded[link.id][-1][1] if link.id in recorded else link.limit for link in inventory.links.values()}
