"""The agents of a virtual regency, asked over UDP by net-snmp's own tools."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from bwmgr.testing.clock import ManualClock
from bwmgr.testing.regency import Regency

_NEEDED = pytest.mark.skipif(shutil.which("snmpget") is None, reason="net-snmp's snmpget is not installed")
_HC_IN, _HC_OUT, _OUT32 = ("1.3.6.1.2.1.31.1.1.1.6", "1.3.6.1.2.1.31.1.1.1.10", "1.3.6.1.2.1.2.2.1.16")
_NAME, _UPTIME, _OPER, _ERRORS = ("1.3.6.1.2.1.31.1.1.1.1", "1.3.6.1.2.1.1.3.0", "1.3.6.1.2.1.2.2.1.8", "1.3.6.1.2.1.2.2.1.14")
_V3 = ("-v3", "-u", "noc", "-l", "authPriv", "-a", "SHA-256", "-A", "kata-sandi-1", "-x", "AES", "-X", "kata-sandi-2")

pytestmark = _NEEDED


def _ask(place: Regency, device: str, *oids: str, how: tuple[str, ...] = ("-v2c", "-c", "sekolah")) -> list[str]:
    """Values in net-snmp's quick format; nothing where there was no answer."""
    found = place.inventory.devices[device]
    command = ["snmpget", "-Oqvt", "-t", "0.5", "-r", "0", *how, f"{found.address}:{found.port}", *oids]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    return [line.strip('"') for line in answer.stdout.splitlines()]


def test_a_router_answers_v2c(place: Regency) -> None:
    """Its port bears the configured name and counts in 64 bits."""
    with place:
        name, octets = _ask(place, "rtr-dinkes", f"{_NAME}.2", f"{_HC_OUT}.2")
    assert name == "ether1"
    assert int(octets) > 0


def test_the_core_answers_v3_only(place: Regency) -> None:
    """With the user's keys; a community is met with silence."""
    with place:
        assert _ask(place, "core", f"{_NAME}.2", how=_V3) == ["sfp1"]
        assert _ask(place, "core", f"{_NAME}.2") == []


def test_a_minute_of_counters_is_a_minute_of_traffic(place: Regency, clock: ManualClock) -> None:
    """Download leaves by the port that faces the subscriber: ifHCOutOctets grows by the cell's octets."""
    cell = place.now_ms() // 60_000
    with place:
        before = [int(octets) for octets in _ask(place, "rtr-setda", f"{_HC_OUT}.2", f"{_HC_IN}.2")]
        clock.advance(60)
        after = [int(octets) for octets in _ask(place, "rtr-setda", f"{_HC_OUT}.2", f"{_HC_IN}.2")]
    down, up = place.links["setda"].cells(cell, 1).counts[:2, 0]
    assert (after[0] - before[0], after[1] - before[1]) == (down, up)


def test_a_dead_router_is_silent(place: Regency) -> None:
    """Neither its port nor its uptime can be read."""
    with place:
        assert _ask(place, "rtr-gedung-wanita", _UPTIME) == []


def test_an_old_router_has_32_bits_and_wraps(place: Regency, clock: ManualClock) -> None:
    """No ifHC columns; its ifOutOctets passes 2^32 within minutes and starts again from 0."""
    with place:
        assert _ask(place, "rtr-satpolpp", f"{_HC_OUT}.2") == ["No Such Instance currently exists at this OID"]
        before = int(_ask(place, "rtr-satpolpp", f"{_OUT32}.2")[0])
        clock.advance(600)
        after = int(_ask(place, "rtr-satpolpp", f"{_OUT32}.2")[0])
    assert before > 2**32 - 10**8
    assert after < 10**9
    grown = place.links["satpolpp"].cells(place.begins_ms // 60_000, 10).counts[0].sum()
    assert (after - before) % 2**32 == grown


def test_a_reboot_resets_and_renumbers(place: Regency, clock: ManualClock) -> None:
    """Off in its third minute; then uptime and counters start anew and the port has another ifIndex."""
    with place:
        assert _ask(place, "rtr-disdukcapil", f"{_NAME}.2") == ["ether1"]
        old = int(_ask(place, "rtr-disdukcapil", f"{_HC_OUT}.2")[0])
        clock.advance(150)
        assert _ask(place, "rtr-disdukcapil", _UPTIME) == []
        clock.advance(60)
        ticks, name, octets = _ask(place, "rtr-disdukcapil", _UPTIME, f"{_NAME}.3", f"{_HC_OUT}.3")
    assert int(ticks) == 3000
    assert name == "ether1"
    assert int(octets) < old


def test_errors_are_counted(place: Regency, clock: ManualClock) -> None:
    """The link with a bad cable shows ifInErrors that grow; a good one shows none."""
    with place:
        clock.advance(300)
        assert int(_ask(place, "rtr-bpbd", f"{_ERRORS}.2")[0]) > 100
        assert _ask(place, "rtr-setda", f"{_ERRORS}.2", f"{_OPER}.2") == ["0", "1"]
