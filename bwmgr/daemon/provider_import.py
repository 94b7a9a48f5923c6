"""`providers import`: a provider's own recording beside our measurement of the same line; kept only where the two agree.

Owns what is compared with what, and the record of what was accepted. What is kept stands apart from our own measurements and is
never evidence of the provider's availability.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from bwmgr.daemon.named import require_contract
from bwmgr.daemon.provider_log import ProviderLog
from bwmgr.daemon.status import rfc3339
from bwmgr.errors import UsageError
from bwmgr.measure.alignment import CELL_MS, MOST_LAG_MS, Agreement, agreement, on_grid
from bwmgr.measure.columns import RATE, RateBatch
from bwmgr.measure.outages import instant
from bwmgr.model.inventory import Contract
from bwmgr.model.said import Said
from bwmgr.model.samples import GapReason, Quality
from bwmgr.stores import PROVIDER_RATE, UPLINK_RATE

if TYPE_CHECKING:
    from bwmgr.daemon.application import Application
    from bwmgr.measure.alignment import Floats
    from bwmgr.stores.state import StateStore

_KEY = "provider.imports"
_COLUMNS = ("series", "end_ms", "reason", "down_bps", "up_bps")


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """`found` None: there are not two days that both have measured."""

    contract: Contract
    log: ProviderLog
    found: Agreement | None

    @property
    def accepted(self) -> bool:
        return self.found is not None and self.found.accepted


def compare(application: Application, contract: str, log: ProviderLog) -> Comparison:
    """Raises: UsageError where there is no such contract, or none of its uplinks is polled."""
    inventory = application.inventory
    require_contract(inventory, contract)
    uplinks = [name for name, _, uplink in inventory.uplinks() if uplink.contract == contract]
    if not uplinks:
        raise UsageError(Said("no uplink of contract {contract} is polled: there is nothing to compare with", contract=contract))
    first = (int(log.end_ms[0]) - MOST_LAG_MS) // CELL_MS
    cells = (int(log.end_ms[-1]) + MOST_LAG_MS) // CELL_MS - first + 1
    ours = _ours(application, uplinks, first, cells)
    theirs = (on_grid(log.end_ms, log.first, first, cells), on_grid(log.end_ms, log.second, first, cells))
    return Comparison(contract=inventory.contracts[contract], log=log, found=agreement(ours, theirs))


def keep(application: Application, made: Comparison, *, file: str, by: str, at: datetime) -> None:
    """Stores the rows, their times by our clock, and who imported what. Raises: UsageError where it was not accepted."""
    found = made.found
    if found is None or not found.accepted:
        raise UsageError(Said("{file} was not accepted: nothing is kept", file=file))
    down, up = (made.log.second, made.log.first) if found.swapped else (made.log.first, made.log.second)
    rows = np.zeros(len(made.log.end_ms), RATE)
    rows["end_ms"], rows["interval_ticks"] = made.log.end_ms + found.lag_ms, made.log.step_ms // 10
    rows["down_bps"], rows["up_bps"] = down, up
    rows["quality"] = Quality.IMPORTED | Quality.PARTIAL
    rows["down_limit_bps"], rows["up_limit_bps"] = made.contract.capacity.down, made.contract.capacity.up
    for column in ("discards_ps", "errors_ps"):
        rows[f"down_{column}"] = rows[f"up_{column}"] = np.nan
    application.store.write(PROVIDER_RATE, RateBatch(series=(made.contract.id,), rows=rows))
    record = {**document(made), "file": file, "by": by, "at": rfc3339(at)}
    application.state.put(_KEY, json.dumps([*imports(application.state), record], ensure_ascii=False).encode())


def imports(state: StateStore) -> list[dict[str, Any]]:
    """What was accepted, oldest first, as `document` says it, with file, by and at."""
    content = state.get(_KEY)
    found: list[dict[str, Any]] = [] if content is None else json.loads(content)
    return found


def document(made: Comparison) -> dict[str, Any]:
    """`providers import --format json`."""
    found, log = made.found, made.log
    pairs = {} if found is None else {
        f"{way}_{what}": _rounded(figure)
        for what, figures in (("correlation", found.correlations), ("bias_ratio", found.bias_ratios))
        for way, figure in zip(("down", "up"), figures, strict=True)
    }  # fmt: skip
    return {
        "contract": made.contract.id,
        "accepted": made.accepted,
        "start": rfc3339(instant(int(log.end_ms[0]))),
        "end": rfc3339(instant(int(log.end_ms[-1]))),
        "rows": len(log.end_ms),
        "coarse_rows_left_out": log.coarse,
        "sha256": log.sha256,
        "cells": found.cells if found else 0,
        "lag_seconds": found.lag_ms // 1000 if found else None,
        "swapped": found.swapped if found else None,
        **pairs,
    }


def _ours(application: Application, uplinks: Sequence[str], first: int, cells: int) -> tuple[Floats, Floats]:
    """The contract's uplinks together; a cell that one of them lacks is missing."""
    start, end = instant(first * CELL_MS), instant((first + cells) * CELL_MS) + timedelta(milliseconds=1)
    batch = application.store.read(UPLINK_RATE, start=start, end=end, series=uplinks, columns=_COLUMNS)
    sums = (np.zeros(cells), np.zeros(cells))
    for position in range(len(uplinks)):
        rows = batch.rows[(batch.rows["series"] == position) & (batch.rows["reason"] == GapReason.NONE)]
        made = (on_grid(rows["end_ms"], rows[f"{way}_bps"], first, cells) for way in ("down", "up"))
        sums = (sums[0] + next(made), sums[1] + next(made))
    return sums


def _rounded(figure: float | None) -> float | None:
    return None if figure is None else round(figure, 4)
