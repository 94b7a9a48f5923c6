"""The office of the regency of namespaces: its configuration, and bwmgr's commands typed on the core."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from namespaces import within
from regency import CONTRACT_BPS, OPDS, Regency

from bwmgr.daemon.advice import advise
from bwmgr.daemon.application import Application
from bwmgr.daemon.orders import give
from bwmgr.daemon.policy_registry import load_settings
from bwmgr.model.inventory import Direction
from bwmgr.model.policy import Order
from bwmgr.stores import LINK_RATE

INTERVAL_SECONDS = 4
"""Longer than snmpd keeps its interface table."""
CIR_BPS = 5_000_000
"""Of the OPD that starves."""
COMMUNITY = "{version: 2c, community: {env: COMMUNITY}}"


class Office:
    """The configuration, and bwmgr's commands typed on the core."""

    def __init__(
        self, made: Regency, folder: Path, port: int, *, others_cir: str = "3M", credential: str = COMMUNITY, more: str = ""
    ) -> None:
        """`others_cir`: of all but the starving OPD; `more`: further sections, `store:` and `netflow:` say."""
        self._made, self.path = made, folder / "bwmgr.yaml"
        links = "".join(
            f"  - {{id: {name}, kind: opd, parent: kab, mir: {{down: 50M, up: 50M}}, networks: [10.79.{number}.0/24],\n"
            f"     cir: {{down: {others_cir if name != 'lapar' else '5M'}, up: 1M}},\n"
            f"     interface: {{device: core, if_name: v-{name}, faces: subscriber}},\n"
            f"     shaper: {{device: core, down: {{interface: v-{name}}}}}}}\n"
            for number, name in enumerate(OPDS)
        )
        self.path.write_text(
            "organisation: {name: Diskominfo, language: en}\n"
            f"snmp: {{interval: {INTERVAL_SECONDS}s}}\n"
            "daemon: {recommend_every: 1h}\n"
            f"credentials: {{default: {credential}}}\n"
            f"devices: [{{id: core, address: 127.0.0.1, port: {port}, enforce: {{driver: linux, namespace: {made.core}}}}}]\n"
            f"nodes: [{{id: kab, capacity: {{down: {CONTRACT_BPS}, up: {CONTRACT_BPS}}}}}]\n"
            f"links:\n{links}{more}"
        )
        self.application = Application(load_settings(self.path))

    def reloaded(self, more: str) -> None:
        """The configuration with further sections, for this side; the daemon is told by whoever calls."""
        self.path.write_text(self.path.read_text() + more)
        self.application.close()
        self.application = Application(load_settings(self.path))

    def said(self, *words: str) -> Any:
        return json.loads(self._made.run(self._made.core, *self.command(*words), "--format", "json"))

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "bwmgr", "-c", str(self.path), *words]

    def approved(self, rate_bps: int) -> str:
        """The hog's limit: ordered by one person, recommended by the engine, approved by another."""
        now = self.application.clock.now()
        order = Order(kind="override", link="boros", direction=Direction.DOWN, mir_bps=rate_bps, by="operator", start=now)
        give(self.application.state, self.application.inventory, [order], now)
        return self.advised("boros", now)

    def advised(self, link: str, now: datetime) -> str:
        """What the engine says for the link's download, approved by the head of section."""
        advice = within(self._made.core, lambda: advise(self.application, now))
        (found,) = [one for one in advice.recommendations if one.link == link and one.direction is Direction.DOWN]
        self.said("recommendations", "approve", found.id, "--by", "kabid")
        return found.id

    def status(self, name: str) -> str:
        found = self.application.state.recommendation(name)
        return str(found.status) if found else ""

    def cycles(self) -> int:
        """Readings of the hog that are stored."""
        spans = within(self._made.core, lambda: self.application.store.spans(LINK_RATE))
        return spans["boros"].rows if "boros" in spans else 0


def until(happened: Callable[[], bool], seconds: float, *, every: float = 0.5) -> None:
    """Until so, asked every so many seconds; an AssertionError if not in time."""
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(every)
