"""Octets of flows that belong to no link, by hour: what tells wrong networks from a router that exports nothing.

Owns where they are kept (the state store, some weeks of hours) and their form. They are nobody's usage, so they are not in the
store of flows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bwmgr.measure.reconcile import HOUR_MS

if TYPE_CHECKING:
    from bwmgr.stores.state import StateStore

STRAY = "no_link_octets"
"""Their name among what is unattributed."""
_KEY = "flows.strays"
_MOST_HOURS = 35 * 24


def add_strays(state: StateStore, at: datetime, octets: int) -> None:
    """Count these in the hour of `at`. Raises: StoreError."""
    if octets <= 0:
        return
    hour = round(at.timestamp() * 1000) // HOUR_MS
    kept = dict(_read(state))
    kept[hour] = kept.get(hour, 0) + octets
    oldest = hour - _MOST_HOURS
    state.put(_KEY, json.dumps({str(one): kept[one] for one in sorted(kept) if one > oldest}).encode())


def strays(state: StateStore, start_ms: int, hours: int) -> NDArray[np.float64]:
    """Octets of each whole hour from `start_ms` on. Raises: StoreError."""
    kept, first = _read(state), start_ms // HOUR_MS
    return np.array([kept.get(first + number, 0) for number in range(hours)], np.float64)


def _read(state: StateStore) -> Mapping[int, int]:
    found = state.get(_KEY)
    return {int(hour): int(octets) for hour, octets in json.loads(found).items()} if found else {}
