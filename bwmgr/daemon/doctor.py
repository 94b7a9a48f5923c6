"""`doctor`: everything that is unreachable, unreliable or misconfigured, with what to do about it.

Owns the order of the checks and their concurrency; each check is in `host_checks` or `device_checks`. Reads only.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from bwmgr.daemon.device_checks import check_clocks, check_device, check_engines
from bwmgr.daemon.discovery import snmp_settings
from bwmgr.daemon.enforce_checks import check_enforcement
from bwmgr.daemon.findings import Finding, Severity
from bwmgr.daemon.flow_checks import check_flows
from bwmgr.daemon.host_checks import check_calendars, check_receive_buffer, check_secrets, check_store
from bwmgr.daemon.influx_checks import check_influx
from bwmgr.daemon.trust_checks import check_trust, trusted_secrets
from bwmgr.model.inventory import Interface, Inventory
from bwmgr.model.samples import GapReason

if TYPE_CHECKING:
    from bwmgr.config.settings import Settings
    from collectors.snmp.probe import Probe

_AT_ONCE = 64
_WATCHED_INTERVAL_SECONDS = 10.0
"""Intervals up to this are compared with the agents' refresh unasked: counters are watched for two of them."""


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """All findings, the worst first, and how many devices there are and answered."""

    findings: tuple[Finding, ...]
    devices: int
    reachable: int

    @property
    def exit_code(self) -> int:
        """0 all well, 3 something to do, 1 no device reachable."""
        if self.devices and not self.reachable:
            return 1
        return 3 if any(finding.severity is not Severity.INFO for finding in self.findings) else 0


def diagnose(settings: Settings, now: datetime, watch_seconds: float | None = None) -> Diagnosis:
    """Checks the machine and asks every device of the inventory, many at once: a dead one delays nobody.

    `watch_seconds`: how long to watch counters move; None: two intervals where these are short, else not at all.
    """
    inventory = settings.inventory
    window = snmp_settings(settings).window
    findings = [
        *check_store(settings.store.path),
        *check_influx(settings.store),
        *check_receive_buffer(len(inventory.devices), window),
        *check_calendars(inventory, now),
        *check_secrets(inventory.credentials.values(), settings.source.parent, trusted_secrets(settings)),
        *check_flows(settings, now),
        *check_enforcement(settings, now),
        *check_trust(settings),
    ]
    probes = probe_all(settings, watch_seconds)
    for probe in probes:
        findings.extend(check_device(probe, settings.snmp.interval_seconds))
    findings += [*check_engines(probes), *check_clocks(probes)]
    order = list(Severity)
    return Diagnosis(
        findings=tuple(sorted(findings, key=lambda finding: order.index(finding.severity))),
        devices=len(probes),
        reachable=sum(probe.reason is GapReason.NONE for probe in probes),
    )


def probe_all(settings: Settings, watch_seconds: float | None = None) -> list[Probe]:
    """One probe per device, in the inventory's order."""
    from collectors.snmp.probe import probe

    inventory, snmp = settings.inventory, snmp_settings(settings)
    if watch_seconds is None:
        watch_seconds = 2 * snmp.interval_seconds if snmp.interval_seconds <= _WATCHED_INTERVAL_SECONDS else 0.0
    wanted = interfaces_by_device(inventory)
    with ThreadPoolExecutor(max_workers=_AT_ONCE, thread_name_prefix="doctor") as pool:
        running = [
            pool.submit(
                probe,
                device,
                inventory.credentials[device.credentials],
                wanted.get(device.id, ()),
                snmp,
                watch_seconds=watch_seconds,
            )
            for device in inventory.devices.values()
        ]
        return [one.result() for one in running]


def interfaces_by_device(inventory: Inventory) -> Mapping[str, tuple[Interface, ...]]:
    """What each device is polled for: the interfaces of links and of uplinks."""
    found: dict[str, tuple[Interface, ...]] = {}
    interfaces = [link.interface for link in inventory.links.values() if link.interface is not None]
    for interface in (*interfaces, *(uplink.interface for _, _, uplink in inventory.uplinks())):
        found[interface.device] = (*found.get(interface.device, ()), interface)
    return found
