"""The NOC's morning look: every link now, the total against the contracts, and how complete the data are.

Reads the newest row of each series from the store, whoever wrote it; knows nothing of how they are shown.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import numpy as np

from bwmgr.daemon.polling import is_polled
from bwmgr.measure.columns import RateBatch
from bwmgr.model.inventory import Contract, Direction, Inventory, Link, PerDirection, Provider
from bwmgr.model.said import Said
from bwmgr.model.samples import GapReason, Quality
from bwmgr.stores import LINK_RATE, UPLINK_RATE, RateStore

STALE_INTERVALS = 3
"""A link whose newest rate is older than so many polling intervals is silent."""


class LinkState(StrEnum):
    OK = "ok"
    DOWN = "down"
    SILENT = "silent"
    """Polled, but without a rate now: `reason` says why."""
    NEW = "new"
    """Never had a reading."""
    UNPOLLED = "unpolled"
    """No interface in the inventory: planned, or known by flows only."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LinkStatus:
    """A link (or contract) at its newest reading. Rates bit/s, None where there is no fresh one; limits None: unlimited."""

    id: str
    name: str
    link: Link | None = None
    state: LinkState
    reason: GapReason = GapReason.NONE
    at: datetime | None = None
    rates: PerDirection[float | None] = PerDirection(down=None, up=None)
    limits: PerDirection[float | None] = PerDirection(down=None, up=None)
    discards_ps: PerDirection[float | None] = PerDirection(down=None, up=None)
    errors_ps: PerDirection[float | None] = PerDirection(down=None, up=None)
    quality: Quality = Quality.OK
    rtt_ms: float | None = None

    def utilisation(self, direction: Direction) -> float | None:
        """Rate over limit in one direction, None where either is unknown, unlimited or 0."""
        rate, limit = self.rates[direction], self.limits[direction]
        return rate / limit if rate is not None and limit else None

    @property
    def worst_utilisation(self) -> float | None:
        """The higher of both directions."""
        known = [ratio for ratio in map(self.utilisation, Direction) if ratio is not None]
        return max(known, default=None)

    def document(self) -> dict[str, Any]:
        """As `status --format json` and csv print it: rates whole bit/s."""
        placed = {"kind": str(self.link.kind), "node": self.link.parent} if self.link else {}
        figures: dict[str, Any] = {}
        for direction in Direction:
            figures[f"{direction}_bps"] = _whole(self.rates[direction])
            figures[f"{direction}_limit_bps"] = _whole(self.limits[direction])
            figures[f"{direction}_utilisation_ratio"] = _rounded(self.utilisation(direction))
            figures[f"{direction}_discards_ps"] = _rounded(self.discards_ps[direction])
            figures[f"{direction}_errors_ps"] = _rounded(self.errors_ps[direction])
        return {
            "link" if self.link else "contract": self.id,
            "name": self.name,
            **placed,
            "state": str(self.state),
            "reason": reason_code(self.reason),
            "at": rfc3339(self.at) if self.at else None,
            **figures,
            "quality": [flag.name.lower() for flag in Quality if flag in self.quality and flag.name],
            "rtt_ms": _rounded(self.rtt_ms),
        }


@dataclass(frozen=True, kw_only=True)
class Status:
    """All of it at one instant. `contracts` are the uplinks; `links` in the inventory's order."""

    at: datetime
    links: tuple[LinkStatus, ...]
    contracts: tuple[LinkStatus, ...]

    def of(self, *states: LinkState) -> tuple[LinkStatus, ...]:
        return tuple(link for link in self.links if link.state in states)

    @property
    def polled(self) -> int:
        """Links that ought to have a rate."""
        return sum(link.state is not LinkState.UNPOLLED for link in self.links)

    @property
    def completeness_ratio(self) -> float | None:
        """Share of polled links that have a fresh rate; None where none is polled."""
        return len(self.of(LinkState.OK, LinkState.DOWN)) / self.polled if self.polled else None

    def total(self, direction: Direction) -> float | None:
        """Sum of all fresh link rates, bit/s; None where there is none, which is not a total of 0."""
        known = [rate for link in self.links if (rate := link.rates[direction]) is not None]
        return sum(known) if known else None

    def worst(self, count: int) -> tuple[LinkStatus, ...]:
        """The links closest to their limit, or over it."""
        known = [(link.worst_utilisation, link) for link in self.links]
        ranked = sorted(((ratio, link) for ratio, link in known if ratio is not None), key=lambda pair: (-pair[0], pair[1].id))
        return tuple(link for _, link in ranked[:count])

    def document(self) -> dict[str, Any]:
        """As `status --format json` prints it."""
        return {
            "at": rfc3339(self.at),
            "total": {f"{direction}_bps": _whole(self.total(direction)) for direction in Direction},
            "completeness_ratio": _rounded(self.completeness_ratio),
            "contracts": [contract.document() for contract in self.contracts],
            "links": [link.document() for link in self.links],
        }


def read_status(inventory: Inventory, store: RateStore, now: datetime, interval_seconds: float) -> Status:
    """What the store knows at `now`; rates older than `STALE_INTERVALS` intervals do not count."""
    oldest = now.timestamp() - STALE_INTERVALS * interval_seconds
    links, contracts = list(inventory.links.values()), [name for name, _, _ in inventory.uplinks()]
    rows = _by_series(store.latest(LINK_RATE, series=[link.id for link in links]))
    uplinks = _by_series(store.latest(UPLINK_RATE, series=contracts)) if contracts else {}
    return Status(
        at=now,
        links=tuple(_link_status(link, rows.get(link.id), oldest) for link in links),
        contracts=tuple(
            _contract_status(name, inventory.uplink_contracts.get(name), uplinks.get(name), oldest, inventory.providers)
            for name in contracts
        ),
    )


def choose_links(inventory: Inventory, names: Iterable[str]) -> Sequence[Link]:
    """The links of these ids. Raises: UsageError naming the unknown ones and the nearest known."""
    from difflib import get_close_matches

    from bwmgr.errors import UsageError

    chosen = []
    for name in names:
        if name not in inventory.links:
            near = get_close_matches(name, inventory.links, n=1)
            if near:
                raise UsageError(
                    Said("no link {name!r} in the configuration; did you mean {nearest!r}?", name=name, nearest=near[0])
                )
            raise UsageError(Said("no link {name!r} in the configuration", name=name))
        chosen.append(inventory.links[name])
    return chosen


def reason_code(reason: GapReason) -> str | None:
    """The reason as JSON and tags name it, None for no gap."""
    return None if reason is GapReason.NONE else reason.name.lower()


def rfc3339(instant: datetime) -> str:
    """UTC with a Z, whole seconds."""
    return instant.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _by_series(batch: RateBatch) -> Mapping[str, np.void]:
    return {batch.series[row["series"]]: row for row in batch.rows}


def _link_status(link: Link, row: np.void | None, oldest: float) -> LinkStatus:
    if row is None:
        state, reason = (
            (LinkState.NEW, GapReason.FIRST_READING) if is_polled(link) else (LinkState.UNPOLLED, GapReason.NO_COUNTERS)
        )
        return LinkStatus(id=link.id, name=link.name, link=link, state=state, reason=reason, limits=_configured(link))
    return _measured(link.id, link.name, link, row, oldest)


def _contract_status(
    name: str, contract: Contract | None, row: np.void | None, oldest: float, providers: Mapping[str, Provider]
) -> LinkStatus:
    title = providers[contract.provider].name if contract else name
    if row is None:
        capacity = contract.capacity if contract else PerDirection(down=None, up=None)
        limits: PerDirection[float | None] = PerDirection(down=capacity.down, up=capacity.up)
        return LinkStatus(id=name, name=title, state=LinkState.NEW, reason=GapReason.FIRST_READING, limits=limits)
    return _measured(name, title, None, row, oldest)


def _measured(name: str, title: str, link: Link | None, row: np.void, oldest: float) -> LinkStatus:
    at = datetime.fromtimestamp(row["end_ms"] / 1000, UTC)
    reason, quality = GapReason(int(row["reason"])), Quality(int(row["quality"]))
    limits: PerDirection[float | None] = PerDirection(down=_finite(row["down_limit_bps"]), up=_finite(row["up_limit_bps"]))
    if at.timestamp() < oldest:
        late = GapReason.LATE if reason is GapReason.NONE else reason
        return LinkStatus(id=name, name=title, link=link, state=LinkState.SILENT, reason=late, at=at, limits=limits)
    state = LinkState.SILENT if reason is not GapReason.NONE else LinkState.DOWN if Quality.OPER_DOWN in quality else LinkState.OK
    return LinkStatus(
        id=name,
        name=title,
        link=link,
        state=state,
        reason=reason,
        at=at,
        rates=_pair(row, "bps"),
        limits=limits,
        discards_ps=_pair(row, "discards_ps"),
        errors_ps=_pair(row, "errors_ps"),
        quality=quality,
        rtt_ms=float(row["rtt_us"]) / 1000 or None,
    )


def _pair(row: np.void, what: str) -> PerDirection[float | None]:
    return PerDirection(down=_finite(row[f"down_{what}"]), up=_finite(row[f"up_{what}"]))


def _configured(link: Link) -> PerDirection[float | None]:
    return PerDirection(down=link.limit.down, up=link.limit.up)


def _finite(figure: float) -> float | None:
    return float(figure) if math.isfinite(figure) else None


def _whole(figure: float | None) -> int | None:
    return None if figure is None else round(figure)


def _rounded(figure: float | None) -> float | None:
    return None if figure is None else round(figure, 4)
