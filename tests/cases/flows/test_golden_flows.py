"""Every folder here is a case: `capture.pcap` (or `capture.bin`) decodes to `expected.json`.

The way to add one is in CONTRIBUTING: record, write down what would be right, mend the decoders.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from collectors.netflow.captures import datagrams
from collectors.netflow.plain import decode_all

CASES = sorted(path.parent for path in Path(__file__).parent.glob("*/expected.json"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_golden_case(case: Path) -> None:
    """What is decoded is what was found right, to the last field."""
    (capture,) = case.glob("capture.*")
    records, _ = decode_all(datagrams(capture))
    assert json.loads(json.dumps(records)) == json.loads((case / "expected.json").read_text(encoding="utf-8"))
