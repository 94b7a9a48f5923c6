"""Datagrams of real exporters against the values that another decoder found in them (`../shared/data/flows/cases.json`).

The names there are NetFlow v9's; `_NAMES` says which RFC 7011 element each means.
"""

from __future__ import annotations

import json
import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from collectors.netflow.captures import Datagram, split_payloads
from collectors.netflow.plain import decode_all

SHARED = Path(os.environ.get("BWMGR_SHARED", Path(__file__).resolve().parents[3].parent / "shared"))
FLOWS = SHARED / "data" / "flows"
_NAMES = {
    "in_bytes": "octetDeltaCount",
    "in_pkts": "packetDeltaCount",
    "flows": "deltaFlowCount",
    "protocol": "protocolIdentifier",
    "src_tos": "ipClassOfService",
    "tcp_flags": "tcpControlBits",
    "l4_src_port": "sourceTransportPort",
    "l4_dst_port": "destinationTransportPort",
    "ipv4_src_addr": "sourceIPv4Address",
    "ipv4_dst_addr": "destinationIPv4Address",
    "ipv4_next_hop": "ipNextHopIPv4Address",
    "src_mask": "sourceIPv4PrefixLength",
    "dst_mask": "destinationIPv4PrefixLength",
    "input_snmp": "ingressInterface",
    "output_snmp": "egressInterface",
    "src_as": "bgpSourceAsNumber",
    "dst_as": "bgpDestinationAsNumber",
    "out_bytes": "postOctetDeltaCount",
    "out_pkts": "postPacketDeltaCount",
    "first_switched": "flowStartMilliseconds",
    "last_switched": "flowEndMilliseconds",
    "ip_protocol_version": "ipVersion",
    "direction": "flowDirection",
    "engine_type": "engineType",
    "engine_id": "engineId",
    "sampling_interval": "samplingInterval",
    "sampling_algorithm": "samplingAlgorithm",
    "total_bytes_exp": "exportedOctetTotalCount",
    "total_pkts_exp": "exportedMessageTotalCount",
    "total_flows_exp": "exportedFlowRecordTotalCount",
    "flow_active_timeout": "flowActiveTimeout",
    "flow_inactive_timeout": "flowIdleTimeout",
    "application_id": "applicationId",
    "application_name": "applicationName",
    "application_description": "applicationDescription",
    "icmp_type": "icmpTypeIPv4",
    "icmp_code": "icmpCodeIPv4",
    "conn_id": "flowId",
    "xlate_src_addr_ipv4": "postNATSourceIPv4Address",
    "xlate_dst_addr_ipv4": "postNATDestinationIPv4Address",
    "xlate_src_port": "postNAPTSourceTransportPort",
    "xlate_dst_port": "postNAPTDestinationTransportPort",
    "fw_event": "firewallEvent",
    "fw_ext_event": "firewallExtendedEvent",
    "event_time_msec": "observationTimeMilliseconds",
    "in_permanent_bytes": "octetTotalCount",
    "flow_start_msec": "flowStartMilliseconds",
    "ingress_acl_id": "ingressAclId",
    "egress_acl_id": "egressAclId",
    "in_src_mac": "sourceMacAddress",
    "in_dst_mac": "destinationMacAddress",
    "out_src_mac": "postSourceMacAddress",
    "out_dst_mac": "postDestinationMacAddress",
    "dst_vlan": "postVlanId",
    "scope_system": "scopeSystem",
    "flow_seq_num": "sequenceNumber",
    "flowset_id": "templateId",
}
_LEFT_OUT = {
    "version",  # of the protocol, which a document names
    "flow_records",  # of the header
    "mpls_label_stack_octets",  # kept as octets here
    # empty or zero, in elements whose numbers only that decoder names
    "netscalerHttpReqAuthorization",
    "netscalerAaaUsername",
    "netscalerHttpContentType",
    "netscalerUnknown330",
    "netscalerHttpResForwLB",
    "netscalerHttpResForwFB",
}
pytestmark = pytest.mark.skipif(not (FLOWS / "cases.json").exists(), reason="the captures of ../shared/data/flows are not here")


def _cases() -> list[dict[str, Any]]:
    path = FLOWS / "cases.json"
    return json.loads(path.read_text()) if path.exists() else []


def _decoded(case: dict[str, Any]) -> tuple[list[dict[str, Any]], Any]:
    payloads = [payload for name in case["datagrams"] for payload in split_payloads((FLOWS / name).read_bytes())]
    return decode_all(Datagram(payload, case["exporter"], 0) for payload in payloads)


@pytest.mark.parametrize("case", _cases(), ids=lambda case: f"{case['case']}, {case['datagrams'][0]}")
def test_a_real_exporters_records_have_the_values_another_decoder_found(case: dict[str, Any]) -> None:
    """Every golden field of every golden record is there, under its RFC 7011 name, with its value."""
    documents, _ = _decoded(case)
    for golden in case["records"]:
        _assert_some_document_matches(documents, golden["fields"])


def _assert_some_document_matches(documents: list[dict[str, Any]], golden: dict[str, Any]) -> None:
    """The record whose fields agree most is the one meant: cases count records in different ways."""
    best = min((_differences(document, golden) for document in documents), key=len)
    assert best == {}


def _differences(document: dict[str, Any], golden: dict[str, Any]) -> dict[str, Any]:
    differing = {}
    for name, expected in golden.items():
        if name in _LEFT_OUT:
            continue
        found = document.get(_NAMES.get(name, name), "absent")
        if not _same(name, expected, found):
            differing[name] = (expected, found)
    return differing


def _same(name: str, expected: Any, found: Any) -> bool:
    """Equal, up to the forms in which the other decoder writes some values, and up to its clock."""
    if name in ("application_id", "ingress_acl_id", "egress_acl_id"):  # 1..13 and 0f8e7ff3-fc1a030f-00000000 there
        return found == (expected.replace("-", "") if "-" in expected else _application(expected))
    if isinstance(expected, int) and isinstance(found, str) and found.endswith("Z"):
        return expected == round(datetime.fromisoformat(found).timestamp() * 1000)
    if isinstance(expected, str) and expected.endswith("Z") and str(found).endswith("Z"):
        return _same_instant(name, datetime.fromisoformat(expected), datetime.fromisoformat(found))
    return bool(expected == found)


def _same_instant(name: str, expected: datetime, found: datetime) -> bool:
    """The other decoder cuts microseconds off, and is a second late for uptimes: it adds a fraction it should take away.

    For a flow that began before its header's second it says something a month later; there is nothing to compare then.
    """
    if name in ("first_switched", "last_switched"):
        return expected - found in (timedelta(0), timedelta(seconds=1)) or expected - found > timedelta(days=30)
    return expected == found.replace(microsecond=0) or expected == found


def _application(engine_and_selector: str) -> str:
    """Classification engine and selector of an applicationId (RFC 6759 section 4): `1..13` as octets."""
    engine, selector = engine_and_selector.split("..")
    return bytes((int(engine),)).hex() + int(selector).to_bytes(3, "big").hex()


@pytest.mark.parametrize(
    ("first", "flows", "octets"),
    [("netflow5_test_microtik.dat", 30, 40_812), ("ipfix_test_mikrotik_tpl.dat", 46, 103_235)],
)
def test_octet_totals_agree_with_a_second_decoder(first: str, flows: int, octets: int) -> None:
    """MikroTik's v5 and IPFIX captures add up to what nfdump's kind of decoder adds them up to."""
    case = next(case for case in _cases() if case["datagrams"][0] == first)
    _, summary = _decoded(case)
    assert (summary.flows, summary.octets, dict(summary.problems)) == (flows, octets, {})
