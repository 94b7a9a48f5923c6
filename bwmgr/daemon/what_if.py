"""`allocate FILE`: a capacity tree written down by hand, read with all its mistakes at once, and shared out.

Owns the document's form (INTERFACE: allocate). YAML, of which JSON is a part; rates are numbers of bit/s or texts such as `10M`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from bwmgr.allocate import allocate, to_whole_bits
from bwmgr.allocate.shape import mistakes
from bwmgr.errors import ConfigurationError, Mistake
from bwmgr.model.bandwidth import CapacityLeaf, CapacityNode
from bwmgr.model.bandwidth_function import BandwidthFunction, mistake
from bwmgr.model.inventory import ServiceClass
from bwmgr.model.said import Said, said_by
from bwmgr.model.units import parse_rate

_RATES = {"capacity_bps", "cir_bps", "demand_bps", "mir_bps"}
_FACTORS = {"weight", "oversubscription"}
_CHOICES = {"fairness": ("leaf", "hierarchical"), "class": tuple(map(str, ServiceClass))}
_KEYS = {
    "nodes": ("id", "parent", "capacity_bps", "cir_bps", "weight", "fairness", "oversubscription"),
    "links": ("id", "parent", "demand_bps", "cir_bps", "mir_bps", "weight", "class", "bandwidth_function"),
}


def share_out(text: str, file: str) -> dict[str, Any]:
    """The answer to a document: `allocations` in the order of its links, whole bit/s by the largest remainder, and `warnings`.

    Raises: ConfigurationError with every mistake of the document, each with its line.
    """
    reading = _Reading(file)
    nodes, leaves = reading.read(text)
    plan = allocate(nodes, leaves)
    whole = to_whole_bits(plan, nodes, leaves)
    return {
        "allocations": [
            {"id": entry.id, "allocation_bps": whole[entry.id], "bottleneck": entry.bottleneck} for entry in plan.allocations
        ],
        "warnings": list(plan.warnings),
    }


class _Reading:
    """One document: what was understood, where everything stands, what is wrong."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.found: list[Mistake] = []
        self.lines: dict[tuple[str, str], int] = {}
        """(id, key) -> line; of a duplicate id the later one."""

    def read(self, text: str) -> tuple[list[CapacityNode], list[CapacityLeaf]]:
        document = self._document(text)
        nodes = [_node(item) for item in self._items(document, "nodes")]
        leaves = [_leaf(item) for item in self._items(document, "links")]
        unread = bool(self.found)
        for name, key, problem in mistakes(nodes, leaves):
            if unread and problem.startswith("nothing bounds"):
                continue  # what bounds it may be what could not be read
            self._mistake(self.lines.get((name, key), self.lines.get((name, "id"), 0)), f"{name}.{key}", problem)
        if self.found:
            raise ConfigurationError(sorted(self.found))
        return nodes, leaves

    def _document(self, text: str) -> yaml.MappingNode:
        try:
            # composing never follows an alias, so a document cannot grow while it is read
            root = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 0
            raise self._unreadable(line, Said("not YAML or JSON: {why}", why=error.problem)) from error
        except (yaml.YAMLError, RecursionError) as error:
            raise self._unreadable(0, Said("not YAML or JSON: {why}", why=str(error))) from error
        if not isinstance(root, yaml.MappingNode):
            raise self._unreadable(1, Said("write a mapping with `nodes` and `links`"))
        for key, _ in root.value:
            if key.value not in _KEYS:
                self._mistake(key.start_mark.line + 1, str(key.value), Said("unknown key; write nodes and links"))
        return root

    def _unreadable(self, line: int, problem: str) -> ConfigurationError:
        return ConfigurationError([Mistake(file=self.file, line=line, key="", problem=problem)])

    def _items(self, root: yaml.MappingNode, section: str) -> Iterator[Mapping[str, Any]]:
        sections = [content for key, content in root.value if key.value == section]
        if not sections and section == "links":
            self._mistake(1, section, Said("missing; write a list of links"))
        for content in sections:
            if not isinstance(content, yaml.SequenceNode):
                self._mistake(content.start_mark.line + 1, section, Said("write a list"))
                continue
            for item in content.value:
                if isinstance(item, yaml.MappingNode):
                    yield self._item(item, section)
                else:
                    self._mistake(item.start_mark.line + 1, section, Said("write a mapping with an id"))

    def _item(self, item: yaml.MappingNode, section: str) -> Mapping[str, Any]:
        line = item.start_mark.line + 1
        name = next((content.value for key, content in item.value if key.value == "id"), None)
        if not isinstance(name, str) or not name:
            self._mistake(line, section, Said("an id is missing"))
            name = f"{section} at line {line}"
        self.lines[name, "id"] = line
        figures: dict[str, Any] = {"id": name}
        for key, content in item.value:
            at = content.start_mark.line + 1
            self.lines[name, key.value] = at
            if key.value not in _KEYS[section]:
                self._mistake(
                    at,
                    f"{name}.{key.value}",
                    Said("unknown key; there are {keys}", keys=", ".join(_KEYS[section])),
                )
            elif key.value != "id":
                self._figure(figures, name, key.value, content, at)
        if "weight" in figures and "bandwidth_function" in figures:
            at = self.lines[name, "weight"]
            self._mistake(at, f"{name}.weight", Said("bandwidth_function stands in its place; take one of the two away"))
        return figures

    def _figure(self, figures: dict[str, Any], name: str, key: str, content: yaml.Node, line: int) -> None:
        try:
            figure = _figure(key, content)
        except ValueError as error:
            self._mistake(line, f"{name}.{key}", said_by(error))
            return
        if figure is not None:
            figures[key] = figure

    def _mistake(self, line: int, key: str, problem: str) -> None:
        self.found.append(Mistake(file=self.file, line=line, key=key, problem=problem))


def _figure(key: str, content: yaml.Node) -> float | str | BandwidthFunction | None:
    """What a value says; None where it is left empty. Raises: ValueError that says what would be right."""
    if key == "bandwidth_function":
        return _function(content)
    if not isinstance(content, yaml.ScalarNode):
        raise ValueError(Said("write one value"))
    if content.tag == "tag:yaml.org,2002:null":
        return None
    text = str(content.value)
    if key in _RATES:
        return _rate(text)
    if key in _FACTORS:
        return _number(text)
    if key in _CHOICES and text not in _CHOICES[key]:
        raise ValueError(Said("{text!r} is none of {known}", text=text, known=", ".join(_CHOICES[key])))
    return text


def _function(content: yaml.Node) -> BandwidthFunction | None:
    """A list of [level, rate]; both are rates, since a level is what weight 1 gets there."""
    if content.tag == "tag:yaml.org,2002:null":
        return None
    pairs = content.value if isinstance(content, yaml.SequenceNode) else []
    if not pairs or not all(isinstance(pair, yaml.SequenceNode) for pair in pairs):
        raise ValueError(Said("write a list of points [level, rate], such as [[0, 0], [10M, 20M]]"))
    points = [[_rate(str(figure.value)) for figure in pair.value] for pair in pairs]
    if (wrong := mistake(points)) is not None:
        raise ValueError(wrong)
    return BandwidthFunction(tuple((level, rate) for level, rate in points))


def _rate(text: str) -> float:
    """A number as it stands (fractions of a bit/s allowed in a what-if), or a text with an SI prefix."""
    try:
        return _number(text)
    except ValueError:
        return float(parse_rate(text))


def _number(text: str) -> float:
    try:
        number = float(text.replace("_", ""))
    except ValueError:
        raise ValueError(Said("{text!r} is not a number", text=text)) from None
    if not math.isfinite(number):
        raise ValueError(Said("{text} is not a number; leave the key out where there is no bound", text=text))
    return number


def _node(item: Mapping[str, Any]) -> CapacityNode:
    return CapacityNode(**item)


def _leaf(item: Mapping[str, Any]) -> CapacityLeaf:
    figures = dict(item)
    return CapacityLeaf(service_class=ServiceClass(figures.pop("class", ServiceClass.OFFICE)), **figures)
