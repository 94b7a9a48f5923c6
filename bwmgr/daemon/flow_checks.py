"""What `doctor` says of flows: who is silent, reports too late, loses, samples untold, or has a wrong clock; and what disagrees.

Reads the daemon's newest view and the store; asks no router and raises nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bwmgr.daemon.findings import Finding, Severity
from bwmgr.daemon.flow_messages import read_snapshot
from bwmgr.daemon.flow_strays import strays
from bwmgr.errors import StoreError
from bwmgr.language import mark
from bwmgr.measure.reconcile import Cause, Comparison, Verdict

if TYPE_CHECKING:
    from bwmgr.config.settings import Settings

STALE_SECONDS = 300.0
LONGEST_FLOW_SECONDS = 90.0
"""A minute's active timeout and what a router takes to look."""
LOSS_RATIO = 0.001
CLOCK_SECONDS = 30.0
_SILENT_SECONDS = 600.0

_ADVICE = {
    Cause.NO_FLOWS: mark("let its router export flows to this machine, or check that its address may send (netflow.exporters)"),
    Cause.SAMPLING_MISSING: mark("write 1:{rate} for this router under netflow.sampling"),
    Cause.ASYMMETRIC_EXPORT: mark("export both directions: on RouterOS /ip/traffic-flow set interfaces=all"),
    Cause.WRONG_NETWORKS: mark("compare the networks of the link with the addresses that `bwmgr flows query` shows"),
    Cause.HARDWARE_OFFLOAD: mark(
        "traffic that FastTrack or a switch chip carries is not exported: trust the counters, or turn it off"
    ),
    Cause.COUNTED_TWICE: mark("export on one router only, and check netflow.sampling"),
}


def check_flows(settings: Settings, now: datetime) -> Iterator[Finding]:
    """All findings; none where no flows are configured."""
    if settings.netflow is None:
        return
    view = read_snapshot(settings.store.path)
    if view is None or (now - datetime.fromisoformat(view["at"])).total_seconds() > STALE_SECONDS:
        yield Finding(
            severity=Severity.WARNING,
            subject="netflow",
            code="flows_not_received",
            finding=mark("no daemon has written flows lately"),
            advice=mark("start `bwmgr daemon`; its log says why where it cannot listen"),
        )
        return
    yield from _of_collector(view)
    heard = {exporter["device"] for exporter in view["exporters"]}
    for exporter in view["exporters"]:
        yield from _of_exporter(exporter, now)
    for device in _expected(settings):
        if device not in heard:
            yield _silent(device)
    yield from _disagreements(settings, now)


def _expected(settings: Settings) -> Iterable[str]:
    """Routers of links whose flows can be told: each should export, unless another one does it for all."""
    links = settings.inventory.links.values()
    return dict.fromkeys(link.interface.device for link in links if link.interface is not None and link.networks)


def _silent(device: str) -> Finding:
    return Finding(
        severity=Severity.INFO,
        subject=device,
        code="exporter_silent",
        finding=mark("it has exported no flows since the daemon started"),
        advice=mark(
            "nothing, if another router exports for its links; on RouterOS: /ip/traffic-flow set enabled=yes and a target"
        ),
    )


def _of_collector(view: Mapping[str, Any]) -> Iterator[Finding]:
    figures = view["figures"]
    if figures["dropped"]:
        yield Finding(
            severity=Severity.ERROR,
            subject="netflow",
            code="flow_socket_drops",
            finding=mark("the kernel dropped {count} flow datagrams because its buffer was full"),
            advice=mark("sysctl -w net.core.rmem_max=67108864, and the same in /etc/sysctl.d; then restart the daemon"),
            values={"count": figures["dropped"]},
        )
    if figures["refused"]:
        yield Finding(
            severity=Severity.WARNING,
            subject="netflow",
            code="flow_senders_refused",
            finding=mark("{count} flow datagrams came from addresses that may not send"),
            advice=mark("add the router to devices, or its address to netflow.exporters; else look for who sends"),
            values={"count": figures["refused"]},
        )
    if view["problem"]:
        yield Finding(
            severity=Severity.WARNING,
            subject="netflow",
            code="flow_list_refused",
            finding=mark("a list of networks was not read again: {problem}"),
            advice=mark("mend the line; the daemon reads the file again by itself"),
            values={"problem": view["problem"]},
        )


def _of_exporter(exporter: Mapping[str, Any], now: datetime) -> Iterator[Finding]:
    subject = exporter["device"] or exporter["address"]
    quiet = (now - datetime.fromisoformat(exporter["last_at"])).total_seconds() if exporter["last_at"] else 0.0
    if quiet > _SILENT_SECONDS:
        yield _finding(
            subject, "exporter_stopped", mark("its last flows came {quiet_seconds} ago"),
            mark("look whether the router still exports"), quiet_seconds=quiet,
        )  # fmt: skip
    if exporter["longest_seconds"] > LONGEST_FLOW_SECONDS:
        yield _finding(
            subject, "active_timeout_long",
            mark("it reports flows only after {longest_seconds}: the last minutes lack them until then"),
            mark("on RouterOS: /ip/traffic-flow set active-flow-timeout=1m; elsewhere an active timeout of 60 s"),
            longest_seconds=exporter["longest_seconds"],
        )  # fmt: skip
    total = exporter["lost"] + exporter["datagrams"]
    if exporter["lost"] > LOSS_RATIO * total:
        yield _finding(
            subject, "flows_lost", mark("{count} of its flow records or datagrams never arrived"),
            mark("look for loss on the way, and for a router whose processor is full"), count=exporter["lost"],
        )  # fmt: skip
    if abs(exporter["clock_seconds"]) > CLOCK_SECONDS:
        yield _finding(
            subject, "exporter_clock", mark("its clock is {apart_seconds} apart from ours: flows land in wrong minutes"),
            mark("let the router follow NTP"), apart_seconds=abs(exporter["clock_seconds"]),
        )  # fmt: skip
    if 0 < exporter["unknown_sampling_flows"] < exporter["flows"]:
        yield _finding(
            subject, "sampling_unknown", mark("it does not say of all flows how they are sampled: those count as they came"),
            mark("write its rate under netflow.sampling"),
        )  # fmt: skip
    yield from _of_problems(subject, Counter(exporter["problems"]))


def _of_problems(subject: str, problems: Counter[str]) -> Iterator[Finding]:
    if impossible := problems.pop("impossible_octets", 0):
        yield _finding(
            subject, "flows_impossible",
            mark("{count} of its flows had more octets than its interfaces carry in their time: they do not count"),
            mark("look for a newer version of its software; RouterOS 7.12 exports such flows"), count=impossible,
        )  # fmt: skip
    if late := problems.pop("no_template", 0):
        yield _finding(
            subject, "template_missing", mark("{count} sets of its records came without the template that explains them"),
            mark("on RouterOS: /ip/traffic-flow/target set v9-template-refresh=20 v9-template-timeout=1m"), count=late,
        )  # fmt: skip
    if problems.total():
        yield _finding(
            subject, "flows_malformed", mark("{count} of its datagrams or sets could not be decoded ({reasons})"),
            mark("record some (tcpdump -w FILE udp port 2055) and look at them with `bwmgr flows decode FILE`"),
            count=problems.total(), reasons=", ".join(sorted(problems)),
        )  # fmt: skip


def _finding(subject: str, code: str, finding: str, advice: str, **values: float | str) -> Finding:
    return Finding(severity=Severity.WARNING, subject=subject, code=code, finding=finding, advice=advice, values=values)


def _disagreements(settings: Settings, now: datetime) -> Iterator[Finding]:
    """Of the last whole hour that everything has been written of."""
    if not (settings.store.path / "state.sqlite").exists():
        return
    try:
        compared = _compared(settings, settings.store.path, now)
    except StoreError:
        return
    for one in compared:
        if one.verdict is Verdict.DIFFERS:
            yield _disagreement(one)


def _compared(settings: Settings, folder: Path, now: datetime) -> list[Comparison]:
    from bwmgr.stores.embedded import EmbeddedStore
    from bwmgr.stores.flow_history import compare
    from bwmgr.stores.state import StateStore

    end = now.replace(minute=0, second=0, microsecond=0)
    with closing(EmbeddedStore(folder, readonly=True)) as store, closing(StateStore(folder / "state.sqlite")) as state:
        return compare(settings.inventory, store, end - timedelta(hours=1), end, partial(strays, state))


def _disagreement(one: Comparison) -> Finding:
    return Finding(
        severity=Severity.WARNING,
        subject=one.link,
        code=f"flows_differ_{one.cause}",
        finding=mark("flows came to {flows_ratio} of its counters in the last hour ({direction})"),
        advice=_ADVICE[one.cause],
        values={"flows_ratio": one.ratio, "direction": str(one.direction), "rate": str(one.sampling)},
    )
