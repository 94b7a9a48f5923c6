"""Orders, events and schedules: exact to the minute and bit/s, within the tree, given back afterwards, above other policies."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import pytest

from bwmgr.daemon.policy_registry import policy_modules
from bwmgr.engine import Advice, run
from bwmgr.language import Words
from bwmgr.model.bandwidth import Bandwidth
from bwmgr.model.decision import Action, Recommendation, Status
from bwmgr.model.inventory import Calendar, Direction, Event, LinkKind
from bwmgr.model.policy import Order, PolicyInput
from policies import event, schedule

sys.path.insert(0, str(Path(__file__).parents[1] / "engine"))
from engine_inputs import NOW, M, given, link, saturated, window

HOUR = timedelta(hours=1)
WIFI = link("wifi", limit=10 * M, cir=1 * M, mir=100 * M, kind=LinkKind.WIFI)
NIGHT = Calendar(id="night", weekly=(((time(20), time(6)),),) * 7)
CHOICES = [(name, module.propose, module.Parameters()) for name, module in policy_modules().items()]


def ordered(kind: str, mir_bps: int, *, end: datetime | None = NOW + 3 * HOUR, name: str = "dinkes") -> Order:
    return Order(link=name, direction=Direction.DOWN, kind=kind, mir_bps=mir_bps, start=NOW, end=end, by="sari")  # type: ignore[arg-type]


def about(advice: Advice, name: str = "dinkes", direction: Direction = Direction.DOWN) -> list[Recommendation]:
    return [entry for entry in advice.recommendations if (entry.link, entry.direction) == (name, direction)]


def held(advice: Advice, name: str = "dinkes") -> list[str]:
    return [entry.reason.code for entry in advice.holds if (entry.link, entry.direction) == (name, Direction.DOWN)]


def applied(before: PolicyInput, done: Recommendation, *, now: datetime) -> PolicyInput:
    """As if the recommendation were in force, at `now`."""
    current = {**before.current, done.link: {**before.current[done.link], done.direction: done.proposed}}
    in_force = replace(done, status=Status.APPLIED)
    return replace(before, now=now, current=current, set_by={**before.set_by, (done.link, done.direction): in_force})


def at_night(now: datetime, *links: object) -> PolicyInput:
    found = given([WIFI, *links], {})  # type: ignore[list-item]
    return replace(found, now=now, inventory=replace(found.inventory, calendars={"night": NIGHT}))


def test_a_lift_ends_and_gives_back_what_was_before() -> None:
    """Until 17:00 the link has 40 Mbps, the person who asked is the author; then its 20 Mbps come back to the bit/s."""
    before = replace(given([link()], {"dinkes": window()}), orders=(ordered("lift", 40 * M),))
    (lifted,) = about(run(CHOICES, before))
    assert (lifted.policy, lifted.action, lifted.author) == ("lift", Action.RAISE, "sari")
    assert (lifted.proposed.mir_bps, lifted.valid_until) == (40 * M, NOW + 3 * HOUR)
    during = applied(before, lifted, now=NOW + HOUR)
    assert about(run(CHOICES, during)) == []
    after = replace(applied(before, lifted, now=NOW + 3 * HOUR), orders=())
    (back,) = about(run(CHOICES, after))
    assert (back.action, back.policy, back.proposed) == (Action.RESTORE, "restore", Bandwidth(cir_bps=5 * M, mir_bps=20 * M))
    assert "kembali" in Words("id").reason(back.reason)


def test_a_lift_is_cut_to_what_the_tree_carries() -> None:
    """60 Mbps of district, 12 used and 5 guaranteed by the other: what is left is given, and the node named."""
    before = given([link(), link("other")], {"dinkes": window(), "other": window("other")}, district=45 * M)
    (lifted,) = about(run(CHOICES, replace(before, orders=(ordered("lift", 50 * M),))))
    assert (lifted.proposed.mir_bps, lifted.evidence.more["tree_node"]) == (33 * M, "kec")


def test_an_override_stands_above_all_policies() -> None:
    """A saturated link that is fixed by hand is not raised; who wants otherwise is shown."""
    fixed = ordered("override", 20 * M, end=None)
    advice = run(CHOICES, replace(given([link()], {"dinkes": saturated()}), orders=(fixed, ordered("lift", 40 * M))))
    assert about(advice) == []
    assert held(advice) == ["temporary"]
    other = run(
        CHOICES, replace(given([link()], {"dinkes": saturated()}), orders=(ordered("override", 8 * M), ordered("lift", 40 * M)))
    )
    (found,) = about(other)
    assert (found.proposed.mir_bps, found.evidence.more["overruled"]) == (8 * M, "lift: raise")


def test_wifi_is_off_from_20_to_6_but_for_health() -> None:
    """Exact at its bounds: at 19:59:59 WIB it is planned for 20:00, at 06:00 it is over and the old limit comes back."""
    parameters = schedule.Parameters(
        calendar="night", off=True, kinds=("wifi",), except_links=("wifi-puskesmas",), ahead_seconds=60
    )
    chosen = [("schedule", schedule.propose, parameters), *((name, f, p) for name, f, p in CHOICES if name == "restore")]
    clinic = link("wifi-puskesmas", kind=LinkKind.WIFI)
    eight = datetime(2026, 2, 2, 13, tzinfo=UTC)  # 20:00 WIB
    assert run(chosen, at_night(eight - timedelta(seconds=61), clinic)).recommendations == ()
    advice = run(chosen, at_night(eight - timedelta(seconds=1), clinic))
    assert {entry.link for entry in advice.recommendations} == {"wifi"}
    (off,) = about(advice, "wifi")
    assert (off.proposed, off.valid_from, off.valid_until) == (Bandwidth(cir_bps=0, mir_bps=0), eight, eight + 10 * HOUR)
    night = applied(at_night(eight, clinic), off, now=eight + HOUR)
    assert about(run(chosen, night), "wifi") == []
    last_second = applied(at_night(eight, clinic), off, now=eight + 10 * HOUR - timedelta(seconds=1))
    assert [entry for entry in about(run(chosen, last_second), "wifi") if entry.valid_from <= last_second.now] == []
    (back,) = about(run(chosen, applied(at_night(eight, clinic), off, now=eight + 10 * HOUR)), "wifi")
    assert (back.action, back.proposed) == (Action.RESTORE, Bandwidth(cir_bps=1 * M, mir_bps=10 * M))


def test_at_weekends_capacity_moves_to_public_wifi() -> None:
    """Two rules of one calendar: offices at half their limit, public WiFi at twice its own, both given back on Monday."""
    weekend = Calendar(id="weekend", weekly=((),) * 5 + (((time(0), None),),) * 2)
    found = given([WIFI, link()], {"dinkes": window()})
    friday = replace(
        found,
        now=datetime(2026, 2, 6, 3, tzinfo=UTC),
        inventory=replace(found.inventory, calendars={"weekend": weekend}),
    )
    rules = [
        ("schedule", schedule.propose, schedule.Parameters(calendar="weekend", kinds=("opd",), factor_ratio=0.5)),
        ("schedule", schedule.propose, schedule.Parameters(calendar="weekend", kinds=("wifi",), factor_ratio=2.0)),
    ]
    advice = run(rules, friday)
    (office,), (wifi,) = about(advice), about(advice, "wifi")
    assert (office.proposed.mir_bps, wifi.proposed.mir_bps) == (10 * M, 20 * M)
    assert office.valid_from == datetime(2026, 2, 6, 17, tzinfo=UTC)
    assert office.valid_until == datetime(2026, 2, 8, 17, tzinfo=UTC)


def belitung(rate: int, *, root: int, days: float = 7, **more: object) -> PolicyInput:
    """A hotel that is to have `rate` for three days, beside an office with a guarantee of 5 Mbps."""
    hotel = link("sheraton", limit=20 * M, cir=0, mir=1000 * M, kind=LinkKind.EVENT)
    usage = {"sheraton": window("sheraton", max_bps=20.0 * M), "dinkes": window()}
    found = given([hotel, link()], usage, root=root, district=1000 * M)
    begins = NOW + timedelta(days=days)
    g20 = Event(id="g20", links=("sheraton",), down_bps=rate, start=begins, end=begins + timedelta(days=3))
    return replace(found, inventory=replace(found.inventory, events={"g20": g20, **more}))  # type: ignore[dict-item]


def test_an_event_is_reserved_with_its_readiness() -> None:
    """400 promised, 20 measured: 380 to go, said at T-7."""
    (found,) = about(run(CHOICES, belitung(400 * M, root=500 * M)), "sheraton")
    assert (found.action, found.reason.code) == (Action.RESERVE, "event_t7")
    assert found.proposed == Bandwidth(cir_bps=400 * M, mir_bps=400 * M)
    assert found.evidence.more["missing_bps"] == 380 * M
    assert found.evidence.more["squeezed"] == ""
    assert "380 Mbps" in Words("en").reason(found.reason)


def test_an_event_that_does_not_fit_says_what_does_and_whom_it_squeezes() -> None:
    """400 of a root of 300 beside a guarantee of 5: 295 can be kept, and the office would lack its demand of 12."""
    (found,) = about(run(CHOICES, belitung(400 * M, root=300 * M)), "sheraton")
    assert found.proposed.cir_bps == 295 * M
    assert found.evidence.more["squeezed"] == "dinkes"
    assert "295 Mbps" in Words("en").reason(found.reason)


def test_events_that_overlap_share_and_the_first_keeps_its_promise() -> None:
    """The second one begins on the first one's last day: in that minute only what the first leaves is feasible."""
    begins = NOW + timedelta(days=9)
    second = Event(id="fair", links=("dinkes",), down_bps=50 * M, start=begins, end=begins + timedelta(days=4))
    advice = run(CHOICES, belitung(270 * M, root=300 * M, fair=second))
    (first,) = about(advice, "sheraton")
    assert first.proposed.cir_bps == 270 * M
    (later,) = [entry for entry in about(advice) if entry.action is Action.RESERVE]
    assert later.proposed.cir_bps == 30 * M


@pytest.mark.parametrize(
    ("days", "code"), [(40, None), (29, "event_t30"), (6.9, "event_t7"), (0.5, "event_t1"), (-1, "event_t1")]
)
def test_readiness_is_said_at_30_7_and_1_days(days: float, code: str | None) -> None:
    """Each stage is a new sentence, so that the queue shows it again."""
    found = about(run([("event", event.propose, event.Parameters())], belitung(100 * M, root=500 * M, days=days)), "sheraton")
    assert [entry.reason.code for entry in found] == ([] if code is None else [code])


def test_what_an_event_has_no_policy_touches() -> None:
    """While the event is on, its link is neither lowered nor raised, though it looks idle."""
    on = belitung(400 * M, root=500 * M, days=-1)
    (reserved,) = about(run(CHOICES, on), "sheraton")
    advice = run(CHOICES, applied(on, reserved, now=NOW))
    assert about(advice, "sheraton") == []
    idle = replace(on, usage={**on.usage, "sheraton": {Direction.DOWN: window("sheraton", p95_bps=0.1 * M, max_bps=0.2 * M)}})
    assert held(run(CHOICES, applied(idle, reserved, now=NOW)), "sheraton") == ["temporary"]


def test_a_schedule_without_a_calendar_does_nothing() -> None:
    """The default of a policy that needs to be told."""
    assert list(schedule.propose(given([link()], {}), schedule.Parameters())) == []
