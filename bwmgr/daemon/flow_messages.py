"""What the daemon and its flow process say to each other: plain and picklable. Owns the file of the newest view, no behaviour."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bwmgr.errors import Mistake
from bwmgr.measure.columns import RateBatch

SNAPSHOT_FILE = "flows.json"


@dataclass(frozen=True, kw_only=True)
class Listening:
    """The collector works by the plan that it was sent last. Addresses are (host, port).

    `fresh`: it is a new one, which knows nothing of what was counted in open minutes.
    """

    addresses: tuple[tuple[str, int], ...]
    fresh: bool


@dataclass(frozen=True, kw_only=True)
class Refused:
    """The plan cannot be followed (an address in use ...); an older one stays in force, if there is one."""

    mistakes: tuple[Mistake, ...]


@dataclass(frozen=True, kw_only=True)
class Totals:
    """Since the collector's start. `lost` are sequence gaps in units of each protocol and datagrams that the kernel dropped."""

    datagrams: int = 0
    octets: int = 0
    flows: int = 0
    lost: int = 0
    refused: int = 0
    socket_drops: int = 0
    cpu_seconds: float = 0.0
    problems: Mapping[str, int] = field(default_factory=Counter)
    unattributed: Mapping[str, int] = field(default_factory=Counter)


@dataclass(frozen=True, kw_only=True)
class Minutes:
    """Minutes that are over, and the view of the moment: `rows` of FLOW_USAGE, `snapshot` as the file holds it.

    `own`: for each row, whether the link's own router told it.
    """

    rows: RateBatch
    own: NDArray[np.bool_]
    totals: Totals
    snapshot: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Ended:
    """Everything was said; the process ends."""


Said = Listening | Refused | Minutes | Ended


def read_snapshot(folder: Path) -> dict[str, Any] | None:
    """The newest view that a daemon has written into its data folder; None where there is none to be read."""
    try:
        found = json.loads((folder / SNAPSHOT_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
