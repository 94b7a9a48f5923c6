"""kill -9 in a loop, and the reckoning after it: what the daemon acknowledged against what its store holds and routers counted.

For the system test and `bench/kill.py`.
"""

from __future__ import annotations

import signal
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from random import Random

import numpy as np

from bwmgr.measure.columns import Rows
from bwmgr.stores import LINK_RATE
from bwmgr.stores.embedded import EmbeddedStore
from bwmgr.testing.site import Daemon, Site

_TOLERANCE_MS = 300
"""Between our stamp of a request and the router's own clock; an interval counted twice would be a second at the least."""


@dataclass(frozen=True, kw_only=True)
class Reckoning:
    """What came of it; all but the first two must be nothing."""

    kills: int
    acknowledged: int
    """Cycles that the daemon said it had committed."""
    lost: int
    """Rows of acknowledged cycles that the store does not hold."""
    overlapping: int
    """Pairs of stored intervals of one link that cover some time twice."""
    excess_octets: int
    """Stored octets beyond what the routers counted between the first reading and the last."""
    leftovers: tuple[str, ...]
    """Temporary files after a clean end."""


def kill_in_a_loop(site: Site, *, kills: int, seed: int) -> Reckoning:
    """Starts and kills the daemon so often, each time at another moment of a cycle; ends with one clean run."""
    random = Random(seed)  # noqa: S311  # moments to kill at, no secret
    acknowledged: list[str] = []
    for _ in range(kills):
        with site.daemon() as daemon:
            daemon.wait_for_cycles(1)
            _run_for(daemon, random.uniform(0, 1.5 * site.interval_seconds))
            daemon.signal(signal.SIGKILL)
            daemon.wait()
            acknowledged += _committed(daemon)
    with site.daemon() as daemon:
        daemon.wait_for_cycles(2)
        daemon.signal(signal.SIGTERM)
        if daemon.wait() != 0:
            raise AssertionError(f"the clean run at the end failed: {daemon.log[-5:]}")
        acknowledged += _committed(daemon)
    return _reckoned(site, kills, acknowledged)


def _run_for(daemon: Daemon, seconds: float) -> None:
    try:
        daemon.process.wait(seconds)
    except subprocess.TimeoutExpired:
        return
    raise AssertionError(f"the daemon ended by itself: {daemon.log[-5:]}")


def _committed(daemon: Daemon) -> list[str]:
    return [str(line["at"]) for line in daemon.logged("cycle done")]


def _reckoned(site: Site, kills: int, acknowledged: list[str]) -> Reckoning:
    folder = site.folder / "var"
    begun = np.array([datetime.fromisoformat(at).timestamp() * 1000 for at in acknowledged])
    lost = overlapping = excess = 0
    store = EmbeddedStore(folder, readonly=True)
    try:
        for link in range(site.links):
            batch = store.read(
                LINK_RATE,
                start=datetime(2020, 1, 1, tzinfo=UTC),
                end=datetime(2100, 1, 1, tzinfo=UTC),
                series=[f"link-{link}"],
            )
            lost += _without_row(batch.rows["end_ms"], begun, 2000 * site.interval_seconds)
            rates = batch.rows[batch.rows["reason"] == 0]
            overlapping += _overlaps(rates)
            excess += _excess(site, link, rates)
    finally:
        store.close()
    leftovers = tuple(path.name for path in folder.rglob("*.tmp"))
    return Reckoning(
        kills=kills,
        acknowledged=len(acknowledged),
        lost=lost,
        overlapping=overlapping,
        excess_octets=excess,
        leftovers=leftovers,
    )


def _without_row(end_ms: Rows, begun: Rows, within_ms: int) -> int:
    """How many of the cycles begun at these times have no row that ends soon after."""
    next_row = np.searchsorted(end_ms, begun.astype(np.int64))
    found = np.append(end_ms, np.iinfo(np.int64).max)[next_row] <= begun + within_ms
    return int(np.count_nonzero(~found))


def _intervals(rates: Rows) -> list[tuple[int, int]]:
    ends = rates["end_ms"].tolist()
    return [(end - 10 * ticks, end) for end, ticks in zip(ends, rates["interval_ticks"].tolist(), strict=True)]


def _overlaps(rates: Rows) -> int:
    return sum(before[1] - after[0] > _TOLERANCE_MS for before, after in pairwise(_intervals(rates)))


def _excess(site: Site, link: int, rates: Rows) -> int:
    """Octets stored beyond those that the router counted in the time between."""
    if not len(rates):
        return 0
    intervals = _intervals(rates)
    stored = round(float(np.sum(rates["down_bps"] * rates["interval_ticks"] / 100 / 8)))
    most = site.counted_octets(link, intervals[-1][1] + _TOLERANCE_MS) - site.counted_octets(
        link, intervals[0][0] - _TOLERANCE_MS
    )
    return max(0, stored - most)
