"""kill -9 at any moment: what was acknowledged is there, and no octet counts twice (faults 46 and 60).

`bench/kill.py` does the same a hundred times.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bwmgr.testing.killing import kill_in_a_loop
from bwmgr.testing.site import Site


@pytest.mark.system
@pytest.mark.clock
@pytest.mark.slow
def test_a_dozen_kills_lose_no_committed_cycle_and_count_nothing_twice(tmp_path: Path) -> None:
    """Every cycle that the daemon said it had committed is in the store; intervals are disjoint; octets are the routers'."""
    site = Site(tmp_path)
    try:
        found = kill_in_a_loop(site, kills=12, seed=7)
    finally:
        site.close()
    assert found.acknowledged >= 12
    assert found.lost == found.overlapping == found.excess_octets == 0
    assert found.leftovers == ()
