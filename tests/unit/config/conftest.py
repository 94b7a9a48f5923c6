"""Policies of the tests' own, so that what is said of a configuration does not change with each policy that is added."""

from __future__ import annotations

from dataclasses import dataclass

import pytest


@dataclass(frozen=True, kw_only=True, slots=True)
class Sizing:
    headroom_ratio: float = 0.25
    least_bps: int = 1_000_000
    every_seconds: float = 3600.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    calendar: str = ""
    off: bool = False
    links: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    times: int


@pytest.fixture(scope="session")
def policies() -> dict[str, type]:
    """By name, as `bwmgr.config.load` takes them."""
    return {"right_size": Sizing, "rule": Rule}
