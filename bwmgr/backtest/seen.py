"""What a rule may see: what passed, under which limits, and what was dropped at them. Never what was wanted."""

from __future__ import annotations

from datetime import datetime

import numpy as np

from bwmgr.allocate.arrays import Floats
from bwmgr.backtest.scenario import Scenario

_PACKET_BITS = 1500 * 8


class Seen:
    """The measurements up to now, filled step by step by the replay."""

    def __init__(self, scenario: Scenario) -> None:
        size = (len(scenario.links), scenario.steps)
        self._usage, self._limits, self._discards = np.zeros(size), np.zeros(size), np.zeros(size, np.float32)
        self._nodes = np.zeros((len(scenario.inventory.nodes), scenario.steps))
        self._scenario, self.step = scenario, 0

    def add(self, usage_bps: Floats, limits_bps: Floats, dropped_bps: Floats) -> None:
        """The samples of one more step; `dropped_bps` at the links' own limits."""
        self._usage[:, self.step] = usage_bps
        self._nodes[:, self.step] = self._scenario.shape.node_sums(usage_bps)
        self._limits[:, self.step] = limits_bps
        self._discards[:, self.step] = dropped_bps / _PACKET_BITS
        self.step += 1

    @property
    def now(self) -> datetime:
        """The end of the last step."""
        return self._scenario.at(self.step)

    @property
    def usage_bps(self) -> Floats:
        """Shape (links, steps so far)."""
        return self._usage[:, : self.step]

    @property
    def node_bps(self) -> Floats:
        """What passed each node of the inventory, in its order."""
        return self._nodes[:, : self.step]

    @property
    def limits_bps(self) -> Floats:
        """The limits that were in force, `inf` where none; same shape."""
        return self._limits[:, : self.step]

    @property
    def discards_ps(self) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
        """Packets a second dropped at the limits, of 1,500 octets; same shape."""
        return self._discards[:, : self.step]
