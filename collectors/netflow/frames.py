"""Sampled frames and packets: from the first octets of one to addresses, ports and protocol.

Owns Ethernet II with 802.1Q and 802.1ad tags, MPLS labels, IPv4, IPv6 with its extension headers, TCP, UDP and ICMP, as far as
the octets that an exporter cut off reach. What is not known or cut short gives fewer fields, never an error.
"""

from __future__ import annotations

from collections.abc import Iterator

from collectors.netflow.templates import Field, field_of

_VLAN_TAGS = frozenset((0x8100, 0x88A8, 0x9100))  # 802.1Q, 802.1ad, and the older QinQ that switches still send
_IPV4, _IPV6 = 0x0800, 0x86DD
_MPLS = 0x8847
_WITH_PORTS = frozenset((6, 17, 33, 132, 136))  # TCP, UDP, DCCP, SCTP, UDP-Lite
_EXTENSIONS = frozenset((0, 43, 60, 135, 139, 140))  # IPv6 extension headers of the common form (RFC 6564)
_FRAGMENT = 44
_MOST_EXTENSIONS = 16

Fields = list[tuple[Field, bytes]]


def ethernet(frame: bytes) -> Fields:
    """Fields of an Ethernet frame from its destination address on."""
    if len(frame) < 14:
        return []
    fields: Fields = [(field_of(0, 80, 6), frame[:6]), (field_of(0, 56, 6), frame[6:12])]
    at, kind = 14, int.from_bytes(frame[12:14], "big")
    tags = []
    while kind in _VLAN_TAGS and at + 4 <= len(frame):
        tags.append(int.from_bytes(frame[at : at + 2], "big") & 0x0FFF)
        kind, at = int.from_bytes(frame[at + 2 : at + 4], "big"), at + 4
    fields += [(field_of(0, number, 2), tag.to_bytes(2, "big")) for number, tag in zip((58, 254), tags, strict=False)]
    fields.append((field_of(0, 256, 2), kind.to_bytes(2, "big")))
    if kind == _MPLS:
        at = _after_labels(frame, at)
        kind = {4: _IPV4, 6: _IPV6}.get(frame[at] >> 4 if at < len(frame) else 0, 0)
    return fields + (packet(frame[at:]) if kind in (_IPV4, _IPV6) else [])


def packet(octets: bytes) -> Fields:
    """Fields of an IP packet, of the version that its first four bits say."""
    version = octets[0] >> 4 if octets else 0
    if version == 4 and len(octets) >= 20:
        return _ipv4(octets)
    if version == 6 and len(octets) >= 40:
        return _ipv6(octets)
    return []


def _ipv4(octets: bytes) -> Fields:
    header = (octets[0] & 0x0F) * 4
    protocol = octets[9]
    fields: Fields = [
        (field_of(0, 60, 1), b"\x04"),
        (field_of(0, 8, 4), octets[12:16]),
        (field_of(0, 12, 4), octets[16:20]),
        (field_of(0, 4, 1), octets[9:10]),
        (field_of(0, 5, 1), octets[1:2]),
        (field_of(0, 224, 2), octets[2:4]),
    ]
    later_fragment = int.from_bytes(octets[6:8], "big") & 0x1FFF
    return fields if later_fragment or header < 20 else fields + list(_transport(protocol, octets[header:], 32))


def _ipv6(octets: bytes) -> Fields:
    protocol, at = octets[6], 40
    first_fragment = True
    for _ in range(_MOST_EXTENSIONS):
        if protocol == _FRAGMENT and at + 8 <= len(octets):
            first_fragment = first_fragment and not int.from_bytes(octets[at + 2 : at + 4], "big") & 0xFFF8
            protocol, at = octets[at], at + 8
        elif protocol in _EXTENSIONS and at + 2 <= len(octets):
            protocol, at = octets[at], at + 8 * (octets[at + 1] + 1)
        else:
            break
    traffic_class = (int.from_bytes(octets[:2], "big") >> 4) & 0xFF
    fields: Fields = [
        (field_of(0, 60, 1), b"\x06"),
        (field_of(0, 27, 16), octets[8:24]),
        (field_of(0, 28, 16), octets[24:40]),
        (field_of(0, 4, 1), bytes((protocol,))),
        (field_of(0, 5, 1), bytes((traffic_class,))),
        (field_of(0, 224, 4), (int.from_bytes(octets[4:6], "big") + 40).to_bytes(4, "big")),
    ]
    return fields + list(_transport(protocol, octets[at:], 139)) if first_fragment else fields


def _transport(protocol: int, octets: bytes, icmp_element: int) -> Iterator[tuple[Field, bytes]]:
    if protocol in _WITH_PORTS and len(octets) >= 4:
        yield field_of(0, 7, 2), octets[0:2]
        yield field_of(0, 11, 2), octets[2:4]
        if protocol == 6 and len(octets) >= 14:
            yield field_of(0, 6, 1), octets[13:14]
    elif protocol in (1, 58) and len(octets) >= 2:
        yield field_of(0, icmp_element, 2), octets[0:2]


def _after_labels(frame: bytes, at: int) -> int:
    """Behind the label with the bottom-of-stack bit (RFC 3032 section 2.1)."""
    while at + 4 <= len(frame):
        at += 4
        if frame[at - 2] & 1:
            break
    return at
