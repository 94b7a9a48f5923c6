"""fair_share: one limit for all large links, only where the congested element cannot share by itself.

A router that can share (a RouterOS queue tree, HTB) gets CIR, MIR and weight once and shares every packet's time better than any
limit that changes by the hour: measured on replayed traffic, dynamic limits cost volume. So this policy acts on the `nodes` that
the office names as unable to share (a provider's FIFO uplink, a radio bridge), and nowhere else.

Fairness on one full node means: who wants more than the level L gets L (times its weight), all others what they want. So the
large links bear one common limit and the small ones none. Nobody sees what is wanted, so L is led, not computed: while the node
is nearly full (`enter_ratio` of its capacity) L falls to the level at which its links would fit into `target_ratio` of it, by
`step_ratio` at least; while it has room (below `leave_ratio`) L rises by `step_ratio`, after `hold_seconds` of rest, and a level
that nobody came near in half a day is lifted. A link bears the limit from `join_ratio` of L on and is freed below `quit_ratio` of
it, and follows it upwards where it uses `raise_ratio` of its limit, so that limits change seldom. The engine adds: never below
the CIR, at most -50 % a step, `dynamic_cooldown` between changes of a link. A link without limit and MIR is given back the
node's capacity, which it does not feel.

It looks at the newest five minutes, at every run (`daemon.recommend_every`, 15 minutes). What it comes to on the Abilene
trace behind a FIFO is in docs/method-backtest.md.

Parameters: `nodes` (none: the policy does nothing), `enter_ratio` (0.97), `leave_ratio` (0.91), `target_ratio` (0.93),
`step_ratio` (0.35), `hold_seconds` (900), `raise_ratio` (0.7), `join_ratio` (0.8), `quit_ratio` (0.4).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from bwmgr.allocate import allocate
from bwmgr.allocate.tree import capacity_leaf, capacity_nodes, link_of, node_capacity
from bwmgr.model.decision import Action, Reason
from bwmgr.model.inventory import Direction, Link, Node
from bwmgr.model.policy import RESTORE_BPS, PolicyInput, Proposal

NAME = "fair_share"
LEVEL_BPS = "level_bps"
"""Evidence: the common limit of a link of weight 1."""
_AT_LIMIT_RATIO = 0.95
_FAR_RATIO = 2.0
"""A level so many times above what anybody used is none."""


@dataclass(frozen=True, kw_only=True)
class Parameters:
    nodes: tuple[str, ...] = ()
    """Nodes whose equipment cannot share among its links; none: the policy does nothing."""
    enter_ratio: float = 0.97
    """From this share of its capacity on a node is nearly full: the level falls."""
    leave_ratio: float = 0.91
    """Below this share the level rises."""
    target_ratio: float = 0.93
    """The links are to fit into this share of the capacity."""
    step_ratio: float = 0.35
    """The level moves by this share of itself, down at least, up at most."""
    hold_seconds: float = 900.0
    """The level rises no sooner after its last move; it falls at any time."""
    raise_ratio: float = 0.7
    """A limit follows the level upwards only where the link uses this share of it."""
    join_ratio: float = 0.8
    """A link that used this share of the level bears the limit."""
    quit_ratio: float = 0.4
    """A link that used less than this share of it bears it no longer."""


def follows_now(parameters: Parameters) -> bool:
    """Whether it answers what is full now; a replay runs it as often as the daemon does then."""
    return bool(parameters.nodes)


def propose(given: PolicyInput, parameters: Parameters) -> Iterator[Proposal]:
    """Limits for the large links of nearly full nodes, and their way back."""
    for node_id in parameters.nodes:
        node = given.inventory.nodes.get(node_id)
        for direction in Direction if node is not None else ():
            recent = given.node_recent.get(node_id, {}).get(direction, ())
            capacity = node_capacity(given.inventory, node, direction) if node is not None else None
            if node is not None and capacity and recent:
                yield from _of_node(_Node(given, parameters, node, direction, capacity, recent[-1]))


@dataclass(frozen=True, slots=True)
class _Node:
    """One direction of a node that cannot share."""

    given: PolicyInput
    parameters: Parameters
    node: Node
    direction: Direction
    capacity_bps: int
    load_bps: float

    def links(self) -> list[Link]:
        """Those below it."""
        inventory = self.given.inventory
        above = {link.id: inventory.ancestors(link.parent) for link in inventory.links.values()}
        return [link for link in inventory.links.values() if any(node.id == self.node.id for node in above[link.id])]

    def used(self, link: Link) -> float:
        """In the newest five minutes, bit/s."""
        return self.given.latest.get(link.id, {}).get(self.direction, 0.0)

    def most(self, link: Link) -> float:
        """In the last hours, bit/s."""
        window = self.given.recent.get(link.id, {}).get(self.direction)
        return 0.0 if window is None else window.max_bps or 0.0

    def usual(self, link: Link) -> int:
        """The limit outside congestion; of a link without one, its MIR or what the node carries: it does not feel either."""
        known = self.given.usual_mir((link.id, self.direction))
        return known or link.mir[self.direction] or self.capacity_bps

    def bears(self, link: Link) -> bool:
        """Is its limit one that this policy set?"""
        setter = self.given.set_by.get((link.id, self.direction))
        return setter is not None and setter.policy == NAME and LEVEL_BPS in setter.evidence.more

    def level(self, links: Sequence[Link]) -> tuple[float, bool]:
        """The level in force, infinite where there is none: the newest that was set; and whether it has rested long enough."""
        setters = [self.given.set_by[link.id, self.direction] for link in links if self.bears(link)]
        newest = max(setters, key=lambda setter: setter.created_at, default=None)
        found = None if newest is None else newest.evidence.more.get(LEVEL_BPS)
        if newest is None or not isinstance(found, int | float):
            return math.inf, False
        return float(found), (self.given.now - newest.created_at).total_seconds() >= self.parameters.hold_seconds


def _of_node(at: _Node) -> Iterator[Proposal]:
    links = at.links()
    level = _led(at, links, *at.level(links))
    if level > _FAR_RATIO * max((_level_of(link, at.direction, at.most(link)) for link in links), default=0.0):
        level = math.inf
    for link in links:
        usual, bears = at.usual(link), at.bears(link)
        share = _share(link, at.direction, level)
        large = at.most(link) >= (at.parameters.quit_ratio if bears else at.parameters.join_ratio) * share
        if large and share < usual:
            yield from _limited(at, link, share, level, usual)
        elif bears:
            yield from _given_back(at, link)


def _led(at: _Node, links: Sequence[Link], level_bps: float, rested: bool) -> float:
    """The level from now on."""
    step = at.parameters.step_ratio
    if at.load_bps >= at.parameters.enter_ratio * at.capacity_bps:
        water = water_level(at.given, at.node, at.direction, at.parameters.target_ratio, links)
        return min(level_bps * (1 - step), water) if water < level_bps else level_bps
    if rested and at.load_bps < at.parameters.leave_ratio * at.capacity_bps:
        return level_bps * (1 + step)
    return level_bps


def water_level(given: PolicyInput, node: Node, direction: Direction, target_ratio: float, links: Sequence[Link]) -> float:
    """The level at which all fit into `target_ratio` of the node, were those at their limit to want all of it; infinite: they do.

    `node` has a capacity.
    """
    leaves, all_of_it = [], float(node_capacity(given.inventory, node, direction) or 0)
    for link in links:
        used, limit = given.latest.get(link.id, {}).get(direction, 0.0), given.current[link.id][direction].mir_bps
        wants = all_of_it if limit is not None and used >= _AT_LIMIT_RATIO * limit else used
        leaves.append(capacity_leaf(link, wants_bps=wants, has_bps=min(float(link.cir[direction]), wants), most_bps=None))
    nodes = [
        replace(each, cir_bps=0.0, capacity_bps=each.capacity_bps * target_ratio)
        if each.id == node.id and each.capacity_bps is not None
        else replace(each, cir_bps=0.0)
        for each in capacity_nodes(given.inventory, direction)
    ]
    by_id = {link.id: link for link in links}
    levels = [
        _level_of(by_id[link_of(entry.id)], direction, entry.allocation_bps)
        for entry in allocate(nodes, leaves).allocations
        if entry.bottleneck == node.id
    ]
    return max(levels, default=math.inf) or math.inf


def _share(link: Link, direction: Direction, level_bps: float) -> float:
    """The limit at a level: times the weight, or what a bandwidth function gives on top of the CIR."""
    return link.share_at(level_bps) + (0 if link.bandwidth_function is None else link.cir[direction])


def _level_of(link: Link, direction: Direction, rate_bps: float) -> float:
    """The level at which this is its limit."""
    return link.level_of(max(rate_bps - (0 if link.bandwidth_function is None else link.cir[direction]), 0.0))


def _limited(at: _Node, link: Link, share_bps: float, level_bps: float, usual_bps: int) -> Iterator[Proposal]:
    current = at.given.current[link.id][at.direction].mir_bps
    if current is not None and share_bps >= current and at.used(link) < at.parameters.raise_ratio * current:
        return
    yield Proposal(
        link=link.id,
        direction=at.direction,
        action=Action.LOWER if current is None or share_bps < current else Action.RAISE,
        reason=Reason(
            code="fair_share",
            message="{node_name} is nearly full and cannot share by itself: its large links get {level_bps} of {direction} each, "
            "so limit {link_name} to {proposed_bps} until there is room again.",
            values={
                "node_name": at.node.name,
                "link_name": link.name,
                "direction": str(at.direction),
                "level_bps": share_bps,
            },
        ),
        mir_bps=share_bps,
        dynamic=True,
        more={
            "tree_node": at.node.id,
            LEVEL_BPS: level_bps,
            "node_latest_bps": at.load_bps,
            "link_most_bps": at.most(link),
            RESTORE_BPS: usual_bps,
        },
    )


def _given_back(at: _Node, link: Link) -> Iterator[Proposal]:
    key = (link.id, at.direction)
    lent = at.given.lent(key)
    if lent is None:
        return
    yield Proposal(
        link=link.id,
        direction=at.direction,
        action=Action.RESTORE,
        reason=Reason(
            code="room_again",
            message="{node_name} has room again: the {direction} limit of {link_name} goes back to {proposed_bps}.",
            values={"node_name": at.node.name, "link_name": link.name, "direction": str(at.direction)},
        ),
        mir_bps=lent,
        exact=True,
        more={"set_by": at.given.set_by[key].id},
    )
