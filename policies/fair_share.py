"""fair_share: limits from the water level, only where the congested element cannot share by itself.

A router that can share (a RouterOS queue tree, HTB) gets CIR, MIR and weight once and shares every packet's time better than any
limit that changes by the hour: measured on replayed traffic, dynamic limits cost volume. So this policy acts on the `nodes` that
the office names as unable to share (a provider's FIFO uplink, a radio bridge), and nowhere else.

A node is congested when its measured sum reached `enter_ratio` of its capacity in each third of the last hour: three
confirmations. Then the capacity is shared by class, weight, CIR and MIR among what its links use now; a link that is at its
share's end gets the share times `spare_factor`. A link that fell under such a limit gets more when its share does
(`raise_ratio`), and its old limit when the node stayed below `leave_ratio` for the hour. The engine adds: never below the CIR, at
most -50 % a step, an hour between changes of a link.

Parameters: `nodes` (none: the policy does nothing), `enter_ratio` (0.95), `leave_ratio` (0.85), `spare_factor` (1.25),
`lower_ratio` (0.8), `raise_ratio` (1.2).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

from bwmgr.allocate import allocate
from bwmgr.allocate.tree import capacity_leaf, capacity_nodes, link_of, node_capacity
from bwmgr.model.bandwidth import Allocation
from bwmgr.model.decision import Action, Reason
from bwmgr.model.inventory import Direction, Link, Node
from bwmgr.model.policy import RESTORE_BPS, PolicyInput, Proposal

NAME = "fair_share"
_THIRDS = 3


@dataclass(frozen=True, kw_only=True)
class Parameters:
    nodes: tuple[str, ...] = ()
    """Nodes whose equipment cannot share among its links; none: the policy does nothing."""
    enter_ratio: float = 0.95
    """From this share of its capacity on a node is congested."""
    leave_ratio: float = 0.85
    """Below this share for an hour the limits are given back."""
    spare_factor: float = 1.25
    """A limit is so many times the fair share: what a link does not use others can."""
    lower_ratio: float = 0.8
    """Lowered only to less than this share of the limit in force."""
    raise_ratio: float = 1.2
    """Raised again only to more than this multiple of it."""


def propose(given: PolicyInput, parameters: Parameters) -> Iterator[Proposal]:
    """Limits for the links of congested nodes, and their way back."""
    for node_id in parameters.nodes:
        node = given.inventory.nodes.get(node_id)
        for direction in Direction if node is not None else ():
            recent = given.node_recent.get(node_id, {}).get(direction, ())
            capacity = node_capacity(given.inventory, node, direction) if node is not None else None
            if node is None or not capacity or len(recent) < _THIRDS:
                continue
            if confirmations(recent, parameters.enter_ratio * capacity) == _THIRDS:
                yield from _shared(given, parameters, node, direction)
            elif max(recent) < parameters.leave_ratio * capacity:
                yield from _given_back(given, node, direction)


def confirmations(recent: tuple[float, ...], threshold_bps: float) -> int:
    """In how many thirds of the hour the sum reached the threshold."""
    cuts = [round(len(recent) * part / _THIRDS) for part in range(_THIRDS + 1)]
    return sum(max(recent[first:last]) >= threshold_bps for first, last in pairwise(cuts) if last > first)


def water_level(given: PolicyInput, direction: Direction) -> Mapping[str, Allocation]:
    """Each link's share of the tree by class and weight if all wanted what they used at most in the last hours."""
    leaves = []
    for link in given.inventory.links.values():
        window = given.recent.get(link.id, {}).get(direction)
        usual, used = given.usual_mir((link.id, direction)), 0.0 if window is None else window.max_bps or 0.0
        # a link at its limit may want more: it shares up to what it usually has
        wants = (
            float(usual) if usual is not None and used >= 0.95 * (given.current[link.id][direction].mir_bps or usual) else used
        )
        leaves.append(capacity_leaf(link, wants_bps=wants, has_bps=min(float(link.cir[direction]), wants), most_bps=usual))
    nodes = [replace(node, cir_bps=0.0) for node in capacity_nodes(given.inventory, direction)]
    return {link_of(entry.id): entry for entry in allocate(nodes, leaves).allocations}


def _shared(given: PolicyInput, parameters: Parameters, node: Node, direction: Direction) -> Iterator[Proposal]:
    shares = water_level(given, direction)
    for link in _below(given, node):
        current, usual = given.current[link.id][direction].mir_bps, given.usual_mir((link.id, direction))
        share = shares[link.id]
        if current is None or share.bottleneck != node.id:
            continue
        target = share.allocation_bps * parameters.spare_factor
        lent = given.lent((link.id, direction)) is not None
        if target < parameters.lower_ratio * current:
            yield _limit(given, node, link, direction, Action.LOWER, target, share, usual)
        elif lent and target > parameters.raise_ratio * current:
            yield _limit(given, node, link, direction, Action.RAISE, min(target, float(usual or target)), share, usual)


def _limit(
    given: PolicyInput,
    node: Node,
    link: Link,
    direction: Direction,
    action: Action,
    target_bps: float,
    share: Allocation,
    usual_bps: int | None,
) -> Proposal:
    recent = given.node_recent[node.id][direction]
    return Proposal(
        link=link.id,
        direction=direction,
        action=action,
        reason=Reason(
            code="fair_share",
            message="{node_name} is full and cannot share by itself: {link_name} has a fair share of {share_bps} of {direction}, "
            "limit it to {proposed_bps} until there is room again.",
            values={
                "node_name": node.name,
                "link_name": link.name,
                "direction": str(direction),
                "share_bps": share.allocation_bps,
            },
        ),
        mir_bps=target_bps,
        dynamic=True,
        more={
            "tree_node": node.id,
            "share_bps": share.allocation_bps,
            "node_recent_max_bps": max(recent),
            "confirmations": _THIRDS,
            RESTORE_BPS: usual_bps,
        },
    )


def _given_back(given: PolicyInput, node: Node, direction: Direction) -> Iterator[Proposal]:
    for link in _below(given, node):
        setter, lent = given.set_by.get((link.id, direction)), given.lent((link.id, direction))
        if setter is None or setter.policy != NAME or lent is None:
            continue
        yield Proposal(
            link=link.id,
            direction=direction,
            action=Action.RESTORE,
            reason=Reason(
                code="room_again",
                message="{node_name} has room again: the {direction} limit of {link_name} goes back to {proposed_bps}.",
                values={"node_name": node.name, "link_name": link.name, "direction": str(direction)},
            ),
            mir_bps=lent,
            exact=True,
            more={"set_by": setter.id},
        )


def _below(given: PolicyInput, node: Node) -> Iterator[Link]:
    for link in given.inventory.links.values():
        if any(above.id == node.id for above in given.inventory.ancestors(link.parent)):
            yield link
