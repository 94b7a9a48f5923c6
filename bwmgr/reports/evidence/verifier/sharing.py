"""A capacity tree shared out: guarantees first, then class after class by weight, no node above its capacity.

Each node's room is divided at one level: every link takes its weight times the level, up to what it wants, and no node takes more
than its room. The level is found by halving, to the last bit of a double.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

CLASSES = ("critical", "office", "public")

Amounts = dict[str, float]


class _Item:
    """A link (no children, `most` what it wants) or a node (`most` its room), while one class is shared out."""

    def __init__(self, name: str, most: float, weight: float, hierarchical: bool = False) -> None:
        self.name, self.most, self.weight, self.hierarchical = name, most, weight, hierarchical
        self.children: list[_Item] | None = None

    def settle(self) -> float:
        """What it can take at all, its children's known."""
        if self.children is not None:
            self.most = min(self.most, math.fsum(child.settle() for child in self.children))
        return self.most

    def at(self, level: float) -> float:
        """What it takes where all links below it share by their own weights."""
        if self.children is None:
            return min(self.most, self.weight * level)
        return min(self.most, math.fsum(child.at(level) for child in self.children))

    def as_child(self, level: float) -> float:
        return min(self.most, self.weight * level)


def shares(problem: dict[str, Any]) -> Amounts:
    """What each link gets, bit/s, of `{"nodes": [...], "links": [...]}` in the words of `bwmgr allocate`."""
    nodes = {node["id"]: node for node in problem["nodes"]}
    links = {link["id"]: link for link in problem["links"]}
    have = dict.fromkeys(links, 0.0)
    tops = {name: min(_bound(link["demand_bps"]), _bound(link["mir_bps"])) for name, link in links.items()}
    promised = {name: link["cir_bps"] for name, link in links.items() if link["cir_bps"] > 0}
    wanted = {name: min(cir, tops[name]) for name, cir in promised.items()}
    _share(nodes, links, have, wanted, promised, by_children=False)
    for rank in CLASSES:
        for last in (False, True):
            turn = [name for name, link in links.items() if link["class"] == rank and _comes_last(nodes, link) == last]
            wanted = {name: tops[name] - have[name] for name in turn}
            _share(nodes, links, have, wanted, {name: links[name]["weight"] or 1.0 for name in turn}, by_children=True)
    return have


def _share(
    nodes: dict[str, Any], links: dict[str, Any], have: Amounts, wanted: Amounts, weights: Amounts, *, by_children: bool
) -> None:
    """Adds to `have` what these links are given of the room that is left."""
    room = {name: _bound(node["capacity_bps"]) for name, node in nodes.items()}
    for name, amount in have.items():
        for node in _above(nodes, links[name]["parent"]):
            room[node] = max(room[node] - amount, 0.0)
    items = {
        name: _Item(name, room[name], node["weight"] or 1.0, by_children and node["fairness"] == "hierarchical")
        for name, node in nodes.items()
    }
    for item in items.values():
        item.children = []
    roots: list[_Item] = []
    for name, amount in wanted.items():
        _hang(items, roots, _Item(name, amount, weights[name]), links[name]["parent"])
    for name, node in nodes.items():
        _hang(items, roots, items[name], node["parent"])
    for root in roots:
        _divide(root, root.settle(), have)


def _hang(items: dict[str, _Item], roots: list[_Item], item: _Item, parent: str | None) -> None:
    beside = roots if parent is None else items[parent].children
    assert beside is not None
    beside.append(item)


def _divide(item: _Item, amount: float, have: Amounts) -> None:
    if item.children is None:
        have[item.name] += amount
        return
    level = _level(item, amount)
    for child in item.children:
        _divide(child, _taken(item, child, level), have)


def _taken(parent: _Item, child: _Item, level: float) -> float:
    return child.as_child(level) if parent.hierarchical else child.at(level)


def _level(item: _Item, amount: float) -> float:
    """The level at which the children together take the amount, which is no more than they can take."""

    def total(level: float) -> float:
        return math.fsum(_taken(item, child, level) for child in item.children or ())

    low, high = 0.0, 1.0
    while total(high) < amount * (1 - 1e-15) and high < 1e300:
        low, high = high, high * 2
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if total(middle) < amount else (low, middle)
    return high


def _bound(rate_bps: float | None) -> float:
    return math.inf if rate_bps is None else max(rate_bps, 0.0)


def _above(nodes: dict[str, Any], parent: str | None) -> Iterable[str]:
    while parent is not None:
        yield parent
        parent = nodes[parent]["parent"]


def _comes_last(nodes: dict[str, Any], link: dict[str, Any]) -> bool:
    """Weight 0 means after all others; so does a node of weight 0 below one that shares by its children."""
    path = [nodes[name] for name in _above(nodes, link["parent"])]
    shared = [node for node in path if node["parent"] is not None and nodes[node["parent"]]["fairness"] == "hierarchical"]
    return link["weight"] <= 0 or any(node["weight"] <= 0 for node in shared)
