"""`allocate FILE`: the document, its mistakes, and the command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from bwmgr.cli import bwmgr
from bwmgr.daemon.what_if import share_out
from bwmgr.errors import ConfigurationError

GOOD = """\
nodes:
  - {id: root, capacity_bps: 10M, fairness: hierarchical}
  - {id: opd, parent: root}
links:
  - {id: a, parent: opd, cir_bps: 1M, class: critical}
  - {id: b, parent: root, demand_bps: 2600000, mir_bps: 3M, weight: 2}
"""


def test_yaml_and_json_give_the_same() -> None:
    """JSON is read as the YAML that it is; rates as numbers or texts."""
    document = {"nodes": [{"id": "r", "capacity_bps": 10_000_000}], "links": [{"id": "a", "parent": "r"}]}
    assert share_out(json.dumps(document), "x.json")["allocations"] == [
        {"id": "a", "allocation_bps": 10_000_000, "bottleneck": "r"}
    ]
    assert share_out(GOOD, "x.yaml")["allocations"][0]["bottleneck"] == "root"


def test_whole_bits_add_up_to_the_capacity() -> None:
    """Three thirds of 100 bit/s: 34, 33, 33, the odd bit by id."""
    text = "nodes: [{id: r, capacity_bps: 100}]\nlinks: [{id: c, parent: r}, {id: a, parent: r}, {id: b, parent: r}]"
    assert [(entry["id"], entry["allocation_bps"]) for entry in share_out(text, "f")["allocations"]] == [
        ("c", 33),
        ("a", 34),
        ("b", 33),
    ]


def test_a_bandwidth_function_takes_the_place_of_a_weight() -> None:
    """BwE table 1 as a document; both figures of a point may bear a prefix."""
    text = """\
nodes: [{id: root, capacity_bps: 15M}]
links:
  - {id: b1, parent: root, bandwidth_function: [[0, 0], [2M, 0], [2.5M, 10M], [3500000, 15M]]}
  - {id: b2, parent: root, bandwidth_function: [[0, 0], [1M, 10M], [2M, 10M], [3M, 20M]]}
"""
    assert [entry["allocation_bps"] for entry in share_out(text, "f")["allocations"]] == [3333333, 11666667]


@pytest.mark.parametrize(
    ("written", "wrong"),
    [
        ("bandwidth_function: 5", "f:1: a.bandwidth_function: write a list of points"),
        ("bandwidth_function: [[0, 0], 5]", "f:1: a.bandwidth_function: write a list of points"),
        ("bandwidth_function: [[0, 0], [1M, lots]]", "f:1: a.bandwidth_function: not a rate"),
        ("bandwidth_function: [[0, 0], [2, 5], [1, 9]]", "f:1: a.bandwidth_function: levels rise"),
        ("weight: 2, bandwidth_function: [[0, 0], [1, 5]]", "f:1: a.weight: bandwidth_function stands in its place"),
    ],
)
def test_what_is_wrong_with_a_bandwidth_function(written: str, wrong: str) -> None:
    """Named with its line and what would be right."""
    with pytest.raises(ConfigurationError) as refusal:
        share_out(f"links: [{{id: a, {written}}}]", "f")
    assert str(refusal.value.mistakes[0]).startswith(wrong)


def test_all_mistakes_at_once_each_with_its_line() -> None:
    """Unknown parent, cycle, duplicate, negative, not a rate, unknown key and class: none hides another."""
    text = (
        "nodes:\n  - {id: root, parent: root, capacity_bps: -5}\n  - {id: x, parent: nope, wieght: 3}\n"
        "links:\n  - {id: a, demand_bps: lots}\n  - {id: a, class: vip}\n  - {parent: y}\n  - 7\nmore: 1\n"
    )
    with pytest.raises(ConfigurationError) as refusal:
        share_out(text, "f.yaml")
    lines = [str(mistake) for mistake in refusal.value.mistakes]
    for start in ("f.yaml:2: root.capacity_bps", "f.yaml:2: root.parent: root -> root is a cycle", "f.yaml:3: x.parent",
                  "f.yaml:3: x.wieght", "f.yaml:5: a.demand_bps", "f.yaml:6: a.class", "f.yaml:6: a.id", "f.yaml:7: links",
                  "f.yaml:8: links", "f.yaml:9: more"):  # fmt: skip
        assert any(line.startswith(start) for line in lines), (start, lines)


@pytest.mark.parametrize(
    "text",
    ["", "- 1", "{", "nodes: {}", "a: &a [*a]", pytest.param("[" * 5000, id="deep"), "links: [{id: a, weight: .nan}]"],
)
def test_nonsense_is_refused(text: str) -> None:
    """Whatever is in the file: a clear refusal, no traceback."""
    with pytest.raises(ConfigurationError):
        share_out(text, "f.yaml")


def test_the_command(tmp_path: Path) -> None:
    """One JSON document on stdout, warnings on stderr, no configuration needed."""
    file = tmp_path / "tree.yaml"
    file.write_text(GOOD.replace("cir_bps: 1M", "cir_bps: 20M"))
    done = CliRunner().invoke(bwmgr, ["allocate", str(file), "--format", "json"])
    assert done.exit_code == 0
    assert [set(entry) for entry in json.loads(done.stdout)["allocations"]] == [{"id", "allocation_bps", "bottleneck"}] * 2
    assert "scaled in proportion" in done.stderr
    table = CliRunner().invoke(bwmgr, ["--lang", "id", "allocate", str(file)])
    assert "Alokasi" in table.stdout
