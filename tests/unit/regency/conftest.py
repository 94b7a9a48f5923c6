"""The demo's regency, on a clock that is moved by hand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from bwmgr.model.secret import Secret
from bwmgr.testing.clock import ManualClock
from bwmgr.testing.kabupaten import Passwords, kabupaten, troubles
from bwmgr.testing.regency import Regency

_TEN_O_CLOCK = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)


def _regency(clock: ManualClock) -> Regency:
    passwords = Passwords(community=Secret("sekolah"), auth=Secret("kata-sandi-1"), priv=Secret("kata-sandi-2"))
    return Regency(kabupaten(passwords), clock, troubles=troubles(_TEN_O_CLOCK))


@pytest.fixture
def clock() -> ManualClock:
    """Tuesday 24 November 2026, 10:00 in Jakarta."""
    return ManualClock(_TEN_O_CLOCK)


@pytest.fixture
def place(clock: ManualClock) -> Iterator[Regency]:
    """With all its troubles; it answers from `start` on."""
    made = _regency(clock)
    yield made
    made.stop()


@pytest.fixture(scope="session")
def quiet_place() -> Regency:
    """The same, for questions about its traffic alone: it never answers."""
    made = _regency(ManualClock(_TEN_O_CLOCK))
    made.stop()
    return made
