"""Whatever a file holds: settings or mistakes, nothing else."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from bwmgr import config
from bwmgr.errors import ConfigurationError

WORDS = st.sampled_from(
    [
        "organisation",
        "links",
        "include",
        "id",
        "a",
        "nodes",
        ": ",
        "\n",
        "\n  - ",
        "{",
        "}",
        "[",
        "]",
        ", ",
        "&x ",
        "*x",
        "10M",
        "'",
    ]
)


@settings(max_examples=200, deadline=2000)
@given(st.binary(max_size=200) | st.lists(WORDS, max_size=40).map(lambda words: "".join(words).encode()))
def test_any_text(text: bytes) -> None:
    """Faults 51 and 52: no other exception escapes."""
    with tempfile.TemporaryDirectory() as folder, suppress(ConfigurationError):
        (Path(folder) / "a.yaml").write_bytes(text)
        config.load(Path(folder) / "a.yaml", policies={})
