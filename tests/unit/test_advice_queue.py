"""The queue: what stays, what is superseded, what expires, and who may decide."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bwmgr.daemon import advice as queue
from bwmgr.daemon.policy_registry import policy_modules
from bwmgr.engine.guards import Guards
from bwmgr.errors import UsageError
from bwmgr.model.decision import Action, Status
from bwmgr.model.inventory import Direction, Inventory, Link, LinkKind, Organisation, PerDirection
from bwmgr.model.usage import LinkHealth, UsageWindow
from bwmgr.stores import SeriesSpan
from bwmgr.stores.state import StateStore

NOW = datetime(2026, 2, 2, 3, 0, tzinfo=UTC)
M = 1_000_000
BEGAN = NOW - timedelta(days=10, minutes=-17)


class FakeHistory:
    """One link, saturated in the download, quiet in the upload; remembers what it was asked."""

    def __init__(self) -> None:
        self.share = 0.41
        self.coverage = 0.99
        self.asked: list[tuple[datetime, datetime, object]] = []

    def usage(self, series: Sequence[str], *, start: datetime, end: datetime, calendar: Any, **_: object) -> list[UsageWindow]:
        self.asked.append((start, end, calendar))
        return [self._window(name, way, start, end) for name in series for way in Direction]

    def health(self, series: Sequence[str], *, start: datetime, end: datetime) -> list[LinkHealth]:
        return [LinkHealth(link=name, readings=100) for name in series]

    def _window(self, link: str, way: Direction, start: datetime, end: datetime) -> UsageWindow:
        full = way is Direction.DOWN
        return UsageWindow(
            link=link, direction=way, start=start, end=end, calendar="always", samples=1000, octets=10**12,
            mean_bps=15.0 * M, p95_bps=19.8 * M if full and self.share else 16.0 * M, max_bps=20.0 * M,
            coverage_ratio=self.coverage, saturated_ratio=self.share if full else 0.0,
        )  # fmt: skip


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateStore]:
    opened = StateStore(tmp_path / "state.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def application(state: StateStore) -> Any:
    link = Link(id="dinkes", name="Dinas Kesehatan", kind=LinkKind.OPD, limit=PerDirection(down=20 * M, up=20 * M))
    choices = tuple(SimpleNamespace(name=name, parameters=module.Parameters()) for name, module in policy_modules().items())
    spans: Mapping[str, SeriesSpan] = {"dinkes": SeriesSpan(first=BEGAN, last=NOW, rows=3000)}
    return SimpleNamespace(
        inventory=Inventory(organisation=Organisation(name="Kabupaten"), links={"dinkes": link}),
        settings=SimpleNamespace(policies=choices, guards=Guards(), netflow=None, store=SimpleNamespace(kind="embedded")),
        store=SimpleNamespace(spans=lambda _: spans, chunks=lambda *_, **__: iter(())),
        history=FakeHistory(),
        state=state,
    )


def test_a_run_stores_what_it_recommends(application: Any) -> None:
    """One raise, in the queue, with its author; counts for the metrics."""
    advice = queue.advise(application, NOW, author="sari")
    (found,) = advice.recommendations
    assert (found.action, found.proposed.mir_bps, found.author, found.status) == (Action.RAISE, 35 * M, "sari", Status.PROPOSED)
    assert application.state.recommendations() == [found]
    assert advice.counts["proposed"] == 1
    assert advice.counts["expired"] == 0


def test_a_young_history_is_looked_at_from_its_beginning(application: Any) -> None:
    """Ten days of data are ten days with full coverage, not four weeks with gaps."""
    queue.advise(application, NOW)
    assert application.history.asked[0][0] == BEGAN.replace(minute=0)


def test_nothing_newer_than_the_asked_time_is_used(application: Any) -> None:
    """As of an instant: every window ends there."""
    at = NOW - timedelta(days=2)
    queue.advise(application, at)
    assert {end for _, end, _ in application.history.asked} == {at}


def test_an_unchanged_recommendation_keeps_its_id(application: Any) -> None:
    """An hour later nothing is new: the queue does not flap."""
    first = queue.advise(application, NOW).recommendations
    assert queue.advise(application, NOW + timedelta(hours=1)).recommendations == first
    assert len(application.state.recommendations()) == 1


def test_a_changed_recommendation_supersedes_the_old_one(application: Any) -> None:
    """The old one says what took its place."""
    (old,) = queue.advise(application, NOW).recommendations
    application.history.share = 0.1
    (new,) = queue.advise(application, NOW + timedelta(hours=1)).recommendations
    assert new.id != old.id
    assert application.state.recommendation(old.id).status is Status.SUPERSEDED
    assert new.id in application.state.changes(old.id)[0].note


def test_what_nobody_decides_expires(application: Any) -> None:
    """After its validity it is expired, and a new one made."""
    (old,) = queue.advise(application, NOW).recommendations
    (new,) = queue.advise(application, NOW + timedelta(days=8)).recommendations
    assert application.state.recommendation(old.id).status is Status.EXPIRED
    assert new.id != old.id


def test_a_need_that_has_vanished_ends_its_recommendation(application: Any) -> None:
    """The link is not held back any more: the waiting raise ends, and says why."""
    (old,) = queue.advise(application, NOW).recommendations
    application.history.share = 0.0
    assert queue.advise(application, NOW + timedelta(hours=1)).recommendations == ()
    assert application.state.recommendation(old.id).status is Status.SUPERSEDED
    assert application.state.changes(old.id)[0].note.startswith("not proposed any more")


def test_without_data_a_waiting_recommendation_waits_on(application: Any) -> None:
    """Silence is no proof that the need has passed."""
    (old,) = queue.advise(application, NOW).recommendations
    application.history.coverage = 0.2
    assert queue.advise(application, NOW + timedelta(hours=1)).recommendations == ()
    assert application.state.recommendation(old.id).status is Status.PROPOSED


def test_a_dry_run_stores_nothing(application: Any) -> None:
    """Printed only."""
    assert queue.advise(application, NOW, keep=False).recommendations
    assert not application.state.recommendations()


def test_a_run_for_the_past_does_not_overtake_the_present(application: Any) -> None:
    """A newer recommendation for the same link stands."""
    (newer,) = queue.advise(application, NOW).recommendations
    application.history.share = 0.1
    assert queue.advise(application, NOW - timedelta(days=1)).recommendations == ()
    assert application.state.recommendations() == [newer]


def test_the_approver_is_not_the_author(application: Any) -> None:
    """Four eyes: the same name is refused, another one is recorded."""
    (found,) = queue.advise(application, NOW, author="sari").recommendations
    with pytest.raises(UsageError, match="sari is its author"):
        queue.decide(application.state, found.id, Status.APPROVED, by="sari", note="", at=NOW)
    approved = queue.decide(application.state, found.id[:6], Status.APPROVED, by="budi", note="ok", at=NOW)
    assert approved.status is Status.APPROVED
    assert application.state.changes(found.id)[0].by == "budi"
    with pytest.raises(UsageError, match="is approved"):
        queue.decide(application.state, found.id, Status.REJECTED, by="budi", note="", at=NOW)


def test_an_unknown_id_is_said(application: Any) -> None:
    """With where to find the right one."""
    with pytest.raises(UsageError, match="recommendations list"):
        queue.find(application.state, "nonsense")


def test_after_a_rejection_the_link_is_left_alone(application: Any) -> None:
    """The same is not proposed again an hour later."""
    (found,) = queue.advise(application, NOW).recommendations
    queue.decide(application.state, found.id, Status.REJECTED, by="budi", note="no", at=NOW)
    advice = queue.advise(application, NOW + timedelta(hours=1))
    assert advice.recommendations == ()
    assert "cooldown" in [hold.reason.code for hold in advice.holds]


def test_the_limit_in_force_is_the_history_s(application: Any) -> None:
    """Raised to 35 yesterday morning: that is what is in force, and when it changed."""
    at = NOW - timedelta(hours=30)
    for since, down in ((NOW - timedelta(days=9), 20 * M), (at, 35 * M), (NOW + timedelta(hours=1), 50 * M)):
        application.state.record_limits(since, {"dinkes": PerDirection(down=down, up=20 * M)})
    known = queue.gather(application, NOW, [])
    assert known.current["dinkes"][Direction.DOWN].mir_bps == 35 * M
    assert known.changed_at == {("dinkes", Direction.DOWN): at}
