"""The whole loop on real packets: bwmgr polls, recommends, is approved, applies, verifies, and takes harm back."""

from __future__ import annotations

import signal
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from namespaces import lacking, within
from office import CIR_BPS, INTERVAL_SECONDS, Office, until
from regency import regency

from bwmgr.testing import snmpd

pytestmark = [pytest.mark.system, pytest.mark.clock, pytest.mark.slow]


def test_a_hog_is_limited_the_starving_get_their_guarantee_and_harm_is_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One hogs, one starves, one is idle. Limited, the hog obeys and the starving OPD has its CIR within two cycles, by the
    kernel's counters; a raise that takes it away again is rolled back by itself to the very class that was there."""
    if reason := lacking("tc", "iperf3", "snmpd", "ss"):
        pytest.skip(reason)
    monkeypatch.setenv("COMMUNITY", snmpd.COMMUNITY)
    with regency() as made, ExitStack() as stack:
        agent = within(made.core, lambda: stack.enter_context(snmpd.running(tmp_path / "snmpd")))
        office = Office(made, tmp_path, agent.port)
        made.download("boros", 8, 280)
        made.download("lapar", 1, 280)
        daemon = made.start(made.core, *office.command("daemon"))
        until(lambda: office.cycles() >= 2, 60)
        assert made.rate_bps("lapar", 2) < CIR_BPS
        limited = office.approved(10_000_000)
        began = time.monotonic()
        office.said("apply", limited, "--by", "operator")
        assert made.rate_bps("lapar", 2 * INTERVAL_SECONDS) >= CIR_BPS * 0.95
        assert made.rate_bps("boros", 2) <= 10_500_000
        assert made.rate_bps("diam", 0.5) < 10_000
        until(lambda: office.status(limited) == "verified", 40)
        assert time.monotonic() - began < 60
        before = made.run(made.core, "tc", "class", "show", "dev", "v-boros")
        harmful = office.approved(19_000_000)
        office.said("apply", harmful, "--by", "operator")
        until(lambda: office.status(harmful) == "rolled_back", 90)
        assert (
            "lapar fell below its guarantee of 5000000 bit/s as boros took more"
            in office.application.state.changes(harmful)[-1].note
        )
        assert made.run(made.core, "tc", "class", "show", "dev", "v-boros") == before
        assert made.rate_bps("lapar", 3) >= CIR_BPS * 0.95
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(20) == 0
