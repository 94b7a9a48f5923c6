"""What `doctor` makes of a probed device: each thing wrong with it as a finding.

Pure: looks at `Probe`s only. What is one device's own is in `check_device`, what several do together in the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median
from typing import TYPE_CHECKING

from bwmgr.daemon.findings import Finding, Severity
from bwmgr.language import Word, mark
from bwmgr.model.samples import GapReason

if TYPE_CHECKING:
    from collectors.snmp.probe import Probe, ProbedInterface

MOST_CLOCK_OFFSET_SECONDS = 60.0
_WRAP_OCTETS = 2**32

_UNREACHABLE: dict[GapReason, tuple[str, str, str]] = {
    GapReason.TIMEOUT: (
        "no_answer",
        mark("it is silent: away, or the community is wrong, which v1 and v2c agents do not tell apart"),
        mark("ping it; check its address, port, community and its list of allowed managers"),
    ),
    GapReason.AUTHENTICATION: (
        "refused",
        mark("it refuses the v3 user: {detail}"),
        mark("compare user, protocols and keys with those on the device"),
    ),
    GapReason.NAME_LOOKUP: (
        "name_unresolved",
        mark("its name does not resolve: {detail}"),
        mark("write an IP address, or put the name into DNS or /etc/hosts"),
    ),
    GapReason.PROTOCOL: (
        "protocol_error",
        mark("it answers what its protocol forbids: {detail}"),
        mark("upgrade its software; ask its vendor"),
    ),
}


def check_device(probe: Probe, interval_seconds: float) -> Iterator[Finding]:
    """Everything that one device shows."""
    device = probe.device.id
    if probe.foreign_replies and not probe.device.unconnected:
        yield _found(
            Severity.ERROR if probe.reason else Severity.WARNING,
            device,
            "foreign_replies",
            mark("replies came from another address or port than the one asked, and were not taken"),
            mark("let it answer from the address that is asked, or set unconnected: true for it"),
        )
    if probe.reason is not GapReason.NONE:
        code, finding, advice = _UNREACHABLE[probe.reason]
        yield _found(Severity.ERROR, device, code, finding, advice, detail=probe.detail)
        return
    if probe.refresh_seconds is not None and probe.refresh_seconds > interval_seconds:
        yield _found(
            Severity.WARNING,
            device,
            "slow_refresh",
            mark("its moving counters stood still for {stood_seconds}: it refreshes them more slowly than it is polled"),
            mark("set snmp.interval to more than that"),
            stood_seconds=probe.refresh_seconds,
        )
    for interface in probe.interfaces:
        yield from check_interface(device, interface, interval_seconds)
    yield from _check_named_twice(device, probe.interfaces)


def check_interface(device: str, probed: ProbedInterface, interval_seconds: float) -> Iterator[Finding]:
    """Everything that one interface shows."""
    subject = f"{device} {probed.interface.name}"
    if not probed.matches:
        yield _found(
            Severity.ERROR,
            subject,
            "interface_unknown",
            mark("the device has no such interface"),
            mark("see its interfaces with: bwmgr discover {device}"),
            device=device,
        )
    elif len(probed.matches) > 1:
        yield _found(
            Severity.ERROR,
            subject,
            "interface_ambiguous",
            mark("{count} interfaces bear this name or alias (ifIndex {indexes}): none is taken"),
            mark("make the alias unique on the device, or write if_name"),
            count=len(probed.matches),
            indexes=", ".join(map(str, probed.matches)),
        )
    else:
        yield from _check_counters(subject, probed, interval_seconds)
        yield from _check_state(subject, probed)


def _check_named_twice(device: str, probed: Sequence[ProbedInterface]) -> Iterator[Finding]:
    """Ports that the configuration has under their name and under their alias: their octets would count twice."""
    names: dict[int, list[str]] = {}
    for each in probed:
        if len(each.matches) == 1:
            names.setdefault(each.matches[0], []).append(each.interface.name)
    for if_index, known in names.items():
        if len(known) > 1:
            yield _found(
                Severity.ERROR,
                f"{device} {', '.join(known)}",
                "interface_twice",
                mark("these are one port (ifIndex {index}): its octets count twice"),
                mark("leave one of them in the configuration"),
                index=str(if_index),
            )


def _check_counters(subject: str, probed: ProbedInterface, interval_seconds: float) -> Iterator[Finding]:
    wrap_bps = _WRAP_OCTETS * 8 / interval_seconds
    if probed.counter_bits == 0:
        yield _found(
            Severity.ERROR,
            subject,
            "no_counters",
            mark("it has no octet counters"),
            mark("poll the interface below or above it, or measure it by flows"),
        )
    elif probed.counter_bits == 32 and (probed.speed_bps is None or probed.speed_bps >= wrap_bps):
        yield _found(
            Severity.WARNING,
            subject,
            "counter32",
            mark("it has 32-bit counters only: above {wrap_bps} they wrap unseen within an interval"),
            mark("use SNMP v2c or v3, or a shorter interval"),
            wrap_bps=wrap_bps,
        )
    if probed.counter_bits and not probed.has_discontinuity:
        yield _found(
            Severity.INFO,
            subject,
            "no_discontinuity_time",
            mark("it does not tell when its counters restart (ifCounterDiscontinuityTime)"),
            mark("nothing: restarts are recognised by the counters themselves"),
        )


def _check_state(subject: str, probed: ProbedInterface) -> Iterator[Finding]:
    if probed.oper_up is False:
        yield _found(
            Severity.INFO if probed.admin_up is False else Severity.WARNING,
            subject,
            "oper_down",
            mark("it is shut down") if probed.admin_up is False else mark("it is down"),
            mark("check cable, radio and the far end; or take the link out of service in its site status"),
        )
    if probed.speed_bps is None:
        yield _found(
            Severity.INFO,
            subject,
            "speed_unknown",
            mark("it does not know its speed (ifHighSpeed 0): impossible rates cannot be recognised by it"),
            mark("set the link's mir, or the speed on the device"),
        )


def check_engines(probes: Sequence[Probe]) -> Iterator[Finding]:
    """Devices that share one engineID, which RFC 3411 wants unique: their v3 clocks and keys get mixed up."""
    owners: dict[bytes, list[str]] = {}
    for probe in probes:
        if probe.engine_id:
            owners.setdefault(probe.engine_id, []).append(probe.device.id)
    for engine_id, devices in owners.items():
        if len(devices) > 1:
            yield _found(
                Severity.WARNING,
                ", ".join(devices),
                "engine_shared",
                mark("they have one engineID ({engine_id}): one device configured twice, or a cloned configuration"),
                mark("give each device its own engineID, and its v3 users' keys anew"),
                engine_id=engine_id.hex(),
            )


def check_clocks(probes: Sequence[Probe]) -> Iterator[Finding]:
    """Clocks that are off. Where most devices agree that it is ours, ours is named once."""
    offsets = {probe.device.id: probe.clock_offset_seconds for probe in probes if probe.clock_offset_seconds is not None}
    typical = median(offsets.values()) if len(offsets) >= 3 else 0.0
    ours_is_wrong = abs(typical) > MOST_CLOCK_OFFSET_SECONDS
    if ours_is_wrong:
        yield _found(
            Severity.WARNING,
            "clock",
            "clock_wrong",
            mark("this machine's clock differs from that of most devices by {offset_seconds}"),
            mark("synchronise it by NTP: timedatectl set-ntp true"),
            offset_seconds=abs(typical),
        )
    for device, offset in offsets.items():
        if abs(offset - (typical if ours_is_wrong else 0.0)) > MOST_CLOCK_OFFSET_SECONDS:
            yield _found(
                Severity.INFO,
                device,
                "clock_skew",
                mark("its clock is off by {offset_seconds}"),
                mark("synchronise it by NTP; rates do not depend on it, its logs and flows do"),
                offset_seconds=abs(offset),
            )


def _found(severity: Severity, subject: str, code: str, finding: str, advice: str, **values: Word) -> Finding:
    return Finding(severity=severity, subject=subject, code=code, finding=finding, advice=advice, values=values)
