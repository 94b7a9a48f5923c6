"""Runs the policies over one instant: proposals, arbitration, guards, the tree, and recommendations with their evidence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from bwmgr.allocate.tree import node_capacity
from bwmgr.engine.arbitration import Settled, settle
from bwmgr.engine.dated import dated_recommendation, fitting, in_effect, taken, without_overlaps
from bwmgr.engine.guards import (
    Guards,
    calm_hold,
    clamped,
    data_hold,
    guarded_mir,
    in_dead_band,
    link_values,
    opposite,
    planned,
    rounded_down,
)
from bwmgr.engine.importance import by_importance
from bwmgr.engine.records import recommendation
from bwmgr.engine.tree import Load, carried, loads
from bwmgr.model.bandwidth import Bandwidth
from bwmgr.model.decision import ENGINE, Action, Reason, Recommendation
from bwmgr.model.inventory import Direction, Link
from bwmgr.model.policy import Key, Policy, PolicyInput, Proposal

Choice = tuple[str, Policy, Any]
"""A policy as configured: its name, its function, its parameters."""

_HOUR = timedelta(hours=1)
_BY_ENGINE = "engine"
"""The policy of a hold that no policy asked for."""


@dataclass(frozen=True, kw_only=True)
class Advice:
    """What came of a run, the most important first. Holds say why a link is left alone; `counts` is for the daemon's metrics."""

    recommendations: tuple[Recommendation, ...]
    holds: tuple[Recommendation, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)


def run(
    policies: Sequence[Choice],
    given: PolicyInput,
    guards: Guards | None = None,
    *,
    author: str = ENGINE,
    with_holds: bool = True,
) -> Advice:
    """Recommendations and holds of `given.now`. The same input gives the same output, ids too.

    `with_holds` False: holds are not made up, which is what a replay spends its time on otherwise.
    """
    return _Run(given, guards or Guards(), author).advice(policies, with_holds=with_holds)


class _Run:
    def __init__(self, given: PolicyInput, guards: Guards, author: str) -> None:
        self.given, self.guards, self.author = given, guards, author
        self.holds: dict[Key, tuple[str, Reason]] = {}
        """Links that are left alone, by which policy and why."""
        self.found: dict[Key, Recommendation] = {}
        self.others: list[Recommendation] = []
        """What is dated, or about a node: beside the one recommendation of each link and direction."""
        self.dynamic: set[Key] = set()
        """What answers a congestion of now: as many lowerings as it takes, and back again without asking for room."""
        self.frozen: dict[Key, tuple[str, Reason]] = {}
        """Links that an order, event or schedule has at present, by which policy and why."""

    def advice(self, policies: Sequence[Choice], *, with_holds: bool = True) -> Advice:
        self._hold_without_data()
        proposals = [(name, proposal) for name, propose, parameters in policies for proposal in propose(self.given, parameters)]
        usual = [entry for entry in proposals if not entry[1].exact and entry[1].link in self.given.inventory.links]
        settled = settle(usual)
        self.dynamic = {key for key, entry in settled.items() if entry.proposal.dynamic}
        self._exact([entry for entry in proposals if entry[1].exact and entry[1].link in self.given.inventory.links])
        self._nodes([entry for entry in proposals if entry[1].link in self.given.inventory.nodes and entry[1].node])
        broken = {link for (link, _), entry in settled.items() if entry.proposal.action is Action.FIX}
        wanted = {key: mir_bps for key, entry in settled.items() if (mir_bps := self._limit(key, entry, broken)) is not None}
        for direction in Direction:
            self._fit(direction, {link: mir_bps for (link, way), mir_bps in wanted.items() if way is direction}, settled)
        self._spend()
        return Advice(
            recommendations=tuple(by_importance([*self._in_order(self.found), *self.others])),
            holds=self._in_order({key: self._held(key, *why) for key, why in self.holds.items()}) if with_holds else (),
        )

    def _exact(self, proposals: Sequence[tuple[str, Proposal]]) -> None:
        """Orders, events, schedules: as they stand, but within the tree; what they hold, other policies leave alone."""
        standing = without_overlaps(self.given.now, proposals)
        for key, entries in standing.items():
            for entry in entries:
                if in_effect(entry.proposal, self.given.now):
                    self.frozen[key] = (entry.policy, taken(self.given, entry))
        for entry in fitting(self.given, self.guards, standing):
            self.others.append(dated_recommendation(self.given, entry, self.guards.valid_seconds, self.author))

    def _nodes(self, proposals: Sequence[tuple[str, Proposal]]) -> None:
        """What concerns a node and its contracts: each as it stands."""
        for name, proposal in proposals:
            mir_bps = None if proposal.mir_bps is None else round(proposal.mir_bps)
            self.others.append(recommendation(self.given, name, proposal, mir_bps, self.guards.valid_seconds, self.author))

    def _spend(self) -> None:
        """The change budget: so many changes of one router's links an hour, so many lowerings a run; the rest waits its turn."""
        changed = Counter(self._device(key) for key, at in self.given.changed_at.items() if (self.given.now - at) < _HOUR)
        lowered = 0
        for entry in by_importance(self.found.values()):
            key = (entry.link, entry.direction)
            if entry.action is Action.FIX:
                continue
            device = self._device(key)
            over = device is not None and changed[device] >= self.guards.most_changes_per_device_hour
            many = entry.action is Action.LOWER and key not in self.dynamic
            if over or (many and lowered >= self.guards.most_lowerings):
                del self.found[key]
                self._hold(key, entry.policy, _later(self.given.inventory.links[key[0]], key[1]))
                continue
            changed[device] += 1
            lowered += many

    def _device(self, key: Key) -> str | None:
        link = self.given.inventory.links.get(key[0])
        return link.interface.device if link is not None and link.interface is not None else None

    def _hold_without_data(self) -> None:
        for link in self.given.inventory.links.values():
            for direction in Direction:
                if not planned(link) and (why := data_hold(self.given, self.guards, link, direction)):
                    self._hold((link.id, direction), _BY_ENGINE, why)

    def _limit(self, key: Key, entry: Settled, broken: set[str]) -> int | None:
        """The limit that a settled proposal comes to on its own; None where it becomes a fix or a hold."""
        link, direction = self.given.inventory.links[key[0]], key[1]
        proposal, current = entry.proposal, self.given.current[key[0]][direction]
        if proposal.action is Action.FIX:
            self.holds.pop(key, None)
            self._add(key, entry, current.mir_bps)
        elif key in self.frozen:
            self._hold(key, *self.frozen[key])
        elif key in self.holds:
            pass
        elif link.id in broken:
            self._hold(key, entry.policy, _fix_first(link, direction))
        elif why := calm_hold(self.given, self.guards, link, direction, dynamic=proposal.dynamic):
            self._hold(key, entry.policy, why)
        elif proposal.mir_bps is not None:
            return self._stepped(key, entry, link, proposal.mir_bps)
        else:
            self._hold(key, entry.policy, proposal.reason)
        return None

    def _stepped(self, key: Key, entry: Settled, link: Link, target_bps: float) -> int | None:
        current, direction = self.given.current[link.id][key[1]], key[1]
        mir_bps = guarded_mir(target_bps, current, link.mir[direction], self.guards)
        if opposite(entry.proposal.action, mir_bps, current.mir_bps) or in_dead_band(mir_bps, current.mir_bps, self.guards):
            self._hold(key, entry.policy, _bounded(link, direction, current, entry.proposal.action))
            return None
        return mir_bps

    def _fit(self, direction: Direction, wanted: Mapping[str, int], settled: Mapping[Key, Settled]) -> None:
        """Cuts raises to what the tree can carry, all of them together; leaves out lowerings of which nobody has anything."""
        if not wanted:
            return
        load = loads(self.given, direction, wanted, self.guards.load_margin_ratio)
        raises = carried(
            self.given, direction, {link: mir for link, mir in wanted.items() if not self._returned(link, direction, mir)}, load
        )
        crowded = {fits.bottleneck for link, fits in raises.items() if fits.allocation_bps < wanted[link]}
        for link, mir_bps in wanted.items():
            key, fits = (link, direction), raises.get(link)
            if fits is None and not (key in self.dynamic or self._worth_lowering(key, mir_bps, crowded)):
                self._hold(key, settled[key].policy, self._generous(key))
                continue
            if fits is None:
                self._add(key, settled[key], mir_bps)
                continue
            if fits.allocation_bps >= mir_bps:
                self._add(key, settled[key], mir_bps, **self._tightest(link, direction, load))
                continue
            current, ceiling = self.given.current[link][direction], self.given.inventory.links[link].mir[direction]
            cut = clamped(rounded_down(fits.allocation_bps), current.cir_bps, ceiling) if fits.allocation_bps >= 1 else 0
            if opposite(Action.RAISE, cut, current.mir_bps) or in_dead_band(cut, current.mir_bps, self.guards):
                self._hold(key, settled[key].policy, self._full(link, direction, fits.bottleneck))
            else:
                proposal = replace(settled[key].proposal, reason=self._cut(settled[key].proposal, fits.bottleneck))
                more = self._tightest(link, direction, load)
                self._add(key, replace(settled[key], proposal=proposal), cut, **{**more, "tree_node": fits.bottleneck})

    def _returned(self, link: str, direction: Direction, mir_bps: int) -> bool:
        """Whether a limit gives back no more than what was taken for a time only: that needs no room of its own."""
        lent = self.given.lent((link, direction))
        return (link, direction) in self.dynamic and lent is not None and mir_bps <= lent

    def _tightest(self, link: str, direction: Direction, load: Mapping[str, Load]) -> dict[str, str | float]:
        """Evidence of what the tree carries: the node above the link with the least room before the raise, and what passes it."""
        inventory = self.given.inventory
        rooms = [
            (capacity - load[node.id].rate_bps, node.id, capacity)
            for node in inventory.ancestors(inventory.links[link].parent)
            if (capacity := node_capacity(inventory, node, direction)) is not None
        ]
        if not rooms:
            return {}
        _, node_id, capacity = min(rooms)
        return {
            "tree_node": node_id,
            "tree_capacity_bps": capacity,
            "tree_load_bps": load[node_id].rate_bps,
            "tree_load_kind": "measured" if load[node_id].measured else "added up",
        }

    def _worth_lowering(self, key: Key, mir_bps: int, crowded: set[str]) -> bool:
        """True where it gives up much, where a raise below the same node lacks room, and where there was no limit at all."""
        limit_bps = self.given.current[key[0]][key[1]].mir_bps
        if limit_bps is None or limit_bps - mir_bps >= self.guards.least_lowered_bps:
            return True
        return any(node.id in crowded for node in self.given.inventory.ancestors(self.given.inventory.links[key[0]].parent))

    def _generous(self, key: Key) -> Reason:
        link, current = self.given.inventory.links[key[0]], self.given.current[key[0]][key[1]]
        return Reason(
            code="generous",
            message="{link_name} needs less than its {direction} limit of {limit_bps}, but nobody lacks the little that this "
            "would free: nothing is changed.",
            values={**link_values(link, key[1]), "limit_bps": current.mir_bps or 0},
        )

    def _cut(self, proposal: Proposal, node: str) -> Reason:
        """Why less than the link needs: same code, a sentence that names the node that binds."""
        if node not in self.given.inventory.nodes or proposal.demand_bps is None:
            return proposal.reason
        name = self.given.inventory.nodes[node].name
        return Reason(
            code=proposal.reason.code,
            message="{link_name} would use about {demand_bps} of {direction}, but {node_name} carries no more: "
            "raise to {proposed_bps}.",
            values={**proposal.reason.values, "node_name": name, "demand_bps": proposal.demand_bps},
        )

    def _full(self, link: str, direction: Direction, node: str) -> Reason:
        name = self.given.inventory.nodes[node].name if node in self.given.inventory.nodes else node
        return Reason(
            code="no_capacity",
            message="{node_name} has no capacity left for a higher {direction} limit of {link_name}: nothing is changed.",
            values={**link_values(self.given.inventory.links[link], direction), "node_name": name},
        )

    def _add(self, key: Key, entry: Settled, mir_bps: int | None, **more: str | float) -> None:
        values = {**entry.proposal.reason.values, "proposed_bps": mir_bps if mir_bps is not None else 0}
        reason = replace(entry.proposal.reason, values=values)
        overruled = {"overruled": ", ".join(entry.overruled)} if entry.overruled else {}
        proposal = replace(entry.proposal, reason=reason, more={**entry.proposal.more, **overruled, **more})
        self.found[key] = recommendation(self.given, entry.policy, proposal, mir_bps, self.guards.valid_seconds, self.author)

    def _hold(self, key: Key, policy: str, reason: Reason) -> None:
        self.holds[key] = policy, reason

    def _held(self, key: Key, policy: str, reason: Reason) -> Recommendation:
        link, direction = key
        hold = Proposal(link=link, direction=direction, action=Action.HOLD, reason=reason)
        mir_bps = self.given.current[link][direction].mir_bps
        return recommendation(self.given, policy, hold, mir_bps, self.guards.valid_seconds, self.author)

    def _in_order(self, made: Mapping[Key, Recommendation]) -> tuple[Recommendation, ...]:
        keys = ((link, direction) for link in self.given.inventory.links for direction in Direction)
        return tuple(by_importance(made[key] for key in keys if key in made))


def _later(link: Link, direction: Direction) -> Reason:
    return Reason(
        code="later",
        message="The {direction} limit of {link_name} is to change too, but enough changes are proposed for now: next time.",
        values=link_values(link, direction),
    )


def _fix_first(link: Link, direction: Direction) -> Reason:
    return Reason(
        code="fix_first",
        message="{link_name} has a fault to be mended first: its {direction} limit is left as it is.",
        values=link_values(link, direction),
    )


def _bounded(link: Link, direction: Direction, current: Bandwidth, action: Action) -> Reason:
    values = {**link_values(link, direction), "limit_bps": current.mir_bps or 0}
    if action is Action.RAISE:
        return Reason(
            code="at_ceiling",
            message="{link_name} would use more, but its {direction} limit of {limit_bps} can hardly rise.",
            values=values,
        )
    return Reason(
        code="at_floor",
        message="{link_name} needs little, but its {direction} limit of {limit_bps} can hardly fall.",
        values=values,
    )
