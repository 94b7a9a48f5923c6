"""Datagrams out of files: pcap and pcapng (by scapy), or raw payloads one after the other.

Owns telling the forms apart, and where one raw payload ends. Reads whole files: captures that a person decodes by hand fit in
memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bwmgr.errors import DecodeError
from bwmgr.model.said import Said
from collectors.netflow.records import IPFIX, V1, V5, V9
from collectors.netflow.sflow import is_sflow

_PCAP = (b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\xc3\xd4", b"\x4d\x3c\xb2\xa1", b"\xa1\xb2\x3c\x4d")
_PCAPNG = b"\x0a\x0d\x0d\x0a"
_V9_HEADER = 20
_SFLOW_IPV6 = 2
_FIXED = {V1: (16, 52), V5: (24, 48)}
"""Octets of a header and of a record."""


@dataclass(frozen=True, slots=True)
class Datagram:
    """One payload; `received_ms` is the capture's time, 0 where the file tells none."""

    payload: bytes
    exporter: str
    received_ms: int


def datagrams(path: Path) -> Iterator[Datagram]:
    """The UDP payloads of a capture that look like flows, or the payloads of a raw file.

    Raises: DecodeError for a file that is neither, OSError.
    """
    content = path.read_bytes()
    if content[:4] in _PCAP or content[:4] == _PCAPNG:
        yield from _captured(path)
        return
    if not _looks_like_flows(content):
        raise DecodeError(
            "not_flows", Said("{file} is neither a capture nor NetFlow v1, v5, v9, IPFIX or sFlow v5", file=path.name)
        )
    for payload in split_payloads(content):
        yield Datagram(payload, "file", 0)


def split_payloads(content: bytes) -> Iterator[bytes]:
    """Payloads that stand one after the other: what follows one is another, or the end of the file."""
    at = 0
    while at < len(content):
        end = at + (_length(content, at) or len(content) - at)
        yield content[at:end]
        at = end


def _length(content: bytes, at: int) -> int:
    version, count = int.from_bytes(content[at : at + 2], "big"), int.from_bytes(content[at + 2 : at + 4], "big")
    if version in _FIXED:
        header, record = _FIXED[version]
        return min(header + record * count, len(content) - at)
    if version == V9:
        return _v9_length(content, at)
    if is_sflow(content[at : at + 8]):
        return _sflow_length(content, at)
    return count if version == IPFIX and count >= 16 else 0


def _v9_length(content: bytes, at: int) -> int:
    """A v9 datagram says how many records it has, which only its templates could turn into octets. So its sets are followed to
    where another header stands: 5, 9 and 10 are no numbers of sets (RFC 3954 section 5.2). 0: to the end."""
    end = at + _V9_HEADER
    while end + 4 <= len(content):
        number, octets = int.from_bytes(content[end : end + 2], "big"), int.from_bytes(content[end + 2 : end + 4], "big")
        if number in (V5, V9, IPFIX):
            return end - at
        if octets < 4:
            return 0
        end += octets
    return 0


def _sflow_length(content: bytes, at: int) -> int:
    """An sFlow datagram's samples say how long they are (sFlow version 5, section 4)."""
    address = 16 if int.from_bytes(content[at + 4 : at + 8], "big") == _SFLOW_IPV6 else 4
    end = at + 8 + address + 16
    for _ in range(min(int.from_bytes(content[end - 4 : end], "big"), len(content))):
        if end + 8 > len(content):
            return 0
        end += 8 + int.from_bytes(content[end + 4 : end + 8], "big")
    return end - at


def _captured(path: Path) -> Iterator[Datagram]:
    """Payloads of UDP datagrams, those in IP fragments put together."""
    import logging

    logging.getLogger("scapy.runtime").setLevel(logging.ERROR)
    from scapy.error import Scapy_Exception
    from scapy.layers.inet import IP, UDP, defragment
    from scapy.layers.inet6 import IPv6
    from scapy.utils import rdpcap

    try:
        packets = rdpcap(str(path))
    except (Scapy_Exception, EOFError, ValueError) as error:
        raise DecodeError("capture", f"{path.name}: {error}") from error
    for packet in defragment(packets):
        if UDP not in packet:
            continue
        payload = bytes(packet[UDP].payload)
        if _looks_like_flows(payload):
            source = packet[IP].src if IP in packet else packet[IPv6].src if IPv6 in packet else "unknown"
            yield Datagram(payload, source, int(float(packet.time) * 1000))


def _looks_like_flows(payload: bytes) -> bool:
    return is_sflow(payload) or int.from_bytes(payload[:2], "big") in (V1, V5, V9, IPFIX)
