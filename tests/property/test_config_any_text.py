"""Whatever a file holds: settings or mistakes, nothing else, soon, and without repeating a secret."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st

from bwmgr import config
from bwmgr.config.document import Text, parse
from bwmgr.config.emit import emit
from bwmgr.daemon.policy_registry import parameter_classes
from bwmgr.errors import ConfigurationError

POLICIES = parameter_classes()
RIGHT = """\
organisation: {name: A, timezone: Asia/Jakarta}
calendars: {office: {mon-thu: "07:30-16:00", fri: "22:00-06:00", holidays: ID, closed: [2026-12-24]}}
store: {kind: embedded, path: var, retention: {age: 30d, size: 1GB}}
credentials: {default: {version: 2c, community: {env: BWMGR_TEST_SECRET}}}
netflow: {listen: ["0.0.0.0:2055"], exporters: [10.0.0.0/8], sampling: {10.0.0.1: 1000}}
daemon: {metrics: "127.0.0.1:0"}
providers: [{id: p, name: P, contracts: [{id: c, down: 1G, up: 1G, price: 1, start: 2026-01-01, end: 2026-12-31}]}]
devices: [{id: core, address: 10.0.0.1}]
nodes:
  - {id: root, capacity: {down: 1G, up: 1G}, uplinks: [{interface: {device: core, if_name: e1, faces: provider}, contract: c}]}
  - {id: east, parent: root}
links:
  - {id: a, kind: opd, parent: east, cir: {down: 1M, up: 1M}, mir: {down: 5M, up: 5M}, networks: [10.1.0.0/24], calendar: office}
events: [{id: e, links: [a], down: 1M, start: "2026-01-01T00:00", end: "2026-01-02T00:00"}]
policies: [{policy: right_size, headroom: 25%}]
"""
WORDS = st.sampled_from(
    [
        *"{}[]&*!|>'\"%@#,:-?\n\t\0",
        "organisation",
        "links",
        "include: .",
        "include: a.yaml",
        "id",
        "nodes",
        ": ",
        "\n  - ",
        "&x ",
        "*x",
        "<<: ",
        "10M",
        "none",
        "~",
        "24:00",
        "east",
        "root",
        "[[]]",
        "{env: PATH}",
        "{file: a.yaml}",
    ]
)
CHANGES = st.lists(st.tuples(st.integers(0, len(RIGHT)), st.integers(0, 30), WORDS | st.text(max_size=5)), min_size=1, max_size=4)


def mistakes(text: bytes, name: str = "a.yaml") -> list[str]:
    """What is said of a file, and that no secret is said."""
    with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ, BWMGR_TEST_SECRET="s3cr3t-community"):
        (Path(folder) / "a.yaml").write_text(f"organisation: {{name: A}}\ninclude: {name}\n")
        (Path(folder) / name).write_bytes(text)
        try:
            config.load(Path(folder) / "a.yaml", policies=POLICIES)
        except ConfigurationError as error:
            said = [str(mistake) for mistake in error.mistakes]
        else:
            said = []
    assert not any("s3cr3t" in mistake for mistake in said)
    return said


@settings(max_examples=150, deadline=2000)
@given(st.binary(max_size=200) | st.lists(WORDS, max_size=40).map(lambda words: "".join(words).encode()))
def test_any_text(text: bytes) -> None:
    """Faults 51 and 52: no other exception escapes."""
    mistakes(text)


@settings(max_examples=250, deadline=2000)
@given(CHANGES)
def test_a_right_file_with_changes(changes: list[tuple[int, int, str]]) -> None:
    """Faults 51 to 53: cut, replaced and inserted pieces give mistakes with a file and a problem, or still something right."""
    text = RIGHT
    for place, length, piece in changes:
        text = text[:place] + piece + text[place + length :]
    assert all(": " in mistake for mistake in mistakes(text.encode("utf-8", "replace")))


CELLS = st.sampled_from(["id", "kind", ",", "\n", '"', "a", "limit.down", "limit", ".", "10M"])


@settings(max_examples=150, deadline=2000)
@given(st.binary(max_size=200) | st.lists(CELLS).map(lambda cells: "".join(cells).encode()))
def test_any_list(text: bytes) -> None:
    """The same for CSV lists."""
    mistakes(text, "links.csv")


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30), st.integers(0, 10**12) | st.booleans())
def test_what_is_shown_reads_back(word: str, plain: int | bool) -> None:
    """Any text as key, item and value: emitted and parsed it is the same text, on one line."""
    found: list[object] = []
    root = parse(emit({"section": {word: [word, {word: plain}]}}).encode(), "a", found)  # type: ignore[arg-type]
    assert found == []
    section = root.entries["section"]  # type: ignore[union-attr]
    items = section.entries[word].items  # type: ignore[union-attr]
    assert [type(items[0]), items[0].text] == [Text, word]
    assert items[1].entries[word].text == str(plain).lower()
