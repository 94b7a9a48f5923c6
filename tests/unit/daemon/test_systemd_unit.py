"""The shipped systemd unit says what the daemon relies on."""

from __future__ import annotations

from pathlib import Path

UNIT = Path(__file__).resolve().parents[3] / "configs" / "systemd" / "bwmgr.service"


def settings(unit: Path = UNIT) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in unit.read_text(encoding="utf-8").splitlines():
        name, equals, content = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(name, []).append(content)
    return found


def test_systemd_waits_for_ready_watches_and_does_not_restart_a_mistake() -> None:
    """Fault 51: exit code 2 is a configuration that starting again cannot mend; fault 48: time enough to write everything."""
    unit = settings()
    assert unit["Type"] == ["notify"]
    assert int(unit["WatchdogSec"][0]) >= 60
    assert unit["RestartPreventExitStatus"] == ["2"]
    assert int(unit["TimeoutStopSec"][0]) > 20
    assert unit["ExecReload"] == ["/bin/kill -HUP $MAINPID"]


def test_secrets_come_as_credentials_and_the_service_has_no_privileges() -> None:
    """Fault 53: no secret in the environment or the command line."""
    unit = settings()
    assert unit["LoadCredential"][0].startswith("snmp-community:")
    assert not any("community" in each for each in unit["Environment"] + unit["ExecStart"])
    assert unit["NoNewPrivileges"] == ["yes"]
    assert unit["CapabilityBoundingSet"] == [""]
    assert unit["ProtectSystem"] == ["strict"]


def test_only_the_drop_in_for_the_linux_driver_gives_a_capability_and_only_that_one() -> None:
    """The unit itself has none: whoever enforces on remote routers only never runs with one."""
    drop_in = settings(UNIT.with_name("enforce-linux.conf"))
    assert settings()["AmbientCapabilities"] == [""]
    assert drop_in == {"CapabilityBoundingSet": ["CAP_NET_ADMIN"], "AmbientCapabilities": ["CAP_NET_ADMIN"]}
