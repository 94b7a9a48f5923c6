"""The capacity tree: nodes have parents, without loops, and carry what is guaranteed below them.

Owns rates against each other: cir, limit, mir, capacity.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

from bwmgr.config.document import Items, Value
from bwmgr.config.named import DIRECTIONS, Named
from bwmgr.config.reading import Record
from bwmgr.model.bandwidth_function import mistake
from bwmgr.model.said import Said
from bwmgr.model.units import rate_text


class TreeChecks(Named):
    def check_tree(self) -> None:
        self._each_node()
        for link in self.links.values():
            self._ordered(link, "cir", "mir")
            self._ordered(link, "limit", "mir")
            self._function(link)
        self._loops()
        for node in self.nodes.values():
            if node.get("parent") not in self.nodes:
                self._guarantees(node)

    def _each_node(self) -> None:
        for node in self.nodes.values():
            self.refer(node, "parent", self.nodes, Said("node"))
            self._ordered(node, "cir", "capacity")
            if "parent" in node.source.entries and node.get("uplinks"):
                self.blame(node, "uplinks", Said("belong to a root; take parent away, or move them to the root"))
            for uplink in node.get("uplinks", []):
                self.refer(uplink, "contract", self.contracts, Said("contract"))

    def _ordered(self, record: Record, low: str, high: str) -> None:
        lower, higher = record.get(low), record.get(high)
        if not isinstance(lower, Record) or not isinstance(higher, Record):
            return
        for direction in DIRECTIONS:
            least, most = lower.get(direction), higher.get(direction)
            if least is not None and most is not None and least > most:
                figures = {"way": direction, "rate": rate_text(least), "most": rate_text(most)}
                self.blame(
                    record,
                    low,
                    Said("{way} {rate} is above {high} {most}; lower {low} or raise {high}", low=low, high=high, **figures),
                )

    def _function(self, link: Record) -> None:
        points, written = link.get("bandwidth_function"), link.source.entries.get("bandwidth_function")
        if not isinstance(written, Items) or sum(map(len, points or ())) != sum(map(_length, written.items)):
            return  # not there, or wrong by itself and reported
        if (wrong := mistake(points)) is not None:
            self.blame(link, "bandwidth_function", Said("{wrong}; write such as [[0, 0], [10M, 20M], [50M, 30M]]", wrong=wrong))
            return
        if "weight" in link.source.entries:
            self.blame(link, "weight", Said("bandwidth_function stands in its place; take one of the two away"))
        limit, cir = link.get("limit"), _pair(link.get("cir"))
        for direction in DIRECTIONS if isinstance(limit, Record) else ():
            ends, rate = cir[direction] + points[-1][1], limit.get(direction)
            if rate is not None and rate > ends:
                problem = Said(
                    "{way} {rate} is above {most}, where cir and bandwidth_function end; lower it or raise the last point",
                    way=direction,
                    rate=rate_text(rate),
                    most=rate_text(ends),
                )
                self.blame(link, "limit", problem)

    def _loops(self) -> None:
        settled: set[str] = set()
        for start in self.nodes:
            name: str = start
            trail: list[str] = []
            while name in self.nodes and name not in settled and name not in trail:
                trail.append(name)
                name = self.nodes[name].get("parent")
            if name in trail:
                loop = [*trail[trail.index(name) :], name]
                self.blame(
                    self.nodes[name],
                    "parent",
                    Said("a loop: {loop}; one of them must be a root, without parent", loop=" -> ".join(loop)),
                )
            settled.update(trail)

    def _guarantees(self, root: Record) -> None:
        """Sums what is guaranteed below each node, from the leaves up; without recursion, however deep the tree."""
        order = [root]
        for node in order:
            order.extend(self._children.get(node.get("id"), ()))
        sums: dict[str, dict[str, int]] = {}
        for node in reversed(order):
            below: list[Mapping[str, int]] = [sums[child.get("id")] for child in self._children.get(node.get("id"), ())]
            below += [_pair(link.get("cir")) for link in self._links_below.get(node.get("id"), ())]
            total = {direction: sum(one[direction] for one in below) for direction in DIRECTIONS}
            self._carries(node, total)
            own = _pair(node.get("cir"))
            sums[node.get("id")] = {direction: max(own[direction], total[direction]) for direction in DIRECTIONS}

    def _carries(self, node: Record, total: Mapping[str, int]) -> None:
        for key, factor in (("capacity", node.get("oversubscription", 1.0)), ("cir", 1.0)):
            rates = node.get(key)
            for direction in DIRECTIONS if isinstance(rates, Record) else ():
                most = rates.get(direction)
                if most is not None and (most or key == "capacity") and total[direction] > most * factor:
                    figures = {"total": rate_text(total[direction]), "way": direction, "most": rate_text(most)}
                    self.blame(node, key, _too_much(key, factor, figures))

    @cached_property
    def _children(self) -> Mapping[str | None, list[Record]]:
        return _by_parent(self.nodes.values())

    @cached_property
    def _links_below(self) -> Mapping[str | None, list[Record]]:
        return _by_parent(self.links.values())


def _too_much(key: str, factor: float, figures: Mapping[str, str]) -> Said:
    if key == "cir":
        return Said("the cir below adds up to {total} {way}, above {most}; lower them or raise it", **figures)
    if factor > 1:
        return Said(
            "the cir below adds up to {total} {way}, above {most} times oversubscription {factor}; "
            "lower them or say oversubscription: here",
            factor=f"{factor:g}",
            **figures,
        )
    return Said("the cir below adds up to {total} {way}, above {most}; lower them or say oversubscription: here", **figures)


def _length(item: Value) -> int:
    return len(item.items) if isinstance(item, Items) else 0


def _by_parent(records: Iterable[Record]) -> Mapping[str | None, list[Record]]:
    below: dict[str | None, list[Record]] = {}
    for record in records:
        below.setdefault(record.get("parent"), []).append(record)
    return below


def _pair(record: Any) -> Mapping[str, int]:
    return {direction: (record.get(direction) or 0) if isinstance(record, Record) else 0 for direction in DIRECTIONS}
