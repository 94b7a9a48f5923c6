"""Small state: exact round trips, the life of a recommendation, the history of limits, and two processes on one file."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bwmgr.errors import StoreError, UsageError
from bwmgr.model.bandwidth import Bandwidth
from bwmgr.model.decision import Action, Evidence, Expected, Reason, Recommendation, Status, StatusChange
from bwmgr.model.inventory import Direction, PerDirection
from bwmgr.stores.state import StateStore

AT = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)


def _recommendation(name: str = "0123456789abcdef", **changes: object) -> Recommendation:
    entry = Recommendation(
        id=name,
        created_at=AT,
        link="dinkes",
        direction=Direction.DOWN,
        action=Action.RAISE,
        policy="right_size",
        current=Bandwidth(cir_bps=5_000_000, mir_bps=20_000_000),
        proposed=Bandwidth(cir_bps=5_000_000, mir_bps=None),
        valid_from=AT,
        valid_until=AT + timedelta(days=7, microseconds=5),
        reason=Reason(code="high", message="{n} {share}", values={"n": 3, "share": 3.0, "text": "3", "tiny": 0.1 + 0.2}),
        evidence=Evidence(
            start=AT - timedelta(days=30),
            end=AT,
            calendar="office",
            p95_bps=19_000_000.125,
            demand_bps=None,
            saturated_ratio=0.0,
            coverage_ratio=1.0,
            samples=8640,
            more={"whole": 2, "real": 2.0, "absent": None, "name": "é"},
        ),
        expected=Expected(monthly_price=1_500_000),
    )
    return replace(entry, **changes)  # type: ignore[arg-type]


@pytest.fixture
def state(tmp_path: Path) -> StateStore:
    return StateStore(tmp_path / "var" / "state.sqlite")


def test_what_is_put_is_got_and_the_last_one_counts(state: StateStore) -> None:
    """Bytes are kept as they are; several keys are put together or not at all."""
    assert state.get("poller") is None
    state.put("poller", b"\0first")
    state.put_many({"poller": b"\xffsecond", "other": b""})
    assert (state.get("poller"), state.get("other")) == (b"\xffsecond", b"")


def test_a_recommendation_comes_back_as_it_was(state: StateStore) -> None:
    """Integers stay integers and floats floats, also among the reason's values; one with a known id changes nothing."""
    entry = _recommendation()
    state.add_recommendations([entry])
    state.add_recommendations([replace(entry, link="another")])
    found = state.recommendation(entry.id)
    assert found == entry
    assert found is not None
    for kept, given in ((found.reason.values, entry.reason.values), (found.evidence.more, entry.evidence.more)):
        assert {key: type(value) for key, value in kept.items()} == {key: type(value) for key, value in given.items()}


def test_recommendations_are_listed_newest_first(state: StateStore) -> None:
    """And by status or link."""
    entries = [_recommendation(f"{n:016x}", created_at=AT + timedelta(seconds=n), link=f"link-{n % 2}") for n in range(4)]
    state.add_recommendations(entries)
    state.change_status(StatusChange(recommendation=entries[3].id, at=AT, status=Status.REJECTED, by="sari"))
    assert [entry.id for entry in state.recommendations()] == [entry.id for entry in reversed(entries)]
    assert [entry.id for entry in state.recommendations(status="proposed", link="link-1")] == [entries[1].id]


def test_an_id_may_be_shortened_to_six_characters(state: StateStore) -> None:
    """Not below, not where several begin so, and % or _ mean themselves."""
    state.add_recommendations(
        [_recommendation("abcdef11"), _recommendation("abcdef22"), _recommendation("abcdefg"), _recommendation("xyz")]
    )
    assert [state.recommendation(name) is not None for name in ("abcdef1", "abcde", "abcdeg", "xyz", "abcdef%1", "______")] == [
        *(True, False, False, True, False, False)
    ]
    with pytest.raises(UsageError, match="several"):
        state.recommendation("abcdef")


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        ((), Status.APPLIED),
        ((), Status.PROPOSED),
        ((Status.APPROVED,), Status.PROPOSED),
        ((Status.APPROVED, Status.APPLIED, Status.VERIFIED), Status.REJECTED),
        ((Status.APPROVED, Status.APPLIED, Status.VERIFIED, Status.ROLLED_BACK), Status.APPLIED),
        ((Status.REJECTED,), Status.APPROVED),
        ((Status.EXPIRED,), Status.APPROVED),
        ((Status.SUPERSEDED,), Status.APPROVED),
    ],
)
def test_a_status_only_goes_forward(state: StateStore, path: tuple[Status, ...], wrong: Status) -> None:
    """Every step is kept with who, when and why; one that is not allowed changes nothing."""
    entry = _recommendation()
    state.add_recommendations([entry])
    steps = [StatusChange(recommendation=entry.id, at=AT, status=status, by="sari", note=f"as {status}") for status in path]
    for step in steps:
        state.change_status(step)
    with pytest.raises(UsageError, match=str(wrong)):
        state.change_status(StatusChange(recommendation=entry.id, at=AT, status=wrong, by="budi"))
    found = state.recommendation(entry.id)
    assert found is not None
    assert found.status == (path[-1] if path else Status.PROPOSED)
    assert state.changes(entry.id) == steps


def test_only_changes_of_limits_are_history(state: StateStore) -> None:
    """Unlimited is a limit too; a limit said again is no change."""
    wide: PerDirection[int | None] = PerDirection(down=20_000_000, up=5_000_000)
    none: PerDirection[int | None] = PerDirection(down=None, up=None)
    for day, limit in enumerate((wide, wide, none, none, wide)):
        state.record_limits(AT + timedelta(days=day), {"dinkes": limit})
    assert state.limits("dinkes") == [(AT, wide), (AT + timedelta(days=2), none), (AT + timedelta(days=4), wide)]
    assert state.limits("nobody") == []


def test_two_processes_write_one_file(state: StateStore) -> None:
    """Neither loses what the other wrote."""
    script = (
        "import sys; from pathlib import Path; from bwmgr.stores.state import StateStore\n"
        "state = StateStore(Path(sys.argv[1]))\nfor n in range(50): state.put(f'child-{n}', b'x')"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(state.path)]) as child:
        for number in range(50):
            state.put(f"parent-{number}", b"y")
        assert child.wait(30) == 0
    assert [state.get(f"{who}-{number}") for who in ("parent", "child") for number in range(50)] == [b"y"] * 50 + [b"x"] * 50


def test_what_was_written_is_there_after_reopening(state: StateStore) -> None:
    """And a file of another version is refused."""
    state.put("poller", b"kept")
    state.close()
    again = StateStore(state.path)
    assert again.get("poller") == b"kept"
    with again._writing() as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match="version 99"):
        StateStore(state.path)
