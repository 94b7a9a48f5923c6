"""The office's rules of approval: what is approved by rule, when nothing is applied, what overtakes and what expires."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bwmgr.daemon import advice as queue
from bwmgr.daemon.application import Application
from bwmgr.daemon.apply import plan_apply
from bwmgr.daemon.freezing import frozen, require_thawed
from bwmgr.daemon.policy_registry import load_settings
from bwmgr.daemon.pre_approval import RULE, pre_approve
from bwmgr.errors import UsageError
from bwmgr.model.bandwidth import Bandwidth
from bwmgr.model.decision import Action, Evidence, Reason, Recommendation, Status
from bwmgr.model.inventory import Direction, Link, LinkKind, ServiceClass, Shaper
from bwmgr.model.people import Freeze, PreApproval
from bwmgr.testing.clock import ManualClock

M = 1_000_000
NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
"""Monday, 08:00 in Jakarta."""
CONFIGURATION = """\
organisation: {name: Diskominfo, timezone: Asia/Jakarta, language: en}
calendars: {friday: {fri: "11:30-13:00"}, morning: {mon-fri: "07:30-08:30"}}
credentials: {default: {version: 2c, community: {env: COMMUNITY}}}
devices: [{id: core, address: 127.0.0.1, enforce: {driver: linux}}]
nodes: [{id: kab, capacity: {down: 100M, up: 100M}}]
links:
"""
LINK = """\
  - {{id: {id}, kind: opd, parent: kab, limit: {{down: 20M, up: 20M}}, cir: {{down: 5M, up: 5M}}, mir: {{down: 50M, up: 50M}},
     interface: {{device: core, if_name: {id}, faces: subscriber}}, shaper: {{device: core, down: {{interface: {id}}}}}}}
"""
RULES = "approval: {pre_approve: {policies: [right_size], most_step: 25%, most_rate: 5M, most_per_day: 2}}\n"


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Application]:
    """The office under these rules, at eight on a Monday."""
    monkeypatch.setenv("COMMUNITY", "publik")

    def open_(rules: str) -> Application:
        links = "".join(LINK.format(id=name) for name in ("a", "b", "c", "d"))
        (tmp_path / "bwmgr.yaml").write_text(CONFIGURATION + links + rules)
        return Application(load_settings(tmp_path / "bwmgr.yaml"), clock=ManualClock(NOW))

    return open_


def made(link: str, mir_bps: int = 24 * M, **more: Any) -> Recommendation:
    given_: dict[str, Any] = {
        "id": f"{link}{mir_bps:011d}"[:12], "created_at": NOW, "link": link, "direction": Direction.DOWN, "action": Action.RAISE,
        "policy": "right_size", "current": Bandwidth(cir_bps=5 * M, mir_bps=20 * M),
        "proposed": Bandwidth(cir_bps=5 * M, mir_bps=mir_bps), "valid_from": NOW, "valid_until": NOW + timedelta(days=7),
        "reason": Reason(code="saturated", message="x"),
        "evidence": Evidence(start=NOW, end=NOW, calendar="always", p95_bps=None, demand_bps=None, saturated_ratio=None,
                             coverage_ratio=1.0, samples=1),
    }  # fmt: skip
    return Recommendation(**given_ | more)


def statuses(application: Application) -> dict[str, Status]:
    return {entry.link: entry.status for entry in application.state.recommendations()}


def test_without_a_rule_everything_waits_for_a_person(opened: Callable[[str], Application]) -> None:
    """Off by default."""
    office = opened("")
    office.state.add_recommendations([made("a")])
    assert pre_approve(office, NOW) == ()
    assert statuses(office) == {"a": Status.PROPOSED}
    office.close()


def test_small_steps_are_approved_by_rule_within_the_day_s_bound(opened: Callable[[str], Application]) -> None:
    """Two a day and no more; who, when and why are written down; tomorrow there is room again."""
    office = opened(RULES)
    office.state.add_recommendations([made(link) for link in ("a", "b", "c")])
    assert len(pre_approve(office, NOW)) == 2
    assert pre_approve(office, NOW + timedelta(hours=1)) == ()
    assert sorted(statuses(office).values()) == [Status.APPROVED, Status.APPROVED, Status.PROPOSED]
    (change,) = office.state.changes(made("a").id)
    assert (change.by, "at most 25% and 5Mbit/s, 2 a day" in change.note) == (RULE, True)
    assert len(pre_approve(office, NOW + timedelta(hours=25))) == 1
    office.close()
    assert {entry.note.actor.name for entry in office.trail.journal.entries(action="recommendation.approved")} == {RULE}


def test_what_has_expired_is_not_approved_by_rule(opened: Callable[[str], Application]) -> None:
    """Nor what is for later."""
    office = opened(RULES)
    office.state.add_recommendations([made("a", valid_until=NOW), made("b", valid_from=NOW + timedelta(hours=1))])
    assert pre_approve(office, NOW) == ()
    office.close()


RULE_OF_THREE = PreApproval(policies=("right_size",), most_step_ratio=0.25, most_bps=5 * M, most_per_day=1, classes=("office",))
PLACE = Link(id="a", name="A", kind=LinkKind.OPD, shaper=Shaper(device="core"), service_class=ServiceClass.OFFICE)


@pytest.mark.parametrize(
    ("entry", "link", "allowed"),
    [
        (made("a"), PLACE, True),
        (made("a", 16 * M, action=Action.LOWER), PLACE, True),
        (made("a", 25 * M), PLACE, True),
        (made("a", 26 * M), PLACE, False),  # 30 %
        (made("a", 14 * M, action=Action.LOWER), PLACE, False),
        (made("a", policy="idle"), PLACE, False),
        (made("a", action=Action.RESERVE), PLACE, False),
        (made("a", action=Action.FIX), PLACE, False),
        (made("a", action=Action.BUY), PLACE, False),
        (made("a", proposed=Bandwidth(cir_bps=6 * M, mir_bps=24 * M)), PLACE, False),
        (made("a", proposed=Bandwidth(cir_bps=5 * M, mir_bps=None)), PLACE, False),
        (made("a", current=Bandwidth(cir_bps=5 * M, mir_bps=None)), PLACE, False),
        (made("a"), replace(PLACE, shaper=None), False),  # nothing that bwmgr could put back
        (made("a"), replace(PLACE, service_class=ServiceClass.CRITICAL), False),
    ],
)
def test_only_small_steps_that_can_be_taken_back(entry: Recommendation, link: Link, allowed: bool) -> None:
    """Of the rule's policies and classes, raised or lowered only, guarantee untouched, on a device that bwmgr changes."""
    assert RULE_OF_THREE.allows(entry, link) is allowed


@given(current=st.integers(1, 10**10), proposed=st.integers(1, 10**10))
def test_no_step_beyond_the_bounds_is_ever_allowed(current: int, proposed: int) -> None:
    """Relative and absolute, up and down."""
    entry = made(
        "a", action=Action.RAISE if proposed > current else Action.LOWER, current=Bandwidth(cir_bps=0, mir_bps=current),
        proposed=Bandwidth(cir_bps=0, mir_bps=proposed),
    )  # fmt: skip
    step = abs(proposed - current)
    assert RULE_OF_THREE.allows(entry, PLACE) is (step <= 5 * M and step * 4 <= current)


FREEZE = 'approval: {freeze: [{start: "2026-03-02T00:00", end: "2026-03-03T00:00", reason: pemilu}]}\n'


def test_nothing_is_applied_inside_a_freeze(opened: Callable[[str], Application]) -> None:
    """Refused before the device is asked, with the reason and the end in the organisation's zone."""
    office = opened(FREEZE)
    office.state.add_recommendations([made("a")])
    queue.decide(office.state, made("a").id, Status.APPROVED, by="budi", note="", at=NOW)
    with pytest.raises(UsageError, match=r"nothing is applied until 2026-03-03 00:00 WIB \(pemilu\)"):
        plan_apply(office, made("a").id)
    office.close()


@pytest.mark.parametrize(
    ("calendar", "at", "until"),
    [
        ("morning", NOW, datetime(2026, 3, 2, 1, 30, tzinfo=UTC)),
        ("morning", NOW + timedelta(hours=1), None),
        ("friday", NOW, None),
        ("friday", datetime(2026, 3, 6, 5, 0, tzinfo=UTC), datetime(2026, 3, 6, 6, 0, tzinfo=UTC)),
    ],
)
def test_a_freeze_that_comes_again(
    opened: Callable[[str], Application], calendar: str, at: datetime, until: datetime | None
) -> None:
    """As often as its calendar is open; its end is the calendar's next closing."""
    office = opened(f"approval: {{freeze: [{{calendar: {calendar}, reason: x}}]}}\n")
    found = frozen(office.settings.approval.freezes, office.inventory, at)
    assert (found.until if found else None) == until
    if until is None:
        require_thawed(office.settings, at)


def test_of_several_freezes_the_longest_is_said(opened: Callable[[str], Application]) -> None:
    """`always` has no end."""
    inventory = opened("").inventory
    day = Freeze(reason="day", start=NOW, end=NOW + timedelta(days=1))
    found = frozen([day, Freeze(reason="ever", calendar="always")], inventory, NOW)
    assert found is not None
    assert (found.reason, found.until) == ("ever", None)
    assert frozen([day], inventory, NOW + timedelta(days=1)) is None


def test_an_approval_overtakes_the_earlier_one(opened: Callable[[str], Application]) -> None:
    """An override approved after a raise: one limit does not take two changes; other directions and dates are left."""
    office = opened("")
    raised, fixed, up = made("a"), made("a", 10 * M, policy="override"), made("a", 23 * M, direction=Direction.UP)
    office.state.add_recommendations([raised, fixed, up])
    for entry in (raised, up, fixed):
        queue.decide(office.state, entry.id, Status.APPROVED, by="budi", note="", at=NOW)
    found = {entry.id: entry.status for entry in office.state.recommendations()}
    assert found == {raised.id: Status.SUPERSEDED, fixed.id: Status.APPROVED, up.id: Status.APPROVED}
    assert office.state.changes(raised.id)[-1].note == f"superseded by {fixed.id}, approved"
    office.close()


def test_an_override_is_proposed_beside_an_approved_change(opened: Callable[[str], Application]) -> None:
    """A person's word does not wait for what the policies had approved."""
    from bwmgr.daemon.orders import give
    from bwmgr.model.policy import Order

    office = opened("")
    office.state.add_recommendations([made("a")])
    queue.decide(office.state, made("a").id, Status.APPROVED, by="budi", note="", at=NOW)
    order = Order(link="a", direction=Direction.DOWN, kind="override", mir_bps=10 * M, start=NOW, by="sari")
    give(office.state, office.inventory, [order], NOW)
    found = queue.advise(office, NOW, author="sari").recommendations
    assert [(entry.link, entry.policy, entry.proposed.mir_bps) for entry in found] == [("a", "override", 10 * M)]
    office.close()


def test_what_is_approved_and_never_applied_expires(opened: Callable[[str], Application]) -> None:
    """What was right a week ago need not be right now."""
    office = opened("")
    office.state.add_recommendations([made("a")])
    queue.decide(office.state, made("a").id, Status.APPROVED, by="budi", note="", at=NOW)
    queue.advise(office, NOW + timedelta(days=6))
    assert statuses(office) == {"a": Status.APPROVED}
    queue.advise(office, NOW + timedelta(days=8))
    assert statuses(office) == {"a": Status.EXPIRED}
    assert office.state.changes(made("a").id)[-1].note == "approved, but not applied in time"
    office.close()
