"""The sum of what is recommended never exceeds what the tree can carry (docs/adr/0006), whatever was measured."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from bwmgr.daemon.policy_registry import policy_modules
from bwmgr.engine import run
from bwmgr.engine.guards import Guards
from bwmgr.engine.tree import counted_on
from bwmgr.model.bandwidth import Bandwidth
from bwmgr.model.decision import Action
from bwmgr.model.inventory import Direction, Inventory, Link, LinkKind, Node, Organisation, PerDirection, ServiceClass
from bwmgr.model.policy import NodeLoad, PolicyInput
from bwmgr.model.usage import UsageWindow

NOW = datetime(2026, 2, 2, 3, 0, tzinfo=UTC)
M = 1_000_000
CHOICES = [(name, module.propose, module.Parameters()) for name, module in policy_modules().items()]
RATES = st.integers(1, 60).map(lambda megabits: megabits * M)


@st.composite
def inputs(draw: st.DrawFn) -> PolicyInput:
    """Some links under two districts of one root; any limits, guarantees, usage; down only."""
    names = [f"l{at}" for at in range(draw(st.integers(1, 6)))]
    links = {name: _link(draw, name) for name in names}
    usage = {name: {Direction.DOWN: _window(draw, links[name])} for name in names}
    inventory = Inventory(
        organisation=Organisation(name="Kabupaten"),
        nodes={
            "root": Node(id="root", name="root", capacity=PerDirection(down=draw(RATES) * 3, up=None)),
            "a": Node(id="a", name="a", parent="root", capacity=PerDirection(down=draw(RATES) * 2, up=None)),
            "b": Node(id="b", name="b", parent="root"),
        },
        links=links,
    )
    current = {
        name: {way: Bandwidth(cir_bps=link.cir[way], mir_bps=link.limit[way]) for way in Direction}
        for name, link in links.items()
    }
    return PolicyInput(now=NOW, inventory=inventory, current=current, usage=usage, recent=usage)


def _link(draw: st.DrawFn, name: str) -> Link:
    mir = draw(RATES)
    limit, cir = min(draw(RATES), mir), min(draw(st.sampled_from([0, M, 5 * M])), mir)
    return Link(
        id=name,
        name=name,
        kind=LinkKind.OPD,
        parent=draw(st.sampled_from("ab")),
        limit=PerDirection(down=max(limit, cir), up=None),
        cir=PerDirection(down=cir, up=0),
        mir=PerDirection(down=mir, up=None),
        weight=draw(st.sampled_from([1.0, 2.0])),
        service_class=draw(st.sampled_from(ServiceClass)),
    )


def _window(draw: st.DrawFn, link: Link) -> UsageWindow:
    limit = link.limit.down or 0
    share = draw(st.sampled_from([0.0, 0.0, 0.04, 0.1, 0.2, 0.5, 0.9]))
    p95 = 0.99 * limit if share >= 0.05 else draw(st.floats(0.01, 0.94)) * limit
    mean = p95 * draw(st.floats(0.1, 0.9))
    return UsageWindow(
        link=link.id, direction=Direction.DOWN, start=NOW - timedelta(days=7), end=NOW, calendar="always", samples=2000,
        octets=round(mean * 600_000 / 8), mean_bps=mean, p95_bps=p95, max_bps=max(p95, limit * share), coverage_ratio=1.0,
        saturated_ratio=share,
    )  # fmt: skip


def _needs(given: PolicyInput, new: dict[str, int], node: str) -> float:
    """What comes from below a node: of links as the decision says, of inner nodes no more than they can pass."""
    links = [given.inventory.links[name] for name in given.inventory.links_of[node]]
    own = sum(max(new[link.id], link.cir.down) if link.id in new else counted_on(given, link, Direction.DOWN) for link in links)
    return own + sum(_passed(given, new, child) for child in given.inventory.children[node])


def _passed(given: PolicyInput, new: dict[str, int], node: str) -> float:
    capacity = given.inventory.nodes[node].capacity.down
    needs = _needs(given, new, node)
    return needs if capacity is None else min(needs, capacity)


@for_all(inputs())
@settings(max_examples=200, deadline=None)
def test_raises_fit_beside_what_others_count_on(given: PolicyInput) -> None:
    """At every node above a raised link: new and lowered limits and the others' demand add up to no more than it has."""
    advice = run(CHOICES, given)
    new = {entry.link: entry.proposed.mir_bps or 0 for entry in advice.recommendations if entry.action is not Action.FIX}
    for entry in advice.recommendations:
        if entry.action is not Action.RAISE:
            continue
        for node in given.inventory.ancestors(given.inventory.links[entry.link].parent):
            assert node.capacity.down is None or _needs(given, new, node.id) <= node.capacity.down + 1


@st.composite
def measured_inputs(draw: st.DrawFn) -> PolicyInput:
    """The same with the sum at some nodes measured, anything from nothing to far too much."""
    found = draw(inputs())
    load = {}
    for node in draw(st.sets(st.sampled_from(["root", "a", "b"]))):
        window = replace(next(iter(found.usage.values()))[Direction.DOWN], p95_bps=draw(st.floats(0, 200)) * M)
        load[node] = {Direction.DOWN: NodeLoad(window=replace(window, coverage_ratio=draw(st.floats(0.7, 1.0))))}
    return replace(found, node_load=load)


@for_all(measured_inputs())
@settings(max_examples=200, deadline=None)
def test_raises_fit_above_a_measured_load_and_beside_all_guarantees(given: PolicyInput) -> None:
    """At every node above a raised link: the load with its margin and all steps up fit, and so do new limits beside CIRs."""
    guards = Guards()
    raises = {entry.link: entry for entry in run(CHOICES, given, guards).recommendations if entry.action is Action.RAISE}
    for node in given.inventory.nodes.values():
        below = _links_below(given.inventory, node.id)
        steps = sum((raises[name].proposed.mir_bps or 0) - (raises[name].current.mir_bps or 0) for name in below & set(raises))
        if node.capacity.down is None or not steps:
            continue
        known = given.node_load.get(node.id, {}).get(Direction.DOWN)
        if known is not None:
            assert known.rate_bps * (1 + guards.load_margin_ratio) + steps <= node.capacity.down + 1
        links = given.inventory.links
        kept = sum(raises[name].proposed.mir_bps or 0 if name in raises else links[name].cir.down for name in below)
        assert kept <= node.capacity.down + 1


def _links_below(inventory: Inventory, node: str) -> set[str]:
    return {link.id for link in inventory.links.values() if node in {entry.id for entry in inventory.ancestors(link.parent)}}


@for_all(inputs())
@settings(deadline=None)
def test_every_recommendation_is_within_cir_and_mir(given: PolicyInput) -> None:
    """Never below the guarantee, never above the ceiling, never lowered by more than half, CIR untouched."""
    for entry in run(CHOICES, given).recommendations:
        link, proposed = given.inventory.links[entry.link], entry.proposed.mir_bps or 0
        assert link.cir.down <= proposed <= (link.mir.down or 0)
        assert proposed >= (entry.current.mir_bps or 0) / 2
        assert entry.proposed.cir_bps == entry.current.cir_bps
        assert (proposed > (entry.current.mir_bps or 0)) == (entry.action is Action.RAISE)


@for_all(inputs())
@settings(deadline=None)
def test_what_was_recommended_and_done_is_not_turned_back(given: PolicyInput) -> None:
    """Applied, with usage as it was expected, the next run does not lower what this one raised."""
    advice = run(CHOICES, given)
    for entry in advice.recommendations:
        if entry.action is not Action.RAISE or entry.evidence.demand_bps is None or not entry.proposed.mir_bps:
            continue
        used = min(entry.evidence.demand_bps, entry.proposed.mir_bps)
        window = replace(given.usage[entry.link][Direction.DOWN], p95_bps=used, max_bps=used, saturated_ratio=0.0)
        after = {**given.usage, entry.link: {Direction.DOWN: window}}
        current = {**given.current, entry.link: {**given.current[entry.link], Direction.DOWN: entry.proposed}}
        again = run(CHOICES, replace(given, usage=after, recent=after, current=current))
        assert not [turn for turn in again.recommendations if turn.link == entry.link and turn.action is Action.LOWER]
