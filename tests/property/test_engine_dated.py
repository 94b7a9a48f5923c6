"""Events and lifts promise no more than the tree has, at every instant and whatever overlaps."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from pathlib import Path

from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from bwmgr.daemon.policy_registry import policy_modules
from bwmgr.engine import run
from bwmgr.model.decision import Action, Recommendation
from bwmgr.model.inventory import Direction, Event, Inventory
from bwmgr.model.policy import Order, PolicyInput

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "engine"))
from dataclasses import replace

from engine_inputs import NOW, M, given, link, window

CHOICES = [(name, module.propose, module.Parameters()) for name, module in policy_modules().items()]
NAMES = ("a", "b", "c", "d")
HOURS = st.integers(-3, 30).map(lambda hours: NOW + timedelta(hours=hours))


@st.composite
def regencies(draw: st.DrawFn) -> PolicyInput:
    """Four links, some events that overlap in any way, some lifts."""
    links = [
        link(name, limit=20 * M, cir=draw(st.sampled_from([0, 5])) * M, mir=draw(st.sampled_from([40, 500])) * M)
        for name in NAMES
    ]
    usage = {name: window(name, p95_bps=draw(st.floats(0.1, 18)) * M) for name in NAMES}
    events = {f"e{at}": _event(draw, f"e{at}") for at in range(draw(st.integers(0, 4)))}
    lifts = tuple(
        Order(
            link=name,
            direction=Direction.DOWN,
            kind="lift",
            mir_bps=draw(st.integers(20, 40)) * M,
            start=NOW,
            end=NOW + timedelta(hours=draw(st.integers(1, 9))),
            by="sari",
        )
        for name in draw(st.sets(st.sampled_from(NAMES)))
    )
    found = given(links, usage, root=draw(st.integers(80, 400)) * M, district=draw(st.integers(80, 400)) * M)  # type: ignore[arg-type]
    return replace(found, inventory=replace(found.inventory, events=events), orders=lifts)


def _event(draw: st.DrawFn, name: str) -> Event:
    start = draw(HOURS)
    links = tuple(sorted(draw(st.sets(st.sampled_from(NAMES), min_size=1, max_size=2))))
    return Event(
        id=name,
        links=links,
        down_bps=draw(st.integers(1, 300)) * M,
        start=start,
        end=start + timedelta(hours=draw(st.integers(4, 40))),
    )


def _guaranteed(inventory: Inventory, made: list[Recommendation], moment: datetime) -> float:
    """What is promised at an instant: reservations, and the CIRs of all others."""
    promised = {name: float(inventory.links[name].cir.down) for name in NAMES}
    for entry in made:
        if entry.action is Action.RESERVE and entry.valid_from <= moment < entry.valid_until:
            promised[entry.link] = max(promised[entry.link], float(entry.proposed.cir_bps))
    return sum(promised.values())


@for_all(regencies())
@settings(max_examples=150, deadline=None)
def test_reservations_and_guarantees_fit_at_every_instant(inputs: PolicyInput) -> None:
    """Where any event begins or ends, all reservations and the CIRs of the others are within every node."""
    made = [entry for entry in run(CHOICES, inputs).recommendations if entry.direction is Direction.DOWN]
    moments = {moment for entry in made for moment in (entry.valid_from, entry.valid_until)}
    least = min(node.capacity.down or 0 for node in inputs.inventory.nodes.values())
    for moment in moments:
        assert _guaranteed(inputs.inventory, made, moment) <= least + 1


@for_all(regencies())
@settings(max_examples=150, deadline=None)
def test_one_link_has_one_change_at_a_time(inputs: PolicyInput) -> None:
    """Changes of one link and direction never overlap, and each says what it gives back."""
    made = [entry for entry in run(CHOICES, inputs).recommendations if "ends_at" in entry.evidence.more]
    for at, entry in enumerate(made):
        assert entry.evidence.more["restore_mir_bps"] == 20 * M
        for other in made[at + 1 :]:
            same = (entry.link, entry.direction) == (other.link, other.direction)
            assert not same or entry.valid_until <= other.valid_from or other.valid_until <= entry.valid_from


@for_all(regencies())
@settings(max_examples=100, deadline=None)
def test_lifts_fit_beside_what_others_use(inputs: PolicyInput) -> None:
    """What is lifted now, and what all others use, is within every node."""
    lifted = {
        entry.link: entry.proposed.mir_bps or 0
        for entry in run(CHOICES, replace(inputs, inventory=replace(inputs.inventory, events={}))).recommendations
        if entry.policy == "lift" and entry.action is Action.RAISE
    }
    used = sum(
        lifted.get(name, max(inputs.usage[name][Direction.DOWN].p95_bps or 0, inputs.inventory.links[name].cir.down))
        for name in NAMES
    )
    least = min(node.capacity.down or 0 for node in inputs.inventory.nodes.values())
    assert not lifted or used <= least + 1
