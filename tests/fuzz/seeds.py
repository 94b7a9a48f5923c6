"""Writes a first corpus for the fuzzer into a directory: datagrams that the tests build, and captures where they are."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "unit" / "netflow")]

import numpy as np  # noqa: E402
import packets  # noqa: E402 - a plain module of the tests

from bwmgr.testing.exporters import FLOW  # noqa: E402
from bwmgr.testing.exporters_wire import Exporter  # noqa: E402
from collectors.netflow.captures import split_payloads  # noqa: E402

_SHARED = Path(os.environ.get("BWMGR_SHARED", ROOT.parent / "shared"))


def seeds() -> list[list[bytes]]:
    """Sequences of datagrams."""
    fields = [(8, 4), (12, 4), (7, 2), (11, 2), (4, 1), (1, 4), (2, 4), (21, 4), (22, 4), (61, 1), (48, 1)]
    record = bytes(range(1, 1 + sum(octets for _, octets in fields)))
    text = [(8, 4), (12, 4), (1, 8), (82, 0xFFFF), (152, 8), (153, 8)]
    named = bytes(range(16)) + b"\x05ether" + bytes(16)
    found = [
        [packets.v1([bytes(range(52))] * 2)],
        [packets.v5([packets.v5_record()], sampling=0x4064)],
        [packets.v9([packets.a_set(0, packets.template(256, fields)), packets.a_set(256, record * 3)])],
        [packets.v9([packets.a_set(256, record)]), packets.v9([packets.a_set(0, packets.template(256, fields))], sequence=1)],
        [packets.v9([packets.a_set(1, packets.v9_options(257, [(1, 4)], [(48, 1), (50, 4)])), packets.a_set(257, bytes(9))])],
        [packets.ipfix([packets.a_set(2, packets.template(258, fields)), packets.a_set(258, record * 2)])],
        [packets.ipfix([packets.a_set(2, packets.template(259, text)), packets.a_set(259, named)])],
        [
            packets.ipfix(
                [packets.a_set(3, packets.ipfix_options(260, [(302, 2)], [(305, 4), (306, 4)])), packets.a_set(260, bytes(10))]
            )
        ],
        [
            packets.ipfix(
                [packets.a_set(2, packets.template(261, [*fields, (1, 4, 29305)])), packets.a_set(261, record + b"\0\0\0\1")]
            )
        ],
    ]
    captures = sorted((_SHARED / "data" / "flows").glob("*.dat"))
    return [*found, _samples()] + [list(split_payloads(path.read_bytes())) for path in captures]


def _samples() -> list[bytes]:
    """sFlow of two conversations."""
    flows = np.zeros(2, FLOW)
    flows["source"], flows["destination"] = 0x0A140105, 0x08080808
    flows["protocol"], flows["octets"], flows["packets"] = (6, 17), 4000, 4
    return list(Exporter("sflow", booted_ms=0, sampling=2).datagrams(flows, 1_700_000_000_000))


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for number, payloads in enumerate(seeds()):
        (folder / f"seed-{number}").write_bytes(b"".join(len(each).to_bytes(2, "big") + each for each in payloads))


if __name__ == "__main__":
    main()
