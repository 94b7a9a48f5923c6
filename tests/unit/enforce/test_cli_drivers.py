"""IOS and Junos over real SSH against doubles made from the vendors' documentation. Real hardware is still to be tried."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import pytest

from bwmgr.drivers import Driver, driver_for
from bwmgr.drivers.ssh import CliStep
from bwmgr.errors import DeviceAuthenticationError, DeviceProtocolError, DeviceTimeout
from bwmgr.model.enforcement import Queue, Settings
from bwmgr.model.inventory import Device, Direction, Enforcer, ShaperPort
from bwmgr.model.secret import Secret
from bwmgr.testing import cli_routers
from bwmgr.testing.cli_routers import CliRouter
from bwmgr.testing.ios import Ios
from bwmgr.testing.junos import Junos

BY_ADDRESS = Queue(recommendation="0123456789ab", link="dinkes", direction=Direction.DOWN, cir_bps=5_000_000, mir_bps=35_000_000,
                   parent="kec-baamang", networks=(ip_network("10.20.1.0/24"),))  # fmt: skip
BY_PORT = replace(BY_ADDRESS, networks=(), port=ShaperPort(interface="GigabitEthernet0/1"))
UPLOAD = replace(BY_PORT, direction=Direction.UP)
NAME = "bwmgr-dinkes-down"


@pytest.fixture
def ios(tmp_path: Path) -> Iterator[tuple[Ios, CliRouter]]:
    box = Ios(running={"interface GigabitEthernet0/1": [" description ke Dinkes"]})
    with cli_routers.running(box, tmp_path) as router:
        yield box, router


@pytest.fixture
def junos(tmp_path: Path) -> Iterator[tuple[Junos, CliRouter]]:
    box = Junos(active=["system host-name mx-uji"])
    with cli_routers.running(box, tmp_path) as router:
        yield box, router


def driver(kind: str, router: CliRouter, *, password: str = cli_routers.PASSWORD, host_keys: Path | None = None,
           timeout: float = 10) -> Driver[CliStep]:  # fmt: skip
    how = Enforcer(driver=kind, user=cli_routers.USER, password=Secret(password), port=router.port,  # type: ignore[arg-type]
                   host_keys=str(host_keys or router.host_keys), timeout_seconds=timeout)  # fmt: skip
    return driver_for(Device(id="rtr", address="127.0.0.1", enforce=how))


def reach(made: Driver[CliStep], queue: Queue, to: Settings | None = None) -> Settings:
    """Brings the queue to `to` (default: what it asks for); what was there before."""
    before = made.read(queue)
    wanted = made.wanted(queue, before) if to is None else to
    made.send(made.steps(queue, before, wanted))
    assert made.read(queue) == wanted
    return before


@pytest.mark.parametrize("queue", [BY_ADDRESS, UPLOAD], ids=["address", "upload"])
def test_ios_takes_a_limit_reads_it_back_and_gives_it_up_without_a_trace(ios: tuple[Ios, CliRouter], queue: Queue) -> None:
    """A class, a map on a port, a policer: what is read is what was wanted; undone, all is as before."""
    box, router = ios
    made, office = driver("ios", router), {head: list(lines) for head, lines in box.running.items()}
    assert reach(made, queue) == {}
    reach(made, replace(queue, recommendation="ffffffffffff", mir_bps=12_000_000))
    reach(made, queue, {})
    empty = {head: lines for head, lines in box.running.items() if lines}
    assert empty == office


def test_ios_changes_an_office_class_and_brings_it_back(ios: tuple[Ios, CliRouter]) -> None:
    """Another class beside it, and lines of its own that bwmgr does not know, are as they were."""
    box, router = ios
    box.running |= {
        "policy-map bwmgr-kec-baamang-down": [
            " class voip",
            "  priority 512",
            f" class {NAME}",
            "  fair-queue",
            "  shape average 8000000",
        ],
        f"class-map match-any {NAME}": [f" match access-group name {NAME}"],
        f"ip access-list extended {NAME}": [" permit ip any 10.20.9.0 0.0.0.255"],
    }
    office = box.text()
    made = driver("ios", router)
    before = reach(made, BY_ADDRESS)
    assert before == {"by": "", "networks": "permit ip any 10.20.9.0 0.0.0.255", "bandwidth_kbps": 0, "limit_bps": 8_000_000}
    assert "  priority 512" in box.text()
    assert "  fair-queue" in box.text()
    reach(made, BY_ADDRESS, before)
    assert box.text() == office


def test_ios_takes_back_what_nobody_confirms_and_saves_what_is_proven(ios: tuple[Ios, CliRouter]) -> None:
    """`configure terminal revert timer`; confirmed, the timer is off and the startup configuration has it."""
    box, router = ios
    made = driver("ios", router)
    steps = made.guarded(BY_PORT, made.steps(BY_PORT, made.read(BY_PORT), made.wanted(BY_PORT, {})), {}, 2100)
    assert steps[0].line == "configure terminal revert timer 35"
    made.send(steps)
    assert (box.revert_minutes, made.read(BY_PORT)) == (35, made.wanted(BY_PORT, {}))
    second = made.steps(UPLOAD, made.read(UPLOAD), made.wanted(UPLOAD, {}))
    assert made.guarded(UPLOAD, second, {}, 2100) == second, "IOS has one timer"
    box.expire()
    assert made.read(BY_PORT) == {}
    made.send(steps)
    made.confirm(BY_PORT, {})
    box.expire()
    assert made.read(BY_PORT) == made.wanted(BY_PORT, {})
    assert box.startup == box.running
    made.confirm(BY_PORT, {})


def test_ios_without_an_archive_is_sent_plainly(ios: tuple[Ios, CliRouter]) -> None:
    box, router = ios
    box.archive, made = False, driver("ios", router)
    steps = made.steps(BY_PORT, made.read(BY_PORT), made.wanted(BY_PORT, {}))
    assert made.guarded(BY_PORT, steps, {}, 2100) == steps


def test_what_ios_refuses_is_said_in_its_words(ios: tuple[Ios, CliRouter]) -> None:
    box, router = ios
    box.refuse, made = "shape average", driver("ios", router)
    with pytest.raises(DeviceProtocolError, match=r"rtr: refused.*% Invalid input"):
        reach(made, BY_PORT)
    box.refuse = ""
    made.send(made.steps(BY_PORT, made.read(BY_PORT), {}))
    assert made.read(BY_PORT) == {}


@pytest.mark.parametrize("queue", [BY_ADDRESS, replace(BY_PORT, port=ShaperPort(interface="ge-0/0/1"))], ids=["address", "port"])
def test_junos_takes_a_limit_reads_it_back_and_gives_it_up_without_a_trace(junos: tuple[Junos, CliRouter], queue: Queue) -> None:
    box, router = junos
    made = driver("junos", router)
    assert reach(made, queue) == {}
    reach(made, replace(queue, recommendation="ffffffffffff", mir_bps=12_345_678, cir_bps=0))
    reach(made, queue, {})
    assert box.active == ["system host-name mx-uji"]


def test_junos_rolls_back_what_nobody_confirms(junos: tuple[Junos, CliRouter]) -> None:
    """`commit confirmed`, and a commit once it is proven."""
    box, router = junos
    made = driver("junos", router)
    steps = made.guarded(BY_ADDRESS, made.steps(BY_ADDRESS, {}, made.wanted(BY_ADDRESS, {})), {}, 2100)
    assert steps[-1].line == "commit confirmed 35"
    made.send(steps)
    assert made.read(BY_ADDRESS) == made.wanted(BY_ADDRESS, {})
    box.expire()
    assert made.read(BY_ADDRESS) == {}
    made.send(steps)
    made.confirm(BY_ADDRESS, {})
    box.expire()
    assert made.read(BY_ADDRESS) == made.wanted(BY_ADDRESS, {})
    typed = len(router.typed)
    made.confirm(BY_ADDRESS, {})
    assert "commit" not in router.typed[typed:]


def test_junos_that_refuses_a_commit_or_is_being_configured_stays_as_it_was(junos: tuple[Junos, CliRouter]) -> None:
    """Nothing of it is active, and another person's half-done edits are not committed along."""
    box, router = junos
    box.refuse, made = "'traffic-control-profiles' is not supported on this platform", driver("junos", router)
    with pytest.raises(DeviceProtocolError, match="not supported on this platform"):
        reach(made, BY_ADDRESS)
    box.refuse, box.locked = "", True
    with pytest.raises(DeviceProtocolError, match=r"is being configured by somebody else: .*locked by: andi"):
        reach(made, BY_ADDRESS)
    assert box.active == ["system host-name mx-uji"]


@pytest.mark.parametrize("kind", ["ios", "junos"])
def test_a_router_that_cannot_prove_itself_gets_no_password(ios: tuple[Ios, CliRouter], kind: str, tmp_path: Path) -> None:
    """Its host key is not the one that is known for it."""
    _, router = ios
    other = tmp_path / "others"
    other.write_text("")
    with pytest.raises(DeviceProtocolError, match="not found in known_hosts"):
        driver(kind, router, host_keys=other).read(BY_PORT)
    assert router.typed == []


def test_a_wrong_password_is_told_once_and_not_shown(ios: tuple[Ios, CliRouter]) -> None:
    with pytest.raises(DeviceAuthenticationError, match="refused the login of bwmgr") as caught:
        driver("ios", ios[1], password="salah sekali").read(BY_PORT)
    assert "salah" not in str(caught.value)


def test_a_router_that_says_nothing_any_more_is_a_timeout(ios: tuple[Ios, CliRouter]) -> None:
    """Nothing waits longer than `timeout`."""
    _, router = ios
    made = driver("ios", router, timeout=1)
    router.deaf = True
    with pytest.raises(DeviceTimeout):
        made.read(BY_PORT)
