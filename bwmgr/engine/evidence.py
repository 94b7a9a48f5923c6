"""How a recommendation came about: the run it came from, repeated, with what each step of it started from.

Owns the trace. What was decided is `run`'s; writing the trace down is `bwmgr.daemon.evidence`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bwmgr.allocate import allocate
from bwmgr.allocate.tree import link_of
from bwmgr.engine.arbitration import Settled
from bwmgr.engine.guards import Guards
from bwmgr.engine.run import Choice, _Run
from bwmgr.engine.tree import Load, carried, guarantee_problem, loads, step_problem
from bwmgr.model.bandwidth import Allocation, CapacityLeaf, CapacityNode
from bwmgr.model.decision import Recommendation
from bwmgr.model.inventory import Direction
from bwmgr.model.policy import Key, PolicyInput


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One sharing: the tree, what its links want, and what they get."""

    nodes: Sequence[CapacityNode]
    leaves: Sequence[CapacityLeaf]
    shares: Mapping[str, Allocation]


@dataclass(frozen=True, kw_only=True)
class Trace:
    """The steps of one direction of a run, and what was recommended for the link."""

    recommendation: Recommendation | None
    """What the repeated run says of the link; None: nothing."""
    wanted_bps: int | None
    """The limit after the guards of the link alone, before the tree."""
    load: Mapping[str, Load]
    steps: Problem | None
    """Sharing of the room above the load; None where the link is not to be raised."""
    guarantees: Problem | None


def trace(
    policies: Sequence[Choice],
    given: PolicyInput,
    guards: Guards,
    link: str,
    direction: Direction,
    *,
    author: str,
    id_: str | None = None,
) -> Trace:
    """Runs everything again as of `given.now`, looking at one link or node; of several statements at that with the id `id_`."""
    run = _Traced(given, guards, author)
    advice = run.advice(policies)
    found = [entry for entry in advice.recommendations if (entry.link, entry.direction) == (link, direction)]
    found.sort(key=lambda entry: entry.id != id_)
    wanted = run.wanted.get(direction, {})
    load = loads(given, direction, wanted, guards.load_margin_ratio)
    raised = {name: wanted[name] for name in carried(given, direction, wanted, load)}
    steps = guarantees = None
    if link in raised:
        steps = _problem(*step_problem(given, direction, raised, load))
        limits = {name: given.current[name][direction].mir_bps or 0 for name in raised}
        asked = {name: limits[name] + steps.shares[name].allocation_bps for name in raised}
        guarantees = _problem(*guarantee_problem(given, direction, asked))
    return Trace(
        recommendation=found[0] if found else None,
        wanted_bps=wanted.get(link),
        load=load,
        steps=steps,
        guarantees=guarantees,
    )


class _Traced(_Run):
    """Keeps what the tree was asked for."""

    def __init__(self, given: PolicyInput, guards: Guards, author: str) -> None:
        super().__init__(given, guards, author)
        self.wanted: dict[Direction, Mapping[str, int]] = {}

    def _fit(self, direction: Direction, wanted: Mapping[str, int], settled: Mapping[Key, Settled]) -> None:
        self.wanted[direction] = dict(wanted)
        super()._fit(direction, wanted, settled)


def _problem(nodes: list[CapacityNode], leaves: list[CapacityLeaf]) -> Problem:
    shares = {link_of(entry.id): entry for entry in allocate(nodes, leaves).allocations}
    return Problem(nodes=nodes, leaves=leaves, shares=shares)
