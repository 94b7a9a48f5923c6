"""The loop once more with SNMPv3, InfluxDB and flows; an apply killed in the middle; a reservation that comes and goes on time.

What happened is read from the kernel: classes by `tc`, octets by the OPDs' own interfaces.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from namespaces import lacking, within
from office import CIR_BPS, INTERVAL_SECONDS, Office, until
from regency import Regency, regency

from bwmgr.testing import influx_versions, snmpd

pytestmark = [pytest.mark.system, pytest.mark.clock, pytest.mark.slow]

VERSION = "1.6"
FLOWS = 2055
V3 = "{version: 3, user: sha-256-aes, auth: {protocol: SHA-256, key: {env: AUTH}}, priv: {protocol: AES, key: {env: PRIV}}}"
KILLED = """
import os, signal
from bwmgr.cli import main
from bwmgr.drivers.linux import LinuxDriver
whole = LinuxDriver.send
def send(driver, steps):
    whole(driver, list(steps)[:1])
    os.kill(os.getpid(), signal.SIGKILL)
LinuxDriver.send = send
main()
"""
"""bwmgr's command, killed between the first and the second thing that it sends to the kernel."""
TOLERANCE_SECONDS = 1.0
"""Of a reservation's start and end by the clock."""


@pytest.fixture(autouse=True)
def _able(monkeypatch: pytest.MonkeyPatch) -> None:
    if reason := lacking("tc", "iperf3", "snmpd", "ss", "softflowd") or influx_versions.missing(VERSION):
        pytest.skip(reason)
    for name, secret in (("AUTH", snmpd.AUTH_PHRASE), ("PRIV", snmpd.PRIV_PHRASE), ("DATABASE", "apa saja")):
        monkeypatch.setenv(name, secret)


def test_with_snmpv3_influxdb_and_flows_it_survives_kill_9_and_keeps_a_reservation_to_the_second(tmp_path: Path) -> None:
    """fault 46: after kill -9 of apply and daemon the half-made queue is gone and the recommendation is approved still; applied
    again, the starving OPD has its guarantee within two cycles and the change is verified by v3 readings out of InfluxDB. Then
    an event's reservation is in the kernel at its start and gone at its end."""
    with regency() as made, ExitStack() as stack:
        office, log = opened(made, tmp_path, stack), tmp_path / "daemon.log"
        made.download("boros", 8, 240)
        made.download("lapar", 1, 240)
        daemon = made.start(made.core, *office.command("daemon"), log=log)
        until(lambda: office.cycles() >= 2, 60)
        limited = office.approved(10_000_000)

        assert killed_in_the_middle(made, office, limited) == -signal.SIGKILL
        assert "htb" in made.run(made.core, "tc", "qdisc", "show", "dev", "v-boros")
        daemon.kill()
        daemon.wait()
        daemon = made.start(made.core, *office.command("daemon"), log=log)
        until(lambda: "htb" not in made.run(made.core, "tc", "qdisc", "show", "dev", "v-boros"), 60)
        until(lambda: office.said("recommendations", "show", limited)["apply"]["phase"] == "undone", 30)
        assert office.status(limited) == "approved"

        began = time.monotonic()
        office.said("apply", limited, "--by", "operator")
        command_seconds = time.monotonic() - began  # how slow this machine is now
        assert made.rate_bps("lapar", 2 * INTERVAL_SECONDS) >= CIR_BPS * 0.95
        assert made.rate_bps("boros", 1) <= 10_500_000

        start = (datetime.now(UTC) + timedelta(seconds=15 + 5 * command_seconds)).replace(microsecond=0)
        end = start + timedelta(seconds=round(8 + 2 * command_seconds))
        office.reloaded(event(start, end))
        daemon.send_signal(signal.SIGHUP)
        reserved = office.advised("lapar", office.application.clock.now())
        assert time.time() < start.timestamp() - INTERVAL_SECONDS, "too slow a machine: no cycle is left before the start"
        assert came(made, start) <= TOLERANCE_SECONDS
        assert CIR_BPS * 0.95 <= made.rate_bps("lapar", 3) <= 8_800_000
        assert went(made, end) <= TOLERANCE_SECONDS
        until(lambda: office.status(reserved) == "rolled_back", 30)
        until(lambda: office.status(limited) == "verified", 40)
        assert office.application.state.changes(reserved)[-1].note == "its time has ended"

        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(20) == 0, log.read_text()[-2000:]
        soon = (datetime.now(UTC) + timedelta(minutes=1)).isoformat()  # a row of flows bears the end of its minute
        used = office.said("usage", "boros", "--by", "class", "--end", soon)
        assert {row["link"] for row in used} == {"boros"}, "softflowd's flows are stored"


def opened(made: Regency, folder: Path, stack: ExitStack) -> Office:
    """snmpd, influxd and softflowd on the core, and an office that is configured for them."""
    agent = within(made.core, lambda: stack.enter_context(snmpd.running(folder / "snmpd")))
    server = within(made.core, lambda: stack.enter_context(influx_versions.running(VERSION, folder / "influxd")))
    store = influx_versions.store_yaml(influx_versions.access_to(server, "bwmgr"), "{env: DATABASE}")
    made.start(made.core, "softflowd", "-d", "-i", "v-boros", "-n", f"127.0.0.1:{FLOWS}", "-v", "9", "-t", "maxlife=2",
               "-t", "expint=1", "-p", str(folder / "softflowd.pid"), "-c", str(folder / "softflowd.ctl"))  # fmt: skip
    more = f"store: {{kind: influxdb, {store}, path: var}}\nnetflow: {{listen: ['127.0.0.1:{FLOWS}']}}\n"
    return Office(made, folder, agent.port, others_cir="1M", credential=V3, more=more)


def killed_in_the_middle(made: Regency, office: Office, name: str) -> int:
    command = [sys.executable, "-c", KILLED, "-c", str(office.path), "apply", name, "--by", "operator"]
    return subprocess.run(["ip", "netns", "exec", made.core, *command], check=False, capture_output=True, timeout=30).returncode


def event(start: datetime, end: datetime) -> str:
    """A reservation of 8 Mbit/s for the OPD that starves, in the organisation's own time."""
    first, last = (at.astimezone(ZoneInfo("Asia/Jakarta")).replace(tzinfo=None).isoformat() for at in (start, end))
    return f'events:\n  - {{id: rapat, links: [lapar], down: 8M, start: "{first}", end: "{last}"}}\n'


def came(made: Regency, at: datetime) -> float:
    """How far from that instant the kernel first has the reservation's class."""
    return _seen(made, at, there=True)


def went(made: Regency, at: datetime) -> float:
    return _seen(made, at, there=False)


def _seen(made: Regency, at: datetime, *, there: bool) -> float:
    patience = max(0.0, at.timestamp() - time.time()) + 30
    until(lambda: ("rate 8Mbit" in made.run(made.core, "tc", "class", "show", "dev", "v-lapar")) is there, patience, every=0.05)
    return abs(time.time() - at.timestamp())
