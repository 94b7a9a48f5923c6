"""The whole loop on real packets: bwmgr polls, recommends, is approved, applies, verifies, and takes harm back."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from namespaces import lacking, within
from regency import CONTRACT_BPS, OPDS, Regency, regency

from bwmgr.daemon.advice import advise
from bwmgr.daemon.application import Application
from bwmgr.daemon.orders import give
from bwmgr.daemon.policy_registry import load_settings
from bwmgr.model.inventory import Direction
from bwmgr.model.policy import Order
from bwmgr.stores import LINK_RATE
from bwmgr.testing import snmpd

pytestmark = [pytest.mark.system, pytest.mark.slow]

INTERVAL_SECONDS = 4
"""Longer than snmpd keeps its interface table."""
CIR_BPS = 5_000_000


class Office:
    """The configuration, and bwmgr's commands typed on the core."""

    def __init__(self, made: Regency, folder: Path, port: int) -> None:
        self._made, self.path = made, folder / "bwmgr.yaml"
        links = "".join(
            f"  - {{id: {name}, kind: opd, parent: kab, mir: {{down: 50M, up: 50M}}, "
            f"cir: {{down: {3 if name != 'lapar' else 5}M, up: 1M}},\n"
            f"     interface: {{device: core, if_name: v-{name}, faces: subscriber}},\n"
            f"     shaper: {{device: core, down: {{interface: v-{name}}}}}}}\n"
            for name in OPDS
        )
        self.path.write_text(
            "organisation: {name: Diskominfo, language: en}\n"
            f"snmp: {{interval: {INTERVAL_SECONDS}s}}\n"
            "daemon: {recommend_every: 1h}\n"
            "credentials: {default: {version: 2c, community: {env: COMMUNITY}}}\n"
            f"devices: [{{id: core, address: 127.0.0.1, port: {port}, enforce: {{driver: linux, namespace: {made.core}}}}}]\n"
            f"nodes: [{{id: kab, capacity: {{down: {CONTRACT_BPS}, up: {CONTRACT_BPS}}}}}]\n"
            f"links:\n{links}"
        )

        self.application = Application(load_settings(self.path))

    def said(self, *words: str) -> Any:
        return json.loads(self._made.run(self._made.core, *self.command(*words), "--format", "json"))

    def command(self, *words: str) -> list[str]:
        return ["env", f"COMMUNITY={snmpd.COMMUNITY}", sys.executable, "-m", "bwmgr", "-c", str(self.path), *words]

    def approved(self, rate_bps: int) -> str:
        """The hog's limit: ordered by one person, recommended by the engine, approved by another."""
        now = self.application.clock.now()
        order = Order(kind="override", link="boros", direction=Direction.DOWN, mir_bps=rate_bps, by="operator", start=now)
        give(self.application.state, self.application.inventory, [order], now)
        (found,) = [one for one in advise(self.application, now).recommendations if one.link == "boros"]
        self.said("recommendations", "approve", found.id, "--by", "kabid")
        return found.id

    def status(self, name: str) -> str:
        found = self.application.state.recommendation(name)
        return str(found.status) if found else ""

    def cycles(self) -> int:
        """Readings of the hog that are stored."""
        spans = self.application.store.spans(LINK_RATE)
        return spans["boros"].rows if "boros" in spans else 0


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


def until(happened: Callable[[], bool], seconds: float) -> None:
    """Until so, asked twice a second; an AssertionError if not in time."""
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.5)
