"""The slow, plain, exact allocator: what `solver` must equal.

Walks the tree node by node in fractions, raising a level from break to break (a link that is full, a node that is full). Owns the
definition of every phase; cares for no speed. Use it to check a plan by hand or in a test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise

from bwmgr.model.bandwidth import CapacityLeaf, CapacityNode
from bwmgr.model.inventory import ServiceClass

Amount = Fraction | None
"""None: without bound."""
Amounts = dict[str, Fraction]
_ZERO, _ONE = Fraction(0), Fraction(1)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Leaf:
    id: str
    bound: Amount
    weight: Fraction
    points: tuple[tuple[Fraction, Fraction], ...] = ()
    """Of its bandwidth function; it grows by weight where there are none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Node:
    id: str
    room: Amount
    weight: Fraction
    hierarchical: bool
    children: tuple[_Node | _Leaf, ...] = field(default=())


def allocate_exactly(nodes: Sequence[CapacityNode], leaves: Sequence[CapacityLeaf]) -> Amounts:
    """What each link gets, as exact fractions of bit/s, by its id. The tree has no mistakes (`shape.mistakes`)."""
    return _Tree(nodes, leaves).allocate()


class _Tree:
    def __init__(self, nodes: Sequence[CapacityNode], leaves: Sequence[CapacityLeaf]) -> None:
        self.nodes = {node.id: node for node in nodes}
        self.leaves = {leaf.id: leaf for leaf in leaves}
        self.ceilings = {leaf.id: _least(_amount(leaf.demand_bps), _amount(leaf.most_bps)) for leaf in leaves}
        self.have = dict.fromkeys(self.leaves, _ZERO)

    def allocate(self) -> Amounts:
        self._leaf_guarantees()
        deepest = max((len(self._above(node.parent)) for node in self.nodes.values()), default=0)
        for depth in range(deepest, -1, -1):
            self._node_guarantees([node for node in self.nodes.values() if len(self._above(node.parent)) == depth])
        rooms = self._rooms()
        for turn in self._turns():
            self._add(self._fill(turn, rooms))
            rooms = self._rooms()
        return self.have

    def _leaf_guarantees(self) -> None:
        chosen = {name: Fraction(leaf.cir_bps) for name, leaf in self.leaves.items() if leaf.cir_bps > 0}
        bounds = {name: _least(cir, self.ceilings[name]) for name, cir in chosen.items()}
        self._add(self._shared(chosen, bounds, self._rooms(), fair_by_link=True))

    def _node_guarantees(self, nodes: Iterable[CapacityNode]) -> None:
        rooms = self._rooms()
        lacks = {node.id: max(Fraction(node.cir_bps) - self._passing(node.id), _ZERO) for node in nodes}
        wants = {name: _least(lack, self._takeable(name, rooms)) for name, lack in lacks.items() if lack > 0}
        granted = self._grants(wants, {name: lacks[name] for name in wants}, rooms)
        inner: dict[str, Amount] = {**rooms, **dict.fromkeys(lacks, _ZERO), **granted}
        below = {name for name, leaf in self.leaves.items() if any(node in granted for node in self._above(leaf.parent))}
        for turn in self._turns():
            given = self._fill([name for name in turn if name in below], inner)
            self._add(given)
            for name, amount in given.items():
                for node in self._above(self.leaves[name].parent):
                    inner[node] = _less(inner[node], amount)

    def _grants(self, wants: Mapping[str, Amount], weights: Amounts, rooms: Mapping[str, Amount]) -> Amounts:
        """Nodes of one depth as if they were links below the nodes above them."""

        def build(node: CapacityNode) -> _Node | _Leaf:
            if node.id in wants:
                return _Leaf(id=node.id, bound=wants[node.id], weight=weights[node.id])
            children = tuple(build(child) for child in self.nodes.values() if child.parent == node.id)
            return _Node(id=node.id, room=rooms[node.id], weight=_ONE, hierarchical=False, children=children)

        granted: Amounts = {}
        for node in self.nodes.values():
            if node.parent is None:
                _divide_root(build(node), granted)
        return {name: granted.get(name, _ZERO) for name in wants}

    def _turns(self) -> Iterable[list[str]]:
        for service_class in ServiceClass:
            members = [name for name, leaf in self.leaves.items() if leaf.service_class is service_class]
            for last in (False, True):
                yield [name for name in members if self._comes_last(name) == last]

    def _comes_last(self, name: str) -> bool:
        path = self._above(self.leaves[name].parent)
        nodes = (self.nodes[node] for node in path)
        shares = (node for node in nodes if node.parent is not None and self.nodes[node.parent].fairness == "hierarchical")
        leaf = self.leaves[name]
        weightless = leaf.weight <= 0 and leaf.bandwidth_function is None
        return weightless or any(node.weight <= 0 for node in shares)

    def _fill(self, turn: Sequence[str], rooms: Mapping[str, Amount]) -> Amounts:
        bounds = {name: _least(_less(self.ceilings[name], self.have[name]), _end(self.leaves[name])) for name in turn}
        return self._shared({name: _positive(self.leaves[name].weight) for name in turn}, bounds, rooms, fair_by_link=False)

    def _shared(
        self, weights: Amounts, bounds: Mapping[str, Amount], rooms: Mapping[str, Amount], *, fair_by_link: bool
    ) -> Amounts:
        def build(node: CapacityNode) -> _Node:
            links = [leaf(name) for name in weights if parent(name) == node.id]
            inner = [build(child) for child in self.nodes.values() if child.parent == node.id]
            hierarchical = node.fairness == "hierarchical" and not fair_by_link
            weight = _positive(node.weight)
            return _Node(id=node.id, room=rooms[node.id], weight=weight, hierarchical=hierarchical, children=(*links, *inner))

        def leaf(name: str) -> _Leaf:
            points = () if fair_by_link else _points(self.leaves[name])
            return _Leaf(id=name, bound=bounds[name], weight=weights[name], points=points)

        def parent(name: str) -> str | None:
            return self.leaves[name].parent

        given: Amounts = {name: bound for name, bound in bounds.items() if parent(name) is None and bound is not None}
        for node in self.nodes.values():
            if node.parent is None:
                _divide_root(build(node), given)
        return given

    def _takeable(self, node: str, rooms: Mapping[str, Amount]) -> Amount:
        below = [_less(self.ceilings[name], self.have[name]) for name, leaf in self.leaves.items() if leaf.parent == node]
        below += [self._takeable(child.id, rooms) for child in self.nodes.values() if child.parent == node]
        return _least(rooms[node], _total(below))

    def _above(self, parent: str | None) -> list[str]:
        return [] if parent is None else [parent, *self._above(self.nodes[parent].parent)]

    def _passing(self, node: str) -> Fraction:
        return sum((self.have[name] for name, leaf in self.leaves.items() if node in self._above(leaf.parent)), _ZERO)

    def _rooms(self) -> dict[str, Amount]:
        return {name: _less(_amount(node.capacity_bps), self._passing(name)) for name, node in self.nodes.items()}

    def _add(self, given: Amounts) -> None:
        for name, amount in given.items():
            self.have[name] += amount


def _divide_root(root: _Node | _Leaf, given: Amounts) -> None:
    most = _most(root)
    assert most is not None, "a tree without mistakes bounds every link"
    _divide(root, most, given)


def _divide(item: _Node | _Leaf, amount: Fraction, given: Amounts) -> None:
    """Shares `amount`, which is no more than the item can take, among the links below it."""
    if isinstance(item, _Leaf):
        given[item.id] = amount
        return
    function: Callable[[_Node | _Leaf, Fraction], Fraction] = _as_child if item.hierarchical else _by_links
    breaks = _child_breaks(item) if item.hierarchical else _link_breaks(item)
    level = _level(lambda at: sum((function(child, at) for child in item.children), _ZERO), breaks, amount)
    for child in item.children:
        _divide(child, function(child, level), given)


def _level(taken: Callable[[Fraction], Fraction], breaks: Iterable[Fraction], amount: Fraction) -> Fraction:
    """The lowest level at which a concave piecewise linear function reaches `amount`; beyond the last break if need be."""
    low = _ZERO
    for high in sorted(set(breaks)):
        if taken(high) >= amount:
            break
        low = high
    slope = taken(_middle(low, breaks)) - taken(low)
    return low if slope == 0 else low + (amount - taken(low)) * (_middle(low, breaks) - low) / slope


def _middle(low: Fraction, breaks: Iterable[Fraction]) -> Fraction:
    """A level above `low` up to which the function is straight."""
    return min((at for at in breaks if at > low), default=low + 1)


def _as_child(item: _Node | _Leaf, level: Fraction) -> Fraction:
    most, share = _most(item), _at(item, level)
    return share if most is None else min(share, most)


def _at(item: _Node | _Leaf, level: Fraction) -> Fraction:
    """Where nothing bounds it."""
    if isinstance(item, _Node) or not item.points:
        return item.weight * level
    for (low, low_bps), (high, high_bps) in pairwise(item.points):
        if level < high:
            return low_bps + (high_bps - low_bps) * (level - low) / (high - low)
    return item.points[-1][1]


def _by_links(item: _Node | _Leaf, level: Fraction) -> Fraction:
    """What the item takes where all links below share by their own weights, whatever its own fairness is."""
    if isinstance(item, _Leaf):
        return _as_child(item, level)
    taken = sum((_by_links(child, level) for child in item.children), _ZERO)
    return taken if item.room is None else min(taken, item.room)


def _child_breaks(node: _Node) -> list[Fraction]:
    return [at for child in node.children for at in _own_breaks(child)]


def _own_breaks(item: _Node | _Leaf) -> list[Fraction]:
    """Levels at which what an item takes by itself bends."""
    most = _most(item)
    if isinstance(item, _Node) or not item.points:
        return [] if most is None else [most / item.weight]
    breaks = [level for level, _ in item.points]
    for (low, low_bps), (high, high_bps) in pairwise(item.points):
        if most is not None and low_bps < most < high_bps:
            breaks.append(low + (high - low) * (most - low_bps) / (high_bps - low_bps))
    return breaks


def _link_breaks(item: _Node | _Leaf) -> list[Fraction]:
    if isinstance(item, _Leaf):
        return _own_breaks(item)
    breaks = [at for child in item.children for at in _link_breaks(child)]
    total = _total([_most(child) for child in item.children])
    if item.room is not None and (total is None or total > item.room):
        breaks.append(_level(lambda at: sum((_by_links(child, at) for child in item.children), _ZERO), breaks, item.room))
    return breaks


def _most(item: _Node | _Leaf) -> Amount:
    if isinstance(item, _Leaf):
        return item.bound
    return _least(item.room, _total([_most(child) for child in item.children]))


def _amount(rate_bps: float | None) -> Amount:
    return None if rate_bps is None else Fraction(rate_bps)


def _points(leaf: CapacityLeaf) -> tuple[tuple[Fraction, Fraction], ...]:
    function = leaf.bandwidth_function
    return () if function is None else tuple((Fraction(level), Fraction(rate)) for level, rate in function.points)


def _end(leaf: CapacityLeaf) -> Amount:
    """What its bandwidth function gives at most, as often as it is asked."""
    return None if leaf.bandwidth_function is None else Fraction(leaf.bandwidth_function.most_bps)


def _positive(weight: float) -> Fraction:
    return Fraction(weight) if weight > 0 else _ONE


def _least(*amounts: Amount) -> Amount:
    return min((amount for amount in amounts if amount is not None), default=None)


def _less(amount: Amount, taken: Fraction) -> Amount:
    return None if amount is None else amount - taken


def _total(amounts: Sequence[Amount]) -> Amount:
    known = [amount for amount in amounts if amount is not None]
    return sum(known, _ZERO) if len(known) == len(amounts) else None
