"""What the engine makes of proposals: recommendations that are guarded, explained and carried by the tree."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bwmgr.daemon.policy_registry import policy_modules
from bwmgr.engine import Advice, run
from bwmgr.engine.document import recommendation_document
from bwmgr.engine.guards import Guards, rounded_down, rounded_up
from bwmgr.language import Words
from bwmgr.model.decision import Action, Recommendation, Status
from bwmgr.model.inventory import Direction
from bwmgr.model.policy import PolicyInput
from bwmgr.model.usage import LinkHealth

sys.path.insert(0, str(Path(__file__).parent))
from engine_inputs import NOW, M, given, link, saturated, window

CHOICES = [(name, module.propose, module.Parameters()) for name, module in policy_modules().items()]


def down(advice: Advice, name: str = "dinkes") -> Recommendation | None:
    found = [entry for entry in advice.recommendations if (entry.link, entry.direction) == (name, Direction.DOWN)]
    return found[0] if found else None


def holds(advice: Advice, name: str = "dinkes", direction: Direction = Direction.DOWN) -> list[str]:
    return [entry.reason.code for entry in advice.holds if (entry.link, entry.direction) == (name, direction)]


def test_a_saturated_link_is_raised_with_its_sentence() -> None:
    """The link of INTERFACE section 5: from 20 to 35 Mbps, in one sentence, in two languages."""
    found = down(run(CHOICES, given([link()], {"dinkes": saturated()})))
    assert found is not None
    assert (found.action, found.policy, found.proposed.mir_bps, found.proposed.cir_bps) == (
        Action.RAISE,
        "saturated",
        35 * M,
        5 * M,
    )
    assert Words("en").reason(found.reason) == (
        "Dinas dinkes reached its 20 Mbps download limit 41% of the time (working hours); "
        "it would use at least 19.8 Mbps, how much more nobody can tell: try 35 Mbps for three comparable busy hours."
    )
    assert "coba 35 Mbps" in Words("id").reason(found.reason)
    assert found.evidence.more["overruled"] == "right_size: raise"


def test_the_document_has_the_shape_that_programs_rely_on() -> None:
    """Every key of INTERFACE section 5, whole bit/s, RFC 3339 UTC."""
    found = down(run(CHOICES, given([link()], {"dinkes": saturated()})))
    assert found is not None
    document = recommendation_document(found, "why")
    assert document["current"] == {"cir_bps": 5_000_000, "mir_bps": 20_000_000}
    assert document["created_at"] == "2026-02-02T03:00:00Z"
    assert document["reason"] == {"code": "saturated", "text": "why"}
    assert document["expected"] == {"satisfaction_ratio": 1.0, "throttled_octets_per_day": 0, "monthly_price": 0}
    assert {"start", "end", "calendar", "p95_bps", "demand_bps", "saturated_ratio", "coverage_ratio", "samples"} <= set(
        document["evidence"]
    )
    assert isinstance(document["evidence"]["demand_bps"], int)


def test_the_same_input_gives_the_same_ids() -> None:
    """A run can be repeated and compared."""
    inputs = given([link()], {"dinkes": saturated()})
    assert run(CHOICES, inputs) == run(CHOICES, inputs)


@pytest.mark.parametrize(
    ("figures", "code"),
    [
        (None, "no_data"),
        ({"samples": 0, "p95_bps": None, "mean_bps": None, "max_bps": None, "coverage_ratio": 0.0}, "no_data"),
        ({"coverage_ratio": 0.4}, "low_coverage"),
        ({"octets": 6 * M * 3600 // 8}, "short_history"),
    ],
)
def test_missing_data_is_a_hold_with_its_reason(figures: dict[str, object] | None, code: str) -> None:
    """No data or low coverage: nothing changes, and the reason is said (fault 61)."""
    advice = run(CHOICES, given([link()], {"dinkes": None if figures is None else replace(saturated(), **figures)}))  # type: ignore[arg-type]
    assert down(advice) is None
    assert holds(advice) == [code]


def test_a_silent_link_is_held() -> None:
    """Four good weeks but nothing in the last hours: no change on stale data (fault 61)."""
    advice = run(CHOICES, replace(given([link()], {"dinkes": saturated()}), recent={}))
    assert down(advice) is None
    assert holds(advice) == ["silent"]


def test_links_that_are_only_planned_are_not_mentioned() -> None:
    """A site without a network yet has no data, and that is no news."""
    from bwmgr.model.inventory import Site, SiteStatus

    assert run(CHOICES, given([link(site=Site(status=SiteStatus.PLANNED))], {})).holds == ()


def test_a_link_without_limit_divides_by_nothing() -> None:
    """No limit, so no utilisation: it is sized by what it uses (fault 19)."""
    found = down(run(CHOICES, given([link(limit=None)], {"dinkes": window(saturated_ratio=None)})))
    assert found is not None
    assert (found.action, found.proposed.mir_bps) == (Action.LOWER, 15 * M)


def test_never_above_the_mir_and_never_below_the_cir() -> None:
    """The ceiling is the link's medium, the floor its guarantee."""
    raised = down(run(CHOICES, given([link(mir=27 * M)], {"dinkes": saturated()})))
    assert raised is not None
    assert raised.proposed.mir_bps == 27 * M
    quiet = window(mean_bps=0.1 * M, p95_bps=0.2 * M, max_bps=0.3 * M, octets=M * 100_000 // 8)
    lowered = down(run(CHOICES, given([link(cir=13 * M)], {"dinkes": quiet}), Guards(least_lowered_bps=0)))
    assert lowered is not None
    assert lowered.proposed.mir_bps == 13 * M


def test_at_its_ceiling_a_saturated_link_is_held() -> None:
    """It would use more, but there is no more to have."""
    advice = run(CHOICES, given([link(mir=20 * M)], {"dinkes": saturated()}))
    assert down(advice) is None
    assert holds(advice) == ["at_ceiling"]


def test_one_step_takes_away_no_more_than_half() -> None:
    """An idle link goes from 20 to 10 Mbps, not to 1."""
    quiet = window(mean_bps=0.1 * M, p95_bps=0.2 * M, max_bps=0.3 * M, octets=M * 100_000 // 8)
    found = down(run(CHOICES, given([link(cir=0)], {"dinkes": quiet})))
    assert found is not None
    assert (found.action, found.policy, found.proposed.mir_bps) == (Action.LOWER, "idle", 10 * M)


def test_within_the_dead_band_nothing_happens() -> None:
    """15 Mbps of need with headroom against a limit of 17: it fits."""
    advice = run(CHOICES, given([link(limit=17 * M)], {"dinkes": window()}))
    assert down(advice) is None
    assert holds(advice) == []


def test_after_a_change_the_link_is_left_alone_for_a_day() -> None:
    """Cooldown, with the time that is left."""
    inputs = given([link()], {"dinkes": saturated()}, changed_at={("dinkes", Direction.DOWN): NOW - timedelta(hours=20)})
    advice = run(CHOICES, inputs)
    assert holds(advice) == ["cooldown"]
    assert advice.holds[0].reason.values["left_seconds"] == 4 * 3600
    later = replace(inputs, now=NOW + timedelta(hours=4))
    assert down(run(CHOICES, later)) is not None


def test_an_approved_change_is_waited_for() -> None:
    """What a person approved is not overtaken by another proposal."""
    inputs = given([link()], {"dinkes": saturated()})
    standing = down(run(CHOICES, inputs))
    assert standing is not None
    waiting = replace(inputs, standing={("dinkes", Direction.DOWN): replace(standing, status=Status.APPROVED)})
    assert holds(run(CHOICES, waiting)) == ["approved"]


def test_a_broken_line_is_mended_not_enlarged() -> None:
    """`fix` beats raise, and stops the other direction too."""
    health = {"dinkes": LinkHealth(link="dinkes", readings=800, flaps=30)}
    inputs = given([link()], {"dinkes": saturated()}, health=health)
    up = {"dinkes": {Direction.DOWN: saturated(), Direction.UP: saturated(direction=Direction.UP)}}
    advice = run(CHOICES, replace(inputs, usage=up, recent=up))
    found = down(advice)
    assert found is not None
    assert (found.action, found.reason.code, found.proposed) == (Action.FIX, "flapping", found.current)
    assert holds(advice, direction=Direction.UP) == ["fix_first"]


def test_the_order_of_the_configuration_settles_between_sizes() -> None:
    """Listed first, right_size wins over saturated; both are shown."""
    found = down(run(list(reversed(CHOICES)), given([link()], {"dinkes": saturated()})))
    assert found is not None
    assert found.policy == "right_size"
    assert found.evidence.more["overruled"] == "saturated: raise"


def test_a_raise_is_cut_to_what_the_district_carries() -> None:
    """30 Mbps in the district, a neighbour needs 5: 25 is what is left, and it is cut down to a sensible step."""
    links = [link(), link("bappeda", limit=6 * M, cir=0)]
    usage = {"dinkes": saturated(), "bappeda": window("bappeda", p95_bps=4.9 * M, max_bps=5 * M, mean_bps=4 * M)}
    found = down(run(CHOICES, given(links, usage, district=30 * M)))
    assert found is not None
    assert found.proposed.mir_bps == 25 * M
    assert found.evidence.more["tree_node"] == "kec"
    assert "Kecamatan Baamang carries no more: raise to 25 Mbps" in Words("en").reason(found.reason)
    assert found.expected.satisfaction_ratio is not None
    assert found.expected.satisfaction_ratio < 1


def test_a_raise_leaves_the_guarantees_of_others_intact() -> None:
    """A neighbour that uses nothing still has its CIR of 10 Mbps set aside."""
    links = [link(), link("idle", limit=10 * M, cir=10 * M)]
    usage = {"dinkes": saturated(), "idle": window("idle", p95_bps=9 * M, max_bps=9.5 * M, mean_bps=5 * M)}
    found = down(run(CHOICES, given(links, usage, district=33 * M)))
    assert found is not None
    assert found.proposed.mir_bps == 23 * M


def test_a_full_district_holds_and_is_named() -> None:
    """No room: the hold says which node is full."""
    advice = run(CHOICES, given([link()], {"dinkes": saturated()}, district=20 * M))
    assert holds(advice) == ["no_capacity"]
    assert "Kecamatan Baamang" in Words("en").reason(advice.holds[0].reason)


@pytest.mark.parametrize(
    ("rate", "up", "floor"),
    [
        (34.1 * M, 35 * M, 34 * M),
        (6.2 * M, 6.5 * M, 6_200_000),
        (112 * M, 120 * M, 110 * M),
        (35 * M, 35 * M, 35 * M),
        (1, 10_000, 0),
    ],
)
def test_sensible_steps(rate: float, up: int, floor: int) -> None:
    """Limits as people write them."""
    assert (rounded_up(rate), rounded_down(rate)) == (up, floor)


def test_inputs_are_enough_for_every_policy() -> None:
    """A link without any measurement troubles no policy."""
    inputs: PolicyInput = given([link()], {})
    assert all(not list(propose(inputs, parameters)) for _, propose, parameters in CHOICES)
