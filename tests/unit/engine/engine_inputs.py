"""A small regency for the engine's tests: one root, one district, some links, four weeks of usage as figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bwmgr.model.bandwidth import Bandwidth
from bwmgr.model.inventory import Direction, Inventory, Link, LinkKind, Node, Organisation, PerDirection
from bwmgr.model.policy import PolicyInput
from bwmgr.model.usage import LinkHealth, UsageWindow

NOW = datetime(2026, 2, 2, 3, 0, tzinfo=UTC)
M = 1_000_000


def both(figure: int | None) -> PerDirection[int | None]:
    return PerDirection(down=figure, up=figure)


def link(name: str = "dinkes", *, limit: int | None = 20 * M, cir: int = 5 * M, mir: int | None = 50 * M, **more: object) -> Link:
    return Link(
        id=name,
        name=f"Dinas {name}",
        kind=more.pop("kind", LinkKind.OPD),  # type: ignore[arg-type]
        parent="kec",
        limit=both(limit),
        cir=PerDirection(down=cir, up=cir),
        mir=both(mir),
        calendar="office",
        **more,  # type: ignore[arg-type]
    )


def window(name: str = "dinkes", direction: Direction = Direction.DOWN, **figures: object) -> UsageWindow:
    """Four weeks, well covered, 6 Mbps mean, P95 12, maximum 15, never saturated; `figures` say otherwise."""
    usual = UsageWindow(
        link=name,
        direction=direction,
        start=NOW - timedelta(days=28),
        end=NOW,
        calendar="office",
        samples=2000,
        octets=6 * M * 600_000 // 8,
        mean_bps=6.0 * M,
        p95_bps=12.0 * M,
        max_bps=15.0 * M,
        coverage_ratio=0.99,
        saturated_ratio=0.0,
    )
    return replace(usual, **figures)  # type: ignore[arg-type]


def saturated(name: str = "dinkes", direction: Direction = Direction.DOWN, limit: int = 20 * M) -> UsageWindow:
    """At its limit 41 % of the time."""
    figures = {"mean_bps": 0.75 * limit, "p95_bps": 0.99 * limit, "max_bps": float(limit), "saturated_ratio": 0.41}
    return window(name, direction, **figures)


def given(
    links: list[Link],
    usage: Mapping[str, UsageWindow | None],
    *,
    root: int | None = 500 * M,
    district: int | None = 300 * M,
    health: Mapping[str, LinkHealth] | None = None,
    **more: object,
) -> PolicyInput:
    """Links under one district, with the download windows of `usage` (None: no data); uploads are quiet."""
    inventory = Inventory(
        organisation=Organisation(name="Kabupaten"),
        nodes={
            "root": Node(id="root", name="Kabupaten", capacity=both(root)),
            "kec": Node(id="kec", name="Kecamatan Baamang", parent="root", capacity=both(district)),
        },
        links={entry.id: entry for entry in links},
    )
    windows = {name: {Direction.DOWN: entry} for name, entry in usage.items() if entry is not None}
    return PolicyInput(
        now=NOW,
        inventory=inventory,
        current={
            entry.id: {way: Bandwidth(cir_bps=entry.cir[way], mir_bps=entry.limit[way]) for way in Direction} for entry in links
        },
        usage=windows,
        recent=windows,
        health=health or {},
        **more,  # type: ignore[arg-type]
    )
