"""The collector against hundreds of virtual routers whose every counter is known: not one wrong octet, whatever goes wrong.

BWMGR_FARM_DEVICES sets how many there are (2000, 9000 ...); the default suits CI.
"""

from __future__ import annotations

import importlib.util
import ipaddress
import os
import shutil
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np
import pytest

from bwmgr.measure.columns import Rows
from bwmgr.measure.keeper import RateKeeper
from bwmgr.model.inventory import Credential, Device, Faces, Interface
from bwmgr.model.samples import GapReason
from bwmgr.model.secret import Secret
from bwmgr.testing.clock import FastClock
from collectors.snmp.collector import SnmpCollector
from collectors.snmp.plan import Target
from collectors.snmp.settings import SnmpSettings

DEVICES = int(os.environ.get("BWMGR_FARM_DEVICES", "300"))
FIRST = int(ipaddress.ip_address("127.40.0.1"))
PORTS = (1, 3)
TICK_US = 10_000
STARVED_SECONDS = 1.0
"""A cycle that worked or had no processor for so long says nothing of who answers in time, only of what is right."""
pytestmark = [pytest.mark.system, pytest.mark.clock]


@dataclass
class Farm:
    """A running farm and the formulas of its counters."""

    port: int
    model: Any

    def targets(self, count: int, version: Literal["1", "2c"] = "2c") -> list[Target]:
        credential = Credential(id="farm", version=version, community=Secret("public"))
        return [_target(FIRST + number, self.port, credential) for number in range(count)]


def _target(address: int, port: int, credential: Credential) -> Target:
    name = str(ipaddress.ip_address(address))
    interfaces = [Interface(device=name, if_name=f"Gi0/{at}", faces=Faces.PROVIDER) for at in PORTS[:-1]]
    interfaces.append(Interface(device=name, if_alias=f"cust-{name}-{PORTS[-1]}", faces=Faces.PROVIDER))
    return Target(device=Device(id=name, address=name, port=port), credential=credential, interfaces=tuple(interfaces))


@pytest.fixture(scope="module")
def lab(shared: Path) -> Path:
    folder = shared / "lab"
    if not (folder / "snmpfarm.c").is_file():
        pytest.skip(f"no snmpfarm.c in {folder}")
    if shutil.which("cc") is None:
        pytest.skip("no C compiler (cc)")
    return folder


@pytest.fixture(scope="module")
def farm_model(lab: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("farm_model", lab / "farm_model.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def farm_binary(lab: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    binary = tmp_path_factory.mktemp("farm") / "snmpfarm"
    subprocess.run(["cc", "-O2", "-o", str(binary), str(lab / "snmpfarm.c")], check=True)
    return binary


@pytest.fixture
def start_farm(farm_binary: Path, farm_model: ModuleType) -> Iterator[Callable[..., Farm]]:
    running: list[subprocess.Popen[str]] = []

    def start(*options: str, epoch: float, **model: Any) -> Farm:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("0.0.0.0", 0))
            port = probe.getsockname()[1]
        command = [str(farm_binary), "--port", str(port), "--epoch", f"{epoch:.6f}", *options]
        running.append(subprocess.Popen(command, stderr=subprocess.PIPE, text=True))
        stderr = running[-1].stderr
        assert stderr is not None
        assert "port" in stderr.readline()
        return Farm(port, farm_model.Model(epoch, **model))

    yield start
    for process in running:
        process.terminate()
        process.wait(10)
        assert process.stderr is not None
        process.stderr.close()


class Referee:
    """Collects cycles and compares every counter and every rate with the formulas."""

    def __init__(self, farm: Farm, settings: SnmpSettings, targets: Sequence[Target]) -> None:
        self.farm = farm
        self.collector = SnmpCollector(settings, targets, FastClock(datetime.now(UTC)))
        self.keeper = RateKeeper(self.collector.interfaces, interval_seconds=settings.interval_seconds)
        self.addresses = np.repeat([int(ipaddress.ip_address(each.device.id)) for each in targets], len(PORTS))
        self.readings = self.rates = 0

    def cycle(self) -> tuple[Rows, Rows]:
        """One cycle, checked; returns its readings and rates."""
        self.last = self.collector.collect()
        rows, rates = self.last.readings, self.keeper.step(self.last.readings)
        for number, (row, rate) in enumerate(zip(rows, rates, strict=True)):
            if row["reason"] == 0:
                self._check_reading(int(self.addresses[number]), PORTS[number % len(PORTS)], row)
            if rate["reason"] == 0:
                self._check_rate(int(self.addresses[number]), PORTS[number % len(PORTS)], rate)
        return rows, rates

    @property
    def starved(self) -> bool:
        return self.last.worked_seconds > STARVED_SECONDS

    def _check_reading(self, address: int, port: int, row: Any) -> None:
        """The counters are what the port had when its sysUpTime was the one read."""
        model, modulus = self.farm.model, 2 ** int(row["counter_bits"])
        sent_us = int(row["at_ms"]) * 1000
        boots = {model.times(address, sent_us)[1], model.times(address, sent_us + int(row["rtt_us"]) + 2000)[1]}
        spans = []
        for boot in boots:
            at = boot + int(row["sys_uptime_ticks"]) * TICK_US
            for kind, column in ((1, "in_octets"), (2, "out_octets")):
                counted = [model.counter(address, port, kind, at + step) for step in (0, TICK_US)]
                spans.append((int(row[column]) - counted[0]) % modulus <= (counted[1] - counted[0]) % modulus)
        assert any(spans[first] and spans[first + 1] for first in range(0, len(spans), 2)), (address, port, row)
        self.readings += 1

    def _check_rate(self, address: int, port: int, rate: Any) -> None:
        """Within the two ticks of 10 ms by which sysUpTime may be off."""
        for kind, column in ((1, "down_bps"), (2, "up_bps")):
            true_bps = 8 * self.farm.model.rate(address, port, kind)
            assert abs(float(rate[column]) - true_bps) <= true_bps * 2 / int(rate["interval_ticks"]) + 64, (address, port, rate)
        self.rates += 1


def test_faults_on_the_wire_cost_no_reading_and_spoil_none(start_farm: Callable[..., Farm]) -> None:
    """Loss, delay, duplicate, wrong-id and truncated replies, 3 % dead: all but the dead are read,
    and rightly (faults 12, 13, 24, 25).
    """
    faults = (
        "--loss",
        "0.01",
        "--dead-fraction",
        "0.03",
        "--dup",
        "0.05",
        "--wrong-id",
        "0.03",
        "--truncate",
        "0.02",
        "--jitter-ms",
        "8",
    )
    farm = start_farm(*faults, epoch=time.time() - 86_400, dead=0.03)
    settings = SnmpSettings(timeout_seconds=0.4, retries=6)  # 6 % of replies are spoilt: seven in a row of one device's, never
    referee = Referee(farm, settings, farm.targets(DEVICES))
    dead = np.array([farm.model.is_dead(int(address)) for address in referee.addresses])
    drops: Counter[str] = Counter()
    in_a_row = cycles = 0
    while in_a_row < 2 and cycles < 12:
        rows, rates = referee.cycle()
        drops.update(referee.last.drops)
        assert set(rows["reason"][dead].tolist()) <= {GapReason.TIMEOUT, GapReason.SUSPENDED}
        missing = rows["reason"][~dead]
        assert referee.starved or not missing.any(), missing[missing > 0]
        assert referee.last.duration_seconds - referee.last.worked_seconds <= _longest_seconds(settings)
        cycles, in_a_row = cycles + 1, 0 if missing.any() else in_a_row + 1
    assert set(rates["reason"][~dead].tolist()) == {0}
    assert {"malformed_truncated", "duplicate"} <= set(drops)
    assert set(drops) & {"foreign", "late", "unknown_id", "wrong_names"}
    referee.collector.close()


def _longest_seconds(settings: SnmpSettings) -> float:
    """Of a cycle, not counting the time in which it had no processor."""
    return (settings.retries + 1) * settings.timeout_seconds + 1


@pytest.mark.slow
def test_reboots_renumbering_and_discontinuities_move_no_octet_to_another_port(start_farm: Callable[..., Farm]) -> None:
    """ifIndexes move at every reboot: each reading is of the port that was asked for (faults 4, 6, 17)."""
    options = ("--reboot-every", "5", "--reindex", "--discont-every", "3", "--loss", "0.01")
    farm = start_farm(*options, epoch=time.time() - 61, reboot=5, discont=3)
    referee = Referee(farm, SnmpSettings(timeout_seconds=0.3, retries=4), farm.targets(min(DEVICES, 300)))
    reasons: set[int] = set()
    missing = 0
    deadline = time.monotonic() + 40
    while not {GapReason.REBOOT, GapReason.DISCONTINUITY, GapReason.NONE} <= reasons and time.monotonic() < deadline:
        rows, rates = referee.cycle()
        missing += 0 if referee.starved else int(np.count_nonzero(rows["reason"]))
        reasons |= set(rates["reason"].tolist())
        time.sleep(0.4)
    assert missing == 0
    assert {GapReason.REBOOT, GapReason.DISCONTINUITY, GapReason.NONE} <= reasons
    assert referee.rates
    referee.collector.close()


@pytest.mark.parametrize(("version", "start"), [("1", "wrap32"), ("2c", "wrap64")])
def test_counters_that_wrap_between_two_cycles_give_the_true_rate(
    start_farm: Callable[..., Farm], version: Literal["1", "2c"], start: str
) -> None:
    """Counter32 (v1) and Counter64 (v2c) wrap some seconds after the first cycle (fault 1)."""
    for seconds in (4, 12, 36):  # a machine with other things to do gets more time for the first cycle
        begun = time.time()
        farm = start_farm("--counter-start", f"{start}:{60 + seconds}", epoch=begun - 60, start=(start, 60 + seconds))
        referee = Referee(farm, SnmpSettings(timeout_seconds=0.5, retries=4), farm.targets(min(DEVICES, 200), version))
        before, _ = referee.cycle()
        if time.time() < begun + seconds:
            break
        referee.collector.close()
    time.sleep(max(begun + seconds + 1 - time.time(), 0))
    after, rates = referee.cycle()
    assert (after["in_octets"] < before["in_octets"]).all()
    assert set(after["counter_bits"].tolist()) == {32 if version == "1" else 64}
    assert set(rates["reason"].tolist()) == {0}
    assert referee.rates == len(after)
    referee.collector.close()


def test_the_dead_delay_nobody(start_farm: Callable[..., Farm]) -> None:
    """Every tenth device is dead: a cycle takes its tries at most, and the dead are soon only probed (fault 56)."""
    farm = start_farm("--dead-fraction", "0.1", epoch=time.time() - 86_400, dead=0.1)
    settings = SnmpSettings(timeout_seconds=0.4, retries=1, breaker_failures=3)
    collector = SnmpCollector(settings, farm.targets(DEVICES), FastClock(datetime.now(UTC)))
    cycles = [collector.collect() for _ in range(4)]
    assert all(cycle.duration_seconds - cycle.worked_seconds <= _longest_seconds(settings) for cycle in cycles)
    dead = [each for each in cycles[2].devices if not each.answered]
    assert {(each.reason, each.detail) for each in dead} == {
        (GapReason.TIMEOUT, "no answer: it is away, or the community is wrong")
    }
    suspended = {each.device for each in cycles[3].devices if each.reason is GapReason.SUSPENDED}
    assert suspended == {each.device for each in dead}
    assert cycles[3].duration_seconds - cycles[3].worked_seconds < settings.timeout_seconds
    collector.close()
