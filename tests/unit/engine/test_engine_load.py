"""The room of a node is its capacity less what was measured to pass it; the queue begins with what matters most."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from bwmgr.daemon.policy_registry import policy_modules
from bwmgr.engine import Advice, run
from bwmgr.engine.importance import by_importance
from bwmgr.engine.tree import loads
from bwmgr.model.bandwidth_function import BandwidthFunction
from bwmgr.model.decision import Action
from bwmgr.model.inventory import Direction
from bwmgr.model.policy import NodeLoad, PolicyInput
from bwmgr.model.usage import LinkHealth

sys.path.insert(0, str(Path(__file__).parent))
from engine_inputs import M, given, link, saturated, window

CHOICES = [(name, module.propose, module.Parameters()) for name, module in policy_modules().items()]
NAMES = [f"opd{at}" for at in range(10)]


def crowd(district: int, measured: float | None, *, coverage: float = 1.0, beside: frozenset[str] = frozenset()) -> PolicyInput:
    """One link at its limit of 20 Mbps beside ten whose percentiles of 12 Mbps never come at once; CIR 2 Mbps each."""
    usage = {"dinkes": saturated(), **{name: window(name) for name in NAMES}}
    found = given([link(cir=2 * M), *(link(name, cir=2 * M) for name in NAMES)], usage, district=district)
    if measured is None:
        return found
    load = NodeLoad(window=window("kec", p95_bps=measured, coverage_ratio=coverage), beside=beside)
    return replace(found, node_load={"kec": {Direction.DOWN: load}, "root": {Direction.DOWN: load}})


def raised_bps(advice: Advice) -> list[int | None]:
    return [entry.proposed.mir_bps for entry in advice.recommendations if entry.action is Action.RAISE]


def test_peaks_that_never_come_at_once_leave_room() -> None:
    """10 x 12 + 20 Mbps of percentiles fill 140 Mbps, the sum never did: the raise that was held is proposed."""
    assert raised_bps(run(CHOICES, crowd(140 * M, None))) == []
    assert raised_bps(run(CHOICES, crowd(140 * M, 90 * M))) == [35 * M]


def test_the_margin_above_a_measured_load_is_kept_free() -> None:
    """100 Mbps measured, a tenth above it kept: of 120 Mbps 10 are left, the raise is cut to 30 Mbps and names the node."""
    advice = run(CHOICES, crowd(120 * M, 100 * M))
    assert raised_bps(advice) == [30 * M]
    assert "node_name" in advice.recommendations[0].reason.values


def test_a_bandwidth_function_says_whose_raise_comes_first() -> None:
    """Room of 11 Mbps for two raises: 5 each by weight, in whole steps; a function that is level where the first link stands
    leaves all of it to the other one."""
    function = BandwidthFunction(((0, 0), (18 * M, 18 * M), (200 * M, 20 * M), (400 * M, 60 * M)))
    for first, expected in (({}, [25 * M, 25 * M]), ({"bandwidth_function": function}, [31 * M])):
        usage = {"dinkes": saturated(), "dukcapil": saturated("dukcapil")}
        found = given([link(cir=2 * M, **first), link("dukcapil", cir=2 * M)], usage, district=121 * M)
        load = NodeLoad(window=window("kec", p95_bps=100 * M, coverage_ratio=1.0))
        advice = run(CHOICES, replace(found, node_load={"kec": {Direction.DOWN: load}, "root": {Direction.DOWN: load}}))
        assert raised_bps(advice) == expected


def test_what_is_not_covered_is_not_taken_for_free() -> None:
    """A sum over four fifths of the time counts five quarters; links outside the sum count on top with their demand."""
    unseen = crowd(300 * M, 80 * M, coverage=0.8, beside=frozenset({"opd0"}))
    assert loads(unseen, Direction.DOWN, {}, 0.0)["kec"].rate_bps == 100 * M + 12 * M


def test_a_full_node_that_was_measured_gives_nothing() -> None:
    """More measured than fits: no raise below it, whatever else has room."""
    assert raised_bps(run(CHOICES, crowd(140 * M, 150 * M))) == []


def test_guarantees_stand_whatever_is_measured() -> None:
    """Nothing was used, but ten CIRs of 2 Mbps are promised: of 45 Mbps 25 are left for the raised link."""
    assert raised_bps(run(CHOICES, crowd(45 * M, 1 * M))) == [25 * M]


def test_what_is_broken_comes_first_and_what_tidies_last() -> None:
    """fix, raise, lower; of two raises the one that lacks more."""
    flapping = LinkHealth(link="wifi", readings=800, flaps=75)
    idle = window("lib", mean_bps=0.1 * M, p95_bps=0.2 * M, max_bps=0.3 * M, octets=M * 100_000 // 8)
    links = [link("lib", limit=40 * M), link("a", limit=10 * M), link("b"), link("wifi")]
    usage = {"lib": idle, "a": saturated("a", limit=10 * M), "b": saturated("b"), "wifi": window("wifi")}
    advice = run(CHOICES, given(links, usage, health={"wifi": flapping}))
    assert [(entry.action, entry.link) for entry in advice.recommendations] == [
        (Action.FIX, "wifi"),
        (Action.RAISE, "b"),
        (Action.RAISE, "a"),
        (Action.LOWER, "lib"),
    ]
    assert by_importance(reversed(advice.recommendations)) == list(advice.recommendations)


def test_small_lowerings_are_no_morning_reading() -> None:
    """8 to 4 Mbps frees what nobody lacks: held. Where a raise below the same node lacks room it is proposed."""
    small = window("sd", mean_bps=1.0 * M, p95_bps=2.0 * M, max_bps=3.0 * M, octets=M * 600_000 // 8)
    links, usage = [link("sd", limit=8 * M, cir=0), link()], {"sd": small, "dinkes": saturated()}
    roomy = run(CHOICES, given(links, usage))
    assert [entry.reason.code for entry in roomy.holds if (entry.link, entry.direction) == ("sd", "down")] == ["generous"]
    full = run(CHOICES, given(links, usage, district=30 * M))
    assert [entry.action for entry in full.recommendations if entry.link == "sd"] == [Action.LOWER]
