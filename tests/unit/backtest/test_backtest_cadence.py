"""How often the policies run in a replay: as in the daemon where one follows what is full now, hourly otherwise."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from bwmgr.daemon.application import Application
from bwmgr.daemon.backtesting import _every
from policies import fair_share, right_size


@pytest.mark.parametrize(
    ("nodes", "configured", "expected"), [(("uplink",), 900.0, 900.0), ((), 900.0, 3600.0), ((), 7200.0, 7200.0)]
)
def test_a_policy_that_follows_now_is_run_as_in_the_daemon(nodes: tuple[str, ...], configured: float, expected: float) -> None:
    """`fair_share` that names a node; without one, what looks at weeks says the same for an hour."""
    daemon = SimpleNamespace(recommend_every_seconds=configured)
    application = cast(Application, SimpleNamespace(settings=SimpleNamespace(daemon=daemon)))
    choices: list[Any] = [
        ("right_size", right_size.propose, right_size.Parameters()),
        ("fair_share", fair_share.propose, fair_share.Parameters(nodes=nodes)),
    ]
    assert _every(choices, application) == expected
