"""What doctor finds on devices and on the machine."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bwmgr.daemon.device_checks import check_clocks, check_device, check_engines
from bwmgr.daemon.doctor import Diagnosis, probe_all
from bwmgr.daemon.findings import Finding, Severity
from bwmgr.daemon.host_checks import check_calendars, check_receive_buffer, check_secrets, check_store
from bwmgr.language import Words
from bwmgr.model.inventory import Calendar, Credential, Device, Faces, Interface, Inventory, Link, LinkKind, Organisation
from bwmgr.model.samples import GapReason
from bwmgr.model.secret import Secret
from bwmgr.testing.mib import Port, PortState, System
from bwmgr.testing.router import VirtualRouter
from collectors.snmp.ber import Tag
from collectors.snmp.probe import Probe, ProbedInterface, date_and_time, probe
from collectors.snmp.reference import Variable
from collectors.snmp.settings import SnmpSettings
from tests.unit.snmp_walk.conftest import credential, router, user

Serve = Callable[..., list[Device]]
COMMUNITY = Credential(id="default", version="2c", community=Secret("publik"))
QUICK = SnmpSettings(timeout_seconds=0.15, retries=1)


def interface(device: str, name: str | None = None, alias: str | None = None) -> Interface:
    return Interface(device=device, if_name=name, if_alias=alias, faces=Faces.SUBSCRIBER)


def codes(findings: object) -> list[str]:
    return [finding.code for finding in findings]  # type: ignore[attr-defined]


def answered(**facts: Any) -> Probe:
    return Probe(device=Device(id=facts.pop("id", "r1"), address="10.0.0.1"), reason=GapReason.NONE, **facts)


def probed(**facts: Any) -> ProbedInterface:
    usual: dict[str, Any] = {
        "interface": interface("r1", "ether1"), "matches": (1,), "counter_bits": 64, "oper_up": True, "admin_up": True,
        "if_high_speed_mbps": 1000, "speed_bps": 10**9, "has_discontinuity": True,
    }  # fmt: skip
    return ProbedInterface(**{**usual, **facts})


def test_a_healthy_device_has_no_findings(serve: Serve) -> None:
    """A router that answers, with the interface in question, is all well."""
    device = serve(router())[0]
    found = probe(device, COMMUNITY, (interface("r1", "ether2"), interface("r1", alias="Dinas ke-3 ✓")), QUICK)
    assert [one.matches for one in found.interfaces] == [(2,), (3,)]
    assert list(check_device(found, 60)) == []


def test_a_port_under_its_name_and_its_alias(serve: Serve) -> None:
    """One port under two names in the configuration would count twice: the device tells, doctor says."""
    device = serve(router())[0]
    found = probe(device, COMMUNITY, (interface("r1", "ether3"), interface("r1", alias="Dinas ke-3 ✓")), QUICK)
    (finding,) = check_device(found, 60)
    assert (finding.code, finding.subject) == ("interface_twice", "r1 ether3, alias Dinas ke-3 ✓")


def test_silence_names_both_causes(serve: Serve) -> None:
    """fault 27: a wrong community is reported as silence or wrong community, after bounded tries."""
    device = serve(router())[0]
    found = probe(device, Credential(id="x", version="2c", community=Secret("salah")), (), QUICK)
    (finding,) = check_device(found, 60)
    assert finding.code == "no_answer"
    assert "community" in finding.row(Words("en"))["finding"]


def test_a_refused_user_says_why(serve: Serve) -> None:
    """An authentication failure carries what the device said."""
    device = serve(router(users=[user()]))[0]
    found = probe(device, credential(user(), auth="sandi yang keliru"), (), QUICK)
    (finding,) = check_device(found, 60)
    assert finding.code == "refused"
    assert "wrong digest" in finding.row(Words("en"))["finding"]


def test_a_name_that_does_not_resolve() -> None:
    """Name resolution is a finding of its own."""
    found = probe(Device(id="r1", address="tidak-ada.invalid"), COMMUNITY, (), QUICK)
    assert codes(check_device(found, 60)) == ["name_unresolved"]


def test_foreign_replies_are_named() -> None:
    """fault 26: replies from another address are counted, not taken, and named with the option that allows them."""
    lost = Probe(device=Device(id="r1", address="10.0.0.1"), reason=GapReason.TIMEOUT, detail="no answer", foreign_replies=2)
    assert codes(check_device(lost, 60)) == ["foreign_replies", "no_answer"]


class _Elsewhere:
    """Forwards to a device, and hands its answers on from a port of its own."""

    def __init__(self, device: Device) -> None:
        self.front, self.back = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        for one in (self.front, self.back):
            one.bind(("127.0.0.1", 0))
            one.settimeout(5)
        self._target = (device.address, device.port)
        self.device = Device(id=device.id, address="127.0.0.1", port=self.front.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            request, peer = self.front.recvfrom(65535)
            if not request:
                return
            self.back.sendto(request, self._target)
            self.back.sendto(self.back.recv(65535), peer)

    def close(self) -> None:
        self.back.sendto(b"", self.front.getsockname())
        self._thread.join()
        self.front.close()
        self.back.close()


@pytest.mark.parametrize("known", [COMMUNITY, credential(user())], ids=["v2c", "v3"])
def test_replies_from_another_port(serve: Serve, known: Credential) -> None:
    """fault 26: they are not taken, and named; `unconnected` takes them."""
    elsewhere = _Elsewhere(serve(router(users=[user()]))[0])
    refused = probe(elsewhere.device, known, (), QUICK)
    taken = probe(replace(elsewhere.device, unconnected=True), known, (), QUICK)
    elsewhere.close()
    assert "foreign_replies" in codes(check_device(refused, 60))
    assert refused.reason is GapReason.TIMEOUT
    assert taken.reason is GapReason.NONE


def test_unknown_and_ambiguous_interfaces(serve: Serve) -> None:
    """fault 20: a name that nothing bears, and an alias that two bear, are told with the ifIndexes."""
    ports = [Port(if_index=i, if_name=f"e{i}", if_alias="sama", read=lambda _: PortState()) for i in (4, 9)]
    device = serve(VirtualRouter(System(name="r1"), ports, communities=["publik"]))[0]
    findings = list(check_device(probe(device, COMMUNITY, (interface("r1", "e5"), interface("r1", alias="sama")), QUICK), 60))
    assert codes(findings) == ["interface_unknown", "interface_ambiguous"]
    assert "4, 9" in findings[1].row(Words("en"))["finding"]


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"counter_bits": 32}, ["counter32"]),
        ({"counter_bits": 32, "speed_bps": 10_000_000}, []),
        ({"counter_bits": 0}, ["no_counters"]),
        ({"oper_up": False}, ["oper_down"]),
        ({"oper_up": False, "admin_up": False}, ["oper_down"]),
        ({"if_high_speed_mbps": 0, "speed_bps": None}, ["speed_unknown"]),
        ({"has_discontinuity": False}, ["no_discontinuity_time"]),
    ],
)
def test_interfaces(facts: dict[str, Any], expected: list[str]) -> None:
    """Each weakness of an interface is its own finding; slow lines may have 32-bit counters."""
    assert codes(check_device(answered(interfaces=(probed(**facts),)), 60)) == expected


def test_slow_refresh() -> None:
    """fault 11: counters that stand still for longer than the interval are named."""
    assert codes(check_device(answered(refresh_seconds=15.0), 10)) == ["slow_refresh"]
    assert codes(check_device(answered(refresh_seconds=5.0), 10)) == []


def test_watching_sees_the_refresh(serve: Serve) -> None:
    """A router that moves its counters every 0.6 s is seen to."""
    port = Port(if_index=1, if_name="e1", read=lambda now_ms: PortState(in_octets=now_ms // 600 * 1000))
    device = serve(VirtualRouter(System(name="r1"), [port], communities=["publik"]))[0]
    found = probe(device, COMMUNITY, (interface("r1", "e1"),), QUICK, watch_seconds=2.0)
    assert found.refresh_seconds is not None
    assert 0.3 < found.refresh_seconds < 1.5


def test_shared_engine_ids_are_named() -> None:
    """fault 30: the devices of one engineID stand in one finding."""
    probes = [answered(id="a", engine_id=b"12345"), answered(id="b", engine_id=b"12345"), answered(id="c", engine_id=b"54321")]
    (finding,) = check_engines(probes)
    assert finding.subject == "a, b"


def test_clocks() -> None:
    """One device that is off is named; where most are off alike, it is our clock."""
    assert codes(check_clocks([answered(id=str(n), clock_offset_seconds=offset) for n, offset in enumerate((0, 1, 500))])) == [
        "clock_skew"
    ]
    ours = list(
        check_clocks([answered(id=str(n), clock_offset_seconds=offset) for n, offset in enumerate((3600, 3601, 3599, 0))])
    )
    assert codes(ours) == ["clock_wrong", "clock_skew"]
    assert ours[1].subject == "3"


def test_date_and_time() -> None:
    """DateAndTime is an instant only with a zone (RFC 2579); nonsense is none."""
    said = Variable(b"", Tag.OCTET_STRING, bytes((0x07, 0xEA, 11, 25, 7, 30, 0, 0)) + b"+" + bytes((7, 0)))
    assert date_and_time(said) == datetime(2026, 11, 25, 0, 30, tzinfo=UTC)
    assert date_and_time(Variable(b"", Tag.OCTET_STRING, bytes(8))) is None
    assert date_and_time(Variable(b"", Tag.OCTET_STRING, bytes(11))) is None


def test_dead_devices_delay_nobody(serve: Serve) -> None:
    """fault 56: many silent devices are asked side by side; the inventory's order is kept."""
    agents = [router(name=f"r{n}", booted_ms=(lambda _: None) if n else (lambda _: 0)) for n in range(30)]
    devices = serve(*agents)
    known = Inventory(
        organisation=Organisation(name="x"),
        credentials={"default": COMMUNITY},
        devices={device.id: device for device in devices},
        links={"a": Link(id="a", name="a", kind=LinkKind.OPD, interface=interface("r0", "ether1"))},
    )
    snmp = SimpleNamespace(interval_seconds=60.0, timeout_seconds=0.2, retries=1)
    began = datetime.now(UTC)
    probes = probe_all(SimpleNamespace(inventory=known, snmp=snmp))  # type: ignore[arg-type]
    assert (datetime.now(UTC) - began).total_seconds() < 3
    assert [found.device.id for found in probes] == [device.id for device in devices]
    assert [found.reason for found in probes[:2]] == [GapReason.NONE, GapReason.TIMEOUT]
    assert probes[0].interfaces[0].matches == (1,)


def test_receive_buffer(tmp_path: Path) -> None:
    """Debian's default is too small for hundreds of requests in flight, and fine for a few."""
    limit = tmp_path / "rmem_max"
    limit.write_text("212992\n")
    assert codes(check_receive_buffer(9000, 256, limit)) == ["receive_buffer_small"]
    assert codes(check_receive_buffer(32, 256, limit)) == []
    assert codes(check_receive_buffer(9000, 256, tmp_path / "absent")) == []


def test_secret_files(tmp_path: Path) -> None:
    """A secret that others can read is named with its mode, one for its owner alone is not."""
    path = tmp_path / "kunci"
    path.write_text("s3kr3t")
    path.chmod(0o644)
    known = [Credential(id="a", version="2c", community=Secret("s3kr3t", f"file:{path}"))]
    (finding,) = check_secrets(known * 2)
    assert "0644" in finding.row(Words("id"))["finding"]
    assert "s3kr3t" not in str(finding.row(Words("id")))
    path.chmod(0o400)
    assert list(check_secrets(known)) == []


def test_calendars() -> None:
    """A country that the library does not know is a finding; years that it knows are none."""
    now = datetime(2026, 5, 1, tzinfo=UTC)

    def known(country: str) -> Inventory:
        return Inventory(organisation=Organisation(name="x"), calendars={"office": Calendar(id="office", holidays=country)})

    assert codes(check_calendars(known("ID"), now)) == []
    assert "holidays_unknown" in codes(check_calendars(known("XX"), now))


def test_an_unusable_folder(tmp_path: Path) -> None:
    """A data folder that is a file cannot be written."""
    path = tmp_path / "berkas"
    path.write_text("")
    assert codes(check_store(path / "var")) == ["store_not_writable"]


@pytest.mark.parametrize(
    ("severities", "devices", "reachable", "expected"),
    [
        ((), 2, 2, 0),
        ((Severity.INFO,), 2, 2, 0),
        ((Severity.WARNING,), 2, 2, 3),
        ((Severity.ERROR,), 2, 1, 3),
        ((Severity.ERROR,), 2, 0, 1),
        ((), 0, 0, 0),
    ],
)
def test_exit_codes(severities: tuple[Severity, ...], devices: int, reachable: int, expected: int) -> None:
    """0 all well, 3 something to do, 1 nothing reachable; a configuration without devices is well."""
    findings = tuple(Finding(severity=one, subject="x", code="x", finding="x", advice="x") for one in severities)
    assert Diagnosis(findings=findings, devices=devices, reachable=reachable).exit_code == expected
