"""Vendor quirks as folders: `quirks/NAME/` has datagrams and what they mean, and that is all a new case needs.

`capture.pcap` (or what else `flows decode` reads), or `datagrams.hex`: a datagram a line, in hexadecimal; blanks and what follows
a number sign are left out. `expected.json`: `about`, the `records` that `flows decode` must give (in order, the fields named
there only), the `usage` that columns must add up to, and the `problems` counted.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from collectors.netflow.batch import Datagrams
from collectors.netflow.captures import Datagram, datagrams
from collectors.netflow.decoder import ColumnDecoder
from collectors.netflow.plain import decode_all

QUIRKS = Path(__file__).parent / "quirks"
CASES = sorted(path.parent for path in QUIRKS.glob("*/expected.json"))
RECEIVED_MS = 1_700_000_010_000


def _payloads(case: Path) -> list[bytes]:
    if not (case / "datagrams.hex").exists():
        (capture,) = case.glob("capture.*")
        return [datagram.payload for datagram in datagrams(capture)]
    lines = (line.partition("#")[0] for line in (case / "datagrams.hex").read_text().splitlines())
    return [bytes.fromhex(line) for line in lines if line.strip()]


def _expected(case: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((case / "expected.json").read_text())
    return found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_quirk_is_decoded_as_its_folder_says(case: Path) -> None:
    """Every record with the fields that the folder names, and the reasons it counts."""
    expected = _expected(case)
    documents, summary = decode_all(Datagram(payload, "192.0.2.1", RECEIVED_MS) for payload in _payloads(case))
    found = [
        {name: document.get(name) for name in wanted} for document, wanted in zip(documents, expected["records"], strict=True)
    ]
    assert found == expected["records"], expected["about"]
    assert dict(summary.problems) == expected.get("problems", {})


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("at_once", [True, False], ids=["one batch", "one by one"])
def test_a_quirk_adds_up_in_columns(case: Path, at_once: bool) -> None:
    """Octets, packets and flows scaled by sampling, whether datagrams come together or apart."""
    payloads, expected = _payloads(case), _expected(case)
    decoder = ColumnDecoder(["192.0.2.1"])
    batches = [payloads] if at_once else [[payload] for payload in payloads]
    flows = [flows for batch in batches for flows in decoder.decode(_datagrams(batch), RECEIVED_MS).flows]
    usage = {
        "octets": sum(int((each.octets * np.maximum(each.rate, 1)).sum()) for each in flows),
        "packets": sum(int((each.packets * np.maximum(each.rate, 1)).sum()) for each in flows),
        "flows": sum(map(len, flows)),
    }
    assert usage == expected["usage"], expected["about"]


def _datagrams(payloads: list[bytes]) -> Datagrams:
    lengths = np.array([len(payload) for payload in payloads], np.int64)
    buffer = np.frombuffer(b"".join(payloads) + bytes(64), np.uint8)
    return Datagrams(
        buffer=buffer, start=np.cumsum(lengths) - lengths, length=lengths, exporter=np.zeros(len(payloads), np.int64)
    )
