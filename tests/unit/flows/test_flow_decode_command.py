"""`flows decode` as a network engineer types it, on files that his tools make; no configuration anywhere."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bwmgr.cli import bwmgr
from bwmgr.errors import UsageError
from tests.unit.netflow import packets

SHARED = Path(os.environ.get("BWMGR_SHARED", Path(__file__).resolve().parents[4] / "shared")) / "data" / "flows"
FIELDS = ((8, 4), (12, 4), (7, 2), (11, 2), (4, 1), (1, 4), (2, 4))
RECORD = b"\x0a\x14\x01\x05\x08\x08\x08\x08\x9c\x40\x01\xbb\x06" + (1000).to_bytes(4, "big") + (2).to_bytes(4, "big")
TEMPLATE = packets.a_set(0, packets.template(258, FIELDS))
DATA = packets.a_set(258, RECORD)


def typed(*words: str | Path) -> Result:
    return CliRunner().invoke(bwmgr, ["flows", "decode", *map(str, words)])


def document(*words: str | Path) -> Any:
    result = typed(*words, "--format", "json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Two v9 datagrams, a v5 and an IPFIX one, as they came from the socket, one after the other."""
    ipfix = packets.ipfix([packets.a_set(2, packets.template(258, FIELDS)), DATA])
    path = tmp_path / "flows.bin"
    path.write_bytes(
        packets.v9([TEMPLATE, DATA]) + packets.v9([DATA, DATA], sequence=1) + packets.v5([packets.v5_record()]) + ipfix
    )
    return path


def test_raw_datagrams_one_after_the_other(raw: Path) -> None:
    """v9 does not say where it ends; the next header does."""
    records = document(raw)
    assert [record["protocol"] for record in records] == [*["NetFlow v9"] * 3, "NetFlow v5", "IPFIX"]
    assert {record["octetDeltaCount"] for record in records} == {1000}
    assert records[0]["sourceIPv4Address"] == "10.20.1.5"


def test_the_summary(raw: Path) -> None:
    """Counts only, as a table and as JSON."""
    found = document(raw, "--summary")
    assert (found["datagrams"], found["flows"], found["octets"], found["templates"], found["lost"]) == (4, 5, 5000, 2, 0)
    assert "templates" in typed(raw, "--summary").stdout


def test_records_of_several_templates_in_one_table(raw: Path) -> None:
    """CSV has every field of every record; the table for people the ones that matter."""
    rows = list(csv.DictReader(io.StringIO(typed(raw, "--format", "csv").stdout)))
    assert [row["octetDeltaCount"] for row in rows] == ["1000"] * 5
    assert rows[3]["engineId"] == "0"
    assert rows[0]["engineId"] == ""
    assert "10.20.1.5 40000" in typed(raw).stdout


@pytest.mark.parametrize("kind", ["pcap", "pcapng"])
def test_captures(tmp_path: Path, kind: str) -> None:
    """With VLAN tags, over IPv6, in IP fragments; the exporter is the sender, the DNS beside them is left alone."""
    from scapy.layers.dns import DNS
    from scapy.layers.inet import IP, UDP, fragment
    from scapy.layers.inet6 import IPv6
    from scapy.layers.l2 import Dot1Q, Ether
    from scapy.packet import Raw
    from scapy.utils import PcapNgWriter, wrpcap

    large = packets.v9([packets.a_set(258, RECORD * 60)], sequence=1)
    frames = [
        Ether()
        / Dot1Q(vlan=7)
        / IP(src="192.0.2.7", dst="192.0.2.1")
        / UDP(sport=2055, dport=2055)
        / Raw(packets.v9([TEMPLATE])),
        Ether() / IPv6(src="2001:db8::7", dst="2001:db8::1") / UDP(sport=2055, dport=9995) / Raw(packets.v9([TEMPLATE, DATA])),
        Ether() / IP(src="192.0.2.9", dst="192.0.2.1") / UDP(sport=53, dport=53) / DNS(),
        *(
            Ether() / part
            for part in fragment(IP(src="192.0.2.7", dst="192.0.2.1", id=9) / UDP(sport=2055, dport=2055) / Raw(large), 800)
        ),
    ]
    path = tmp_path / f"flows.{kind}"
    if kind == "pcap":
        wrpcap(str(path), frames)
    else:
        with PcapNgWriter(str(path)) as writer:
            writer.write(frames)
    found = document(path, "--summary")
    assert (found["exporters"], found["flows"]) == (["192.0.2.7", "2001:db8::7"], 61)


def test_a_template_in_the_file_before(tmp_path: Path) -> None:
    """Files are one stream; data whose template never comes are told of."""
    first, second = tmp_path / "1", tmp_path / "2"
    first.write_bytes(packets.v9([TEMPLATE]))
    second.write_bytes(packets.v9([DATA], sequence=1))
    assert len(document(first, second)) == 1
    alone = typed(second)
    assert (alone.exit_code, "21 octets of data whose template is not in the file" in alone.stderr) == (0, True)


@pytest.mark.parametrize("content", [b"", b"root:x:0:0", b"\xd4\xc3\xb2\xa1 and no more"])
def test_what_is_no_capture_is_refused_with_its_name(tmp_path: Path, content: bytes) -> None:
    """Exit 2 and the file's name."""
    path = tmp_path / "passwd"
    path.write_bytes(content)
    result = typed(path)
    assert isinstance(result.exception, UsageError)
    assert "passwd" in str(result.exception)


def test_damage_is_counted_and_the_rest_decoded(tmp_path: Path) -> None:
    """Half a datagram at the end: what is whole is shown; exit 1 only where nothing could be decoded."""
    path = tmp_path / "cut"
    path.write_bytes(packets.v5([packets.v5_record()] * 3)[:-30])
    result = typed(path, "--format", "json")
    assert (result.exit_code, len(json.loads(result.stdout))) == (0, 2)
    assert "1 x v5_truncated" in result.stderr
    path.write_bytes(packets.v5([])[:20])
    assert typed(path).exit_code == 1


@pytest.mark.skipif(not SHARED.exists(), reason="the captures of ../shared/data/flows are not here")
def test_a_mikrotiks_files() -> None:
    """Templates in one file, data in others, as a capture of RouterOS was cut up."""
    names = ("tpl", "data258", "data259")
    found = document(*(SHARED / f"ipfix_test_mikrotik_{name}.dat" for name in names), "--summary")
    assert (found["templates"], found["flows"], found["octets"], found["waiting_octets"]) == (2, 46, 103_235, 0)
